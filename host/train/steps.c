/* The steps of a run.
 *
 * A device that works beside the host copies a step's inputs, on a queue of their own, into memory
 * that the step before does not read (chl_graph_double_inputs), and has a step queued while it
 * computes the one before: then the host reads that one's losses, so that neither waits for the
 * other. Every value is read, checked and logged as if it had been read at once; before a
 * checkpoint nothing is left unread. Where all work is done while the caller waits (device->queue
 * is NULL), losses are read at once. */
#include "base/clock.h"
#include "base/options.h"
#include "runtime/comm_timed.h"
#include "train/feeder.h"
#include "train/run_stats.h"
#include "train/schedule.h"
#include "train/trainer_private.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUES (CHL_TRAINER_TERMS + 3) /* the losses, their sum, the gradients', wishes to stop */

/* A step that was queued and whose losses were not read. */
typedef struct queued {
    float rate;
    double begin, waited; /* seconds */
    float *value;         /* pinned [VALUES] */
    chl_event *done;
} queued;

typedef struct steps {
    chl_trainer *t;
    chl_feeder *feeder;
    float *values;     /* of both below */
    queued queued[2];  /* by step % 2 */
    chl_queue *copies; /* of inputs */
    chl_event *copied;
    int64_t first, last, finished, saved;
    double start, end; /* when the run began, when a step was finished last */
    int64_t waits;     /* steps whose inputs were not ready */
    double waited;
    double communicated; /* seconds in exchanges so far; < 0: not known */
    float wish;          /* 1: this rank wants to stop */
    bool stop;           /* all ranks do after this step */
} steps;

static chl_status check(const steps *s, chl_status status, const char *what) {
    chl_device *device = s->t->device;
    if (status == CHL_OK) return CHL_OK;
    return chl_fail(status, "%s failed on %s: %s", what, device->name, chl_device_error(device));
}

/* --- its inputs ------------------------------------------------------------------------------- */
static float rate_of(const chl_trainer *t, int64_t index) {
    const chl_train_options *o = t->options;
    const chl_schedule schedule = {.steps = o->steps,
                                   .cycles = o->cycles,
                                   .warm_up = o->warm_up,
                                   .peak = o->rate,
                                   .lowest = o->lowest_rate,
                                   .triangle = chl_is_option(o->schedule, "triangle")};
    return chl_schedule_rate(&schedule, index);
}

/* The memory that is written was read by the last step but one, which is finished. */
static chl_status take_inputs(steps *s, int64_t index, double *waited) {
    chl_device *device = s->t->device;
    const chl_backend *backend = device->backend;
    chl_swap_inputs(s->t->graph);
    CHL_TRY(chl_feeder_take(s->feeder, index, s->copies, waited));
    CHL_TRY(check(s, backend->event_record(device, s->copied, s->copies), "recording an event"));
    return check(s, backend->queue_wait(device, device->queue, s->copied), "waiting for inputs");
}

/* --- finishing it ----------------------------------------------------------------------------- */
/* The step of the newest checkpoint when `step` is finished, on any rank; 0: there is none. */
static int64_t saved_before(const steps *s, int64_t step) {
    const int64_t every = s->t->options->save_every;
    const int64_t saved = every > 0 ? (step - 1) / every * every : 0;
    return saved > s->first ? saved : s->first;
}

static chl_status not_finite(const steps *s, int64_t step, const char *what, float value) {
    const int64_t saved = saved_before(s, step);
    const char *shown = isnan(value) ? "nan"
                        : value < 0  ? "-inf"
                                     : "inf"; /* a NaN has a sign too */
    char then[128] = "nothing is saved so far: begin again";
    if (saved > 0)
        snprintf(then, sizeof then,
                 "the checkpoint of step %" PRId64 " is kept: go on from there in a copy of the "
                 "folder",
                 saved);
    return chl_fail(CHL_ERR_NUMERIC,
                    "training %s: %s is %s at step %" PRId64 "; %s with other options, e.g. a "
                    "smaller rate",
                    s->t->training->name, what, shown, step, then);
}

