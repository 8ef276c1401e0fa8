/* Per sample the mean of |a - b| (its gradient at 0 is 0) or of (a - b)^2. */
#include "cpu/lib/rows.h"
#include <math.h>

#define MIN_FLOATS 4096

static size_t forward_workspace(const chl_call *call) {
    const int64_t samples = call->in_desc[0].dim[0], size = chl_count(&call->in_desc[0]) / samples;
    return (size_t)(samples * chl_parts(size, MIN_FLOATS)) * sizeof(float);
}

static float part_sum(const float *a, const float *b, int64_t count, chl_pixel pixel) {
    const chl_ivec sign = (chl_ivec){0} + INT32_MIN;
    chl_vec sum = {0};
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        const chl_vec step = chl_load_part(a + i, count - i) - chl_load_part(b + i, count - i);
        if (pixel == CHL_PIXEL_L1)
            sum += (chl_vec)((chl_ivec)step & ~sign);
        else
            sum += step * step;
    }
    return chl_tree_sum(sum);
}

static chl_kernel_status forward(const chl_call *call) {
    const int64_t samples = call->in_desc[0].dim[0], size = chl_count(&call->in_desc[0]) / samples;
    const int64_t parts = chl_parts(size, MIN_FLOATS);
    const float *a = call->in[0], *b = call->in[1];
    float *loss = call->out[0], *partial = call->workspace;
#pragma omp parallel for schedule(static) if (chl_worth_threads(samples * size))
    for (int64_t i = 0; i < samples * parts; i++) {
        const int64_t begin = chl_part_begin(size, i % parts, parts);
        const int64_t end = chl_part_begin(size, i % parts + 1, parts);
        const int64_t at = i / parts * size + begin;
        partial[i] = part_sum(a + at, b + at, end - begin, call->attr.loss.pixel);
    }
    for (int64_t n = 0; n < samples; n++) {
        double sum = 0;
        for (int64_t p = 0; p < parts; p++) sum += (double)partial[n * parts + p];
        chl_put(loss + n, (float)(sum / (double)size), chl_accumulates(call, 0));
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const int64_t samples = call->in_desc[1].dim[0], size = chl_count(&call->in_desc[1]) / samples;
    const float *dloss = call->in[0], *a = call->in[1], *b = call->in[2];
    float *da = call->out[0];
    const int l1 = call->attr.loss.pixel == CHL_PIXEL_L1;
#pragma omp parallel for schedule(static) if (chl_worth_threads(samples * size))
    for (int64_t i = 0; i < samples * size; i += CHL_LANES) {
        const int64_t lanes = samples * size - i;
        const chl_vec step = chl_load_part(a + i, lanes) - chl_load_part(b + i, lanes);
        chl_vec slope = 2 * step, scale = {0};
        const chl_vec one = chl_splat(1), zero = {0};
        if (l1) slope = chl_vselect(step > 0, one, chl_vselect(step < 0, -one, zero));
        if (i / size == (i + CHL_LANES - 1) / size)
            scale = chl_splat(dloss[i / size]);
        else
            for (int64_t k = 0; k < CHL_LANES; k++)
                scale[k] = k < lanes ? dloss[(i + k) / size] : 0;
        chl_put_part(da + i, slope * scale / (float)size, lanes, chl_accumulates(call, 0));
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_pixel_loss = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_pixel_loss_da = {.run = backward};
