/* May this judge judge? Its answers on the generator's reconstructions of scenes that are known,
 * and on the painted pictures themselves. */
#include "eval/trials.h"
#include "io/picture.h"
#include <stdlib.h>
#include <string.h>

static int truth(const chl_bench *b, const chl_sample *s, chl_judge_question q) {
    switch (q) {
    case CHL_JUDGE_TIME:
        return s->time;
    case CHL_JUDGE_SEASON:
        return s->season;
    case CHL_JUDGE_HOUSE:
        return s->house;
    default:
        for (int c = 0; c < b->judge_config.classes[CHL_JUDGE_KIND]; c++)
            if (strcmp(b->judge_config.kind_name[c], s->kind) == 0) return c;
        return -1;
    }
}

static json_t *describe(const chl_bench *b, const chl_dataset *d, int n,
                        const chl_judge_seen *seen) {
    json_t *report = json_pack("{s:i}", "pictures", n);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        int64_t right = 0;
        for (int i = 0; i < n; i++)
            right += seen[i].best[q] == truth(b, &d->sample[i], (chl_judge_question)q);
        json_object_set_new(report, chl_judge_question_name((chl_judge_question)q),
                            chl_report_share(right, n));
    }
    return report;
}

static chl_status load_painted(const chl_bench *b, chl_dataset *d, int n, float *pixels) {
    for (int i = 0; i < n; i++) {
        const uint8_t *bytes;
        CHL_TRY(chl_dataset_picture(d, i, b->size.picture, &bytes));
        chl_raster_to_float(chl_bench_picture(b), bytes, pixels + i * chl_bench_picture(b));
    }
    return CHL_OK;
}

static chl_status examine(chl_bench *b, chl_dataset *d, int n, float *code, float *pixels,
                          chl_judge_seen *seen, json_t *report) {
    if (d->latent != b->size.z)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s/latents.npy: rows of %d numbers, the generator's z has "
                        "%d",
                        b->options->sounds, d->latent, b->size.z);
    CHL_TRY(chl_bench_imagine(b, n, d->latents, code, pixels));
    CHL_TRY(chl_bench_look(b, n, pixels, seen));
    json_object_set_new(report, "gate", describe(b, d, n, seen));
    CHL_TRY(load_painted(b, d, n, pixels));
    CHL_TRY(chl_bench_look(b, n, pixels, seen));
    json_object_set_new(report, "painted", describe(b, d, n, seen));
    return CHL_OK;
}

chl_status chl_trials_gate(chl_bench *b, json_t *report) {
    if (b->options->gate <= 0) return CHL_OK;
    chl_dataset *d;
    CHL_TRY(chl_dataset_open(b->options->sounds,
                             CHL_NEED_LATENT | CHL_NEED_CLASSES | CHL_NEED_PICTURE, &d));
    const int n = d->count < b->options->gate ? (int)d->count : b->options->gate;
    float *code = malloc(sizeof(float) * (size_t)(n * chl_bench_code(b)));
    float *pixels = malloc(sizeof(float) * (size_t)(n * chl_bench_picture(b)));
    chl_judge_seen *seen = calloc((size_t)n, sizeof *seen);
    chl_status status = code && pixels && seen
                            ? examine(b, d, n, code, pixels, seen, report)
                            : chl_fail(CHL_ERR_MEMORY, "out of memory for %d pictures", n);
    free(code);
    free(pixels);
    free(seen);
    chl_dataset_free(d);
    return status;
}
