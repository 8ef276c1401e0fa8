#!/usr/bin/env bash
# Runs one command under compute-sanitizer's memcheck and racecheck, for tools/gpu-check.sh.
#
#     tools/gpu-sanitize.sh SANITIZER FOLDER NAME COMMAND...      logs: FOLDER/memcheck-NAME.log, FOLDER/racecheck-NAME.log
#
# Fails where the command itself fails or memcheck reports an error. What racecheck reports is recorded, NAME in FOLDER/races, and does not
# fail: it has blamed correct kernels for wgmma and tensor-map loads, whose order it does not see.
set -euo pipefail
[ $# -ge 4 ] || { echo "usage: tools/gpu-sanitize.sh SANITIZER FOLDER NAME COMMAND..." >&2; exit 2; }
sanitizer=$1 folder=$2 name=$3 REPORTED=9
shift 3
for tool in memcheck racecheck; do
  log=$folder/$tool-$name.log code=0
  "$sanitizer" --tool $tool --error-exitcode $REPORTED "$@" >"$log" 2>&1 || code=$?
  if [ $code = $REPORTED ] && [ $tool = racecheck ]; then
    echo "racecheck reports on $name: $(grep -E 'RACECHECK SUMMARY|hazard' "$log" | tail -n 1) ($log)"
    echo "$name" >>"$folder/races"
  elif [ $code != 0 ]; then
    tail -n 40 "$log"
    echo "$tool, $name: exit code $code ($log)" >&2
    exit 1
  fi
done
