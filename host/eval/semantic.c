/* Semantic accuracy of edits (Fig. 17a): a linear classifier, trained on the embeddings of sounds, names edited
 * pictures by what CLIP sees in them. Both lie in one space if the encoder is any good. */
#include "base/free.h"
#include "eval/classified.h"
#include "eval/corpus.h"
#include "eval/logistic.h"
#include "eval/trials.h"
#include <stdlib.h>

#define L2 1.0

struct chl_semantic {
    const chl_trials *trials;
    chl_corpus corpus;
    int width;
    chl_logistic fit;
    int *label; /* [kinds] of the trials among the corpus' */
};

/* --- the classifier --------------------------------------------------------------------------- */
static chl_status find_kinds(chl_semantic *s) {
    const chl_trials *t = s->trials;
    s->label = malloc(sizeof *s->label * (size_t)t->kinds + 1);
    if (!s->label) return chl_fail(CHL_ERR_MEMORY, "out of memory for a classifier");
    for (int k = 0; k < t->kinds; k++) {
        s->label[k] = chl_names_find(&s->corpus.names, t->sounds->kind_name[k]);
        if (s->label[k] < 0)
            return chl_fail(CHL_ERR_ARGUMENT, "%s: the kind \"%s\" of %s has no sound there",
                            t->options->classifier, t->sounds->kind_name[k], t->options->sounds);
    }
    return CHL_OK;
}

/* The embeddings as they are: scaled by the spread of sounds, pictures would lie anywhere. */
static chl_status train(chl_semantic *s) {
    const chl_corpus *c = &s->corpus;
    const size_t numbers = (size_t)c->count * (size_t)s->width;
    float *sound = malloc(sizeof *sound * numbers);
    double *x = malloc(sizeof *x * numbers);
    chl_status status = sound && x
                            ? CHL_OK
                            : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its embeddings",
                                       s->trials->options->classifier);
    if (status == CHL_OK)
        status = chl_eval_embed_sounds(s->trials->engine->audio, c->count, c->sound, NULL,
                                       &s->trials->watch, sound);
    if (status == CHL_OK) chl_sound_texts_apply(s->trials->engine->sound_texts, c->count, sound);
    for (size_t i = 0; i < numbers && status == CHL_OK; i++) x[i] = (double)sound[i];
    if (status == CHL_OK)
        status = chl_logistic_fit(
            &(chl_logistic_data){c->count, c->labels, s->width, x, c->truth, L2}, &s->fit);
    free(sound);
    free(x);
    return status;
}

chl_status chl_semantic_open(chl_trials *trials, chl_semantic **out) {
    *out = NULL;
    if (!trials->options->classifier) return CHL_OK;
    chl_semantic *s = calloc(1, sizeof *s);
    if (!s) return chl_fail(CHL_ERR_MEMORY, "out of memory for a classifier");
    s->trials = trials;
    s->width = trials->size.embedding;
    chl_status status = chl_corpus_open(trials->options->classifier, NULL, &s->corpus);
    if (status == CHL_OK) status = find_kinds(s);
    if (status == CHL_OK) status = train(s);
    CHL_HAND_OVER(status, s, out, chl_semantic_free);
}

void chl_semantic_free(chl_semantic *s) {
    if (!s) return;
    chl_corpus_free(&s->corpus);
    chl_logistic_free(&s->fit);
    free(s->label);
    free(s);
}

static int name(const chl_semantic *s, const float *view) {
    double x[CHL_MAX_EMBEDDING];
    for (int k = 0; k < s->width; k++) x[k] = (double)view[k];
    return chl_logistic_classify(&s->fit, x);
}

/* --- report ----------------------------------------------------------------------------------- */
/* Who is named as the trial's kind: {"edits", "accuracy", "interval", "per_kind"}. Edits of one source are
 * drawn together. */
static chl_status describe(const chl_semantic *s, int n, const chl_trial *trial, const float *view,
                           const char *key, json_t *report) {
    const chl_trials *t = s->trials;
    double *hit = malloc(sizeof *hit * (size_t)n);
    int *group = malloc(sizeof *group * (size_t)n);
    int64_t *cases = calloc((size_t)t->kinds + 1, sizeof *cases),
            *right = calloc((size_t)t->kinds + 1, sizeof *right), all = 0;
    json_t *row = json_pack("{s:i}", "edits", n), *per_kind = json_object();
    chl_json_set(report, key, row);
    chl_status status = hit && group && cases && right
                            ? CHL_OK
                            : chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n);
    for (int i = 0; i < n && status == CHL_OK; i++) {
        const int k = trial[i].kind;
        const bool named = name(s, view + (int64_t)i * s->width) == s->label[k];
        hit[i] = named;
        group[i] = trial[i].source;
        cases[k]++;
        right[k] += named;
        all += named;
    }
    for (int k = 0; k < t->kinds && status == CHL_OK; k++)
        chl_json_set(per_kind, t->sounds->kind_name[k], chl_report_share(right[k], cases[k]));
    chl_json_set(row, "accuracy", chl_report_share(all, n));
    chl_json_set(row, "per_kind", per_kind);
    if (status == CHL_OK) status = chl_report_interval(row, "interval", n, hit, group);
    CHL_FREE(hit, group, cases, right);
    return status;
}

/* The unedited pictures: what the classifier names them, whatever is heard. */
static chl_status describe_sources(const chl_semantic *s, json_t *report) {
    chl_trials *t = (chl_trials *)s->trials;
    json_t *named = json_object();
    chl_json_set(report, "sources_named", named);
    for (int i = 0; i < t->sources; i++) {
        float view[CHL_MAX_EMBEDDING];
        CHL_TRY(chl_trials_see(t, t->source_pixels + i * chl_trials_picture(t), view, NULL));
        const char *label = s->corpus.label[name(s, view)];
        const json_int_t so_far = json_integer_value(json_object_get(named, label));
        chl_json_set(named, label, json_integer(so_far + 1));
    }
    return CHL_OK;
}

chl_status chl_semantic_report(const chl_semantic *s, int n, const chl_trial *trial,
                               const float *target, const float *by_sound, const float *by_text,
                               json_t *report) {
    json_t *found = json_pack("{s:{s:I, s:i, s:f}}", "classifier", "sounds",
                              (json_int_t)s->corpus.count, "labels", s->corpus.labels, "l2", L2);
    chl_json_set(report, "semantic", found);
    CHL_TRY(describe(s, n, trial, target, "guides", found));
    CHL_TRY(describe(s, n, trial, by_sound, "by_sound", found));
    CHL_TRY(describe(s, n, trial, by_text, "by_text", found));
    return describe_sources(s, found);
}
