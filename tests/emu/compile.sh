# Sourced: compile BUILD FOLDER PROGRAM SOURCE... makes FOLDER/BUILD/PROGRAM of tests/emu sources and the
# machine, BUILD being plain, address or thread.
machine="simt_emu emu_sync emu_memory emu_tensor emu_hopper"
compile() {
  local build=$1 folder=$2/$1 program=$3
  shift 3
  local room flags objects=() source object own
  room=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  local cxx=${CXX:-g++}
  flags=(-std=gnu++17 -Wall -Wextra -Werror -Wno-unknown-pragmas -Wno-pass-failed -g1 -pthread
         -I"$room" -I"$room/.." -I"$room/../../kernels")
  case $build in
    plain) flags+=(-O2) ;;
    address) flags+=(-O1 -fsanitize=address,undefined -fno-sanitize-recover=all) ;;
    thread) cxx=${CLANGXX:-clang++} flags+=(-O1 -fsanitize=thread -DEMU_TSAN=1) ;;
    *) echo "compile.sh: no build $build" >&2; return 1 ;;
  esac
  mkdir -p "$folder"
  for source in $machine; do
    own=()
    # the machine is no part of the program under test: only what it says of order counts
    [ "$build" != thread ] || own=(-fno-sanitize=thread)
    object=$folder/$source.o
    "$cxx" "${flags[@]}" "${own[@]}" -c "$room/$source.cpp" -o "$object"
    objects+=("$object")
  done
  for source in "$@"; do
    object=$folder/$(basename "$source").o
    "$cxx" "${flags[@]}" -x c++ -c "$room/$source" -o "$object"
    objects+=("$object")
  done
  "$cxx" "${flags[@]}" "${objects[@]}" -o "$folder/$program"
}
