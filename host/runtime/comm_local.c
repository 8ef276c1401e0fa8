/* The ranks of one machine, processes or threads, in shared memory.
 *
 * Idea: each rank has two boxes. A collective goes in chunks of a box: every rank fills its box,
 * waits until all have filled theirs, and reads from the boxes what it needs. The next chunk uses
 * the other box, so that one wait a chunk is enough: who fills the first box again has passed the
 * wait for the second, which every rank enters after it has read the first.
 *
 * A sum begins with rank 0's number and adds the others in the order of the ranks, on every rank.
 *
 * Waiting: a rank counts its arrivals in shared memory, and sleeps on a futex until the counts of
 * all others have reached its own. Whoever waits looks after the others: one that has left, whose
 * process is gone, or which has stood stopped for some seconds, ends the job, and every rank gets
 * its number. Beside its arrival a rank writes what it was called for; a difference ends the job
 * too, where it would otherwise be a wrong sum.
 *
 * All zeros is the state at first, so nobody has to prepare the memory. */
#include "runtime/comm.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BOX ((size_t)256 << 10)
#define LINE 64             /* a cache line: ranks write beside each other */
#define LOOK_EVERY 50000000 /* ns between looks after the others */
#define PATIENCE 30         /* s */
#define COMING 300          /* s that a rank may come later than another */
#define LONGEST_LOOK 0.5    /* s that count between two looks */

typedef enum purpose { BARRIER, GATHER, REDUCE, SCATTER, BROADCAST } purpose;
static const char *const purpose_name[] = {"barrier", "all_gather", "all_reduce", "reduce_scatter",
                                           "broadcast"};

typedef struct shared_rank {
    _Alignas(LINE) _Atomic uint64_t arrived; /* waits that it has entered */
    _Atomic uint64_t called_for[2];          /* purpose and bytes, of even and of odd waits */
    _Atomic int32_t process;
    _Atomic int32_t left;
} shared_rank;

typedef struct shared {
    _Atomic int32_t ranks;
    _Atomic uint32_t bell;   /* the futex: counts arrivals of all */
    _Atomic int32_t blaming; /* somebody writes the lines below */
    _Atomic int32_t failed;  /* they are written */
    char why[256];
    shared_rank of[CHL_COMM_LOCAL_RANKS];
} shared;

typedef struct local {
    chl_comm comm;
    shared *shared;
    int file;    /* held open for its lock (comm.c) */
    char *boxes; /* [2][ranks][BOX] */
    size_t mapped;
    uint64_t waits;
    int patience;
    char error[320];
    bool has_error;
} local;

static local *of(chl_comm *comm) {
    return comm->context;
}

