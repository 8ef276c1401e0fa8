/* Table 2: cosines between the codes of the source, of the edit by sound and of the edit by text,
 * and between the two directions from source to edit. */
#include "base/free.h"
#include "eval/classified.h"
#include "eval/sample_statistics.h"
#include "eval/trials.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double cosine(int64_t n, const float *a, const float *b, const float *origin) {
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = (double)a[i] - (origin ? (double)origin[i] : 0),
                     y = (double)b[i] - (origin ? (double)origin[i] : 0);
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

/* group [n]: edits of one source are drawn together */
static chl_status add_mean(json_t *report, const char *key, int n, const double *x,
                           const int *group) {
    json_t *row = json_pack("{s:o, s:o}", "mean", chl_report_number(chl_mean_of(n, x)), "deviation",
                            chl_report_number(chl_deviation_of(n, x)));
    chl_json_set(report, key, row);
    return chl_report_interval(row, "interval", n, x, group);
}

static chl_status describe(const chl_trials *t, int n, const chl_trial *trial, const float *sound,
                           const float *text, json_t *report) {
    const int64_t code = chl_trials_code(t);
    double *x = malloc(sizeof(double) * (size_t)n);
    int *group = malloc(sizeof(int) * (size_t)n);
    chl_status status =
        x && group ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for directions");
    for (int i = 0; i < n && group; i++) group[i] = trial[i].source;
    const struct {
        const char *key;
        int from, to; /* 0 source, 1 sound, 2 text */
        bool direction;
    } pairs[] = {{"source_sound", 0, 1, false},
                 {"source_text", 0, 2, false},
                 {"sound_text", 1, 2, false},
                 {"directions", 1, 2, true}};
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs && status == CHL_OK; p++) {
        for (int i = 0; i < n; i++) {
            const float *source = t->source_code + trial[i].source * code;
            const float *of[] = {source, sound + i * code, text + i * code};
            x[i] = cosine(code, of[pairs[p].from], of[pairs[p].to],
                          pairs[p].direction ? source : NULL);
        }
        status = add_mean(report, pairs[p].key, n, x, group);
    }
    free(x);
    free(group);
    return status;
}

/* --- Fig. 8 ----------------------------------------------------------------------------------- */
/* What chl_compare_directions says of the places of 2 n directions: by sound, then by text. */
static chl_status place(const chl_trials *t, int n, const chl_trial *trial, float *direction,
                        json_t *report) {
    const char **name = malloc(sizeof *name * 2 * (size_t)n);
    if (!name) return chl_fail(CHL_ERR_MEMORY, "out of memory for directions");
    for (int i = 0; i < 2 * n; i++) name[i] = t->sounds->kind_name[trial[i % n].kind];
    const chl_direction_options o = {.size = sizeof o,
                                     .count = 2 * n,
                                     .numbers = chl_trials_code(t),
                                     .direction = direction,
                                     .name = name,
                                     .group = name,
                                     .plot = 2 * n >= 4 ? CHL_DIRECTIONS_TSNE : CHL_DIRECTIONS_PCA};
    char *text = NULL;
    json_t *whole = NULL;
    chl_status status = chl_compare_directions(&o, &text);
    if (status == CHL_OK) status = chl_json_read(text, strlen(text), 0, "directions", &whole, NULL);
    json_t *list = json_object_get(whole, "directions"), *one;
    size_t i;
    json_array_foreach(list, i, one) {
        chl_json_set(one, "by", json_string((int)i < n ? "sound" : "text"));
        chl_json_set(one, "source", json_integer(trial[(int)i % n].source));
    }
    if (list) {
        chl_json_set(report, "points", json_incref(list));
        chl_json_set(report, "pca", json_incref(json_object_get(whole, "pca")));
        chl_json_set(report, "tsne", json_incref(json_object_get(whole, "tsne")));
    }
    json_decref(whole);
    free(text);
    free(name);
    return status;
}

