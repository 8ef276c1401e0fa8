#!/usr/bin/env bash
# Debian packages of the libraries with which an installed chladni is linked, one per line, CUDA's left out.
#   packages.sh FOLDER
set -euo pipefail
mapfile -t files < <(find "$1" -type f \( -name '*.so*' -o -path '*/bin/*' \))
mapfile -t libraries < <(ldd "${files[@]}" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u)
for library in "${libraries[@]}"; do
  case $library in "$1"/*) continue ;; esac
  # where /lib is a link to /usr/lib, a package may know its file by either name
  { dpkg-query -S "$(realpath "$library")" || dpkg-query -S "$library"; } 2>/dev/null | cut -d: -f1 || true
done | grep -vE '^(cuda|libcu|libnccl|libnv|libc6)' | sort -u
