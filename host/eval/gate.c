/* Whether the judge can be trusted: its answers on the generator's pictures of scenes that are
 * known, and on the pictures of those scenes as they were painted. */
#include "base/free.h"
#include "eval/trials.h"
#include "io/picture.h"
#include <stdlib.h>
#include <string.h>

/* The answers that the first `n` samples' lines call for. */
typedef struct truth {
    int *kind;                                      /* [n], -1: unknown to the judge */
    const int *attribute[CHL_JUDGE_MAX_ATTRIBUTES]; /* [count], in the dataset */
} truth;

static chl_status find_truth(const chl_trials *t, const chl_dataset *d, int n, truth *out) {
    const chl_judge *judge = t->options->judged_by;
    for (int a = 0; a < judge->attributes; a++)
        CHL_TRY(chl_dataset_require_classes(d, judge->attribute[a], 0, &out->attribute[a]));
    out->kind = malloc(sizeof *out->kind * (size_t)n);
    if (!out->kind) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d samples", n);
    for (int i = 0; i < n; i++) {
        out->kind[i] = -1;
        for (int c = 0; c < t->judge_sizes.kinds && out->kind[i] < 0; c++)
            if (strcmp(t->judge_sizes.kind[c], d->sample[i].kind) == 0) out->kind[i] = c;
    }
    return CHL_OK;
}

static json_t *describe(const chl_judge *judge, const truth *truth, int n,
                        const chl_judgement *judgement) {
    json_t *report = json_pack("{s:i}", "pictures", n);
    int64_t right = 0;
    for (int i = 0; i < n; i++) right += judgement[i].kind == truth->kind[i];
    chl_json_set(report, "kind", chl_report_share(right, n));
    for (int a = 0; a < judge->attributes; a++) {
        right = 0;
        for (int i = 0; i < n; i++) right += judgement[i].attribute[a] == truth->attribute[a][i];
        chl_json_set(report, judge->attribute[a], chl_report_share(right, n));
    }
    return report;
}

static chl_status load_painted(const chl_trials *t, chl_dataset *d, int n, float *pixels) {
    for (int i = 0; i < n; i++) {
        const uint8_t *bytes;
        CHL_TRY(chl_dataset_picture(d, i, t->size.picture, &bytes));
        chl_raster_to_float(chl_trials_picture(t), bytes, pixels + i * chl_trials_picture(t));
    }
    return CHL_OK;
}

typedef struct gate {
    truth truth;
    float *code, *pixels;
    chl_judgement *judgement;
} gate;

static chl_status examine(chl_trials *t, chl_dataset *d, int n, gate *g, json_t *report) {
    const chl_judge *judge = t->options->judged_by;
    if (d->latent != t->size.z)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s/latents.npy: a row must have %d numbers, as the generator's z, got %d",
                        t->options->sounds, t->size.z, d->latent);
    CHL_TRY(find_truth(t, d, n, &g->truth));
    CHL_TRY(chl_trials_generate(t, n, d->latents, g->code, g->pixels));
    CHL_TRY(chl_trials_judge(t, n, g->pixels, g->judgement));
    chl_json_set(report, "gate", describe(judge, &g->truth, n, g->judgement));
    CHL_TRY(load_painted(t, d, n, g->pixels));
    CHL_TRY(chl_trials_judge(t, n, g->pixels, g->judgement));
    chl_json_set(report, "painted", describe(judge, &g->truth, n, g->judgement));
    return CHL_OK;
}

chl_status chl_trials_gate(chl_trials *t, json_t *report) {
    if (t->options->gate <= 0) return CHL_OK;
    chl_dataset *d;
    CHL_TRY(chl_dataset_open(t->options->sounds, CHL_NEED_LATENT | CHL_NEED_KIND | CHL_NEED_PICTURE,
                             &d));
    const int n = d->count < t->options->gate ? (int)d->count : t->options->gate;
    gate g = {.code = malloc(sizeof(float) * (size_t)(n * chl_trials_code(t))),
              .pixels = malloc(sizeof(float) * (size_t)(n * chl_trials_picture(t))),
              .judgement = calloc((size_t)n, sizeof *g.judgement)};
    const chl_status status = g.code && g.pixels && g.judgement
                                  ? examine(t, d, n, &g, report)
                                  : chl_fail(CHL_ERR_MEMORY, "out of memory for %d pictures", n);
    CHL_FREE(g.truth.kind, g.code, g.pixels, g.judgement);
    chl_dataset_free(d);
    return status;
}
