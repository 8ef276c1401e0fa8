#!/usr/bin/env bash
# `chladni listen` and `eval probe` as people call them: models by flags or the demo's, text, JSON, picture; refusals.
. "$(dirname "$0")/common.sh"
models clip audio
ok "models by flags" listen "$rain" --audio audio.safetensors --clip clip.safetensors --vocab merges.txt --labels "rain,a_fire=fire"
is "names the best" grep -qE '^best: (rain|a_fire)$' out
is "says that nothing is refused" has "(no --threshold" out
bad "some models" 2 "clip, --vocab and --labels are needed together" listen "$rain" --audio audio.safetensors
bad "no sound" 2 "a sound is missing" listen
bad "two sounds" 2 "give one sound" listen "$rain" --sound "$rain"
mkdir -p weights/demo && mv audio.safetensors weights/demo/audio-recordings.safetensors && mv clip.safetensors merges.txt weights/demo && printf 'rain\nfire\n' >weights/demo/labels.txt
ok "the demo's models of the working folder" listen "$rain" --threshold 2 --png p.png --out r.json
is "nothing fits" grep -qE '^nothing fits: the nearest label, (rain|fire), has -?0\.[0-9]+; 2\.000 is needed$' out
is "a picture and a report" test -s p.png -a -s r.json
ok "JSON, and the demo's threshold" listen "$rain" --json
is "which is measured" has '"threshold":0.3,' out
bad "a picture by another name" 2 "png must end in .png" listen "$rain" --png p.jpg
bad "no such sound" 1 "no.wav" listen no.wav
mkdir -p esc/meta esc/audio
for f in 1 2; do for k in 0 1; do cp "$rain" esc/audio/$f-$f$k-A-$k.wav; done; done
printf 'filename,fold,category\r\n1-10-A-0.wav,1,"rain"\r\n1-11-A-1.wav,1,sea_waves\r\n2-20-A-0.wav,2,rain\r\n2-21-A-1.wav,2,sea_waves\r\n' >esc/meta/esc50.csv
ok "a probe over official folds" eval probe --data esc --audio weights/demo/audio-recordings.safetensors --confusion c.png
is "with a line per fold" grep -qE '^\| 2 \| 2 \| 50\.0 % \|$' out
is "and a picture" test -s c.png
bad "folds of a folder per label" 1 "folds must be left out for .*got 1: a folder per label has no official folds" eval zero-shot --data esc/audio --folds 1 --audio weights/demo/audio-recordings.safetensors \
  --clip weights/demo/clip.safetensors --vocab weights/demo/merges.txt
finish
