#!/usr/bin/env bash
# chladni train --ranks N: N processes compute what one computes; signals, deaths, launchers.
#   ranks.sh CHLADNI
set -uo pipefail
. "$(dirname "$0")/../harness/wait_for.sh"
chladni=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export OMP_NUM_THREADS=1
unset RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE PMI_RANK PMI_SIZE OMPI_COMM_WORLD_RANK SLURM_PROCID SLURM_STEP_NUM_TASKS
failed=0
fault() { echo "ranks: $*"; failed=1; }
"$chladni" world --out "$tmp/data" --count 12 --seconds 1 --size 32 --seed 3 >/dev/null 2>&1 || { fault "no data"; exit 1; }
train() { # train RUN ARGUMENT...: sounds alone need no CLIP
  local run=$1
  shift
  "$chladni" train audio --data "$tmp/data" --out "$tmp/$run" --device cpu --batch 12 --weight-text 0 --weight-image 0 \
    --weight-weak-pair 0 --sizes patch=32,embed=16,depths=1,heads=2 "$@" >"$tmp/$run.out" 2>"$tmp/$run.err" </dev/null
}
same_losses() { # same_losses RUN RUN STEPS
  python3 - "$tmp/$1/stats.jsonl" "$tmp/$2/stats.jsonl" "$3" <<'P' || fault "$1 and $2 have other losses"
import json, sys
a, b = ([json.loads(line)["loss"] for line in open(name)] for name in sys.argv[1:3])
sys.exit(not (len(a) == len(b) == int(sys.argv[3]) and all(abs(x / y - 1) < 1e-5 for x, y in zip(a, b))))
P
}
says() { grep -qF -- "$2" "$tmp/$1.err" || fault "$1 should say \"$2\"; it said: $(cat "$tmp/$1.err")"; }
pid_of() { # pid_of RANK RUN: the process of a rank
  local pid
  for pid in $(pgrep -f -- "--out $tmp/$2 "); do
    tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "RANK=$1" && echo "$pid" && return
  done
}
reached() { [ -f "$tmp/$1/stats.jsonl" ] && [ "$(wc -l <"$tmp/$1/stats.jsonl")" -ge "$2" ]; } # reached RUN STEP
wait_for_step() { wait_for $parent reached "$1" "$2" || fault "$1 does not reach step $2"; } # of the RUN by $parent

train one --steps 6 || fault "one process: $(cat "$tmp/one.err")"
train two --steps 6 --ranks 2 || fault "two ranks: $(cat "$tmp/two.err")"
train three --steps 6 --ranks 3 --json || fault "three ranks: $(cat "$tmp/three.err")"
same_losses one two 6
same_losses one three 6
[ "$(wc -l <"$tmp/three.out")" = 1 ] || fault "one rank prints the report, got: $(cat "$tmp/three.out")"
[ "$(grep -c 'done after step 6' "$tmp/two.err")" = 1 ] || fault "one rank reports, got: $(cat "$tmp/two.err")"
[ -f "$tmp/three/log-2.txt" ] || fault "rank 2 has no log"

# a signal to the parent, to one rank alone, and to every process, as a service manager or a batch system sends it
for target in parent rank all; do
  run=signal-$target
  train $run --steps 100000 --ranks 2 &
  parent=$!
  wait_for_step $run 3
  case $target in
    parent) pkill -TERM -P $parent -f -- "--out $tmp/$run " ;;
    rank) kill -TERM "$(pid_of 1 $run)" ;;
    all) pkill -TERM -f -- "--out $tmp/$run " ;;
  esac
  wait $parent
  [ $? = 75 ] || fault "$run: code should be 75: $(cat "$tmp/$run.err")"
  says $run ': continue with --resume'
  [ -f "$tmp/$run/checkpoint.safetensors" ] || fault "$run: no checkpoint"
done
steps=$(wc -l <"$tmp/signal-rank/stats.jsonl")
train signal-rank --steps 100000 --ranks 3 --resume --stop-after $((steps + 2)) || fault "resumed with 3: $(cat "$tmp/signal-rank.err")"
[ "$(wc -l <"$tmp/signal-rank/stats.jsonl")" = $((steps + 2)) ] || fault "three ranks do not go on where two stopped"

