#!/usr/bin/env bash
# The program as a person uses it: what works, and what every kind of bad input says and returns.
#   cli.sh PROGRAM FIXTURES
. "$(dirname "$0")/common.sh"
models

# --- help, version
ok "help" --help
ok "version" --version
for command in align edit generate embed mel weights info world train eval; do ok "$command --help" $command --help; done
bad "no command" 2 "unknown command \"fly\"" fly
"$program" >out 2>err; is "nothing at all is a usage error" test $? = 2

# --- threads wait briefly, unless the environment says how (GCC's libgomp tells what it was given)
spins() { env "$@" OMP_DISPLAY_ENV=verbose "$program" info 2>&1 | sed -n "s/.*GOMP_SPINCOUNT = '\(.*\)'/\1/p" | tail -n 1; }
if [ -n "$(spins OMP_WAIT_POLICY=passive)" ]; then
  is "a brief wait" test "$(spins -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT)" = 1000
  is "no wait, as asked" test "$(spins OMP_WAIT_POLICY=passive)" = 0
  is "another wait, as asked" test "$(spins -u OMP_WAIT_POLICY GOMP_SPINCOUNT=77)" = 77
fi

# --- generate
ok "one seed" generate $g --seeds 7 --out seven.png
ok "three seeds" generate $g --seeds 1,3-4 --out several.png
is "a picture each" test -s several-0000.png -a -s several-0002.png
ok "array" generate $g --seeds 7 --out seven.npy
ok "same seed, same bytes" generate $g --seeds 7 --out again.png
is "deterministic" same seven.png again.png
ok "underscores and equals signs" generate --generator=generator.safetensors --seeds=7 --truncation=0.7 --out=again2.png
is "same again" same seven.png again2.png
bad "reversed seeds" 2 "got 9-0" generate $g --seeds 9-0 --out x.png
bad "no seeds" 2 "give one of --seeds, --latent" generate $g --out x.png
bad "odd ending" 2 "must end in" generate $g --seeds 1 --out x.jpg
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
ok "a user's picture" edit $models --image seven.png --invert-steps 3 --sound "$rain" --steps 2 --out d.png --embed-recipe
ok "with a face" edit $models --face face.safetensors --seed 7 --sound "$rain" --steps 2 --out e.png --json
ok "an encoder for inversion" weights random --kind encoder --out encoder.safetensors
ok "a user's picture by an encoder" edit $models --image seven.png --encoder encoder.safetensors --sound "$rain" --steps 2 --out coded.png --embed-recipe
is "another than by optimisation" differ coded.png d.png
is "the recipe names the encoder" has '"encoder"' coded.json
ok "the recipe again" replay coded.png --out coded-again.png
is "is the same picture" has ": equal, all" err
ok "by both" edit $models --image seven.png --encoder encoder.safetensors --invert-steps 3 --sound "$rain" --steps 2 --out both.png
is "which is a third one" differ both.png coded.png
bad "an encoder of nothing" 2 "--encoder needs --image" edit $models --encoder encoder.safetensors --seed 7 --sound "$rain" --out x.png
mkdir alone; cp "$rain" alone/rain.wav
bad "a batch of seeds with one" 2 "grid, line 1: --encoder needs --image" batch $models --encoder encoder.safetensors --seeds 7 --sounds alone --out x
printf 'seed,sound,encoder\n7,%s,encoder.safetensors\n' "$rain" > coded.csv
bad "a row of a seed with one" 2 "line 2: --encoder needs --image" batch coded.csv $models --out x
bad "a video of a seed with one" 2 "--encoder needs --image" video "$rain" $models --encoder encoder.safetensors --seed 7 --out x.mp4
bad "an encoder for a recipe without" 2 "--encoder: the recipe of d.png has no encoder" replay d.png --encoder encoder.safetensors
bad "an encoder without a name" 2 "--encoder must be a file, got an empty name" edit $models --image seven.png --encoder "" --sound "$rain" --out x.png
bad "one for a replay" 2 "--encoder must be a file, got an empty name" replay coded.png --encoder ""
bad "a generator without a name" 2 "--generator must be a file, got an empty name" video "$rain" --generator "" --clip c --audio a --seed 7 --out x.mp4
bad "no step of an inversion" 2 "--invert-steps must be >= 1 without --encoder, got 0" edit $models --image seven.png --invert-steps 0 --sound "$rain" --out x.png
bad "none in a video" 2 "--invert-steps must be >= 1 without --encoder, got 0" video "$rain" $models --image seven.png --invert-steps 0 --out x.mp4
printf 'image,sound,invert-steps,encoder\nseven.png,%s,0,encoder.safetensors\nseven.png,%s,0,\n' "$rain" "$rain" > none.csv
bad "none in a row" 2 "line 3: --invert-steps must be >= 1 without --encoder, got 0" batch none.csv $models --out x
ok "none by an encoder" edit $models --image seven.png --encoder encoder.safetensors --invert-steps 0 --sound "$rain" --steps 2 --out coded0.png
is "is its code" same coded-again.png coded0.png
bad "a face encoder as one" 1 "holds an ArcFace encoder, where an encoder for inversion is expected" edit $models \
   --encoder face.safetensors --image seven.png --sound "$rain" --out x.png
