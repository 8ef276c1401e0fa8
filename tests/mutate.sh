#!/usr/bin/env bash
# Does a broken op make the op tests fail? Breaks one line at a time as tests/mutations.txt lists,
# links test_ops with the broken object in place of the good one, and expects its family to fail:
# a wrong value, a crash, or a hang. The source tree and the build folder are not touched.
#
#     tests/mutate.sh BUILD [PATTERN]         only the lines of mutations.txt that match PATTERN
#     tests/mutate.sh --emu BUILD [PATTERN]   CUDA bodies, by mutations-emu.txt and test_ops_emu in all
#                                             orders: a line is caught in float or in bf16
#     tests/mutate.sh --fusion BUILD [PATTERN]  calls as one, by mutations-fusion.txt and emu_fusion
#
# Prints what survived and "N of N caught", and how many of them only by the time limit; exits with 1 when
# something survived, when a line no longer fits its source or does not compile, or when a row of the op
# table has no mutation.
set -euo pipefail
emu= fusion= list=tests/mutations.txt program=tests/test_ops target=test_ops folder=kernels/
if [ "${1:-}" = --emu ]; then
  emu=1 list=tests/mutations-emu.txt program=tests/emu/test_ops_emu target=test_ops_emu folder=kernels/cuda/
  shift
elif [ "${1:-}" = --fusion ]; then
  fusion=1 list=tests/mutations-fusion.txt program=tests/emu/emu_fusion target=emu_fusion
  shift
fi
build=$(cd "${1:?usage: tests/mutate.sh [--emu | --fusion] BUILD [PATTERN]}" && pwd)
pattern=${2:-.}
cd "$(dirname "$0")/.."
root=$PWD jobs=$(nproc) limit=${LIMIT:-120} # seconds, by the clock: more on a busy machine, or what is slow counts as caught
export OMP_NUM_THREADS=1 # which nproc would take for the number of processors
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/verdict"
ulimit -c 0

grep -v '^#' "$list" | grep -e "$pattern" >"$scratch/list" || { echo "no such mutation"; exit 1; }
for row in $(sed -n 's/^CHL_OP(\([a-z0-9_]*\),.*/\1/p' kernels/op_table.h); do
  [ -z "$fusion" ] || break
  [ -z "$emu" ] || ! grep -qx "$row" kernels/cuda/PENDING || continue
  grep -q "^$row	[^	]*	$folder" "$list" || { echo "no mutation of the op $row"; exit 1; }
done

cmake --build "$build" --target $target >/dev/null
passes() { # passes PROGRAM FAMILY: 124 when it took too long
  if [ -n "$fusion" ]; then EMU_FILL=${2/,/ } timeout "$limit" "$1"; return; fi
  if [ -z "$emu" ]; then timeout "$limit" "$@" --first; return; fi
  local fill=${2#"${2%@*}"} # FAMILY@A,B: with EMU_FILL="A B", for tensor cores
  local -a run=(env ${fill:+"EMU_FILL=$(tr '@,' '  ' <<<"$fill")"} timeout "$limit" "$1" "${2%@*}" "${@:3}"
    --first --pending kernels/cuda/PENDING)
  { [ -n "$fill" ] || "${run[@]}"; } && "${run[@]}" --bf16
}
# In one order first: all orders, for what only they show, take six times as long.
passes_in_all_orders() { passes "$@" && { [ -z "$emu" ] || passes "$@" --ways; }; }
families=$(cut -f 2 "$scratch/list" | sort -u)
for family in $families; do
  passes "$build/$program" "$family" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; echo "$target $family fails before anything is broken"; exit 1; }
done
link=$(ninja -C "$build" -t commands "$program" | tail -n 1)

compile_command() { # compile_command FILE: what CMake noted, without the compiler cache
  sed -n '/"command"/h; \|"file": "'"$root/$1"'"|{g;p;q}' "$build/compile_commands.json" |
    sed 's/^ *"command": "//; s/",$//; s/\\\(.\)/\1/g; s/^[^ ]*ccache //'
}
users_of() { # users_of FILE: the sources that a mutation of FILE changes
  local name=${1##*/} header
  case $name in
    *.cuh | *.h)
      grep -l "#include \"$name\"" "${1%/*}"/*.cu || true
      for header in $(grep -l "#include \"$name\"" "${1%/*}"/*.cuh); do users_of "$header"; done ;;
    *) echo "$1" ;;
  esac
}
# rebuild FILE WORK: WORK/FILE's objects and WORK/program with them. A broken CPU body comes before
# the library, whose own member is then not taken; a CUDA body's object is in the command by name.
rebuild() {
  local file=$1 work=$2 source command object=$2/broken.o new=$link
  for source in $(users_of "$file" | sort -u); do
    command=$(compile_command "$source")
    [ -n "$command" ] || { echo "error: nothing compiles $source"; return 1; }
    if [[ $file == kernels/cuda/* ]]; then
      object=$work/${source##*/}.o
      new=${new/ ${source/#kernels/tests/emu/CMakeFiles/emu_backend.dir/__/__/kernels}.o / $object }
    else
      new=${new/ -o $program / -o $program $object }
    fi
    (cd "$build" && eval "${command%% -o *} -O1 -w -iquote $root/${file%/*} -o $object -c $work/${source##*/}") || return 1
  done
  new=${new/ -o $program / -o $work/program }
  [[ $new == *"$work/"*.o* ]] || { echo "error: no object of $file is linked"; return 1; }
  (cd "$build" && eval "$new")
}

# try NUMBER OP FAMILY FILE FROM TO: leaves "caught", "slow", "survived" or "broken" in verdict/NUMBER.
try() {
  local number=$1 op=$2 family=$3 file=$4 from=$5 to=$6 text after status=0
  local verdict=$scratch/verdict/$number work=$scratch/$number
  text=$(<"$file")
  after=${text#*"$from"}
  if [[ -z $from || $after == "$text" || $after == *"$from"* ]]; then
    echo "broken $op: \"$from\" is not in $file exactly once" >"$verdict"
    return
  fi
  mkdir "$work"
  [[ $file != kernels/cuda/* ]] || cp kernels/cuda/*.cu kernels/cuda/*.cuh kernels/cuda/*.h "$work" # a broken header is found beside its users
  printf '%s\n' "${text/"$from"/"$to"}" >"$work/${file##*/}"
  if ! rebuild "$file" "$work" >"$work/log" 2>&1; then
    echo "broken $op: $file with \"$to\" does not compile: $(grep -m 1 error "$work/log")" >"$verdict"
  else
    { passes_in_all_orders "$work/program" "$family" >"$work/log" 2>&1; } 2>/dev/null || status=$?
    case $status in
      0) text=survived ;;
      124) text=slow ;;
      *) text=caught ;;
    esac
    echo "$text $op: $file: \"$from\" -> \"$to\"" >"$verdict"
  fi
  rm -rf "$work"
}

number=0
while IFS=$'\t' read -r op family file from to; do
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
  number=$((number + 1))
  try "$number" "$op" "$family" "$file" "$from" "$to" &
done <"$scratch/list"
wait

cat "$scratch"/verdict/* | grep -v '^caught' || true
slow=$(cat "$scratch"/verdict/* | grep -c '^slow' || true)
caught=$(($(cat "$scratch"/verdict/* | grep -c '^caught' || true) + slow))
echo "$caught of $number caught, $slow of them by the time limit"
((caught == number))
