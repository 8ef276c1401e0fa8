#!/usr/bin/env bash
# The op table on the emulated GPU, in both precisions, and the calls as one (test_fusion.c), in the builds
# that see different mistakes.
#
#     tests/emu/ops.sh BUILD [plain|address|thread|all] [FAMILY...]
#
# plain: BUILD's own test_ops_emu in three orders, copies landing late and early, all in one process: the
# reference, most of the time, is computed once. address: kernels and machine under AddressSanitizer and
# UndefinedBehaviorSanitizer (CXX, g++). thread: under ThreadSanitizer (CLANGXX, clang++; g++'s takes 13
# times as long); skipped (77) without it. The C side is BUILD's, uninstrumented: its buffers come from the
# sanitizer's allocator all the same.
# The thread build runs each family once, in one order: ThreadSanitizer judges what is ordered by
# barriers, not what happened, so another order shows it nothing new.
# Keeps its objects in BUILD/emu-ops; prints seconds per build, precision and family, by the clock and of the
# processors (user + system), which a busy machine does not change.
set -euo pipefail
build=$(cd "${1:?usage: tests/emu/ops.sh BUILD [plain|address|thread|all] [FAMILY...]}" && pwd)
kind=${2:-all}
shift $(($# > 2 ? 2 : $#))
cd "$(dirname "$0")/../.."
root=$PWD pending=$PWD/kernels/cuda/PENDING limit=${LIMIT:-600}
families=("$@") ways=()
[ $# -gt 0 ] || mapfile -t families < <(sed -n 's/^OP_FAMILY(\(.*\))$/\1/p' tests/op/families.h; echo fusion)
jobs=$(nproc) scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ulimit -c 0
cmake --build "$build" --target test_ops_emu emu_fusion >/dev/null

# --- one sanitizer's program: the kernels and the machine anew, everything else out of BUILD's link --
launcher=$(command -v ccache || true)
compile() { # compile OBJECT SOURCE FLAG...: again only where something it includes is newer
  local object=$1 source=$2 newer
  shift 2
  if [ -f "$object" ] && [ -f "$object.d" ]; then
    newer=$(sed 's/^[^:]*://; s/\\$//' "$object.d" | tr ' ' '\n' | grep . | while read -r file; do
      [ ! "$file" -nt "$object" ] || echo "$file"
    done)
    [ -n "$newer" ] || return 0
  fi
  $launcher "$@" -MMD -MF "$object.d" -x c++ -c "$source" -o "$object"
}
export -f compile
make_programs() { # make_programs KIND: BUILD/emu-ops/KIND/test_ops_emu and emu_fusion
  local kind=$1 folder=$build/emu-ops/$1 cxx=${CXX:-g++} flags source own program rest objects=()
  flags=(-std=gnu++17 -w -g1 -pthread -O1)
  case $kind in
    address) flags+=(-fsanitize=address,undefined -fno-sanitize-recover=all) ;;
    thread) cxx=${CLANGXX:-clang++} flags+=(-fsanitize=thread -DEMU_TSAN=1) ;;
  esac
  mkdir -p "$folder"
  for source in kernels/cuda/{lib,ops,modconv}/*.cu tests/emu/{backend_emu,vendor_emu,simt_emu,emu_sync,emu_memory,emu_tensor,emu_hopper}.cpp; do
    own=()
    case $source in
      */module.cu | */vendor_*.cu) continue ;; # what needs CUDA's libraries
      # the machine is no part of the program under test: only what it says of order counts
      */simt_emu.cpp | */emu_*.cpp) [ "$kind" != thread ] || own=(-fno-sanitize=thread) ;;
    esac
    objects+=("$folder/${source##*/}.o")
    printf '%q ' compile "$folder/${source##*/}.o" "$root/$source" "$cxx" "${flags[@]}" "${own[@]}" \
      -I"$root"/{tests,tests/emu,include,kernels,host}
    echo
  done >"$scratch/commands" # the loop's list of objects stays: no subshell
  launcher=$launcher xargs -P "$jobs" -d '\n' -n 1 bash -c <"$scratch/commands"
  for program in test_ops_emu emu_fusion; do
    rest=$(ninja -C "$build" -t commands tests/emu/$program | tail -n 1 | tr ' ' '\n' |
      grep -E '^[^ ]+[.](o|a|so[.0-9]*)$|^-l|^-Wl' | grep -vE 'emu_backend[.]dir|libsimt_emu[.]a')
    # shellcheck disable=SC2086 # words
    (cd "$build" && "$cxx" "${flags[@]}" "${objects[@]}" $rest -o "$folder/$program")
  done
}

