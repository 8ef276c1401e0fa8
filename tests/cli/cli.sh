#!/usr/bin/env bash
# The program as a person uses it: what works, and what every kind of bad input says and returns.
#   cli.sh PROGRAM FIXTURES
set -uo pipefail
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
  elif ! grep -qE "$pattern" err; then note "$name: does not say /$pattern/"
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

for kind in generator clip audio face; do ok "random $kind" weights random --kind $kind --out $kind.safetensors; done
g="--generator generator.safetensors" models="$g --clip clip.safetensors --audio audio.safetensors"
rain=$fixtures/sound/rain.wav

# --- help, version
ok "help" --help
ok "version" --version
for command in edit generate embed mel weights info; do ok "$command --help" $command --help; done
bad "no command" 2 "no command \"fly\"" fly
"$program" >out 2>err; is "nothing at all is a usage error" test $? = 2

# --- generate
ok "one seed" generate $g --seeds 7 --out seven.png
ok "three seeds" generate $g --seeds 1,3-4 --out several.png
is "a picture each" test -s several-0000.png -a -s several-0002.png
ok "array" generate $g --seeds 7 --out seven.npy
ok "same seed, same bytes" generate $g --seeds 7 --out again.png
is "deterministic" same seven.png again.png
ok "underscores and equals signs" generate --generator=generator.safetensors --seeds=7 --truncation=0.7 --out=again2.png
is "same again" same seven.png again2.png
bad "reversed seeds" 2 "seeds 9-0" generate $g --seeds 9-0 --out x.png
bad "no seeds" 2 "give one of --seeds, --latent" generate $g --out x.png
bad "odd ending" 2 "should end in" generate $g --seeds 1 --out x.jpg
bad "no generator" 2 "generator is missing" generate --seeds 1 --out x.png
bad "generator that is none" 1 "clip.safetensors" generate --generator clip.safetensors --seeds 1 --out x.png
bad "absent file" 1 "nowhere.pt" generate --generator nowhere.pt --seeds 1 --out x.png
bad "a folder" 1 "$work" generate --generator "$work" --seeds 1 --out x.png
: > empty; bad "empty weights" 1 "empty" generate --generator empty --seeds 1 --out x.png
head -c 5000 generator.safetensors > cut.safetensors
bad "truncated weights" 1 "cut.safetensors" generate --generator cut.safetensors --seeds 1 --out x.png
bad "unwritable" 1 "no/such/folder" generate $g --seeds 1 --out no/such/folder/x.png

# --- edit
ok "edit by sound" edit $models --seed 7 --sound "$rain" --steps 4 --out a.png --latent-out a.npy --json
is "json names the file" has '"out":"a.png"' out
cp out report
ok "edit again" edit $models --seed 7 --sound "$rain" --steps 4 --out b.png --json
is "same bytes" same a.png b.png
is "it changed the picture" differ a.png seven.png
ok "its latent gives its picture" generate $g --latent a.npy --out from-latent.png
is "as edited" same a.png from-latent.png
ok "edit a latent" edit $models --latent a.npy --sound "$rain" --steps 2 --out c.png
ok "snapshots" edit $models --seed 7 --sound "$rain" --steps 4 --every 2 --out s.png
is "two of them" test -s s-000002.png -a -s s-000004.png
ok "a user's picture" edit $models --image seven.png --invert-steps 3 --sound "$rain" --steps 2 --out d.png
ok "with a face" edit $models --face face.safetensors --seed 7 --sound "$rain" --steps 2 --out e.png --json
for form in hinge directional; do
  ok "$form" edit $models --seed 7 --sound "$rain" --steps 2 --similarity $form --out f.png
done
ok "peers' spelling" edit --ckpt generator.safetensors --clip clip.safetensors --audio audio.safetensors --seed 7 \
   --audio_path "$rain" --step 2 --lambda_similarity 0.002 --out p.png
