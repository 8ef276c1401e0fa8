/* Communicators: how the ranks of one job exchange arrays. kernels/collectives.h has the functions.
 *
 *     kind    ranks are                               memory   found
 *     self    this process alone                      host     always
 *     local   processes or threads of one machine     host     always (shared memory)
 *     mpi     processes of one or more machines       host     where libchladni_mpi.so was built
 *     nccl    the processes of one of these two       the GPU  where libnccl.so.2 is
 *
 *     const char *why;
 *     chl_comm_place place = {.rank = 1, .ranks = 4, .meeting = "fd:7"};
 *     chl_comm *comm = chl_comm_open(&place, &why);
 *     comm->kind->all_reduce(comm, gradient, gradient, count, NULL);
 *     comm->kind->close(comm);
 *
 * nccl has not run on a GPU yet, only against tests/runtime/nccl_standin.c. Its sums are in the
 * same order in every run on the same machine, which need not be the order of the ranks.
 *
 * Threads: a communicator belongs to one rank and is used by one thread at a time. */
#ifndef CHL_RUNTIME_COMM_H
#define CHL_RUNTIME_COMM_H
#include "collectives.h"
#include <stdbool.h>

#define CHL_COMM_LOCAL_RANKS 64 /* max. number of ranks of the kind local */

typedef struct chl_comm_place {
    int rank, ranks; /* 0 <= rank < ranks */
    /* Where the ranks find each other.
     *     NULL        one rank needs no place
     *     fd:N        shared memory in the file that is open as number N, in every rank; an empty
     *                 file (memfd_create) at first, of one job only
     *     file:PATH   the same in a file that every rank can open; the first one makes it, and
     *                 empties one that ended processes have left
     *     mpi         where the launcher says: mpirun, or srun with PMIx */
    const char *meeting;
    /* A rank that a debugger or SIGSTOP holds for so many seconds ends the job; 0: 30. */
    int patience;
    /* So does one that uses no processor for so many seconds while others wait for it; 0: 50, and
     * 300 where it waits for a disk. */
    int idle;
    /* Seconds that a rank may come later than another; 0: 50 */
    int coming;
    /* Whether this rank has been told to stop; asked while it waits, perhaps by a thread of its own.
     * If it waits for another some seconds longer, the job ends. NULL: never */
    int (*told_to_stop)(void *user);
    void *user;
    /* The ranks' memory is that of a GPU each, of `device`: nccl instead of local, also for one rank
     * with a meeting place. */
    bool on_gpu;
    struct chl_device *device; /* bound by this thread (chl_device_bind); NULL: none needs to be */
} chl_comm_place;

/* Returns when this rank is ready. fd: and file: do not wait for the others; mpi waits for all in
 * MPI_Init, as long as the launcher lets it, and then up to `coming` seconds; on_gpu waits for all.
 * On failure NULL, and *why says what is missing; the text stays valid until this thread's next call. */
chl_comm *chl_comm_open(const chl_comm_place *place, const char **why);
/* The ranks of `host`, which were opened without on_gpu, with the memory of the GPU `device`, as in
 * chl_comm_place. `host` belongs to what is returned; on failure (NULL, *why) it stays the caller's. */
chl_comm *chl_comm_on_gpu(chl_comm *host, struct chl_device *device, const char **why);
/* The communicator of the same ranks for host memory; `comm` itself where that takes it. */
chl_comm *chl_comm_host(chl_comm *comm);
/* The kind of one rank; always there, close does nothing. */
chl_comm *chl_comm_self(void);

/* --- for chl_comm_open: one function per kind, in a file of its own --------------------------- */
/* The table of a kind whose file calls its functions as the table does; `close` is the system's. */
#define CHL_COMM_KIND(name_, host_memory_, close_)                                                 \
    {                                                                                              \
        .name = (name_), .host_memory = (host_memory_), .all_gather = all_gather,                  \
        .all_reduce = all_reduce, .reduce_scatter = reduce_scatter, .broadcast = broadcast,        \
        .barrier = barrier, .begin_step = begin_step, .look = look, .abort = abort_all,            \
        .who_failed = who_failed, .last_error = last_error, .close = (close_)                      \
    }
/* `file` stays the caller's. */
chl_comm *chl_comm_open_local(const chl_comm_place *place, int file, char *why, size_t size);
chl_comm *chl_comm_open_mpi(const chl_comm_place *place, char *why, size_t size);
/* `host` belongs to what is returned; on failure it stays the caller's, and its other ranks have
 * been told why. */
chl_comm *chl_comm_open_nccl(chl_comm *host, struct chl_device *device, char *why, size_t size);
#endif
