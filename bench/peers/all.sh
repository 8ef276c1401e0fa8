#!/usr/bin/env bash
# Every PyTorch peer on one device, a JSON file each in FOLDER; started again it goes on with what is missing.
#     bench/peers/all.sh FOLDER [--small]      DEVICE (cuda) and PYTHON (python3) from the environment
# --small: sizes that a CPU can run, to see that all of them work.
# With OURS=build/bench/chladni-bench whole workloads are also raced against ours, taking turns, equality first.
set -euo pipefail
ours=${OURS:+$(realpath "$OURS")}
cd "$(dirname "$0")"
folder=${1:?usage: bench/peers/all.sh FOLDER [--small]} small=${2:-} device=${DEVICE:-cuda} python=${PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
failed=0
peer() { # peer NAME PROGRAM ARGUMENTS...
  local out=$folder/$1.json
  [ -s "$out" ] || "$python" "$2" "${@:3}" --device "$device" --json "$out.part" || { echo "peers: $1 failed" >&2; failed=1; return 0; }
  [ ! -f "$out.part" ] || mv "$out.part" "$out"
}
sizes="256 1024" batches="1 8" clips=128 mels=384 runs=() layers="1 8"
[ -z "$small" ] || { sizes=32 batches=2 clips=2 mels=2 runs=(--runs 3 --warm 1) layers=1; }
for size in $sizes; do
  for batch in $batches; do
    for name in P0 P1 P2; do
      peer "wplus-$name-$size-$batch" wplus.py --peer $name --size "$size" --batch "$batch" "${runs[@]}"
      peer "wplus-$name-$size-$batch-face" wplus.py --peer $name --size "$size" --batch "$batch" --face "${runs[@]}"
    done
  done
done
peer swin-eager alone.py swin --batch $clips "${runs[@]}"
peer swin-compiled alone.py swin --batch $clips --compile "$([ -n "$small" ] && echo default || echo max-autotune)" "${runs[@]}"
peer mel alone.py mel --batch $mels "${runs[@]}"
for form in official sdpa; do
  peer window-$form alone.py window --batch $clips --form $form "${runs[@]}"
  peer window-$form-compiled alone.py window --batch $clips --form $form --compile default "${runs[@]}"
done
for batch in $layers; do
  peer "layers-$batch" layers.py --batch "$batch" "${runs[@]}" $([ -z "$small" ] || echo --size 16 --flush 1)
done
race() { # race NAME WORKLOAD ARGUMENTS...
  local out=$folder/race-$1.json
  [ -s "$out" ] || "$python" ../compare.py "$2" "${@:3}" --bf16 --device "$device" --ours "$ours" --out "$out" ||
    { echo "peers: race of $1 failed" >&2; failed=1; }
}
apart() { # apart NAME WORKLOAD ARGUMENTS...: ours with every call on its own, for what fusing saves on a GPU
  local out=$folder/apart-$1.json
  [ "$device" != cpu ] || return 0
  [ -s "$out" ] || "$ours" "$2" "${@:3}" --bf16 --device "$device" --no-fusion --json >"$out" ||
    { echo "peers: $1 with calls apart failed" >&2; rm -f "$out"; failed=1; }
}
cufft() { # cufft NAME ARGUMENTS...: our log-mel pictures, their transforms by cuFFT instead of our kernel
  local out=$folder/$1.json
  [ "$device" != cpu ] || return 0
  [ -s "$out" ] || CHLADNI_CUDA_TRANSFORMS=cufft "$ours" mel "${@:2}" --bf16 --device "$device" --json >"$out" ||
    { echo "peers: $1 failed" >&2; rm -f "$out"; failed=1; }
}
if [ -n "$ours" ]; then
  for size in $sizes; do
    for batch in $batches; do
      race "wplus-$size-$batch" wplus --size "$size" --batch "$batch" "${runs[@]}"
      race "wplus-$size-$batch-face" wplus-face --size "$size" --batch "$batch" "${runs[@]}"
      apart "wplus-$size-$batch-face" wplus --face --size "$size" --batch "$batch" "${runs[@]:0:2}"
    done
  done
  race swin swin --batch $clips "${runs[@]}"
  race mel mel --batch $mels "${runs[@]}"
  cufft mel-cufft --batch $mels "${runs[@]:0:2}"
fi
exit $failed
