#include "eval/edit_trials.h"
#include "base/random.h"
#include "io/weights.h"
#include "nets/stylegan2.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE_SOUND 0x736f756eu /* Philox purpose: which sound meets which source */

int64_t chl_bench_code(const chl_bench *b) {
    return (int64_t)b->size.rows * b->size.latent;
}
int64_t chl_bench_picture(const chl_bench *b) {
    return 3 * (int64_t)b->size.picture * b->size.picture;
}

static void *room(int64_t count, size_t size) {
    return calloc((size_t)count + 1, size);
}
static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for trials of edits");
}

/* --- the judge -------------------------------------------------------------------------------- */
static chl_status open_judge(chl_bench *b) {
    CHL_TRY(chl_weights_read(b->options->judge, &b->judge));
    CHL_TRY(chl_judge_import(b->judge, &b->judge_config));
    CHL_TRY(chl_params_check_all_used(b->judge));
    if (b->judge_config.side == b->size.picture) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE, "%s judges pictures of %d pixels, the generator makes %d",
                    b->options->judge, b->judge_config.side, b->size.picture);
}

static chl_status find_witness(const chl_bench *b, const char *kind, int *class) {
    for (*class = 0; *class < b->judge_config.classes[CHL_JUDGE_KIND]; ++*class)
        if (strcmp(b->judge_config.kind_name[*class], kind) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s: the judge does not know the kind \"%s\" of %s",
                    b->options->judge, kind, b->options->sounds);
}

chl_status chl_bench_look(chl_bench *b, int n, const float *pixels, chl_judge_seen *seen) {
    return chl_judge_look(b->engine->device, b->judge, &b->judge_config, n, pixels, seen);
}

double chl_bench_strength(const chl_bench *b, const chl_judge_seen *seen, int kind) {
    const int mine = b->witness[kind];
    double others = 0;
    for (int c = 0; c < b->judge_config.classes[CHL_JUDGE_KIND]; c++)
        if (c != mine) others += seen->probability[CHL_JUDGE_KIND][c];
    const double least = 1e-30; /* below float's: no logarithm of 0 */
    return log(seen->probability[CHL_JUDGE_KIND][mine] + least) - log(others + least);
}

/* --- sounds ----------------------------------------------------------------------------------- */
static chl_status sort_sounds(chl_bench *b) {
    const chl_dataset *d = b->sounds;
    b->kinds = d->kinds;
    b->witness = room(b->kinds, sizeof *b->witness);
    b->first = room(b->kinds + 1, sizeof *b->first);
    b->order = room(d->count, sizeof *b->order);
    if (!b->witness || !b->first || !b->order) return no_memory();
    int64_t at = 0;
    for (int k = 0; k < b->kinds; k++) {
        CHL_TRY(find_witness(b, d->kind_name[k], &b->witness[k]));
        b->first[k] = at;
        for (int64_t i = 0; i < d->count; i++)
            if (d->sample[i].kind_id == k && d->sample[i].strength >= b->options->min_strength)
                b->order[at++] = i;
        if (at == b->first[k])
            return chl_fail(CHL_ERR_ARGUMENT, "%s: no sound of \"%s\" of strength %g or more",
                            b->options->sounds, d->kind_name[k], (double)b->options->min_strength);
    }
    b->first[b->kinds] = at;
    return CHL_OK;
}

static chl_status open_sounds(chl_bench *b) {
    CHL_TRY(chl_dataset_open(b->options->sounds, CHL_NEED_SOUND, &b->sounds));
    for (int64_t i = 0; i < b->sounds->count; i++)
        if (!b->sounds->sample[i].kind)
            return chl_fail(CHL_ERR_KEY, "%s/pairs.jsonl line %lld: \"kind\" is missing",
                            b->options->sounds, (long long)i + 1);
    return sort_sounds(b);
}

int64_t chl_bench_sound(const chl_bench *b, int source, int kind) {
    const int64_t count = b->first[kind + 1] - b->first[kind];
    const uint32_t word =
        chl_random(b->options->seed, PURPOSE_SOUND, (uint64_t)source, (uint64_t)kind).word[0];
    return b->order[b->first[kind] + chl_random_below(word, count)];
}

