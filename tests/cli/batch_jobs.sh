#!/usr/bin/env bash
# `batch`: a table becomes a folder of results; what is wrong with the table is said before any work, what is wrong
# with an input fails its row alone.
#   batch_jobs.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
models="--generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors"
run="batch $models --steps 1 --batch 2"
mkdir in
cp "$rain" in/rain.wav
cat > in/jobs.csv <<'E2'
seed,sound,level,name
1,rain.wav,,
2,rain.wav,-6,"quiet, rain"
3,none.wav,,
1,rain.wav,,again
E2

# --- the table
bad_table() { printf "$2" > bad.csv; bad "$1" 2 "$3" $run bad.csv --out never; }
bad_table "an unknown column" 'seed,sond\n1,rain.wav\n' 'bad.csv, line 2: unknown column "sond"'
bad_table "a value of another kind" 'seed,sound,steps\n1,a.wav,3\n1,a.wav,x\n' 'line 3: steps must be a whole number, got x'
bad_table "a cell too few" 'seed,sound\n1\n' 'line 2: expected 2 cells as in line 1, got 1'
bad_table "an open quote" 'seed,sound\n1,"a.wav\n' 'line 2: a quote is not closed'
bad_table "a column twice" 'seed,seed\n1,2\n' 'column "seed" comes twice'
bad_table "no source" 'sound\na.wav\n' 'line 2: give one of --image, --seed, --latent'
bad_table "a text without its merges" 'seed,text\n1,rain\n' 'line 2: a text needs --vocab'
bad_table "seeds where one belongs" 'seed,sound\n1-3,a.wav\n' 'line 2: --seed must be one seed'
bad_table "no rows" 'seed,sound\n' 'there are no rows in it'
bad_table "JSON that is none" '{"seed": 1, }\n' 'line 1: expected a JSON object'
bad_table "a list in JSON" '{"seed": [1]}\n' '"seed" must be a text, a number, true or false, got a list'
bad "neither table nor grid" 2 "give JOBS, or a grid" $run --out never
bad "table and grid" 2 "not both" $run in/jobs.csv --seeds 1 --out never
bad "no folder" 2 "--out is missing" $run in/jobs.csv
bad "a shard beyond the last" 2 "--shard must be like 1/4" $run in/jobs.csv --out never --shard 3/2
bad "a missing model" 1 "line 2: none.pt: cannot be opened" $run in/jobs.csv --generator none.pt --out never
: > file
bad "a file in place of the folder" 1 "a file of that name exists" $run in/jobs.csv --out file
is "nothing was begun" test ! -e never

# --- rows
bad_run() { local name=$1 code=$2; shift 2; "$program" "$@" >out 2>err; local got=$?; [ $got = "$code" ] && passed=$((passed + 1)) || note "$name: exit $got, not $code"; }
bad_run "a bad input fails its row" 3 $run in/jobs.csv --out all
is "the others are done" test "$(ls all/results/*.png | wc -l)" = 2 -a "$(ls all/results/*.json | wc -l)" = 2
is "it is named with the reason" has "failed: line 4: in/none.wav: cannot be opened (No such file or directory)" err
is "so is what is asked for twice" has "the first is line 5, which is the same as line 2" err
is "a row may name its result" test -n "$(ls all/results/quiet__rain-*.png)"
is "the table of results says it" grep -q '^4,failed,,seed 3,in/none.wav' all/results.csv
is "for all rows" test "$(wc -l < all/results.jsonl)" = 4 -a "$(grep -c '"status":"done"' all/results.jsonl)" = 3
ok "a picture of a seed" generate --generator $demo/generator-32.safetensors --seed 1 --out one.png
is "the picture before the edit is beside them" test "$(ls all/page/before-*.png | wc -l)" = 2 -a "$(cat all/page/before-*.png | grep -c IHDR)" = 2
is "it is the source's" test -n "$(for file in all/page/before-*.png; do cmp -s one.png "$file" && echo same; done)"
is "and the mel picture" test "$(ls all/page/mel-*.png | wc -l)" = 1
is "the page has them all" test "$(grep -c '^,*\[[0-9]*,"\(done\|failed\)"' all/index.html)" = 4
cp all/index.html page.html
ok "the page made anew" batch --page all
is "is the same" same page.html all/index.html
ls -l --time-style=full-iso all/results > before
bad_run "the same again" 3 $run in/jobs.csv --out all --json
is "does nothing" grep -q '"done_by_this_worker":0' out
ls -l --time-style=full-iso all/results > after
is "and touches nothing" same before after
bad "other options" 1 '"steps" was "1", now is "2"' $run in/jobs.csv --out all --steps 2
bad "another number at once" 1 '"at_once" was 2, now is 3' $run in/jobs.csv --out all --batch 3
rm all/work/journal/* all/results/seed1-*.json # as a kill between a picture and the journal leaves it
bad_run "pictures that no journal has" 3 $run in/jobs.csv --out all
ls -l --time-style=full-iso all/results/*.png > after
is "are taken as they are" same <(grep -o '[-0-9]* [:.0-9]* +.*png' before) <(sed 's|all/results/||' after | grep -o '[-0-9]* [:.0-9]* +.*png')
is "with the recipe beside them" test "$(ls all/results/*.json | wc -l)" = 2
is "and their figures" test "$(cut -d, -f7 all/results.csv | sort -u | wc -l)" = 4
echo no sound > in/none.wav
bad_run "a file that is no sound" 3 $run in/jobs.csv --out all
is "has its own reason" grep -q 'failed: line 4: in/none.wav: .*WAV' err
cp "$rain" in/none.wav
rm all/results/seed1-*.png
ok "one that is repaired, and a picture that was removed" $run in/jobs.csv --out all
is "are made" test "$(ls all/results/*.png | wc -l)" = 3

# --- a neighbour that fails changes nothing
printf '{"seed": %s, "sound": "%s.wav"}\n' 1 rain 2 none 3 none 4 none > in/good.jsonl
sed s/none/no/ in/good.jsonl > in/bad.jsonl
ok "four edits at once" $run in/good.jsonl --batch 4 --steps 5 --out good
bad_run "one of four" 3 $run in/bad.jsonl --batch 4 --steps 5 --out alone --json
is "gives the same bytes" same good/results/seed1-*.png alone/results/seed1-*.png
is "and is computed alone" has '"optimisations":1,' out
cp good/results/seed2-*.png two.png
rm good/results/seed2-*.png
ok "one of four that was removed" $run in/good.jsonl --batch 4 --steps 5 --out good --json
is "is computed alone" has '"optimisations":1,' out
is "and is the same" same two.png good/results/seed2-*.png
ok "an edit of four is repeated alone" replay good/results/seed2-*.png
finish
