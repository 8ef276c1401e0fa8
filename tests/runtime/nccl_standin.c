/* A library with NCCL's functions, for tests without a GPU: ranks are threads of one process,
 * memory is the host's, and all work is done while the caller waits. It checks what NCCL leaves to
 * the caller: that all ranks ask for the same. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 4, MOST = 16, GROUPS = 256, INT8 = 0, FLOAT32 = 7 };

typedef struct ncclUniqueId {
    char internal[128];
} ncclUniqueId;

typedef struct call {
    int what, type, root;
    size_t count;
    const void *from;
} call;

typedef struct group {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int ranks, arrived;
    unsigned passed;
    call of[MOST];
} group;

typedef struct ncclComm {
    group *group;
    int rank;
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

static group groups[GROUPS];
static int used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void wait_for_all(group *g) {
    pthread_mutex_lock(&g->lock);
    const unsigned before = g->passed;
    if (++g->arrived == g->ranks) {
        g->arrived = 0;
        g->passed++;
        pthread_cond_broadcast(&g->changed);
    }
    while (g->passed == before) pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

int ncclGetUniqueId(ncclUniqueId *id) {
    pthread_mutex_lock(&lock);
    const int number = used++;
    pthread_mutex_unlock(&lock);
    if (number >= GROUPS) return INVALID;
    memset(id->internal, 0x5a, sizeof id->internal);
    memcpy(id->internal + 100, &number, sizeof number); /* all 128 bytes must arrive */
    pthread_mutex_init(&groups[number].lock, NULL);
    pthread_cond_init(&groups[number].changed, NULL);
    return SUCCESS;
}

int ncclCommInitRank(ncclComm_t *out, int ranks, ncclUniqueId id, int rank) {
    int number;
    memcpy(&number, id.internal + 100, sizeof number);
    if (id.internal[127] != 0x5a || number < 0 || number >= GROUPS || ranks > MOST) return INVALID;
    *out = malloc(sizeof **out);
    if (!*out) return INVALID;
    **out = (ncclComm){&groups[number], rank};
    pthread_mutex_lock(&groups[number].lock);
    groups[number].ranks = ranks;
    pthread_mutex_unlock(&groups[number].lock);
    wait_for_all(&groups[number]);
    return SUCCESS;
}

int ncclCommDestroy(ncclComm_t comm) {
    free(comm);
    return SUCCESS;
}
int ncclCommAbort(ncclComm_t comm) {
    return ncclCommDestroy(comm);
}
int ncclCommGetAsyncError(ncclComm_t comm, int *error) {
    (void)comm;
    *error = SUCCESS;
    return SUCCESS;
}
const char *ncclGetErrorString(int result) {
    return result == INVALID ? "invalid argument" : "no error";
}

/* Numbers [first, first + count) of the sum */
static void add(const group *g, size_t first, float *sum, size_t count) {
    for (size_t i = 0; i < count; i++) sum[i] = ((const float *)g->of[0].from)[first + i];
    for (int r = 1; r < g->ranks; r++)
        for (size_t i = 0; i < count; i++) sum[i] += ((const float *)g->of[r].from)[first + i];
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
    if (c->what == BROADCAST) memcpy(result, g->of[c->root].from, size);
    for (int r = 0; c->what == GATHER && r < g->ranks; r++)
        memcpy(result + (size_t)r * (size / (size_t)g->ranks), g->of[r].from,
               size / (size_t)g->ranks);
}

/* Results are written when nobody reads inputs any more: they may lie on them. */
static int run(ncclComm_t comm, const call *c, void *to) {
    group *g = comm->group;
    const size_t size = bytes_of(g, c);
    char *result = malloc(size + 1);
    g->of[comm->rank] = *c;
    wait_for_all(g);
    const bool fits = result && same(g, c);
    if (fits) compute(comm, c, result);
    wait_for_all(g);
    if (fits) memcpy(to, result, size);
    free(result);
    return fits ? SUCCESS : INVALID;
}

int ncclAllGather(const void *from, void *to, size_t count, int type, ncclComm_t comm,
                  void *stream) {
    (void)stream;
    return run(comm, &(call){GATHER, type, 0, count, from}, to);
}
int ncclAllReduce(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm,
                  void *stream) {
    (void)stream;
    return op == 0 && type == FLOAT32 ? run(comm, &(call){REDUCE, type, 0, count, from}, to)
                                      : INVALID;
}
int ncclReduceScatter(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm,
                      void *stream) {
    (void)stream;
    return op == 0 && type == FLOAT32 ? run(comm, &(call){SCATTER, type, 0, count, from}, to)
                                      : INVALID;
}
int ncclBroadcast(const void *from, void *to, size_t count, int type, int root, ncclComm_t comm,
                  void *stream) {
    (void)stream;
    return run(comm, &(call){BROADCAST, type, root, count, from}, to);
}
