#!/usr/bin/env bash
# Does a broken op make the op tests fail? Breaks one line at a time as tests/mutations.txt lists,
# links test_ops with the broken object in place of the good one, and expects its family to fail:
# a wrong value, a crash, or a hang. The source tree and the build folder are not touched.
#
#     tests/mutate.sh BUILD [PATTERN]     only the lines of mutations.txt that match PATTERN
#
# Prints what survived and "N of N caught"; exits with 1 when something survived, when a line no
# longer fits its source or does not compile, or when a row of the op table has no mutation.
set -euo pipefail
build=$(cd "${1:?usage: tests/mutate.sh BUILD [PATTERN]}" && pwd)
pattern=${2:-.}
cd "$(dirname "$0")/.."
root=$PWD limit=120 # seconds; the slowest family takes 4
export OMP_NUM_THREADS=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/verdict"

grep -v '^#' tests/mutations.txt | grep -e "$pattern" >"$scratch/list" || { echo "no such mutation"; exit 1; }
for row in $(sed -n 's/^CHL_OP(\([a-z0-9_]*\),.*/\1/p' kernels/op_table.h); do
  grep -q "^$row	[^	]*	kernels/" tests/mutations.txt || { echo "no mutation of the op $row"; exit 1; }
done

cmake --build "$build" --target test_ops >/dev/null
"$build/tests/test_ops" >/dev/null || { echo "test_ops fails before anything is broken"; exit 1; }
link=$(ninja -C "$build" -t commands tests/test_ops | tail -n 1)

compile_command() { # compile_command FILE: what CMake noted, without the compiler cache
  sed -n '/"command"/h; \|"file": "'"$root/$1"'"|{g;p;q}' "$build/compile_commands.json" |
    sed 's/^ *"command": "//; s/",$//; s/\\\(.\)/\1/g; s/^[^ ]*ccache //'
}

# try NUMBER OP FAMILY FILE FROM TO: leaves "caught", "survived" or "broken" in verdict/NUMBER. The
# broken object comes before the library, whose own member is then not taken.
try() {
  local number=$1 op=$2 family=$3 file=$4 from=$5 to=$6 text after command
  local verdict=$scratch/verdict/$number work=$scratch/$number
  text=$(<"$file")
  after=${text#*"$from"}
  if [[ -z $from || $after == "$text" || $after == *"$from"* ]]; then
    echo "broken $op: \"$from\" is not in $file exactly once" >"$verdict"
    return
  fi
  mkdir "$work"
  printf '%s\n' "${text/"$from"/"$to"}" >"$work/${file##*/}"
  command=$(compile_command "$file")
  command=${command%% -o *}
  if ! (cd "$build" && eval "$command -O1 -w -iquote $root/${file%/*} -o $work/broken.o -c $work/${file##*/}" &&
        eval "${link/ -o tests\/test_ops / -o $work/test_ops $work/broken.o }") >"$work/log" 2>&1; then
    echo "broken $op: $file with \"$to\" does not compile: $(grep -m 1 error "$work/log")" >"$verdict"
  elif { timeout "$limit" "$work/test_ops" "$family" >"$work/log" 2>&1; } 2>/dev/null; then
    echo "survived $op: $file: \"$from\" -> \"$to\"" >"$verdict"
  else
    echo "caught $op: $file: \"$from\" -> \"$to\"" >"$verdict"
  fi
  rm -rf "$work"
}

number=0
while IFS=$'\t' read -r op family file from to; do
  while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || true; done
  number=$((number + 1))
  try "$number" "$op" "$family" "$file" "$from" "$to" &
done <"$scratch/list"
wait

cat "$scratch"/verdict/* | grep -v '^caught' || true
caught=$(cat "$scratch"/verdict/* | grep -c '^caught' || true)
echo "$caught of $number caught"
((caught == number))
