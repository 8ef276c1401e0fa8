#include "train/feeder.h"
#include "base/clock.h"
#include "train/trainer_private.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct input {
    chl_tensor tensor;
    size_t offset, bytes; /* in a batch */
} input;

struct chl_feeder {
    chl_trainer *t;
    int64_t last;
    int slots; /* batches in memory; 0: no thread */
    input *input;
    int inputs;
    size_t bytes;   /* of a batch */
    char *memory;   /* pinned [slots][bytes] */
    bool *written;  /* [slots][inputs]: by feed; the device keeps the value of the others */
    int64_t making; /* the thread's own: index of the batch that feed writes */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    int64_t made, free; /* batches below `made` are ready, those below `free` are used up */
    bool stop;
    chl_status status; /* of feed, at batch `made` */
    char error[1024];
};

/* --- the thread ------------------------------------------------------------------------------- */
static bool *marks(const chl_feeder *f, int64_t index) {
    return f->written + index % f->slots * f->inputs;
}

/* Returns whether a batch is to be made, when there is memory for it. */
static bool wait_for_room(chl_feeder *f, int64_t index) {
    pthread_mutex_lock(&f->lock);
    while (!f->stop && index - f->free >= f->slots) pthread_cond_wait(&f->changed, &f->lock);
    const bool go = !f->stop;
    pthread_mutex_unlock(&f->lock);
    return go;
}

static bool make(chl_feeder *f, int64_t index) {
    f->making = index;
    memset(marks(f, index), 0, (size_t)f->inputs * sizeof *f->written);
    const chl_status status = f->t->training->feed(f->t, index);
    pthread_mutex_lock(&f->lock);
    f->status = status;
    if (status == CHL_OK)
        f->made = index + 1;
    else
        snprintf(f->error, sizeof f->error, "%s", chl_error()); /* errors are kept per thread */
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return status == CHL_OK;
}

static void *run_ahead(void *argument) {
    chl_feeder *f = argument;
    for (int64_t index = f->made; index < f->last; index++)
        if (!wait_for_room(f, index) || !make(f, index)) break;
    return NULL;
}

static const input *find_input(const chl_feeder *f, chl_tensor x) {
    for (int i = 0; i < f->inputs; i++)
        if (f->input[i].tensor == x) return &f->input[i];
    return NULL;
}

chl_status chl_trainer_write(chl_trainer *t, chl_tensor input, const void *data) {
    const chl_feeder *f = t->inside->feeder;
    if (!f->slots) return chl_write(t->graph, input, data);
    const struct input *in = find_input(f, input);
    if (!in) return chl_fail(CHL_ERR_INTERNAL, "a batch holds inputs only");
    memcpy(f->memory + (size_t)(f->making % f->slots) * f->bytes + in->offset, data, in->bytes);
    marks(f, f->making)[in - f->input] = true;
    return CHL_OK;
}

/* --- the step's side -------------------------------------------------------------------------- */
static chl_status wait_for_batch(chl_feeder *f, int64_t index, double *waited) {
    const double start = chl_seconds_now();
    pthread_mutex_lock(&f->lock);
    const bool early = f->made > index;
    while (f->made <= index && f->status == CHL_OK) pthread_cond_wait(&f->changed, &f->lock);
    const bool ready = f->made > index;
    pthread_mutex_unlock(&f->lock);
    *waited = early ? 0 : chl_seconds_now() - start;
    return ready ? CHL_OK : chl_fail(f->status, "%s", f->error);
}

static chl_status make_now(const chl_feeder *f, int64_t index, double *waited) {
    const double start = chl_seconds_now();
    const chl_status status = f->t->training->feed(f->t, index);
    *waited = chl_seconds_now() - start;
    return status;
}

chl_status chl_feeder_take(chl_feeder *f, int64_t index, chl_queue *copies, double *waited) {
    if (!f->slots) return make_now(f, index, waited);
    CHL_TRY(wait_for_batch(f, index, waited));
    for (int i = 0; i < f->inputs; i++)
        if (marks(f, index)[i])
            CHL_TRY(chl_write_pinned(
                f->t->graph, f->input[i].tensor,
                f->memory + (size_t)(index % f->slots) * f->bytes + f->input[i].offset, copies));
    return CHL_OK;
}

void chl_feeder_give_back(chl_feeder *f, int64_t index) {
    pthread_mutex_lock(&f->lock);
    f->free = index + 1;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

bool chl_feeder_runs_ahead(const chl_feeder *f) {
    return f->slots > 0;
}

/* --- beginning and end ------------------------------------------------------------------------ */
static chl_status list_inputs(chl_feeder *f) {
    const chl_graph *g = f->t->graph;
    const size_t unit = f->t->device->backend->alignment;
    f->input = calloc((size_t)chl_tensor_count(g), sizeof *f->input);
    if (!f->input) return chl_fail(CHL_ERR_MEMORY, "out of memory for a list of inputs");
    for (chl_tensor x = 1; x < chl_tensor_count(g); x++) {
        if (!chl_is_input(g, x)) continue;
        const size_t bytes = (size_t)chl_bytes(chl_desc_of(g, x));
        f->input[f->inputs++] = (input){x, f->bytes, bytes};
        f->bytes += (bytes + unit - 1) & ~(unit - 1);
    }
    return CHL_OK;
}

static chl_status start_thread(chl_feeder *f) {
    chl_device *device = f->t->device;
    const size_t slots = (size_t)f->slots;
    CHL_TRY(list_inputs(f));
    f->written = calloc(slots * (size_t)f->inputs + 1, sizeof *f->written);
    if (!f->written || device->backend->pinned_allocate(device, slots * f->bytes + 1,
                                                        (void **)&f->memory) != CHL_OK)
        return chl_fail(CHL_ERR_MEMORY,
                        "cannot allocate %.2f GB of host memory for %d batches: use a smaller "
                        "batch, or a smaller ahead",
                        1e-9 * (double)(slots * f->bytes), f->slots);
    if (pthread_create(&f->thread, NULL, run_ahead, f) != 0)
        return chl_fail(CHL_ERR_INTERNAL, "the thread that makes batches cannot be started");
    f->started = true;
    return CHL_OK;
}

/* A device that works beside the host has two steps at a time (steps.c). */
static int slots_for(const chl_trainer *t) {
    const bool beside = t->device->queue != NULL;
    const int ahead = t->options->ahead ? t->options->ahead : beside;
    return ahead ? ahead + 1 + beside : 0;
}

chl_status chl_feeder_new(chl_trainer *t, int64_t first, int64_t last, chl_feeder **out) {
    chl_feeder *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f) return chl_fail(CHL_ERR_MEMORY, "out of memory for batches");
    *f = (chl_feeder){
        .t = t, .last = last, .slots = slots_for(t), .made = first, .free = first, .making = first};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    t->inside->feeder = f;
    const chl_status status = f->slots ? start_thread(f) : CHL_OK;
    CHL_HAND_OVER(status, f, out, chl_feeder_free);
}

void chl_feeder_free(chl_feeder *f) {
    if (!f) return;
    if (f->started) {
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    if (f->memory) f->t->device->backend->pinned_release(f->t->device, f->memory);
    f->t->inside->feeder = NULL;
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f->written);
    free(f->input);
    free(f);
}
