/* Louder, stronger (Fig. 8): one sound, its level raised step by step, and how strongly the judge
 * and CLIP see the event. */
#include "eval/statistics.h"
#include "eval/trials.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct intensity {
    int levels, sources;
    double *level, *judged, *cosine; /* [levels]; of the run at hand */
    double *rho_judge, *rho_clip;    /* [sources] */
    double *curve;                   /* [levels], mean over the sources */
} intensity;

static json_t *describe(const intensity *t, bool text) {
    json_t *level = json_array(), *curve = json_array();
    for (int l = 0; l < t->levels; l++) {
        json_array_append_new(level, chl_report_number(t->level[l]));
        json_array_append_new(curve, chl_report_number(t->curve[l]));
    }
    json_t *report = json_pack("{s:o, s:o}", "level_db", level, "judged", curve);
    chl_report_set(report, "spearman", chl_mean_of(t->sources, t->rho_judge));
    chl_report_set(report, "spearman_interval", chl_interval_of(t->sources, t->rho_judge));
    chl_report_set(report, "spearman_of_mean", chl_spearman(t->levels, t->level, t->curve));
    if (text) chl_report_set(report, "spearman_clip", chl_mean_of(t->sources, t->rho_clip));
    return report;
}

/* trials [sources][levels] of one kind */
static void summarise(const chl_bench *b, const chl_trial *trial, intensity *t) {
    for (int l = 0; l < t->levels; l++) t->curve[l] = 0;
    for (int s = 0; s < t->sources; s++) {
        for (int l = 0; l < t->levels; l++) {
            const chl_trial *one = &trial[s * t->levels + l];
            t->level[l] = (double)one->gain_db;
            t->judged[l] = chl_bench_strength(b, &one->seen, one->kind);
            t->cosine[l] = (double)one->cosine;
            t->curve[l] += t->judged[l] / t->sources;
        }
        t->rho_judge[s] = chl_spearman(t->levels, t->level, t->judged);
        t->rho_clip[s] = chl_spearman(t->levels, t->level, t->cosine);
    }
}

/* The strongest of all sounds of the kind, then the next: what is turned down must be heard. */
static int64_t strong_sound(const chl_bench *b, int source, int kind) {
    const int64_t first = b->first[kind], count = b->first[kind + 1] - first;
    const int64_t rank = source % count;
    for (int64_t i = first; i < first + count; i++) {
        int64_t before = 0;
        const float mine = b->sounds->sample[b->order[i]].strength;
        for (int64_t j = first; j < first + count; j++) {
            const float other = b->sounds->sample[b->order[j]].strength;
            before += other > mine || (other == mine && j < i);
        }
        if (before == rank) return b->order[i];
    }
    return b->order[first];
}

static void plan(const chl_bench *b, int kind, const intensity *t, chl_trial *trial) {
    const float step = b->options->level_step;
    for (int s = 0; s < t->sources; s++)
        for (int l = 0; l < t->levels; l++)
            trial[s * t->levels + l] = (chl_trial){.source = s,
                                                   .kind = kind,
                                                   .sound = strong_sound(b, s, kind),
                                                   .gain_db = -step * (float)(t->levels - 1 - l)};
}

/* Whether the comma-separated list has the kind. */
static bool listed(const char *list, const char *kind) {
    const size_t length = strlen(kind);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, kind, length) == 0 && (at[length] == ',' || at[length] == 0)) return true;
    }
    return false;
}

static chl_status measure(chl_bench *b, const float *text, intensity *t, json_t *report) {
    const int n = t->sources * t->levels;
    chl_trial *trial = calloc((size_t)n, sizeof *trial);
    float *target = malloc(sizeof(float) * (size_t)n * (size_t)b->size.embedding);
    chl_status status = CHL_OK;
    if (!trial || !target) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n));
    for (int k = 0; k < b->kinds; k++) {
        if (!listed(b->options->louder, b->sounds->kind_name[k])) continue;
        plan(b, k, t, trial);
        CHL_TRY_GOTO(chl_bench_listen(b, n, trial, target));
        const chl_bench_run run = {.what = "louder", .text = text};
        CHL_TRY_GOTO(chl_bench_edit(b, &run, n, trial));
        summarise(b, trial, t);
        json_object_set_new(report, b->sounds->kind_name[k], describe(t, text != NULL));
    }
done:
    free(trial);
    free(target);
    return status;
}

/* Embeddings of the kinds' names where there is a tokenizer; NULL otherwise. */
static chl_status embed_kinds(const chl_bench *b, float **text) {
    *text = NULL;
    if (!b->engine->tokenizer) return CHL_OK;
    *text = malloc(sizeof(float) * (size_t)b->kinds * (size_t)b->size.embedding);
    if (!*text) return chl_fail(CHL_ERR_MEMORY, "out of memory for labels");
    return chl_eval_embed_labels(b->engine, b->kinds, b->sounds->kind_name, 0, NULL, *text);
}

chl_status chl_trials_intensity(chl_bench *b, json_t *report) {
    const chl_trial_options *o = b->options;
    if (o->intensity <= 0 || o->levels < 2 || o->by_label) return CHL_OK;
    intensity t = {.levels = o->levels,
                   .sources = o->intensity < b->sources ? o->intensity : b->sources};
    const size_t numbers = 4 * (size_t)t.levels + 2 * (size_t)t.sources;
    double *room = calloc(numbers, sizeof *room);
    if (!room) return chl_fail(CHL_ERR_MEMORY, "out of memory for levels");
    t.level = room;
    t.judged = t.level + t.levels;
    t.cosine = t.judged + t.levels;
    t.curve = t.cosine + t.levels;
    t.rho_judge = t.curve + t.levels;
    t.rho_clip = t.rho_judge + t.sources;
    float *text;
    json_t *found = json_object();
    chl_status status = embed_kinds(b, &text);
    if (status == CHL_OK) status = measure(b, text, &t, found);
    json_object_set_new(report, "intensity", found);
    free(text);
    free(room);
    return status;
}
