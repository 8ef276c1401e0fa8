/* The ranks that run one graph together, as the collective rows see them (all_gather, all_reduce,
 * reduce_scatter). A rank is a process or, in tests, a thread. host/runtime/comm.h opens a
 * communicator and lists the kinds.
 *
 * All ranks call the same functions with the same sizes in the same order. Sums are taken in a
 * fixed order, so that the same number of ranks gives the same bits, and all ranks get the same
 * bits. `from` and `to` must not overlap; in all_reduce they may be equal. On a device that queues
 * work a function queues it on `stream`.
 *
 * The file is valid C11 and C++17. */
#ifndef CHL_COLLECTIVES_H
#define CHL_COLLECTIVES_H
#include "ops.h"

/* A function that fails leaves a text with last_error. After a failure of one rank the others fail
 * too, in the call that they are in or in the next, and their texts name that rank. */
typedef struct chl_comm_kind {
    const char *name;
    /* Its memory is the host's; else it is that of the device for which the communicator was
     * opened. */
    bool host_memory;
    /* from [bytes] -> to [ranks][bytes] in the order of the ranks */
    chl_kernel_status (*all_gather)(chl_comm *comm, const void *from, void *to, size_t bytes,
                                    void *stream);
    /* from, to [count]; the sum over the ranks */
    chl_kernel_status (*all_reduce)(chl_comm *comm, const float *from, float *to, size_t count,
                                    void *stream);
    /* from [ranks][count] -> to [count]: the sum over the ranks of the row of this rank */
    chl_kernel_status (*reduce_scatter)(chl_comm *comm, const float *from, float *to, size_t count,
                                        void *stream);
    /* data [bytes] of the rank `root` -> data of all */
    chl_kernel_status (*broadcast)(chl_comm *comm, void *data, size_t bytes, int root,
                                   void *stream);
    /* Returns when all ranks have called it. */
    chl_kernel_status (*barrier)(chl_comm *comm);
    /* This rank begins a step. Fails, without waiting, where the job has failed: a device that
     * queues work may not have noticed. */
    chl_kernel_status (*begin_step)(chl_comm *comm);
    /* Looks after the other ranks, without waiting, while this one waits in work that a device has
     * queued; false: the job has failed. May be called by a thread of its own, twice a second. */
    bool (*look)(chl_comm *comm);
    /* Makes every call of all ranks fail from now on: this rank cannot go on. The first reason
     * counts. */
    void (*abort)(chl_comm *comm, const char *why);
    /* The rank that gave the reason why the job has failed; -1: it has not. *on_request: it was told
     * to stop (chl_comm_place.told_to_stop). */
    int (*who_failed)(chl_comm *comm, bool *on_request);
    /* What went wrong, when a function last failed, and forgets it; NULL: nothing to add. Valid
     * until the next call. */
    const char *(*last_error)(chl_comm *comm);
    void (*close)(chl_comm *comm);
} chl_comm_kind;

struct chl_comm {
    const chl_comm_kind *kind;
    int32_t rank, ranks;
    void *context; /* the kind's own */
};
#endif
