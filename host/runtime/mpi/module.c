/* Ranks on one machine or several, by MPI.
 *
 * An exchange begins with what each rank was called for, so that a difference is an error where it
 * would otherwise be a wrong sum. Then data goes in chunks through a box. A sum is taken as in the
 * kind local, beginning with rank 0's number: each rank adds its share of a chunk, and the shares
 * are gathered. MPI's own sums may be in another order on another rank or run.
 *
 * No exchange blocks inside MPI: a rank asks whether it is done, and meanwhile whether the job has
 * failed (beats.h). Opening waits for all ranks: MPI_Init as long as the launcher lets it, which
 * cannot be asked in between, and the making of the two communicators up to place.coming seconds.
 * A rank that fails never finishes MPI: the others might not come. */
#include "runtime/mpi/module.h"
#include "base/free.h"
#include "runtime/comm_calls.h"
#include "runtime/mpi/beats.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOX ((size_t)1 << 20)
#define SPINS 500       /* questions before a rank sleeps between them */
#define SLEEP 50000     /* ns */
#define LOOK_EVERY 1000 /* questions between looks */

typedef struct over_mpi {
    chl_comm comm;
    MPI_Comm world;
    char *box, *boxes; /* [BOX], [ranks][BOX] */
    uint64_t own;      /* what this rank is called for: MPI may read it after a failure */
    uint64_t *called;  /* [ranks] */
    chl_beats beats;
    chl_process_idle told; /* of look */
    char error[320];
    bool has_error;
} over_mpi;

static bool broken; /* an exchange was left: MPI cannot be finished */

static over_mpi *of(chl_comm *comm) {
    return comm->context;
}

/* --- waiting ---------------------------------------------------------------------------------- */
static chl_kernel_status fail(over_mpi *m) {
    snprintf(m->error, sizeof m->error, "%s", m->beats.why);
    m->has_error = true;
    broken = true;
    return CHL_KERNEL_FAILED;
}

static void look_for_request(over_mpi *m, chl_process_idle *told) {
    const chl_comm_place *place = &m->beats.place;
    const int behind = chl_beats_behind(&m->beats);
    if (behind < 0 || !place->told_to_stop || !place->told_to_stop(place->user)) return;
    if (chl_process_await(told) >
        (atomic_load(&m->beats.waits) <= 1 ? CHL_COMM_TOLD_FIRST : CHL_COMM_TOLD))
        chl_beats_blame(&m->beats, m->comm.rank, true,
                        "rank %d was told to stop while it waited for rank %d", (int)m->comm.rank,
                        behind);
}

static chl_kernel_status wait_for(over_mpi *m, MPI_Request *request, int begun) {
    const struct timespec some = {.tv_nsec = SLEEP};
    chl_process_idle told = {0};
    int done = 0;
    for (int asked = 0; begun == MPI_SUCCESS && !done; asked++) {
        begun = MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done || begun != MPI_SUCCESS) break;
        if (atomic_load(&m->beats.failed)) return fail(m);
        if (asked % LOOK_EVERY == LOOK_EVERY - 1) look_for_request(m, &told);
        if (asked < SPINS)
            sched_yield();
        else
            nanosleep(&some, NULL);
    }
    if (begun == MPI_SUCCESS) return CHL_KERNEL_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    MPI_Error_string(begun, text, &length);
    chl_beats_blame(&m->beats, m->comm.rank, false, "rank %d: MPI: %.200s", (int)m->comm.rank,
                    text);
    return fail(m);
}