# a signal that comes before the ranks watch for one; and one process that gets it twice
train early --steps 100000 --ranks 2 &
parent=$!
until pid=$(pgrep -P $parent -f -- "--out $tmp/early ") && [ -n "$(pgrep -P "$pid")" ]; do sleep 0.001; done
kill -TERM "$pid"
wait $parent
[ $? = 75 ] || fault "SIGTERM at the start: code should be 75: $(cat "$tmp/early.err")"
train doubled --steps 100000 &
parent=$!
wait_for_step doubled 3
for _ in 1 2; do pkill -TERM -P $parent -f -- "--out $tmp/doubled "; sleep 0.02; done
wait $parent
[ $? = 75 ] || fault "SIGTERM twice within a second: code should be 75: $(cat "$tmp/doubled.err")"

# a rank that dies ends the job, and is named
train killed --steps 100000 --ranks 3 &
parent=$!
wait_for_step killed 3
begin=$SECONDS
kill -KILL "$(pid_of 2 killed)"
wait $parent
[ $? = 1 ] || fault "a killed rank: code should be 1"
[ $((SECONDS - begin)) -le 60 ] || fault "a killed rank ends the job after $((SECONDS - begin)) s"
says killed 'rank 2 was ended by signal 9'
says killed 'rank 2 has died'
[ -z "$(pgrep -f -- "--out $tmp/killed ")" ] || fault "a process is left"

# ctrl-Z stops the parent, which stops the ranks; fg lets all go on
train suspended --steps 100000 --ranks 2 &
parent=$!
wait_for_step suspended 3
pid=$(pgrep -P $parent -f -- "--out $tmp/suspended ")
is_stopped() { [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat")" = T ]; } # is_stopped PID
kill -TSTP "$pid"
wait_for "$pid" is_stopped "$pid"
for rank in 0 1; do is_stopped "$(pid_of $rank suspended)" || fault "rank $rank is not stopped"; done
kill -CONT "$pid"
steps=$(wc -l <"$tmp/suspended/stats.jsonl")
wait_for_step suspended $((steps + 2))
# the parent dies: the ranks save and end
kill -KILL "$pid"
wait $parent
for _ in $(seq 600); do [ -z "$(pgrep -f -- "--out $tmp/suspended ")" ] && break; sleep 0.1; done
[ -z "$(pgrep -f -- "--out $tmp/suspended ")" ] || fault "ranks outlive their parent"
[ -f "$tmp/suspended/checkpoint.safetensors" ] || fault "ranks whose parent has died should save"

# a rank that waits for one that never comes ends when it is told to; and one that dies before the other has come is named
lonely() { # lonely RANK RUN: of two, started by a launcher
  RANK=$1 WORLD_SIZE=2 LOCAL_RANK=$1 LOCAL_WORLD_SIZE=2 MASTER_PORT=$$-$2 train "$2" --steps 6
}
lonely 0 told &
pid=$!
wait_for $pid test -f "$tmp/told/log.txt"
pkill -TERM -f -- "--out $tmp/told "
begin=$SECONDS
wait $pid
[ $? = 75 ] || fault "told to stop while alone: code should be 75: $(cat "$tmp/told.err")"
[ $((SECONDS - begin)) -le 60 ] || fault "told to stop while alone: it took $((SECONDS - begin)) s"
says told 'rank 0 was told to stop while it waited for rank 1'