for form in hinge directional; do
  ok "$form" edit $models --seed 7 --sound "$rain" --steps 2 --similarity $form --out f.png
done
ok "peers' spelling" edit --ckpt generator.safetensors --clip clip.safetensors --audio audio.safetensors --seed 7 \
   --audio_path "$rain" --step 2 --lambda_similarity 0.002 --out p.png
ok "dry run" edit $models --seed 7 --sound "$rain" --dry-run
is "tells FLOPs" has GFLOP out
ok "by text" edit $models $vocab --seed 7 --text "heavy rain" --steps 2 --out t.png
ok "from a neutral text" edit $models $vocab --seed 7 --text rain --neutral "a photo" --similarity directional --steps 2 --out u.png
ok "embed texts in order" embed --clip clip.safetensors $vocab --text rain --text "heavy rain" --out t.npy --json
is "both of them" has '"count":2' out
bad "text that is not UTF-8" 1 "UTF-8" embed --clip clip.safetensors $vocab --text "$(printf '\377')" --out x.npy
bad "a class of a generator without" 1 "has no classes.*do not set --class" generate --generator generator.safetensors --class 2 \
  --seeds 1 --out x.png
bad "a negative class" 2 "must be >= 0, got -1" generate --generator generator.safetensors --class -1 --seeds 1 --out x.png
bad "merges of another model" 1 "714 tokens, the text tower of clip.safetensors has 49408" embed --clip clip.safetensors \
  --vocab "$fixtures/text/merges.txt" --text rain --out x.npy
bad "merges that are none" 1 "seven.png" embed --clip clip.safetensors --vocab seven.png --text rain --out x.npy
both="--sound $rain --text rain $vocab"
bad "sound and text without a mix" 2 "together need --mix" edit $models --seed 7 $both --out x.png
ok "mixed" edit $models --seed 7 $both --mix linear:0.25 --steps 2 --strip mix.png --out mixed.png --json
is "tells both cosines" grep -q '"mixed":\[{.*"target":"text".*"target":"rain"' out
ok "all of the sound" edit $models --seed 7 $both --mix linear:0 --steps 2 --out mix0.png --batch 1
ok "all rows of the sound" edit $models --seed 7 $both --mix rows:12 --steps 2 --out mix12.png --batch 1
is "are the sound's edit" same mix0.png mix12.png
ok "the sound's edit" edit $models --seed 7 --sound "$rain" --steps 2 --out sound.png
is "indeed" same mix0.png sound.png
ok "half the rows" edit $models --seed 7 $both --mix rows --steps 2 --out mix6.png
is "are another" differ mix6.png sound.png
bad "a mix of more than all" 1 "amount of --mix must be in .0, 1., got 1.5" edit $models --seed 7 $both --mix linear:1.5 --steps 2 --out x.png
bad "more rows than there are" 1 "whole number in .0, 12.*got 13" edit $models --seed 7 $both --mix rows:13 --steps 2 --out x.png
bad "an unknown mix" 2 "linear:0.5, rows or rows:9" edit $models --seed 7 $both --mix half --out x.png
bad "a mix of one" 2 "mix needs" edit $models --seed 7 --sound "$rain" --mix rows --out x.png
size() { [ "$(head -c 24 "$1" | tail -c 8 | od -An -tx1 | tr -d ' \n')" = "$(printf %08x%08x "$2" "$3")" ]; }
is "strip of four" size mix.png 524 128
ok "strip" edit $models --seed 7 --sound "$rain" --steps 4 --strip strip.png --strip-steps 2
is "is four wide" size strip.png 524 128
bad "too long a strip" 2 "in .0, 100." edit $models --seed 7 --sound "$rain" --strip x.png --strip-steps 101
absolute="$models --mode absolute"
ok "sheet" edit $absolute --seed 7,8 --sound "$rain" --steps 2 --sheet sheet.png --json
is "has two rows of six" size sheet.png 788 260
is "tells levels" has '"gain_db":-24' out
ok "sheet and edit" edit $absolute --seed 7 --sound "$rain" --steps 2 --sheet two.png --sheet-levels -12,0 --batch 1 --out full.png
ok "the edit alone" edit $absolute --seed 7 --sound "$rain" --steps 2 --out alone.png
is "are the same" same full.png alone.png
bad "sheet in compatible mode" 1 "absolute mode" edit $models --seed 7 --sound "$rain" --steps 2 --sheet x.png
bad "levels that are none" 2 "sheet-levels" edit $absolute --seed 7 --sound "$rain" --sheet x.png --sheet-levels -12,loud
bad "an edit that no level is" 2 "are of 0 dB" edit $absolute --seed 7 --sound "$rain" --sheet x.png --sheet-levels -12 --out y.png
cp "$rain" drops.wav
ok "seeds by sounds" edit $models --seed 7,9 --sound "$rain" --sound drops.wav --steps 2 --batch 3 --out all --latent-out all.npy --strip all.png --json
is "a picture each" test -s all/seed7-rain.png -a -s all/seed7-drops.png -a -s all/seed9-rain.png -a -s all/seed9-drops.png
is "a line each" test "$(grep -o '"cosine"' out | wc -l)" = 4
is "a row each" size all.png 260 524
ok "a sheet of sounds" edit $models --seed 7,9 --sound "$rain" --sound drops.wav --steps 2 --batch 3 --sheet sounds.png --latent-out sheet.npy
is "two rows of three" size sounds.png 392 260
is "the same edits" same all.npy sheet.npy
bad "a sheet of a mix" 2 "exclude each other" edit $models --seed 7 $both --mix rows --sheet x.png
bad "sounds of one name" 2 "both be named rain" edit $models --seed 7 --sound "$rain" --sound "$rain" --out all
bad "a file where a folder should be" 1 "need a folder" edit $models --seed 7,9 --sound "$rain" --steps 1 --out a.png
bad "seeds that are none" 2 "--seed must be like 7" edit $models --seed -7 --sound "$rain" --out x.png
bad "snapshots at negative steps" 2 "--every must be >= 0, got -1" edit $models --seed 7 --sound "$rain" --every -1 --out s.png
bad "an inversion of negative steps" 2 "invert-steps must be >= 0, got -3" edit $models --image a.png --sound "$rain" --invert-steps -3 --out x.png
bad "the largest class" 2 "class must be >= 0, got 2147483647" generate $g --class 2147483647 --seeds 1 --out x.png
bad "snapshots of several" 2 "works for one edit" edit $models --seed 7,9 --sound "$rain" --every 2 --out all
ok "whitened, distances in variances" edit $models --seed 7 --sound "$rain" --steps 3 --space whitened --lambda-relative 0.2 --out white.png
ok "one step for all rows" edit $models --seed 7 --sound "$rain" --steps 3 --space shared --out shared.png
bad "a margin of no hinge" 2 "margin needs --similarity hinge" edit $models --seed 7 --sound "$rain" --margin 0.5 --out x.png
bad "a neutral text of no direction" 2 "neutral needs --similarity directional" edit $models $vocab --seed 7 --text rain --neutral "a photo" --out x.png
bad "a rate of equal weights" 2 "mask-rate and --fixed-mask exclude" edit $models --seed 7 --sound "$rain" --fixed-mask --mask-rate 0.1 --out x.png
bad "a rate of no weights" 2 "mask-rate and --space shared exclude" edit $models --seed 7 --sound "$rain" --space shared --mask-rate 0.1 --out x.png
bad "a loss of an added direction" 2 "without an optimisation: leave out --similarity" edit $models --seed 7 --direction d.npy --similarity hinge --out x.png
bad "a margin of judged edits without a hinge" 2 "margin needs --similarity hinge" eval edits --judge j --sources calm --sounds held --margin 2
bad "a mask that forgets" 1 "--mask-rate must be >= 0, got -1" edit $models --seed 7 --sound "$rain" --steps 1 --mask-rate -1 --out x.png
bad "two lambdas" 2 "exclude each other" edit $models --seed 7 --sound "$rain" --lambda-relative 1 --lambda-similarity 1 --out x.png
for flag in "--clip-gelu exact" "--clip-view compatible"; do
  ok "$flag" edit $models --seed 7 --sound "$rain" --steps 4 $flag --out other.png
  is "$flag makes a difference" differ other.png a.png