/* All ranks must have come for the same. */
static chl_kernel_status compare(over_mpi *m, chl_purpose what, size_t bytes) {
    const uint64_t own = m->called[m->comm.rank];
    for (int r = 0; r < m->comm.ranks; r++) {
        const uint64_t theirs = m->called[r];
        if (theirs == own) continue;
        chl_beats_blame(&m->beats, m->comm.rank, false,
                        "rank %d calls %s of %zu bytes, rank %d %s of %zu: all must call the same",
                        (int)m->comm.rank, chl_purpose_name(what), bytes, r,
                        chl_purpose_name(theirs), (size_t)(theirs >> 3));
        return fail(m);
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status meet(over_mpi *m, chl_purpose what, size_t bytes) {
    MPI_Request request;
    if (atomic_load(&m->beats.failed)) return fail(m);
    m->own = (uint64_t)bytes << 3 | (uint64_t)what;
    atomic_fetch_add(&m->beats.waits, 1);
    atomic_store(&m->beats.waiting, true);
    chl_kernel_status status =
        wait_for(m, &request,
                 MPI_Iallgather(&m->own, sizeof m->own, MPI_BYTE, m->called, sizeof m->own,
                                MPI_BYTE, m->world, &request));
    atomic_store(&m->beats.waiting, false);
    return status == CHL_KERNEL_OK ? compare(m, what, bytes) : status;
}

static size_t part(size_t left, size_t most) {
    return left < most ? left : most;
}

/* --- the functions ---------------------------------------------------------------------------- */
/* box [bytes] of every rank -> boxes [ranks][bytes] */
static chl_kernel_status gather_boxes(over_mpi *m, size_t bytes) {
    MPI_Request request;
    return wait_for(m, &request,
                    MPI_Iallgather(m->box, (int)bytes, MPI_BYTE, m->boxes, (int)bytes, MPI_BYTE,
                                   m->world, &request));
}

/* Row r of box [ranks][count] goes to rank r; box [count] = the sum of what comes. */
static chl_kernel_status add_rows(over_mpi *m, size_t count) {
    MPI_Request request;
    float *sum = (float *)(void *)m->box;
    const float *rows = (const float *)(const void *)m->boxes;
    const chl_kernel_status status =
        wait_for(m, &request,
                 MPI_Ialltoall(m->box, (int)count, MPI_FLOAT, m->boxes, (int)count, MPI_FLOAT,
                               m->world, &request));
    if (status != CHL_KERNEL_OK) return status;
    memcpy(sum, rows, count * sizeof *sum);
    for (int r = 1; r < m->comm.ranks; r++)
        for (size_t i = 0; i < count; i++) sum[i] += rows[(size_t)r * count + i];
    return CHL_KERNEL_OK;
}

static chl_kernel_status all_gather(chl_comm *comm, const void *from, void *to, size_t bytes,
                                    void *stream) {
    over_mpi *m = of(comm);
    (void)stream;
    chl_kernel_status status = meet(m, GATHER, bytes);
    for (size_t at = 0, some; at < bytes && status == CHL_KERNEL_OK; at += some) {
        some = part(bytes - at, BOX);
        memcpy(m->box, (const char *)from + at, some);
        status = gather_boxes(m, some);
        for (int r = 0; status == CHL_KERNEL_OK && r < comm->ranks; r++)
            memcpy((char *)to + (size_t)r * bytes + at, m->boxes + (size_t)r * some, some);
    }
    return status;
}

static chl_kernel_status all_reduce(chl_comm *comm, const float *from, float *to, size_t count,
                                    void *stream) {
    over_mpi *m = of(comm);
    const size_t ranks = (size_t)comm->ranks, most = BOX / sizeof *from / ranks * ranks;
    (void)stream;
    chl_kernel_status status = meet(m, REDUCE, count * sizeof *from);
    for (size_t at = 0, some; at < count && status == CHL_KERNEL_OK; at += some) {
        some = part(count - at, most);
        const size_t share = (some + ranks - 1) / ranks;
        memset(m->box, 0, share * ranks * sizeof *from);
        memcpy(m->box, from + at, some * sizeof *from);
        status = add_rows(m, share);
        if (status == CHL_KERNEL_OK) status = gather_boxes(m, share * sizeof *from);
        if (status == CHL_KERNEL_OK) memcpy(to + at, m->boxes, some * sizeof *to);
    }
    return status;
}

static chl_kernel_status reduce_scatter(chl_comm *comm, const float *from, float *to, size_t count,
                                        void *stream) {
    over_mpi *m = of(comm);
    const size_t ranks = (size_t)comm->ranks, most = BOX / sizeof *from / ranks;
    (void)stream;
    chl_kernel_status status = meet(m, SCATTER, count * sizeof *from);
    for (size_t at = 0, some; at < count && status == CHL_KERNEL_OK; at += some) {
        some = part(count - at, most);
        for (size_t r = 0; r < ranks; r++)
            memcpy((float *)(void *)m->box + r * some, from + r * count + at, some * sizeof *from);
        status = add_rows(m, some);
        if (status == CHL_KERNEL_OK) memcpy(to + at, m->box, some * sizeof *to);
    }
    return status;
}

static chl_kernel_status broadcast(chl_comm *comm, void *data, size_t bytes, int root,
                                   void *stream) {
    over_mpi *m = of(comm);
    (void)stream;
    if (root < 0 || root >= comm->ranks) return CHL_KERNEL_BAD_INPUT;
    chl_kernel_status status = meet(m, BROADCAST, bytes);
    for (size_t at = 0, some; at < bytes && status == CHL_KERNEL_OK; at += some) {
        MPI_Request request;
        some = part(bytes - at, BOX);
        if (comm->rank == root) memcpy(m->box, (char *)data + at, some);
        status = wait_for(m, &request,
                          MPI_Ibcast(m->box, (int)some, MPI_BYTE, root, m->world, &request));
        if (status == CHL_KERNEL_OK && comm->rank != root) memcpy((char *)data + at, m->box, some);
    }
    return status;
}

static chl_kernel_status barrier(chl_comm *comm) {
    return meet(of(comm), BARRIER, 0);
}

static chl_kernel_status begin_step(chl_comm *comm) {
    over_mpi *m = of(comm);
    atomic_fetch_add(&m->beats.steps, 1);
    return atomic_load(&m->beats.failed) ? fail(m) : CHL_KERNEL_OK;
}

static bool look(chl_comm *comm) {
    over_mpi *m = of(comm);
    if (chl_beats_behind(&m->beats) < 0) m->told = (chl_process_idle){0};
    look_for_request(m, &m->told);
    return !atomic_load(&m->beats.failed);
}

static void abort_all(chl_comm *comm, const char *why) {
    chl_beats_blame(&of(comm)->beats, comm->rank, false, "rank %d: %.200s", (int)comm->rank, why);
}

static int who_failed(chl_comm *comm, bool *on_request) {
    const chl_beats *beats = &of(comm)->beats;
    const int failed = atomic_load(&beats->failed);
    *on_request = failed > 0 && beats->on_request;
    return failed - 1;
}

static const char *last_error(chl_comm *comm) {
    over_mpi *m = of(comm);
    if (!m->has_error) return NULL;
    m->has_error = false;
    return m->error;
}

/* --- opening and closing ---------------------------------------------------------------------- */
static void finish(void) {
    int finished = 0;
    MPI_Finalized(&finished);
    if (!finished && !broken) MPI_Finalize();
}

static bool start(char *why, size_t size) {
    int begun = 0, threads = 0;
    MPI_Initialized(&begun);
    if (begun) {
        MPI_Query_thread(&threads);
    } else if (MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &threads) == MPI_SUCCESS) {
        atexit(finish);
    } else {
        snprintf(why, size, "MPI cannot be started");
        return false;
    }
    if (threads == MPI_THREAD_MULTIPLE) return true;
    snprintf(why, size, "MPI must support MPI_THREAD_MULTIPLE: this one was %s without",
             begun ? "initialised" : "built");
    return false;
}

static bool is_place(const chl_comm_place *place, char *why, size_t size) {
    int rank = 0, ranks = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (rank == place->rank && ranks == place->ranks) return true;
    snprintf(why, size,
             "MPI says that this is rank %d of %d, the environment says %d of %d: start the ranks "
             "with the mpirun of this MPI, or with srun and its plug-in PMIx",
             rank, ranks, place->rank, place->ranks);
    return false;
}

static void free_all(over_mpi *m) {
    CHL_FREE(m->box, m->boxes, m->called, m);
}

/* An exchange that was left may still write into the boxes. The communicators stay until MPI is
 * finished: MPI_Comm_free may wait for ranks that close later, or that have died. */
static void close_mpi(chl_comm *comm) {
    over_mpi *m = of(comm);
    chl_beats_end(&m->beats);
    if (atomic_load(&m->beats.failed)) {
        broken = true;
        return;
    }
    free_all(m);
}

/* A communicator of all ranks; false, with a text: they do not come. MPI may write *made then. */
static bool copy_world(const chl_comm_place *place, MPI_Comm *made, char *why, size_t size) {
    const struct timespec some = {.tv_nsec = SLEEP};
    chl_process_idle coming = {0}, told = {0};
    MPI_Request request;
    int done = 0, result = MPI_Comm_idup(MPI_COMM_WORLD, made, &request);
    while (result == MPI_SUCCESS && !done) {
        result = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (result != MPI_SUCCESS || done) break;
        if (chl_process_await(&coming) > place->coming) {
            snprintf(why, size, "rank %d: not all ranks have come within %d s", place->rank,
                     place->coming);
            return false;
        }
        if (place->told_to_stop && place->told_to_stop(place->user) &&
            chl_process_await(&told) > CHL_COMM_TOLD_FIRST) {
            snprintf(why, size, "rank %d was told to stop while it waited for the others to come",
                     place->rank);
            return false;
        }
        nanosleep(&some, NULL);
    }
    if (result == MPI_SUCCESS) {
        MPI_Comm_set_errhandler(*made, MPI_ERRORS_RETURN);
        return true;
    }
    snprintf(why, size, "rank %d: MPI cannot make a communicator (MPI's error %d)", place->rank,
             result);
    return false;
}

/* All memory before the ranks wait for each other: one that lacks it ends at once, and the others
 * when it has not come (copy_world). */
static bool allocate(over_mpi *m, const chl_comm_place *place) {
    m->beats.comm = &m->comm;
    m->beats.place = chl_comm_place_timed(place);
    m->box = malloc(BOX);
    m->boxes = malloc(BOX * (size_t)place->ranks);
    m->called = malloc(sizeof *m->called * (size_t)place->ranks);
    return m->box && m->boxes && m->called && chl_beats_allocate(&m->beats);
}

static chl_comm *begin(const chl_comm_kind *kind, const chl_comm_place *place,
                       const _Atomic uint64_t *finished, char *why, size_t size) {
    over_mpi *m = calloc(1, sizeof *m);
    if (m) m->beats.finished = finished;
    if (m) m->comm = (chl_comm){kind, place->rank, place->ranks, m};
    if (!m || !allocate(m, place)) {
        snprintf(why, size, "out of memory for a communicator of MPI");
        broken = true; /* the others do not come to finish MPI */
        if (m) free_all(m);
        return NULL;
    }
    if (!copy_world(&m->beats.place, &m->world, why, size) ||
        !copy_world(&m->beats.place, &m->beats.world, why, size)) {
        broken = true;
        return NULL; /* MPI may still write into *m */
    }
    if (chl_beats_begin(&m->beats)) return &m->comm;
    snprintf(why, size, "rank %d: no thread can be started to hear of the other ranks",
             place->rank);
    broken = true;
    free_all(m);
    return NULL;
}

__attribute__((visibility("default"))) chl_comm *chl_mpi_open(int version,
                                                              const chl_comm_place *place,
                                                              const _Atomic uint64_t *finished,
                                                              char *why, size_t size);

chl_comm *chl_mpi_open(int version, const chl_comm_place *place, const _Atomic uint64_t *finished,
                       char *why, size_t size) {
    static const chl_comm_kind kind = CHL_COMM_KIND("mpi", true, close_mpi);
    if (version != CHL_MPI_VERSION) {
        snprintf(why, size, "libchladni_mpi.so is of version %d, %d is needed: rebuild it",
                 CHL_MPI_VERSION, version);
        return NULL;
    }
    if (!start(why, size) || !is_place(place, why, size)) return NULL;
    return begin(&kind, place, finished, why, size);
}