static chl_status check_losses(const steps *s, int64_t step, const float *value) {
    const chl_trainer *t = s->t;
    const struct chl_trainer_private *p = t->inside;
    char what[128];
    for (int i = 0; i < p->terms; i++)
        if (chl_term_is_due(t, i, step - 1) && !isfinite(value[i])) {
            snprintf(what, sizeof what, "the loss \"%s\"", p->term[i].name);
            return not_finite(s, step, what, value[i]);
        }
    if (isfinite(value[p->terms])) return CHL_OK;
    return not_finite(s, step, "the sum of the losses", value[p->terms]);
}

/* `seconds` of the step, and of these in exchanges since the step before was finished. */
static chl_status add_stats(steps *s, int64_t step, double seconds) {
    const chl_trainer *t = s->t;
    const struct chl_trainer_private *p = t->inside;
    const queued *q = &s->queued[step % 2];
    const double before = s->communicated;
    s->communicated = chl_comm_seconds(t->device->comm);
    return chl_run_stats_add(
        t, &(chl_step_stats){.step = step,
                             .rate = q->rate,
                             .term = q->value,
                             .loss = q->value[p->terms],
                             .gradient_norm = sqrtf(q->value[p->terms + 1]),
                             .seconds = seconds,
                             .waited = q->waited,
                             .communicated = s->communicated < 0 ? -1 : s->communicated - before});
}

/* Resumed steps count as steps, but not for the time that a step takes. */
static bool wants_stop(const steps *s, int64_t step) {
    const chl_train_options *o = s->t->options;
    if (!o->progress) return false;
    const queued *q = &s->queued[step % 2];
    const double seconds = s->end - s->start, each = seconds / (double)(step - s->first);
    const chl_train_progress progress = {.step = step,
                                         .steps = o->steps,
                                         .loss = q->value[s->t->inside->terms],
                                         .rate = q->rate,
                                         .seconds = seconds,
                                         .seconds_left = each * (double)(s->last - step)};
    return o->progress(o->user, &progress) != 0;
}

/* One rank stops when it wants to. Of several each tells its wish before a step, and all learn of
 * it with that step's losses: they stop after the same one. */
static bool must_stop(steps *s, int64_t step) {
    const chl_trainer *t = s->t;
    s->wish = wants_stop(s, step) || s->wish > 0;
    return (t->ranks > 1 ? s->queued[step % 2].value[t->inside->terms + 2] : s->wish) > 0;
}

static chl_status finish_step(steps *s, int64_t step) {
    chl_device *device = s->t->device;
    const queued *q = &s->queued[step % 2];
    CHL_TRY(check(s, device->backend->event_synchronise(device, q->done), "a step"));
    CHL_TRY(chl_ranks_check(s->t));
    CHL_TRY(check_losses(s, step, q->value));
    if (s->t->training->finished) s->t->training->finished(s->t, step - 1, q->value);
    chl_feeder_give_back(s->feeder, step - 1);
    const double now = chl_seconds_now();
    if (s->t->rank == 0) CHL_TRY(add_stats(s, step, now - fmax(q->begin, s->end)));
    s->end = now;
    s->finished = step;
    s->waits += q->waited > 0;
    s->waited += q->waited;
    s->stop = must_stop(s, step) || s->stop;
    return CHL_OK;
}

static chl_status finish_up_to(steps *s, int64_t step) {
    while (s->finished < step) CHL_TRY(finish_step(s, s->finished + 1));
    return CHL_OK;
}

static chl_status save(steps *s, int64_t step) {
    chl_trainer *t = s->t;
    const chl_run_folder *folder = &t->inside->folder;
    if (t->rank > 0) return CHL_OK;
    CHL_TRY(chl_run_folder_flush(folder));
    CHL_TRY(chl_run_files_model(t));
    CHL_TRY(chl_run_folder_sync(folder));
    CHL_TRY(chl_checkpoint_write(t, step));
    CHL_TRY(chl_run_folder_sync(folder));
    chl_run_folder_note(folder, CHL_LOG_INFO, "saved after step %" PRId64, step);
    s->saved = step;
    return chl_run_folder_check_log(folder);
}

