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
says 0 'swin-train         ' --list
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
says 1 "tf32 is for the vendor's products on a GPU, and the device is cpu" kernels linear "${small[@]}" --tf32
says 1 'device must be cpu, cuda' kernels linear "${small[@]}" --device gpu
says 2 'usage: chladni-bench' steps

# paths
says 0 'conv_dx                    direct scatter winograd up up_tiles' --list --device cpu
says 1 'no path is called "winogard" on cpu; there are conv_pack: direct scatter winograd up up_tiles' kernels conv --shape 8x8x8x3x1 --path winogard --flush 1
says 1 'cpu computes "layer_norm" in one way: there is no path direct' kernels layer_norm --path direct --flush 1
says 1 'no chosen shape can take the path "winograd"' kernels conv --shape 8x8x8x5x1 --path winograd --flush 1
says 0 ' winograd ' kernels conv --shape 8x8x8x3x1 --path winograd --runs 1 --flush 1 --threads 1 --check
says 0 "differs from the CPU's by 0.0e+00" kernels layer_norm --shape 7x8 --runs 1 --flush 1 --threads 1 --check
says 1 'no path is called "sideways" on cpu' steps mel --path sideways
says 2 'no step is called "wpluss"; nearest: wplus' kernels --steps mel,wpluss
says 2 '--face is of --steps wplus' kernels --face --steps mel
says 2 '--csv has no place for --steps' kernels --csv --steps mel
says 2 '--step-runs must be a whole number >= 1, got "0"' kernels --steps mel --step-runs 0
says 2 '--html shows a timed step: it does not go with --serve' steps mel --serve --html "$work/r.html"
says 2 '--html must end in .html, got r.txt' steps mel --html r.txt
says 2 '--html must end in .html, got .html' kernels linear --shape 8 --html .html
says 2 '--png must end in .png, got r.html' kernels linear --shape 8 --png r.html
says 1 '/nonexistent/r.html' steps mel --html /nonexistent/r.html

says 0 ' packed ' kernels linear_frozen --shape 5x8x16 --path packed --runs 1 --flush 1 --threads 1
says 0 ' panels ' kernels linear_frozen --shape 5x8x16 --runs 1 --flush 1 --threads 1 --check
# tables
says 0 'of roof' kernels linear "${small[@]}" --png "$work/roofline.png"
[ "$(head -c 24 "$work/roofline.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a0000000d49484452000004b0000002bc ] ||
  fails "--png should write a picture of 1200 x 700"
says 1 '/nonexistent/r.png' kernels linear "${small[@]}" --png /nonexistent/r.png
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

# decisions on made-up figures, one per start
starts() { # starts FILE DEVICE CLOCK NAME FACTOR...: 20 figures of a kernel around FACTOR, spread by 2 %
  local file=$1 device=$2 clock=$3 comma=
  shift 3
  {
    printf '{"device": "%s", "clock": "%s", "precision": "float", "caches": "cold", "kernels": [' "$device" "$clock"
    while [ $# -gt 0 ]; do
      printf '%s{"kernel": "%s", "case": "c", "shape": "s", "precision": "float", "starts": [' "$comma" "$1"
      awk -v f="$2" 'BEGIN { for (i = 0; i < 20; i++) printf "%s%.6f", i ? ", " : "", f * (0.99 + 0.02 * (i * 7 % 20) / 19) }'
      printf ']}'
      comma=', '
      shift 2
    done
    printf ']}\n'
  } >"$file"
}
compare() { says "$1" "$2" kernels --compare "$work/old.json" "$work/new.json" "${@:3}"; }
starts "$work/old.json" cpu wall conv 1 norm 1
starts "$work/new.json" cpu wall conv 1 norm 1.1
compare 1 'slower    norm'
compare 1 '"kernel":"norm, c, s, float"' --json
compare 0 'undecided norm' --bound 10.1%
compare 0 'same      norm' --bound 20%
says 0 'faster    norm' kernels --compare "$work/new.json" "$work/old.json"
starts "$work/new.json" cpu wall conv 1 norm 1
compare 0 'same      norm'
starts "$work/new.json" cpu wall other 1
compare 1 'have no kernel in common'
starts "$work/new.json" cuda wall conv 1
compare 1 'not comparable'
starts "$work/new.json" cpu processor conv 1
compare 1 'has clock "wall"'
few() { # few NUMBERS: a file of two kernels, the first with these figures
  printf '{"kernels": [{"kernel": "conv", "case": "c", "shape": "s", "precision": "float", "starts": [%s]}, {}], "device": "cpu", "clock": "wall", "precision": "float", "caches": "cold"}' \
    "$1" >"$work/new.json"
}
few '1, -1'
compare 1 'starts[1] must be a number > 0'
few '1, 1'
compare 1 'new.json 2: as many kernels need 6 each'
few ''
compare 1 'has no figures per process start: measure with --starts 20'
echo '{}' >"$work/new.json"
compare 1 'has no array "kernels"'
echo '{' >"$work/new.json"
compare 1 'is no JSON'
rm "$work/new.json"
compare 1 'new.json'
says 2 '--compare takes two files' kernels --compare "$work/old.json"

# starts of one program, and of two in turns
says 2 '--starts needs --json or --against PROGRAM' kernels linear "${small[@]}" --starts 6
says 2 '--starts must be a whole number from 1 to 100' kernels --starts 101 --json
says 2 '--clock must be wall or processor, got "quartz"' kernels --clock quartz
says 1 'clock must be wall but for one thread' kernels linear "${small[@]}" --threads 2 --clock processor
one=(sum --shape 8 --runs 9 --flush 1 --threads 1)
says 1 'starts must be >= 5 to bound the intervals of 1 kernel at a risk of 1 % for all, got 4' "${one[@]}" --starts 4 --json
"$chladni" bench "${one[@]}" --starts 5 --runs-per-start 2 --json >"$work/old.json" 2>"$work/log" || fails "--starts: $(cat "$work/log")"
"$chladni" bench "${one[@]}" --starts 6 --runs-per-start 2 --json >"$work/new.json" 2>/dev/null
says 0 'sum, own shape' kernels --compare "$work/old.json" "$work/new.json" --bound 900%
bench=$(dirname "$chladni")/bench/chladni-bench
against=("${one[@]}" --runs-per-start 7 --bound 900% --against)
says 0 'own: sum, own shape' "${against[@]}" "$bench" --starts 8
says 1 'starts must be >= 8 to bound' "${against[@]}" "$bench" --starts 7 --clock wall
says 1 'cannot run /nonexistent' "${against[@]}" /nonexistent
says 1 'ended before it had timed' "${against[@]}" /bin/true
cat >"$work/slow" <<'SH'
#!/usr/bin/env bash
# answers as a program whose kernels take hours
echo "clock processor"
echo "own: sum, own shape, [1,8], float"
while read -r word runs && [ "$word" = run ]; do
  times=
  for ((i = 0; i < runs; i++)); do times+="1e4 "; done
  echo "$times"
done
echo end
SH
chmod +x "$work/slow"
says 1 'has "clock processor" where' "${against[@]}" "$work/slow" --clock wall
says 0 'faster    own: sum' "${against[@]}" "$work/slow" --starts 8
says 0 'in turns, time of the processor' "${against[@]}" "$work/slow" --starts 8
exit $failed
