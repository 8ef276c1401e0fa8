/* ToRGB: y = clamp(gain * conv1x1(x * s, w) + b). With v[n,o,i] = gain s[n,i] w[o,i]
 *     y = clamp(v x + b)            dx = dz v,   dz = dy where |y| < clamp
 *     a[n,o,i] = sum over pixels of dz x         (the only sum over pixels that is needed)
 *     ds[n,i] = gain sum_o w[o,i] a[n,o,i]       dw[o,i] = gain sum_n s[n,i] a[n,o,i]
 * so backward reads dy, y and x once, too. 3 output channels at a time stay in registers. */
#include "cpu/lib/rows.h"
#include <math.h>

#define GROUP 3 /* output channels at a time: a picture has 3 */
#define PIXELS 8
#define MIN_PIXELS 32
#define INLINE static inline __attribute__((always_inline))

typedef struct sizes {
    int64_t samples, pixels, inputs, outputs, parts;
} sizes;

static sizes sizes_of(const chl_desc *x, const chl_desc *w) {
    const int64_t pixels = x->dim[1] * x->dim[2];
    return (sizes){x->dim[0], pixels, x->dim[3], w->dim[0], chl_parts(pixels, MIN_PIXELS)};
}

static void modulate(float *v, const float *w, const float *s, const sizes *z, float gain) {
    const int64_t per_sample = z->outputs * z->inputs;
    for (int64_t k = 0; k < z->samples * per_sample; k++)
        v[k] = gain * s[k / per_sample * z->inputs + k % z->inputs] * w[k % per_sample];
}

/* sum[o] = v[o,:] . x for `outputs` <= GROUP rows */
INLINE void project(float *sum, const float *x, const float *v, int64_t inputs, int outputs) {
    chl_vec part[GROUP] = {{0}};
    for (int64_t i = 0; i < inputs; i += CHL_LANES) {
        const chl_vec value = chl_load_part(x + i, inputs - i);
        for (int o = 0; o < outputs; o++)
            part[o] += value * chl_load_part(v + o * inputs + i, inputs - i);
    }
    for (int o = 0; o < outputs; o++) sum[o] = chl_tree_sum(part[o]);
}

static void forward_pixel(float *y, const float *x, const float *v, const float *b, const sizes *z,
                          float clamp, int accumulate) {
    for (int64_t o = 0; o < z->outputs; o += GROUP) {
        const int group = z->outputs - o < GROUP ? (int)(z->outputs - o) : GROUP;
        float sum[GROUP];
        if (group == GROUP)
            project(sum, x, v + o * z->inputs, z->inputs, GROUP);
        else
            project(sum, x, v + o * z->inputs, z->inputs, group);
        for (int k = 0; k < group; k++) {
            float value = sum[k] + b[o + k];
            if (clamp > 0) value = value > clamp ? clamp : value < -clamp ? -clamp : value;
            chl_put(y + o + k, value, accumulate);
        }
    }
}

static size_t forward_workspace(const chl_call *call) {
    const sizes z = sizes_of(&call->in_desc[0], &call->in_desc[1]);
    return (size_t)(z.samples * z.outputs * z.inputs) * sizeof(float);
}

