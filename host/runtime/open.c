/* The CUDA backend is a module of its own, opened at run time: linking it would map a gigabyte of
 * libraries to learn that there is no GPU, and would not start where one of them is missing. */
#include "runtime/open.h"
#include "runtime/cuda/module.h"
#include "runtime/module_file.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MODULE "libchladni_cuda.so"

static _Thread_local char reason[512];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static chl_cuda_open_function find_open(void) {
    static void *module;
    if (!module) module = chl_module_open("CHLADNI_CUDA_MODULE", MODULE, RTLD_NOW | RTLD_LOCAL);
    if (!module) {
        const char *said = dlerror();
        snprintf(reason, sizeof reason,
                 "no CUDA backend: " MODULE " cannot be opened (%s): build with a CUDA toolkit "
                 "(-DCHLADNI_CUDA=ON), or set device to cpu",
                 said ? said : "no reason given");
        return NULL;
    }
    chl_cuda_open_function open;
    *(void **)&open = dlsym(module, CHL_CUDA_OPEN_NAME);
    if (!open)
        snprintf(reason, sizeof reason,
                 MODULE " has no " CHL_CUDA_OPEN_NAME ": it is of another version: rebuild it");
    return open;
}

static chl_device *open_cuda(int number) {
    pthread_mutex_lock(&lock);
    const chl_cuda_open_function open = find_open();
    pthread_mutex_unlock(&lock);
    return open ? open(CHL_BACKEND_VERSION, number, reason, sizeof reason) : NULL;
}

chl_device *chl_device_open(const char *name, const char **why) {
    *why = reason;
    reason[0] = 0;
    const bool automatic = !name || strcmp(name, "auto") == 0;
    if (name && strcmp(name, "cpu") == 0) return chl_device_cpu();
    int number = 0;
    char rest = 0;
    const bool cuda = automatic || strcmp(name, "cuda") == 0 ||
                      (sscanf(name, "cuda:%d%c", &number, &rest) == 1 && number >= 0);
    if (!cuda) {
        snprintf(reason, sizeof reason, "device must be cpu, cuda, cuda:N or auto, got %.64s",
                 name);
        return NULL;
    }
    chl_device *device = open_cuda(number);
    return device || !automatic ? device : chl_device_cpu();
}

void chl_device_close(chl_device *device) {
    if (device) device->backend->close(device);
}