done
bad "no source" 2 "give one of --image, --seed, --latent" edit $models --sound "$rain" --out x.png
bad "two sources" 2 "give one of" edit $models --seed 1 --latent a.npy --sound "$rain" --out x.png
bad "no target" 2 "give one of --sound, --text" edit $models --seed 1 --out x.png
bad "text without vocab" 2 "vocab" edit $models --seed 1 --text rain --out x.png
bad "not a number" 2 "--steps must be a whole number, got ten" edit $models --seed 1 --sound "$rain" --steps ten --out x.png
bad "not a choice" 2 "cosine\|hinge\|directional" edit $models --seed 1 --sound "$rain" --similarity l2 --out x.png
bad "unknown flag" 2 "unknown flag --sped" edit $models --sped 3
bad "flag without value" 2 "out needs" edit $models --out
bad "no steps" 1 "--steps must be >= 1, got 0" edit $models --seed 1 --sound "$rain" --steps 0 --out x.png
bad "infinite rate" 2 "--lr must be a number, got inf" edit $models --seed 1 --sound "$rain" --lr inf --out x.png
bad "identity without face" 1 "needs --face" edit $models --seed 1 --sound "$rain" --lambda-identity 1 --out x.png
bad "wrong latent" 1 "seven.npy" edit $models --latent seven.npy --sound "$rain" --out x.png
bad "a latent of another shape" 1 "seven.npy: expected W. codes of 12 x [0-9]+, got an array of 1 x 3 x 128 x 128" \
  edit $models --latent seven.npy --sound "$rain" --out x.png
