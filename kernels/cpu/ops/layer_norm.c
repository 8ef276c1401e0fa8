/* Layer normalisation over the last axis [Ba et al. 2016]: y = (x - mean) rstd gamma + beta, biased
 * variance. stat [...,2] keeps (mean, rstd) for the backward. Forward and backward read each row
 * from memory once: a row stays in the L1 cache between its passes. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"
#include <math.h>

#define ROWS_PER_PART 32

static chl_kernel_status forward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t width = shape->dim[shape->rank - 1], rows = chl_count(shape) / width;
    const float *gamma = call->in[1], *beta = call->in[2];
    float *y = call->out[0], *stat = call->out[1], eps = call->attr.norm.eps;
#pragma omp parallel for schedule(static) if (rows * width > CHL_PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++) {
        const float *x = (const float *)call->in[0] + r * width;
        chl_vec total = {0}, square = {0};
        for (int64_t c = 0; c < width; c += CHL_LANES)
            total += chl_load_part(x + c, chl_lanes_left(width - c));
        float mean = chl_tree_sum(total) / (float)width;
        int64_t whole = width / CHL_LANES * CHL_LANES;
        for (int64_t c = 0; c < whole; c += CHL_LANES) {
            chl_vec d = chl_load(x + c) - mean;
            square += d * d;
        }
        float variance = chl_tree_sum(square);
        for (int64_t c = whole; c < width; c++) variance += (x[c] - mean) * (x[c] - mean);
        float rstd = 1.0f / sqrtf(variance / (float)width + eps);
        if (stat) {
            chl_put(stat + 2 * r, mean, chl_accumulates(call, 1));
            chl_put(stat + 2 * r + 1, rstd, chl_accumulates(call, 1));
        }
        if (!y) continue;
        int acc = chl_accumulates(call, 0);
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            int64_t n = chl_lanes_left(width - c);
            chl_vec v = (chl_load_part(x + c, n) - mean) * rstd;
            v = v * chl_load_part(gamma + c, n) + chl_load_part(beta + c, n);
            chl_put_part(y + r * width + c, v, n, acc);
        }
    }
    return CHL_KERNEL_OK;
}

/* dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma. The pass that computes the two means
 * also adds dy and dy xhat to this part's dbeta and dgamma. */
static void backward_row(const float *dy, const float *x, const float *gamma, float mean,
                         float rstd, int64_t width, float *dgamma, float *dbeta, float *dx,
                         int acc) {
    chl_vec sum = {0}, dot = {0};
    for (int64_t c = 0; c < width; c += CHL_LANES) {
        int64_t n = chl_lanes_left(width - c);
        chl_vec d = chl_load_part(dy + c, n), xhat = (chl_load_part(x + c, n) - mean) * rstd;
        chl_vec g = d * chl_load_part(gamma + c, n);
        sum += g;
        dot += g * xhat;
        chl_put_part(dgamma + c, d * xhat, n, 1);
        chl_put_part(dbeta + c, d, n, 1);
    }
    if (!dx) return;
    float mean_g = chl_tree_sum(sum) / (float)width, mean_gx = chl_tree_sum(dot) / (float)width;
    for (int64_t c = 0; c < width; c += CHL_LANES) {
        int64_t n = chl_lanes_left(width - c);
        chl_vec xhat = (chl_load_part(x + c, n) - mean) * rstd;
        chl_vec g = chl_load_part(dy + c, n) * chl_load_part(gamma + c, n);
        chl_put_part(dx + c, rstd * (g - mean_g - xhat * mean_gx), n, acc);
    }
}

static chl_kernel_status backward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t width = shape->dim[shape->rank - 1], rows = chl_count(shape) / width;
    const float *dy = call->in[0], *x = call->in[1], *gamma = call->in[2], *stat = call->in[3];
    float *dx = call->out[0], *partial = call->workspace;
    int64_t parts = chl_parts(rows, ROWS_PER_PART);
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (rows * width > CHL_PARALLEL_FROM)
    for (int64_t p = 0; p < parts; p++) {
        float *dgamma = partial + p * 2 * width, *dbeta = dgamma + width;
        memset(dgamma, 0, (size_t)(2 * width) * sizeof(float));
        int64_t end = chl_part_begin(rows, p + 1, parts);
        for (int64_t r = chl_part_begin(rows, p, parts); r < end; r++)
            backward_row(dy + r * width, x + r * width, gamma, stat[2 * r], stat[2 * r + 1], width,
                         dgamma, dbeta, dx ? dx + r * width : NULL, acc);
    }
    if (call->out[1])
        chl_add_parts(call->out[1], partial, parts, 2 * width, width, chl_accumulates(call, 1));
    if (call->out[2])
        chl_add_parts(call->out[2], partial + width, parts, 2 * width, width,
                      chl_accumulates(call, 2));
    return CHL_KERNEL_OK;
}

static size_t backward_workspace(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t width = shape->dim[shape->rank - 1];
    return (size_t)(chl_parts(chl_count(shape) / width, ROWS_PER_PART) * 2 * width) * sizeof(float);
}

const chl_body chl_cpu_layer_norm = {forward, NULL, NULL};
const chl_body chl_cpu_layer_norm_backward = {backward, backward_workspace, NULL};