/* --- failing ---------------------------------------------------------------------------------- */
static void ring(shared *s) {
    atomic_fetch_add(&s->bell, 1);
    syscall(SYS_futex, &s->bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* The first reason counts. */
__attribute__((format(printf, 2, 3))) static void blame(shared *s, const char *format, ...) {
    int32_t none = 0;
    if (!atomic_compare_exchange_strong(&s->blaming, &none, 1)) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    atomic_store(&s->failed, 1);
    ring(s);
}

static chl_kernel_status fail(local *l) {
    snprintf(l->error, sizeof l->error, "%s", l->shared->why);
    l->has_error = true;
    return CHL_KERNEL_FAILED;
}

/* --- looking after another rank --------------------------------------------------------------- */
/* The letter of /proc/N/stat, after the name in parentheses: Z and X are dead, T and t are stopped;
 * 0 where nothing is known. */
static char state_of(int32_t process) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* How long another rank has been seen standing, or not there. */
typedef struct absence {
    double seconds, looked; /* looked: when last; 0: it runs */
} absence;

/* The time in which this rank stood too does not count: a batch system suspends all ranks, and they
 * go on one after the other. */
static double add_look(absence *a) {
    const double at = now(), since = a->looked > 0 ? at - a->looked : 0;
    a->seconds += since < LONGEST_LOOK ? since : LONGEST_LOOK;
    a->looked = at;
    return a->seconds;
}

static void look_after(const local *l, int rank, absence *other_absent) {
    shared_rank *other = &l->shared->of[rank];
    const int32_t process = atomic_load(&other->process);
    const bool left = atomic_load(&other->left);
    const char state = process ? state_of(process) : 0;
    const bool dead =
        state == 'Z' || state == 'X' || (process && kill(process, 0) != 0 && errno == ESRCH);
    /* it may have come, and then ended as it should */
    if (atomic_load(&other->arrived) >= l->waits) return;
    if (left) {
        blame(l->shared, "rank %d has left the job", rank);
        return;
    }
    if (process == getpid()) return; /* a thread of this process */
    if (process == 0) {
        if (add_look(other_absent) > COMING)
            blame(l->shared, "rank %d has not come within %d s", rank, COMING);
        return;
    }
    if (dead)
        blame(l->shared, "rank %d has died (process %d)", rank, (int)process);
    else if (state != 'T' && state != 't')
        *other_absent = (absence){0};
    else if (add_look(other_absent) > l->patience)
        blame(l->shared, "rank %d (process %d) has been stopped for %d s", rank, (int)process,
              l->patience);
}

/* --- waiting ---------------------------------------------------------------------------------- */
static chl_kernel_status wait_for(local *l, int rank) {
    const struct timespec some = {.tv_nsec = LOOK_EVERY};
    shared *s = l->shared;
    absence absent = {0};
    for (;;) {
        const uint32_t bell = atomic_load(&s->bell);
        if (atomic_load(&s->of[rank].arrived) >= l->waits) return CHL_KERNEL_OK;
        if (atomic_load(&s->failed)) return fail(l);
        const long woken = syscall(SYS_futex, &s->bell, FUTEX_WAIT, bell, &some, NULL, 0);
        if (woken != 0 && errno == ETIMEDOUT) look_after(l, rank, &absent);
    }
}

/* All ranks must have come for the same. */
static chl_kernel_status compare(local *l, purpose what, size_t bytes, uint64_t own) {
    shared *s = l->shared;
    for (int r = 0; r < l->comm.ranks; r++) {
        const uint64_t theirs = atomic_load(&s->of[r].called_for[l->waits & 1]);
        if (theirs == own) continue;
        blame(s, "rank %d calls %s of %zu bytes, rank %d %s of %zu: all must call the same",
              (int)l->comm.rank, purpose_name[what], bytes, r, purpose_name[theirs & 7],
              (size_t)(theirs >> 3));
        while (!atomic_load(&s->failed)) sched_yield(); /* another rank is writing it */
        return fail(l);
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status meet(local *l, purpose what, size_t bytes) {
    shared *s = l->shared;
    shared_rank *self = &s->of[l->comm.rank];
    const uint64_t called_for = (uint64_t)bytes << 3 | (uint64_t)what;
    if (atomic_load(&s->failed)) return fail(l);
    l->waits++;
    atomic_store(&self->called_for[l->waits & 1], called_for);
    atomic_store(&self->arrived, l->waits);
    ring(s);
    for (int r = 0; r < l->comm.ranks; r++) {
        const chl_kernel_status status = wait_for(l, r);
        if (status != CHL_KERNEL_OK) return status;
    }
    return compare(l, what, bytes, called_for);
}

/* The box of a rank that the wait number `wait` is about. */
static void *box(const local *l, uint64_t wait, int rank) {
    return l->boxes + ((wait & 1) * (size_t)l->comm.ranks + (size_t)rank) * BOX;
}
/* This rank's box that the next wait is about */
static void *own_box(const local *l) {
    return box(l, l->waits + 1, l->comm.rank);
}
static size_t part(size_t left, size_t most) {
    return left < most ? left : most;
}

/* --- the functions ---------------------------------------------------------------------------- */
static chl_kernel_status all_gather(chl_comm *comm, const void *from, void *to, size_t bytes,
                                    void *stream) {
    local *l = of(comm);
    (void)stream;
    for (size_t at = 0, some; at < bytes; at += some) {
        some = part(bytes - at, BOX);
        memcpy(own_box(l), (const char *)from + at, some);
        const chl_kernel_status status = meet(l, GATHER, bytes);
        if (status != CHL_KERNEL_OK) return status;
        for (int r = 0; r < comm->ranks; r++)
            memcpy((char *)to + (size_t)r * bytes + at, box(l, l->waits, r), some);
    }
    return CHL_KERNEL_OK;
}

/* to[count] = the sum over the ranks of what stands at `offset` in their boxes */
static void add_boxes(const local *l, size_t offset, float *to, size_t count) {
    memcpy(to, (float *)box(l, l->waits, 0) + offset, count * sizeof *to);
    for (int r = 1; r < l->comm.ranks; r++) {
        const float *more = (float *)box(l, l->waits, r) + offset;
        for (size_t i = 0; i < count; i++) to[i] += more[i];
    }
}

static chl_kernel_status all_reduce(chl_comm *comm, const float *from, float *to, size_t count,
                                    void *stream) {
    local *l = of(comm);
    (void)stream;
    for (size_t at = 0, some; at < count; at += some) {
        some = part(count - at, BOX / sizeof *from);
        memcpy(own_box(l), from + at, some * sizeof *from);
        const chl_kernel_status status = meet(l, REDUCE, count * sizeof *from);
        if (status != CHL_KERNEL_OK) return status;
        add_boxes(l, 0, to + at, some);
    }
    return CHL_KERNEL_OK;
}

/* A box holds a piece of every rank's row. */
static chl_kernel_status reduce_scatter(chl_comm *comm, const float *from, float *to, size_t count,
                                        void *stream) {
    local *l = of(comm);
    const size_t ranks = (size_t)comm->ranks, most = BOX / sizeof *from / ranks;
    (void)stream;
    for (size_t at = 0, some; at < count; at += some) {
        some = part(count - at, most);
        for (size_t r = 0; r < ranks; r++)
            memcpy((float *)own_box(l) + r * most, from + r * count + at, some * sizeof *from);
        const chl_kernel_status status = meet(l, SCATTER, count * sizeof *from);
        if (status != CHL_KERNEL_OK) return status;
        add_boxes(l, (size_t)comm->rank * most, to + at, some);
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status broadcast(chl_comm *comm, void *data, size_t bytes, int root,
                                   void *stream) {
    local *l = of(comm);
    (void)stream;
    if (root < 0 || root >= comm->ranks) return CHL_KERNEL_BAD_INPUT;
    for (size_t at = 0, some; at < bytes; at += some) {
        some = part(bytes - at, BOX);
        if (comm->rank == root) memcpy(own_box(l), (char *)data + at, some);
        const chl_kernel_status status = meet(l, BROADCAST, bytes);
        if (status != CHL_KERNEL_OK) return status;
        if (comm->rank != root) memcpy((char *)data + at, box(l, l->waits, root), some);
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status barrier(chl_comm *comm) {
    return meet(of(comm), BARRIER, 0);
}

static void abort_all(chl_comm *comm, const char *why) {
    blame(of(comm)->shared, "rank %d: %.200s", (int)comm->rank, why);
}

static const char *last_error(chl_comm *comm) {
    local *l = of(comm);
    if (!l->has_error) return NULL;
    l->has_error = false;
    return l->error;
}

static void close_local(chl_comm *comm) {
    local *l = of(comm);
    atomic_store(&l->shared->of[comm->rank].left, 1);
    ring(l->shared);
    munmap(l->shared, l->mapped);
    close(l->file);
    free(l);
}

/* --- opening ---------------------------------------------------------------------------------- */
static size_t boxes_at(void) {
    return (sizeof(shared) + BOX - 1) / BOX * BOX;
}

/* Memory that is there now: where it is not, a rank would die of SIGBUS when it first writes. */
static bool reserve(int file, size_t bytes) {
    struct stat about;
    int result;
    do result = fallocate(file, 0, 0, (off_t)bytes);
    while (result != 0 && errno == EINTR);
    if (result == 0) return true;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return false;
    return fstat(file, &about) == 0 && /* every rank asks for the same size */
           (about.st_size >= (off_t)bytes || ftruncate(file, (off_t)bytes) == 0);
}

/* Whoever comes first says how many ranks there are. */
static bool take_place(local *l, char *why, size_t size) {
    shared *s = l->shared;
    int32_t ranks = 0, process = 0;
    if (!atomic_compare_exchange_strong(&s->ranks, &ranks, l->comm.ranks) &&
        ranks != l->comm.ranks) {
        snprintf(why, size, "this rank is one of %d, others at the same place are of %d",
                 (int)l->comm.ranks, (int)ranks);
        return false;
    }
    if (atomic_compare_exchange_strong(&s->of[l->comm.rank].process, &process, getpid()))
        return true;
    snprintf(why, size, "rank %d is taken by process %d: every rank must have its own number",
             (int)l->comm.rank, (int)process);
    return false;
}

chl_comm *chl_comm_open_local(const chl_comm_place *place, int file, char *why, size_t size) {
    static const chl_comm_kind kind = {.name = "local",
                                       .host_memory = true,
                                       .all_gather = all_gather,
                                       .all_reduce = all_reduce,
                                       .reduce_scatter = reduce_scatter,
                                       .broadcast = broadcast,
                                       .barrier = barrier,
                                       .abort = abort_all,
                                       .last_error = last_error,
                                       .close = close_local};
    if (place->ranks > CHL_COMM_LOCAL_RANKS) {
        snprintf(why, size, "ranks of one machine must be at most %d, got %d", CHL_COMM_LOCAL_RANKS,
                 place->ranks);
        return NULL;
    }
    local *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(why, size, "out of memory for a communicator");
        return NULL;
    }
    l->comm = (chl_comm){&kind, place->rank, place->ranks, l};
    l->patience = place->patience > 0 ? place->patience : PATIENCE;
    l->mapped = boxes_at() + 2 * BOX * (size_t)place->ranks;
    void *memory = MAP_FAILED;
    l->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (l->file >= 0 && reserve(file, l->mapped))
        memory = mmap(NULL, l->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        snprintf(why, size, "%.1f MB of shared memory cannot be had: %s", 1e-6 * (double)l->mapped,
                 strerror(errno));
        if (l->file >= 0) close(l->file);
        free(l);
        return NULL;
    }
    l->shared = memory;
    l->boxes = (char *)memory + boxes_at();
    if (take_place(l, why, size)) return &l->comm;
    munmap(memory, l->mapped);
    close(l->file);
    free(l);
    return NULL;
}