bad "latents of another shape" 1 "seven.npy: expected W. codes of 12 x [0-9]+, one or several, got an array of 1 x 3 x 128 x 128" \
  generate $g --latent seven.npy --out x.png
{ head -c 328 a.npy; printf '\0\0\300\177'; tail -c +333 a.npy; } > nan.npy
bad "a latent with NaN" 1 "nan.npy: number 50 of (1 x )?12 x [0-9]+ is not a number" generate $g --latent nan.npy --out x.png
bad "an edit of one" 1 "nan.npy: number 50" edit $models --latent nan.npy --sound "$rain" --steps 1 --out x.png
printf 'PK\005\006\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' > empty.npz
bad "an archive without arrays" 1 "empty.npz: is an empty archive, expected one with arrays .\.npz, \.pt" generate $g --latent empty.npz --out x.png
bad "a clamp that is none" 2 "conv-clamp must be > 0, 0 .*or -1 .none., got -5" generate $g --seeds 1 --conv-clamp -5 --out x.png
bad "a rate beyond all" 1 "set --lr lower" edit $models --seed 7 --sound "$rain" --steps 3 --lr 1e30 --out x.png
bad "a model that generate does not use" 2 "unknown flag --clip" generate $g --clip clip.safetensors --seeds 1 --out x.png
bad "a model that embed does not use" 2 "unknown flag --generator" embed $models --sound "$rain" --out x.npy
bad "a class of a judged generator without" 1 "has no classes.*do not set --class" eval edits $models --class 2 --judge j \
  --sources s --sounds s
bad "latent that is none" 1 "seven.png" edit $models --latent seven.png --sound "$rain" --out x.png
bad "encoders that do not fit" 1 "" edit $g --clip face.safetensors --audio audio.safetensors --seed 1 --sound "$rain" --out x.png
bad "bf16 on the CPU" 1 "device cpu computes in float32" edit $models --device cpu --precision bf16 --seed 1 --sound "$rain" --out x.png
export CHLADNI_CUDA_MODULE=$work/none.so # the same text on machines with a GPU
bad "no gpu" 1 "no CUDA backend.*none.so" edit $models --device cuda --seed 1 --sound "$rain" --out x.png

# --- sounds of every kind of badness
: > zero.wav; bad "0 bytes" 1 "zero.wav" embed --audio audio.safetensors --sound zero.wav --out x.npy
echo "not a sound" > text.wav; bad "a text" 1 "text.wav" embed --audio audio.safetensors --sound text.wav --out x.npy
head -c 44 "$rain" > header.wav; bad "header only" 1 "header.wav" embed --audio audio.safetensors --sound header.wav --out x.npy
bad "a picture" 1 "seven.png" embed --audio audio.safetensors --sound seven.png --out x.npy
bad "absent sound" 1 "nowhere.wav" edit $models --seed 1 --sound nowhere.wav --out x.png

# --- interrupted: what was reached is kept; err is emptied first, for the run before has steps in it too
: >err; "$program" edit $models --seed 7 --sound "$rain" --steps 100000 --out i.png --latent-out i.npy >out 2>err & pid=$!
wait_for $pid grep -q step err
kill -INT $pid; wait $pid
is "ctrl-C exits 130" test $? = 130
is "and keeps the picture" test -s i.png -a -s i.npy
: >err; "$program" edit $models --seed 7 --sound "$rain" --steps 100000 --out hup.png >out 2>err & pid=$!
wait_for $pid grep -q step err
kill -HUP $pid; wait $pid
is "a hang-up exits with 129 and keeps the picture" test $? = 129 -a -s hup.png
( ulimit -S -t 1; exec "$program" edit $models --seed 7 --sound "$rain" --steps 100000000 --out limit.png ) >out 2>err
is "a limit of processor time exits with 152 and keeps the picture" test $? = 152 -a -s limit.png
: >err; "$program" edit $models --seed 7 --sound "$rain" --steps 100000 --out usr2.png >out 2>err & pid=$!
wait_for $pid grep -q step err
kill -USR2 $pid; wait $pid
is "SIGUSR2 exits with 140 and keeps the picture" test $? = 140 -a -s usr2.png
code=$({ "$program" edit $models --seed 7 --sound "$rain" --steps 100000 --out pipe.png; echo $? >&3; } 3>&1 2> >(head -n 1 >/dev/null) >out)
is "a closed pipe of messages exits with 141 and keeps the picture" test "$code" = 141 -a -s pipe.png

# threads whose stacks are small, as where a service or a container sets them; a sanitizer's frames are larger
if ! grep -q __asan_init "$program"; then
  ( ulimit -S -s 192; OMP_NUM_THREADS=2 exec "$program" edit $models --seed 7 --sound "$rain" --steps 2 --out stack.png ) >out 2>err
  is "an edit does with stacks of 192 KiB" test $? = 0 -a -s stack.png
fi

