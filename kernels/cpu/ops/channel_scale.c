/* y[n,...,c] = x[n,...,c] * s[n,c]: the excitation of a squeeze-and-excitation block.
 * Backward reads dy and x once: dx = dy * s and ds = sum over pixels of dy * x. */
#include "cpu/lib/rows.h"

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0], *s = call->in[1];
    float *y = call->out[0];
    const int64_t channels = chl_channels(&call->in_desc[0]),
                  pixels = chl_pixels(&call->in_desc[0]);
    const int64_t rows = call->in_desc[0].dim[0] * pixels;
    const int accumulate = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t row = 0; row < rows; row++) {
        const float *scale = s + row / pixels * channels;
        const int64_t at = row * channels;
        for (int64_t c = 0; c < channels; c += CHL_LANES)
            chl_put_part(y + at + c,
                         chl_load_part(x + at + c, channels - c) *
                             chl_load_part(scale + c, channels - c),
                         channels - c, accumulate);
    }
    return CHL_KERNEL_OK;
}

#define MIN_ROWS 16

static size_t backward_workspace(const chl_call *call) {
    const chl_desc *x = &call->in_desc[1];
    return (size_t)(x->dim[0] * chl_parts(chl_pixels(x), MIN_ROWS) * chl_channels(x)) *
           sizeof(float);
}

static void backward_row(float *dx, float *ds, const float *dy, const float *x, const float *s,
                         int64_t channels, int accumulate) {
    for (int64_t c = 0; c < channels; c += CHL_LANES) {
        const int64_t n = channels - c;
        const chl_vec d = chl_load_part(dy + c, n);
        if (ds) chl_put_part(ds + c, d * chl_load_part(x + c, n), n, 1);
        if (dx) chl_put_part(dx + c, d * chl_load_part(s + c, n), n, accumulate);
    }
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0], *x = call->in[1], *s = call->in[2];
    float *dx = call->out[0], *ds = call->out[1], *partial = call->workspace;
    const int64_t samples = call->in_desc[1].dim[0], pixels = chl_pixels(&call->in_desc[1]);
    const int64_t channels = chl_channels(&call->in_desc[1]);
    const int64_t parts = chl_parts(pixels, MIN_ROWS);
    const int accumulate = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (chl_worth_threads(samples * pixels * channels))
    for (int64_t i = 0; i < samples * parts; i++) {
        const int64_t sample = i / parts, end = chl_part_begin(pixels, i % parts + 1, parts);
        float *sum = ds ? partial + i * channels : NULL;
        if (sum) memset(sum, 0, (size_t)channels * sizeof *sum);
        for (int64_t p = chl_part_begin(pixels, i % parts, parts); p < end; p++) {
            const int64_t at = (sample * pixels + p) * channels;
            backward_row(dx ? dx + at : NULL, sum, dy + at, x + at, s + sample * channels, channels,
                         accumulate);
        }
    }
    for (int64_t n = 0; ds && n < samples; n++)
        chl_add_parts(ds + n * channels, partial + n * parts * channels, parts, channels, channels,
                      chl_accumulates(call, 1));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_channel_scale = {.run = forward};
const chl_body chl_cpu_channel_scale_backward = {.run = backward, .workspace = backward_workspace};
