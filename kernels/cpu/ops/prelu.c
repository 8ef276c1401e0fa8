/* y = x > 0 ? x : slope[c] * x [He et al. 2015], as in IR-SE50. */
#include "cpu/lib/rows.h"

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0], *slope = call->in[1];
    float *y = call->out[0];
    const int64_t channels = chl_channels(&call->in_desc[0]);
    const int64_t rows = chl_count(&call->in_desc[0]) / channels;
    const int accumulate = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = row * channels;
        for (int64_t c = 0; c < channels; c += CHL_LANES) {
            const chl_vec v = chl_load_part(x + at + c, channels - c);
            const chl_vec negative = v * chl_load_part(slope + c, channels - c);
            chl_put_part(y + at + c, chl_vselect(v > 0, v, negative), channels - c, accumulate);
        }
    }
    return CHL_KERNEL_OK;
}

#define MIN_ROWS 16

static size_t backward_workspace(const chl_call *call) {
    const int64_t channels = chl_channels(&call->in_desc[1]);
    return (size_t)(chl_parts(chl_count(&call->in_desc[1]) / channels, MIN_ROWS) * channels) *
           sizeof(float);
}

static void backward_row(float *dx, float *dslope, const float *dy, const float *x,
                         const float *slope, int64_t channels, int accumulate) {
    for (int64_t c = 0; c < channels; c += CHL_LANES) {
        const int64_t n = channels - c;
        const chl_vec d = chl_load_part(dy + c, n), v = chl_load_part(x + c, n);
        const chl_ivec positive = v > 0;
        if (dslope) chl_put_part(dslope + c, chl_vselect(positive, (chl_vec){0}, d * v), n, 1);
        if (dx)
            chl_put_part(dx + c, chl_vselect(positive, d, d * chl_load_part(slope + c, n)), n,
                         accumulate);
    }
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0], *x = call->in[1], *slope = call->in[2];
    float *dx = call->out[0], *dslope = call->out[1], *partial = call->workspace;
    const int64_t channels = chl_channels(&call->in_desc[1]);
    const int64_t rows = chl_count(&call->in_desc[1]) / channels;
    const int64_t parts = chl_parts(rows, MIN_ROWS);
    const int accumulate = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t part = 0; part < parts; part++) {
        const int64_t end = chl_part_begin(rows, part + 1, parts);
        float *sum = dslope ? partial + part * channels : NULL;
        if (sum) memset(sum, 0, (size_t)channels * sizeof *sum);
        for (int64_t row = chl_part_begin(rows, part, parts); row < end; row++)
            backward_row(dx ? dx + row * channels : NULL, sum, dy + row * channels,
                         x + row * channels, slope, channels, accumulate);
    }
    if (dslope) chl_add_parts(dslope, partial, parts, channels, channels, chl_accumulates(call, 1));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_prelu = {.run = forward};
const chl_body chl_cpu_prelu_backward = {.run = backward, .workspace = backward_workspace};
