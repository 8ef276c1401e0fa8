/* A library with NCCL's functions, for tests without a GPU: ranks are threads or processes, memory is
 * the host's. Work is done while the caller waits, or on the queue that is named, where the program
 * emulates a GPU (tests/emu/backend_emu.h). It checks what NCCL leaves to the caller: that all ranks
 * ask for the same. A rank that waits for another waits until its communicator is aborted, as a
 * kernel of NCCL does. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, REMOTE = 6, INVALID = 4, MOST = 16, INT8 = 0, FLOAT32 = 7 };
#define BOX ((size_t)8 << 20)
/* A sum of so many numbers never comes: the network fails. */
#define BROKEN_COUNT 4242

typedef struct ncclUniqueId {
    char internal[128];
} ncclUniqueId;

typedef struct call {
    int what, type, root;
    size_t count;
} call;

/* In shared memory; behind it a box for the input of each rank. */
typedef struct group {
    atomic_int ranks, arrived;
    atomic_uint passed;
    call of[MOST];
} group;

typedef struct ncclComm {
    group *group;
    int rank;
    atomic_bool aborted;
    atomic_int inside; /* calls that run */
    atomic_int users;  /* of it: queued calls, and who has made it */
    atomic_int error;
} ncclComm;
typedef ncclComm *ncclComm_t;

#define API __attribute__((visibility("default")))
API int ncclGetUniqueId(ncclUniqueId *id);
API int ncclCommInitRank(ncclComm_t *out, int ranks, ncclUniqueId id, int rank);
API int ncclCommDestroy(ncclComm_t comm);
API int ncclCommAbort(ncclComm_t comm);
API int ncclCommGetAsyncError(ncclComm_t comm, int *error);
API const char *ncclGetErrorString(int result);
API int ncclAllGather(const void *from, void *to, size_t count, int type, ncclComm_t comm,
                      void *stream);
API int ncclAllReduce(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm,
                      void *stream);
API int ncclReduceScatter(const void *from, void *to, size_t count, int type, int op,
                          ncclComm_t comm, void *stream);
API int ncclBroadcast(const void *from, void *to, size_t count, int type, int root, ncclComm_t comm,
                      void *stream);

static char *box(const group *g, int rank) {
    return (char *)(g + 1) + (size_t)rank * BOX;
}
#define MAPPED (sizeof(group) + MOST * BOX)