# --- world (where it is built), eval
bad "world without a folder" 2 "out is missing" world --count 3
if "$program" world --sound rain --seconds 1 --out w.wav 2>err; then
  ok "held-out sounds" world --out held --split test --count 10 --size 32 --seconds 1
  ok "calm scenes" world --out calm --split calm --count 3 --size 32
  ok "a picture" world --picture fire --strength 1 --out w.png
  ok "zero-shot" eval zero-shot --sound w.wav --labels rain,fire --audio audio.safetensors --clip clip.safetensors $vocab --json
  is "top1 and scores" grep -qE '"top1":"(rain|fire)","scores":\{"rain":' out
  ok "zero-shot on a folder" eval zero-shot --data held --audio audio.safetensors --clip clip.safetensors $vocab --limit 5
  is "a table" has "| all |" out
  ok "retrieval on a folder" eval retrieval --data held --audio audio.safetensors --clip clip.safetensors $vocab --limit 5
  is "a table of directions" has "| sound, picture | 5 | 5 |" out
  ok "pictures beside others" eval pictures --data held --pictures calm --clip clip.safetensors --neighbours 2
  is "distances" has "| FID | KID, 1e-3 | precision | recall |" out
  printf '0\n2\n\n' >list; ok "some samples' files" world --out some --count 4 --size 32 --seconds 1 --files-of list
  printf '0\n2\n' | "$program" world --out piped --count 4 --size 32 --seconds 1 --files-of - >out 2>err
  is "of a list on standard input" test "$(ls some/sounds piped/sounds | tr '\n' ' ')" = "piped/sounds: 00000.wav 00002.wav  some/sounds: 00000.wav 00002.wav "
  ok "some samples' sounds" world --out heard --count 4 --size 32 --seconds 1 --sounds-of list
  is "with all pictures" test "$(ls heard/sounds heard/pictures | grep -c .)$(ls heard/sounds | tr '\n' ' ')" = "800000.wav 00002.wav "
  printf '0\n\n2\n' >list; bad "a gap in the list" 1 'list: line 2: a sample must be 0 to 3, got ""' world --out gap --count 4 --size 32 --files-of list
  bad "a folder where the list is" 1 "list" world --out list --force --count 4 --size 32 --files-of list
  is "keeps the list" test -s list
  bad "full folder" 1 "set --force" world --out held --count 3
  bad "a kind that is none" 1 "kind must be one of rain" world --sound fly --out x.wav
  bad "both" 2 "exclude each other" world --sound rain --picture rain --out x
  bad "bias beyond 1" 1 "--bias must be 0 to 1, got 2" world --out new --bias 2
  bad "judge that is none" 1 "clip.safetensors" eval edits $models --judge clip.safetensors --sources calm --sounds held --intensity 0
  mkdir -p by-label/a; cp w.wav by-label/a
  bad "equal labels" 1 "--labels must be different, got .a. as number 1 and 3" eval zero-shot --data by-label --labels a,b,a \
    --audio audio.safetensors --clip clip.safetensors $vocab
  # --- train
  judge="train judge --data held --sizes side=32,widths=8-8 --batch 4 --save-every 2"
  mkdir -p blocked/model.safetensors
  bad "a folder where the model goes" 1 "blocked/model.safetensors: is a folder" $judge --steps 100000 --out blocked
  mkdir 'run*' run1; : > run1/model.safetensors.0123456789abcdef.tmp; : > 'run*/model.safetensors.0123456789abcdef.tmp'
  ok "train in a folder named like a pattern" $judge --steps 1 --out 'run*'
  is "the other's half-written files stay, its own go" test -e run1/model.safetensors.0123456789abcdef.tmp -a \
    ! -e 'run*/model.safetensors.0123456789abcdef.tmp'
  rm -r run1
  awk '{ sub(/"kind":"[^"]*"/, "\"kind\":\"" (NR % 2 ? "odd" : "even") "\",\"fold\":" 1 + int((NR - 1) / 2) % 2) } 1' held/pairs.jsonl >held/folds.jsonl
  for fold in 1 2; do
    ok "a classifier without fold $fold" train classifier --encoder swin --data held/folds.jsonl --split $((3 - fold)) --out fold$fold --batch 4 --steps 1 \
      --sizes patch=32,embed=16,depths=1,heads=2
  done
  ok "a baseline of files beside a figure" eval compare --encoders one=audio.safetensors --clip clip.safetensors $vocab --data held/folds.jsonl \
    --supervised "ours=fold1/model.safetensors,fold2/model.safetensors|theirs=66.8"
  is "is measured on all sounds" has "| ours | 10 | " out
  is "the figure is as given" has "| theirs | as given | 66.8 % | - |" out
  bad "a baseline that heard those sounds" 1 "no sound of .* is left to test it on" eval compare --encoders one=audio.safetensors --clip clip.safetensors $vocab --data held/folds.jsonl --folds 1 \
    --supervised "ours=fold2/model.safetensors"
  ok "train" $judge --steps 4 --out run --json
  is "to its end" has '"step":4,"steps":4,"complete":true' out
  ok "train a part" $judge --steps 4 --out parts --stop-after 3
  ok "train the rest" $judge --steps 4 --out parts --resume
  is "a resumed run is never stopped" same run/model.safetensors parts/model.safetensors
  is "nor its state" same run/checkpoint.safetensors parts/checkpoint.safetensors
  bad "a run twice" 1 "set --resume to continue it" $judge --steps 4 --out run
  "$program" $judge --steps 1000000 --out long >out 2>err &
  wait_for $! test -s long/stats.jsonl
  kill -TERM $!; wait $!
  is "told to leave: a checkpoint, and 75" test $? = 75 -a -s long/checkpoint.safetensors
else
  is "a build without a world says so" has "CHLADNI_WORLD=ON" err
