/* The mean over all axes between the first and the last: [N,...,C] -> [N,C]. */
#include "cpu/lib/rows.h"

#define MIN_ROWS 16

static size_t forward_workspace(const chl_call *call) {
    const chl_desc *x = &call->in_desc[0];
    return (size_t)(x->dim[0] * chl_parts(chl_pixels(x), MIN_ROWS) * chl_channels(x)) *
           sizeof(float);
}

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0];
    float *y = call->out[0], *partial = call->workspace;
    const chl_desc *desc = &call->in_desc[0];
    const int64_t samples = desc->dim[0], pixels = chl_pixels(desc), channels = chl_channels(desc);
    const int64_t parts = chl_parts(pixels, MIN_ROWS);
    const float share = 1 / (float)pixels;
#pragma omp parallel for schedule(static) if (chl_worth_threads(samples * pixels * channels))
    for (int64_t i = 0; i < samples * parts; i++) {
        const int64_t begin = chl_part_begin(pixels, i % parts, parts);
        const int64_t end = chl_part_begin(pixels, i % parts + 1, parts);
        float *sum = partial + i * channels;
        memset(sum, 0, (size_t)channels * sizeof *sum);
        for (int64_t p = begin; p < end; p++) {
            const float *row = x + (i / parts * pixels + p) * channels;
            for (int64_t c = 0; c < channels; c += CHL_LANES)
                chl_put_part(sum + c, chl_load_part(row + c, channels - c), channels - c, 1);
        }
        for (int64_t c = 0; c < channels; c++) sum[c] *= share;
    }
    for (int64_t n = 0; n < samples; n++)
        chl_add_parts(y + n * channels, partial + n * parts * channels, parts, channels, channels,
                      chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0];
    float *dx = call->out[0];
    const chl_desc *desc = &call->attr.like;
    const int64_t pixels = chl_pixels(desc), channels = chl_channels(desc);
    const int64_t rows = desc->dim[0] * pixels;
    const int accumulate = chl_accumulates(call, 0);
    const float share = 1 / (float)pixels;
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t row = 0; row < rows; row++) {
        const float *d = dy + row / pixels * channels;
        for (int64_t c = 0; c < channels; c += CHL_LANES)
            chl_put_part(dx + row * channels + c, chl_load_part(d + c, channels - c) * share,
                         channels - c, accumulate);
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_mean_pool = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_mean_pool_dx = {.run = backward};
