/* What the kinds local and mpi share: what a rank is called for, and how long one waits for another.
 * Inline, because libchladni_mpi.so has no copy of the library. */
#ifndef CHL_RUNTIME_COMM_CALLS_H
#define CHL_RUNTIME_COMM_CALLS_H
#include "runtime/comm.h"
#include <stddef.h>

/* s for which a rank that is told to stop goes on waiting; batch systems kill after 30 */
#define CHL_COMM_TOLD 20
#define CHL_COMM_TOLD_FIRST 2 /* before anything was computed */

typedef enum chl_purpose { BARRIER, GATHER, REDUCE, SCATTER, BROADCAST } chl_purpose;

/* Of a number whose lowest three bits are a purpose; one that no rank of this version writes has no
 * name. */
static inline const char *chl_purpose_name(uint64_t called_for) {
    static const char *const name[] = {"barrier", "all_gather", "all_reduce", "reduce_scatter",
                                       "broadcast"};
    const size_t what = called_for & 7;
    return what < sizeof name / sizeof name[0] ? name[what] : "an unknown call";
}

/* `place` with the times that stand for 0. */
static inline chl_comm_place chl_comm_place_timed(const chl_comm_place *place) {
    chl_comm_place timed = *place;
    if (timed.patience <= 0) timed.patience = 30;
    if (timed.coming <= 0) timed.coming = 50;
    if (timed.idle <= 0) timed.idle = 50;
    return timed;
}
#endif
