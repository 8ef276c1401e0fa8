/* The ranks of a training: what each computes, what they must agree on, and that rank 0 writes.
 *
 * Every rank runs the same graph on its part of the global batch: `batch` samples from place
 * `first` on. Every draw is a function of the place in the global batch, embeddings that a loss
 * compares are gathered (losses/losses.h), gradients are summed, so that N ranks compute the step
 * that one process computes on the whole batch, up to rounding. */
#include "base/options.h"
#include "runtime/comm_timed.h"
#include "train/trainer_private.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- joining and leaving ---------------------------------------------------------------------- */
chl_status chl_ranks_join(const chl_train_options *o, chl_comm **comm) {
    const char *why;
    *comm = NULL;
    if (o->ranks <= 1) return CHL_OK;
    const chl_comm_place where = {.rank = o->rank,
                                  .ranks = o->ranks,
                                  .meeting = o->meeting,
                                  .told_to_stop = o->told_to_stop,
                                  .user = o->user};
    *comm = chl_comm_open(&where, &why);
    if (*comm) return CHL_OK;
    /* who was told to stop while the others did not come is to be started again */
    const bool told = o->told_to_stop && o->told_to_stop(o->user);
    return chl_fail(told ? CHL_ERR_CANCELLED : CHL_ERR_ARGUMENT, "%s", why);
}

chl_status chl_ranks_place(const chl_model_place *place, chl_comm **comm, chl_device *joined) {
    const char *why;
    *joined = *place->device;
    if (!*comm) return CHL_OK;
    if (!place->device->backend->host_memory) {
        chl_device_bind(place->device);
        chl_comm *on_gpu = chl_comm_on_gpu(*comm, place->device, &why);
        if (!on_gpu) return chl_fail(CHL_ERR_ARGUMENT, "%s", why);
        *comm = on_gpu;
    }
    *comm = chl_comm_timed(*comm);
    *joined = chl_device_with(place->device, *comm);
    return CHL_OK;
}

/* Launchers end a job when a process of it ends with another code than 0, as those do that were told
 * to stop: rank 0 must have saved by then. */
chl_status chl_ranks_finish(chl_comm *comm, chl_status status) {
    if (!comm || (status != CHL_OK && status != CHL_ERR_CANCELLED)) return status;
    chl_comm *host = chl_comm_host(comm);
    char *said = strdup(chl_error()); /* of a run that was stopped */
    const chl_kernel_status all = host->kind->barrier(host);
    if (all != CHL_KERNEL_OK && comm->rank > 0) {
        const char *why = host->kind->last_error(host);
        status = chl_fail(CHL_ERR_INTERNAL, "the ranks cannot end together: %s",
                          why ? why : "no reason given");
    } else if (status != CHL_OK) {
        status = chl_fail(status, "%s", said ? said : "stopped");
    }
    free(said);
    return status;
}

/* A rank that fails on its own account after another says so in its log alone. */
chl_status chl_ranks_tell(chl_comm *comm, chl_status status) {
    bool on_request;
    if (!comm || status == CHL_OK || status == CHL_ERR_CANCELLED) return status;
    comm->kind->abort(comm, chl_error());
    const int first = comm->kind->who_failed(comm, &on_request);
    if (on_request) {
        status = chl_fail_in(CHL_ERR_CANCELLED, "the steps since the last checkpoint are lost");
        chl_log(CHL_LOG_WARN, "%s", chl_error());
        return status;
    }
    return first < 0 || first == comm->rank ? status : CHL_ERR_RANK;
}

void chl_ranks_leave(chl_comm *comm) {
    if (comm) comm->kind->close(comm);
}

/* --- shares ----------------------------------------------------------------------------------- */
chl_status chl_ranks_share(chl_trainer *t) {
    const chl_comm *comm = t->device->comm;
    const int batch = t->options->batch;
    t->ranks = comm ? comm->ranks : 1;
    t->rank = comm ? comm->rank : 0;
    if (t->ranks > 1 && !t->training->shared)
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "training %s: ranks must be 1, got %d: this training computes in one process",
            t->training->name, t->ranks);
    if (batch % t->ranks != 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training %s: batch must be a multiple of ranks, so that each has the same "
                        "number of samples, got a batch of %d for %d ranks",
                        t->training->name, batch, t->ranks);
    t->batch = batch / t->ranks;
    t->first = t->rank * t->batch;
    return CHL_OK;
}

chl_tensor chl_ranks_part(const chl_trainer *t, chl_tensor x) {
    return t->ranks > 1 ? chl_scale(t->graph, x, 1.0f / (float)t->ranks) : x;
}

/* --- work before the steps -------------------------------------------------------------------- */
static chl_status fail_with(const chl_trainer *t, const char *what) {
    return chl_fail(CHL_ERR_INTERNAL, "training %s: %s: %s", t->training->name, what,
                    chl_device_error(t->device));
}

static int64_t rows_each(const chl_trainer *t, int64_t count) {
    return (count + t->ranks - 1) / t->ranks;
}

int64_t chl_ranks_rows(const chl_trainer *t, int64_t count, int64_t *first) {
    const int64_t each = rows_each(t, count), begin = t->rank * each;
    *first = begin < count ? begin : count;
    return count - *first < each ? count - *first : each;
}

