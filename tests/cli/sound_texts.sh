#!/usr/bin/env bash
# Edits by a sound that texts tell: --sound-texts, where it is known and what depends on it.
#   sound_texts.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
models="--generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors"
all="$models --vocab $demo/merges.txt"
printf 'rain\nwind\n' >two.txt
printf 'fire\n' >one.txt
cp "$rain" rain.wav
ok "an edit by a sound" edit $all --seed 2 --sound rain.wav --steps 2 --out own.png
ok "told by two texts" edit $all --seed 2 --sound rain.wav --steps 2 --sound-texts two.txt --out two.png --embed-recipe
ok "told by one" edit $all --seed 2 --sound rain.wav --steps 2 --sound-texts one.txt --out one.png
ok "by that text" edit $all --seed 2 --text fire --steps 2 --out text.png
ok "told by one, as much by itself" edit $all --seed 2 --sound rain.wav --steps 2 --sound-texts one.txt --sound-own-share 0.5 --out half.png
is "each is another picture" test "$(sha256sum own.png two.png one.png half.png | cut -d' ' -f1 | sort -u | wc -l)" = 4
is "of one text the sound is that text" same one.png text.png
is "the recipe has the texts' hash" grep -q "$(sha256sum <two.txt | cut -d' ' -f1)" two.json
ok "is the same again" replay two.png
ok "an embedding, too" embed --clip $demo/clip.safetensors --audio $demo/audio.safetensors --vocab $demo/merges.txt --sound rain.wav --sound-texts one.txt --out e.npy

# --- a batch keeps what it computed, and knows by which texts
mkdir sounds && cp rain.wav sounds
batch="batch $all --steps 1 --seeds 1 --sounds sounds"
ok "a batch" $batch --sound-texts two.txt --out b
cp two.txt kept.txt && printf 'fire\n' >>two.txt
ok "by texts that have changed since" $batch --sound-texts two.txt --out c
is "is another picture" differ b/results/*.png c/results/*.png

# --- a broken-off edit goes on with the texts it began with
bad "no vocab" 1 "telling sounds by texts needs --vocab" edit $models --seed 2 --sound rain.wav --sound-texts one.txt --out x.png
bad "no sound" 2 "sound-texts needs --sound" edit $all --seed 2 --text rain --sound-texts one.txt --out x.png
bad "an explanation" 2 "explain and --sound-texts exclude each other" edit $all --seed 2 --sound rain.wav --sound-texts one.txt --explain x.png
bad "no texts" 1 "none.txt: cannot be opened" edit $all --seed 2 --sound rain.wav --sound-texts none.txt --out x.png
bad "an empty name" 2 "sound-texts must be a file, got an empty name" edit $all --seed 2 --sound rain.wav --sound-texts "" --out x.png
bad "a share of all" 1 "sound-own-share must be in \[0, 1\), got 1" edit $all --seed 2 --sound rain.wav --sound-texts one.txt --sound-own-share 1 --out x.png
bad "a share of nothing" 1 "sound-own-share must be 0 without texts \(set --sound-texts\), got 0.5" edit $all --seed 2 --sound rain.wav --sound-own-share 0.5 --out x.png
finish
