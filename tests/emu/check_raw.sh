#!/usr/bin/env bash
# CUDA that the CPU cannot run may stand only in the shim's own headers: no <<<>>>, no __shared__, no inline
# PTX, no raw launch bounds elsewhere under kernels/cuda.   tests/emu/check_raw.sh [FOLDER]
set -euo pipefail
folder=${1:-$(cd "$(dirname "$0")/../../kernels/cuda" && pwd)}
found=$(grep -rnE '<<<|__shared__|__launch_bounds__|__global__|\basm\b|\bcooperative_groups\b|\bcuda::' "$folder" \
          --include='*.cu' --include='*.cuh' --include='*.h' --exclude='simt.h' --exclude='simt_*.h') || [ $? = 1 ] # 1: nothing found; 2 would be no folder to look in
if [ -n "$found" ]; then
  echo "$found"
  echo "emu-raw: use the wrappers of kernels/cuda/lib/simt.h, or add one there with its body in tests/emu"
  exit 1
fi