/* Of more than CHL_MAX_DIRECTIONS there are no places. */
static chl_status describe_places(const chl_trials *t, int n, const chl_trial *trial,
                                  const float *sound, const float *text, json_t *report) {
    const int64_t code = chl_trials_code(t);
    if (2 * n > CHL_MAX_DIRECTIONS) return CHL_OK;
    float *direction = malloc(sizeof *direction * 2 * (size_t)(n * code));
    if (!direction) return chl_fail(CHL_ERR_MEMORY, "out of memory for directions");
    for (int i = 0; i < 2 * n; i++) {
        const float *edited = i < n ? sound + i * code : text + (i - n) * code,
                    *source = t->source_code + trial[i % n].source * code;
        for (int64_t k = 0; k < code; k++) direction[i * code + k] = edited[k] - source[k];
    }
    const chl_status status = place(t, n, trial, direction, report);
    free(direction);
    return status;
}

typedef struct guided {
    chl_trial *trial;
    float *target, *label, *sound, *text; /* codes of the edits */
    float *sound_view, *text_view;        /* what CLIP sees; NULL: is not asked for */
} guided;

static chl_status edit_both(chl_trials *t, int n, guided *g) {
    const int64_t embed = t->size.embedding;
    CHL_TRY(chl_trials_targets(t, n, g->trial, g->target));
    chl_trial_run run = {.what = "editing by sound", .code = g->sound, .view = g->sound_view};
    CHL_TRY(chl_trials_edit(t, &run, n, g->trial));
    CHL_TRY(
        chl_eval_embed_labels(t->engine->clip, t->kinds, t->sounds->kind_name, 0, NULL, g->label));
    for (int i = 0; i < n; i++) g->trial[i].target = g->label + g->trial[i].kind * embed;
    run = (chl_trial_run){.what = "editing by text", .code = g->text, .view = g->text_view};
    return chl_trials_edit(t, &run, n, g->trial);
}

chl_status chl_trials_directions(chl_trials *t, json_t *report) {
    if (t->options->directions <= 0) return CHL_OK;
    const int sources = t->options->directions < t->sources ? t->options->directions : t->sources;
    const int n = sources * t->kinds;
    const size_t codes = sizeof(float) * (size_t)(n * chl_trials_code(t));
    const size_t embed = sizeof(float) * (size_t)t->size.embedding;
    guided g = {.trial = calloc((size_t)n, sizeof *g.trial),
                .target = malloc((size_t)n * embed),
                .label = malloc((size_t)t->kinds * embed),
                .sound = malloc(codes),
                .text = malloc(codes)};
    json_t *found = json_pack("{s:i}", "edits", n);
    chl_semantic *semantic = NULL;
    if (t->options->classifier) {
        g.sound_view = malloc((size_t)n * embed);
        g.text_view = malloc((size_t)n * embed);
    }
    const bool seen = !t->options->classifier || (g.sound_view && g.text_view);
    chl_status status = g.trial && g.target && g.label && g.sound && g.text && seen
                            ? CHL_OK
                            : chl_fail(CHL_ERR_MEMORY, "out of memory for %d directions", n);
    if (status == CHL_OK) status = chl_semantic_open(t, &semantic);
    for (int i = 0; i < n && status == CHL_OK; i++) {
        g.trial[i].source = i / t->kinds;
        g.trial[i].kind = i % t->kinds;
        g.trial[i].sound = chl_trials_sound(t, g.trial[i].source, g.trial[i].kind);
    }
    if (status == CHL_OK) status = edit_both(t, n, &g);
    if (status == CHL_OK) status = describe(t, n, g.trial, g.sound, g.text, found);
    if (status == CHL_OK) status = describe_places(t, n, g.trial, g.sound, g.text, found);
    if (status == CHL_OK && semantic)
        status =
            chl_semantic_report(semantic, n, g.trial, g.target, g.sound_view, g.text_view, report);
    chl_semantic_free(semantic);
    chl_json_set(report, "directions", found);
    CHL_FREE(g.trial, g.target, g.label, g.sound, g.text, g.sound_view, g.text_view);
    return status;
}
