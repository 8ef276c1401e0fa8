#!/usr/bin/env bash
# Builds chladni and edits a picture by a sound, with small random models made on the spot: it shows that
# the machinery runs from WAV to PNG, not what the method can do with trained weights.
#   tools/demo.sh [folder for the results]
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh
build=${BUILD:-build} out=${1:-out}
cmake -G Ninja -S . -B "$build" -DCHLADNI_TESTS=OFF -DCHLADNI_BENCH=OFF >/dev/null
cmake --build "$build"
mkdir -p "$out"
for kind in generator clip audio; do
  "$build/chladni" weights random --kind $kind --out "$out/$kind.safetensors"
done
"$build/chladni" generate --generator "$out/generator.safetensors" --seeds 7 --out "$out/source.png"
"$build/chladni" edit --seed 7 --sound tests/fixtures/sound/rain.wav --out "$out/edited.png" \
  --generator "$out/generator.safetensors" --clip "$out/clip.safetensors" \
  --audio "$out/audio.safetensors" --steps 100 --latent-out "$out/edited.npy"
echo "before: $out/source.png   after: $out/edited.png"
