#!/usr/bin/env bash
# Who may know whom: reads the symbols of each room's objects and fails where one room uses a symbol of
# another that lies above or beside it.   tests/layers.sh BUILD
set -euo pipefail
build=$1
declare -A may=(
  [kernels]="" [base]="" [runtime]="base kernels" [graph]="base runtime kernels"
  [io]="base graph" [sound]="base graph runtime" [text]="base" [nets]="base graph" [losses]="base graph"
  [edit]="base graph runtime io sound text nets losses"
  [train]="base graph runtime io sound text nets losses demo"
  [eval]="base graph runtime io edit train nets losses sound text demo" [demo]="base graph io nets train")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for room in "${!may[@]}"; do
  mapfile -t objects < <(find "$build/CMakeFiles/chl_$room.dir" -name '*.o')
  [ ${#objects[@]} -gt 0 ] || { echo "layers: no objects for room $room" >&2; exit 1; }
  nm --defined-only -g "${objects[@]}" | awk 'NF==3{print $3}' | sort -u > "$work/$room.has"
  nm -u "${objects[@]}" | awk '$1=="U"{print $2}' | sort -u > "$work/$room.wants"
done
bad=0
for room in "${!may[@]}"; do
  for other in "${!may[@]}"; do
    [ "$room" = "$other" ] && continue
    [[ " ${may[$room]} " == *" $other "* ]] && continue
    # what its own room defines is no use of another
    found=$(comm -12 <(comm -23 "$work/$room.wants" "$work/$room.has") "$work/$other.has")
    if [ -n "$found" ]; then
      echo "layers: $room must not know $other, but uses:" $found
      bad=1
    fi
  done
done
# a kernel is told everything; a network names no backend
if grep -nE '#if.*(CUDA|BACKEND)' host/nets/*.[ch] host/graph/ops/*.c 2>/dev/null; then
  echo "layers: a backend's name in a network or op rule"; bad=1
fi
[ $bad = 0 ] && echo "layers: ${#may[@]} rooms, no forbidden use"
exit $bad