static void rest(void) {
    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

/* False: aborted */
static bool wait_for_all(ncclComm *comm) {
    group *g = comm->group;
    const unsigned before = atomic_load(&g->passed);
    if (atomic_fetch_add(&g->arrived, 1) + 1 == atomic_load(&g->ranks)) {
        atomic_store(&g->arrived, 0);
        atomic_fetch_add(&g->passed, 1);
    }
    while (atomic_load(&g->passed) == before && !atomic_load(&comm->aborted)) rest();
    return !atomic_load(&comm->aborted);
}

/* The id names a file in shared memory; all 128 bytes must arrive. */
static group *map(const char *name, int flags) {
    const int file = shm_open(name, O_RDWR | O_CLOEXEC | flags, 0600);
    if (file < 0) return NULL;
    void *memory = MAP_FAILED;
    if (ftruncate(file, MAPPED) == 0)
        memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? NULL : memory;
}

int ncclGetUniqueId(ncclUniqueId *id) {
    static atomic_int used;
    memset(id->internal, 0x5a, sizeof id->internal);
    snprintf(id->internal, 64, "/nccl-standin-%d-%d", (int)getpid(), atomic_fetch_add(&used, 1));
    group *g = map(id->internal, O_CREAT);
    if (!g) return INVALID;
    munmap(g, MAPPED);
    return SUCCESS;
}

int ncclCommInitRank(ncclComm_t *out, int ranks, ncclUniqueId id, int rank) {
    if (id.internal[127] != 0x5a || ranks > MOST) return INVALID;
    group *g = map(id.internal, 0);
    ncclComm *comm = g ? calloc(1, sizeof *comm) : NULL;
    if (!comm) return INVALID;
    comm->group = g;
    comm->rank = rank;
    atomic_store(&comm->users, 1);
    atomic_store(&g->ranks, ranks);
    wait_for_all(comm);
    if (rank == 0) shm_unlink(id.internal);
    *out = comm;
    return SUCCESS;
}

static void let_go(ncclComm *comm) {
    if (atomic_fetch_sub(&comm->users, 1) > 1) return;
    munmap(comm->group, MAPPED);
    free(comm);
}

int ncclCommDestroy(ncclComm_t comm) {
    let_go(comm);
    return SUCCESS;
}
int ncclCommAbort(ncclComm_t comm) {
    atomic_store(&comm->aborted, true);
    while (atomic_load(&comm->inside) > 0) rest();
    return ncclCommDestroy(comm);
}
int ncclCommGetAsyncError(ncclComm_t comm, int *error) {
    *error = atomic_load(&comm->error);
    return SUCCESS;
}
const char *ncclGetErrorString(int result) {
    return result == INVALID ? "invalid argument" : result == REMOTE ? "remote error" : "no error";
}

/* Numbers [first, first + count) of the sum */
static void add(const group *g, size_t first, float *sum, size_t count) {
    for (size_t i = 0; i < count; i++) sum[i] = ((const float *)(void *)box(g, 0))[first + i];
    for (int r = 1; r < g->ranks; r++)
        for (size_t i = 0; i < count; i++) sum[i] += ((const float *)(void *)box(g, r))[first + i];
}

enum { GATHER, REDUCE, SCATTER, BROADCAST };

static size_t bytes_of(const group *g, const call *c) {
    const size_t item = c->type == FLOAT32 ? sizeof(float) : 1;
    return c->count * item * (size_t)(c->what == GATHER ? g->ranks : 1);
}

static bool same(const group *g, const call *c) {
    bool all = true;
    for (int r = 0; r < g->ranks; r++)
        all = all && g->of[r].what == c->what && g->of[r].type == c->type &&
              g->of[r].count == c->count && g->of[r].root == c->root;
    return all;
}

static void compute(const ncclComm *comm, const call *c, char *result) {
    const group *g = comm->group;
    const size_t size = bytes_of(g, c);
    if (c->what == REDUCE) add(g, 0, (float *)(void *)result, c->count);
    if (c->what == SCATTER)
        add(g, (size_t)comm->rank * c->count, (float *)(void *)result, c->count);
    if (c->what == BROADCAST) memcpy(result, box(g, c->root), size);
    for (int r = 0; c->what == GATHER && r < g->ranks; r++)
        memcpy(result + (size_t)r * (size / (size_t)g->ranks), box(g, r), size / (size_t)g->ranks);
}

/* The bytes of a rank's input */
static size_t input_of(const group *g, const call *c) {
    const size_t all = bytes_of(g, c), ranks = (size_t)atomic_load(&g->ranks);
    return c->what == GATHER ? all / ranks : c->what == SCATTER ? all * ranks : all;
}

static bool exchange(ncclComm *comm, const call *c, const void *from, char *result) {
    group *g = comm->group;
    g->of[comm->rank] = *c;
    memcpy(box(g, comm->rank), from, input_of(g, c));
    if (!wait_for_all(comm)) return false;
    const bool fits = same(g, c);
    if (fits) compute(comm, c, result);
    return wait_for_all(comm) && fits;
}

static int run(ncclComm_t comm, const call *c, const void *from, void *to) {
    const size_t size = bytes_of(comm->group, c);
    if (input_of(comm->group, c) > BOX) return INVALID;
    atomic_fetch_add(&comm->inside, 1);
    char *result = malloc(size + 1);
    if (c->what == REDUCE && c->count == BROKEN_COUNT) {
        atomic_store(&comm->error, REMOTE);
        while (!atomic_load(&comm->aborted)) rest();
    }
    const bool fits = result && !atomic_load(&comm->aborted) && exchange(comm, c, from, result);
    if (fits) memcpy(to, result, size);
    free(result);
    atomic_fetch_sub(&comm->inside, 1);
    return fits ? SUCCESS : INVALID;
}

/* --- on a queue ------------------------------------------------------------------------------- */
typedef struct queued {
    ncclComm_t comm;
    call call;
    const void *from;
    void *to;
} queued;

/* A failure of queued work is heard of later. */
static int run_queued(void *of) {
    const queued *q = of;
    if (run(q->comm, &q->call, q->from, q->to) != SUCCESS && !atomic_load(&q->comm->aborted))
        atomic_store(&q->comm->error, INVALID);
    return 0;
}
static void free_queued(void *of) {
    let_go(((queued *)of)->comm);
    free(of);
}

typedef int (*enqueue)(void *stream, int (*work)(void *), void *data, void (*release)(void *));

static int run_on(ncclComm_t comm, call c, const void *from, void *to, void *stream) {
    enqueue add_to_queue = NULL;
    if (stream) *(void **)&add_to_queue = dlsym(RTLD_DEFAULT, "chl_emu_enqueue");
    if (!add_to_queue) return run(comm, &c, from, to);
    queued *q = malloc(sizeof *q);
    if (!q) return INVALID;
    *q = (queued){comm, c, from, to};
    atomic_fetch_add(&comm->users, 1);
    return add_to_queue(stream, run_queued, q, free_queued);
}

int ncclAllGather(const void *from, void *to, size_t count, int type, ncclComm_t comm,
                  void *stream) {
    return run_on(comm, (call){GATHER, type, 0, count}, from, to, stream);
}
int ncclAllReduce(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm,
                  void *stream) {
    if (op != 0 || type != FLOAT32) return INVALID;
    return run_on(comm, (call){REDUCE, type, 0, count}, from, to, stream);
}
int ncclReduceScatter(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm,
                      void *stream) {
    if (op != 0 || type != FLOAT32) return INVALID;
    return run_on(comm, (call){SCATTER, type, 0, count}, from, to, stream);
}
int ncclBroadcast(const void *from, void *to, size_t count, int type, int root, ncclComm_t comm,
                  void *stream) {
    return run_on(comm, (call){BROADCAST, type, root, count}, from, to, stream);
}
