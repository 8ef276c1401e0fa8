/* Zero-shot classification of sounds (Table 1). */
#include "base/free.h"
#include "base/names.h"
#include "base/options.h"
#include "eval/classified.h"
#include "eval/corpus.h"
#include "eval/embed.h"
#include "eval/report.h"
#include "models/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static chl_status embed_labels(chl_engine *engine, const chl_zero_shot_options *o, int labels,
                               const char *const *label, float **embedding) {
    const size_t d = (size_t)chl_models_sizes(engine).embedding;
    *embedding = malloc(sizeof(float) * (size_t)labels * d + 1);
    if (!*embedding) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", labels);
    return chl_eval_embed_named(engine->clip, labels, label, o->labels ? o->label_text : NULL,
                                o->prompts, o->prompt, *embedding);
}

static chl_status one_sound(chl_engine *engine, const chl_zero_shot_options *o, char **report) {
    const int d = chl_models_sizes(engine).embedding;
    const uint64_t refused = chl_json_refused();
    float sound[CHL_MAX_EMBEDDING], *label = NULL;
    float *score = malloc(sizeof(float) * (size_t)o->labels);
    chl_status status = score ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for scores");
    if (status == CHL_OK) status = embed_labels(engine, o, o->labels, o->label, &label);
    const chl_sound_files file = {.count = 1, .path = &o->sound};
    if (status == CHL_OK) status = chl_audio_encoder_embed_files(engine->audio, 1, &file, sound);
    if (status == CHL_OK) {
        const int best = chl_eval_nearest(o->labels, d, sound, label, score);
        json_t *scores = json_object();
        for (int k = 0; k < o->labels; k++) chl_report_set(scores, o->label[k], (double)score[k]);
        status =
            chl_report_finish(json_pack("{s:o, s:o, s:o}", "sound", chl_json_string(o->sound),
                                        "top1", chl_json_string(o->label[best]), "scores", scores),
                              refused, report);
    }
    free(label);
    free(score);
    return status;
}

/* --- a folder --------------------------------------------------------------------------------- */
/* Equal labels have equal embeddings, so that none of them could be right. */
static chl_status number_labels(int labels, char *const *text, chl_names *names) {
    for (int k = 0; k < labels; k++) {
        const int number = chl_names_add(names, text[k]);
        if (number < 0) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", labels);
        if (number < k)
            return chl_fail(CHL_ERR_ARGUMENT,
                            "labels must be different, got \"%s\" as number %d and %d", text[k],
                            number + 1, k + 1);
    }
    return CHL_OK;
}

static chl_status find_labels(const chl_corpus *c, int labels, const chl_names *names,
                              int *truth_label) {
    for (int t = 0; t < c->labels; t++) {
        char *text = chl_eval_spaced(c->label[t]);
        if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", c->labels);
        truth_label[t] = chl_names_find(names, text);
        free(text);
        if (truth_label[t] < 0)
            return chl_fail(
                CHL_ERR_ARGUMENT,
                "labels must include \"%s\", a label of the folder, which is not among the %d",
                c->label[t], labels);
    }
    return CHL_OK;
}

/* truth_label[t]: index of the corpus' label t among the labels to choose from. An underscore is a
 * space. */
static chl_status match_labels(const chl_corpus *c, int labels, const char *const *label,
                               int *truth_label) {
    chl_names names = {0};
    char **text = calloc((size_t)labels + 1, sizeof *text);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", labels);
    bool whole = true;
    for (int k = 0; k < labels; k++) whole = (text[k] = chl_eval_spaced(label[k])) != NULL && whole;
    chl_status status = whole ? number_labels(labels, text, &names)
                              : chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", labels);
    if (status == CHL_OK) status = find_labels(c, labels, &names, truth_label);
    chl_names_free(&names);
    chl_eval_free_texts(labels, text);
    return status;
}

typedef struct folder_job {
    chl_corpus corpus, others;
    float *label, *sound, *score;
    int *truth_label, *named;
    double *best; /* cosine with the nearest label */
} folder_job;

