/* Ranks on a GPU each, by NCCL.
 *
 * The library is opened when it is first asked for, as cuBLASLt and cuDNN are: a program without it
 * starts, and says what is missing where it is needed. No header of NCCL or CUDA is used: the
 * functions below have had these types since NCCL 2.0.
 *
 * The ranks find each other as those of the kind local do, in the host's memory: that communicator
 * hands NCCL's id round, is the barrier, and spreads the news of a rank that failed. */
#include "runtime/comm.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libnccl.so.2"
#define NCCL_INT8 0
#define NCCL_FLOAT32 7
#define NCCL_SUM 0

typedef struct unique_id {
    char internal[128];
} unique_id;
typedef void *handle;

static struct door {
    int (*GetUniqueId)(unique_id *id);
    int (*CommInitRank)(handle *comm, int ranks, unique_id id, int rank);
    int (*CommDestroy)(handle comm);
    int (*CommAbort)(handle comm);
    int (*CommGetAsyncError)(handle comm, int *error);
    const char *(*GetErrorString)(int result);
    int (*AllGather)(const void *from, void *to, size_t count, int type, handle comm, void *stream);
    int (*AllReduce)(const void *from, void *to, size_t count, int type, int op, handle comm,
                     void *stream);
    int (*ReduceScatter)(const void *from, void *to, size_t count, int type, int op, handle comm,
                         void *stream);
    int (*Broadcast)(const void *from, void *to, size_t count, int type, int root, handle comm,
                     void *stream);
} nccl;

typedef struct on_gpu {
    chl_comm comm, *host;
    handle handle;
    char error[320];
    bool has_error;
} on_gpu;

static on_gpu *of(chl_comm *comm) {
    return comm->context;
}

/* --- the library ------------------------------------------------------------------------------ */
static bool find(void *library, char *why, size_t size) {
    const struct {
        const char *name;
        void **at;
    } wanted[] = {{"ncclGetUniqueId", (void **)&nccl.GetUniqueId},
                  {"ncclCommInitRank", (void **)&nccl.CommInitRank},
                  {"ncclCommDestroy", (void **)&nccl.CommDestroy},
                  {"ncclCommAbort", (void **)&nccl.CommAbort},
                  {"ncclCommGetAsyncError", (void **)&nccl.CommGetAsyncError},
                  {"ncclGetErrorString", (void **)&nccl.GetErrorString},
                  {"ncclAllGather", (void **)&nccl.AllGather},
                  {"ncclAllReduce", (void **)&nccl.AllReduce},
                  {"ncclReduceScatter", (void **)&nccl.ReduceScatter},
                  {"ncclBroadcast", (void **)&nccl.Broadcast}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].at = dlsym(library, wanted[i].name);
        if (*wanted[i].at) continue;
        snprintf(why, size, "NCCL has no function %s: 2.4 or newer is needed", wanted[i].name);
        return false;
    }
    return true;
}

/* CHLADNI_NCCL names another file. */
static bool open_library(char *why, size_t size) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool ready;
    const char *named = getenv("CHLADNI_NCCL");
    const char *path = named && *named ? named : LIBRARY;
    pthread_mutex_lock(&lock);
    if (!ready) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        const char *said = library ? NULL : dlerror();
        if (library)
            ready = find(library, why, size);
        else
            snprintf(why, size,
                     "no NCCL, through which several GPUs exchange: %.200s: install NCCL 2, or set "
                     "device to cpu",
                     said ? said : path);
    }
    pthread_mutex_unlock(&lock);
    return ready;
}

/* --- the functions ---------------------------------------------------------------------------- */
/* A failure here is one of all ranks. */
static chl_kernel_status said(on_gpu *g, int result, const char *what) {
    if (result == 0) return CHL_KERNEL_OK;
    snprintf(g->error, sizeof g->error, "%s: %s", what, nccl.GetErrorString(result));
    g->has_error = true;
    g->host->kind->abort(g->host, g->error);
    return CHL_KERNEL_FAILED;
}

