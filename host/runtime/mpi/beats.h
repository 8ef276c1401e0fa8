/* What the ranks of MPI tell each other beside the exchanges: that they live, what they wait for,
 * and that the job has failed. */
#ifndef CHL_RUNTIME_MPI_BEATS_H
#define CHL_RUNTIME_MPI_BEATS_H
#include "runtime/comm.h"
#include "runtime/process.h"
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>

/* A message of a rank about itself, a few times a second */
typedef struct chl_beat {
    uint64_t waits, steps; /* exchanges it has entered, steps it has begun */
    int32_t process;
    int32_t left;   /* it has closed its communicator */
    int32_t failed; /* rank + 1 of who gave the reason */
    int32_t on_request;
    double idle;  /* seconds for which it has used no processor */
    double loops; /* and for which it has, and finished nothing */
    char letter;  /* chl_process_idle.why */
    char host[63];
    char why[256];
} chl_beat;

/* Another rank, as this one knows it */
typedef struct chl_peer {
    chl_beat last, incoming, outgoing;
    MPI_Request receives, sends;
    chl_process_idle silence; /* since the last message */
} chl_peer;

typedef struct chl_beats {
    const chl_comm *comm;
    chl_comm_place place; /* its times are set */
    MPI_Comm world;
    chl_peer *peer; /* by rank; the thread's own */
    _Atomic uint64_t waits, steps;
    const _Atomic uint64_t *finished;          /* what this process has finished: base/progress.h */
    _Atomic uint64_t *seen_waits, *seen_steps; /* of each rank */
    atomic_bool waiting, ends;
    atomic_int failed; /* rank + 1, once the lines below are written */
    pthread_mutex_t lock;
    bool blamed, on_request;
    char why[256];
    pthread_t thread;
} chl_beats;

/* false: out of memory */
bool chl_beats_allocate(chl_beats *beats);
/* false: no thread can be started, and the memory is freed */
bool chl_beats_begin(chl_beats *beats);
/* Tells the others that this rank leaves, or the reason why it has failed. */
void chl_beats_end(chl_beats *beats);
/* The job has failed, by the rank `first`. The first reason counts. */
__attribute__((format(printf, 4, 5))) void
chl_beats_blame(chl_beats *beats, int first, bool on_request, const char *format, ...);
/* A rank that has not entered the exchange, or begun the step, of this one; -1: all have. */
int chl_beats_behind(const chl_beats *beats);
#endif
