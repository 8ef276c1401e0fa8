/* The edits of a chunk. */
#include "batch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- a chunk's numbers ------------------------------------------------------------------------ */
typedef struct work {
    batch *b;
    const batch_chunk *chunk;
    chl_engine_sizes size;
    size_t code, width;     /* numbers of a code, of an embedding */
    bool apart;             /* an edit's bits do not depend on what runs beside it */
    int slots;              /* that are computed */
    int *slot;              /* [count] first slot of a job; -1: it takes no part */
    float *source, *edited; /* [slots] codes */
    float *target;          /* [slots] embeddings */
    float *mask;            /* [slots][rows] */
    float *w, *pixels;      /* of one result */
} work;

static void release(work *x) {
    void *all[] = {x->slot, x->source, x->edited, x->target, x->mask, x->w, x->pixels};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

static chl_status begin(work *x, batch *b, const batch_chunk *chunk) {
    *x = (work){.b = b, .chunk = chunk, .size = chl_engine_get_sizes(b->engine)};
    x->code = (size_t)x->size.rows * (size_t)x->size.latent;
    x->width = (size_t)x->size.embedding;
    x->apart = chl_edit_is_independent(b->engine);
    const size_t slots = (size_t)chunk->slots, side = (size_t)x->size.picture;
    x->slot = calloc((size_t)chunk->count, sizeof *x->slot);
    x->source = calloc(slots, sizeof(float) * x->code);
    x->edited = calloc(slots, sizeof(float) * x->code);
    x->target = calloc(slots, sizeof(float) * x->width);
    x->mask = calloc(slots, sizeof(float) * (size_t)x->size.rows);
    x->w = calloc(x->code, sizeof(float));
    x->pixels = calloc(3 * side * side, sizeof(float));
    if (x->slot && x->source && x->edited && x->target && x->mask && x->w && x->pixels)
        return CHL_OK;
    return command_fail(CHL_ERR_MEMORY, "out of memory for %d edits", chunk->slots);
}

static int on_progress(void *user, const chl_edit_progress *progress) {
    (void)user, (void)progress;
    return interrupted();
}

/* --- sources and targets ---------------------------------------------------------------------- */
typedef struct making {
    work *x;
    const one_edit *e;
    int slot; /* of a target */
} making;

static chl_status make_source(void *user, float *numbers) {
    const making *m = user;
    return one_edit_source(m->x->b->engine, m->e, on_progress, NULL, numbers);
}

static chl_status make_target(void *user, float *numbers) {
    const making *m = user;
    return one_edit_target(m->x->b->engine, m->e, m->slot, numbers);
}

static chl_status find_source(work *x, const batch_job *job, float *source) {
    static const char *const flags[] = {
        "image",      "generator",    "class",   "conv-clamp", "clip",   "clip-gelu", "clip-view",
        "clip-heads", "invert-steps", "encoder", "precision",  "device", NULL};
    making m = {.x = x, .e = &job->e};
    if (!job->e.ask.image) return make_source(&m, source);
    return batch_cached(x->b, batch_facts(job, "inversion", flags), x->code, make_source, &m,
                        source);
}

static chl_status find_target(work *x, const batch_job *job, int slot, float *target) {
    static const char *const sound[] = {"sound",     "level",  "audio", "mode",
                                        "precision", "device", NULL};
    static const char *const told[] = {"sound",           "level",
                                       "audio",           "mode",
                                       "sound-texts",     "sound-texts-temperature",
                                       "sound-own-share", "clip",
                                       "vocab",           "clip-gelu",
                                       "clip-text-heads", "precision",
                                       "device",          NULL};
    static const char *const text[] = {
        "text", "clip", "vocab", "clip-gelu", "clip-text-heads", "precision", "device", NULL};
    const bool by_text = job->e.ask.text && slot == 0;
    making m = {.x = x, .e = &job->e, .slot = slot};
    json_t *facts = batch_facts(job, by_text ? "text" : "sound",
                                by_text                         ? text
                                : job->e.ask.models.sound_texts ? told
                                                                : sound);
    return batch_cached(x->b, facts, x->width, make_target, &m, target);
}

static chl_status find_inputs(work *x, const batch_job *job, int slot) {
    const size_t first = (size_t)slot;
    float *source = x->source + first * x->code;
    if (job->unreadable) return command_fail(CHL_ERR_IO, "%s", job->unreadable);
    chl_status status = CHL_OK;
    for (int i = 0; i < one_edit_slots(&job->e) && status == CHL_OK; i++) /* the likelier to fail */
        status = find_target(x, job, i, x->target + (first + (size_t)i) * x->width);
    if (status == CHL_OK) status = find_source(x, job, source);
    if (status == CHL_OK && one_edit_slots(&job->e) == 2)
        memcpy(source + x->code, source, sizeof(float) * x->code);
    return status;
}

/* --- failures --------------------------------------------------------------------------------- */
/* Such an error is the machine's, not the job's: the run ends, and the job is left to do. */
static bool ends_the_run(chl_status status) {
    return status == CHL_ERR_MEMORY || status == CHL_ERR_CANCELLED || status == CHL_ERR_INTERNAL;
}

/* The reason is the last error's text. A failure that is known already stays as it is. */
static chl_status fail(work *x, batch_job *job) {
    char *reason = take_error();
    if (!reason) return command_fail(CHL_ERR_MEMORY, "out of memory for an error");
    if (job->status != BATCH_OPEN || !batch_claim_holds(x->b)) {
        free(reason);
        return CHL_OK;
    }
    free(job->reason);
    job->reason = reason;
    job->status = BATCH_FAILED;
    return batch_journal_write(x->b, job);
}

/* Where edits are apart, the jobs that are left to do take slots; otherwise each has the place that
 * the plan gives it. Jobs whose files are no pictures or sounds fail. *good: a slot of one that does
 * not; -1: none. */
static chl_status find_all_inputs(work *x, int *good) {
    *good = -1;
    for (int i = 0, next = 0; i < x->chunk->count; i++) {
        batch_job *job = batch_job_at(x->b, x->chunk, i);
        const int first = x->apart ? x->slots : next;
        next += one_edit_slots(&job->e);
        x->slot[i] = -1;
        if (job->twin >= 0 || (x->apart && job->status != BATCH_OPEN)) continue;
        chl_status status = find_inputs(x, job, first);
        if (ends_the_run(status)) return status;
        if (status == CHL_OK) {
            x->slot[i] = *good = first;
            x->slots = first + one_edit_slots(&job->e);
        } else if ((status = fail(x, job)) != CHL_OK) {
            return status;
        }
    }
    return CHL_OK;
}

/* Where a result depends on how many run at once, the chunk's number runs whatever fails: slots
 * without a job repeat another's edit. */
static void fill_empty_slots(work *x, int good) {
    x->slots = x->chunk->slots;
    for (int i = 0, slot = 0; i < x->chunk->count; i++) {
        const int end = slot + one_edit_slots(&batch_job_at(x->b, x->chunk, i)->e);
        for (; slot < end; slot++) {
            if (x->slot[i] >= 0) continue;
            memcpy(x->source + (size_t)slot * x->code, x->source + (size_t)good * x->code,
                   sizeof(float) * x->code);
            memcpy(x->target + (size_t)slot * x->width, x->target + (size_t)good * x->width,
                   sizeof(float) * x->width);
        }
    }
}

/* --- results ---------------------------------------------------------------------------------- */
/* root mean square over the rows, as edit reports it */
static double distance(const work *x, const float *source) {
    double sum = 0;
    for (size_t i = 0; i < x->code; i++)
        sum += ((double)x->w[i] - (double)source[i]) * ((double)x->w[i] - (double)source[i]);
    return sqrt(sum / x->size.rows);
}

static chl_status render(work *x, const batch_job *job, int slot, recipe_result *result) {
    float view[CHL_MAX_EMBEDDING];
    const int side = x->size.picture, slots = one_edit_slots(&job->e);
    const float *target = x->target + (size_t)(slot + slots - 1) * x->width;
    chl_status status =
        one_edit_result(x->b->engine, &job->e, x->edited + (size_t)slot * x->code, x->w);
    if (status == CHL_OK) status = chl_generate(x->b->engine, 1, x->w, x->pixels);
    if (status == CHL_OK) status = chl_embed_picture(x->b->engine, side, side, x->pixels, view);
    if (status != CHL_OK) return status;
    for (size_t i = 0; i < x->width; i++) result->cosine += (double)view[i] * (double)target[i];
    result->distance = distance(x, x->source + (size_t)slot * x->code);
    return CHL_OK;
}

static chl_status note_done(work *x, batch_job *job, double cosine, double moved) {
    job->status = BATCH_DONE;
    job->cosine = cosine;
    job->distance = moved;
    x->b->done_now++;
    return batch_journal_write(x->b, job);
}

/* A worker was killed between a picture and the journal: the picture is not touched. */
static chl_status adopt(work *x, batch_job *job, const char *path) {
    json_t *recipe;
    chl_status status = recipe_read(path, &recipe);
    if (status != CHL_OK) return status;
    const char *id = json_string_value(json_object_get(recipe, "id"));
    const json_t *result = json_object_get(recipe, "result");
    if (!id || strcmp(id, job->id) != 0)
        status = command_fail(CHL_ERR_FORMAT, "%s: is in the way of the result: move it", path);
    if (status == CHL_OK) status = recipe_write_beside(path, recipe);
    if (status == CHL_OK)
        status = note_done(x, job, json_number_value(json_object_get(result, "cosine")),
                           json_number_value(json_object_get(result, "distance")));
    json_decref(recipe);
    return status;
}

static chl_status publish(work *x, batch_job *job, int slot, int steps) {
    recipe_result result = {.step = steps, .at_once = {x->chunk->slots, x->chunk->slots}};
    chl_status status = render(x, job, slot, &result);
    if (status != CHL_OK) return ends_the_run(status) ? status : fail(x, job);
    status = batch_show_inputs(x->b, job, x->source + (size_t)slot * x->code);
    if (status != CHL_OK) return status;
    json_t *recipe = recipe_new(&job->e, job->digests, &result);
    char *path = batch_result_path(x->b, job);
    if (!path) status = command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    if (!recipe) status = CHL_ERR_MEMORY;
    if (status == CHL_OK && batch_claim_holds(x->b) && access(path, F_OK) != 0) {
        status = recipe_write_picture(path, x->size.picture, x->pixels, recipe);
        if (status == CHL_OK) status = note_done(x, job, result.cosine, result.distance);
    }
    json_decref(recipe);
    free(path);
    return status;
}

/* The library's sign: the layer mask, whose sum is 1 else, is zeros. */
static bool broke_down(const work *x, const batch_job *job, int slot) {
    bool broke = false;
    for (int i = 0; i < one_edit_slots(&job->e); i++) {
        const float *mask = x->mask + (size_t)(slot + i) * (size_t)x->size.rows;
        float sum = 0;
        for (int row = 0; row < x->size.rows; row++) sum += mask[row];
        broke = broke || sum == 0;
    }
    return broke;
}

static chl_status publish_all(work *x, chl_status edited, int steps) {
    char *reason = edited == CHL_OK ? NULL : take_error();
    chl_status status = CHL_OK;
    for (int i = 0; i < x->chunk->count && status == CHL_OK; i++) {
        batch_job *job = batch_job_at(x->b, x->chunk, i);
        const int slot = x->slot[i];
        if (slot < 0 || job->status != BATCH_OPEN) continue;
        const bool failed =
            edited != CHL_OK && (edited != CHL_ERR_NUMERIC || broke_down(x, job, slot));
        if (failed) {
            (void)command_fail(edited, "%s", reason ? reason : "out of memory");
            status = fail(x, job);
        } else {
            status = publish(x, job, slot, steps);
        }
    }
    free(reason);
    return status;
}

/* A chunk is of one picture where the generator is tuned. */
static chl_status tune(work *x) {
    for (int i = 0; i < x->chunk->count; i++) {
        const batch_job *job = batch_job_at(x->b, x->chunk, i);
        if (x->slot[i] >= 0)
            return one_edit_tune(x->b->engine, &job->e.ask, on_progress, NULL,
                                 x->source + (size_t)x->slot[i] * x->code);
    }
    return CHL_OK;
}

static chl_status edit_all(work *x) {
    const batch_job *first = batch_job_at(x->b, x->chunk, 0);
    chl_edit_options options;
    float *numbers;
    chl_status status = one_edit_library_options(x->b->engine, &first->e, &options, &numbers);
    if (status != CHL_OK) return ends_the_run(status) ? status : publish_all(x, status, 0);
    options.progress = on_progress;
    status = tune(x);
    if (status == CHL_OK)
        status = edit_many(x->b->engine, &first->e.ask, &options, x->slots, x->source, x->target,
                           x->edited, x->mask, NULL);
    free(numbers);
    x->b->optimisations += x->slots;
    return ends_the_run(status) ? status : publish_all(x, status, chl_edit_steps(&options));
}

/* --- a chunk ---------------------------------------------------------------------------------- */
static chl_status adopt_all(work *x) {
    chl_status status = CHL_OK;
    for (int i = 0; i < x->chunk->count && status == CHL_OK; i++) {
        batch_job *job = batch_job_at(x->b, x->chunk, i);
        if (job->twin >= 0 || job->status != BATCH_OPEN) continue;
        char *path = batch_result_path(x->b, job);
        if (!path) return command_fail(CHL_ERR_MEMORY, "out of memory for a name");
        if (access(path, F_OK) == 0) status = adopt(x, job, path);
        free(path);
    }
    return status;
}

chl_status batch_do_chunk(batch *b, const batch_chunk *chunk) {
    work x = {.b = b, .chunk = chunk};
    chl_status status = adopt_all(&x);
    if (status != CHL_OK || batch_chunk_finished(b, chunk)) return status;
    status = batch_open_engine(b, batch_job_at(b, chunk, 0));
    if (status == CHL_OK) status = begin(&x, b, chunk);
    int good = -1;
    if (status == CHL_OK) status = find_all_inputs(&x, &good);
    if (status == CHL_OK && good >= 0 && !batch_chunk_finished(b, chunk)) {
        if (!x.apart) fill_empty_slots(&x, good);
        status = edit_all(&x);
        const chl_status restored = chl_untune(b->engine);
        if (status == CHL_OK) status = restored;
    }
    release(&x);
    return status;
}
