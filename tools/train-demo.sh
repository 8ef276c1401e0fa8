#!/usr/bin/env bash
# Remakes weights/demo from nothing: a world, the generator, the judge, the CLIP pair, the audio encoder.
# A killed run goes on where it was when started again. SEEDS="1 2 3" also trains encoders from other seeds.
# RECORDINGS=DIR, a folder that tools/recordings-pairs.py reads, also trains audio-recordings, a convolutional encoder, on
# these recordings and the world's sounds: what `chladni listen` hears with.
#   tools/train-demo.sh [work folder]           everything; minutes per part on two cores: docs/training.md
#   tools/train-demo.sh --replay [work folder]  the first 20 steps of each training, compared with the committed logs
set -euo pipefail
cd "$(dirname "$0")/.."
replay=""
if [ "${1:-}" = --replay ]; then replay=1; shift; fi
work=${1:-train-demo} demo=weights/demo program=${BUILD:-build}/chladni
export OMP_WAIT_POLICY=passive
mkdir -p "$work"
[ -x "$program" ] || { echo "train-demo: $program is not there: build first (README.md)" >&2; exit 1; }

# A replay opens an eighth of the pictures and a third of the sounds: the samples that $demo/logs/NAME-samples.txt
# lists. Without that file all are written, and the list is made at the end.
world() { # world NAME files|sounds FLAGS...: made once; of the list's samples the files, or the sounds with all pictures
  local name=$1 which=$2 folder=$work/$1 list=$demo/logs/$1-samples.txt; shift 2
  if [ -z "$replay" ] && [ -f "$folder/partial" ]; then rm -rf "$folder"; fi
  [ -f "$folder/pairs.jsonl" ] && return
  rm -rf "$folder"
  if [ -z "$replay" ] || [ ! -f "$list" ]; then
    "$program" world --out "$folder" "$@"
  else # a training looks whether all files are there: the others are empty
    "$program" world --out "$folder" "$@" "--$which-of" "$list"
    touch "$folder/partial" # not for a whole training
    (cd "$folder" && grep -oE '(pictures|sounds)/[0-9]+[.](png|wav)' pairs.jsonl | xargs touch)
  fi
}
age() { find "$work/$1" -name "[0-9]*.$2" -exec touch -a -d '2 days ago' {} +; } # age NAME ENDING: no file was read lately
list_samples() { # list_samples NAME ENDING: those whose files were read since
  local list=$demo/logs/$1-samples.txt
  [ -f "$list" ] || find "$work/$1" -name "[0-9]*.$2" -amin -1440 -printf '%f\n' | awk '{ print int($1) }' | sort -nu >"$list"
}
# 1e-4 on the instruction set that the logs are of; 2.5e-4 for the judge on a processor with AMX, which the logs are not
# of: step 3 differs by 1e-7 there, step 19 by 1.9e-4 (why is not known: neither the compiler's -mtune nor oneDNN's
# instruction set changes it). On other sets sums round differently: seen with SSE2 up to 3e-4 after 20 steps, and 0.1 for
# generator-32, whose mapping has 20 000 steps of its own before the first.
tolerance() { # tolerance NAME
  isa() { grep -o '"compiled_for": "[^"]*"' "$1"; }
  if [ "$(isa "$work/$1/options.json")" = "$(isa "$demo/logs/$1-options.json")" ]; then
    if [ "$1" = judge ] && grep -qw amx_tile /proc/cpuinfo 2>/dev/null; then echo 2.5e-4; else echo 1e-4; fi
  elif [ "$1" = generator-32 ]; then echo 0.3
  else echo 1e-3; fi
}
train() { # train NAME MODEL FLAGS...: to the end, or 20 steps of it
  local name=$1 model=$2; shift 2
  if [ -n "$replay" ]; then
    rm -rf "$work/$name"
    "$program" train "$model" --device cpu --out "$work/$name" --stop-after 20 "$@"
    python3 tools/compare-stats.py "$work/$name/stats.jsonl" "$demo/logs/$name.jsonl" "$(tolerance "$name")"
  elif [ ! -f "$work/$name/done" ]; then
    "$program" train "$model" --device cpu --out "$work/$name" --resume "$@"
    # what is shipped, and what the next training builds on
    "$program" weights convert "$work/$name/model.safetensors" --format f16 --out "$work/$name/half.safetensors"
    touch "$work/$name/done"
  fi
}
# in a replay the models that a training builds on are the committed ones
model() { if [ -n "$replay" ]; then echo "$demo/$1.safetensors"; else echo "$work/$1/half.safetensors"; fi; }

