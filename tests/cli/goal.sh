#!/usr/bin/env bash
# edit --keep: as strong as a bound allows, told, drawn, and done again from a recipe.
#   goal.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
models="--generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors"
cp "$rain" rain.wav
edit="edit $models --sound rain.wav --space shared --lr 0.3 --adam-eps 0.01 --latent-weight-relative 0.3"
ok "an edit" $edit --seed 2 --steps 8 --out plain.png
ok "two that keep the distance" $edit --seeds 2,3 --steps 8 --keep distance=0.2 --keep-plot k.png --out two --json --embed-recipe
is "are within 2 %" test "$(grep -o '"kept":0\.\(19[6-9]\|2,\)[0-9]*[,}]\?[^"]*"within":true' out | wc -l)" = 2
is "and tell their curves" test "$(grep -o '"curve":\[{"weight":0.3' out | wc -l)" = 2
is "which are drawn" test -s k.png
is "another picture" differ plain.png two/seed2-rain.png
ok "one of them" $edit --seed 2 --steps 8 --keep distance=0.2 --out one.png
is "says what was kept" grep -qE 'one.png: cosine with the sound .*; distance 0\.(19[6-9]|2)[0-9]*, of at most 0\.2, [0-9]+ steps' err
is "and has the same pixels" test "$("$program" replay two/seed2-rain.png --out again.png >out 2>err; echo $?)" = 0 -a "$(cmp one.png again.png; echo $?)" = 0
is "a recipe has it" grep -q '"keep": "distance=0.2"' two/seed2-rain.json
printf 'seed,sound,keep\n2,rain.wav,distance=0.2\n' > jobs.csv
ok "a row of a batch" batch jobs.csv $models --space shared --lr 0.3 --adam-eps 0.01 --latent-weight-relative 0.3 --steps 8 --out b
ok "reaches it too" replay b/results/seed2-rain-*.png
is "with the same distance" test "$(grep -o '"distance": 0.19[0-9]*' b/results/seed2-rain-*.json two/seed2-rain.json | sed 's/.*: //' | sort -u | wc -l)" = 1
bad "an unknown thing to keep" 2 "must be distance=X, clip=X or outside=X" $edit --seed 2 --keep time=3 --out x.png
bad "no number" 2 "got distance=far" $edit --seed 2 --keep distance=far --out x.png
bad "a negative one" 2 "got clip=-1" $edit --seed 2 --keep clip=-1 --out x.png
bad "an identity of 1" 2 "got identity=1" $edit --seed 2 --keep identity=1 --out x.png
bad "identity without a face encoder" 1 "keeping the identity needs --face" $edit --seed 2 --keep identity=0.7 --out x.png
base64 -d > top.png <<< iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR42mP4/5+BgQEACP0B/2sbGd8AAAAASUVORK5CYII=
base64 -d > all.png <<< iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg==
outside() { grep -o '"outside":[0-9.]*' "$1" | head -1 | cut -d: -f2; }
below() { awk "BEGIN { exit !($1 < $2) }"; }
ok "an edit of the upper half without a weight" $edit --seed 2 --space w --steps 12 --mask top.png --outside-weight 0 --out free.png --json
cp out free.json
ok "with one" $edit --seed 2 --space w --steps 12 --mask top.png --outside-weight 3 --out top-only.png --json --embed-recipe
is "changes less outside" below "$(outside out)" "$(outside free.json)"
ok "the same again" replay top-only.png
mv top.png moved.png
bad "without the mask" 1 "the recipe's mask \(say where it is by --mask\)" replay top-only.png
ok "with it" replay top-only.png --mask moved.png
mv moved.png top.png
ok "with a bound" $edit --seeds 2,3 --steps 8 --mask top.png --keep outside=0.02 --out bounded --json
is "that both keep" test "$(grep -oE '"kept":0\.0(19[6-9]|2[,0])[0-9]*[,}]?[^"]*"within":true' out | wc -l)" = 2
printf 'seed,sound,mask\n2,rain.wav,top.png\n2,rain.wav,all.png\n' > masks.csv
"$program" batch masks.csv $models --space shared --steps 2 --out m >out 2>err
is "a batch with a mask that is all white has a failed row" test $? = 3
is "which says why" grep -q "line 3: all.png: a mask must be white where the picture may change and black where it may not, got one that is all white" err
is "does the other row" test "$(ls m/results/*.png | wc -l)" = 1
bad "such a mask of an edit" 1 "got one that is all white" $edit --seed 2 --mask all.png --out x.png
bad "a weight without a mask" 2 "outside-weight needs --mask" $edit --seed 2 --outside-weight 1 --out x.png
bad "a bound without a mask" 2 "keep outside needs --mask" $edit --seed 2 --keep outside=0.1 --out x.png
bad "a plot of nothing" 2 "keep-plot needs --keep" $edit --seed 2 --keep-plot k.png --out x.png
bad "snapshots" 2 "leave out --every" $edit --seed 2 --keep clip=0.1 --every 2 --out x.png
ok "an explanation" $edit --seed 2 --steps 4 --explain e.png --json
is "is drawn" test -s e.png
is "and says how far occlusion agrees" grep -q '"agreement":{"rows":[0-9.-]*,"sound":[0-9.-]*,"silence":[0-9.-]*}' out
bad "of two edits" 2 "explain is of one edit" $edit --seeds 2,3 --explain e.png
bad "of a direction" 2 "explain needs one --sound" edit $models --seed 2 --direction d.npy --explain e.png
finish
