#!/usr/bin/env bash
# `batch` says before any work that the disk is too small for what is left to do.
#   batch_space.sh PROGRAM FIXTURES DEMO_WEIGHTS SMALL_DISK_LIBRARY
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3 library=$4
mkdir sounds; cp "$rain" sounds/rain.wav
run="batch --generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors --steps 1 --seeds 1-6 --sounds sounds --out made"
# on BYTES COMMAND...: with so many left on the disk
on() { export SMALL_DISK=$1 LD_PRELOAD=$library; shift; "$@"; unset LD_PRELOAD; }
on 100000 bad "a small disk" 1 "^chladni: made: 6 edits will take up to 0\.[0-9]* MB, and 0\.1 MB are free: make room" $run
is "no edit was made" test -z "$(ls made/results)"
# six pictures of 32 x 32 with their texts, six before the edit with codes, a mel picture
needed=$((10#$(sed -n 's/.*up to \(0\.[0-9]*\) MB.*/\1/p' err | tr -d .) * 100000))
on $((needed + 60000)) ok "enough" $run
is "all are made" test "$(ls made/results/*.png | wc -l)" = 6
is "and were less" test "$(du -sb made | cut -f1)" -lt $((needed + 60000))
on 0 ok "a finished batch needs none" $run
rm made/results/seed1-*.png
on 1000 bad "what is left counts" 1 "made: 1 edits will take up to 0\.4 MB, and 0\.0 MB" $run
on 1000 ok "going on" $run --ignore-space
is "makes it" test "$(ls made/results/*.png | wc -l)" = 6
finish
