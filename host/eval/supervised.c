/* Networks trained on labels (train/train_classifier.c), tested on sounds of folds that they have not
 * seen: the supervised baseline of Table 1. */
#include "base/options.h"
#include "data/source_list.h"
#include "eval/classified.h"
#include "eval/corpus.h"
#include "eval/embed.h"
#include "eval/report.h"
#include "models/engine.h"
#include <stdlib.h>
#include <string.h>

#define NOBODY (-1)

typedef struct supervised {
    const chl_supervised_options *options;
    chl_corpus corpus;
    int *by, *named; /* [count] the model that a sound is tested by, the label that it names */
    json_t *models;
} supervised;

/* --- who tests what --------------------------------------------------------------------------- */
static bool has_seen(const chl_audio_encoder *encoder, const chl_corpus *c, int64_t sound) {
    const chl_source_choice trained = {.split = encoder->split};
    const char *split = c->split[sound] < 0 ? NULL : c->splits.name[c->split[sound]];
    return encoder->split && chl_source_wants(&trained, split, c->fold[sound]);
}

/* "1,3": numbers of folds, no names. */
static bool are_folds(const char *splits) {
    return splits[strspn(splits, "0123456789,")] == 0;
}

/* Splits without numbers, "train" and "test", are told apart by what the caller asks for. */
static chl_status check_split(const supervised *s, const chl_audio_encoder *encoder, int model) {
    const char *asked = s->options->split, *trained = encoder->split;
    const char *file = s->options->model[model];
    const chl_corpus *c = &s->corpus;
    int64_t without = 0;
    while (without < c->count && c->fold[without] > 0) without++;
    if (!trained || without == c->count || (asked && strcmp(asked, trained) != 0)) return CHL_OK;
    if (are_folds(trained))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: %s has no fold, a whole number from 1 up, that tells whether %s, "
                        "trained on %s, has seen it",
                        s->options->data, chl_media_name(&c->sound[without]), file, trained);
    return chl_fail(CHL_ERR_ARGUMENT,
                    "split must be other than \"%s\", which %s was trained on, got %s%s%s", trained,
                    file, asked ? "\"" : "", asked ? asked : "none", asked ? "\"" : "");
}

/* Gives the model the sounds of folds that it has not seen. */
static chl_status choose_sounds(supervised *s, const chl_audio_encoder *encoder, int model,
                                int64_t *chosen) {
    const chl_corpus *c = &s->corpus;
    const char *const *file = s->options->model;
    *chosen = 0;
    CHL_TRY(check_split(s, encoder, model));
    for (int64_t i = 0; i < c->count; i++) {
        if (has_seen(encoder, c, i)) continue;
        if (s->by[i] != NOBODY)
            return chl_fail(CHL_ERR_ARGUMENT,
                            "%s and %s would both be tested on %s: give one model for each fold, "
                            "trained on the others",
                            file[s->by[i]], file[model], chl_media_name(&c->sound[i]));
        s->by[i] = model;
        ++*chosen;
    }
    if (*chosen > 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s was trained on %s: no sound of %s is left to test it on",
                    file[model], encoder->split, s->options->data);
}

/* label [classes] of the corpus for each class of the model; NOBODY: no sound has it */
static chl_status match_classes(const supervised *s, const chl_audio_encoder *encoder, int model,
                                int *label) {
    const chl_corpus *c = &s->corpus;
    bool *known = calloc((size_t)c->labels + 1, sizeof *known);
    if (!known) return chl_fail(CHL_ERR_MEMORY, "out of memory for labels");
    for (int k = 0; k < encoder->sizes.embedding; k++) {
        label[k] = chl_names_find(&c->names, encoder->class_name[k]);
        if (label[k] >= 0) known[label[k]] = true;
    }
    chl_status status = CHL_OK;
    for (int64_t i = 0; i < c->count && status == CHL_OK; i++)
        if (s->by[i] == model && !known[c->truth[i]])
            status = chl_fail(CHL_ERR_ARGUMENT, "%s knows no class \"%s\", which %s of %s has",
                              s->options->model[model], c->label[c->truth[i]],
                              chl_media_name(&c->sound[i]), s->options->data);
    free(known);
    return status;
}

/* --- one model -------------------------------------------------------------------------------- */
/* The class with the largest logit among those that sounds of the data have. */
static int best_of(int classes, const float *logit, const int *label) {
    int best = NOBODY;
    for (int k = 0; k < classes; k++)
        if (label[k] >= 0 && (best == NOBODY || logit[k] > logit[best])) best = k;
    return label[best];
}

