/* Linear probe: logistic regression on the embeddings of sounds, or on the features of the encoder's trunk. */
#include "base/free.h"
#include "base/options.h"
#include "eval/classified.h"
#include "eval/corpus.h"
#include "eval/embed.h"
#include "eval/logistic.h"
#include "eval/report.h"
#include "models/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_L2 1.0
#define NO_FOLD (-1)
#define EVERY 5 /* with `test`, so manyth sound to train on chooses the penalty */

typedef struct probe {
    const chl_probe_options *options;
    chl_corpus corpus; /* sounds to train and test on: with `test`, those of both folders */
    int64_t trained;   /* with `test`: the first so many are for training only */
    int width;
    float *feature;           /* [count][width] */
    double *x, *mean, *scale; /* of a fold: [count][width]; [width] */
    int *class_, *named;
    int64_t trained_now, tested_now; /* sounds of the last fit */
    char few[160]; /* why no penalty can be chosen; "" where one is, or is not to be */
    json_t *fits;
} probe;

/* --- folders ---------------------------------------------------------------------------------- */
/* Both folders as one corpus: the labels are those of the first. */
static chl_status append_test(probe *p, const chl_corpus *test) {
    chl_corpus *c = &p->corpus;
    for (int64_t i = 0; i < test->count; i++) {
        const char *label = test->label[test->truth[i]];
        if (chl_names_find(&c->names, label) < 0)
            return chl_fail(CHL_ERR_ARGUMENT, "%s: the label \"%s\" has no sound to train on in %s",
                            p->options->test, label, p->options->data);
        const int group = test->group[i];
        CHL_TRY(chl_corpus_add(
            c, p->options->test,
            &(chl_corpus_sound){.media = test->sound[i],
                                .label = label,
                                .group = group < 0 ? NULL : test->groups.name[group]}));
    }
    return CHL_OK;
}

static chl_status check_folds(const probe *p) {
    int64_t without = 0, first = 0;
    for (int64_t i = p->corpus.count - 1; i >= 0; i--) {
        if (p->corpus.fold[i] > 0) continue;
        without++;
        first = i;
    }
    if (without == 0) return CHL_OK;
    if (without < p->corpus.count)
        return chl_fail(
            CHL_ERR_FORMAT,
            "%s: %lld of its %lld sounds are of no fold, which is a whole number from 1 up: "
            "the first is %s",
            p->options->data, (long long)without, (long long)p->corpus.count,
            chl_media_name(&p->corpus.sound[first]));
    return chl_fail(
        CHL_ERR_ARGUMENT,
        "%s has no folds (those of meta/esc50.csv and metadata/UrbanSound8K.csv, or a key "
        "\"fold\"): set test to a folder of other sounds",
        p->options->data);
}

static chl_status open_folders(probe *p) {
    const chl_probe_options *o = p->options;
    chl_corpus_choice choice = {.esc10 = o->esc10 != 0};
    CHL_TRY(chl_corpus_open(o->data, &choice, &p->corpus));
    if (!o->test) return check_folds(p);
    chl_corpus test;
    CHL_TRY(chl_corpus_open(o->test, &choice, &test));
    p->trained = p->corpus.count;
    for (int64_t i = 0; i < p->trained; i++) p->corpus.fold[i] = 0;
    const chl_status status = append_test(p, &test);
    chl_corpus_free(&test);
    return status;
}

static bool is_tested(const probe *p, int64_t i, int fold) {
    return p->options->test ? i >= p->trained : p->corpus.fold[i] == fold;
}

/* Sounds cut from one recording are nearly equal: on both sides they would make a probe look
 * better than it is. */
