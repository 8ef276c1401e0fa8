/* Ranks on a GPU each, by NCCL.
 *
 * The library is opened when it is first asked for, as cuBLASLt and cuDNN are: a program without it
 * starts, and says what is missing where it is needed. No header of NCCL or CUDA is used: the
 * functions below have had these types since NCCL 2.0.
 *
 * The ranks find each other as those of the kind local do, in the host's memory: that communicator
 * hands NCCL's id round, is the barrier, and spreads the news of a rank that failed.
 *
 * A rank waits for the others inside a kernel of NCCL, and its thread for that kernel: neither
 * notices that another rank has died. A thread of its own looks after them twice a second
 * (chl_comm_kind.look) and asks NCCL for errors of its network. When the job has failed, it aborts
 * NCCL's communicator, which ends the kernels that wait.
 *
 * ncclCommInitRank waits for all ranks as well, and there is no communicator yet that could be
 * aborted. So it runs in a thread of its own while the rank looks after the others, and that thread
 * is left where it is when the job fails. */
#include "runtime/backend.h"
#include "runtime/comm.h"
#include "runtime/process.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIBRARY "libnccl.so.2"
#define NCCL_INT8 0
#define NCCL_FLOAT32 7
#define NCCL_SUM 0
#define NCCL_IN_PROGRESS 7   /* ncclInProgress: no error */
#define LOOK_EVERY 500000000 /* ns between looks after the other ranks */
#define JOINING 300          /* s that ncclCommInitRank may take */
#define INSIDE 1000          /* ms that a function of NCCL may take when its work is aborted */

typedef struct unique_id {
    char internal[128];
} unique_id;
typedef void *handle;

typedef int sum_call(const void *from, void *to, size_t count, int type, int op, handle comm,
                     void *stream);
static struct door {
    int (*GetUniqueId)(unique_id *id);
    int (*CommInitRank)(handle *comm, int ranks, unique_id id, int rank);
    int (*CommDestroy)(handle comm);
    int (*CommAbort)(handle comm);
    int (*CommGetAsyncError)(handle comm, int *error);
    const char *(*GetErrorString)(int result);
    int (*AllGather)(const void *from, void *to, size_t count, int type, handle comm, void *stream);
    sum_call *AllReduce, *ReduceScatter;
    int (*Broadcast)(const void *from, void *to, size_t count, int type, int root, handle comm,
                     void *stream);
} nccl;

