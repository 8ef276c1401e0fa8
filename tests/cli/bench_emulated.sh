#!/usr/bin/env bash
# chladni bench on the emulated GPU: it runs through, every kernel computes what the CPU does, and no time is given.
#   bench_emulated.sh CHLADNI MODULE
set -uo pipefail
chladni=$1
export CHLADNI_CUDA_MODULE=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fails() {
  echo "$1"
  failed=1
}
says() { # says STATUS TEXT ARGUMENT...: both streams together
  local status=$1 text=$2 said got=0
  shift 2
  said=$("$chladni" bench "$@" --device cuda 2>&1 </dev/null) || got=$?
  [ $got = "$status" ] && [[ $said == *"$text"* ]] && return
  fails "chladni bench $*: status $got, should be $status with \"$text\"; it said: $said"
}
bench() { # bench ARGUMENT...: the table, in table
  "$chladni" bench kernels "$@" --flush 1 --small --device cuda >"$work/table" 2>"$work/log" || fails "bench $*: $(cat "$work/table" "$work/log")"
  grep -qE 'GB/s|FLOP/s| us |of roof' "$work/table" && fails "bench $*: times or rates: $(cat "$work/table")"
}
has() { grep -qE -e "$1" "$work/table" || fails "no $1 in $(cat "$work/table")"; }

# a few small cases, in both precisions
for precision in "" --bf16; do
  bench linear --shape 4x16x24 --batch 2 $precision
  has 'cuda \(emulated\) in .* is emulated: its times say nothing'
  has '^linear_dw .* [0-9.]+e-[0-9]+$'
  bench layer_norm --shape 5x32 --batch 2 $precision
  has '^layer_norm_backward .* [0-9.]+e-[0-9]+$'
  bench attention --shape 10x32x2 --batch 2 $precision
  has "^attention_backward .* $([ "$precision" ] && echo tile || echo plain) .* [0-9.]+e-[0-9]+$"
done
bench modconv --shape 4x16x16x0 --path plain --bf16
has '^modconv_dx .* plain '
bench modconv --shape 4x16x16x0 --path tiles_64x64 --bf16
has '^modconv .* tiles_64x64 '
bench conv --shape 6x8x16x3x2
has '^conv_dw '
says 0 'modconv_dx                 plain tiles_64x64' kernels --list
says 1 'no path is called "winograd" on cuda (emulated); there are modconv: plain tiles_64x64' kernels modconv --path winograd
says 1 'no chosen shape can take the path "boxes_128x64"' kernels modconv --shape 4x16x16x0 --path boxes_128x64 --bf16 --flush 1

# for programs: no figure of time
"$chladni" bench linear --shape 16x24 --batch 2 --flush 1 --small --device cuda --json >"$work/t.json" 2>/dev/null || fails "--json failed"
"$chladni" bench linear --shape 16x24 --batch 2 --flush 1 --small --device cuda --csv >"$work/t.csv" 2>/dev/null || fails "--csv failed"
[ "$(grep -c '^own,linear.*,float,2,[0-9]*,[0-9]*,,,,,,,,,,,,[0-9.e-]*$' "$work/t.csv")" = 3 ] || fails "--csv: $(cat "$work/t.csv")"
if command -v python3 >/dev/null; then
  python3 - "$work/t.json" <<'PY' || failed=1
import json, sys
t = json.load(open(sys.argv[1]))
assert t["emulated"] is True and "roofs" not in t, t
assert [k["kernel"] for k in t["kernels"]] == ["linear", "linear_dx", "linear_dw"], t
for k in t["kernels"]:
    assert 0 <= k["relative_difference"] < 1e-4 and k["bytes"] > 0, k
    assert not {"seconds", "gb_per_s", "tflop_per_s", "roof_share", "vendor", "starts"} & set(k), k
PY
fi

# whole steps run; what would need times says so
says 0 'which says nothing of speed, as the device is emulated' steps mel --runs 1
says 0 '"emulated": true, "gflop"' steps mel --runs 1 --json
says 1 'cuda (emulated) is emulated: its times say nothing' steps mel --profile --runs 1
says 1 'its times say nothing, and a page is of times' kernels linear --shape 8 --html "$work/r.html" --shape 4x8 --flush 1
says 1 'its times say nothing' kernels linear --shape 4x8 --flush 1 --starts 5 --json
says 1 'its times say nothing' train judge --runs 1
says 1 'its times say nothing' collectives --runs 1
exit $failed