static chl_status check_groups(const probe *p) {
    const chl_corpus *c = &p->corpus;
    int64_t *first = malloc(sizeof *first * (size_t)(c->groups.count + 1));
    chl_status status = CHL_OK;
    if (!first) return chl_fail(CHL_ERR_MEMORY, "out of memory for recordings");
    for (int g = 0; g < c->groups.count; g++) first[g] = -1;
    for (int64_t i = 0; i < c->count && status == CHL_OK; i++) {
        const int g = c->group[i];
        if (g >= 0 && first[g] < 0) first[g] = i;
        if (g < 0 || first[g] == i) continue;
        const int64_t other = first[g];
        const bool apart = p->options->test ? (i >= p->trained) != (other >= p->trained)
                                            : c->fold[i] != c->fold[other];
        if (apart)
            status = chl_fail(
                CHL_ERR_FORMAT, "the recording %s is on both sides of a split: %s and %s",
                c->groups.name[g], chl_media_name(&c->sound[other]), chl_media_name(&c->sound[i]));
    }
    free(first);
    return status;
}

/* --- penalty ---------------------------------------------------------------------------------- */
static double default_l2(const probe *p) {
    return p->options->l2 > 0 ? p->options->l2 : DEFAULT_L2;
}

static bool chooses(const probe *p) {
    return p->options->choose_l2 && !p->few[0];
}

/* --- one fold --------------------------------------------------------------------------------- */
/* Mean 0 and deviation 1 over the sounds to train on. */
static void standardise(probe *p, int64_t trained) {
    for (int k = 0; k < p->width; k++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < trained; i++) sum += p->x[i * p->width + k];
        const double mean = sum / (double)trained;
        for (int64_t i = 0; i < trained; i++) {
            const double off = p->x[i * p->width + k] - mean;
            square += off * off;
        }
        const double deviation = sqrt(square / (double)trained);
        p->mean[k] = mean;
        p->scale[k] = deviation > 0 ? 1 / deviation : 1;
    }
}

static void scale(const probe *p, double *x) {
    for (int k = 0; k < p->width; k++) x[k] = (x[k] - p->mean[k]) * p->scale[k];
}

static void load(const probe *p, int64_t sound, double *x) {
    for (int k = 0; k < p->width; k++) x[k] = (double)p->feature[sound * p->width + k];
}

/* What a sound is for in one fit. */
typedef enum use { TRAIN, TEST, NEITHER } use;

/* Of the fold's fit; with a second fold, of the fit that chooses its penalty. */
static use use_of(const probe *p, int64_t i, int fold, int second) {
    if (second == NO_FOLD) return is_tested(p, i, fold) ? TEST : TRAIN;
    if (is_tested(p, i, fold)) return NEITHER;
    const bool validates = p->options->test ? i % EVERY == EVERY - 1 : p->corpus.fold[i] == second;
    return validates ? TEST : TRAIN;
}

/* Fits to what is to train on, and names what is to test on. */
static chl_status fit_and_name(probe *p, int fold, int second, double l2, chl_logistic *fit) {
    const chl_corpus *c = &p->corpus;
    p->trained_now = p->tested_now = 0;
    for (int64_t i = 0; i < c->count; i++) {
        const use is = use_of(p, i, fold, second);
        p->tested_now += is == TEST;
        if (is != TRAIN) continue;
        load(p, i, p->x + p->trained_now * p->width);
        p->class_[p->trained_now++] = c->truth[i];
    }
    if (p->tested_now == 0)
        return chl_fail(CHL_ERR_ARGUMENT, "%s has no sound in fold %d", p->options->data, fold);
    if (p->trained_now == 0)
        return chl_fail(CHL_ERR_ARGUMENT, "%s has no sound outside fold %d to train on",
                        p->options->data, fold);
    standardise(p, p->trained_now);
    for (int64_t i = 0; i < p->trained_now; i++) scale(p, p->x + i * p->width);
    CHL_TRY(chl_logistic_fit(
        &(chl_logistic_data){p->trained_now, c->labels, p->width, p->x, p->class_, l2}, fit));
    for (int64_t i = 0; i < c->count; i++) {
        if (use_of(p, i, fold, second) != TEST) continue;
        load(p, i, p->x);
        scale(p, p->x);
        p->named[i] = chl_logistic_classify(fit, p->x);
    }
    return CHL_OK;
}

