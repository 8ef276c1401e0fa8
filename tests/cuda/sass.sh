#!/usr/bin/env bash
# Hot loops of CUDA kernels hold no more instructions than tests/cuda/sass-bounds.txt allows; tools/sass-report.py counts them.
#
#     tests/cuda/sass.sh FOLDER      FOLDER: where tests/cuda/nvcc.sh --out left machine code; what is older than its sources is compiled again
#
# Skipped (77) where nvdisasm or nvcc is missing. A new compiler may count otherwise: then look at the loops, and write new bounds with its version.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tool=$root/tools/sass-report.py bounds=$here/sass-bounds.txt folder=${1:?usage: tests/cuda/sass.sh FOLDER}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/cubins"
for cubin in "$folder"/*.cubin; do
  [ -f "$cubin" ] || continue
  [ -n "$(find "$root/kernels" -type f -newer "$cubin" -print -quit)" ] || ln -s "$cubin" "$scratch/cubins/"
done
status=0
python3 "$tool" --check "$bounds" --cubins "$scratch/cubins" || status=$?
[ $status != 77 ] || echo "cuda-sass: skipped"
[ $status = 0 ] || exit $status
# the check itself: a bound that a loop exceeds, a kernel that is gone, a line that is no bound
refused() { # refused TEXT LINE
  printf '%b\n' "$2" >"$scratch/bounds"
  if python3 "$tool" --check "$scratch/bounds" --cubins "$scratch/cubins" >"$scratch/said" 2>&1; then echo "cuda-sass: accepted: $2"; exit 1; fi
  grep -qF -- "$1" "$scratch/said" || { cat "$scratch/said"; exit 1; }
}
line=$(grep -v '^#' "$bounds" | head -n 1)
refused "issues/tensor is" "$(echo "$line" | cut -f 1-3)\tissues/tensor\t1"
refused "no kernel of" "$(echo "$line" | cut -f 1-2)\tno_such_kernel\tissues\t1"
refused "expected architecture, source, kernel, measure and maximum" "90a modconv"
refused "no measure" "$(echo "$line" | cut -f 1-3)\tbeauty\t1"