static chl_status read_labels(chl_bench *b, int n, const chl_trial *trial, float *target) {
    for (int i = 0; i < n; i++) {
        const chl_sample *s = &b->sounds->sample[trial[i].sound];
        const char *text = s->label ? s->label : s->kind;
        CHL_TRY(chl_embed_text(b->engine, text, target + (int64_t)i * b->size.embedding));
    }
    return CHL_OK;
}

static chl_status hear_sounds(chl_bench *b, int n, const chl_trial *trial, float *target) {
    const char **path = room(n, sizeof *path);
    float *gain = room(n, sizeof *gain);
    chl_status status = path && gain ? CHL_OK : no_memory();
    for (int i = 0; i < n && status == CHL_OK; i++) {
        path[i] = b->sounds->sample[trial[i].sound].sound;
        gain[i] = trial[i].gain_db;
    }
    if (status == CHL_OK)
        status = chl_eval_embed_sounds(b->engine, n, path, gain, &b->watch, target);
    free(path);
    free(gain);
    return status;
}

chl_status chl_bench_listen(chl_bench *b, int n, chl_trial *trial, float *target) {
    for (int i = 0; i < n; i++) trial[i].target = target + (int64_t)i * b->size.embedding;
    return (b->options->by_label ? read_labels : hear_sounds)(b, n, trial, target);
}

/* --- sources ---------------------------------------------------------------------------------- */
chl_status chl_bench_imagine(chl_bench *b, int n, const float *z, float *code, float *pixels) {
    float *w = room((int64_t)n * b->size.latent, sizeof *w);
    chl_status status = w ? CHL_OK : no_memory();
    if (status == CHL_OK) status = chl_engine_map(b->engine, n, z, w);
    if (status == CHL_OK)
        status = chl_stylegan2_truncate(&b->engine->generator_config, n, w, NULL, 0, 1, 0, code);
    free(w);
    if (status != CHL_OK || !pixels) return status;
    return chl_generate(b->engine, n, code, pixels);
}

static chl_status check_latents(const chl_bench *b, const chl_dataset *d, const char *folder) {
    if (d->latent == b->size.z) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE, "%s/latents.npy: rows of %d numbers, the generator's z has %d",
                    folder, d->latent, b->size.z);
}

static chl_status open_sources(chl_bench *b) {
    chl_dataset *d;
    CHL_TRY(chl_dataset_open(b->options->sources, CHL_NEED_LATENT, &d));
    b->sources = d->count < b->options->scenes ? (int)d->count : b->options->scenes;
    b->source_code = room(b->sources * chl_bench_code(b), sizeof(float));
    b->source_pixels = room(b->sources * chl_bench_picture(b), sizeof(float));
    b->source_seen = room(b->sources, sizeof *b->source_seen);
    chl_status status = b->source_code && b->source_pixels && b->source_seen ? CHL_OK : no_memory();
    if (status == CHL_OK) status = check_latents(b, d, b->options->sources);
    if (status == CHL_OK)
        status = chl_bench_imagine(b, b->sources, d->latents, b->source_code, b->source_pixels);
    if (status == CHL_OK) status = chl_bench_look(b, b->sources, b->source_pixels, b->source_seen);
    chl_dataset_free(d);
    return status;
}

/* --- all together ----------------------------------------------------------------------------- */
static chl_status check(chl_engine *engine, const chl_trial_options *o) {
    if (!o->judge || !o->sources || !o->sounds)
        return chl_fail(CHL_ERR_ARGUMENT, "trials need a judge, sources and sounds");
    if (o->scenes < 1 || o->batch < 1)
        return chl_fail(CHL_ERR_ARGUMENT, "%d scenes, %d edits at once: at least one each",
                        o->scenes, o->batch);
    CHL_TRY(chl_engine_need_mapping(engine, "trials of edits"));
    return o->by_label ? chl_engine_need(engine->tokenizer, "vocab", "edits by labels")
                       : chl_engine_need(engine->audio, "audio", "trials of edits");
}

chl_status chl_bench_open(chl_engine *engine, const chl_trial_options *options, chl_bench *bench) {
    *bench = (chl_bench){.engine = engine,
                         .options = options,
                         .watch = {options->progress, options->user},
                         .size = chl_engine_get_sizes(engine)};
    chl_status status = check(engine, options);
    if (status == CHL_OK) status = open_judge(bench);
    if (status == CHL_OK) status = open_sounds(bench);
    if (status == CHL_OK) status = open_sources(bench);
    if (status != CHL_OK) chl_bench_close(bench);
    return status;
}

