/* Ablation of the identity loss (Eq. 18): the same edits with it and without, how far the face changes by
 * the face encoder, and how near the picture comes to the sound by CLIP. */
#include "base/free.h"
#include "eval/classified.h"
#include "eval/sample_statistics.h"
#include "eval/trials.h"
#include <math.h>
#include <stdlib.h>

typedef struct ablated {
    int n, width, face;
    chl_trial *trial;
    int *group;                  /* [n] by source */
    float *target, *view, *own;  /* [n][width]; [n][face] of the edits */
    float *source;               /* [sources][face] */
    double *kept[2], *nearer[2]; /* [n] with the loss, without */
} ablated;

static double cosine(int width, const float *a, const float *b) {
    double aa = 0, bb = 0, ab = 0;
    for (int k = 0; k < width; k++) {
        aa += (double)a[k] * (double)a[k];
        bb += (double)b[k] * (double)b[k];
        ab += (double)a[k] * (double)b[k];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

static chl_status run(chl_trials *t, ablated *a, int without) {
    chl_edit_options edit = *t->options->edit;
    if (without) edit.identity_weight = 0;
    const chl_trial_run run = {.what = without ? "editing without the identity loss"
                                               : "editing with the identity loss",
                               .view = a->view,
                               .face = a->own,
                               .edit = &edit};
    CHL_TRY(chl_trials_edit(t, &run, a->n, a->trial));
    for (int i = 0; i < a->n; i++) {
        a->kept[without][i] = cosine(a->face, a->own + (int64_t)i * a->face,
                                     a->source + (int64_t)a->trial[i].source * a->face);
        a->nearer[without][i] =
            cosine(a->width, a->view + (int64_t)i * a->width, a->target + (int64_t)i * a->width);
    }
    return CHL_OK;
}

static chl_status add(const ablated *a, const char *key, const double *x, json_t *into) {
    json_t *row = json_object();
    chl_json_set(into, key, row);
    chl_report_set(row, "mean", chl_mean_of(a->n, x));
    return chl_report_interval(row, "interval", a->n, x, a->group);
}

/* "with", "without", and the differences, edit by edit. */
static chl_status describe(const ablated *a, json_t *report) {
    static const char *const keys[] = {"with", "without"};
    for (int w = 0; w < 2; w++) {
        json_t *side = json_object();
        chl_json_set(report, keys[w], side);
        CHL_TRY(add(a, "identity", a->kept[w], side));
        CHL_TRY(add(a, "similarity", a->nearer[w], side));
    }
    for (int i = 0; i < a->n; i++) {
        a->kept[0][i] -= a->kept[1][i];
        a->nearer[0][i] -= a->nearer[1][i];
    }
    json_t *difference = json_object();
    chl_json_set(report, "difference", difference);
    CHL_TRY(add(a, "identity", a->kept[0], difference));
    return add(a, "similarity", a->nearer[0], difference);
}

static chl_status see_sources(chl_trials *t, const ablated *a, int sources) {
    float view[CHL_MAX_EMBEDDING];
    for (int i = 0; i < sources; i++)
        CHL_TRY(chl_trials_see(t, t->source_pixels + i * chl_trials_picture(t), view,
                               a->source + (int64_t)i * a->face));
    return CHL_OK;
}

static chl_status compare(chl_trials *t, ablated *a, int sources, json_t *report) {
    for (int i = 0; i < a->n; i++) {
        a->trial[i].source = a->group[i] = i / t->kinds;
        a->trial[i].kind = i % t->kinds;
        a->trial[i].sound = chl_trials_sound(t, a->trial[i].source, a->trial[i].kind);
    }
    CHL_TRY(chl_trials_targets(t, a->n, a->trial, a->target));
    CHL_TRY(see_sources(t, a, sources));
    CHL_TRY(run(t, a, 0));
    CHL_TRY(run(t, a, 1));
    json_t *found =
        json_pack("{s:i, s:f}", "edits", a->n, "weight", (double)t->options->edit->identity_weight);
    chl_json_set(report, "identity", found);
    return describe(a, found);
}

chl_status chl_trials_identity(chl_trials *t, json_t *report) {
    if (t->options->identity <= 0) return CHL_OK;
    const int sources = t->options->identity < t->sources ? (int)t->options->identity : t->sources;
    ablated a = {.n = sources * t->kinds, .width = t->size.embedding, .face = t->size.face};
    const size_t n = (size_t)a.n, width = (size_t)a.width, face = (size_t)a.face;
    a.trial = calloc(n, sizeof *a.trial);
    a.group = malloc(sizeof *a.group * n);
    a.target = malloc(sizeof(float) * n * width);
    a.view = malloc(sizeof(float) * n * width);
    a.own = malloc(sizeof(float) * n * face);
    a.source = malloc(sizeof(float) * (size_t)sources * face);
    double *memory = malloc(sizeof *memory * 4 * n);
    chl_status status = CHL_OK;
    if (!a.trial || !a.group || !a.target || !a.view || !a.own || !a.source || !memory)
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", a.n);
    for (int w = 0; w < 2 && status == CHL_OK; w++) {
        a.kept[w] = memory + (size_t)w * n;
        a.nearer[w] = memory + (size_t)(2 + w) * n;
    }
    if (status == CHL_OK) status = compare(t, &a, sources, report);
    CHL_FREE(a.trial, a.group, a.target, a.view, a.own, a.source, memory);
    return status;
}