/* --- queueing a step -------------------------------------------------------------------------- */
/* Every rank comes here when one of them has no inputs for the step: nothing of it has been computed. */
static chl_status end_without_inputs(steps *s, int64_t step, chl_status taken) {
    char *why = taken == CHL_OK ? NULL : strdup(chl_error());
    chl_status status = finish_up_to(s, step - 1);
    if (status == CHL_OK && s->saved < step - 1) status = save(s, step - 1);
    if (status == CHL_OK && taken != CHL_OK)
        taken = chl_fail(taken, step > 1 ? "%s; resume goes on after step %" PRId64 : "%s",
                         why ? why : "out of memory", step - 1);
    free(why);
    return status == CHL_OK ? chl_ranks_end(s->t, taken) : status;
}

static chl_status queue_step(steps *s, int64_t step) {
    bool all;
    chl_trainer *t = s->t;
    const struct chl_trainer_private *p = t->inside;
    queued *q = &s->queued[step % 2];
    q->begin = chl_seconds_now();
    q->rate = rate_of(t, step - 1);
    const chl_step state = {.seed = t->options->seed, .index = step - 1, .rate = q->rate};
    const chl_status taken = take_inputs(s, step - 1, &q->waited);
    CHL_TRY(chl_ranks_ready(t, taken, &all));
    if (!all) return end_without_inputs(s, step, taken);
    CHL_TRY(chl_ranks_begin_step(t));
    if (t->ranks > 1) CHL_TRY(chl_write(t->graph, p->wish, &s->wish));
    CHL_TRY(chl_phases_run(t, state));
    for (int i = 0; i < p->terms; i++)
        if (chl_term_is_due(t, i, state.index))
            CHL_TRY(chl_read_pinned(t->graph, p->term[i].value, q->value + i));
    CHL_TRY(chl_read_pinned(t->graph, p->loss, q->value + p->terms));
    CHL_TRY(chl_read_pinned(t->graph, p->gradient_square, q->value + p->terms + 1));
    if (t->ranks > 1) CHL_TRY(chl_read_pinned(t->graph, p->wishes, q->value + p->terms + 2));
    return check(s, t->device->backend->event_record(t->device, q->done, t->device->queue),
                 "recording an event");
}

/* Where a step cannot be queued, the one before it is finished all the same; what fails there comes
 * first. */
static chl_status queue_or_finish(steps *s, int64_t step) {
    const chl_status status = queue_step(s, step);
    if (status == CHL_OK) return CHL_OK;
    CHL_TRY(finish_up_to(s, step - 1));
    return status;
}

/* Pictures of the model as it is, for people. */
static chl_status look(const steps *s, int64_t step) {
    chl_trainer *t = s->t;
    chl_params *model;
    if (t->rank > 0) return CHL_OK;
    CHL_TRY(chl_params_new("the model", &model));
    chl_status status = t->training->save(t, model);
    if (status == CHL_OK) status = t->training->look(t, step, model);
    chl_params_free(model);
    return status;
}

/* --- all of them ------------------------------------------------------------------------------ */
static chl_status run_all(steps *s) {
    const int64_t every = s->t->options->save_every;
    const int64_t show_every = s->t->options->pictures_every;
    const int behind = s->t->device->queue != NULL;
    for (int64_t step = s->first + 1; step <= s->last; step++) {
        CHL_TRY(queue_or_finish(s, step));
        const bool saves = step == s->last || (every > 0 && step % every == 0);
        const bool looks =
            s->t->training->look && (step == s->last || (show_every > 0 && step % show_every == 0));
        CHL_TRY(finish_up_to(s, saves || looks ? step : step - behind));
        if (looks) CHL_TRY(look(s, step));
        if (s->stop) CHL_TRY(finish_up_to(s, step));
        if (saves || s->stop) CHL_TRY(save(s, step));
        if (s->stop && step < s->last)
            return chl_fail(CHL_ERR_CANCELLED,
                            "training %s: stopped after step %" PRId64 " of %" PRId64
                            "; resume goes on from there",
                            s->t->training->name, step, s->t->options->steps);
    }
    return CHL_OK;
}

