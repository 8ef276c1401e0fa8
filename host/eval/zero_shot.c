/* Zero-shot classification of sounds (Table 1). */
#include "base/names.h"
#include "base/options.h"
#include "eval/corpus.h"
#include "eval/embed.h"
#include "eval/report.h"
#include "models/engine.h"
#include <stdlib.h>
#include <string.h>

static int nearest(int labels, int d, const float *sound, const float *label, float *score) {
    int best = 0;
    for (int k = 0; k < labels; k++) {
        double dot = 0;
        for (int i = 0; i < d; i++) dot += (double)sound[i] * label[(int64_t)k * d + i];
        score[k] = (float)dot;
        if (score[k] > score[best]) best = k;
    }
    return best;
}

static chl_status embed_labels(chl_engine *engine, const chl_zero_shot_options *o, int labels,
                               const char *const *label, float **embedding) {
    const size_t d = (size_t)chl_models_sizes(engine).embedding;
    *embedding = malloc(sizeof(float) * (size_t)labels * d + 1);
    if (!*embedding) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", labels);
    return chl_eval_embed_labels(engine->clip, labels, label, o->prompts, o->prompt, *embedding);
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
        const int best = nearest(o->labels, d, sound, label, score);
        json_t *scores = json_object();
        for (int k = 0; k < o->labels; k++) chl_report_set(scores, o->label[k], (double)score[k]);
        status =
            chl_report_finish(json_pack("{s:o, s:o, s:o}", "sound", chl_report_text(o->sound),
                                        "top1", chl_report_text(o->label[best]), "scores", scores),
                              refused, report);
    }
    free(label);
    free(score);
    return status;
}

/* --- a folder --------------------------------------------------------------------------------- */
/* Equal labels have equal embeddings, so that none of them could be right. */
static chl_status number_labels(int labels, const char *const *label, chl_names *names) {
    for (int k = 0; k < labels; k++) {
        const int number = chl_names_add(names, label[k]);
        if (number < 0) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", labels);
        if (number < k)
            return chl_fail(CHL_ERR_ARGUMENT,
                            "labels must be different, got \"%s\" as number %d and %d", label[k],
                            number + 1, k + 1);
    }
    return CHL_OK;
}

/* truth_label[t]: index of the corpus' label t among the labels to choose from. */
static chl_status match_labels(const chl_corpus *c, int labels, const char *const *label,
                               int *truth_label) {
    chl_names names = {0};
    chl_status status = number_labels(labels, label, &names);
    for (int t = 0; t < c->labels && status == CHL_OK; t++) {
        truth_label[t] = chl_names_find(&names, c->label[t]);
        if (truth_label[t] < 0)
            status = chl_fail(
                CHL_ERR_ARGUMENT,
                "labels must include \"%s\", a label of the folder, which is not among the %d",
                c->label[t], labels);
    }
    chl_names_free(&names);
    return status;
}

static json_t *describe(const chl_corpus *c, int labels, const char *const *label,
                        const int64_t *confusion) {
    json_t *per_label = json_object(), *table = json_array(), *names = json_array();
    int64_t hits = 0;
    for (int t = 0; t < labels; t++) {
        json_t *row = json_array();
        int64_t sounds = 0;
        for (int k = 0; k < labels; k++) {
            sounds += confusion[t * labels + k];
            json_array_append_new(row, json_integer(confusion[t * labels + k]));
        }
        hits += confusion[t * labels + t];
        json_array_append_new(table, row);
        json_array_append_new(names, json_string(label[t]));
        json_object_set_new(per_label, label[t],
                            json_pack("{s:I, s:o}", "sounds", (json_int_t)sounds, "accuracy",
                                      chl_report_share(confusion[t * labels + t], sounds)));
    }
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "sounds", (json_int_t)c->count, "accuracy",
                     chl_report_share(hits, c->count), "per_label", per_label, "labels", names,
                     "confusion", table);
}

typedef struct folder_job {
    chl_corpus corpus;
    float *label, *sound, *score;
    int *truth_label;
    int64_t *confusion; /* [true][named] */
} folder_job;

static chl_status classify(chl_engine *engine, const chl_zero_shot_options *o, folder_job *j,
                           char **report) {
    const chl_corpus *c = &j->corpus;
    const int labels = o->labels ? o->labels : c->labels;
    const char *const *label = o->labels ? o->label : (const char *const *)c->label;
    const int d = chl_models_sizes(engine).embedding;
    const chl_progress_watch watch = {o->progress, o->user};
    j->sound = malloc(sizeof(float) * (size_t)c->count * (size_t)d);
    j->score = malloc(sizeof(float) * (size_t)labels);
    j->truth_label = malloc(sizeof(int) * (size_t)c->labels);
    j->confusion = calloc((size_t)labels * (size_t)labels, sizeof *j->confusion);
    if (!j->sound || !j->score || !j->truth_label || !j->confusion)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its sounds", o->data);
    CHL_TRY(match_labels(c, labels, label, j->truth_label));
    CHL_TRY(embed_labels(engine, o, labels, label, &j->label));
    CHL_TRY(chl_eval_embed_sounds(engine->audio, c->count, (const char *const *)c->path, NULL,
                                  &watch, j->sound));
    for (int64_t i = 0; i < c->count; i++) {
        const int named = nearest(labels, d, j->sound + i * d, j->label, j->score);
        j->confusion[(int64_t)j->truth_label[c->truth[i]] * labels + named]++;
    }
    const uint64_t refused = chl_json_refused();
    return chl_report_finish(describe(c, labels, label, j->confusion), refused, report);
}

static chl_status folder(chl_engine *engine, const chl_zero_shot_options *o, char **report) {
    folder_job job = {.label = NULL};
    CHL_TRY(chl_corpus_open(o->data, o->limit, &job.corpus));
    chl_status status = classify(engine, o, &job, report);
    chl_corpus_free(&job.corpus);
    free(job.label);
    free(job.sound);
    free(job.score);
    free(job.truth_label);
    free(job.confusion);
    return status;
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
    CHL_TRY(chl_need(engine->audio, "audio", "zero-shot classification"));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, options->sound ? one_sound(engine, options, report)
                                                  : folder(engine, options, report));
}
