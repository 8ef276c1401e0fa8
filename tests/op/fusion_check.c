#include "fusion_check.h"
#include <math.h>
#include <string.h>

int bad;
bool only_first;
chl_device *gpu;

void note_failure(void) {
    bad++;
    if (only_first) exit(1);
}

const float *numbers(int64_t count, float scale, float phase) {
    static float data[256 * 256 * 9];
    for (int64_t i = 0; i < count; i++) data[i] = scale * sinf(1.7f * (float)i + phase);
    return data;
}

chl_status finish(chl_graph *g, int count, const chl_tensor *kept, result *r) {
    chl_status status;
    CHL_TRY_GOTO(chl_compile(g));
    memset(r->found, 0, sizeof r->found);
    for (int32_t n = 0; n < g->nodes; n++)
        if (g->node[n].fused) r->found[g->node[n].fusion]++;
    CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
    for (int i = 0; i < count; i++) {
        r->count[i] = chl_count(chl_desc_of(g, kept[i]));
        if (r->count[i] > MOST) abort();
        CHL_TRY_GOTO(chl_read(g, kept[i], r->data[i]));
    }
done:
    chl_graph_free(g);
    return status;
}

double apart(const result *got, const result *want, int i) {
    double wrong = 0, square = 0;
    for (int64_t k = 0; k < want->count[i]; k++) {
        const double error = (double)got->data[i][k] - (double)want->data[i][k];
        wrong += error * error;
        square += (double)want->data[i][k] * (double)want->data[i][k];
    }
    return sqrt(wrong / square);
}
void expect_near(const char *of, const char *what, double error, double allowed) {
    if (error <= allowed) return;
    printf("FAIL: %s: %s: difference / rms %.2e, allowed %.1e\n", of, what, error, allowed);
    note_failure();
}
void expect_found(const char *of, const result *r, const int *want) {
    for (int f = 0; f < CHL_FUSION_COUNT; f++) {
        /* where tiles are dealt otherwise, one may not have all of a pixel's channels */
        const bool in_tile = f == CHL_FUSION_modconv_torgb ||
                             f == CHL_FUSION_modconv_torgb_upsample ||
                             f == CHL_FUSION_torgb_upsample;
        if (in_tile && (getenv("EMU_FILL") || getenv("CHLADNI_CUDA_FILL"))) continue;
        if (r->found[f] == want[f]) continue;
        printf("FAIL: %s: %s found %d times instead of %d\n", of, chl_fusion_name((chl_fusion)f),
               r->found[f], want[f]);
        note_failure();
    }
}

chl_tensor given(chl_graph *g, const char *name, chl_desc desc, float phase) {
    return chl_constant(g, name, desc, numbers(chl_count(&desc), 1, phase));
}
chl_tensor given_moved(chl_graph *g, chl_desc desc, float phase, chl_tensor *moved) {
    *moved = chl_param(g, "x", desc, NULL, CHL_TRAINABLE);
    return chl_to_compute_type(g, chl_add(g, *moved, given(g, "x", desc, phase)));
}

chl_tensor weighted(chl_graph *g, chl_tensor x, float phase) {
    const chl_tensor left = chl_to_float32(g, x);
    return chl_mean(g, chl_mul(g, left, given(g, "weights", *chl_desc_of(g, left), phase)));
}

chl_status begin(const way *how, chl_graph **g) {
    CHL_TRY(chl_graph_new(how->device, g));
    if (how->no_fusion) chl_graph_no_fusion(*g);
    chl_graph_precision(*g, how->precision);
    return CHL_OK;
}

void check_both(const char *name, builder build, const void *which, const int *want,
                const int *want_half, int outputs, const char *const *what,
                double allowed_in_half) {
    static result cpu, fused, half, alone;
    const way ways[] = {{chl_device_cpu(), CHL_F32, CHL_FROZEN, false},
                        {gpu, CHL_F32, CHL_FROZEN, false},
                        {gpu, CHL_BF16, CHL_FROZEN, false},
                        {gpu, CHL_BF16, CHL_FROZEN, true}};
    result *results[] = {&cpu, &fused, &half, &alone};
    for (int i = 0; i < 4; i++)
        if (build(which, &ways[i], results[i]) != CHL_OK) {
            printf("FAIL: %s: %s\n", name, chl_error());
            note_failure();
            return;
        }
    expect_found(name, &fused, want);
    expect_found(name, &half, want_half);
    for (int i = 0; i < outputs; i++) {
        expect_near(name, what[i], apart(&fused, &cpu, i), 1e-5);
        expect_near(name, what[i], apart(&half, &alone, i), allowed_in_half);
    }
}
void check_small(const char *name, builder build, const void *which, const int *want, int outputs,
                 const char *const *what, double allowed_in_half) {
    check_both(name, build, which, want, want, outputs, what, allowed_in_half);
}
