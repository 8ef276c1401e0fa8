#!/usr/bin/env bash
# tools/gpu-sanitize.sh records what racecheck reports and goes on; memcheck's reports and a failing command end it. The sanitizer is a script here.
set -euo pipefail
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/gpu-sanitize.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/sanitizer" <<'END'
#!/bin/sh
tool=$2; shift 4
"$@" || exit $?
[ "$tool" != "$BAD" ] || { echo "========= RACECHECK SUMMARY: 3 hazards"; exit 9; }
END
chmod +x "$folder/sanitizer"
sanitize() { bash "$tool" "$folder/sanitizer" "$folder" "$@" >"$folder/said" 2>&1; }
wrong() { cat "$folder/said"; echo "gpu-sanitize: $*"; exit 1; }
BAD=none sanitize clean true || wrong "a clean command fails"
[ ! -e "$folder/races" ] || wrong "a clean command is recorded"
BAD=racecheck sanitize ops true || wrong "racecheck's report fails"
[ "$(cat "$folder/races")" = ops ] && grep -q "racecheck reports on ops: .*3 hazards" "$folder/said" || wrong "racecheck's report is not recorded"
! BAD=memcheck sanitize ops true || wrong "memcheck's report passes"
grep -q "memcheck, ops: exit code 9" "$folder/said" || wrong "memcheck's report is not named"
! BAD=none sanitize ops false || wrong "a failing command passes"
