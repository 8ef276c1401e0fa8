#!/usr/bin/env bash
# docs/scaling.md holds what the model says, and tools/scaling-table.py notices where it does not; a row by hand.
set -euo pipefail
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/scaling-table.py
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 "$tool" --check
printf '<!-- scaling: -->\n<!-- end -->\n<!-- scaling: --bytes 4 -->\n<!-- end -->\n' >page.md
check() { python3 "$tool" --page page.md --check >said 2>&1; }
! check || { echo "accepted: an empty page"; exit 1; }
python3 "$tool" --page page.md
check || { cat said; exit 1; }
sed -i '0,/^| 64 /s/^| 64 .*/| 64 | 24576 | 0.00 | 0.00 | 0.00 | 0.00 | 0.00 | 0.999 |/' page.md
! check || { echo "accepted: an edited table"; exit 1; }
grep -q 'not what the model says' said
echo >page.md
! check && grep -q 'no place for a table' said
# with round inputs at 8 GPUs: gather 20 us + 7*2*100*100*2/1e9 = 300 us, start 40 us,
# loss 24*1e4*100*7/0.6e12 = 280 us, gradients 2*7/8*1e6*2/1e9 = 3500 us, less 10000/3 = 166.67; E = 10/(10+0.3+0.04+0.28+0.16667)
python3 "$tool" --step 0.01 --batch 100 --embedding 100 --parameters 1e6 --rate 1e12 --node 1e9 --network 1e9 >rows
grep -qx '| 8 | 800 | 0.30 | 0.04 | 0.28 | 3.50 | 0.17 | 0.927 |' rows
