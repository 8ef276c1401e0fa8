/* y = clamp(x, lowest, highest) * mul[c] + add[c]: converts pictures to a network's own range.
 * Pictures have 3 channels, so mul and add are repeated until a row fills whole vectors. */
#include "cpu/lib/rows.h"

#define NARROW 16 /* below this many channels rows are widened sixteenfold */

typedef struct wide {
    int64_t width, count, rows;
    const float *mul, *add;
    float mul_table[NARROW * NARROW], add_table[NARROW * NARROW];
} wide;

static void widen(wide *w, const chl_desc *x, const float *mul, const float *add) {
    int64_t channels = chl_channels(x);
    w->width = channels < NARROW ? channels * NARROW : channels;
    w->count = chl_count(x);
    w->rows = (w->count + w->width - 1) / w->width;
    w->mul = mul;
    w->add = add;
    if (channels >= NARROW) return;
    for (int64_t i = 0; i < w->width; i++) {
        w->mul_table[i] = mul[i % channels];
        w->add_table[i] = add ? add[i % channels] : 0;
    }
    w->mul = w->mul_table;
    w->add = w->add_table;
}

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0];
    float *y = call->out[0];
    const int accumulate = chl_accumulates(call, 0);
    const float min = call->attr.channel_affine.lowest, max = call->attr.channel_affine.highest;
    wide w;
    widen(&w, &call->in_desc[0], call->in[1], call->in[2]);
#pragma omp parallel for schedule(static) if (chl_worth_threads(w.count))
    for (int64_t row = 0; row < w.rows; row++) {
        const int64_t at = row * w.width;
        const int64_t width = w.count - at < w.width ? w.count - at : w.width;
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            const chl_vec lowest = chl_splat(min), highest = chl_splat(max);
            chl_vec v = chl_load_part(x + at + c, width - c);
            v = chl_vselect(v < lowest, lowest, chl_vselect(v > highest, highest, v));
            v = v * chl_load_part(w.mul + c, width - c) + chl_load_part(w.add + c, width - c);
            chl_put_part(y + at + c, v, width - c, accumulate);
        }
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0], *x = call->in[1];
    float *dx = call->out[0];
    const int accumulate = chl_accumulates(call, 0);
    const float min = call->attr.channel_affine.lowest, max = call->attr.channel_affine.highest;
    wide w;
    widen(&w, &call->in_desc[1], call->in[2], NULL);
#pragma omp parallel for schedule(static) if (chl_worth_threads(w.count))
    for (int64_t row = 0; row < w.rows; row++) {
        const int64_t at = row * w.width;
        const int64_t width = w.count - at < w.width ? w.count - at : w.width;
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            const chl_vec lowest = chl_splat(min), highest = chl_splat(max);
            const chl_vec v = chl_load_part(x + at + c, width - c);
            const chl_ivec inside = (chl_ivec)(v >= lowest) & (chl_ivec)(v <= highest);
            const chl_vec slope =
                chl_vselect(inside, chl_load_part(w.mul + c, width - c), (chl_vec){0});
            chl_put_part(dx + at + c, chl_load_part(dy + at + c, width - c) * slope, width - c,
                         accumulate);
        }
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_channel_affine = {.run = forward};
const chl_body chl_cpu_channel_affine_dx = {.run = backward};
