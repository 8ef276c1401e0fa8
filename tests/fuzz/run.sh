#!/usr/bin/env bash
# Runs every fuzz target from its committed corpus and prints what it executed.
#   tests/fuzz/run.sh BUILD [seconds each]
set -euo pipefail
build=$1 seconds=${2:-30} here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
one() { # one NAME: findings go to a scratch copy, the committed corpus stays as it is
  local name=$1 options=()
  mkdir -p "$work/$name"
  [ -f "$here/$name.dict" ] && options+=(-dict="$here/$name.dict")
  if ! "$build/tests/fuzz/fuzz_$name" "$work/$name" "$here/corpus/$name" -max_total_time="$seconds" -timeout=20 \
      -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$work/$name-" "${options[@]}" >"$work/$name.log" 2>&1; then
    tail -60 "$work/$name.log"
    echo "fuzz: $name FAILED; the input, in base64:"
    base64 "$work/$name"-* 2>/dev/null | head -40
    return 1
  fi
  echo "fuzz: $name $(awk '/number_of_executed_units/ {print $2}' "$work/$name.log") executions in $seconds s"
}
failed=0 running=0
for program in "$here"/fuzz_*.c; do
  name=$(basename "$program" .c); name=${name#fuzz_}
  one "$name" & pids+=($!)
  running=$((running + 1))
  if [ $running = "$(nproc)" ]; then
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    pids=() running=0
  fi
done
for pid in "${pids[@]:-}"; do [ -z "$pid" ] || wait "$pid" || failed=1; done
exit $failed
