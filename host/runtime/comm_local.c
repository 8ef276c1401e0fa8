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
 * process is gone, stopped for some seconds, uses no processor although the others wait for it, or
 * computes and finishes nothing, ends the job, and every rank gets its number. So does a rank that is told to stop and waits for
 * one that does not come. Beside its arrival a rank writes what it was called for; a difference
 * ends the job too, where it would otherwise be a wrong sum.
 *
 * Ranks on GPUs wait in a kernel, not here: a thread of theirs looks (look), and a rank counts the
 * steps that it begins, so that one that has not begun this step can be told from one that waits.
 *
 * All zeros is the state at first, so nobody has to prepare the memory. */
#include "base/clock.h"
#include "base/progress.h"
#include "runtime/comm_calls.h"
#include "runtime/process.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BOX ((size_t)256 << 10)
#define LINE 64             /* a cache line: ranks write beside each other */
#define LOOK_EVERY 50000000 /* ns between looks after the others */
#define DISK 300            /* s that it may do nothing because a disk or a server is slow */

typedef struct shared_rank {
    _Alignas(LINE) _Atomic uint64_t arrived; /* waits that it has entered */
    _Atomic uint64_t called_for[2];          /* purpose and bytes, of even and of odd waits */
    _Atomic int32_t process;
    _Atomic int32_t left;
    _Atomic uint64_t steps;    /* that it has begun */
    _Atomic uint64_t finished; /* base/progress.h */
} shared_rank;

typedef struct shared {
    _Atomic int32_t ranks;
    _Atomic uint32_t bell;   /* the futex: counts arrivals of all */
    _Atomic int32_t blaming; /* rank + 1 of who writes the lines below */
    _Atomic int32_t failed;  /* they are written */
    int32_t on_request;      /* because a rank was told to stop */
    char why[256];
    shared_rank of[CHL_COMM_LOCAL_RANKS];
} shared;

/* What one rank has seen of another */
typedef struct watch {
    chl_process_idle idle;
    chl_process_loop loop;
} watch;

