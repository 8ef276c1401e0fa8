#include "eval/edit_trials.h"
#include "base/free.h"
#include "base/options.h"
#include "base/random.h"
#include "eval/sample_statistics.h"
#include "io/one_array.h"
#include "io/weights.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PURPOSE_SOUND 0x736f756eu /* Philox purpose: which sound edits which source */

int64_t chl_trials_code(const chl_trials *t) {
    return (int64_t)t->size.rows * t->size.latent;
}
int64_t chl_trials_picture(const chl_trials *t) {
    return 3 * (int64_t)t->size.picture * t->size.picture;
}

static void *new_array(int64_t count, size_t size) {
    return calloc((size_t)count + 1, size); /* NULL means out of memory, also of none */
}
static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for trials of edits");
}

/* --- the judge -------------------------------------------------------------------------------- */
static chl_status check_judge(const chl_judge *judge) {
    if (!judge || !judge->open)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "judged_by must be a judge, got NULL: the demo's is chl_demo_judge()");
    return chl_check_int(judge->attributes >= 0 && judge->attributes <= CHL_JUDGE_MAX_ATTRIBUTES,
                         "chl_judge.attributes", "0 to 8", judge->attributes);
}

static chl_status open_judge(chl_trials *t) {
    const chl_trial_options *o = t->options;
    chl_judge_sizes *sizes = &t->judge_sizes;
    if (!o->judge) return CHL_OK;
    CHL_TRY(check_judge(o->judged_by));
    CHL_TRY(o->judged_by->open(t->engine, o->judge, &t->judge, sizes));
    if (sizes->kinds < 1 || sizes->kinds > CHL_JUDGE_MAX_KINDS)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: a judge's kinds must be 1 to %d, got %d",
                        o->judge, CHL_JUDGE_MAX_KINDS, sizes->kinds);
    if (sizes->side == t->size.picture) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE, "%s judges pictures of %d pixels, the generator makes %d",
                    o->judge, sizes->side, t->size.picture);
}

static chl_status find_judge_class(const chl_trials *t, const char *kind, int *class) {
    *class = 0;
    if (!t->judge) return CHL_OK;
    for (*class = 0; *class < t->judge_sizes.kinds; ++*class)
        if (strcmp(t->judge_sizes.kind[*class], kind) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s: the judge does not know the kind \"%s\" of %s",
                    t->options->judge, kind, t->options->sounds);
}

chl_status chl_trials_judge(chl_trials *t, int n, const float *pixels, chl_judgement *judgement) {
    memset(judgement, 0, sizeof *judgement * (size_t)n);
    return t->judge ? t->options->judged_by->classify(t->judge, n, pixels, judgement) : CHL_OK;
}

double chl_trials_log_odds(const chl_trials *t, const chl_judgement *judgement, int kind) {
    const int own = t->judge_class[kind];
    double others = 0;
    for (int c = 0; c < t->judge_sizes.kinds; c++)
        if (c != own) others += judgement->probability[c];
    const double tiny = 1e-30; /* below float32's range: no logarithm of 0 */
    return log(judgement->probability[own] + tiny) - log(others + tiny);
}

/* --- sounds ----------------------------------------------------------------------------------- */
static chl_status sort_sounds(chl_trials *t) {
    const chl_dataset *d = t->sounds;
    t->kinds = d->kinds;
    t->judge_class = new_array(t->kinds, sizeof *t->judge_class);
    t->first = new_array(t->kinds + 1, sizeof *t->first);
    t->order = new_array(d->count, sizeof *t->order);
    if (!t->judge_class || !t->first || !t->order) return no_memory();
    int64_t at = 0;
    for (int k = 0; k < t->kinds; k++) {
        CHL_TRY(find_judge_class(t, d->kind_name[k], &t->judge_class[k]));
        t->first[k] = at;
        for (int64_t i = 0; i < d->count; i++)
            if (d->sample[i].kind_id == k && d->sample[i].strength >= t->options->min_strength)
                t->order[at++] = i;
        if (at == t->first[k])
            return chl_fail(CHL_ERR_ARGUMENT,
                            "%s: \"%s\" has no sound of strength >= min_strength, %g",
                            t->options->sounds, d->kind_name[k], (double)t->options->min_strength);
    }
    t->first[t->kinds] = at;
    return CHL_OK;
}

