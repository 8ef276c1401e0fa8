#!/usr/bin/env bash
# The shim's subjects and the layout program through nvcc, warnings as errors, for two architectures; no
# kernel may spill registers.   tests/emu/nvcc.sh
# Skipped (77) where there is no nvcc: the CPU's compiler still checks the same sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
nvcc=${NVCC:-nvcc}
if ! command -v "$nvcc" > /dev/null; then
  echo "emu-nvcc: skipped: no nvcc in PATH (set NVCC)"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
flags=(-std=c++17 -Werror all-warnings -Xcompiler -Wall,-Wextra,-Werror -Xptxas -v
       -I"$here" -I"$here/.." -I"$here/../../kernels")
status=0
build() { # SOURCE ARCHITECTURE...
  local source=$1 architecture generate=()
  shift
  # 90a in full: `-arch=sm_90a` makes a plain sm_90 pass too, which refuses wgmma
  for architecture in "$@"; do
    generate+=(-gencode "arch=compute_$architecture,code=sm_$architecture")
  done
  if ! "$nvcc" "${flags[@]}" "${generate[@]}" -c "$here/$source" -o "$folder/object" > "$folder/said" 2>&1; then
    cat "$folder/said"
    echo "emu-nvcc: $source does not compile for $*"
    status=1
    return
  fi
  echo "$source ($*):" "$(grep -c 'Compiling entry function' "$folder/said")" "kernels," \
       "at most $(grep -o 'Used [0-9]* registers' "$folder/said" | awk '$2>m{m=$2} END{print m}') registers"
  if grep -E '[1-9][0-9]* bytes spill' "$folder/said"; then
    echo "emu-nvcc: $source spills registers"
    status=1
  fi
}
build kernels/subjects.cu 80 90a
build layouts.cu 80 90a
[ ! -f "$here/kernels/hopper.cu" ] || build kernels/hopper.cu 90a
exit $status
