#!/usr/bin/env bash
# chladni bench kernels names what it knows, prints tables that programs can read, and decides as made-up times say.
#   bench_kernels.sh CHLADNI
set -uo pipefail
chladni=$1
export CHLADNI_CUDA_MODULE=/nonexistent/module.so # no GPU, wherever the test runs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
says() { # says STATUS TEXT ARGUMENT...: both streams together
  local status=$1 text=$2 said got=0
  shift 2
  said=$("$chladni" bench "$@" 2>&1 </dev/null) || got=$?
  [ $got = "$status" ] && [[ $said == *"$text"* ]] && return
  echo "chladni bench $*: status $got, should be $status with \"$text\"; it said: $said"
  failed=1
}
fails() {
  echo "$1"
  failed=1
}
small=(--shape 4x8x16 --batch 2 --runs 9 --flush 1 --threads 1)

# names
says 0 'usage: chladni bench' --help
says 0 'stylegan2-1024' --list
says 2 'no kernel is called "layer_nrom"; nearest: layer_norm' kernels layer_nrom
says 2 'no kernel is called "layer_nrom"' layer_nrom
says 2 'no set is called "swin-tyni"; nearest: swin-tiny' kernels --set clip-b32,swin-tyni
says 1 'no chosen set has a kernel "modconv"' kernels modconv --set clip-b32 --flush 1
says 2 '--shape needs the name of an op' kernels line --shape 4x8
says 2 '--shape must be [dims x] in x out, got "8"' kernels linear --shape 8
says 2 'the width must be a multiple of the heads' kernels attention --shape 5x8x3
says 2 'the side must be a multiple of the window, 7' kernels window_attention --shape 8x8x2
says 2 '--sweep must be batch=N' kernels --sweep batch=1,x
says 2 '--runs must be a whole number >= 1, got "0"' kernels --runs 0
says 2 '--bound must be a share > 0' kernels --bound -3%
says 1 'cpu computes in float32 only' kernels linear "${small[@]}" --bf16
says 1 'device must be cpu, cuda' kernels linear "${small[@]}" --device gpu
says 2 'usage: chladni-bench' steps

# tables
says 0 'of roof' kernels linear "${small[@]}"
"$chladni" bench kernels linear "${small[@]}" --csv >"$work/t.csv" 2>"$work/log" || fails "--csv: $(cat "$work/log")"
[ "$(wc -l <"$work/t.csv")" = 4 ] || fails "--csv: expected a head and three kernels, got $(cat "$work/t.csv")"
if command -v python3 >/dev/null; then
  "$chladni" bench kernels linear --shape 8x16 --sweep batch=1,3 --warm --runs 9 --threads 1 --json >"$work/t.json" 2>/dev/null || fails "--json failed"
  python3 - "$work/t.json" <<'PY' || failed=1
import json, sys
t = json.load(open(sys.argv[1]))
assert [(k["kernel"], k["batch"]) for k in t["kernels"]] == [
    (op, batch) for batch in (1, 3) for op in ("linear", "linear_dx", "linear_dw")], t["kernels"]
assert t["caches"] == "warm" and t["roofs"]["copy_gb_per_s"] > 0 and t["roofs"]["arithmetic_tflop_per_s"] > 0
for k in t["kernels"]:
    low, high = k["seconds"]["quartiles"]
    assert len(k["seconds"]["all"]) == 9 and low <= k["seconds"]["median"] <= high, k
    assert k["flops"] == 2 * k["batch"] * 8 * 16, k
    if "vendor" in k:
        assert k["vendor"]["relative_difference"] < 1e-4, k
PY
fi

# decisions on made-up times
times() { # times FILE DEVICE NAME FACTOR...: 41 times of a kernel around FACTOR, spread by 2 %
  local file=$1 device=$2 comma=
  shift 2
  {
    printf '{"device": "%s", "precision": "float", "caches": "cold", "kernels": [' "$device"
    while [ $# -gt 0 ]; do
      printf '%s{"kernel": "%s", "case": "c", "shape": "s", "precision": "float", "seconds": {"all": [' "$comma" "$1"
      awk -v f="$2" 'BEGIN { for (i = 0; i < 41; i++) printf "%s%.6f", i ? ", " : "", f * (0.99 + 0.02 * (i * 17 % 41) / 40) }'
      printf ']}}'
      comma=', '
      shift 2
    done
    printf ']}\n'
  } >"$file"
}
compare() { says "$1" "$2" kernels --compare "$work/old.json" "$work/new.json" "${@:3}"; }
times "$work/old.json" cpu conv 1 norm 1
times "$work/new.json" cpu conv 1 norm 1.1
compare 1 'slower    norm'
compare 1 '"kernel":"norm, c, s, float"' --json
compare 0 'undecided norm' --bound 9.5%
compare 0 'same      norm' --bound 20%
says 0 'faster    norm' kernels --compare "$work/new.json" "$work/old.json"
times "$work/new.json" cpu conv 1 norm 1
compare 0 'same      norm'
times "$work/new.json" cpu other 1
compare 1 'have no kernel in common'
times "$work/new.json" cuda conv 1
compare 1 'not comparable'
printf '{"kernels": [{"kernel": "conv", "case": "c", "shape": "s", "precision": "float", "seconds": {"all": [1, -1]}}], "device": "cpu", "precision": "float", "caches": "cold"}' >"$work/new.json"
compare 1 'seconds.all[1] must be a number > 0'
echo '{}' >"$work/new.json"
compare 1 'has no array "kernels"'
echo '{' >"$work/new.json"
compare 1 'is no JSON'
rm "$work/new.json"
compare 1 'new.json'
says 2 '--compare takes two files' kernels --compare "$work/old.json"

# two programs in turns
bench=$(dirname "$chladni")/bench/chladni-bench
says 0 'own: linear_dw, own shape' kernels linear "${small[@]}" --against "$bench" --bound 900%
says 1 'cannot run /nonexistent' kernels linear "${small[@]}" --against /nonexistent
exit $failed
