#!/usr/bin/env bash
# The page of chladni bench in a browser: a point and a row per kernel, sorted as its address says, and a bar per network of a step. Skipped (77)
# where Chromium is not installed.
#   bench_page.sh CHLADNI-BENCH
set -uo pipefail
bench=$1 failed=0
browser=
for name in chromium chromium-browser google-chrome; do browser=${browser:-$(command -v $name)}; done
[ -n "$browser" ] || { echo "no Chromium: skipped"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fails() {
  echo "$1"
  failed=1
}
look() { # look COLUMN: the page as it stands after its script, in page
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" \
    --virtual-time-budget=1000 --dump-dom "file://$work/r.html#sort=$1" >"$work/page" 2>/dev/null
}
says() { grep -qF -e "$1" "$work/page" || fails "the page lacks $1"; }
"$bench" kernels linear --shape 8x16 --sweep batch=1,300,30 --runs 3 --warm --threads 1 --device cpu --no-vendor --html "$work/r.html" >"$work/table" ||
  fails "no page: $(cat "$work/table")"
look GB/s
[ "$(grep -o 'class="point"' "$work/page" | wc -l)" = 9 ] || fails "expected 9 points"
[ "$(grep -o '<tr[ >]' "$work/page" | wc -l)" = 10 ] || fails "expected a head and 9 rows"
says 'FLOP per byte'
says 'GFLOP/s</text>'
says '1 thread, caches warm'
look shape
grep -o '\[[0-9]*,\(8\|16\)\]</td>' "$work/page" >"$work/order"
[ "$(LC_ALL=C sort "$work/order")" = "$(cat "$work/order")" ] && [ "$(wc -l <"$work/order")" = 9 ] || fails "not sorted: $(cat "$work/order")"
says 'aria-sort="ascending"'

# one command, the whole page: kernels and steps
"$bench" kernels linear --shape 8x16 --path product --flush 1 --threads 1 --runs 3 --device cpu --no-vendor --steps stylegan2,mel --size 16 \
  --step-runs 2 --json --html "$work/r.html" >"$work/r.json" 2>"$work/log" || fails "no page of steps: $(cat "$work/log")"
look kernel
says 'FLOP per byte'
says '>product</td>'
says 'A step of stylegan2: '
says 'A step of mel: '
for part in synthesis loss 'loss, backward' 'synthesis, backward' log-mel; do says "<span>$part</span>"; done
[ "$(grep -o 'class="network' "$work/page" | wc -l)" = 5 ] || fails "expected five bars: $(grep -o 'class="network[^>]*>' "$work/page")"
says 'title="synthesis, backward, modconv_dx: '
says 'ms a step'
# the same figures in --json and in the page
if command -v python3 >/dev/null; then
  python3 - "$work/r.json" "$work/r.html" "$work/page" <<'PY' || failed=1
import html, json, re, sys
said = json.load(open(sys.argv[1]))
page = open(sys.argv[2]).read()
assert json.loads(page.split('id="data">')[1].split("</script>")[0])["steps"] == said["steps"], "the page has other figures"
shown = html.unescape(open(sys.argv[3]).read())
for step in said["steps"]:
    profile = step["profile"]
    assert abs(sum(p["seconds"] for p in profile["parts"]) / profile["seconds"] - 1) < 1e-6, profile
    assert abs(sum(o["share"] for o in profile["ops"]) - 1) < 1e-6, profile
    assert all(a["seconds"] >= b["seconds"] for a, b in zip(profile["ops"], profile["ops"][1:])), "not sorted"
    for p in profile["parts"]:
        assert abs(sum(o["seconds"] for o in p["ops"]) / p["seconds"] - 1) < 1e-6, p
        assert sum(o["nodes"] for o in p["ops"]) == p["nodes"], p
        assert f"{100 * p['share']:.1f} %" in shown, p
    for o in profile["ops"]:
        assert re.search(rf">{o['op']}</td><td>{o['nodes']}</td><td>{1e3 * o['seconds']:.3f}</td>", shown), o
PY
fi
"$bench" stylegan2 --size 16 --runs 1 --threads 1 --device cpu --html "$work/r.html" >"$work/table" 2>&1 || fails "no page of a step: $(cat "$work/table")"
grep -q 'synthesis, backward .* nodes .* ms .* %' "$work/table" || fails "no table of networks: $(cat "$work/table")"
look kernel
says 'A step of stylegan2: '
says '<div id="kernels" hidden="">'
"$bench" kernels linear --shape 8x16 --device cpu --html "$work/none/r.html" >"$work/table" 2>&1 && fails "a page in no folder"
grep -qF "$work/none" "$work/table" || fails "no folder: $(cat "$work/table")"
exit $failed
