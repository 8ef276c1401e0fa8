/* The door to MPI. MPIs differ in their binary interface, so what calls it is a module of its own
 * (runtime/mpi), compiled against the MPI of this machine and opened when it is asked for: without
 * it the ranks of one machine meet all the same. */
#include "base/progress.h"
#include "runtime/comm.h"
#include "runtime/module_file.h"
#include "runtime/mpi/module.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define MODULE "libchladni_mpi.so"

/* Open MPI's own plug-ins look for its functions among the global ones. */
static chl_mpi_open_function find_open(char *why, size_t size) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static void *module;
    chl_mpi_open_function open = NULL;
    pthread_mutex_lock(&lock);
    if (!module) module = chl_module_open("CHLADNI_MPI_MODULE", MODULE, RTLD_NOW | RTLD_GLOBAL);
    const char *said = module ? NULL : dlerror();
    if (module) *(void **)&open = dlsym(module, CHL_MPI_OPEN_NAME);
    pthread_mutex_unlock(&lock);
    if (open) return open;
    snprintf(why, size,
             "no MPI, through which ranks on several machines meet: %.200s: install an MPI "
             "(Debian: libopenmpi-dev openmpi-bin) and build chladni again, or start all ranks on "
             "one machine",
             said ? said : MODULE " is of another version");
    return NULL;
}

chl_comm *chl_comm_open_mpi(const chl_comm_place *place, char *why, size_t size) {
    const chl_mpi_open_function open = find_open(why, size);
    return open ? open(CHL_MPI_VERSION, place, chl_progress_count(), why, size) : NULL;
}