static chl_kernel_status all_gather(chl_comm *comm, const void *from, void *to, size_t bytes,
                                    void *stream) {
    on_gpu *g = of(comm);
    return said(g, nccl.AllGather(from, to, bytes, NCCL_INT8, g->handle, stream), "ncclAllGather");
}
static chl_kernel_status all_reduce(chl_comm *comm, const float *from, float *to, size_t count,
                                    void *stream) {
    on_gpu *g = of(comm);
    return said(g, nccl.AllReduce(from, to, count, NCCL_FLOAT32, NCCL_SUM, g->handle, stream),
                "ncclAllReduce");
}
static chl_kernel_status reduce_scatter(chl_comm *comm, const float *from, float *to, size_t count,
                                        void *stream) {
    on_gpu *g = of(comm);
    return said(g, nccl.ReduceScatter(from, to, count, NCCL_FLOAT32, NCCL_SUM, g->handle, stream),
                "ncclReduceScatter");
}
static chl_kernel_status broadcast(chl_comm *comm, void *data, size_t bytes, int root,
                                   void *stream) {
    on_gpu *g = of(comm);
    if (root < 0 || root >= comm->ranks) return CHL_KERNEL_BAD_INPUT;
    return said(g, nccl.Broadcast(data, data, bytes, NCCL_INT8, root, g->handle, stream),
                "ncclBroadcast");
}

/* Also where faults of queued work are found. */
static chl_kernel_status barrier(chl_comm *comm) {
    on_gpu *g = of(comm);
    int error = 0;
    const chl_kernel_status asked =
        said(g, nccl.CommGetAsyncError(g->handle, &error), "ncclCommGetAsyncError");
    if (asked != CHL_KERNEL_OK) return asked;
    if (error != 0) return said(g, error, "NCCL, in work that was queued");
    return g->host->kind->barrier(g->host);
}

static void abort_all(chl_comm *comm, const char *why) {
    on_gpu *g = of(comm);
    g->host->kind->abort(g->host, why);
    if (g->handle) (void)nccl.CommAbort(g->handle); /* frees it, and ends kernels that wait */
    g->handle = NULL;
}

static const char *last_error(chl_comm *comm) {
    on_gpu *g = of(comm);
    if (!g->has_error) return g->host->kind->last_error(g->host);
    g->has_error = false;
    return g->error;
}

static void close_all(chl_comm *comm) {
    on_gpu *g = of(comm);
    if (g->handle) (void)nccl.CommDestroy(g->handle);
    g->host->kind->close(g->host);
    free(g);
}

chl_comm *chl_comm_host(chl_comm *comm) {
    return comm->kind->host_memory ? comm : of(comm)->host;
}

/* --- opening ---------------------------------------------------------------------------------- */
/* Rank 0's id for all. */
static bool meet(on_gpu *g, char *why, size_t size) {
    unique_id id = {{0}};
    int result = g->comm.rank == 0 ? nccl.GetUniqueId(&id) : 0;
    if (result != 0) g->host->kind->abort(g->host, nccl.GetErrorString(result));
    if (g->host->kind->broadcast(g->host, &id, sizeof id, 0, NULL) != CHL_KERNEL_OK) {
        const char *text = g->host->kind->last_error(g->host);
        snprintf(why, size, "NCCL's ranks could not meet: %s", text ? text : "no reason given");
        return false;
    }
    result = nccl.CommInitRank(&g->handle, g->comm.ranks, id, g->comm.rank);
    if (result == 0) return true;
    snprintf(why, size, "ncclCommInitRank: %s", nccl.GetErrorString(result));
    g->host->kind->abort(g->host, why);
    return false;
}

chl_comm *chl_comm_open_nccl(chl_comm *host, char *why, size_t size) {
    static const chl_comm_kind kind = {.name = "nccl",
                                       .host_memory = false,
                                       .all_gather = all_gather,
                                       .all_reduce = all_reduce,
                                       .reduce_scatter = reduce_scatter,
                                       .broadcast = broadcast,
                                       .barrier = barrier,
                                       .abort = abort_all,
                                       .last_error = last_error,
                                       .close = close_all};
    if (!open_library(why, size)) {
        host->kind->abort(host, why);
        return NULL;
    }
    on_gpu *g = calloc(1, sizeof *g);
    if (!g) {
        snprintf(why, size, "out of memory for a communicator");
        return NULL;
    }
    g->comm = (chl_comm){&kind, host->rank, host->ranks, g};
    g->host = host;
    if (meet(g, why, size)) return &g->comm;
    free(g);
    return NULL;
}
