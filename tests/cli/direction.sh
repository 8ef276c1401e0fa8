#!/usr/bin/env bash
# An edit's change as a file: saved, averaged, compared, and made in other pictures.
#   direction.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
generator="--generator $demo/generator-32.safetensors"
models="$generator --clip $demo/clip.safetensors --audio $demo/audio.safetensors --vocab $demo/merges.txt"
cp "$rain" rain.wav && cp "$rain" drops.wav
edit="edit $models --steps 2 --batch 4"
ok "directions of two seeds by two sounds" $edit --seeds 1,2 --sound rain.wav --sound drops.wav --direction-out by --latent-out codes.npy
is "are four, with what they are of" test "$(ls by | tr '\n' ' ')" = "seed1-drops.json seed1-drops.npy seed1-rain.json seed1-rain.npy seed2-drops.json seed2-drops.npy seed2-rain.json seed2-rain.npy "
is "the generator's hash is told" grep -q "$(sha256sum < $demo/generator-32.safetensors | cut -d' ' -f1)" by/seed1-rain.json
is "and the sound's" grep -q "$(sha256sum < rain.wav | cut -d' ' -f1)" by/seed1-rain.json
ok "by the sound" $edit --seed 2 --sound rain.wav --out edited.png --latent-out edited.npy
ok "its direction, from its source, without CLIP" edit $generator --seed 2 --direction by/seed2-rain.npy --out moved.png --latent-out moved.npy --json
is "says what it was" has '"direction":"by/seed2-rain.npy","strength":1.0' out
is "no models beside the generator" differ edited.npy codes.npy
ok "no strength" edit $generator --seed 2 --direction by/seed2-rain.npy --strength 0 --out still.png
ok "the source" generate $generator --seeds 2 --truncation 0.7 --out source.png
is "is the source" same still.png source.png
ok "a mean" direction mean by --by rain --out m.npy --json
is "of two" has '"directions":2,"edits":2' out
ok "a mean of a mean and a direction" direction mean m.npy by/seed1-rain.npy --out mm.npy --json
is "counts its edits" has '"edits":3' out
bad "of two sounds" 1 "is by drops, .* by rain: expected directions by one, which --by names" direction mean by --out x.npy
bad "of none" 1 "expected directions by wind, as edit --direction-out writes them, got none" direction mean by --by wind --out x.npy
bad "of no file" 2 "directions are missing" direction mean --out x.npy
bad "onto itself" 2 "is a file that is read" direction mean m.npy --out m.npy
ok "one by a text" $edit --seeds 1,2 --text rain --direction-out texts
ok "a comparison" direction compare by texts --png c.png --out c.json
is "has a row for each guide" grep -q "3 text: rain" out
is "and the pairs of sound and text" grep -qE "^sound- and text-guided code +2 " out
is "a picture" test -s c.png
ok "by t-SNE" direction compare by texts --plot tsne --perplexity 2 --png t.png --out t.json
is "is another picture" differ c.png t.png
is "and has places" grep -q '"divergence"' t.json
bad "a perplexity of all" 1 "perplexity must be in" direction compare by --plot tsne --perplexity 9
is "and a report" grep -q '"explained"' c.json
ok "others" edit $generator --seeds 4,5 --direction m.npy --strength -0.5 --strip s.png --strip-steps 1 --out all --embed-recipe
is "are named by the direction" test -s all/seed4-m.png
is "the recipe has both options" grep -q '"strength": "-0.5"' all/seed5-m.json
ok "the same again" replay all/seed5-m.png
ok "as a command" replay all/seed5-m.png --as again.sh
is "is one" test "$(PATH=$(dirname "$program"):$PATH; sh ./again.sh --out again.png >out 2>err; echo $?)" = 0 -a -s again.png
is "of the same picture" test "$(replay all/seed5-m.png >/dev/null 2>&1; "$program" replay all/seed5-m.json --out r.png >out 2>err; echo $?)" = 0
mv m.npy gone.npy
bad "a direction that has moved" 1 "the recipe's direction \(say where it is by --direction\)" replay all/seed5-m.png
ok "is named" replay all/seed5-m.png --direction gone.npy
ok "another generator" weights random --kind generator --out g.safetensors
bad "is refused by its shape" 1 "expected a direction of [0-9]+ x [0-9]+ as g.safetensors, got 8 x 128" edit --generator g.safetensors --seed 1 --direction by/seed1-rain.npy --out x.png
ok "one of equal shape" weights convert $demo/generator-32.safetensors --format f32 --out same.safetensors
bad "by its hash" 1 "by/seed1-rain.npy: is a direction of another generator than same.safetensors" edit --generator same.safetensors --seed 1 --direction by/seed1-rain.npy --out x.png
cp by/seed1-rain.npy bare.npy
ok "one without a file beside it is taken by its shape" edit --generator same.safetensors --seed 1 --direction bare.npy --out x.png
bad "no direction" 1 "expected a direction, an array of rows x latent, got 3 dimensions" edit $generator --seed 1 --direction codes.npy --out x.png
echo '{"recipe": 1}' > bare.json
bad "something else beside it" 1 'bare.json: expected what the direction beside it is of, with "direction": 1, got JSON without it' edit $generator --seed 1 --direction bare.npy --out x.png
bad "with a sound" 2 "direction and --sound exclude each other" edit $models --seed 1 --direction bare.npy --sound rain.wav --out x.png
bad "with steps" 2 "without an optimisation" edit $generator --seed 1 --direction bare.npy --steps 3 --out x.png
bad "strength of nothing" 2 "strength needs --direction" edit $models --seed 1 --sound rain.wav --strength 2 --out x.png
printf 'seed,direction\n1,by/seed1-rain.npy\n' > jobs.csv
bad "a batch" 2 "batch does optimisations" batch jobs.csv $models --out b
bad "an unknown action" 2 "give an action: mean or compare" direction sum
finish