void chl_bench_close(chl_bench *b) {
    chl_params_free(b->judge);
    chl_dataset_free(b->sounds);
    free(b->witness);
    free(b->first);
    free(b->order);
    free(b->source_code);
    free(b->source_pixels);
    free(b->source_seen);
    *b = (chl_bench){.engine = NULL};
}

/* --- edits ------------------------------------------------------------------------------------ */
/* Room for one batch. */
typedef struct desk {
    float *source, *target, *edited, *pixels;
    chl_judge_seen *seen;
} desk;

static void desk_free(desk *d) {
    free(d->source);
    free(d->target);
    free(d->edited);
    free(d->pixels);
    free(d->seen);
}

static chl_status desk_new(const chl_bench *b, int n, desk *d) {
    d->source = room(n * chl_bench_code(b), sizeof(float));
    d->edited = room(n * chl_bench_code(b), sizeof(float));
    d->target = room((int64_t)n * b->size.embedding, sizeof(float));
    d->pixels = room(n * chl_bench_picture(b), sizeof(float));
    d->seen = room(n, sizeof *d->seen);
    return d->source && d->edited && d->target && d->pixels && d->seen ? CHL_OK : no_memory();
}

static double dot(int d, const float *a, const float *b) {
    double total = 0;
    for (int i = 0; i < d; i++) total += (double)a[i] * b[i];
    return total;
}

static chl_status compare_with_text(chl_bench *b, const float *text, const float *pixels,
                                    chl_trial *trial) {
    float view[CHL_MAX_EMBEDDING];
    CHL_TRY(chl_embed_picture(b->engine, b->size.picture, b->size.picture, pixels, view));
    const int d = b->size.embedding;
    trial->cosine = (float)dot(d, view, text + (int64_t)trial->kind * d);
    return CHL_OK;
}

static chl_status edit_batch(chl_bench *b, const chl_bench_run *run, int n, chl_trial *trial,
                             desk *d) {
    const int64_t code = chl_bench_code(b), embed = b->size.embedding;
    for (int i = 0; i < n; i++) {
        memcpy(d->source + i * code, b->source_code + trial[i].source * code,
               sizeof(float) * (size_t)code);
        memcpy(d->target + i * embed, trial[i].target, sizeof(float) * (size_t)embed);
    }
    chl_edit_options options = *b->options->edit;
    options.progress = NULL;
    const chl_status status =
        chl_edit_many(b->engine, &options, n, d->source, d->target, d->edited, NULL);
    /* an optimisation that broke down is judged by where it got to */
    if (status == CHL_ERR_NUMERIC)
        chl_log(CHL_LOG_WARN, "%s: %s", run->what, chl_error());
    else if (status != CHL_OK)
        return status;
    CHL_TRY(chl_generate(b->engine, n, d->edited, d->pixels));
    CHL_TRY(chl_bench_look(b, n, d->pixels, d->seen));
    for (int i = 0; i < n; i++) {
        trial[i].seen = d->seen[i];
        if (run->text)
            CHL_TRY(
                compare_with_text(b, run->text, d->pixels + i * chl_bench_picture(b), &trial[i]));
    }
    return CHL_OK;
}

chl_status chl_bench_edit(chl_bench *b, const chl_bench_run *run, int n, chl_trial *trial) {
    const int64_t code = chl_bench_code(b), picture = chl_bench_picture(b);
    const int batch = b->options->batch;
    desk d = {.source = NULL};
    chl_status status = desk_new(b, batch, &d);
    if (status == CHL_OK) status = chl_report_progress(&b->watch, run->what, 0, n);
    for (int at = 0; at < n && status == CHL_OK; at += batch) {
        const int count = n - at < batch ? n - at : batch;
        status = edit_batch(b, run, count, trial + at, &d);
        if (status != CHL_OK) break;
        if (run->code)
            memcpy(run->code + at * code, d.edited, sizeof(float) * (size_t)(count * code));
        if (run->pixels)
            memcpy(run->pixels + at * picture, d.pixels, sizeof(float) * (size_t)(count * picture));
        status = chl_report_progress(&b->watch, run->what, at + count, n);
    }
    desk_free(&d);
    return status;
}
