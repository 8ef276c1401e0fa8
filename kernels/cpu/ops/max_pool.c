/* The largest value of each window, padding -inf; kernel 1 is sub-sampling. The backward searches
 * the maximum again instead of storing indices, and gives the gradient to the first of equal ones,
 * as torch does. It runs over (sample, 16 channels) in parallel: windows overlap, so two rows may
 * add to one pixel. */
#include "cpu/lib/rows.h"
#include <math.h>

typedef struct map {
    int64_t samples, h, w, channels, out_h, out_w;
    int kernel, stride, pad;
} map;

static map map_of(const chl_call *call, const chl_desc *x) {
    map m = {.samples = x->dim[0], .h = x->dim[1], .w = x->dim[2], .channels = x->dim[3]};
    m.kernel = call->attr.pool.kernel;
    m.stride = call->attr.pool.stride;
    m.pad = call->attr.pool.pad;
    m.out_h = (m.h + 2 * m.pad - m.kernel) / m.stride + 1;
    m.out_w = (m.w + 2 * m.pad - m.kernel) / m.stride + 1;
    return m;
}

/* The rows or columns of window `at` inside an axis of `size`. */
typedef struct span {
    int64_t begin, end;
} span;

static span inside(const map *m, int64_t at, int64_t size) {
    const int64_t begin = at * m->stride - m->pad, end = begin + m->kernel;
    return (span){begin < 0 ? 0 : begin, end > size ? size : end};
}

static chl_vec largest(const map *m, const float *x, span rows, span columns, int64_t lanes) {
    chl_vec max_value = chl_splat(-INFINITY);
    for (int64_t i = rows.begin; i < rows.end; i++)
        for (int64_t j = columns.begin; j < columns.end; j++) {
            const chl_vec v = chl_load_part(x + (i * m->w + j) * m->channels, lanes);
            max_value = chl_vselect(v > max_value, v, max_value);
        }
    return max_value;
}

static chl_kernel_status forward(const chl_call *call) {
    const map m = map_of(call, &call->in_desc[0]);
    const float *x = call->in[0];
    float *y = call->out[0];
    const int accumulate = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (chl_worth_threads(m.samples * m.h * m.w * m.channels))
    for (int64_t row = 0; row < m.samples * m.out_h; row++) {
        const float *sample = x + row / m.out_h * m.h * m.w * m.channels;
        const span rows = inside(&m, row % m.out_h, m.h);
        for (int64_t j = 0; j < m.out_w; j++) {
            const span columns = inside(&m, j, m.w);
            float *pixel = y + (row * m.out_w + j) * m.channels;
            for (int64_t c = 0; c < m.channels; c += CHL_LANES)
                chl_put_part(pixel + c, largest(&m, sample + c, rows, columns, m.channels - c),
                             m.channels - c, accumulate);
        }
    }
    return CHL_KERNEL_OK;
}

static void scatter(const map *m, float *dx, const float *x, chl_vec dy, span rows, span columns,
                    int64_t lanes) {
    const chl_vec max_value = largest(m, x, rows, columns, lanes);
    chl_ivec open = (chl_ivec){0} - 1;
    for (int64_t i = rows.begin; i < rows.end; i++)
        for (int64_t j = columns.begin; j < columns.end; j++) {
            const int64_t at = (i * m->w + j) * m->channels;
            const chl_ivec here = open & (chl_ivec)(chl_load_part(x + at, lanes) == max_value);
            open &= ~here;
            chl_put_part(dx + at, chl_vselect(here, dy, (chl_vec){0}), lanes, 1);
        }
}

static void clear(const map *m, float *dx, int64_t lanes) {
    for (int64_t p = 0; p < m->h * m->w; p++)
        chl_put_part(dx + p * m->channels, (chl_vec){0}, lanes, 0);
}

static chl_kernel_status backward(const chl_call *call) {
    const map m = map_of(call, &call->in_desc[1]);
    const float *dy = call->in[0], *x = call->in[1];
    float *dx = call->out[0];
    const int64_t groups = (m.channels + CHL_LANES - 1) / CHL_LANES;
#pragma omp parallel for schedule(static) if (chl_worth_threads(m.samples * m.h * m.w * m.channels))
    for (int64_t i = 0; i < m.samples * groups; i++) {
        const int64_t sample = i / groups, c = i % groups * CHL_LANES, lanes = m.channels - c;
        const int64_t at = sample * m.h * m.w * m.channels + c;
        if (!chl_accumulates(call, 0)) clear(&m, dx + at, lanes);
        for (int64_t p = 0; p < m.out_h * m.out_w; p++) {
            const float *d = dy + (sample * m.out_h * m.out_w + p) * m.channels + c;
            scatter(&m, dx + at, x + at, chl_load_part(d, lanes), inside(&m, p / m.out_w, m.h),
                    inside(&m, p % m.out_w, m.w), lanes);
        }
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_max_pool = {.run = forward};
const chl_body chl_cpu_max_pool_dx = {.run = backward};
