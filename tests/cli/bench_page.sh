#!/usr/bin/env bash
# The page of chladni bench kernels in a browser: a point and a row per kernel, sorted as its address says. Skipped (77)
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
"$bench" kernels linear --shape 8x16 --device cpu --html "$work/none/r.html" >"$work/table" 2>&1 && fails "a page in no folder"
grep -qF "$work/none" "$work/table" || fails "no folder: $(cat "$work/table")"
exit $failed
