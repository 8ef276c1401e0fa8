/* Intensity (Fig. 8): one sound at levels that rise step by step, and how strongly the judge and
 * CLIP see the event in each edit. */
#include "eval/sample_statistics.h"
#include "eval/trials.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct intensity {
    int levels, sources;
    double *level, *judged, *cosine; /* [levels], of one source */
    double *rho_judge, *rho_clip;    /* [sources] */
    double *rho_heard;               /* [heard], of the sources whose sound is heard as its kind */
    int heard;
    double *curve; /* [levels], mean over the sources */
} intensity;

static json_t *describe(const intensity *x, bool text) {
    json_t *level = json_array(), *curve = json_array();
    for (int l = 0; l < x->levels; l++) {
        chl_json_append(level, chl_report_number(x->level[l]));
        chl_json_append(curve, chl_report_number(x->curve[l]));
    }
    json_t *report = json_pack("{s:o, s:o}", "level_db", level, "judged", curve);
    chl_report_set(report, "spearman", chl_mean_of(x->sources, x->rho_judge));
    chl_report_set(report, "spearman_interval", chl_interval_of(x->sources, x->rho_judge));
    chl_report_set(report, "spearman_of_mean", chl_spearman(x->levels, x->level, x->curve));
    if (!text) return report;
    chl_report_set(report, "spearman_clip", chl_mean_of(x->sources, x->rho_clip));
    chl_json_set(report, "heard", chl_report_share(x->heard, x->sources));
    chl_report_set(report, "spearman_heard", chl_mean_of(x->heard, x->rho_heard));
    return report;
}

/* Whether of all kinds' names the nearest to the trial's sound is its kind's. */
static bool is_heard(const chl_trials *t, const float *text, const chl_trial *trial) {
    const int d = t->size.embedding;
    double best = -INFINITY;
    int nearest = -1;
    for (int k = 0; k < t->kinds; k++) {
        const double cosine = chl_dot_of(d, trial->target, text + k * d);
        if (cosine > best) best = cosine, nearest = k;
    }
    return nearest == trial->kind;
}

/* trials [sources][levels] of one kind; text [kinds][embedding] or NULL */
static void summarise(const chl_trials *t, const float *text, const chl_trial *trial,
                      intensity *x) {
    for (int l = 0; l < x->levels; l++) x->curve[l] = 0;
    x->heard = 0;
    for (int s = 0; s < x->sources; s++) {
        for (int l = 0; l < x->levels; l++) {
            const chl_trial *one = &trial[s * x->levels + l];
            x->level[l] = (double)one->gain_db;
            x->judged[l] = chl_trials_log_odds(t, &one->judgement, one->kind);
            x->cosine[l] = (double)one->cosine;
            x->curve[l] += x->judged[l] / x->sources;
        }
        x->rho_judge[s] = chl_spearman(x->levels, x->level, x->judged);
        x->rho_clip[s] = chl_spearman(x->levels, x->level, x->cosine);
        if (text && is_heard(t, text, &trial[(s + 1) * x->levels - 1]))
            x->rho_heard[x->heard++] = x->rho_judge[s];
    }
}

/* The strongest sound of the kind for the first source, the next strongest for the second, and so
 * on: sounds that are still audible at low levels. */
static int64_t strong_sound(const chl_trials *t, int source, int kind) {
    const int64_t first = t->first[kind], count = t->first[kind + 1] - first;
    const int64_t rank = source % count;
    for (int64_t i = first; i < first + count; i++) {
        int64_t before = 0;
        const float own = t->sounds->sample[t->order[i]].strength;
        for (int64_t j = first; j < first + count; j++) {
            const float other = t->sounds->sample[t->order[j]].strength;
            before += other > own || (other == own && j < i);
        }
        if (before == rank) return t->order[i];
    }
    return t->order[first];
}

static void plan(const chl_trials *t, int kind, const intensity *x, chl_trial *trial) {
    const float step = t->options->level_step;
    for (int s = 0; s < x->sources; s++)
        for (int l = 0; l < x->levels; l++)
            trial[s * x->levels + l] = (chl_trial){.source = s,
                                                   .kind = kind,
                                                   .sound = strong_sound(t, s, kind),
                                                   .gain_db = -step * (float)(x->levels - 1 - l)};
}

/* Whether the comma-separated list contains the kind. */
static bool listed(const char *list, const char *kind) {
    const size_t length = strlen(kind);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, kind, length) == 0 && (at[length] == ',' || at[length] == 0)) return true;
    }
    return false;
}

static int kinds_listed(const chl_trials *t) {
    int count = 0;
    for (int k = 0; k < t->kinds; k++) count += listed(t->options->louder, t->sounds->kind_name[k]);
    return count;
}

