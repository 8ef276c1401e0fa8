#!/usr/bin/env bash
# A sound over time as a video: frames, killed and gone on with, joined by a stand-in for ffmpeg.
#   video.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
models="--generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors"
cp "$rain" rain.wav
mkdir none bin
cat > bin/ffmpeg <<'S'
#!/bin/bash
printf '%s\n' "$@" > "$FFMPEG_SAYS"
for last; do :; done
[ -e fail ] && { echo "no such encoder" >&2; exit 3; }
cat 0*.png > "${last#file:}"
S
sed -i "s|\$FFMPEG_SAYS|$work/arguments|" bin/ffmpeg
chmod +x bin/ffmpeg
video="video rain.wav --seed 2 $models --space shared --lr 0.3 --adam-eps 0.01 --steps 4 --warm-steps 3 --fps 8 --every 0.25 --seconds 1"
path=$PATH
PATH=$work/none
ok "a video without ffmpeg" $video --out v.mp4 --strip s.png --json
PATH=$path
is "is its frames" test "$(ls v.mp4.frames-*/0*.png | wc -l)" = 8 -a ! -e v.mp4
is "and the command" has 'ffmpeg' out
is "has a key every quarter second" test "$(ls v.mp4.frames-*/key-*.npy | wc -l)" = 5
is "says how much it flickers" grep -qE '"flicker":\{"change":0\.[0-9]+,"largest":0\.[0-9]+,"crossfade":0\.[0-9]+,"ratio":[0-9]' out
is "in ratio not more than half above a cross-fade" awk -v r="$(grep -o '"ratio":[0-9.]*' out | cut -d: -f2)" 'BEGIN { exit !(r > 0 && r < 1.5) }'
is "a strip" test -s s.png
mv v.mp4.frames-* whole
"$program" $video --out v.mp4 >out 2>err &
pid=$!
wait_for $pid eval 'test -e v.mp4.frames-*/key-0001.npy'
kill -9 $pid; wait $pid 2>/dev/null
rm -f v.mp4.frames-*/0000*.png
is "a killed one has no video" test ! -e v.mp4
PATH=$work/bin:$path ok "goes on" $video --out v.mp4 --json
is "with its keys" grep -qE '"keys_before":[1-5]' out
is "and is joined" test -s v.mp4 -a -z "$(ls -d v.mp4.frames-* 2>/dev/null)"
is "of the frames of one that was not" test "$(cat whole/0*.png | sha256sum)" = "$(sha256sum < v.mp4)"
is "ffmpeg gets the rate and the sound" test "$(grep -c -x -e 8 -e "file:$work/rain.wav" arguments)" = 2
PATH=$work/bin:$path ok "one that reacts" $video --react 0.5 --out r.mp4
is "is another" differ r.mp4 v.mp4
PATH=$work/none
ok "frames" $video --out f.mp4 --json
PATH=$path
touch "$(echo f.mp4.frames-*)/fail"
PATH=$work/bin:$path bad "an ffmpeg that fails" 1 "ffmpeg cannot join the frames in f.mp4.frames-[0-9a-f]+ \(exit code 3\): no such encoder" $video --out f.mp4
is "leaves the frames" test "$(ls f.mp4.frames-*/0*.png | wc -l)" = 8
bad "no sound" 2 "a sound is missing" video --seed 2 $models --out x.mp4
bad "another ending" 2 "out must end in .mp4" $video --out x.avi
bad "a goal" 2 "keep is for one picture" $video --keep distance=1 --out x.mp4
bad "whitened space" 2 "space must be w or shared" $video --space whitened --out x.mp4
bad "no rate" 2 "fps must be in" $video --fps 0 --out x.mp4
bad "no distance between keys" 2 "must be > 0" $video --every 0 --out x.mp4
bad "no sound file" 1 "nothing.wav" video nothing.wav --seed 2 $models --out x.mp4
finish
