#!/usr/bin/env bash
# A picture carries its recipe, and `replay` does it again.
#   replay.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
models="--generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors --vocab $demo/merges.txt"
mkdir sounds
cp "$rain" sounds/rain.wav
cp "$rain" other.wav && printf '\0' >> other.wav
echo "a storm" > texts
ok "a batch" batch $models --steps 1 --batch 2 --seeds 1,2 --sounds sounds --texts texts --levels -6,0 --out one
picture=$(ls one/results/seed2-rain-[0-9a-f]*.png)
for file in sounds/rain.wav $demo/clip.safetensors; do
  is "a recipe has the SHA-256 of $(basename "$file")" grep -q "$(sha256sum < "$file" | cut -d' ' -f1)" "${picture%.png}.json"
done
ok "a picture's edit, again" replay "$picture" --json
is "gives the same pixels" grep -q '"equal":true' out
ok "one by a text" replay one/results/seed1-a_storm-*.png
ok "one by a softer sound, from its recipe" replay "$(ls one/results/seed1-rain--6dB-*.json | head -1)"
ok "as a command" replay "$picture" --as again.sh
is "is one" test "$(PATH=$(dirname "$program"):$PATH; sh ./again.sh --out again.png >out 2>err; echo $?)" = 0 -a -s again.png
cp -r sounds moved
is "a sound that has moved" grep -q "$PWD/sounds/rain.wav" one/results/seed2-rain-*.json
mv sounds gone
bad "is asked for" 1 "the recipe's sound \(say where it is by --sound\): .*rain.wav: cannot be opened" replay "$picture"
ok "and taken from where it is" replay "$picture" --sound moved/rain.wav
cp "$picture" other.png
"$program" replay other.png --sound other.wav >out 2>err
is "another file is warned of" has "the contents are not those that the picture was made with" err
edit="edit $models --seed 4,5 --sound moved/rain.wav --steps 3"
ok "an edit" $edit --out plain
ok "with recipes" $edit --out told --embed-recipe
ok "can be repeated" replay told/seed5-rain.png
starts="$edit --seed 4 --space shared --adam-eps 0.01 --lr 0.3 --steps 4"
ok "an edit from its source" $starts --out one.png
ok "from one code" $starts --starts 1 --out also-one.png
is "is the same" same one.png also-one.png
ok "from several" $starts --starts 3 --out several.png --embed-recipe --json
is "is another picture" differ one.png several.png
is "its steps are told" grep -q '"steps":7' out
ok "again" replay several.png --json
is "gives the same pixels, from several codes too" grep -q '"equal":true' out
ok "with pictures every two steps" $starts --starts 3 --every 2 --out seen.png
is "there are pictures of all steps" test -s seen-000006.png
ok "with noise around its code" $starts --code-noise 0.4 --out noisy.png --embed-recipe
is "is another picture" differ one.png noisy.png
ok "again" replay noisy.png --json
is "gives the same pixels, with noise too" grep -q '"equal":true' out
bad "noise below none" 1 "--code-noise must be >= 0, got -0.4" $starts --code-noise -0.4 --out x.png
bad "noise around a direction" 2 "--code-noise" edit ${models%% --clip*} --seed 4 --direction d.npy --code-noise 0.4 --out x.png
bad "fewer than none" 1 "--starts must be >= 0, got -1" $starts --starts -1 --out x.png
bad "beginnings of a direction" 2 "leave out --steps, --starts" edit ${models%% --clip*} --seed 4 --direction d.npy --starts 2 --out x.png
ok "a mix" $edit --seed 4 --text rain --mix rows:2 --batch 2 --out mix.png --embed-recipe
ok "too" replay mix.png
ok "a picture to edit" generate --generator $demo/generator-32.safetensors --seed 9 --out photo.png
photo="edit $models --image photo.png --invert-steps 3 --sound moved/rain.wav --steps 2"
ok "an edit of a picture" $photo --out photo0.png
ok "without tuning, as told" $photo --tune 0 --out photo00.png
is "is the same" same photo0.png photo00.png
ok "in a tuned generator" $photo --tune 4 --save-tuned t.safetensors --out tuned.png
is "is another picture" differ photo0.png tuned.png
ok "with its recipe" $photo --tune 4 --out told.png --embed-recipe
ok "again" replay told.png --json
is "gives the same pixels, tuned too" grep -q '"equal":true' out
ok "later, from the files" edit ${models/"$demo/generator-32"/t} --latent t.npy --sound moved/rain.wav --steps 2 --out later.png
is "gives them, too" same tuned.png later.png
ok "the code of the picture alone" $photo --save-inverted inverted.npy --out x.png
is "is the one that was tuned at" same t.npy inverted.npy
ok "can be edited later" edit $models --latent inverted.npy --sound moved/rain.wav --steps 2 --out later0.png
is "to the same picture" same photo0.png later0.png
bad "the code of no picture" 2 "--save-inverted needs --image" edit $models --seed 1 --sound moved/rain.wav --save-inverted x.npy --out x.png
bad "a code over a result" 2 "x.png" $photo --save-inverted x.png --out x.png
ok "its cost" $photo --tune 4 --dry-run --json
is "has the tuning's" grep -q '"tuning":.*"state_bytes"' out
is "and the inversion's" grep -q '"inversion":.*"weight_bytes"' out
planned() { printf 'image,tune,sound\nphoto.png,%s,moved/rain.wav\n' "$1" > plan.csv; "$program" batch plan.csv $models --invert-steps 3 --steps 2 --dry-run --json >out 2>err; }
planned 0
is "a batch's plan has the inversion's memory" grep -qE '"inversion_bytes":[1-9][0-9.e+]*,"tuning_bytes":0' out
planned 4
is "and the tuning's" grep -qE '"tuning_bytes":[1-9]' out
printf 'image,tune,sound\nphoto.png,4,moved/rain.wav\nphoto.png,0,moved/rain.wav\n' > tuned.csv
ok "a batch, tuned and not" batch tuned.csv $models --invert-steps 3 --steps 2 --out tuned
for picture in tuned/results/photo-*.png; do
  ok "a picture of it, again" replay "$picture" --json
  is "gives the same pixels, in any order" grep -q '"equal":true' out
