#!/usr/bin/env bash
# No text of the library names a command-line flag: it speaks of fields, and tools/error.c has the flags.
#   no_flags.sh SOURCE
set -uo pipefail
found=$(grep -rnE '"[^"]*--[a-z]' "$1/host" --include=*.[ch] --include=*.cu --include=*.cuh | grep -v '^[^:]*:[0-9]*: *\(/\?\*\|//\)')
[ -z "$found" ] && exit 0
echo "texts with flags:"
echo "$found"
exit 1