# what does not fit; an error that all have is printed once
train bad --steps 3 --ranks 4 --batch 10 && fault "10 samples for 4 ranks should be refused"
says bad 'a batch of 10 for 4 ranks'
[ "$(grep -c 'a batch of' "$tmp/bad.err")" = 1 ] || fault "an error of all ranks is printed $(grep -c 'a batch of' "$tmp/bad.err") times"
train bad --steps 3 --ranks 3 --rate -1 && fault "--rate -1 should be refused"
[ "$(grep -c 'rate' "$tmp/bad.err")" = 1 ] || fault "an option's error is printed more than once: $(cat "$tmp/bad.err")"
train bad --steps 3 --ranks 2 --device cuda:1
[ $? = 2 ] || fault "one GPU for two ranks should be a usage error"
says bad 'each rank needs a GPU of its own'
# in packet mode (O_DIRECT) a pipe keeps writes apart: ranks write whole lines, so that lines do not mix
python3 - "$chladni" train judge --data "$tmp/nowhere" --out "$tmp/none" --device cpu --rate -1 <<'P' || fault "an error is written in parts"
import os, subprocess, sys
end, start = os.pipe2(os.O_DIRECT)
program = subprocess.Popen(sys.argv[1:], stderr=start)
os.close(start)
said = os.read(end, 65536)
os.close(end)  # a program that writes more is not kept waiting
program.wait()
sys.exit(not (said.startswith(b"chladni: ") and said.endswith(b"\n")))
P
train bad --steps 3 --ranks -1
[ $? = 2 ] || fault "--ranks -1 should be a usage error"
RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 train bad --steps 3 --ranks 3
[ $? = 2 ] || fault "another number than the launcher's should be a usage error"
says bad '--ranks 3, but torchrun has started 2'
RANK=x WORLD_SIZE=2 LOCAL_RANK=0 train bad --steps 3
[ $? = 2 ] || fault "a rank that is no number should be a usage error"
says bad 'RANK must be a whole number below WORLD_SIZE, which is 2, got "x"'
RANK=0 WORLD_SIZE=4 LOCAL_RANK=0 LOCAL_WORLD_SIZE=2 train bad --steps 3 && fault "several machines should be refused"
says bad 'on several machines'

RANK=0 WORLD_SIZE=2 train bad --steps 3 && fault "a rank without its number on the machine should be refused"
says bad 'LOCAL_RANK, the number on this machine, is not set'
export CHLADNI_MPI_MODULE=/nowhere/libchladni_mpi.so
SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_TASKS_PER_NODE='2(x2)' train bad --steps 3 &&
  fault "two nodes of Slurm should be refused without MPI"
says bad 'no MPI, through which ranks on several machines meet: /nowhere/libchladni_mpi.so'
unset CHLADNI_MPI_MODULE
CHLADNI_COMM=tcp RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=2 train bad --steps 3 && fault "an unknown kind should be refused"
says bad 'CHLADNI_COMM must be local or mpi, got "tcp"'
(ulimit -f 40 && train full --steps 9 --save-every 5 --ranks 2) && fault "a file-size limit should be an error"
says full 'File too large'
[ -z "$(pgrep -f -- "--out $tmp/full ")" ] || fault "a process is left"

# what is printed to a closed stream is in no file of the run
"$chladni" train audio --data "$tmp/data" --out "$tmp/closed" --device cpu --batch 12 --weight-text 0 --weight-image 0 \
  --weight-weak-pair 0 --sizes patch=32,embed=16,depths=1,heads=2 --steps 6 2>&-
same_losses one closed 6
grep -rq 'training audio: step' "$tmp/closed" && fault "a file of the run has the progress line that should be on stderr"

# one process alone, whatever a batch system says of its allocation: a script of sbatch, a shell of salloc, a shell of srun
# --pty (which has a terminal), and --ranks 1
alone() { # alone RUN VARIABLE=VALUE... -- ARGUMENT...
  local run=$1 set=()
  shift
  while [ "$1" != -- ]; do set+=("$1"); shift; done
  shift
  (export "${set[@]}"; train "$run" --steps 6 "$@") || fault "$run: $(cat "$tmp/$run.err")"
  same_losses one "$run" 6
}
alone sbatch SLURM_JOB_ID=$$ SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0 --
alone salloc SLURM_JOB_ID=$$ SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_STEP_ID=4294967290 SLURM_STEP_NUM_TASKS=1 --
alone one-of-four RANK=0 WORLD_SIZE=4 LOCAL_RANK=0 -- --ranks 1
if command -v script >/dev/null; then
  SLURM_JOB_ID=$$ SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4 SLURM_TASK_PID=$$ timeout 60 script -qec \
    "'$chladni' train audio --data '$tmp/data' --out '$tmp/pty' --device cpu --batch 12 --weight-text 0 --weight-image 0 \
    --weight-weak-pair 0 --sizes patch=32,embed=16,depths=1,heads=2 --steps 6" /dev/null >"$tmp/pty.out" 2>&1 </dev/null
  same_losses one pty 6
