#!/usr/bin/env bash
# chladni train audio --recipe NAME: each recipe, shrunk by flags, trains 3 steps; flags change what it sets.
#   recipes.sh CHLADNI FIXTURES WEIGHTS
. "$(dirname "$0")/common.sh"
demo=$3
ok "data" world --out data --count 40 --seconds 1 --size 32 --seed 3
has_option() { grep -qE "^ *\"$2\": $3,?\$" "$1/options.json"; }
for recipe in paper lee2022 wav2clip demo; do
  sizes=patch=32,embed=16,depths=1,heads=2
  [[ $recipe = lee2022 || $recipe = wav2clip ]] && sizes=width=4,depths=1-1-1-1
  ok "$recipe" train audio --batch 4 --recipe $recipe --data data --out $recipe --stop-after 3 --sizes $sizes --device cpu \
    --clip "$demo/clip.safetensors" --vocab "$demo/merges.txt"
  is "$recipe: reported" grep -q "done after step 3 of" err
  is "$recipe: three steps" test "$(wc -l <$recipe/stats.jsonl)" = 3
  is "$recipe: its name is kept" has_option $recipe recipe "\"$recipe\""
  is "$recipe: a flag before it counts" has_option $recipe batch 4
done
is "50 epochs of 10 steps" has_option paper steps 500
ok "a resnet18 is an audio encoder" embed --audio lee2022/model.safetensors --sound data/sounds/00000.wav --out rain.npy
ok "steps take the place of epochs" train audio --recipe lee2022 --data data --out steps --batch 4 --steps 5 \
  --sizes width=2,depths=1-1-1-1 --device cpu --clip "$demo/clip.safetensors" --vocab "$demo/merges.txt"
is "five steps" test "$(wc -l <steps/stats.jsonl)" = 5
is "the predecessor's optimiser" has_option lee2022 optimizer '"sgd"'
ok "AdamW in its place" train audio --recipe lee2022 --optimizer adamw --schedule cosine --rate 1e-3 --data data --out adamw --batch 4 \
  --stop-after 1 --sizes width=2,depths=1-1-1-1 --device cpu --clip "$demo/clip.safetensors" --vocab "$demo/merges.txt"
bad "an optimiser that there is not" 1 '--optimizer must be adamw or sgd, got "lion"' train audio --data data --out lion --optimizer lion
bad "both" 2 'give --steps or --epochs, not both' train audio --data data --out both --steps 2 --epochs 2
bad "unknown" 2 'one of its recipes \(paper, lee2022, wav2clip, demo\), got "soup"' train audio --recipe soup --data data --out soup
for recipe in auto stylegan2 paper256 paper512 paper1024; do # of a gan; a folder of pictures is data
  ok "$recipe" train gan --recipe $recipe --resolution 8 --sizes base=32,max=4,z=4,w=4,mapping=2 --batch 8 --data data/pictures \
    --out $recipe --steps 2 --mirror --device cpu
  is "$recipe: a sheet" test -s $recipe/fakes-000002.png
done
is "paper256 has groups of 8" has_option paper256 group 8
is "its resolution is changed" has_option paper256 resolution 8
ok "what it has made is a generator" generate --generator auto/model.safetensors --seeds 3 --out seed.png
ok "classes" train gan --conditional --data data --out classes --resolution 8 --batch 8 --steps 2 --device cpu \
  --sizes base=32,max=4,z=4,w=4
is "their names" grep -qP '^0\t\S' classes/classes.txt
ok "a picture of a class" generate --generator classes/model.safetensors --class 1 --seeds 3 --out class.png
bad "no class" 1 'set --class' generate --generator classes/model.safetensors --seeds 3 --out none.png
bad "no labels" 1 'set --conditional only where every picture has a label: .*\.png has none' train gan --conditional --data data/pictures --out unlabelled \
  --resolution 8 --batch 8 --sizes base=32,max=4,z=4,w=4 --device cpu
bad "groups" 1 "--group must be a divisor of a rank's samples, got 3 for 8" train gan --resolution 8 --batch 8 --group 3 \
  --sizes base=32,max=4,z=4,w=4 --data data/pictures --out groups --device cpu
ok "list" train audio --recipe list
is "a line each" test "$(grep -cE '^(paper|lee2022|wav2clip|demo) ' out)" = 4
ok "none" train judge --recipe list
is "says so" has "judge has no recipes" out
finish
