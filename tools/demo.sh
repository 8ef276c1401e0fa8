#!/usr/bin/env bash
# Builds chladni and edits two landscapes by ten sounds and one by rain that gets louder, with the small models of weights/demo
# (weights/README.md): out/sounds.png, out/rain.png, out/edits/. Under four minutes on two cores, building included.
#   tools/demo.sh [folder for the results] [CMake options]
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh
build=${BUILD:-build} out=${1:-out} demo=weights/demo
cmake -G Ninja -S . -B "$build" -DCHLADNI_TESTS=OFF -DCHLADNI_BENCH=OFF "${@:2}" >/dev/null
cmake --build "$build"
mkdir -p "$out"
edit() { # how these settings were found: docs/evaluation.md#edits, docs/method.md
  "$build/chladni" edit --generator $demo/generator.safetensors --clip $demo/clip.safetensors \
    --audio $demo/audio-recordings.safetensors --vocab $demo/merges.txt --sound-texts $demo/sound-texts.txt \
    --space shared --fixed-mask --latent-weight-relative 0.15 --lr 0.3 --adam-eps 0.01 --code-noise 0.4 --steps 150 \
    --truncation 1 --batch 10 "$@"
}
sounds=()
for sound in $demo/sounds/*.ogg; do sounds+=(--sound "$sound"); done
edit --seeds 2,14 "${sounds[@]}" --sheet "$out/sounds.png" --out "$out/edits"
edit --seed 2 --sound $demo/sounds/rain.ogg --sheet "$out/rain.png"
echo "two landscapes by ten sounds: $out/sounds.png, one by one in $out/edits"
echo "one by rain, 24 dB softer to as it is: $out/rain.png"
