#!/usr/bin/env bash
# Planted bugs and correct kernels in three builds: plain (three orders, copies landing late and early),
# AddressSanitizer + UndefinedBehaviorSanitizer, ThreadSanitizer.   tests/emu/matrix.sh [FOLDER]
# Fails unless each bug is noticed by every build that its line in bugs.cpp names, and no correct kernel
# is blamed by any. CXX (g++) makes the first two builds, CLANGXX (clang++) the third: ThreadSanitizer of
# g++ takes 13 times as long. FOLDER keeps the programs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/compile.sh"
folder=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
CLANGXX=${CLANGXX:-clang++}
if ! command -v "$CLANGXX" > /dev/null; then
  echo "emu-matrix: skipped: no $CLANGXX for the ThreadSanitizer build (set CLANGXX)"
  exit 77
fi
compile plain "$folder" bugs bugs.cpp
compile address "$folder" bugs bugs.cpp
compile thread "$folder" bugs bugs.cpp

noticed() { # BUILD NAME [VARIABLE=VALUE...]: the case did not end with success
  local build=$1 name=$2 status=0
  shift 2
  (env "$@" timeout 60 "$folder/$build/bugs" "$name" > "$folder/said" 2>&1; exit $?) 2> /dev/null || status=$?
  case $status in
    0) return 1 ;;
    2 | 124 | 126 | 127) echo "emu-matrix: $build $name did not run to an end ($status)"; exit 1 ;;
  esac
}
# ThreadSanitizer tells 255 threads apart; more share numbers, and two with one number never race. So a race
# inside a large block is looked for with one block at a time, one between blocks with three.
# It also forgets accesses at random, by the schedule of a busy machine too, so a planted race has several tries.
# It also waits a second at the end of a program for races of threads that still run: here all have ended.
noticed_as_race() { # NAME EXPECTED
  local try tries=1 options=TSAN_OPTIONS=symbolize=0:atexit_sleep_ms=0
  [[ "$2" != *thread* ]] || tries=6
  for try in $(seq $tries); do
    noticed thread "$1" $options EMU_WORKERS=3 || noticed thread "$1" $options EMU_WORKERS=1 || continue
    return 0
  done
  return 1
}
ulimit -c 0
bugs=0 caught=0 wrong=0
while read -r name expected; do
  found=
  for order in forward reverse random:7; do
    for land in late early; do
      if noticed plain "$name" EMU_ORDER=$order EMU_LAND=$land; then found+=" plain:$order:$land"; fi
    done
  done
  if noticed address "$name" ASAN_OPTIONS=symbolize=0:detect_leaks=0; then found+=" address"; fi
  if noticed_as_race "$name" "$expected"; then found+=" thread"; fi
  verdict=caught
  if [ "$expected" = none ]; then
    verdict=correct
    [ -z "$found" ] || verdict="BLAMED THOUGH CORRECT" wrong=$((wrong + 1))
  else
    bugs=$((bugs + 1))
    for build in $expected; do
      [[ "$found" == *" $build"* ]] || verdict="MISSED by $build"
    done
    [ "$verdict" != caught ] || caught=$((caught + 1))
  fi
  printf '%-28s %-24s%s\n' "$name" "$verdict" "$found"
done < <("$folder/plain/bugs" list)
echo "$caught of $bugs caught; $wrong correct kernels blamed"
[ "$caught" = "$bugs" ] && [ "$wrong" = 0 ] && [ "$bugs" -gt 0 ]
