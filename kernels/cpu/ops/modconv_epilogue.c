/* modconv_epilogue_backward: dy y d? noise? strength? b? -> g dd dstrength db.
 *
 * With y = clamp(gain * lrelu(z)), z = raw * d + strength * noise + b and raw the convolution's
 * result:
 *
 *     dz = dy * gain * (z > 0 ? 1 : slope), 0 where |y| reached the clamp
 *     g = dz * d      db[o] = sum dz      dstrength = sum dz * noise
 *     dd[n,o] = sum dz * raw = sum dz * (z - strength * noise - b) / d
 *
 * and z = y / gain, divided by the slope where negative. Sums are made per part of a sample and
 * then over the parts, both in a fixed order. */
#include "cpu/conv/conv_engine.h"

#define PARTS 16 /* of a sample; the unit of work, whatever the number of threads */

typedef struct epilogue {
    int64_t n, pixels, channels, row; /* row: channels rounded up to whole vectors */
    const float *dy, *y, *d, *noise, *b;
    int64_t noise_step;
    float strength, slope, gain, clamp;
    float *g;
    bool accumulate;
    float *sums; /* [n, PARTS, 3, row]: dz, dz * (z - noise - b), dz * noise */
} epilogue;

static size_t workspace(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    return (size_t)(a->n * PARTS * 3 * chl_round_up(a->o, CHL_LANES)) * sizeof(float);
}

static void part(const epilogue *e, int64_t n, int64_t index) {
    int64_t first = index * e->pixels / PARTS, end = (index + 1) * e->pixels / PARTS;
    float *sums = e->sums + (n * PARTS + index) * 3 * e->row;
    memset(sums, 0, (size_t)(3 * e->row) * sizeof *sums);
    float positive = 1 / e->gain, negative = 1 / (e->gain * e->slope);
    for (int64_t pixel = first; pixel < end; pixel++) {
        float noise = e->noise ? e->noise[n * e->noise_step + pixel] : 0;
        for (int64_t c = 0; c < e->channels; c += CHL_LANES) {
            int64_t lanes = chl_min(CHL_LANES, e->channels - c);
            int64_t at = (n * e->pixels + pixel) * e->channels + c;
            chl_vec y = chl_load_part(e->y + at, lanes), dz = chl_load_part(e->dy + at, lanes);
            chl_ivec up = y > 0;
            dz *= chl_vselect(up, chl_splat(e->gain), chl_splat(e->gain * e->slope));
            if (e->clamp > 0)
                dz = chl_vselect((y >= e->clamp) | (y <= -e->clamp), chl_splat(0), dz);
            chl_vec bias = e->b ? chl_load_part(e->b + c, lanes) : chl_splat(0);
            chl_vec raw = y * chl_vselect(up, chl_splat(positive), chl_splat(negative)) -
                          noise * e->strength - bias;
            chl_store(sums + c, chl_load(sums + c) + dz);
            chl_store(sums + e->row + c, chl_load(sums + e->row + c) + dz * raw);
            chl_store(sums + 2 * e->row + c, chl_load(sums + 2 * e->row + c) + dz * noise);
            if (!e->g) continue;
            chl_vec g = dz;
            if (e->d) g *= chl_load_part(e->d + n * e->channels + c, lanes);
            if (e->accumulate) g += chl_load_part(e->g + at, lanes);
            chl_store_part(e->g + at, g, lanes);
        }
    }
}

/* sum over the parts of all samples first..end of one kind of sum at one channel */
static float total(const epilogue *e, int64_t first, int64_t end, int kind, int64_t c) {
    float sum = 0;
    for (int64_t p = first * PARTS; p < end * PARTS; p++)
        sum += e->sums[(p * 3 + kind) * e->row + c];
    return sum;
}

static void finish(const epilogue *e, const chl_call *call) {
    float *dd = call->out[1], *dstrength = call->out[2], *db = call->out[3];
    for (int64_t n = 0; dd && e->d && n < e->n; n++)
        for (int64_t c = 0; c < e->channels; c++) {
            int64_t at = n * e->channels + c;
            chl_put(dd + at, total(e, n, n + 1, 1, c) / e->d[at], chl_accumulates(call, 1));
        }
    float sum = 0;
    for (int64_t c = 0; dstrength && c < e->channels; c++) sum += total(e, 0, e->n, 2, c);
    if (dstrength) chl_put(dstrength, sum, chl_accumulates(call, 2));
    for (int64_t c = 0; db && c < e->channels; c++)
        chl_put(db + c, total(e, 0, e->n, 0, c), chl_accumulates(call, 3));
}

static chl_kernel_status run(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    epilogue e = {.n = a->n, .channels = a->o, .slope = a->slope, .gain = a->act_gain};
    e.pixels = chl_count(&call->in_desc[0]) / (e.n * e.channels);
    e.row = chl_round_up(e.channels, CHL_LANES);
    e.clamp = a->clamp;
    e.dy = call->in[0];
    e.y = call->in[1];
    e.d = call->in[2];
    e.noise = call->in[4] ? call->in[3] : NULL;
    if (e.noise) {
        e.strength = *(const float *)call->in[4];
        e.noise_step = call->in_desc[3].rank == 3 ? e.pixels : 0;
    }
    e.b = call->in[5];
    e.g = call->out[0];
    e.accumulate = chl_accumulates(call, 0);
    e.sums = call->workspace;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t n = 0; n < e.n; n++)
        for (int64_t index = 0; index < PARTS; index++) part(&e, n, index);
    finish(&e, call);
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_modconv_epilogue_backward = {run, workspace, NULL};