/* sounds [count] -> named, and their cosines, best */
static chl_status name_sounds(chl_engine *engine, const chl_zero_shot_options *o,
                              const chl_corpus *c, int labels, folder_job *j) {
    const chl_progress_watch watch = {o->progress, o->user};
    const int d = chl_models_sizes(engine).embedding;
    free(j->sound);
    free(j->named);
    free(j->best);
    j->sound = malloc(sizeof(float) * (size_t)c->count * (size_t)d);
    j->named = malloc(sizeof *j->named * (size_t)c->count);
    j->best = malloc(sizeof *j->best * (size_t)c->count);
    if (!j->sound || !j->named || !j->best)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its sounds", o->data);
    CHL_TRY(chl_eval_embed_sounds(engine->audio, c->count, c->sound, NULL, &watch, j->sound));
    for (int64_t i = 0; i < c->count; i++) {
        j->named[i] = chl_eval_nearest(labels, d, j->sound + i * d, j->label, j->score);
        j->best[i] = (double)j->score[j->named[i]];
    }
    return CHL_OK;
}

static int64_t count_below(int64_t count, const double *x, double threshold) {
    int64_t below = 0;
    for (int64_t i = 0; i < count; i++) below += x[i] < threshold;
    return below;
}

static chl_status describe(const chl_zero_shot_options *o, folder_job *j, int labels,
                           const char *const *label, json_t *root) {
    const chl_corpus *c = &j->corpus;
    for (int64_t i = 0; i < c->count; i++) c->truth[i] = j->truth_label[c->truth[i]];
    const chl_classified done = {c->count, c->truth, j->named, c->fold, c->group, labels, label};
    chl_json_set(root, "layout", json_string(c->layout));
    chl_json_set(root, "missing", json_integer(c->missing));
    return chl_classified_tell(&done, "zero-shot", c->layout, o->confusion, root);
}

/* The sounds' labels by other prompts. */
static chl_status name_again(chl_engine *engine, const chl_zero_shot_options *o, folder_job *j,
                             int labels, const char *const *label, const chl_prompt_set *set) {
    const int d = chl_models_sizes(engine).embedding;
    CHL_TRY(chl_eval_embed_named(engine->clip, labels, label, o->labels ? o->label_text : NULL,
                                 set->prompts, set->prompt, j->label));
    for (int64_t i = 0; i < j->corpus.count; i++)
        j->named[i] = chl_eval_nearest(labels, d, j->sound + i * d, j->label, j->score);
    return CHL_OK;
}

static chl_status describe_set(const folder_job *j, int labels, const char *const *label,
                               const chl_prompt_set *set, json_t *list) {
    static const char *const kept[] = {"accuracy", "balanced", "interval"};
    const chl_corpus *c = &j->corpus;
    const chl_classified done = {c->count, c->truth, j->named, NULL, c->group, labels, label};
    json_t *whole = json_object(), *prompts = json_array();
    const chl_status status = chl_classified_report(&done, whole);
    for (int i = 0; i < set->prompts; i++)
        chl_json_append(prompts, chl_json_string(set->prompt[i]));
    json_t *row = json_pack("{s:o}", "prompts", prompts);
    for (int i = 0; i < 3; i++)
        chl_json_set(row, kept[i], json_incref(json_object_get(whole, kept[i])));
    chl_json_append(list, row);
    json_decref(whole);
    return status;
}

/* After describe(), which numbers truths by the labels. */
static chl_status try_prompts(chl_engine *engine, const chl_zero_shot_options *o, int labels,
                              const char *const *label, folder_job *j, json_t *root) {
    if (!o->prompt_sets) return CHL_OK;
    json_t *list = json_array();
    chl_json_set(root, "prompt_sets", list);
    for (int64_t i = 0; i < o->prompt_sets; i++) {
        CHL_TRY(name_again(engine, o, j, labels, label, &o->prompt_set[i]));
        CHL_TRY(describe_set(j, labels, label, &o->prompt_set[i], list));
    }
    return CHL_OK;
}

/* How a threshold divides sounds of the labels from others. */
static chl_status try_others(chl_engine *engine, const chl_zero_shot_options *o, int labels,
                             folder_job *j, json_t *root) {
    if (!o->others) return CHL_OK;
    const int64_t refused = count_below(j->corpus.count, j->best, o->threshold);
    CHL_TRY(chl_corpus_open(o->others, NULL, &j->others));
    CHL_TRY(name_sounds(engine, o, &j->others, labels, j));
    const int64_t others = j->others.count,
                  accepted = others - count_below(others, j->best, o->threshold);
    chl_json_set(root, "others",
                 json_pack("{s:f, s:I, s:o, s:o}", "threshold", o->threshold, "sounds",
                           (json_int_t)others, "accepted", chl_report_share(accepted, others),
                           "refused", chl_report_share(refused, j->corpus.count)));
    return CHL_OK;
}

