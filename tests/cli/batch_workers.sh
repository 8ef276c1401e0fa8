#!/usr/bin/env bash
# Workers of `batch` that share a folder, are stopped, or find no space.
#   batch_workers.sh PROGRAM FIXTURES DEMO_WEIGHTS
. "$(dirname "$0")/common.sh"
export OMP_NUM_THREADS=1
demo=$3
models="--generator $demo/generator-32.safetensors --clip $demo/clip.safetensors --audio $demo/audio.safetensors --vocab $demo/merges.txt"
run="batch $models --steps 1 --batch 2"
mkdir sounds
cp "$rain" sounds/rain.wav
cp "$rain" sounds/rain2.wav && printf '\0' >> sounds/rain2.wav
echo "a storm" > texts
grid="--seeds 1,2 --sounds sounds --texts texts --levels -6,0"
pictures() { (cd "$1/results" && cat ./*.png ./*.json | sha256sum); }

# --- shards and workers
ok "a plan" $run $grid --dry-run
is "says how many" has "edits             10, of which 0" out
ok "one worker" $run $grid --out one
is "every source by every target" test "$(ls one/results/*.png | wc -l)" = 10
bad_run() { local name=$1 code=$2; shift 2; "$program" "$@" >out 2>err; local got=$?; [ $got = "$code" ] && passed=$((passed + 1)) || note "$name: exit $got, not $code"; }
ok "the second of two parts" $run $grid --out parts --shard 2/2 --json
is "leaves the first" grep -q '"left":6,' out
ok "the first" $run $grid --out parts --shard 1/2 --json
is "leaves none" grep -q '"left":0,' out
is "two parts are the whole" test "$(pictures one)" = "$(pictures parts)"
"$program" $run $grid --out two 2>err1 & first=$!
"$program" $run $grid --out two 2>err2; second=$?
wait $first
is "two workers at once" test $? = 0 -a $second = 0
is "do the same" test "$(pictures one)" = "$(pictures two)"
is "each edit once" test "$(cat two/work/journal/* | wc -l)" = 10

# --- a worker for each device
bad() { local name=$1 code=$2 text=$3; shift 3; "$program" "$@" >out 2>err; local got=$?; is "$name: exit $got, not $code" test $got = "$code"; is "$name: says" grep -qF -- "$text" err; }
ok "one device" $run $grid --out device --device cpu
ok "two devices" $run $grid --out devices --devices cpu,cpu --json
is "do the same" test "$(pictures device)" = "$(pictures devices)"
is "each edit once" test "$(cat devices/work/journal/* | wc -l)" = 10
is "by a worker each" test "$(ls devices/work/journal | wc -l)" = 2
is "and one speaks for both" test "$(grep -c '"done_by_this_worker":10,' out)" = 1
bad "a wrong device" 2 'each must be cpu, cuda or cuda:N, got "gpu1"' $run $grid --out none --devices cpu,gpu1
bad "an empty device" 2 'each must be cpu, cuda or cuda:N, got ""' $run $grid --out none --devices cpu,
bad "two answers" 2 "--device or --devices, not both" $run $grid --out none --devices cpu,cpu --device cpu
bad "a part of all" 2 "--shard is of one worker" $run $grid --out none --devices cpu,cpu --shard 1/2
echo "seed,pitch" > wrong.csv; echo "1,2" >> wrong.csv
bad "what is wrong for all" 2 'unknown column "pitch"' $run wrong.csv --out none --devices cpu,cpu
is "is said once" test "$(grep -c pitch err)" = 1 -a ! -e none
: >err; "$program" $run --seeds 1-6 --sounds sounds --steps 100000 --out stop --devices cpu,cpu 2>err & worker=$!
wait_for $worker test -e stop/work/claims/000001.1
kill -TERM $worker; wait $worker
is "told to stop, both do" test $? = 75 -a "$(stat -c %Y stop/work/claims/*.1 | tr '\n' ' ')" = "0 0 "
ok "one that cannot begin leaves its part to the other" $run $grid --out lame --devices cpu,cuda:63
is "and says so" has "the worker on cuda:63 has failed; the others do what it leaves" err
is "and nothing is missing" test "$(pictures device)" = "$(pictures lame)"

"$program" $run $grid --out mute --devices cpu,cpu --json >/dev/full 2>err
is "a report that cannot be written is an error" test $? = 1 -a "$(ls mute/results/*.png | wc -l)" = 10
is "and is said" has "cannot write to standard output" err
bad "no device that there is" 1 "the worker on cuda:63 has failed" $run $grid --out nobody --devices cuda:63,cuda:62
is "leaves nobody who would do it" test "$(grep -c "the others do what it leaves" err)" -lt 2
for devices in "--device cpu" "--devices cpu,cpu"; do
  bad "no steps, $devices" 1 "steps must be >= 1, got -1" batch $models $grid --steps -1 --cache kept-none --out none $devices
  is "leave no others" test "$(grep -c "the others" err)" = 0
  is "nor a folder, $devices" test ! -e none -a ! -e kept-none
done

# a worker that cannot be asked, with and without signs of life
mkdir -p far/work/claims
: > far/work/claims/000001.1
"$program" $run --seeds 1-4 --sounds sounds --out far 2>err & worker=$!
wait_for $worker grep -q "is with other workers" err
is "what it does is left to it" test "$(ls far/results/*.png | wc -l)" = 6
touch -d '2 minutes ago' far/work/claims/000001.1
wait $worker
is "and taken over when it gives none" test $? = 0 -a "$(ls far/results/*.png | wc -l)" = 8
# a worker that stands still for too long
"$program" $run --seeds 1-2 --sounds sounds --steps 20 --out still 2>err1 & worker=$!
wait_for $worker test -e still/work/claims/000000.1
kill -STOP $worker
ok "its work is taken over" $run --seeds 1-2 --sounds sounds --steps 20 --stale 1 --out still
ls -l --time-style=full-iso still/results > before
kill -CONT $worker; wait $worker
is "when it wakes it leaves it" test $? = 0 -a "$(cat still/work/journal/* | wc -l)" = 4
is "and touches nothing" same before <(ls -l --time-style=full-iso still/results)

# --- ends
"$program" $run --seeds 1-3 --sounds sounds --steps 100000 --out stopped 2>err & worker=$!
wait_for $worker test -e stopped/work/claims/000000.1
kill -TERM $worker; wait $worker
is "told to stop it exits with 75" test $? = 75
is "and has given its claim back" test "$(stat -c %Y stopped/work/claims/000000.1)" = 0
(ulimit -f 2; bad_run "no space for a picture" 1 $run $grid --out full --cache kept; [ "$failed" = 0 ]) || failed=$((failed + 1))
is "names the file" grep -qE '^chladni: (full|kept)/.*: cannot be written' err
ok "with space" $run $grid --out full
is "it goes on" test "$(pictures one)" = "$(pictures full)"
bad_run "edits that break down" 3 $run --seeds 1-2 --sounds sounds --lr 1e30 --fixed-mask --steps 3 --out broken
is "fail with the reason" grep -q 'failed: line 1: .*set --lr lower\|failed: line 1: .*must be far smaller' err

finish
