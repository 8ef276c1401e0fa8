/* Ranks of a benchmark as processes of this machine. */
#ifndef CHL_BENCH_PROCESSES_H
#define CHL_BENCH_PROCESSES_H

#define BENCH_MAX_RANKS 64

/* Calls run(user, rank) in `ranks` new processes at once and waits for all; 0 where each returned
 * 0, and 1 otherwise, the others being ended. The caller must not have computed with several threads
 * yet: a process that is forked from OpenMP's threads cannot compute. */
int bench_run_ranks(int ranks, int (*run)(void *user, int rank), void *user);
/* "fd:N", a new meeting place that processes forked from this one inherit, in text [32]; an error on
 * stderr and false without one. The caller closes N, which is returned in *file. */
int bench_meeting(char *text, int *file);
#endif