fi
bad "train what" 2 "give a model" train
bad "train what is none" 2 "model must be audio, clip, generator, gan, encoder, classifier or judge, got" train painter
bad "train on nothing" 2 "data is missing" train judge --out new
bad "train on no device" 1 "--device must be cpu, cuda, cuda:N or auto, got gpu" train judge --data nowhere --out new --device gpu
bad "train in bf16 on the CPU" 1 "device cpu computes in float32, not in bf16" train judge --data nowhere --out new --device cpu --precision bf16
bad "train far ahead" 1 "--ahead must be in .*, got 17" train judge --data nowhere --out new --ahead 17
bad "train at no rate: the flag is train's own" 1 "--rate must be > 0, got -1" train judge --data nowhere --out new --rate -1
bad "train on no folder" 1 "nowhere: No such file" train judge --data nowhere --out new
bad "eval of what" 2 "give an evaluation" eval
bad "zero-shot of what" 2 "give one of --sound, --data" eval zero-shot
bad "probe of what" 2 "data and --audio are needed" eval probe
bad "retrieval of what" 2 "data, --audio and --clip are needed" eval retrieval --data d --audio a
bad "pictures of nobody" 2 "give one of --generator, --pictures" eval pictures --data d --clip c
bad "pictures of two" 2 "give one of --generator, --pictures" eval pictures --data d --clip c --generator g --pictures p
bad "pictures that nobody sees" 2 "clip or --judge is needed" eval pictures --data d --pictures p
bad "seeds of a folder" 2 "seed and --truncation need --generator" eval pictures --data d --pictures p --clip c --seed 3
bad "intensity of nothing" 2 "intensity needs --sources" eval compare --encoders a=a --clip c --retrieval d --intensity 2
while IFS='|' read -r flags said; do
  bad "$flags" 2 "$said" eval report --audio a --clip c --data held $flags
done <<'END'
--judge nofile|judge needs --sources
--sounds held|sounds needs --sources
--intensity 1|intensity needs --sources
--intensity -1|intensity must be >= 0, got -1
--louder rain|louder needs --intensity
--directions 2|directions needs --sources
--directions -2|directions must be >= 0, got -2
--directions 2 --sources calm --sounds held --generator g|directions needs --vocab
--classifier nofile|classifier needs --sources
--classifier nofile --sources calm --sounds held --generator g --judge j|classifier needs --directions
--identity 3|identity needs --sources
--identity -3|identity must be >= 0, got -3
--identity 3 --sources calm --sounds held --generator g|identity needs --face
--intensity 1 --sources calm --sounds held --generator g|intensity needs --judge
--intensity 1 --by-label --sources calm --sounds held --generator g --judge j|intensity needs sounds, which --by-label
--zero-shot-limit -1|zero-shot-limit must be >= 0, got -1
--probe-test held|probe-test needs --probe
--identity-weight 0.1|identity-weight needs --sources
--identity-weight 0.1 --sources calm --sounds held --generator g|identity-weight needs --face
--neutral photo|neutral needs --similarity directional
--neutral photo --similarity directional --vocab v|similarity needs --sources
--code-noise 0.4|code-noise needs --sources
--start-steps 4|start-steps needs --sources
--prompt-sets {}|prompt-sets needs --vocab
END
bad "prompt sets of no sounds" 2 "prompt-sets needs --data" eval report --audio a --clip c --retrieval held --prompt-sets '{}'
bad "a neutral text of no edits" 2 "neutral needs --similarity directional" eval edits --judge j --sources calm --sounds held --neutral photo
bad "files of a baseline without sounds" 2 "supervised NAME=FILE needs --data or --probe" eval compare --encoders a=a --clip c --retrieval held \
  --supervised net=a.safetensors
bad "a file of a baseline that is not there" 1 "^chladni: --supervised: nofile cannot be read \(No such file" eval report --audio a --clip c --data held \
  --supervised "figure=50|net=$rain,nofile"
mkdir -p scanned/rain/deep; cp "$rain" scanned/rain
for place in scanned/cache scanned/rain/deep; do
  bad "a cache among the data: $place" 1 "cache must be outside of scanned, whose files are the data .*got $place" train audio --data scanned --out trained --clip c \
    --vocab v --cache $place
done
bad "a limit of no sounds" 2 "zero-shot-limit needs --data" eval report --audio a --clip c --retrieval held --zero-shot-limit 3
bad "labels of no sounds" 2 "labels needs --data" eval report --audio a --clip c --retrieval held --labels a
bad "folds of no sounds" 2 "folds needs --data or --probe" eval compare --encoders a=a --clip c --retrieval held --folds 1
bad "a trunk that is not probed" 2 "probe-trunk needs --probe or --data" eval compare --encoders a=a --clip c --retrieval held --probe-trunk
bad "a negative limit of a comparison" 2 "zero-shot-limit must be >= 0" eval compare --encoders a=a --clip c --retrieval held --zero-shot-limit -1
bad "a judge of no edits" 2 "judge needs --sources" eval compare --encoders a=a --clip c --retrieval held --judge nofile
bad "a judge of no edits in an ablation" 2 "judge needs --sources" eval ablation --with a --without b --clip c --data held --vocab v --judge nofile
for list in "" , a, ,a a,,b; do
  bad "models of a list with a gap: $list" 2 "--model must be FILE,FILE,..., got \"$list\"" eval supervised --data held --model "$list"
