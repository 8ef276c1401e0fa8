/* Several processes as the ranks of one training: which of them this process is, and starting them.
 *
 * A launcher tells a process its rank through the environment. The first complete group counts:
 *
 *     RANK, WORLD_SIZE, LOCAL_RANK                 --ranks N itself; torchrun --no-python
 *     OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK     Open MPI's mpirun
 *     PMI_RANK, PMI_SIZE, MPI_LOCALRANKID          MPICH's and Intel's mpirun
 *     SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID    srun
 *
 * Ranks on several machines meet by MPI, those of one in shared memory, or by MPI with
 * CHLADNI_COMM=mpi.
 *
 * One rank is a process alone. So is one that is typed into a shell of srun --pty. */
#ifndef CHL_TOOLS_RANKS_H
#define CHL_TOOLS_RANKS_H
#include <stdbool.h>

typedef struct rank_place {
    int rank, ranks, local;
    const char *launcher; /* "--ranks", "Open MPI", ...; NULL: this process is alone */
    char meeting[160];    /* chl_train_options.meeting */
} rank_place;

/* Fills *out. `wanted` is --ranks, 0: not given; 1 is a process alone, whatever the environment says.
 * False with a text in `why` for a group that lacks its last variable or does not fit together, for
 * ranks that cannot meet, or where `wanted` is another number. Rank 0 of a launcher says on
 * stderr that it is one. */
bool find_rank(int wanted, rank_place *out, char *why, int size);
/* Removes the file in which the ranks met, once all have opened it. */
void forget_meeting(const rank_place *place);

/* Starts this program `ranks` times with the same arguments (argv[0] is the subcommand), passes
 * signals on, waits, and returns the exit code: that of the first rank that failed, else that of
 * rank 0. What remains some time after a rank failed is told to stop, then killed. */
int run_ranks(int ranks, int argc, char **argv);
#endif
