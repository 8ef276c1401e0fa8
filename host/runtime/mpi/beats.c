/* A thread sends a message to every other rank a few times a second and receives theirs, on a
 * communicator of MPI of its own. A rank that is not heard of is dead or stopped; one that says of
 * itself that it uses no processor, while this one waits for it, hangs. The reason why a job has
 * failed travels in the same messages, because who waits in an exchange hears nothing else. */
#include "runtime/mpi/beats.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BEAT 100000000 /* ns between messages */
/* of a rank that has failed, because the others may be slow to hear it; max. of one that leaves */
#define LAST_BEATS 10
#define TAG 1

void chl_beats_blame(chl_beats *b, int first, bool on_request, const char *format, ...) {
    va_list arguments;
    pthread_mutex_lock(&b->lock);
    if (!b->blamed) {
        va_start(arguments, format);
        vsnprintf(b->why, sizeof b->why, format, arguments);
        va_end(arguments);
        b->blamed = true;
        b->on_request = on_request;
        atomic_store(&b->failed, first + 1);
    }
    pthread_mutex_unlock(&b->lock);
}

int chl_beats_behind(const chl_beats *b) {
    const uint64_t waits = atomic_load(&b->waits), steps = atomic_load(&b->steps);
    const bool waiting = atomic_load(&b->waiting);
    for (int r = 0; r < b->comm->ranks; r++)
        if (r != b->comm->rank && ((waiting && atomic_load(&b->seen_waits[r]) < waits) ||
                                   atomic_load(&b->seen_steps[r]) < steps))
            return r;
    return -1;
}

/* What the thread has seen of its own process */
typedef struct watch {
    chl_process_idle idle;
    chl_process_loop loop;
} watch;

/* --- one message ------------------------------------------------------------------------------ */
/* The processor time of this thread does not count: it grows with the ranks, and goes on where the
 * rank's own threads hang. */
static void describe(chl_beats *b, watch *self, chl_beat *beat) {
    chl_process_state state = chl_process_look(getpid());
    struct timespec own = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    state.processors -= (double)own.tv_sec + 1e-9 * (double)own.tv_nsec;
    const chl_process_idle now = chl_process_watch(&self->idle, &state, b->place.idle);
    const double loops =
        chl_process_loops(&self->loop, &state, atomic_load(b->finished), b->place.idle);
    *beat = (chl_beat){.waits = atomic_load(&b->waits),
                       .steps = atomic_load(&b->steps),
                       .process = getpid(),
                       .left = atomic_load(&b->ends),
                       .failed = atomic_load(&b->failed),
                       .idle = now.seconds,
                       .loops = atomic_load(&b->steps) > 0 ? loops : 0,
                       .letter = now.why};
    gethostname(beat->host, sizeof beat->host - 1);
    if (beat->failed == 0) return;
    beat->on_request = b->on_request;
    memcpy(beat->why, b->why, sizeof beat->why);
}

static void judge(chl_beats *b, int rank, chl_peer *peer) {
    const chl_beat *last = &peer->last;
    const bool known = last->process > 0;
    const int silent = known ? b->place.patience : b->place.coming;
    const int idle = last->letter == 'D' ? b->place.idle * 6 : b->place.idle;
    const bool behind = atomic_load(&b->seen_steps[rank]) < atomic_load(&b->steps) ||
                        (atomic_load(&b->waiting) && last->waits < atomic_load(&b->waits));
    if (last->failed > 0) {
        chl_beats_blame(b, last->failed - 1, last->on_request, "%s", last->why);
    } else if (last->left) {
        if (behind) chl_beats_blame(b, b->comm->rank, false, "rank %d has left the job", rank);
    } else if (chl_process_await(&peer->silence) > silent) {
        if (known)
            chl_beats_blame(b, b->comm->rank, false,
                            "rank %d (process %d on %s) has died or is stopped: it has not been "
                            "heard of for %d s",
                            rank, last->process, last->host, silent);
        else
            chl_beats_blame(b, b->comm->rank, false, "rank %d has not come within %d s", rank,
                            silent);
    } else if (behind && last->idle > idle) {
        chl_beats_blame(b, b->comm->rank, false,
                        "rank %d (process %d on %s) has done nothing, though others wait for it, "
                        "for %d s",
                        rank, last->process, last->host, idle);
    } else if (behind && last->loops > b->place.idle) {
        chl_beats_blame(b, b->comm->rank, false,
                        "rank %d (process %d on %s) has computed for %d s without finishing "
                        "anything, though others wait for it",
                        rank, last->process, last->host, b->place.idle);
    }
}