/* Copies begin behind what was queued so far, which clears the memory of the inputs. */
static chl_status begin_copies(steps *s) {
    chl_device *device = s->t->device;
    const chl_backend *backend = device->backend;
    CHL_TRY(check(s, backend->event_new(device, &s->copied), "making an event"));
    CHL_TRY(check(s, backend->queue_new(device, &s->copies), "making a queue"));
    CHL_TRY(
        check(s, backend->event_record(device, s->copied, device->queue), "recording an event"));
    return check(s, backend->queue_wait(device, s->copies, s->copied), "waiting for the graph");
}

static chl_status begin(steps *s) {
    chl_trainer *t = s->t;
    const chl_backend *backend = t->device->backend;
    s->finished = s->saved = s->first;
    s->start = s->end = chl_seconds_now();
    s->communicated = chl_comm_seconds(t->device->comm);
    if (backend->pinned_allocate(t->device, 2 * VALUES * sizeof(float), (void **)&s->values) !=
        CHL_OK)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for losses");
    for (int i = 0; i < 2; i++) {
        s->queued[i].value = s->values + i * VALUES;
        CHL_TRY(check(s, backend->event_new(t->device, &s->queued[i].done), "making an event"));
    }
    CHL_TRY(begin_copies(s));
    if (t->training->start) CHL_TRY(t->training->start(t, s->first));
    return chl_feeder_new(t, s->first, s->last, &s->feeder);
}

/* Waits for what is queued, whatever came before: it reads and writes the memory freed here. */
static chl_status end(steps *s, chl_status status) {
    chl_device *device = s->t->device;
    const chl_backend *backend = device->backend;
    const chl_status idle = backend->queue_synchronise(device, device->queue);
    if (status == CHL_OK) status = check(s, idle, "a step");
    if (s->copies) backend->queue_free(device, s->copies); /* waits for its copies */
    chl_feeder_free(s->feeder);
    for (int i = 0; i < 2; i++)
        if (s->queued[i].done) backend->event_free(device, s->queued[i].done);
    if (s->copied) backend->event_free(device, s->copied);
    if (s->values) backend->pinned_release(device, s->values);
    return status;
}

/* A run that was stopped has its checkpoint: what goes wrong with the picture is a warning then. */
static chl_status draw_losses(const chl_trainer *t, chl_status status) {
    if (status == CHL_OK) return chl_run_stats_end(t);
    char *why = strdup(chl_error());
    if (chl_run_stats_end(t) != CHL_OK)
        chl_run_folder_note(&t->inside->folder, CHL_LOG_WARN, "%s", chl_error());
    status = why ? chl_fail(status, "%s", why)
                 : chl_fail(status, "training %s: stopped", t->training->name);
    free(why);
    return status;
}

chl_status chl_trainer_steps(chl_trainer *t, int64_t first, int64_t last) {
    steps s = {.t = t, .first = first, .last = last};
    chl_status status = begin(&s);
    if (status == CHL_OK) status = run_all(&s);
    if (t->rank == 0 && (status == CHL_OK || status == CHL_ERR_CANCELLED))
        status = draw_losses(t, status);
    if (s.feeder && chl_feeder_runs_ahead(s.feeder))
        chl_run_folder_note(&t->inside->folder, CHL_LOG_INFO,
                            "%" PRId64 " of %" PRId64 " steps waited for their data, %.2f s in all",
                            s.waits, s.finished - first, s.waited);
    return end(&s, status);
}