/* A text has no level, and unjudged edits no event. */
static bool is_measured(const chl_trials *t) {
    const chl_trial_options *o = t->options;
    return o->intensity > 0 && t->judge && !o->by_label;
}

static chl_status refuse_kind(const chl_trials *t, const char *name, int length) {
    char kinds[512] = "";
    for (int k = 0; k < t->kinds; k++) {
        const size_t at = strlen(kinds);
        snprintf(kinds + at, sizeof kinds - at, "%s%s", k ? ", " : "", t->sounds->kind_name[k]);
    }
    return chl_fail(
        CHL_ERR_ARGUMENT,
        "louder must be kinds of the sounds with commas between them (%s), got \"%.*s\"", kinds,
        length, name);
}

/* The usual list is measured as far as it is there. */
chl_status chl_trials_check_louder(const chl_trials *t) {
    const char *list = t->options->louder;
    if (!is_measured(t)) return CHL_OK;
    if (!list || strcmp(list, CHL_TRIALS_LOUDER) == 0) {
        if (kinds_listed(t) == 0)
            chl_log(CHL_LOG_WARN, "%s: no kind is one of %s: louder must name others for intensity",
                    t->options->sounds, CHL_TRIALS_LOUDER);
        return CHL_OK;
    }
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        int k = 0;
        while (k < t->kinds && (strlen(t->sounds->kind_name[k]) != length ||
                                strncmp(t->sounds->kind_name[k], at, length) != 0))
            k++;
        if (k == t->kinds) return refuse_kind(t, at, (int)length);
        at = at[length] ? at + length + 1 : NULL;
    }
    return CHL_OK;
}

static chl_status measure(chl_trials *t, const float *text, intensity *x, json_t *report) {
    const int n = x->sources * x->levels;
    chl_trial *trial = calloc((size_t)n, sizeof *trial);
    float *target = malloc(sizeof(float) * (size_t)n * (size_t)t->size.embedding);
    chl_status status = CHL_OK;
    if (!trial || !target) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n));
    for (int k = 0; k < t->kinds; k++) {
        if (!listed(t->options->louder, t->sounds->kind_name[k])) continue;
        plan(t, k, x, trial);
        CHL_TRY_GOTO(chl_trials_targets(t, n, trial, target));
        const chl_trial_run run = {.what = "louder", .text = text};
        CHL_TRY_GOTO(chl_trials_edit(t, &run, n, trial));
        summarise(t, text, trial, x);
        chl_json_set(report, t->sounds->kind_name[k], describe(x, text != NULL));
    }
done:
    free(trial);
    free(target);
    return status;
}

/* Embeddings of the kinds' names, or NULL where CLIP takes no texts. */
static chl_status embed_kinds(const chl_trials *t, float **text) {
    *text = NULL;
    if (!chl_clip_has_texts(t->engine->clip)) return CHL_OK;
    *text = malloc(sizeof(float) * (size_t)t->kinds * (size_t)t->size.embedding);
    if (!*text) return chl_fail(CHL_ERR_MEMORY, "out of memory for labels");
    return chl_eval_embed_labels(t->engine->clip, t->kinds, t->sounds->kind_name, 0, NULL, *text);
}

static double mean_over_kinds(const json_t *found) {
    const char *kind;
    json_t *row;
    double sum = 0;
    json_object_foreach((json_t *)found, kind, row) {
        const json_t *rho = json_object_get(row, "spearman");
        sum += json_is_number(rho) ? json_number_value(rho) : NAN;
    }
    return sum / (double)json_object_size(found);
}

chl_status chl_trials_intensity(chl_trials *t, json_t *report) {
    const chl_trial_options *o = t->options;
    if (!is_measured(t) || kinds_listed(t) == 0) return CHL_OK;
    intensity x = {.levels = o->levels,
                   .sources = o->intensity < t->sources ? o->intensity : t->sources};
    const size_t numbers = 4 * (size_t)x.levels + 3 * (size_t)x.sources;
    double *memory = calloc(numbers, sizeof *memory);
    if (!memory) return chl_fail(CHL_ERR_MEMORY, "out of memory for levels");
    x.level = memory;
    x.judged = x.level + x.levels;
    x.cosine = x.judged + x.levels;
    x.curve = x.cosine + x.levels;
    x.rho_judge = x.curve + x.levels;
    x.rho_clip = x.rho_judge + x.sources;
    x.rho_heard = x.rho_clip + x.sources;
    float *text;
    json_t *found = json_object();
    chl_status status = embed_kinds(t, &text);
    if (status == CHL_OK) status = measure(t, text, &x, found);
    chl_json_set(report, "intensity", found);
    chl_report_set(report, "intensity_spearman", mean_over_kinds(found));
    free(text);
    free(memory);
    return status;
}
