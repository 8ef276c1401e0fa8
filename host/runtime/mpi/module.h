/* The one function of libchladni_mpi.so (runtime/comm_mpi.c opens it). */
#ifndef CHL_RUNTIME_MPI_MODULE_H
#define CHL_RUNTIME_MPI_MODULE_H
#include "runtime/comm.h"
#include <stdatomic.h>

#define CHL_MPI_VERSION 2
#define CHL_MPI_OPEN_NAME "chl_mpi_open"

/* MPI must have started the process as place->rank of place->ranks. `finished`: the library's count
 * (base/progress.h), which the module has no copy of. On failure NULL, and `why` is the reason. */
typedef chl_comm *(*chl_mpi_open_function)(int version, const chl_comm_place *place,
                                           const _Atomic uint64_t *finished, char *why,
                                           size_t size);
#endif
