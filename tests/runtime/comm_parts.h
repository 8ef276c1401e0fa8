/* Parts (comm_ranks.h) that several programs let ranks play: test_comm*.c here, comm_over_mpi.c under
 * mpirun. */
#ifndef TESTS_COMM_PARTS_H
#define TESTS_COMM_PARTS_H
#include "comm_ranks.h"

/* Collectives of numbers whose sums are exact, and of numbers whose sums show their order */
bool gather(chl_comm *comm);
bool reduce(chl_comm *comm);
bool scatter(chl_comm *comm);
bool spread(chl_comm *comm);
bool reduce_rounded(chl_comm *comm);

/* Rank 1, or each, does what ends the job; the others hear of it, and of whom. */
bool one_aborts(chl_comm *comm);
bool one_leaves(chl_comm *comm);
bool one_differs(chl_comm *comm);
bool two_fail(chl_comm *comm);
bool waits_for_an_idle_one(chl_comm *comm);
bool waits_for_one_in_a_loop(chl_comm *comm);
/* Uses the processor. */
void compute_for(int milliseconds);
/* Is told to stop. */
int always(void *user);
#endif
