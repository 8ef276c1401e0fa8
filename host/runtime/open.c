/* The CUDA backend is a module of its own, opened at run time: linking it would map a gigabyte of
 * libraries to learn that there is no GPU, and would not start where one of them is missing. */
#include "runtime/open.h"
#include "runtime/cuda/module.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "libchladni_cuda.so"
#define LONGEST_PATH 4096

static _Thread_local char reason[512];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* CHLADNI_CUDA_MODULE, or the file beside this library, or wherever the loader looks. */
static void *open_module(void) {
    const char *named = getenv("CHLADNI_CUDA_MODULE");
    if (named && *named) return dlopen(named, RTLD_NOW | RTLD_LOCAL);
    Dl_info self;
    char path[LONGEST_PATH];
    if (dladdr(&lock, &self) && self.dli_fname) { /* any address of this library */
        const char *slash = strrchr(self.dli_fname, '/');
        const int folder = slash ? (int)(slash - self.dli_fname + 1) : 0;
        if (snprintf(path, sizeof path, "%.*s%s", folder, self.dli_fname, MODULE) <
            (int)sizeof path) {
            void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
            if (module) return module;
        }
    }
    return dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
}

static const chl_backend *load(int device) {
    static void *module;
    static const chl_backend *opened;
    static int opened_device;
    if (opened && opened_device == device) return opened;
    if (opened) {
        snprintf(reason, sizeof reason,
                 "cuda:%d: this process computes on cuda:%d already: start another process", device,
                 opened_device);
        return NULL;
    }
    if (!module) module = open_module();
    if (!module) {
        const char *said = dlerror();
        snprintf(reason, sizeof reason,
                 "no CUDA backend: " MODULE " cannot be opened (%s): build with a CUDA toolkit "
                 "(-DCHLADNI_CUDA=ON), or use --device cpu",
                 said ? said : "no reason given");
        return NULL;
    }
    chl_cuda_open_function open;
    *(void **)&open = dlsym(module, CHL_CUDA_OPEN_NAME);
    if (!open) {
        snprintf(reason, sizeof reason,
                 MODULE " has no " CHL_CUDA_OPEN_NAME ": it is of another version: rebuild it");
        return NULL;
    }
    opened = open(CHL_BACKEND_VERSION, device, reason, sizeof reason);
    opened_device = device;
    return opened;
}

const chl_backend *chl_backend_open(const char *device, const char **why) {
    *why = reason;
    reason[0] = 0;
    const bool automatic = !device || strcmp(device, "auto") == 0;
    if (device && strcmp(device, "cpu") == 0) return chl_backend_cpu();
    int number = 0;
    char rest = 0;
    const bool cuda = automatic || strcmp(device, "cuda") == 0 ||
                      (sscanf(device, "cuda:%d%c", &number, &rest) == 1 && number >= 0);
    if (!cuda) {
        snprintf(reason, sizeof reason, "device %.64s: it is cpu, cuda, cuda:N or auto", device);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    const chl_backend *backend = load(number);
    pthread_mutex_unlock(&lock);
    return backend || !automatic ? backend : chl_backend_cpu();
}