static chl_status classify(chl_engine *engine, const chl_zero_shot_options *o, folder_job *j,
                           char **report) {
    const chl_corpus *c = &j->corpus;
    const int labels = o->labels ? o->labels : c->labels;
    const char *const *label = o->labels ? o->label : (const char *const *)c->label;
    j->score = malloc(sizeof(float) * (size_t)labels);
    j->truth_label = malloc(sizeof(int) * (size_t)c->labels);
    if (!j->score || !j->truth_label)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its sounds", o->data);
    CHL_TRY(match_labels(c, labels, label, j->truth_label));
    CHL_TRY(embed_labels(engine, o, labels, label, &j->label));
    CHL_TRY(name_sounds(engine, o, c, labels, j));
    const uint64_t refused = chl_json_refused();
    json_t *root = json_object();
    chl_status status = describe(o, j, labels, label, root);
    if (status == CHL_OK) status = try_prompts(engine, o, labels, label, j, root);
    if (status == CHL_OK) status = try_others(engine, o, labels, j, root);
    return chl_report_end(status, root, refused, report);
}

static chl_status folder(chl_engine *engine, const chl_zero_shot_options *o, char **report) {
    const chl_corpus_choice choice = {
        .limit = o->limit, .esc10 = o->esc10 != 0, .folds = o->folds, .fold = o->fold};
    folder_job job = {.label = NULL};
    CHL_TRY(chl_corpus_open(o->data, &choice, &job.corpus));
    chl_status status = classify(engine, o, &job, report);
    chl_corpus_free(&job.corpus);
    chl_corpus_free(&job.others);
    CHL_FREE(job.label, job.sound, job.score, job.truth_label, job.named, job.best);
    return status;
}

static chl_status check_folder(const chl_zero_shot_options *o) {
    CHL_TRY(chl_check_int(o->folds >= 0, "folds", ">= 0", o->folds));
    if (o->folds) CHL_TRY(chl_check_pointer(o->fold, "fold"));
    CHL_TRY(chl_check_int(o->limit >= 0, "limit", ">= 0", o->limit));
    CHL_TRY(chl_check_int(o->prompt_sets >= 0, "prompt_sets", ">= 0", o->prompt_sets));
    if (o->prompt_sets) CHL_TRY(chl_check_pointer(o->prompt_set, "prompt_set"));
    for (int64_t i = 0; i < o->prompt_sets; i++) {
        const chl_prompt_set *set = &o->prompt_set[i];
        CHL_TRY(chl_check_int(set->prompts >= 1, "prompt_set.prompts", ">= 1", set->prompts));
        CHL_TRY(chl_check_pointer(set->prompt, "prompt_set.prompt"));
        CHL_TRY(chl_check_texts("chl_evaluate_zero_shot", "prompt_set.prompt", set->prompts,
                                set->prompt));
    }
    return chl_check_float(isfinite(o->threshold), "threshold", "finite", o->threshold);
}

chl_status chl_evaluate_zero_shot(chl_engine *engine, const chl_zero_shot_options *theirs,
                                  char **report) {
    chl_zero_shot_options mine = {.size = sizeof mine};
    const chl_zero_shot_options *options = &mine;
    CHL_NEEDS(engine, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_zero_shot_options"));
    if ((options->sound != NULL) == (options->data != NULL))
        return chl_fail(CHL_ERR_ARGUMENT, "zero-shot needs sound or data, and not both");
    if (options->sound && options->labels < 1)
        return chl_fail(CHL_ERR_ARGUMENT, "one sound needs labels to choose from");
    CHL_TRY(chl_check_int(options->labels >= 0, "labels", ">= 0", options->labels));
    CHL_TRY(chl_check_int(options->prompts >= 0, "prompts", ">= 0", options->prompts));
    if (options->labels) CHL_TRY(chl_check_pointer(options->label, "label"));
    if (options->prompts) CHL_TRY(chl_check_pointer(options->prompt, "prompt"));
    CHL_TRY(chl_check_texts(__func__, "label", options->labels, options->label));
    CHL_TRY(chl_check_texts(__func__, "prompt", options->prompts, options->prompt));
    CHL_TRY(check_folder(options));
    CHL_TRY(chl_need(engine->audio, "audio", "zero-shot classification"));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, options->sound ? one_sound(engine, options, report)
                                                  : folder(engine, options, report));
}
