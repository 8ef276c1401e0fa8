/* Rows [...,C] divided by their length: L2 x / max(|x|, eps), RMS x / sqrt(mean(x^2) + eps). */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"
#include <math.h>
#include <stdbool.h>

static float dot(const float *a, const float *b, int64_t width) {
    chl_vec total = {0};
    for (int64_t c = 0; c < width; c += CHL_LANES) {
        int64_t n = chl_lanes_left(width - c);
        total += chl_load_part(a + c, n) * chl_load_part(b + c, n);
    }
    return chl_tree_sum(total);
}

static chl_kernel_status forward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t width = shape->dim[shape->rank - 1], rows = chl_count(shape) / width;
    float *y = call->out[0], eps = call->attr.norm.eps;
    if (!y) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
    bool rms = call->attr.norm.kind == CHL_NORM_RMS;
#pragma omp parallel for schedule(static) if (rows * width > CHL_PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++) {
        const float *x = (const float *)call->in[0] + r * width;
        float square = dot(x, x, width);
        float scale =
            rms ? 1.0f / sqrtf(square / (float)width + eps) : 1.0f / fmaxf(sqrtf(square), eps);
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            int64_t n = chl_lanes_left(width - c);
            chl_put_part(y + r * width + c, scale * chl_load_part(x + c, n), n, acc);
        }
    }
    return CHL_KERNEL_OK;
}

/* dx = scale dy - along x, where `along` is scale^3 (x . dy), over C for RMS; an L2 row shorter
 * than eps was divided by a constant and has no such term. */
static chl_kernel_status backward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t width = shape->dim[shape->rank - 1], rows = chl_count(shape) / width;
    float *dx = call->out[0], eps = call->attr.norm.eps;
    if (!dx) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
    bool rms = call->attr.norm.kind == CHL_NORM_RMS;
#pragma omp parallel for schedule(static) if (rows * width > CHL_PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++) {
        const float *dy = (const float *)call->in[0] + r * width;
        const float *x = (const float *)call->in[1] + r * width;
        float square = dot(x, x, width), scale, along;
        if (rms) {
            scale = 1.0f / sqrtf(square / (float)width + eps);
            along = scale * scale * scale * dot(x, dy, width) / (float)width;
        } else {
            float length = sqrtf(square);
            scale = 1.0f / fmaxf(length, eps);
            along = length > eps ? scale * scale * scale * dot(x, dy, width) : 0.0f;
        }
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            int64_t n = chl_lanes_left(width - c);
            chl_vec v = scale * chl_load_part(dy + c, n) - along * chl_load_part(x + c, n);
            chl_put_part(dx + r * width + c, v, n, acc);
        }
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_row_norm = {forward, NULL, NULL};
const chl_body chl_cpu_row_norm_dx = {backward, NULL, NULL};