typedef struct local {
    chl_comm comm;
    shared *shared;
    int file;    /* held open for its lock (comm.c) */
    char *boxes; /* [2][ranks][BOX] */
    size_t mapped;
    _Atomic uint64_t waits; /* the thread that looks reads it too */
    chl_comm_place place;   /* its times are set */
    /* of the thread that looks: since which step, and by rank */
    uint64_t step;
    watch watch[CHL_COMM_LOCAL_RANKS];
    chl_process_idle told;
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
static void blame_text(const local *l, bool on_request, const char *format, va_list arguments) {
    shared *s = l->shared;
    int32_t none = 0;
    if (!atomic_compare_exchange_strong(&s->blaming, &none, l->comm.rank + 1)) return;
    vsnprintf(s->why, sizeof s->why, format, arguments);
    s->on_request = on_request;
    atomic_store(&s->failed, 1);
    ring(s);
}

/* Another rank may be writing the reason. One that is killed while it does leaves none. */
static void await_reason(const local *l) {
    const double until = chl_seconds_now() + 1;
    while (!atomic_load(&l->shared->failed) && chl_seconds_now() < until) sched_yield();
}

__attribute__((format(printf, 2, 3))) static void blame(const local *l, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    blame_text(l, false, format, arguments);
    va_end(arguments);
}

/* This rank was told to stop. */
__attribute__((format(printf, 2, 3))) static void stop(const local *l, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    blame_text(l, true, format, arguments);
    va_end(arguments);
}

static chl_kernel_status fail(local *l) {
    snprintf(l->error, sizeof l->error, "%s", l->shared->why);
    l->has_error = true;
    return CHL_KERNEL_FAILED;
}

/* --- looking after the others ----------------------------------------------------------------- */
static void look_after_process(const local *l, int rank, int32_t process,
                               const chl_process_state *state, watch *seen) {
    shared_rank *other = &l->shared->of[rank];
    const chl_process_idle so_far = chl_process_watch(&seen->idle, state, l->place.idle);
    const double loops =
        chl_process_loops(&seen->loop, state, atomic_load(&other->finished), l->place.idle);
    const int limit = so_far.why == 'T'   ? l->place.patience
                      : so_far.why == 'D' ? DISK
                                          : l->place.idle;
    if (state->letter == 0) return;
    /* before the first step there is work that is not counted */
    if (loops > l->place.idle && atomic_load(&other->steps) > 0)
        blame(
            l,
            "rank %d (process %d) has computed for %d s without finishing anything, though others "
            "wait for it",
            rank, (int)process, l->place.idle);
    if (so_far.seconds <= limit) return;
    blame(l, "rank %d (process %d) has %s for %d s", rank, (int)process,
          so_far.why == 'T' ? "been stopped" : "done nothing, though others wait for it,", limit);
}

/* A rank for which this one waits. */
static void look_after(const local *l, int rank, watch *seen) {
    shared_rank *other = &l->shared->of[rank];
    const int32_t process = atomic_load(&other->process);
    const bool left = atomic_load(&other->left);
    const chl_process_state state =
        process ? chl_process_look(process) : (chl_process_state){.letter = 0};
    /* it may have come, and then ended as it should */
    if (atomic_load(&other->arrived) >= l->waits) return;
    if (left)
        blame(l, "rank %d has left the job", rank);
    else if (process == 0 && chl_process_await(&seen->idle) > l->place.coming)
        blame(l, "rank %d has not come within %d s", rank, l->place.coming);
    else if (process == 0 || process == getpid()) /* a thread of this process */
        return;
    else if (state.dead)
        blame(l, "rank %d has died (process %d)", rank, (int)process);
    else
        look_after_process(l, rank, process, &state, seen);
}

/* Some time is left to a rank that comes late: then all end after a step, with a checkpoint. */
static void look_for_request(const local *l, int rank, chl_process_idle *told) {
    const chl_comm_place *place = &l->place;
    if (!place->told_to_stop || !place->told_to_stop(place->user)) return;
    if (chl_process_await(told) <= (l->waits <= 1 ? CHL_COMM_TOLD_FIRST : CHL_COMM_TOLD)) return;
    stop(l, "rank %d was told to stop while it waited for rank %d", (int)l->comm.rank, rank);
}

/* --- waiting ---------------------------------------------------------------------------------- */
static chl_kernel_status wait_for(local *l, int rank) {
    const struct timespec some = {.tv_nsec = LOOK_EVERY};
    shared *s = l->shared;
    watch seen = {0};
    chl_process_idle told = {0};
    for (;;) {
        const uint32_t bell = atomic_load(&s->bell);
        if (atomic_load(&s->of[rank].arrived) >= l->waits) return CHL_KERNEL_OK;
        if (atomic_load(&s->failed)) return fail(l);
        const long woken = syscall(SYS_futex, &s->bell, FUTEX_WAIT, bell, &some, NULL, 0);
        if (woken == 0 || errno != ETIMEDOUT) continue;
        look_after(l, rank, &seen);
        look_for_request(l, rank, &told);
    }
}

/* All ranks must have come for the same. */
static chl_kernel_status compare(local *l, chl_purpose what, size_t bytes, uint64_t own) {
    shared *s = l->shared;
    for (int r = 0; r < l->comm.ranks; r++) {
        const uint64_t theirs = atomic_load(&s->of[r].called_for[l->waits & 1]);
        if (theirs == own) continue;
        blame(l, "rank %d calls %s of %zu bytes, rank %d %s of %zu: all must call the same",
              (int)l->comm.rank, chl_purpose_name(what), bytes, r, chl_purpose_name(theirs),
              (size_t)(theirs >> 3));
        await_reason(l);
        return fail(l);
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status meet(local *l, chl_purpose what, size_t bytes) {
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
    blame(of(comm), "rank %d: %.200s", (int)comm->rank, why);
    await_reason(of(comm));
}

static chl_kernel_status begin_step(chl_comm *comm) {
    local *l = of(comm);
    atomic_fetch_add(&l->shared->of[comm->rank].steps, 1);
    return atomic_load(&l->shared->failed) ? fail(l) : CHL_KERNEL_OK;
}

/* Only a rank that has not begun the step of this one can be waited for. */
static void look_at(local *l, int rank) {
    shared_rank *other = &l->shared->of[rank];
    const int32_t process = atomic_load(&other->process);
    if (process == 0 || process == getpid() || atomic_load(&other->left)) return;
    const chl_process_state state = chl_process_look(process);
    if (state.dead && !atomic_load(&other->left)) {
        blame(l, "rank %d has died (process %d)", rank, (int)process);
    } else if (atomic_load(&other->steps) < l->step) {
        look_after_process(l, rank, process, &state, &l->watch[rank]);
        look_for_request(l, rank, &l->told);
    }
}

static bool look(chl_comm *comm) {
    local *l = of(comm);
    const uint64_t step = atomic_load(&l->shared->of[comm->rank].steps);
    if (step != l->step) {
        memset(l->watch, 0, sizeof l->watch);
        l->told = (chl_process_idle){0};
        l->step = step;
    }
    for (int r = 0; r < comm->ranks; r++) look_at(l, r);
    return !atomic_load(&l->shared->failed);
}

static int who_failed(chl_comm *comm, bool *on_request) {
    const shared *s = of(comm)->shared;
    const bool failed = atomic_load(&s->failed);
    *on_request = failed && s->on_request;
    return failed ? atomic_load(&s->blaming) - 1 : -1;
}

static const char *last_error(chl_comm *comm) {
    local *l = of(comm);
    if (!l->has_error) return NULL;
    l->has_error = false;
    return l->error;
}

static void close_local(chl_comm *comm) {
    local *l = of(comm);
    chl_progress_unshare(&l->shared->of[comm->rank].finished);
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
    static const chl_comm_kind kind = CHL_COMM_KIND("local", true, close_local);
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
    l->place = chl_comm_place_timed(place);
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
    if (take_place(l, why, size)) {
        chl_progress_share(&l->shared->of[place->rank].finished);
        return &l->comm;
    }
    munmap(memory, l->mapped);
    close(l->file);
    free(l);
    return NULL;
}