static chl_kernel_status forward(const chl_call *call) {
    const sizes z = sizes_of(&call->in_desc[0], &call->in_desc[1]);
    const float *x = call->in[0], *b = call->in[3], clamp = call->attr.conv.clamp;
    float *y = call->out[0], *v = call->workspace;
    modulate(v, call->in[1], call->in[2], &z, call->attr.conv.gain);
#pragma omp parallel for schedule(static) if (chl_worth_threads(z.samples * z.pixels * z.inputs))
    for (int64_t p = 0; p < z.samples * z.pixels; p++)
        forward_pixel(y + p * z.outputs, x + p * z.inputs, v + p / z.pixels * z.outputs * z.inputs,
                      b, &z, clamp, chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

/* v [N,O,I], then a [O,I] and the bias gradient [O] of each sample's parts */
static int64_t part_floats(const sizes *z) {
    return z->outputs * (z->inputs + 1);
}
static size_t backward_workspace(const chl_call *call) {
    const sizes z = sizes_of(&call->in_desc[2], &call->in_desc[3]);
    return (size_t)(z.samples * (z.outputs * z.inputs + z.parts * part_floats(&z))) * sizeof(float);
}

/* dz of `pixels` pixels and a group of output channels; their sums are added to db. */
static void mask(float dz[PIXELS][GROUP], float *db, const float *dy, const float *y, int pixels,
                 int group, int64_t outputs, float clamp) {
    for (int p = 0; p < pixels; p++)
        for (int o = 0; o < group; o++) {
            const int open = clamp <= 0 || fabsf(y[p * outputs + o]) < clamp;
            dz[p][o] = open ? dy[p * outputs + o] : 0;
            db[o] += dz[p][o];
        }
}

/* `lanes` input channels of a few pixels, so that v and a are loaded once for all of them. Called
 * with constant lanes and outputs: only then do the arrays live in registers. */
INLINE void backward_lanes(float *dx, float *a, const float dz[PIXELS][GROUP], const float *x,
                           const float *v, int64_t inputs, int64_t lanes, int pixels, int outputs,
                           int accumulate) {
    chl_vec weight[GROUP], sum[GROUP] = {{0}};
    for (int o = 0; o < outputs; o++) weight[o] = chl_load_part(v + o * inputs, lanes);
    for (int p = 0; p < pixels; p++) {
        const chl_vec value = chl_load_part(x + p * inputs, lanes);
        chl_vec gradient = {0};
        for (int o = 0; o < outputs; o++) {
            sum[o] += dz[p][o] * value;
            gradient += dz[p][o] * weight[o];
        }
        if (dx) chl_put_part(dx + p * inputs, gradient, lanes, accumulate);
    }
    for (int o = 0; o < outputs; o++) chl_put_part(a + o * inputs, sum[o], lanes, 1);
}

INLINE void backward_block(float *dx, float *a, const float dz[PIXELS][GROUP], const float *x,
                           const float *v, int64_t inputs, int pixels, int outputs,
                           int accumulate) {
    const int64_t full = inputs - inputs % CHL_LANES;
    for (int64_t i = 0; i < full; i += CHL_LANES)
        backward_lanes(dx ? dx + i : NULL, a + i, dz, x + i, v + i, inputs, CHL_LANES, pixels,
                       outputs, accumulate);
    if (full < inputs)
        backward_lanes(dx ? dx + full : NULL, a + full, dz, x + full, v + full, inputs,
                       inputs - full, pixels, outputs, accumulate);
}

/* Pixels [begin, end) of one sample; every pointer is the sample's. */
static void backward_pixels(float *dx, float *a, float *db, const float *dy, const float *y,
                            const float *x, const float *v, const sizes *z, int64_t begin,
                            int64_t end, float clamp, int accumulate) {
    for (int64_t p = begin; p < end; p += PIXELS) {
        const int pixels = end - p < PIXELS ? (int)(end - p) : PIXELS;
        const float *here = x + p * z->inputs;
        float *there = dx ? dx + p * z->inputs : NULL;
        for (int64_t o = 0; o < z->outputs; o += GROUP) {
            const int group = z->outputs - o < GROUP ? (int)(z->outputs - o) : GROUP;
            const int add = accumulate || o > 0;
            const int64_t at = p * z->outputs + o, row = o * z->inputs;
            float dz[PIXELS][GROUP];
            mask(dz, db + o, dy + at, y + at, pixels, group, z->outputs, clamp);
            if (group == GROUP)
                backward_block(there, a + row, dz, here, v + row, z->inputs, pixels, GROUP, add);
            else
                backward_block(there, a + row, dz, here, v + row, z->inputs, pixels, group, add);
        }
    }
}

static void style_gradient(float *ds, const float *w, const float *a, const sizes *z, float gain,
                           int accumulate) {
    for (int64_t i = 0; i < z->inputs; i++) {
        float sum = 0;
        for (int64_t o = 0; o < z->outputs; o++) sum += w[o * z->inputs + i] * a[o * z->inputs + i];
        chl_put(ds + i, gain * sum, accumulate);
    }
}

static void weight_gradient(float *dw, const float *s, const float *a, const sizes *z, float gain,
                            int accumulate) {
    for (int64_t k = 0; k < z->outputs * z->inputs; k++)
        chl_put(dw + k, gain * s[k % z->inputs] * a[k], accumulate);
}

static chl_kernel_status backward(const chl_call *call) {
    const sizes z = sizes_of(&call->in_desc[2], &call->in_desc[3]);
    const float *dy = call->in[0], *y = call->in[1], *x = call->in[2], *w = call->in[3];
    const float *s = call->in[4], gain = call->attr.conv.gain, clamp = call->attr.conv.clamp;
    float *dx = call->out[0], *ds = call->out[1], *dw = call->out[2], *db = call->out[3];
    const int64_t matrix = z.outputs * z.inputs, part_size = part_floats(&z);
    float *v = call->workspace, *partial = v + z.samples * matrix;
    modulate(v, w, s, &z, gain);
#pragma omp parallel for schedule(static) if (chl_worth_threads(z.samples * z.pixels * z.inputs))
    for (int64_t k = 0; k < z.samples * z.parts; k++) {
        const int64_t n = k / z.parts, from = n * z.pixels;
        float *own = partial + k * part_size;
        memset(own, 0, (size_t)part_size * sizeof *own);
        backward_pixels(dx ? dx + from * z.inputs : NULL, own, own + matrix, dy + from * z.outputs,
                        y + from * z.outputs, x + from * z.inputs, v + n * matrix, &z,
                        chl_part_begin(z.pixels, k % z.parts, z.parts),
                        chl_part_begin(z.pixels, k % z.parts + 1, z.parts), clamp,
                        chl_accumulates(call, 0));
    }
    for (int64_t n = 0; n < z.samples; n++) {
        float *a = partial + n * z.parts * part_size;
        chl_add_parts(a, a, z.parts, part_size, part_size, 0);
        if (ds) style_gradient(ds + n * z.inputs, w, a, &z, gain, chl_accumulates(call, 1));
        if (dw)
            weight_gradient(dw, s + n * z.inputs, a, &z, gain, n > 0 || chl_accumulates(call, 2));
        if (db) chl_add_parts(db, a + matrix, 1, 0, z.outputs, n > 0 || chl_accumulates(call, 3));
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_torgb = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_torgb_backward = {.run = backward, .workspace = backward_workspace};