done
is "are two" test "$(ls tuned/results/photo-*.png | wc -l)" = 2
bad "tuning to a seed" 2 "--tune needs --image" edit $models --seed 1 --sound moved/rain.wav --tune 3 --out x.png
bad "to fewer steps than none" 2 "--tune must be >= 0, got -1" $photo --tune -1 --out x.png
printf 'image,tune,sound\nphoto.png,-1,moved/rain.wav\n' > fewer.csv
bad "in a table too" 2 "line 2: --tune must be >= 0, got -1" batch fewer.csv $models --out fewer
# stop NAME SIGNAL CODE ARGUMENTS...: a tuning that is told to end
stop() {
  local name=$1 signal=$2 code=$3; shift 3
  : >err; "$program" $photo --tune 1000000 "$@" >out 2>err & local pid=$!
  wait_for $pid grep -q 'tuning.*step' err
  kill -$signal $pid; wait $pid
  is "$name: exits with $code" test $? = $code
}
stop "ctrl-C in the tuning" INT 130 --save-tuned part.safetensors --out part.png --strip parts.png
is "is told" grep -q '^part.png, parts.png, part.safetensors: kept after [0-9]* of 1000000 steps of tuning, before any edit' err
ok "what it kept" generate --generator part.safetensors --latent part.npy --out reached.png
is "is the picture in the generator so far" same part.png reached.png
is "which is tuned" differ part.safetensors $demo/generator-32.safetensors
is "and a strip" test -s parts.png
stop "SIGTERM in it" TERM 143 --out term.png
is "keeps the picture" test -s term.png
stop "one without a file" TERM 143 --sound other.wav --out several
is "has nothing to keep, and says so" grep -q 'nothing is kept after [0-9]* of 1000000 steps' err
bad "nothing to save" 2 "--save-tuned needs --tune" $photo --save-tuned t.safetensors --out x.png
bad "a picture without" 1 "has no recipe" replay plain/seed4-rain.png
bad "a file that is no picture" 1 "expected a PNG" replay texts
bad "no file" 2 "the picture with the recipe is missing" replay
printf '{"recipe": 1, "options": {"seed": "1", "stepps": "3"}}' > r.json
bad "an unknown option" 1 'unknown option "stepps" in its recipe' replay r.json
finish
