#!/usr/bin/env bash
# docs/kernels/floors.md holds what the graphs say, and tools/floors-table.py notices where it does not.
#   floors.sh CHLADNI-BENCH
set -euo pipefail
bench=$1
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/floors-table.py
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 "$tool" "$bench" --check
printf '<!-- sums: mel -->\n<!-- end -->\n<!-- floors: mel --batch 2 -->\n<!-- end -->\n' >page.md
check() { python3 "$tool" "$bench" --page page.md --check >said 2>&1; }
refused() { ! check || { echo "accepted: $1"; exit 1; }; grep -q "$2" said || { cat said; exit 1; }; }
refused "empty tables" "not what the graphs say"
python3 "$tool" "$bench" --page page.md
check || { cat said; exit 1; }
grep -q '^| `mel` | 1 |' page.md && grep -q '^| log_mel | 1 |' page.md || { cat page.md; exit 1; }
sed -i '/^| log_mel/s/ 1 / 2 /' page.md
refused "an edited table" "+| log_mel | 1 |"
echo >page.md
refused "a page without tables" "no place for a table"