static chl_status open_sounds(chl_trials *t) {
    char place[CHL_PLACE];
    CHL_TRY(chl_dataset_open(t->options->sounds, CHL_NEED_SOUND, &t->sounds));
    for (int64_t i = 0; i < t->sounds->count; i++)
        if (!t->sounds->sample[i].kind)
            return chl_fail(CHL_ERR_KEY, "%s: \"kind\" is missing",
                            chl_sample_place(t->sounds, &t->sounds->sample[i], place));
    return sort_sounds(t);
}

int64_t chl_trials_sound(const chl_trials *t, int source, int kind) {
    const int64_t count = t->first[kind + 1] - t->first[kind];
    const uint32_t word =
        chl_random(t->options->seed, PURPOSE_SOUND, (uint64_t)source, (uint64_t)kind).word[0];
    return t->order[t->first[kind] + chl_random_below(word, count)];
}

static chl_status embed_labels(chl_trials *t, int n, const chl_trial *trial, float *target) {
    for (int i = 0; i < n; i++) {
        const chl_sample *s = &t->sounds->sample[trial[i].sound];
        const char *text = s->label ? s->label : s->kind;
        CHL_TRY(chl_clip_embed_texts(t->engine->clip, 1, 1, &text,
                                     target + (int64_t)i * t->size.embedding));
    }
    return CHL_OK;
}

static chl_status embed_sounds(chl_trials *t, int n, const chl_trial *trial, float *target) {
    chl_media *sound = new_array(n, sizeof *sound);
    float *gain = new_array(n, sizeof *gain);
    chl_status status = sound && gain ? CHL_OK : no_memory();
    for (int i = 0; i < n && status == CHL_OK; i++) {
        sound[i] = chl_sample_sound(&t->sounds->sample[trial[i].sound]);
        gain[i] = trial[i].gain_db;
    }
    if (status == CHL_OK)
        status = chl_eval_embed_sounds(t->engine->audio, n, sound, gain, &t->watch, target);
    if (status == CHL_OK) chl_sound_texts_apply(t->engine->sound_texts, n, target);
    free(sound);
    free(gain);
    return status;
}

chl_status chl_trials_targets(chl_trials *t, int n, chl_trial *trial, float *target) {
    for (int i = 0; i < n; i++) trial[i].target = target + (int64_t)i * t->size.embedding;
    return (t->options->by_label ? embed_labels : embed_sounds)(t, n, trial, target);
}

/* --- sources ---------------------------------------------------------------------------------- */
chl_status chl_trials_generate(chl_trials *t, int n, const float *z, float *code, float *pixels) {
    float *w = new_array((int64_t)n * t->size.latent, sizeof *w);
    chl_status status = w ? CHL_OK : no_memory();
    if (status == CHL_OK) status = chl_generator_map(t->engine->generator, n, z, w);
    if (status == CHL_OK) status = chl_generator_truncate(t->engine->generator, n, w, 1, code);
    free(w);
    if (status != CHL_OK || !pixels) return status;
    return chl_generator_render_each(t->engine->generator, n, code, pixels);
}

static chl_status check_latents(const chl_trials *t, const chl_dataset *d, const char *folder) {
    if (d->latent == t->size.z) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE,
                    "%s/latents.npy: a row must have %d numbers, as the generator's z, got %d",
                    folder, t->size.z, d->latent);
}

static chl_status new_sources(chl_trials *t, int64_t count) {
    t->sources = count < t->options->scenes ? (int)count : t->options->scenes;
    t->source_code = new_array(t->sources * chl_trials_code(t), sizeof(float));
    t->source_pixels = new_array(t->sources * chl_trials_picture(t), sizeof(float));
    t->source_judgement = new_array(t->sources, sizeof *t->source_judgement);
    return t->source_code && t->source_pixels && t->source_judgement ? CHL_OK : no_memory();
}

static chl_status generate_sources(chl_trials *t) {
    chl_dataset *d;
    CHL_TRY(chl_dataset_open(t->options->sources, CHL_NEED_LATENT, &d));
    chl_status status = new_sources(t, d->count);
    if (status == CHL_OK) status = check_latents(t, d, t->options->sources);
    if (status == CHL_OK)
        status = chl_trials_generate(t, t->sources, d->latents, t->source_code, t->source_pixels);
    chl_dataset_free(d);
    return status;
}

