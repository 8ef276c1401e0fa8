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
ok "a mix" $edit --seed 4 --text rain --mix rows:2 --batch 2 --out mix.png --embed-recipe
ok "too" replay mix.png
bad "a picture without" 1 "has no recipe" replay plain/seed4-rain.png
bad "a file that is no picture" 1 "expected a PNG" replay texts
bad "no file" 2 "the picture with the recipe is missing" replay
printf '{"recipe": 1, "options": {"seed": "1", "stepps": "3"}}' > r.json
bad "an unknown option" 1 'unknown option "stepps" in its recipe' replay r.json
finish
