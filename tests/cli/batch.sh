#!/usr/bin/env bash
# A batch of edits: results are written as they are finished, a killed one continues, memory is foretold.
#   batch.sh PROGRAM FIXTURES
. "$(dirname "$0")/common.sh"
models
batch="edit $models --seed 1-3 --sound $rain --steps 20 --batch 1 --strip-steps 1"

ok "uninterrupted" $batch --out whole --latent-out whole.npy --strip whole.png --json
cp out whole.json
is "leaves its pictures only" test "$(ls -A whole | wc -l)" = 3
# the third edit is killed; the strip, which is drawn last, cannot be there
"$program" $batch --out parts --latent-out parts.npy --strip parts.png >out 2>err & pid=$!
wait_for $pid test -s parts/seed2-rain.png
kill -KILL $pid; wait $pid 2>/dev/null
is "killed: what was finished is there" test -s parts/seed1-rain.png -a ! -e parts.png
other=$("$program" $batch --steps 2 --out parts 2>&1 >/dev/null)
is "another command does not continue it" test "${other#*finished before}" = "$other" -a -n "$(ls -d parts/unfinished-*)"
ok "the same command" $batch --out parts --latent-out parts.npy --strip parts.png
is "continues" has "edits 1-1 of 3 were finished before" err
for file in .npy .png /seed1-rain.png /seed2-rain.png /seed3-rain.png; do
  is "and gives the same bytes: $file" same whole$file parts$file
done
is "and leaves its pictures only" test "$(ls -A parts | wc -l)" = 3
ok "a finished one" $batch --out parts --json
is "begins anew" test "$(grep -c before err)" = 0

# stopped by SIGTERM in the second edit: pictures so far, then the rest
: >err; "$program" edit $models --seed 1,2 --sound "$rain" --steps 100000 --batch 1 --sheet none.png --mode absolute --sheet-levels 0 >out 2>err & pid=$!
wait_for $pid grep -q step err
kill -TERM $pid; wait $pid
is "told to leave it exits with 143" test $? = 143
is "and nothing is left but its sheet" test -s none.png -a -z "$(ls -d none.png.* 2>/dev/null)"

# memory: planned bytes are proportional to the batch, and the peak follows the plan
planned() { "$program" edit $models --seed 1-12 --sound "$rain" --dry-run --json --batch "$1" | grep -o '"activation_bytes":[0-9]*' | cut -d: -f2; }
peak() { "$program" edit $models --seed "1-$1" --sound "$rain" --steps 1 --batch "$1" --out "$2" 2>err >&2 & local pid=$! high=0 now
  while now=$(awk '/VmHWM/ {print $2}' /proc/$pid/status 2>/dev/null) && [ -n "$now" ]; do high=$now; sleep 0.02; done
  wait $pid; echo $((high * 1024)); }
plan1=$(planned 1) plan12=$(planned 12)
is "a batch of 12 is planned as about 12 edits" test "$plan12" -gt $((plan1 * 10)) -a "$plan12" -lt $((plan1 * 13))
if ! grep -qa __asan_init "$program"; then # its memory is a sanitizer's
  rise=$(($(peak 12 p) - $(peak 1 p.png))) plan=$((plan12 - plan1))
  echo "peak memory from 1 to 12 edits rises by $((rise >> 20)) MiB, planned $((plan >> 20))"
  is "the peak is within a tenth of the plan" test $((rise * 10)) -gt $((plan * 9)) -a $((rise * 10)) -lt $((plan * 11))
fi
ok "no more at once than there are" edit $models --seed 1-3 --sound "$rain" --dry-run --batch 100
is "says how many" has "3 edits at once" out

# --- a world and a training that are cut short
if "$program" world --sound rain --seconds 1 --out w.wav 2>err; then
  ok "a world" world --out world --count 9 --size 32 --seconds 1
  rm -r world/sounds/00003.wav world/pairs.jsonl # as a kill leaves it
  : > world/pictures/00004.png.0123456789abcdef.tmp
  : > world/unfinished
  ok "one that was cut short is begun anew" world --out world --count 5 --size 32 --seconds 1
  is "and nothing of the first is left" test "$(ls -A world | tr '\n' ' ')" = "attributes.npy latents.npy pairs.jsonl pictures sounds textures.npy "
  is "nor of its samples" test "$(ls -A world/pictures | wc -l)" = 5 -a "$(ls -A world/sounds | wc -l)" = 5
  bad "a finished one is kept" 1 "set --force" world --out world --count 3 --size 32 --seconds 1
  : > world/pictures/mine.png
  ok "or replaced as a whole" world --out world --count 3 --size 32 --no-sounds --force
  is "but for what is not its own" test "$(ls -A world/pictures | tr '\n' ' ')" = "00000.png 00001.png 00002.png mine.png " -a ! -e world/sounds
  mkdir -p other/pictures; : > other/pictures/00007.png
  ok "into a folder of others" world --out other --count 2 --size 32 --no-sounds --force
  is "whose files stay" test -e other/pictures/00007.png
  ok "a world to train on" world --out data --split test --count 10 --size 32 --seconds 1
  train="train judge --data data --sizes side=32,widths=8-8 --batch 4 --save-every 2 --steps 1000000"
  "$program" $train --out hup >out 2>err & pid=$!
  wait_for $pid test -s hup/stats.jsonl
  kill -HUP $pid; wait $pid
  is "a hang-up saves a training and exits with 75" test $? = 75 -a -s hup/checkpoint.safetensors
  code=$({ "$program" $train --out pipe; echo $? >&3; } 3>&1 2> >(:) >out)
  is "so does a closed pipe of messages" test "$code" = 75 -a -s pipe/checkpoint.safetensors
fi
finish
