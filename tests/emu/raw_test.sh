#!/usr/bin/env bash
# check_raw.sh can fail: each raw construct is noticed, and a clean file is not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo 'SIMT_KERNEL((32), f, int n) { SIMT_SHARED(s, int[32]); s[threadIdx.x] = n; }' > "$folder/clean.cu"
"$here/check_raw.sh" "$folder"
for raw in 'k<<<1, 32>>>();' '__shared__ int s;' 'asm volatile("nop;");' '__global__ void k();' \
           '__launch_bounds__(32)'; do
  echo "$raw" > "$folder/raw.cu"
  if "$here/check_raw.sh" "$folder" > /dev/null; then
    echo "not noticed: $raw"
    exit 1
  fi
done