done
bad "a baseline with a gap" 2 "supervised must be NAME=PERCENT or NAME=FILE,FILE" eval report --audio a --clip c --data held --supervised net=a,
bad "folds that are none" 2 "folds must be like 1-5 or 1,3, from 1 to 10, got 0-4" eval probe --data d --audio a --folds 0-4
bad "folds of one sound" 2 "need --data" eval zero-shot --sound "$rain" --labels a --folds 1 --audio a --clip c --vocab v
bad "a label without its text" 2 "around =, got .a=." eval zero-shot --sound "$rain" --labels a= --audio a --clip c --vocab v
bad "labels missing" 2 "needs --labels" eval zero-shot --sound "$rain" --audio audio.safetensors --clip clip.safetensors $vocab
mkdir -p sounds; bad "a folder that has a flag's name" 1 "^chladni: \./sounds must be a folder" data inspect ./sounds
bad "ablation of what" 2 "with and --without" eval ablation --clip clip.safetensors
bad "comparison of what" 2 "encoders is missing" eval compare --clip clip.safetensors
bad "comparison of nameless encoders" 2 "must be NAME=FILE, got \"a.safetensors\"" eval compare \
  --encoders a.safetensors --clip clip.safetensors --probe .
bad "comparison of sounds that are not there" 1 "^chladni: nofile: .*measuring the encoder audio.safetensors" eval compare \
  --encoders a=audio.safetensors --clip clip.safetensors --retrieval nofile
bad "comparison with a clip of nobody" 2 "for a name in --encoders, got c" eval compare \
  --encoders a=audio.safetensors --clips c=clip.safetensors --probe .
bad "edits without a judge" 2 "judge is missing" eval edits $models

# --- embed, mel, weights, info
ok "embed" embed --clip clip.safetensors --audio audio.safetensors --sound "$rain" --image a.png --out e.npy --json
is "two rows" has '"count":2' out
ok "embed an array" embed --clip clip.safetensors --image seven.npy --out e2.npy
ok "embed a face" embed --face face.safetensors --image a.png --out e3.npy
bad "nothing to embed" 2 "give --sound" embed --clip clip.safetensors --out x.npy
bad "image without model" 2 "needs one of" embed --image a.png --audio audio.safetensors --out x.npy
ok "mel" mel --sound "$rain" --out m.npy