typedef struct on_gpu {
    chl_comm comm, *host;
    handle handle;
    atomic_bool aborted; /* NCCL's communicator is freed, or will be now */
    atomic_bool inside;  /* a function of NCCL that uses it runs */
    pthread_t watcher;
    pthread_mutex_t lock; /* held while the watcher looks, and for the two below */
    pthread_cond_t changed;
    bool watched, ends;
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
/* Ends the kernels of NCCL that wait, and frees its communicator. A function of NCCL that hangs may
 * be aborted, one that only runs now is let out before. */
static void abort_nccl(on_gpu *g) {
    const struct timespec moment = {.tv_nsec = 1000000};
    if (atomic_exchange(&g->aborted, true)) return;
    for (int i = 0; i < INSIDE && atomic_load(&g->inside); i++) nanosleep(&moment, NULL);
    (void)nccl.CommAbort(g->handle);
}

/* Before a function of NCCL; false: there is no communicator any more. */
static bool enter(on_gpu *g) {
    atomic_store(&g->inside, true);
    if (!atomic_load(&g->aborted)) return true;
    atomic_store(&g->inside, false);
    return false;
}

/* The job has failed: the communicator of the host has the reason. */
static chl_kernel_status fail(on_gpu *g) {
    return g->host->kind->barrier(g->host);
}

/* After it. A failure here is one of all ranks. */
static chl_kernel_status leave(on_gpu *g, int result, const char *what) {
    bool on_request;
    atomic_store(&g->inside, false);
    if (atomic_load(&g->aborted) && g->host->kind->who_failed(g->host, &on_request) >= 0)
        return fail(g);
    if (result == 0) return CHL_KERNEL_OK;
    snprintf(g->error, sizeof g->error, "%s: %s", what, nccl.GetErrorString(result));
    g->has_error = true;
    g->host->kind->abort(g->host, g->error);
    return CHL_KERNEL_FAILED;
}

static chl_kernel_status all_gather(chl_comm *comm, const void *from, void *to, size_t bytes,
                                    void *stream) {
    on_gpu *g = of(comm);
    if (!enter(g)) return fail(g);
    return leave(g, nccl.AllGather(from, to, bytes, NCCL_INT8, g->handle, stream), "ncclAllGather");
}
static chl_kernel_status sum(on_gpu *g, sum_call *call, const char *name, const float *from,
                             float *to, size_t count, void *stream) {
    if (!enter(g)) return fail(g);
    return leave(g, call(from, to, count, NCCL_FLOAT32, NCCL_SUM, g->handle, stream), name);
}
static chl_kernel_status all_reduce(chl_comm *comm, const float *from, float *to, size_t count,
                                    void *stream) {
    return sum(of(comm), nccl.AllReduce, "ncclAllReduce", from, to, count, stream);
}
static chl_kernel_status reduce_scatter(chl_comm *comm, const float *from, float *to, size_t count,
                                        void *stream) {
    return sum(of(comm), nccl.ReduceScatter, "ncclReduceScatter", from, to, count, stream);
}
static chl_kernel_status broadcast(chl_comm *comm, void *data, size_t bytes, int root,
                                   void *stream) {
    on_gpu *g = of(comm);
    if (root < 0 || root >= comm->ranks) return CHL_KERNEL_BAD_INPUT;
    if (!enter(g)) return fail(g);
    return leave(g, nccl.Broadcast(data, data, bytes, NCCL_INT8, root, g->handle, stream),
                 "ncclBroadcast");
}

/* Also where faults of queued work are found. */
static chl_kernel_status barrier(chl_comm *comm) {
    on_gpu *g = of(comm);
    int error = 0;
    if (!enter(g)) return fail(g);
    const int asked = nccl.CommGetAsyncError(g->handle, &error);
    const chl_kernel_status status =
        leave(g, asked ? asked : error,
              asked ? "ncclCommGetAsyncError" : "NCCL, in work that was queued");
    return status == CHL_KERNEL_OK ? g->host->kind->barrier(g->host) : status;
}

static chl_kernel_status begin_step(chl_comm *comm) {
    on_gpu *g = of(comm);
    return g->host->kind->begin_step(g->host);
}
static bool look(chl_comm *comm) {
    bool on_request; /* the watcher looks */
    return of(comm)->host->kind->who_failed(of(comm)->host, &on_request) < 0;
}
static int who_failed(chl_comm *comm, bool *on_request) {
    return of(comm)->host->kind->who_failed(of(comm)->host, on_request);
}

static void abort_all(chl_comm *comm, const char *why) {
    on_gpu *g = of(comm);
    g->host->kind->abort(g->host, why);
    pthread_mutex_lock(&g->lock); /* the watcher does not use it now */
    abort_nccl(g);
    pthread_mutex_unlock(&g->lock);
}

static const char *last_error(chl_comm *comm) {
    on_gpu *g = of(comm);
    if (!g->has_error) return g->host->kind->last_error(g->host);
    g->has_error = false;
    return g->error;
}

/* --- looking after the others ----------------------------------------------------------------- */
/* False: the job has failed. */
static bool look_once(on_gpu *g) {
    int error = 0;
    char why[320];
    if (!g->host->kind->look(g->host)) return false;
    if (nccl.CommGetAsyncError(g->handle, &error) != 0 || error == 0 || error == NCCL_IN_PROGRESS)
        return true;
    snprintf(why, sizeof why, "NCCL, in work that was queued: %s", nccl.GetErrorString(error));
    g->host->kind->abort(g->host, why);
    return false;
}

static void *watch(void *of_gpu) {
    on_gpu *g = of_gpu;
    pthread_mutex_lock(&g->lock);
    while (!g->ends) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_EVERY;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&g->changed, &g->lock, &until) != ETIMEDOUT) continue;
        if (atomic_load(&g->aborted)) break;
        if (look_once(g)) continue;
        abort_nccl(g);
        break;
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* Signals are for the program's own threads. */
static bool start_thread(pthread_t *thread, void *(*run)(void *), void *user) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(thread, NULL, run, user) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void free_all(on_gpu *g) {
    if (g->watched) {
        pthread_mutex_lock(&g->lock);
        g->ends = true;
        pthread_cond_signal(&g->changed);
        pthread_mutex_unlock(&g->lock);
        pthread_join(g->watcher, NULL);
    }
    if (g->handle && !atomic_load(&g->aborted)) (void)nccl.CommDestroy(g->handle);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static void close_all(chl_comm *comm) {
    chl_comm *host = of(comm)->host;
    free_all(of(comm));
    host->kind->close(host);
}

chl_comm *chl_comm_host(chl_comm *comm) {
    return comm->kind->host_memory ? comm : of(comm)->host;
}

/* --- opening ---------------------------------------------------------------------------------- */
/* A call of ncclCommInitRank. It belongs to the thread that makes it once the rank has left it. */
typedef struct joining {
    unique_id id;
    int ranks, rank, result;
    chl_device *device;
    handle handle;
    atomic_bool done;
} joining;

static void *join_ranks(void *of_joining) {
    joining *j = of_joining;
    if (j->device) chl_device_bind(j->device);
    j->result = nccl.CommInitRank(&j->handle, j->ranks, j->id, j->rank);
    atomic_store(&j->done, true);
    return NULL;
}

/* false: the job has failed. The step that begins here tells a rank that is still to call
 * ncclCommInitRank from one that waits in it. */
static bool await_ranks(on_gpu *g, const joining *j) {
    const struct timespec moment = {.tv_nsec = 1000000};
    chl_process_idle since = {0};
    bool alive = g->host->kind->begin_step(g->host) == CHL_KERNEL_OK;
    double looked = 0;
    while (alive && !atomic_load(&j->done)) {
        char text[64];
        nanosleep(&moment, NULL);
        const double seconds = chl_process_await(&since);
        if (seconds < looked + 1e-9 * LOOK_EVERY) continue;
        looked = seconds;
        alive = g->host->kind->look(g->host);
        if (!alive || seconds <= JOINING) continue;
        snprintf(text, sizeof text, "ncclCommInitRank has not returned for %d s", JOINING);
        g->host->kind->abort(g->host, text);
    }
    return alive;
}

/* The job has failed before NCCL's ranks had met. */
static bool cannot_meet(on_gpu *g, char *why, size_t size) {
    const char *text = fail(g) == CHL_KERNEL_OK ? NULL : g->host->kind->last_error(g->host);
    snprintf(why, size, "NCCL's ranks could not meet: %s", text ? text : "no reason given");
    return false;
}

/* This rank cannot go on, and the others are told. */
static bool give_up(on_gpu *g, const char *why) {
    g->host->kind->abort(g->host, why);
    return false;
}

static bool join_all(on_gpu *g, joining *j, char *why, size_t size) {
    pthread_t thread;
    if (!start_thread(&thread, join_ranks, j)) {
        snprintf(why, size, "NCCL: no thread can be started to meet the ranks");
        free(j);
        return give_up(g, why);
    }
    if (!await_ranks(g, j)) {
        pthread_detach(thread);
        return cannot_meet(g, why, size);
    }
    pthread_join(thread, NULL);
    const int result = j->result;
    if (result == 0) g->handle = j->handle;
    free(j);
    if (result == 0) return true;
    snprintf(why, size, "ncclCommInitRank: %s", nccl.GetErrorString(result));
    return give_up(g, why);
}

/* Rank 0's id for all. */
static bool meet(on_gpu *g, chl_device *device, char *why, size_t size) {
    joining *j = calloc(1, sizeof *j);
    if (!j) {
        snprintf(why, size, "out of memory for a communicator");
        return give_up(g, why);
    }
    *j = (joining){.ranks = g->comm.ranks, .rank = g->comm.rank, .device = device};
    const int result = j->rank == 0 ? nccl.GetUniqueId(&j->id) : 0;
    if (result != 0) g->host->kind->abort(g->host, nccl.GetErrorString(result));
    if (g->host->kind->broadcast(g->host, &j->id, sizeof j->id, 0, NULL) == CHL_KERNEL_OK)
        return join_all(g, j, why, size);
    free(j);
    return cannot_meet(g, why, size);
}

/* The thread that looks after the others for as long as the communicator is open */
static bool start_watching(on_gpu *g, char *why, size_t size) {
    g->watched = start_thread(&g->watcher, watch, g);
    if (g->watched) return true;
    snprintf(why, size, "NCCL: no thread can be started to look after the ranks");
    g->host->kind->abort(g->host, why);
    abort_nccl(g);
    return false;
}

static void prepare_lock(on_gpu *g) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* nobody sets it */
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

chl_comm *chl_comm_open_nccl(chl_comm *host, chl_device *device, char *why, size_t size) {
    static const chl_comm_kind kind = CHL_COMM_KIND("nccl", false, close_all);
    if (!open_library(why, size)) {
        host->kind->abort(host, why);
        return NULL;
    }
    on_gpu *g = calloc(1, sizeof *g);
    if (!g) {
        snprintf(why, size, "out of memory for a communicator");
        host->kind->abort(host, why);
        return NULL;
    }
    g->comm = (chl_comm){&kind, host->rank, host->ranks, g};
    g->host = host;
    prepare_lock(g);
    if (meet(g, device, why, size) && start_watching(g, why, size)) return &g->comm;
    free_all(g);
    return NULL;
}
