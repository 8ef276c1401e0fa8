#!/usr/bin/env bash
# tools/hardware-table.py can fail: another table, a result older than its kernel or than a file that
# the kernel includes, a result of uncommitted work.
set -euo pipefail
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/hardware-table.py
command -v git >/dev/null || { echo "skipped: no git"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p kernels/cuda/{ops,lib} bench/results
printf '<!-- hardware: written by tools/hardware-table.py -->\n<!-- end of hardware -->\n' >README.md
echo '#include "cuda/lib/part.cuh"
const chl_body chl_cuda_mul = {run};' >kernels/cuda/ops/mul.cu
echo '// part' >kernels/cuda/lib/part.cuh
echo 'conv' >kernels/cuda/PENDING
git init -q .
commit() { git add -A && git -c user.name=test -c user.email=test@example.org commit -qm "$1"; }
check() { python3 "$tool" --root "$folder" --check >said 2>&1; }
refused() { ! check || { echo "accepted: $1"; exit 1; }; grep -q "$2" said || { cat said; exit 1; }; }
refused "an empty table" "not what bench/results say"
python3 "$tool" --root "$folder"
grep -q "nothing has run on hardware" README.md
commit first
check || { cat said; exit 1; }
result() { # result COMMIT
  echo '{"device": "GPU", "compute_capability": "9.0", "driver": "1", "cuda": "13.0", "commit": "'"$1"'", "date": "2026-01-01", "runs": 21,
  "ops": {"float": "9 cases, 0 failed, 0 skipped", "bf16": "9 cases, 0 failed, 0 skipped"}, "sanitizers": "clean", "times": [
  {"op": "mul", "case": "c", "shape": "[4]", "precision": "float", "bytes": 48, "flops": 4, "seconds": {"median": 1e-6, "quartiles": [1e-6, 2e-6]}}]}' \
    >bench/results/gpu-test.json
  python3 "$tool" --root "$folder"
}
result "$(git rev-parse HEAD)"
check || { cat said; exit 1; }
sed -i 's/| 1.0 (1.0/| 0.1 (1.0/' README.md
refused "an edited time" "not what bench/results say"
result "$(git rev-parse HEAD) with local changes"
refused "local changes" "with local changes"
result "$(git rev-parse HEAD)"
commit result
echo '// faster' >>kernels/cuda/lib/part.cuh
commit faster
refused "an old result" "was measured before kernels/cuda/lib/part.cuh changed"