/* Codes in a file: [rows][latent], or any number of these. */
static bool are_codes(const char *path) {
    static const char *const endings[] = {".npy", ".npz", ".pt"};
    const char *ending = strrchr(path, '.');
    struct stat about;
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return false;
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(ending, endings[i]) == 0) return true;
    return false;
}

static chl_status check_codes(const chl_trials *t, const chl_desc *desc, const float *codes) {
    const char *path = t->options->sources;
    char shape[96];
    const int r = desc->rank;
    if (desc->dtype != CHL_F32 || r < 2 || desc->dim[r - 2] != t->size.rows ||
        desc->dim[r - 1] != t->size.latent || chl_count(desc) == 0)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s: expected W+ codes of %d x %d, one or several, as float32; got %s %s "
                        "(of scenes of chladni world give the folder)",
                        path, t->size.rows, t->size.latent,
                        desc->dtype == CHL_F32 ? "float32" : "whole numbers",
                        chl_shape_text(desc, shape, sizeof shape));
    for (int64_t i = 0; i < chl_count(desc); i++)
        if (!isfinite(codes[i]))
            return chl_fail(CHL_ERR_NUMERIC, "%s: element %" PRId64 " is not finite", path, i);
    return CHL_OK;
}

static chl_status read_sources(chl_trials *t) {
    chl_desc desc;
    void *codes;
    CHL_TRY(chl_one_array_read(t->options->sources, &desc, &codes));
    chl_status status = check_codes(t, &desc, codes);
    if (status == CHL_OK) status = new_sources(t, chl_count(&desc) / chl_trials_code(t));
    if (status == CHL_OK) {
        memcpy(t->source_code, codes, sizeof(float) * (size_t)(t->sources * chl_trials_code(t)));
        status = chl_generator_render_each(t->engine->generator, t->sources, t->source_code,
                                           t->source_pixels);
    }
    free(codes);
    return status;
}

static chl_status open_sources(chl_trials *t) {
    CHL_TRY(are_codes(t->options->sources) ? read_sources(t) : generate_sources(t));
    return chl_trials_judge(t, t->sources, t->source_pixels, t->source_judgement);
}

/* --- all together ----------------------------------------------------------------------------- */
static chl_status check(chl_engine *engine, const chl_trial_options *o) {
    if (!o->sources || !o->sounds)
        return chl_fail(CHL_ERR_ARGUMENT, "sources and sounds must name folders, got NULL");
    CHL_TRY(chl_check_int(o->scenes >= 1, "scenes", ">= 1", o->scenes));
    CHL_TRY(chl_check_int(o->batch >= 1, "batch", ">= 1", o->batch));
    CHL_TRY(chl_need(engine->generator, "generator", "trials of edits"));
    if (!are_codes(o->sources))
        CHL_TRY(chl_generator_need_mapping(engine->generator, "trials of edits"));
    else if (o->judge && o->gate > 0)
        CHL_TRY(chl_generator_need_mapping(engine->generator, "gate must be 0"));
    return o->by_label ? chl_clip_need_texts(engine->clip, "edits by labels")
                       : chl_need(engine->audio, "audio", "trials of edits");
}

chl_status chl_trials_open(chl_engine *engine, const chl_trial_options *options,
                           chl_trials *trials) {
    *trials = (chl_trials){.engine = engine,
                           .options = options,
                           .watch = {options->progress, options->user},
                           .size = chl_models_sizes(engine)};
    chl_status status = check(engine, options);
    if (status == CHL_OK) status = open_judge(trials);
    if (status == CHL_OK) status = open_sounds(trials);
    if (status == CHL_OK) status = open_sources(trials);
    if (status != CHL_OK) chl_trials_close(trials);
    return status;
}

void chl_trials_close(chl_trials *t) {
    if (t->judge) t->options->judged_by->close(t->judge);
    chl_dataset_free(t->sounds);
    CHL_FREE(t->judge_class, t->first, t->order, t->source_code, t->source_pixels,
             t->source_judgement);
    *t = (chl_trials){.engine = NULL};
}

