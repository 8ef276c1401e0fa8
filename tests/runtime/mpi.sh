#!/usr/bin/env bash
# What every communicator promises, over MPI (comm_over_mpi.c), and a training of twenty steps by 1, 2 and 4 ranks.
#   mpi.sh COMM_OVER_MPI CHLADNI MODULE    77 without an mpirun that knows --oversubscribe (Open MPI's)
set -uo pipefail
. "$(dirname "$0")/../harness/wait_for.sh"
comm_over_mpi=$1 chladni=$2
export CHLADNI_MPI_MODULE=$3
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMP_NUM_THREADS=1
mpirun --oversubscribe -n 2 true >/dev/null 2>&1 || { echo "mpi: no mpirun of Open MPI"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
fault() { echo "mpi: $*"; failed=1; }
part() { # part NAME RANKS GOOD CULPRIT [SECONDS]: so many ranks other than CULPRIT (none: -) must say that it was good
  local name=$1 ranks=$2 good=$3 culprit=$4 code
  rm -rf "$tmp/good"
  mkdir "$tmp/good"
  # a rank that ends without finishing MPI, as one that has failed does, is to leave the others alone
  OMPI_MCA_orte_abort_on_non_zero_status=0 timeout -k 5 "${5:-100}" mpirun --oversubscribe -n "$ranks" "$comm_over_mpi" "$name" "$tmp/good" "$good" "$culprit" >"$tmp/said" 2>&1 </dev/null
  code=$?
  [ $code != 124 ] && [ $code != 137 ] || fault "$name with $ranks ranks has not ended in time: code $code"
  [ "$(find "$tmp/good" -type f ! -name "$culprit" | wc -l)" -ge "$good" ] || fault "$name with $ranks ranks: $(cat "$tmp/said")"
}
for ranks in 1 2 3 4; do part good $ranks $ranks -; done
# a good rank waits for the others to be good before it ends, because mpirun then ends all
for name in one_aborts one_leaves one_differs; do part $name 3 2 1; done
part two_fail 3 2 -
part one_is_refused 2 2 -
for name in idle loop request; do part $name 2 1 1; done
part stopped 2 1 1 60
[ -z "$(pgrep -f -- "$tmp/good")" ] || pkill -KILL -f -- "$tmp/good"

# a training: the bits of as many ranks in shared memory, and the losses of one
"$chladni" world --out "$tmp/data" --count 12 --seconds 1 --size 32 --seed 3 >/dev/null 2>&1 || { fault "no data"; exit 1; }
steps=20
train() { # train RUN COMMAND... [--ranks N]
  local run=$1
  shift
  timeout -k 5 300 "$@" --data "$tmp/data" --out "$tmp/$run" --device cpu --batch 12 --weight-text 0 --weight-image 0 \
    --weight-weak-pair 0 --sizes patch=32,embed=16,depths=1,heads=2 --steps $steps >"$tmp/$run.said" 2>&1 </dev/null
}
train one "$chladni" train audio || fault "one process: $(cat "$tmp/one.said")"
for ranks in 2 4; do
  train shared-$ranks "$chladni" train audio --ranks $ranks || fault "$ranks ranks: $(cat "$tmp/shared-$ranks.said")"
  CHLADNI_COMM=mpi train mpi-$ranks mpirun --oversubscribe -n $ranks "$chladni" train audio ||
    fault "$ranks ranks by MPI: $(cat "$tmp/mpi-$ranks.said")"
  grep -q 'rank 0 of . (mpi)' "$tmp/mpi-$ranks/log.txt" || fault "$ranks ranks did not meet by MPI"
  cmp -s "$tmp/shared-$ranks/model.safetensors" "$tmp/mpi-$ranks/model.safetensors" || fault "$ranks ranks by MPI have other bits"
  python3 - "$tmp/one/stats.jsonl" "$tmp/mpi-$ranks/stats.jsonl" <<'P' || fault "$ranks ranks by MPI have other losses than one"
import json, sys
a, b = ([json.loads(line)["loss"] for line in open(name)] for name in sys.argv[1:])
sys.exit(not (len(a) == len(b) == 20 and all(abs(x / y - 1) < 1e-5 for x, y in zip(a, b))))
P
done
# a signal on one rank: all save
steps=100000
CHLADNI_COMM=mpi train told mpirun --oversubscribe -n 2 "$chladni" train audio &
job=$!
wait_for $job test -s "$tmp/told/stats.jsonl"
for pid in $(pgrep -f -- "train audio .*--out $tmp/told "); do
  tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx OMPI_COMM_WORLD_RANK=1 && kill -USR1 "$pid"
done
wait $job
[ $? = 75 ] || fault "a signal on rank 1: code should be 75: $(cat "$tmp/told.said")"
[ -f "$tmp/told/checkpoint.safetensors" ] || fault "a signal on rank 1: no checkpoint"
# without the module
export CHLADNI_MPI_MODULE=/nowhere/libchladni_mpi.so
CHLADNI_COMM=mpi train none mpirun --oversubscribe -n 2 "$chladni" train audio && fault "MPI without its module should be refused"
grep -q 'no MPI, through which ranks on several machines meet: /nowhere' "$tmp/none.said" || fault "a missing module is not named: $(cat "$tmp/none.said")"
exit $failed