# --- photos of faces
photo=$fixtures/picture/upright.heic
"$program" align "$photo" --out none.png --size 64 >out 2>err || photo=$fixtures/picture/rgb8.png # built without libheif
echo '[[6, 4], [14, 5], [10, 6], [7, 9], [13, 10]]' > points.json
echo '6,4,14,5;7,9,13,10' > points.csv
ok "a photo by five points" align "$photo" --out five.png --size 64 --landmarks points.json
ok "by four" align "$photo" --out four.png --size 64 --landmarks points.csv
ok "by flags" align "$photo" --out flags.png --size 64 --eyes 6,4,14,5 --mouth 7,9,13,10
is "is the same picture" same five.png four.png
is "each way" same five.png flags.png
ok "without points" align "$photo" --out middle.png --size 64
is "it says what it took" has "the square in the middle" err
faces=$fixtures/cascade/faces.png
ok "a face that is found" align "$faces" --out found.png --size 64 --cascades "$fixtures/cascade"
is "it says which" has "2 faces are found: number 1 is taken" err
points=$(sed -n 's/^chladni: \(--eyes .*\)/\1/p' err)
ok "by the points that it says" align "$faces" --out points.png --size 64 $points
ok "the other face" align "$faces" --out second.png --size 64 --cascades "$fixtures/cascade" --face 2
is "is another picture" differ found.png second.png
ok "no face, as told" align "$faces" --out square.png --size 64 --face 0
is "and says nothing" test ! -s err
bad "a face that is not there" 1 "--face 3: 2 faces are found" align "$faces" --out x.png --cascades "$fixtures/cascade" --face 3
bad "no cascades" 1 "haarcascade_frontalface_alt2.xml: is not there" align "$faces" --out x.png --cascades "$fixtures"
bad "a face beside points" 2 "--face is for photos without points" align "$faces" --out x.png --face 1 --landmarks points.json
bad "half a face" 2 "--mouth is missing" align "$photo" --out x.png --eyes 6,4,14,5
bad "three numbers" 2 "must each be two points" align "$photo" --out x.png --eyes 6,4,14 --mouth 7,9,13,10
printf '\357\273\2776,4,14,5;7,9,13,10' > points.csv
ok "points behind a byte order mark" align "$photo" --out mark.png --size 64 --landmarks points.csv
is "are the same" same mark.png four.png
# array TYPE SHAPE NUMBER...: an .npy, on stdout
array() {
  python3 - "$@" <<'P'
import array, struct, sys
kind, shape, numbers = sys.argv[1], sys.argv[2], [float(n) if "f" in sys.argv[1] else int(n) for n in sys.argv[3:]]
head = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (kind, shape)
head = head.ljust(117) + "\n"
code = {"<i8": "q", "|u1": "B", "<f4": "f"}[kind]
sys.stdout.buffer.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + array.array(code, numbers).tobytes())
P
}
array '<i8' '5, 2' 6 4 14 5 10 6 7 9 13 10 > points.npy
ok "points of whole numbers" align "$photo" --out whole.png --size 64 --landmarks points.npy
is "are the same, too" same whole.png four.png
array '<i8' '2, 5' 6 14 10 7 13 4 5 6 9 10 > points.npy
bad "points the other way round" 1 "points.npy: expected an array of points x 2, x and y of each, got one whose last axis has 5" align "$photo" --out x.png --landmarks points.npy
array '<i8' '4, 2' 6 4 14 5 7 9 13 16777217 > points.npy
bad "a number that is not a float32" 1 "points.npy: number 7 is 16777217, which float32 does not hold" align "$photo" --out x.png --landmarks points.npy
bad "swapped eyes" 1 "left and right of the eyes or of the mouth are swapped" align "$photo" --out x.png --eyes 14,5,6,4 --mouth 7,9,13,10
array '|u1' '1, 3, 2, 2' 0 9 200 3 0 9 200 3 0 9 200 3 > bytes.npy
bad "pixels up to 255" 1 "bytes.npy: pixels must be from -1 to 1, and at most 20 from 0 as a generator makes them, got 200 in picture 0" embed --clip clip.safetensors --image bytes.npy --out x.npy
array '<f4' '2, 3, 1, 1' 0 -20 20 0 nan 0 > dark.npy
bad "pixels that are no numbers" 1 "dark.npy: pixels must be .*, got nan in picture 1" embed --clip clip.safetensors --image dark.npy --out x.npy
array '<f4' '1, 3, 1, 1' 0 -20 20 > far.npy
ok "pixels as far as they may be" embed --clip clip.safetensors --image far.npy --out far-e.npy
echo '6,4,left' > points.csv
bad "words among points" 1 'points.csv: line 1: expected a number, got "left"' align "$photo" --out x.png --landmarks points.csv
echo '6,4' > points.csv
bad "one point" 1 "got 2 numbers" align "$photo" --out x.png --landmarks points.csv
bad "a face elsewhere" 1 "outside of the photo" align "$photo" --out x.png --eyes 6000,4,6014,5 --mouth 6007,9,6013,10
bad "a size of no generator" 2 "--size must be 16, 32, 64" align "$photo" --out x.png --size 100
cat "$rain" | "$program" mel --sound /dev/stdin --out piped.npy >out 2>err
is "a sound through a pipe is the file" same m.npy piped.npy
cat "$rain" | "$program" mel --sound - --out dash.npy >out 2>err
is "- is a pipe too" same m.npy dash.npy
"$program" mel --sound - --out dash.npy <"$rain" 2>err
is "or a file" same m.npy dash.npy
"$program" generate $g --seeds 7 --out - >dash.png 2>err
is "and standard output" same dash.png seven.png
cat clip.safetensors | "$program" weights inspect - >out 2>err
is "or refused with a word" has "/dev/stdin: is a pipe, not a regular file" err
cat seven.png | "$program" edit $models --image /dev/stdin --sound "$rain" --steps 1 --invert-steps 1 --out piped.png >out 2>err
ok "the picture as a file" edit $models --image seven.png --sound "$rain" --steps 1 --invert-steps 1 --out filed.png
is "a picture through a pipe is the file" same piped.png filed.png
bad "a folder as a sound" 1 "is a directory" mel --sound "$work" --out m.npy
bad "a device as a sound" 1 "not a regular file" mel --sound /dev/zero --out m.npy
ok "mel as a picture" mel --sound "$rain" --mode compatible --out m.png
bad "mel without an end" 2 "must end in .png or .npy, got m" mel --sound "$rain" --out m
ok "inspect" weights inspect audio.safetensors
is "names are listed" has patch_embed.proj.weight out
is "and what it is" has "numbers: a Swin audio encoder" err
is "and what it hears of a sound" has "hears ten seconds at 44.1 kHz" err
bad "a format of random" 2 "weights random takes no --format" weights random --kind clip --format f16 --out no.safetensors
bad "a file of random" 2 "weights random takes no file, got clip.safetensors" weights random clip.safetensors --kind clip --out no.safetensors
bad "an output of inspect" 2 "weights inspect takes no --out" weights inspect clip.safetensors --out no.safetensors
bad "a kind of convert" 2 "weights convert takes no --kind" weights convert clip.safetensors --kind clip --out no.safetensors
ok "convert" weights convert generator.safetensors --out g2.safetensors
ok "the converted one works" generate --generator g2.safetensors --seeds 7 --out again3.png
is "equally" same seven.png again3.png
ok "convert to half" weights convert generator.safetensors --format f16 --out half.safetensors
ok "half works" generate --generator half.safetensors --seeds 7 --out half.png
is "half is half" test "$(($(wc -c <half.safetensors) * 19 / 10))" -lt "$(wc -c <generator.safetensors)"
bad "weights of what" 2 "give an action and its file" weights inspect
ok "info" info --json
is "info is json" has '"version"' out
finish