run() { # run KIND PROGRAM PRECISION FAMILY [VARIABLE=VALUE...]: leaves a line in scratch/results
  local kind=$1 program=$2 precision=$3 family=$4 flag=() log status=0 seconds
  shift 4
  log=$(mktemp -p "$scratch")
  [ "$precision" != bf16 ] || flag=(--bf16)
  flag+=("${ways[@]}" --pending "$pending" "$family")
  [ "$family" != fusion ] || flag=()
  { TIMEFORMAT='%R %U %S' && time (env "$@" timeout "$limit" "$program" "${flag[@]}" >"$log" 2>&1); } 2>"$log.time" || status=$?
  seconds=$(tail -n 1 "$log.time" | awk '{ printf "%7.1f s %7.1f s", $1, $2 + $3 }')
  printf '%-8s %-5s %-12s %s  %s %s\n' "$kind" "$precision" "$family" "$seconds" "$(tail -n 1 "$log" | grep -oE '^[0-9]+ cases, [0-9]+ failed' || true)" "$*" >>"$scratch/results"
  [ $status = 0 ] || { echo "=== $kind $precision $family $* ended with $status"; grep -vE '^[a-z_0-9]+ +[0-9]+' "$log" | head -n 40; } >>"$scratch/failures"
}
wait_for_a_core() { while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done; }
families_of() { # families_of KIND FOLDER [VARIABLE=VALUE...]
  local kind=$1 program=$2/test_ops_emu precision family
  shift 2
  for precision in float bf16; do
    for family in "${families[@]}"; do
      wait_for_a_core
      if [ "$family" != fusion ]; then
        run "$kind" "$program" $precision "$family" "$@" &
        # small shapes on the large tiles, and with the filter on the tile
        [ $precision$family != bf16modconv ] || { wait_for_a_core; run "$kind" "$program" bf16 modconv "$@" "EMU_FILL=1 0" & }
      elif [ $precision = bf16 ]; then
        run "$kind" "${program%/*}/emu_fusion" both fusion "$@" &
      fi
    done
  done
}

: >"$scratch/results"
if [ "$kind" = plain ] || [ "$kind" = all ]; then
  ways=(--ways)
  families_of plain "$build/tests/emu"
  wait
  ways=()
fi
if [ "$kind" = address ] || [ "$kind" = all ]; then
  make_programs address
  # leaks are the C tests' business (.ci/run, sanitizers)
  families_of address "$build/emu-ops/address" ASAN_OPTIONS=detect_leaks=0
  wait
fi
if [ "$kind" = thread ] || [ "$kind" = all ]; then
  if command -v "${CLANGXX:-clang++}" >/dev/null; then
    make_programs thread
    # libgomp's barriers are not instrumented: the CPU backend, where it is compared with, takes one thread
    families_of thread "$build/emu-ops/thread" TSAN_OPTIONS=halt_on_error=1 OMP_NUM_THREADS=1
    wait
  else
    echo "emu-ops: skipped: no clang++ for the ThreadSanitizer build (set CLANGXX)"
    [ "$kind" = all ] || exit 77
  fi
fi
sort "$scratch/results"
[ ! -f "$scratch/failures" ] || { cat "$scratch/failures"; exit 1; }
[ -s "$scratch/results" ] || { echo "emu-ops: $kind is plain, address, thread or all"; exit 1; }
echo "$(wc -l <"$scratch/results") runs, none failed"
