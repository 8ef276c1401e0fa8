/* What the system tells of another process of this machine. */
#ifndef CHL_RUNTIME_PROCESS_H
#define CHL_RUNTIME_PROCESS_H
#include <stdbool.h>
#include <stdint.h>

typedef struct chl_process_state {
    /* As ps shows it: R runs, S sleeps, D waits for a disk, T and t are stopped; 0: unknown */
    char letter;
    bool dead;         /* it has ended; its parent may not have noticed yet */
    double processors; /* seconds of processors that it has used, all threads together */
} chl_process_state;

chl_process_state chl_process_look(int32_t process);

/* How long a process has been seen without doing anything. */
typedef struct chl_process_idle {
    double seconds, looked; /* looked: when last; 0: never */
    double processors;      /* chl_process_state.processors when the seconds began */
    char why;               /* T: stopped, D: waits for a disk, S: neither. A change begins anew */
} chl_process_idle;

/* Adds a look that is made now, at least twice a second, and returns *idle. The seconds begin anew
 * when the process has used more than a two-hundredth of `limit` seconds of processors. The time in which the
 * looking process stood too does not count: a batch system suspends all processes of a job, and
 * they go on one after the other. */
chl_process_idle chl_process_watch(chl_process_idle *idle, const chl_process_state *state,
                                   int limit);
/* The seconds of a process that is not there yet. */
double chl_process_await(chl_process_idle *idle);

/* How long a process has been seen to finish nothing. */
typedef struct chl_process_loop {
    uint64_t finished; /* its count of what it has finished */
    double processors; /* when the seconds began */
    chl_process_idle since;
} chl_process_loop;

/* Adds a look as above. Returns the seconds since its count has changed, as soon as it has used half
 * of `limit` seconds of processors since, before that 0: it may be slow, because others use the
 * machine. The time in which it was stopped or waited for a disk does not count. */
double chl_process_loops(chl_process_loop *loop, const chl_process_state *state, uint64_t finished,
                         int limit);
#endif