/* The smallest fold above this one that has sounds; NO_FOLD: there is none. */
static int next_fold(const probe *p, int above) {
    int next = NO_FOLD;
    for (int64_t i = 0; i < p->corpus.count; i++) {
        const int own = p->corpus.fold[i];
        if (own > above && (next == NO_FOLD || own < next)) next = own;
    }
    return next;
}

/* A fold to validate on: the next one that has sounds, beside the one that is tested. */
static int second_fold(const probe *p, int fold) {
    const int next = next_fold(p, fold), first = next_fold(p, 0);
    return next != NO_FOLD ? next : first != fold ? first : NO_FOLD;
}

/* Whether sounds are left to choose a penalty by. */
static void look_for_choice(probe *p) {
    const chl_corpus *c = &p->corpus;
    int folds = 0, seen[3];
    if (!p->options->choose_l2) return;
    for (int64_t i = 0; i < c->count && folds < 3; i++) {
        int known = 0;
        while (known < folds && seen[known] != c->fold[i]) known++;
        if (known == folds) seen[folds++] = c->fold[i];
    }
    if (p->options->test && p->trained < EVERY)
        snprintf(p->few, sizeof p->few,
                 "its penalty is %g: to choose one needs %d sounds to train on, there are %lld",
                 default_l2(p), EVERY, (long long)p->trained);
    else if (!p->options->test && folds < 3)
        snprintf(p->few, sizeof p->few,
                 "its penalty is %g: to choose one needs three folds, to train on, to choose by "
                 "and to test on, there are %d",
                 default_l2(p), folds);
    if (p->few[0]) chl_log(CHL_LOG_WARN, "%s: a probe: %s", p->options->data, p->few);
}

/* Of equally good penalties the largest. */
static chl_status choose_l2(probe *p, int fold, double *l2) {
    int64_t most = -1;
    const int second = p->options->test ? 0 : second_fold(p, fold);
    for (int power = 4; power >= -2; power--) {
        const double tried = pow(10, power);
        chl_logistic fit;
        int64_t right = 0;
        CHL_TRY(fit_and_name(p, fold, second, tried, &fit));
        chl_logistic_free(&fit);
        for (int64_t i = 0; i < p->corpus.count; i++)
            right += use_of(p, i, fold, second) == TEST && p->named[i] == p->corpus.truth[i];
        if (right <= most) continue;
        most = right;
        *l2 = tried;
    }
    return CHL_OK;
}

static chl_status run_fold(probe *p, int fold) {
    double l2 = default_l2(p);
    chl_logistic fit;
    int *named = malloc(sizeof *named * (size_t)p->corpus.count);
    if (!named) return chl_fail(CHL_ERR_MEMORY, "out of memory for a fold");
    memcpy(named, p->named, sizeof *named * (size_t)p->corpus.count);
    chl_status status = chooses(p) ? choose_l2(p, fold, &l2) : CHL_OK;
    memcpy(p->named, named, sizeof *named * (size_t)p->corpus.count);
    free(named);
    CHL_TRY(status);
    CHL_TRY(fit_and_name(p, fold, NO_FOLD, l2, &fit));
    chl_json_append(p->fits, json_pack("{s:i, s:I, s:i, s:f, s:f}", "fold", fold, "trained",
                                       (json_int_t)p->trained_now, "iterations", fit.iterations,
                                       "gradient", fit.gradient, "l2", l2));
    chl_logistic_free(&fit);
    return CHL_OK;
}

/* --- all of them ------------------------------------------------------------------------------ */
static chl_status run_folds(probe *p) {
    const chl_probe_options *o = p->options;
    const chl_progress_watch watch = {o->progress, o->user};
    int folds = o->test ? 1 : o->folds, done = 0;
    for (int64_t i = 0; i < p->corpus.count; i++) p->named[i] = -1;
    if (!folds)
        for (int fold = 0; (fold = next_fold(p, fold)) != NO_FOLD;) folds++;
    for (int fold = 0; done < folds; done++) {
        CHL_TRY(chl_report_progress(&watch, "fitting", done, folds));
        if (!o->test) fold = o->folds ? o->fold[done] : next_fold(p, fold);
        CHL_TRY(run_fold(p, fold));
    }
    return chl_report_progress(&watch, "fitting", done, folds);
}