static chl_status name_sounds(supervised *s, chl_audio_encoder *encoder, int model, int64_t count,
                              chl_media *sound, float *logits, int *label) {
    const chl_corpus *c = &s->corpus;
    const chl_progress_watch watch = {s->options->progress, s->options->user};
    const int classes = encoder->sizes.embedding;
    int64_t at = 0, right = 0;
    CHL_TRY(match_classes(s, encoder, model, label));
    for (int64_t i = 0; i < c->count; i++)
        if (s->by[i] == model) sound[at++] = c->sound[i];
    CHL_TRY(chl_eval_embed_sounds(encoder, count, sound, NULL, &watch, logits));
    at = 0;
    for (int64_t i = 0; i < c->count; i++) {
        if (s->by[i] != model) continue;
        s->named[i] = best_of(classes, logits + classes * at++, label);
        right += s->named[i] == c->truth[i];
    }
    chl_json_append(s->models,
                    json_pack("{s:o, s:s, s:o, s:i, s:I, s:o}", "file",
                              chl_json_string(s->options->model[model]), "network",
                              encoder->kind->kind.name, "trained_on",
                              encoder->split ? chl_json_string(encoder->split) : json_null(),
                              "classes", classes, "sounds", (json_int_t)count, "accuracy",
                              chl_report_share(right, count)));
    return CHL_OK;
}

static chl_status test(supervised *s, chl_audio_encoder *encoder, int model) {
    int64_t count;
    if (!encoder->class_name)
        return chl_fail(CHL_ERR_KEY,
                        "%s: names no classes: expected a classifier (training \"classifier\")",
                        s->options->model[model]);
    CHL_TRY(choose_sounds(s, encoder, model, &count));
    const size_t classes = (size_t)encoder->sizes.embedding;
    chl_media *sound = malloc(sizeof *sound * (size_t)count);
    float *logits = malloc(sizeof *logits * (size_t)count * classes);
    int *label = malloc(sizeof *label * classes);
    const chl_status status = sound && logits && label
                                  ? name_sounds(s, encoder, model, count, sound, logits, label)
                                  : chl_fail(CHL_ERR_MEMORY, "out of memory for a classifier");
    free(sound);
    free(logits);
    free(label);
    return status;
}

/* --- all of them ------------------------------------------------------------------------------ */
static chl_status describe(supervised *s, char **report) {
    const chl_corpus *c = &s->corpus;
    const uint64_t refused = chl_json_refused();
    json_t *root = json_pack("{s:s, s:I, s:I}", "layout", c->layout, "all_sounds",
                             (json_int_t)c->count, "missing", (json_int_t)c->missing);
    const chl_classified done = chl_classified_in(&s->corpus, s->named);
    const chl_status status =
        chl_classified_tell(&done, "supervised", c->layout, s->options->confusion, root);
    chl_json_set(root, "models", json_incref(s->models));
    return chl_report_end(status, root, refused, report);
}

static chl_status test_all(supervised *s, const chl_engine_options *models) {
    const chl_supervised_options *o = s->options;
    for (int m = 0; m < o->models; m++) {
        chl_engine *engine;
        const chl_engine_options own = {.size = sizeof own,
                                        .device = models->device,
                                        .precision = models->precision,
                                        .mel = models->mel,
                                        .audio = o->model[m]};
        CHL_TRY(chl_models_open(&own, &engine));
        const chl_status status = test(s, engine->audio, m);
        chl_models_close(engine);
        CHL_TRY(status);
    }
    return CHL_OK;
}

static chl_status work(supervised *s, const chl_engine_options *models, char **report) {
    const chl_supervised_options *o = s->options;
    const chl_corpus_choice choice = {
        .esc10 = o->esc10 != 0, .folds = o->folds, .fold = o->fold, .split = o->split};
    CHL_TRY(chl_corpus_open(o->data, &choice, &s->corpus));
    const int64_t count = s->corpus.count;
    s->by = malloc(sizeof *s->by * (size_t)count);
    s->named = malloc(sizeof *s->named * (size_t)count);
    s->models = json_array();
    if (!s->by || !s->named || !s->models)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its sounds", o->data);
    for (int64_t i = 0; i < count; i++) s->by[i] = s->named[i] = NOBODY;
    CHL_TRY(test_all(s, models));
    return describe(s, report);
}

static chl_status check(const chl_supervised_options *o) {
    CHL_TRY(chl_check_pointer(o->data, "data"));
    CHL_TRY(chl_check_int(o->models >= 1, "models", ">= 1", o->models));
    CHL_TRY(chl_check_pointer(o->model, "model"));
    CHL_TRY(chl_check_texts("chl_evaluate_supervised", "model", o->models, o->model));
    CHL_TRY(chl_check_int(o->folds >= 0, "folds", ">= 0", o->folds));
    return o->folds ? chl_check_pointer(o->fold, "fold") : CHL_OK;
}

chl_status chl_evaluate_supervised(const chl_supervised_options *theirs, char **report) {
    chl_supervised_options mine = {.size = sizeof mine};
    chl_engine_options models = {.size = sizeof models};
    CHL_NEEDS(report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_supervised_options"));
    if (mine.place)
        CHL_TRY(chl_options_take(&models, sizeof models, mine.place, "chl_engine_options"));
    CHL_TRY(check(&mine));
    supervised s = {.options = &mine};
    const chl_status status = work(&s, &models, report);
    chl_corpus_free(&s.corpus);
    free(s.by);
    free(s.named);
    json_decref(s.models);
    return status;
}