# faint events, for an edit passes there, and two at once, for one too many has to look like it
world pictures files --split train --count 16000 --no-sounds --bias 0 --seed 1 --min-strength 0.05 --second-event 0.3
world sounds sounds --split train --count 4000 --seed 2
if [ -n "$replay" ]; then age pictures png; age sounds wav; fi
# the layout is learned at 32 x 32, where a step costs a third; then the network grows
train generator-32 generator --data "$work/pictures" --seed 1 --measured-w --sizes resolution=32 --steps 6000
train generator generator --data "$work/pictures" --seed 1 --measured-w --steps 4500 --rate 5e-3 \
  --start "$(model generator-32)"
train judge judge --data "$work/pictures" --seed 5
merges=$([ -n "$replay" ] && echo "$demo/merges.txt" || echo "$work/clip/merges.txt") # the same for every seed
for seed in ${SEEDS:-1}; do # others for comparisons; only seed 1 is shipped
  suffix=$([ "$seed" = 1 ] || echo "-$seed")
  train clip-plain$suffix clip --data "$work/pictures" --seed $seed --generator "$(model generator)"
  train clip$suffix clip --data "$work/pictures" --seed $seed --generator "$(model generator)" \
    --start "$(model clip-plain$suffix)" --adversary 0.15 --steps 600 --rate 5e-4 --average 0.99
  train audio$suffix audio --data "$work/sounds" --seed $seed --clip "$(model clip$suffix)" --vocab "$merges" \
    --recipe demo
  if [ -n "${RECORDINGS:-}" ] && [ -z "$replay" ]; then
    tools/recordings-pairs.py "$RECORDINGS" --split train --world "$work/sounds" --levels 4 --out "$work/both"
    train audio-recordings$suffix audio --data "$work/both" --seed $seed --clip "$(model clip$suffix)" --vocab "$merges" \
      --recipe demo --encoder resnet50 --sizes width=16,depths=2-2-2-2 --steps 1700 --batch 48 --rate 3e-3 --weight-decay 0.03 \
      --weight-sound 0 --weight-image 0.1 --near-texts 0.95 --augment mel --balance source
  fi
done
if [ -n "$replay" ]; then list_samples pictures png; list_samples sounds wav; exit; fi

mkdir -p "$demo/logs"
for name in generator-32 generator judge clip-plain clip audio; do
  cp "$work/$name/half.safetensors" "$demo/$name.safetensors"
  cp "$work/$name/options.json" "$demo/logs/$name-options.json"
  head -n 20 "$work/$name/stats.jsonl" > "$demo/logs/$name.jsonl"
done
cp "$merges" "$demo/merges.txt"
grep -oE '"label": ?"[^"]*"' "$work/sounds/pairs.jsonl" | cut -d'"' -f4 | LC_ALL=C sort -u > "$demo/sound-texts.txt"
if [ -n "${RECORDINGS:-}" ]; then
  cp "$work/audio-recordings/half.safetensors" "$demo/audio-recordings.safetensors"
  cp "$work/audio-recordings/options.json" "$demo/logs/audio-recordings-options.json"
  tools/recordings-pairs.py "$RECORDINGS" --split check --labels "$demo/labels.txt" --out "$work/check"
  "$program" eval zero-shot --data "$work/check" --json --audio "$demo/audio-recordings.safetensors" --clip "$demo/clip.safetensors" \
    --vocab "$demo/merges.txt" --out "$demo/logs/zero-shot-recordings.json"
fi
world held-out files --split test --count 400 --seed 3
tools/demo-sounds.py "$work/held-out" "$demo/sounds"
"$program" eval zero-shot --data "$work/held-out" --json --audio "$demo/audio.safetensors" --clip "$demo/clip.safetensors" \
  --vocab "$demo/merges.txt" --out "$demo/logs/zero-shot.json"