/* A function of MPI has failed. What cannot be told to a rank that has left is not missed. */
static void blame_mpi(chl_beats *b, int rank, const chl_peer *peer, int result) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    if (peer->last.left) return;
    MPI_Error_string(result, text, &length);
    chl_beats_blame(b, b->comm->rank, false, "rank %d cannot reach rank %d: MPI: %.150s",
                    (int)b->comm->rank, rank, text);
}

static void receive(chl_beats *b, int rank, chl_peer *peer) {
    for (int there = 1; there;) {
        int result = MPI_SUCCESS;
        if (peer->receives == MPI_REQUEST_NULL)
            result = MPI_Irecv(&peer->incoming, sizeof peer->incoming, MPI_BYTE, rank, TAG,
                               b->world, &peer->receives);
        if (result == MPI_SUCCESS) result = MPI_Test(&peer->receives, &there, MPI_STATUS_IGNORE);
        if (result != MPI_SUCCESS) {
            blame_mpi(b, rank, peer, result);
            return;
        }
        if (!there) return;
        peer->last = peer->incoming;
        peer->silence = (chl_process_idle){0};
        atomic_store(&b->seen_waits[rank], peer->last.waits);
        atomic_store(&b->seen_steps[rank], peer->last.steps);
    }
}

/* false: MPI has not taken the message before yet, so that this one is left out */
static bool send(chl_beats *b, int rank, chl_peer *peer, const chl_beat *beat) {
    int sent = 1, result = MPI_SUCCESS;
    if (peer->sends != MPI_REQUEST_NULL) result = MPI_Test(&peer->sends, &sent, MPI_STATUS_IGNORE);
    if (result == MPI_SUCCESS && !sent) return false;
    peer->outgoing = *beat;
    if (result == MPI_SUCCESS)
        result = MPI_Isend(&peer->outgoing, sizeof peer->outgoing, MPI_BYTE, rank, TAG, b->world,
                           &peer->sends);
    if (result != MPI_SUCCESS) blame_mpi(b, rank, peer, result);
    return true;
}

/* false: a rank was not told */
static bool exchange(chl_beats *b, watch *self) {
    chl_beat beat;
    bool told = true;
    describe(b, self, &beat);
    for (int r = 0; r < b->comm->ranks; r++) {
        if (r == b->comm->rank) continue;
        told = send(b, r, &b->peer[r], &beat) && told;
        receive(b, r, &b->peer[r]);
        judge(b, r, &b->peer[r]);
    }
    return told;
}

/* --- the thread ------------------------------------------------------------------------------- */
static void *beat(void *of) {
    const struct timespec some = {.tv_nsec = BEAT};
    chl_beats *b = of;
    watch self = {0};
    while (!atomic_load(&b->ends)) {
        exchange(b, &self);
        nanosleep(&some, NULL);
    }
    for (int i = 0; i < LAST_BEATS; i++) {
        if (exchange(b, &self) && !atomic_load(&b->failed)) break;
        nanosleep(&some, NULL);
    }
    return NULL;
}

static void free_all(chl_beats *b) {
    free(b->peer);
    free(b->seen_waits);
    free(b->seen_steps);
    pthread_mutex_destroy(&b->lock);
}

bool chl_beats_allocate(chl_beats *b) {
    const size_t ranks = (size_t)b->comm->ranks;
    b->peer = calloc(ranks, sizeof *b->peer);
    b->seen_waits = calloc(ranks, sizeof *b->seen_waits);
    b->seen_steps = calloc(ranks, sizeof *b->seen_steps);
    pthread_mutex_init(&b->lock, NULL);
    if (!b->peer || !b->seen_waits || !b->seen_steps) {
        free_all(b);
        return false;
    }
    for (size_t r = 0; r < ranks; r++) b->peer[r].receives = b->peer[r].sends = MPI_REQUEST_NULL;
    return true;
}

bool chl_beats_begin(chl_beats *b) {
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool begun = pthread_create(&b->thread, NULL, beat, b) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!begun) free_all(b);
    return begun;
}

/* MPI may still write into a message that was asked for: that memory stays where it cannot be taken
 * back. */
void chl_beats_end(chl_beats *b) {
    bool taken_back = true;
    atomic_store(&b->ends, true);
    pthread_join(b->thread, NULL);
    for (int r = 0; r < b->comm->ranks; r++) {
        chl_peer *peer = &b->peer[r];
        int sent = 1;
        if (peer->receives != MPI_REQUEST_NULL) {
            taken_back = MPI_Cancel(&peer->receives) == MPI_SUCCESS &&
                         MPI_Wait(&peer->receives, MPI_STATUS_IGNORE) == MPI_SUCCESS && taken_back;
        }
        if (peer->sends != MPI_REQUEST_NULL &&
            MPI_Test(&peer->sends, &sent, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            sent = 0;
        taken_back = taken_back && sent;
    }
    if (taken_back) free_all(b);
}
