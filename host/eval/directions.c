/* Table 2: cosines between the codes of the source, of the edit by sound and of the edit by text,
 * and between the two directions from source to edit. */
#include "eval/sample_statistics.h"
#include "eval/trials.h"
#include <math.h>
#include <stdlib.h>

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

static void add_mean(json_t *report, const char *key, int n, const double *x) {
    chl_json_set(report, key,
                 json_pack("{s:o, s:o}", "mean", chl_report_number(chl_mean_of(n, x)), "deviation",
                           chl_report_number(chl_deviation_of(n, x))));
}

static chl_status describe(const chl_trials *t, int n, const chl_trial *trial, const float *sound,
                           const float *text, json_t *report) {
    const int64_t code = chl_trials_code(t);
    double *x = malloc(sizeof(double) * (size_t)n);
    if (!x) return chl_fail(CHL_ERR_MEMORY, "out of memory for directions");
    const struct {
        const char *key;
        int from, to; /* 0 source, 1 sound, 2 text */
        bool direction;
    } pairs[] = {{"source_sound", 0, 1, false},
                 {"source_text", 0, 2, false},
                 {"sound_text", 1, 2, false},
                 {"directions", 1, 2, true}};
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
        for (int i = 0; i < n; i++) {
            const float *source = t->source_code + trial[i].source * code;
            const float *of[] = {source, sound + i * code, text + i * code};
            x[i] = cosine(code, of[pairs[p].from], of[pairs[p].to],
                          pairs[p].direction ? source : NULL);
        }
        add_mean(report, pairs[p].key, n, x);
    }
    free(x);
    return CHL_OK;
}

typedef struct guided {
    chl_trial *trial;
    float *target, *label, *sound, *text; /* codes of the edits */
} guided;

static chl_status edit_both(chl_trials *t, int n, guided *g) {
    const int64_t embed = t->size.embedding;
    CHL_TRY(chl_trials_targets(t, n, g->trial, g->target));
    chl_trial_run run = {.what = "editing by sound", .code = g->sound};
    CHL_TRY(chl_trials_edit(t, &run, n, g->trial));
    CHL_TRY(
        chl_eval_embed_labels(t->engine->clip, t->kinds, t->sounds->kind_name, 0, NULL, g->label));
    for (int i = 0; i < n; i++) g->trial[i].target = g->label + g->trial[i].kind * embed;
    run = (chl_trial_run){.what = "editing by text", .code = g->text};
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
    chl_status status = g.trial && g.target && g.label && g.sound && g.text
                            ? CHL_OK
                            : chl_fail(CHL_ERR_MEMORY, "out of memory for %d directions", n);
    for (int i = 0; i < n && status == CHL_OK; i++) {
        g.trial[i].source = i / t->kinds;
        g.trial[i].kind = i % t->kinds;
        g.trial[i].sound = chl_trials_sound(t, g.trial[i].source, g.trial[i].kind);
    }
    if (status == CHL_OK) status = edit_both(t, n, &g);
    if (status == CHL_OK) status = describe(t, n, g.trial, g.sound, g.text, found);
    chl_json_set(report, "directions", found);
    free(g.trial);
    free(g.target);
    free(g.label);
    free(g.sound);
    free(g.text);
    return status;
}
