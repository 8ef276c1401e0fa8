#!/usr/bin/env bash
# The emulator's layouts against NVIDIA's own definitions (CuTe, in CUTLASS's headers).
#
#     tests/cuda/cute/run.sh [--install] FOLDER        builds and runs in FOLDER
#
# CUTLASS's headers: the folder named by CUTLASS, or those of PyPI's nvidia-cutlass in FOLDER/venv, which
# --install makes (20 MB). CUDA's headers (cuda/std): beside nvcc, or the folder named by CCCL. Skipped (77) where either
# is missing. No GPU and no nvcc run here: CuTe's layouts are arithmetic.
set -euo pipefail
install=
if [ "${1:-}" = --install ]; then install=1; shift; fi
folder=${1:?usage: tests/cuda/cute/run.sh [--install] FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
mkdir -p "$folder"
skip() { echo "cute-layouts: skipped: $1"; exit 77; }
if [ -z "${CCCL:-}" ]; then
  nvcc=$(command -v nvcc) || skip "no nvcc in PATH, so no CUDA headers (set CCCL)"
  CCCL=$(dirname "$(dirname "$(readlink -f "$nvcc")")")/include
fi
if [ -z "${CUTLASS:-}" ]; then
  if [ -n "$install" ] && [ ! -d "$folder/venv" ]; then
    { python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install -q --no-deps nvidia-cutlass==4.2.0.0; } >"$folder/pip.log" 2>&1 ||
      { rm -rf "$folder/venv"; skip "nvidia-cutlass cannot be installed ($folder/pip.log)"; }
  fi
  CUTLASS=$(echo "$folder"/venv/lib/python3*/site-packages/cutlass_library/source/include)
fi
[ -f "$CUTLASS/cute/tensor.hpp" ] || skip "no CUTLASS headers: set CUTLASS, or run with --install"
flags=(-std=c++17 -O1 -w)
launcher=$(command -v ccache || true)
$launcher "${CXX:-g++}" "${flags[@]}" -isystem "$CUTLASS" -isystem "$CCCL" -isystem "$CCCL/cccl" -c "$here/cute_tables.cpp" -o "$folder/cute_tables.o"
objects=("$folder/cute_tables.o")
for source in "$here/compare.cpp" "$root"/tests/emu/{simt_emu,emu_sync,emu_memory,emu_tensor,emu_hopper}.cpp; do
  object=$folder/$(basename "$source" .cpp).o
  $launcher "${CXX:-g++}" -std=gnu++17 -O1 -Wall -Wextra -Werror -Wno-unknown-pragmas -pthread \
    -I"$root/kernels" -I"$root/tests/emu" -I"$root/tests" -c "$source" -o "$object"
  objects+=("$object")
done
"${CXX:-g++}" -pthread "${objects[@]}" -o "$folder/compare"
# CuTe says on each descriptor that this is no device; the address it then takes is 0, as compared
"$folder/compare" | grep -v cast_smem_ptr_to_uint
