# What the tests of the program share: source it with PROGRAM and FIXTURES as $1 and $2. Works in a new folder.
set -uo pipefail
# nohup makes all children deaf to hang-ups, also those that a test hangs up: begun anew without
if grep -qE '^SigIgn:.*[13579bdf]$' /proc/self/status 2>/dev/null; then exec env --default-signal=HUP "$0" "$@"; fi
. "$(dirname "${BASH_SOURCE[0]}")/../harness/wait_for.sh"
program=$1 fixtures=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0
note() { failed=$((failed + 1)); echo "FAIL $1"; sed 's/^/     /' err | head -5; }
# ok NAME ARGUMENTS...: exit 0
ok() {
  local name=$1; shift
  if "$program" "$@" >out 2>err; then passed=$((passed + 1)); else note "$name: exit $?"; fi
}
# bad NAME CODE PATTERN ARGUMENTS...: that exit code, one line on stderr that matches (a usage error adds two)
bad() {
  local name=$1 code=$2 pattern=$3; shift 3
  "$program" "$@" >out 2>err
  local got=$? lines
  lines=$(grep -c '^chladni: ' err)
  if [ $got != "$code" ]; then note "$name: exit $got, not $code"
  elif ! grep -qE -e "$pattern" err; then note "$name: does not say /$pattern/"
  elif [ "$lines" != 1 ]; then note "$name: $lines lines of error"
  else passed=$((passed + 1)); fi
}
is() { # is NAME COMMAND...: a check of ours
  local name=$1; shift
  if "$@" >/dev/null 2>&1; then passed=$((passed + 1)); else note "$name"; fi
}
same() { cmp -s "$1" "$2"; }
differ() { ! cmp -s "$1" "$2"; }
has() { grep -qF "$1" "$2"; }

# models [KIND...]: a small model of each kind, and merges.txt: as many merges as the random CLIP has tokens for, the fixture's, then of
# characters that no text here has
models() {
  for kind in ${*:-generator clip audio face}; do ok "random $kind" weights random --kind $kind --out $kind.safetensors; done
  { cat "$fixtures/text/merges.txt"; LC_ALL=C awk 'BEGIN {
      for (c = 161; c < 324; c++) if (c != 173 && c != 288) s[n++] = sprintf("%c%c", 192 + int(c / 64), 128 + c % 64)
      for (e = 0; e < 2; e++) for (i = 0; i < n; i++) for (k = 0; k < n; k++) print s[i] " " s[k] (e ? "</w>" : "") }'; } |
    head -n 48895 >merges.txt
}
g="--generator generator.safetensors" models="$g --clip clip.safetensors --audio audio.safetensors"
rain=$fixtures/sound/rain.wav vocab="--vocab merges.txt"
# the last command of a test: nothing may be left behind, every check must have held
finish() {
  is "no temporary file is left" test -z "$(find . -name '*.tmp' -o -name '*.part' -o -name '*~')"
  echo "$passed passed, $failed failed"
  [ $failed = 0 ]
}