/* --- edits ------------------------------------------------------------------------------------ */
/* One batch. */
typedef struct batch_arrays {
    float *source, *target, *edited, *pixels;
    chl_judgement *judgement;
} batch_arrays;

static void batch_free(batch_arrays *a) {
    CHL_FREE(a->source, a->target, a->edited, a->pixels, a->judgement);
}

static chl_status batch_new(const chl_trials *t, int n, batch_arrays *a) {
    a->source = new_array(n * chl_trials_code(t), sizeof(float));
    a->edited = new_array(n * chl_trials_code(t), sizeof(float));
    a->target = new_array((int64_t)n * t->size.embedding, sizeof(float));
    a->pixels = new_array(n * chl_trials_picture(t), sizeof(float));
    a->judgement = new_array(n, sizeof *a->judgement);
    return a->source && a->edited && a->target && a->pixels && a->judgement ? CHL_OK : no_memory();
}

chl_status chl_trials_see(chl_trials *t, const float *pixels, float *view, float *face) {
    const int side = t->size.picture;
    CHL_TRY(chl_clip_embed_picture(t->engine->clip, side, side, pixels, view));
    return face ? chl_face_embed(t->engine->face, side, side, pixels, face) : CHL_OK;
}

/* Edit number `at + i` of the run. */
static chl_status see_edit(chl_trials *t, const chl_trial_run *run, int64_t number,
                           const float *pixels, chl_trial *trial) {
    float own[CHL_MAX_EMBEDDING];
    const int d = t->size.embedding;
    float *view = run->view ? run->view + number * d : own;
    if (!run->text && !run->view && !run->face) return CHL_OK;
    CHL_TRY(chl_trials_see(t, pixels, view, run->face ? run->face + number * t->size.face : NULL));
    if (run->text) trial->cosine = (float)chl_dot_of(d, view, run->text + (int64_t)trial->kind * d);
    return CHL_OK;
}

static chl_status edit_batch(chl_trials *t, const chl_trial_run *run, int at, int n,
                             chl_trial *trial, batch_arrays *a) {
    const int64_t code = chl_trials_code(t), embed = t->size.embedding;
    for (int i = 0; i < n; i++) {
        memcpy(a->source + i * code, t->source_code + trial[i].source * code,
               sizeof(float) * (size_t)code);
        memcpy(a->target + i * embed, trial[i].target, sizeof(float) * (size_t)embed);
    }
    chl_edit_options options = run->edit ? *run->edit : *t->options->edit;
    options.progress = NULL;
    const chl_status status =
        chl_edit_many(t->engine, &options, n, a->source, a->target, a->edited, NULL);
    /* a code that stopped being finite: the last finite one is judged */
    if (status == CHL_ERR_NUMERIC)
        chl_log(CHL_LOG_WARN, "%s: %s", run->what, chl_error());
    else if (status != CHL_OK)
        return status;
    CHL_TRY(chl_generator_render_each(t->engine->generator, n, a->edited, a->pixels));
    CHL_TRY(chl_trials_judge(t, n, a->pixels, a->judgement));
    for (int i = 0; i < n; i++) {
        trial[i].judgement = a->judgement[i];
        CHL_TRY(see_edit(t, run, at + i, a->pixels + i * chl_trials_picture(t), &trial[i]));
    }
    return CHL_OK;
}

chl_status chl_trials_edit(chl_trials *t, const chl_trial_run *run, int n, chl_trial *trial) {
    const int64_t code = chl_trials_code(t), picture = chl_trials_picture(t);
    const int batch = t->options->batch;
    batch_arrays a = {.source = NULL};
    chl_status status = batch_new(t, batch, &a);
    if (status == CHL_OK) status = chl_report_progress(&t->watch, run->what, 0, n);
    for (int at = 0; at < n && status == CHL_OK; at += batch) {
        const int count = n - at < batch ? n - at : batch;
        status = edit_batch(t, run, at, count, trial + at, &a);
        if (status != CHL_OK) break;
        if (run->code)
            memcpy(run->code + at * code, a.edited, sizeof(float) * (size_t)(count * code));
        if (run->pixels)
            memcpy(run->pixels + at * picture, a.pixels, sizeof(float) * (size_t)(count * picture));
        status = chl_report_progress(&t->watch, run->what, at + count, n);
    }
    batch_free(&a);
    return status;
}