ok "dry run" edit $models --seed 7 --sound "$rain" --dry-run
is "tells FLOPs" has GFLOP out
vocab="--vocab $fixtures/text/merges.txt"
ok "by text" edit $models $vocab --seed 7 --text "heavy rain" --steps 2 --out t.png
ok "from a neutral text" edit $models $vocab --seed 7 --text rain --neutral "a photo" --similarity directional --steps 2 --out u.png
ok "embed texts in order" embed --clip clip.safetensors $vocab --text rain --text "heavy rain" --out t.npy --json
is "both of them" has '"count":2' out
bad "text that is not UTF-8" 1 "UTF-8" embed --clip clip.safetensors $vocab --text "$(printf '\377')" --out x.npy
bad "merges that are none" 1 "seven.png" embed --clip clip.safetensors --vocab seven.png --text rain --out x.npy
bad "no source" 2 "give one of --image, --seed, --latent" edit $models --sound "$rain" --out x.png
bad "two sources" 2 "give one of" edit $models --seed 1 --latent a.npy --sound "$rain" --out x.png
bad "no target" 2 "give one of --sound, --text" edit $models --seed 1 --out x.png
bad "text without vocab" 2 "vocab" edit $models --seed 1 --text rain --out x.png
bad "not a number" 2 "steps ten: should be a whole number" edit $models --seed 1 --sound "$rain" --steps ten --out x.png
bad "not a choice" 2 "cosine\|hinge\|directional" edit $models --seed 1 --sound "$rain" --similarity l2 --out x.png
bad "unknown flag" 2 "unknown flag --sped" edit $models --sped 3
bad "flag without value" 2 "out needs" edit $models --out
bad "no steps" 1 "0 steps" edit $models --seed 1 --sound "$rain" --steps 0 --out x.png
bad "infinite rate" 2 "lr inf" edit $models --seed 1 --sound "$rain" --lr inf --out x.png
bad "identity without face" 1 "needs --face" edit $models --seed 1 --sound "$rain" --lambda-identity 1 --out x.png
bad "wrong latent" 1 "seven.npy" edit $models --latent seven.npy --sound "$rain" --out x.png
bad "latent that is none" 1 "seven.png" edit $models --latent seven.png --sound "$rain" --out x.png
bad "encoders that do not fit" 1 "" edit $g --clip face.safetensors --audio audio.safetensors --seed 1 --sound "$rain" --out x.png
bad "no gpu" 1 "device cuda" edit $models --device cuda --seed 1 --sound "$rain" --out x.png

# --- sounds of every kind of badness
: > zero.wav; bad "0 bytes" 1 "zero.wav" embed --audio audio.safetensors --sound zero.wav --out x.npy
echo "not a sound" > text.wav; bad "a text" 1 "text.wav" embed --audio audio.safetensors --sound text.wav --out x.npy
head -c 44 "$rain" > header.wav; bad "header only" 1 "header.wav" embed --audio audio.safetensors --sound header.wav --out x.npy
bad "a picture" 1 "seven.png" embed --audio audio.safetensors --sound seven.png --out x.npy
bad "absent sound" 1 "nowhere.wav" edit $models --seed 1 --sound nowhere.wav --out x.png

# --- interrupted: what was reached is kept
"$program" edit $models --seed 7 --sound "$rain" --steps 100000 --out i.png --latent-out i.npy >out 2>err & pid=$!
for _ in $(seq 200); do grep -q "step" err && break; sleep 0.1; done
kill -INT $pid; wait $pid
is "ctrl-C exits 130" test $? = 130
is "and keeps the picture" test -s i.png -a -s i.npy

# --- embed, mel, weights, info
ok "embed" embed --clip clip.safetensors --audio audio.safetensors --sound "$rain" --image a.png --out e.npy --json
is "two rows" has '"count":2' out
ok "embed an array" embed --clip clip.safetensors --image seven.npy --out e2.npy
ok "embed a face" embed --face face.safetensors --image a.png --out e3.npy
bad "nothing to embed" 2 "give --sound" embed --clip clip.safetensors --out x.npy
bad "image without model" 2 "needs one of" embed --image a.png --audio audio.safetensors --out x.npy
ok "mel" mel --sound "$rain" --out m.npy
ok "mel as a picture" mel --sound "$rain" --mode compatible --out m.png
bad "mel without an end" 2 "ends in" mel --sound "$rain" --out m
ok "inspect" weights inspect audio.safetensors
is "names are listed" has patch_embed.proj.weight out
ok "convert" weights convert generator.safetensors --out g2.safetensors
ok "the converted one works" generate --generator g2.safetensors --seeds 7 --out again3.png
is "equally" same seven.png again3.png
bad "weights of what" 2 "say what to do" weights inspect
ok "info" info --json
is "info is json" has '"version"' out
is "nothing was left behind" test -z "$(ls -A | grep -E '\.(tmp|part)|~$')"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
