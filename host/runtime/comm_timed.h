/* A communicator that counts the seconds which its rank spends in all_gather, all_reduce and
 * reduce_scatter (broadcast and barrier are not timed): in copies, and
 * waiting for the other ranks. */
#ifndef CHL_RUNTIME_COMM_TIMED_H
#define CHL_RUNTIME_COMM_TIMED_H
#include "runtime/comm.h"

/* `comm` under the same name, which belongs to what is returned; `comm` itself where its functions
 * return before the work is done (not host memory), or without memory. NULL is allowed. */
chl_comm *chl_comm_timed(chl_comm *comm);
/* The seconds so far; -1 where they are not counted. */
double chl_comm_seconds(const chl_comm *comm);
#endif