static chl_status gather(const chl_trainer *t, int64_t count, int64_t width, float *rows,
                         float *all) {
    chl_comm *comm = chl_comm_host(t->device->comm);
    int64_t first;
    const int64_t n = chl_ranks_rows(t, count, &first);
    const size_t part = (size_t)(rows_each(t, count) * width), row = (size_t)width * sizeof *rows;
    float *own = all + (size_t)t->ranks * part;
    if (n > 0) memcpy(own, rows + first * width, (size_t)n * row);
    if (comm->kind->all_gather(comm, own, all, part * sizeof *own, NULL) != CHL_KERNEL_OK)
        return fail_with(t, "the ranks could not share their work");
    memcpy(rows, all, (size_t)count * row);
    return CHL_OK;
}

chl_status chl_ranks_gather(const chl_trainer *t, int64_t count, int64_t width, float *rows) {
    if (t->ranks == 1 || count == 0) return CHL_OK;
    float *all = calloc((size_t)((t->ranks + 1) * rows_each(t, count) * width), sizeof *all);
    if (!all) return chl_fail(CHL_ERR_MEMORY, "out of memory for rows of other ranks");
    const chl_status status = gather(t, count, width, rows, all);
    free(all);
    return status;
}

/* --- while steps run -------------------------------------------------------------------------- */
chl_status chl_ranks_begin_step(const chl_trainer *t) {
    chl_comm *comm = t->device->comm;
    if (!comm || comm->kind->begin_step(comm) == CHL_KERNEL_OK) return CHL_OK;
    return fail_with(t, "the ranks cannot go on");
}

chl_status chl_ranks_check(const chl_trainer *t) {
    bool on_request;
    chl_comm *comm = t->device->comm;
    if (!comm || comm->kind->host_memory || comm->kind->who_failed(comm, &on_request) < 0)
        return CHL_OK;
    return chl_ranks_begin_step(t); /* fails, with the reason */
}

chl_status chl_ranks_ready(const chl_trainer *t, chl_status own, bool *all) {
    *all = own == CHL_OK;
    if (t->ranks == 1) return CHL_OK;
    chl_comm *comm = chl_comm_host(t->device->comm);
    const int32_t wrong = own != CHL_OK;
    int32_t *of = calloc((size_t)t->ranks, sizeof *of);
    if (!of) return chl_fail(CHL_ERR_MEMORY, "out of memory for the ranks' agreement");
    const bool met = comm->kind->all_gather(comm, &wrong, of, sizeof wrong, NULL) == CHL_KERNEL_OK;
    for (int r = 0; met && r < t->ranks; r++) *all = *all && !of[r];
    free(of);
    return met ? CHL_OK : fail_with(t, "the ranks cannot go on");
}

/* The first barrier is behind what rank 0 has saved. To a second one who failed does not come, but says
 * why to those who do. */
chl_status chl_ranks_end(const chl_trainer *t, chl_status own) {
    if (t->ranks == 1) return own;
    chl_comm *comm = chl_comm_host(t->device->comm);
    const bool saved = comm->kind->barrier(comm) == CHL_KERNEL_OK;
    if (own != CHL_OK) return own;
    if (saved && comm->kind->barrier(comm) == CHL_KERNEL_OK) return CHL_ERR_RANK;
    return fail_with(t, "the ranks cannot go on");
}

/* --- agreeing --------------------------------------------------------------------------------- */
typedef struct agreement {
    uint64_t fingerprint;
    int64_t step;
} agreement;

static chl_status compare(const chl_trainer *t, const agreement *all) {
    for (int r = 1; r < t->ranks; r++) {
        if (all[r].fingerprint != all[0].fingerprint)
            return chl_fail(CHL_ERR_ARGUMENT,
                            "training %s: rank %d has other options or data than rank 0: all ranks "
                            "must be started with the same",
                            t->training->name, r);
        if (all[r].step != all[0].step)
            return chl_fail(CHL_ERR_ARGUMENT,
                            "training %s: rank %d begins after step %" PRId64
                            ", rank 0 after step %" PRId64 ": all must see the same run folder",
                            t->training->name, r, all[r].step, all[0].step);
    }
    return CHL_OK;
}

chl_status chl_ranks_agree(chl_trainer *t, int64_t step) {
    if (!t->device->comm) return CHL_OK;
    chl_comm *comm = chl_comm_host(t->device->comm);
    char *text =
        chl_json_text(t->inside->fingerprint, JSON_COMPACT | JSON_SORT_KEYS, chl_json_refused());
    agreement *all = calloc((size_t)t->ranks, sizeof *all);
    chl_status status = CHL_OK;
    if (text && all) {
        const agreement own = {chl_digest(CHL_DIGEST_START, text, strlen(text)), step};
        status = comm->kind->all_gather(comm, &own, all, sizeof own, NULL) == CHL_KERNEL_OK
                     ? compare(t, all)
                     : fail_with(t, "the ranks could not meet");
    } else {
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for the ranks' agreement");
    }
    free(text);
    free(all);
    return status;
}