static chl_status describe(probe *p, char **report) {
    const chl_corpus *c = &p->corpus;
    const uint64_t refused = chl_json_refused();
    json_t *l2 = chooses(p) ? json_string("chosen") : json_real(default_l2(p));
    json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "layout", c->layout, "features",
                             p->options->of_trunk ? "trunk" : "embedding", "split",
                             p->options->test ? "test folder" : "official folds", "all_sounds",
                             (json_int_t)c->count, "missing", (json_int_t)c->missing, "l2", l2);
    const chl_classified done = chl_classified_in(&p->corpus, p->named);
    const chl_status status =
        chl_classified_tell(&done, "probe", c->layout, p->options->confusion, root);
    if (p->few[0]) chl_json_set(root, "l2_why", json_string(p->few));
    chl_json_set(root, "fits", json_incref(p->fits));
    return chl_report_end(status, root, refused, report);
}

static chl_status work(chl_engine *engine, probe *p, char **report) {
    CHL_TRY(open_folders(p));
    CHL_TRY(check_groups(p));
    look_for_choice(p);
    const chl_audio_encoder_sizes *sizes = &engine->audio->sizes;
    p->width = p->options->of_trunk ? sizes->trunk : sizes->embedding;
    const size_t count = (size_t)p->corpus.count, width = (size_t)p->width;
    p->feature = malloc(sizeof *p->feature * count * width);
    p->x = malloc(sizeof *p->x * count * width);
    p->mean = malloc(sizeof *p->mean * width);
    p->scale = malloc(sizeof *p->scale * width);
    p->class_ = malloc(sizeof *p->class_ * count);
    p->named = malloc(sizeof *p->named * count);
    p->fits = json_array();
    if (!p->feature || !p->x || !p->mean || !p->scale || !p->class_ || !p->named || !p->fits)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for what the encoder hears",
                        p->options->data);
    const chl_progress_watch watch = {p->options->progress, p->options->user};
    CHL_TRY((p->options->of_trunk ? chl_eval_trunk_of_sounds : chl_eval_embed_sounds)(
        engine->audio, p->corpus.count, p->corpus.sound, NULL, &watch, p->feature));
    CHL_TRY(run_folds(p));
    return describe(p, report);
}

static chl_status check(const chl_probe_options *o) {
    CHL_TRY(chl_check_pointer(o->data, "data"));
    CHL_TRY(chl_check_int(o->folds >= 0, "folds", ">= 0", o->folds));
    if (o->folds) CHL_TRY(chl_check_pointer(o->fold, "fold"));
    CHL_TRY(chl_check_int(o->of_trunk == 0 || o->of_trunk == 1, "of_trunk", "0 or 1", o->of_trunk));
    if (o->folds && o->test)
        return chl_fail(CHL_ERR_ARGUMENT, "folds must be left out with test, got %d of them",
                        o->folds);
    return chl_check_float(o->l2 >= 0 && isfinite(o->l2), "l2", "> 0 (0: 1)", o->l2);
}

chl_status chl_evaluate_probe(chl_engine *engine, const chl_probe_options *theirs, char **report) {
    chl_probe_options mine = {.size = sizeof mine};
    CHL_NEEDS(engine, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_probe_options"));
    CHL_TRY(check(&mine));
    CHL_TRY(chl_need(engine->audio, "audio", "a probe of sounds"));
    const chl_log_sink before = chl_log_divert(engine->log);
    probe p = {.options = &mine};
    const chl_status status = work(engine, &p, report);
    chl_corpus_free(&p.corpus);
    CHL_FREE(p.feature, p.x, p.mean, p.scale, p.class_, p.named);
    json_decref(p.fits);
    return chl_log_restore(before, status);
}
