/* Batch normalisation in evaluation: y = (x - mean) * rstd * gamma + beta with stored statistics.
 */
#include "cpu/lib/batch_norm.h"

static size_t forward_workspace(const chl_call *call) {
    return (size_t)chl_channels(&call->in_desc[0]) * sizeof(float);
}

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0], *gamma = call->in[1], *beta = call->in[2], *mean = call->in[3];
    const float *var = call->in[4];
    float *y = call->out[0], *scale = call->workspace;
    const int64_t channels = chl_channels(&call->in_desc[0]);
    const int64_t rows = chl_count(&call->in_desc[0]) / channels;
    const int accumulate = chl_accumulates(call, 0);
    chl_rstd(scale, var, channels, call->attr.norm.eps);
    for (int64_t c = 0; c < channels; c++) scale[c] *= gamma[c];
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = row * channels;
        for (int64_t c = 0; c < channels; c += CHL_LANES) {
            const int64_t n = channels - c;
            const chl_vec centred = chl_load_part(x + at + c, n) - chl_load_part(mean + c, n);
            chl_put_part(y + at + c,
                         centred * chl_load_part(scale + c, n) + chl_load_part(beta + c, n), n,
                         accumulate);
        }
    }
    return CHL_KERNEL_OK;
}

static void backward_dx(float *dx, const float *dy, const float *scale, int64_t rows,
                        int64_t channels, int accumulate) {
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t row = 0; row < rows; row++)
        for (int64_t c = 0; c < channels; c += CHL_LANES) {
            const int64_t n = channels - c, at = row * channels + c;
            chl_put_part(dx + at, chl_load_part(dy + at, n) * chl_load_part(scale + c, n), n,
                         accumulate);
        }
}

/* rstd (times gamma later) [C], the two sums [2,C], their parts */
static size_t backward_workspace(const chl_call *call) {
    const chl_desc *x = &call->in_desc[1];
    return (size_t)((3 + 2 * chl_batch_norm_parts(x)) * chl_channels(x)) * sizeof(float);
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0], *x = call->in[1], *gamma = call->in[2], *mean = call->in[3];
    float *dx = call->out[0], *dgamma = call->out[1], *dbeta = call->out[2];
    const chl_desc *desc = &call->in_desc[1];
    const int64_t channels = chl_channels(desc);
    float *rstd = call->workspace, *sums = rstd + channels, *partial = sums + 2 * channels;
    chl_rstd(rstd, call->in[4], channels, call->attr.norm.eps);
    if (dgamma || dbeta) chl_batch_norm_sums(sums, partial, dy, x, mean, rstd, desc);
    if (dgamma) chl_add_parts(dgamma, sums, 1, 0, channels, chl_accumulates(call, 1));
    if (dbeta) chl_add_parts(dbeta, sums + channels, 1, 0, channels, chl_accumulates(call, 2));
    for (int64_t c = 0; c < channels; c++) rstd[c] *= gamma[c];
    if (dx)
        backward_dx(dx, dy, rstd, chl_count(desc) / channels, channels, chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_batch_norm = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_batch_norm_backward = {.run = backward, .workspace = backward_workspace};