fi

# the meeting place of a killed job is no obstacle
rank_of() { # rank_of RANK RUN: of two, started by a launcher
  SLURM_JOB_ID=$$ SLURM_STEP_ID=3 SLURM_PROCID=$1 SLURM_LOCALID=$1 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_TASKS_PER_NODE=2 exec "$chladni" \
    train audio --data "$tmp/data" --out "$tmp/$2" --device cpu --batch 12 \
    --weight-weak-pair 0 --weight-image 0 --weight-text 0 --sizes patch=32,embed=16,depths=1,heads=2 --steps 6 >"$tmp/$2.$1" 2>&1 </dev/null
}
meeting=/dev/shm/chladni-$(id -u)-$$-3-2
waits() { [ -f "$meeting" ] && [ -f "$tmp/left/log-1.txt" ]; }
for _ in 1 2; do
  rank_of 1 left &
  pid=$!
  wait_for $pid waits
  kill -KILL $pid
  wait $pid
  [ $? = 137 ] || fault "a rank that waits for another was to be killed: $(cat "$tmp/left.1")"
  rm -rf "$tmp/left"
done
[ -f "$meeting" ] || fault "a killed rank was to leave its meeting place"
for rank in 0 1; do rank_of $rank left & done
wait
same_losses one left 6
[ -e "$meeting" ] && fault "the meeting place is left"

# shared memory that is full is an error, not a SIGBUS (where a user may mount)
if unshare -rm mount -t tmpfs -o size=64k none /dev/shm 2>/dev/null; then
  export -f train
  export chladni tmp
  RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 unshare -rm bash -c 'mount -t tmpfs -o size=64k none /dev/shm && train small --steps 6'
  [ $? = 1 ] || fault "full shared memory: code should be 1"
  says small 'shared memory cannot be had: No space left on device'
fi

# launchers: torchrun's environment, and mpirun where there is one
for rank in 0 1; do
  RANK=$rank WORLD_SIZE=2 LOCAL_RANK=$rank LOCAL_WORLD_SIZE=2 MASTER_PORT=$$ \
    "$chladni" train audio --data "$tmp/data" --out "$tmp/torch" --device cpu --batch 12 --weight-text 0 --weight-image 0 \
    --weight-weak-pair 0 --sizes patch=32,embed=16,depths=1,heads=2 --steps 6 >"$tmp/torch.$rank" 2>&1 </dev/null &
done
wait
same_losses one torch 6
ls /dev/shm/chladni-*-$$-2 2>/dev/null && fault "the meeting place is left"
# MPICH starts a script for each rank, so that their parents differ; the script's parent is the launcher
for rank in 0 1; do
  PMI_RANK=$rank PMI_SIZE=2 MPI_LOCALRANKID=$rank MPI_LOCALNRANKS=2 bash -c '"$@"; exit $?' script \
    "$chladni" train audio --data "$tmp/data" --out "$tmp/mpich" --device cpu --batch 12 --weight-text 0 --weight-image 0 \
    --weight-weak-pair 0 --sizes patch=32,embed=16,depths=1,heads=2 --steps 6 >"$tmp/mpich.$rank" 2>&1 </dev/null &
done
wait
same_losses one mpich 6
if command -v mpirun >/dev/null; then
  # Open MPI: as root, as in a container, and more ranks than processors
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
  mpirun -n 3 "$chladni" train audio --data "$tmp/data" --out "$tmp/mpi" --device cpu --batch 12 --weight-text 0 \
    --weight-image 0 --weight-weak-pair 0 --sizes patch=32,embed=16,depths=1,heads=2 --steps 6 >"$tmp/mpi.out" 2>&1 </dev/null ||
    fault "mpirun: $(cat "$tmp/mpi.out")"
  same_losses one mpi 6
fi
exit $failed
