/* Communicators by their meeting place, and the one of a process alone. */
#include "runtime/comm.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static _Thread_local char reason[512];

/* --- self ------------------------------------------------------------------------------------- */
static void copy(void *to, const void *from, size_t bytes) {
    if (to != from) memcpy(to, from, bytes);
}
static chl_kernel_status self_gather(chl_comm *comm, const void *from, void *to, size_t bytes,
                                     void *stream) {
    (void)comm;
    (void)stream;
    copy(to, from, bytes);
    return CHL_KERNEL_OK;
}
static chl_kernel_status self_sum(chl_comm *comm, const float *from, float *to, size_t count,
                                  void *stream) {
    return self_gather(comm, from, to, count * sizeof *from, stream);
}
static chl_kernel_status self_broadcast(chl_comm *comm, void *data, size_t bytes, int root,
                                        void *stream) {
    (void)comm;
    (void)data;
    (void)bytes;
    (void)stream;
    return root == 0 ? CHL_KERNEL_OK : CHL_KERNEL_BAD_INPUT;
}
static chl_kernel_status self_barrier(chl_comm *comm) {
    (void)comm;
    return CHL_KERNEL_OK;
}
static bool self_look(chl_comm *comm) {
    (void)comm;
    return true;
}
static int self_who_failed(chl_comm *comm, bool *on_request) {
    (void)comm;
    *on_request = false;
    return -1;
}
static void self_abort(chl_comm *comm, const char *why) {
    (void)comm;
    (void)why; /* nobody waits */
}
static const char *self_error(chl_comm *comm) {
    (void)comm;
    return NULL;
}
static void self_close(chl_comm *comm) {
    (void)comm;
}

chl_comm *chl_comm_self(void) {
    static const chl_comm_kind kind = {.name = "self",
                                       .host_memory = true,
                                       .all_gather = self_gather,
                                       .all_reduce = self_sum,
                                       .reduce_scatter = self_sum,
                                       .broadcast = self_broadcast,
                                       .barrier = self_barrier,
                                       .begin_step = self_barrier,
                                       .look = self_look,
                                       .abort = self_abort,
                                       .who_failed = self_who_failed,
                                       .last_error = self_error,
                                       .close = self_close};
    static chl_comm comm = {.kind = &kind, .rank = 0, .ranks = 1};
    return &comm;
}

/* --- by meeting place ------------------------------------------------------------------------- */
/* Every rank holds a shared lock on the file, and the kernel drops it when the rank ends, however it
 * does. A file that nobody has locked is therefore what a job left that was killed: it is emptied.
 * < 0: errno says why. */
static int open_meeting(const char *path) {
    for (;;) {
        struct stat about;
        const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0) return -1;
        bool usable = flock(file, LOCK_EX | LOCK_NB) != 0 || ftruncate(file, 0) == 0;
        int shared = 0;
        do shared = usable ? flock(file, LOCK_SH) : 0;
        while (shared != 0 && errno == EINTR);
        usable = usable && fstat(file, &about) == 0;
        if (usable && about.st_nlink > 0) return file;
        const int reason = errno;
        close(file);
        errno = reason;
        if (!usable) return -1;
        /* else the job before has removed it just now */
    }
}

static chl_comm *open_file(const chl_comm_place *place, const char *path) {
    const int file = open_meeting(path);
    if (file < 0) {
        snprintf(reason, sizeof reason, "%.256s, where the ranks meet, cannot be opened: %s", path,
                 strerror(errno));
        return NULL;
    }
    chl_comm *comm = chl_comm_open_local(place, file, reason, sizeof reason);
    close(file); /* the communicator has its own */
    return comm;
}

static chl_comm *open_host(const chl_comm_place *place) {
    const char *meeting = place->meeting ? place->meeting : "";
    int file = -1;
    char rest = 0;
    if (place->ranks < 1 || place->rank < 0 || place->rank >= place->ranks) {
        snprintf(reason, sizeof reason, "rank must be 0 to ranks - 1, got rank %d of %d ranks",
                 place->rank, place->ranks);
        return NULL;
    }
    if (strncmp(meeting, "file:", 5) == 0) return open_file(place, meeting + 5);
    if (sscanf(meeting, "fd:%d%c", &file, &rest) == 1 && file >= 0)
        return chl_comm_open_local(place, file, reason, sizeof reason);
    if (strcmp(meeting, "mpi") == 0) return chl_comm_open_mpi(place, reason, sizeof reason);
    if (!*meeting && place->ranks == 1) return chl_comm_self();
    snprintf(reason, sizeof reason,
             "the meeting place of %d ranks must be fd:N, file:PATH or mpi, got \"%.64s\"",
             place->ranks, meeting);
    return NULL;
}

chl_comm *chl_comm_open(const chl_comm_place *place, const char **why) {
    *why = reason;
    reason[0] = 0;
    chl_comm *host = open_host(place);
    if (!host || !place->on_gpu) return host;
    chl_comm *comm = chl_comm_on_gpu(host, place->device, why);
    if (!comm) host->kind->close(host);
    return comm;
}

chl_comm *chl_comm_on_gpu(chl_comm *host, struct chl_device *device, const char **why) {
    *why = reason;
    reason[0] = 0;
    if (host->kind == chl_comm_self()->kind) return host;
    return chl_comm_open_nccl(host, device, reason, sizeof reason);
}
