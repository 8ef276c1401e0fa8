/* The definition, as StyleGAN2 gives it: per-sample weights, modulated by the style and demodulated
 * over (input, taps); with up-sampling a transposed convolution, then the 4 x 4 filter. Nothing is
 * factored out of the convolution, as the kernels do. */
#include "reference.h"
#include <stdlib.h>

typedef struct shape {
    int64_t n, h, w, in, out;
} shape;

/* gain * w[o,:] * s[n,:], divided by its own root of squares: [9, in] */
static void modulated(const reference_call *call, const chl_modconv *a, const shape *d, int64_t n,
                      int64_t o, real *weight) {
    real sum = 0;
    for (int64_t k = 0; k < d->in * 9; k++) {
        const real w = (double)a->gain * IN(1)[o * d->in * 9 + k] * IN(2)[n * d->in + k / 9];
        weight[k % 9 * d->in + k / 9] = w;
        sum += w * w;
    }
    const real demodulation = 1 / real_sqrt(sum + (double)a->eps);
    for (int64_t k = 0; k < d->in * 9; k++) weight[k] *= demodulation;
}

/* sum_i weight[tap,i] * x[n,row,column,i], 0 outside */
static real tap(const reference_call *call, const shape *d, int64_t n, int64_t row, int64_t column,
                const real *weight) {
    if (row < 0 || column < 0 || row >= d->h || column >= d->w) return 0;
    const real *x = IN(0) + ((n * d->h + row) * d->w + column) * d->in;
    real sum = 0;
    for (int64_t i = 0; i < d->in; i++) sum += x[i] * weight[i];
    return sum;
}

static real correlated(const reference_call *call, const shape *d, int64_t n, int64_t row,
                       int64_t column, const real *weight) {
    real sum = 0;
    for (int64_t k = 0; k < 9; k++)
        sum += tap(call, d, n, row + k / 3 - 1, column + k % 3 - 1, weight + k * d->in);
    return sum;
}

/* The transposed convolution of one sample and output channel: z [2h+1, 2w+1] */
static void transposed(const reference_call *call, const shape *d, int64_t n, const real *weight,
                       real *z) {
    const int64_t width = 2 * d->w + 1;
    for (int64_t i = 0; i < (2 * d->h + 1) * width; i++) z[i] = 0;
    for (int64_t p = 0; p < d->h * d->w; p++)
        for (int64_t k = 0; k < 9; k++)
            z[(2 * (p / d->w) + k / 3) * width + 2 * (p % d->w) + k % 3] +=
                tap(call, d, n, p / d->w, p % d->w, weight + k * d->in);
}

static real filtered(const shape *d, const real *z, int64_t row, int64_t column) {
    static const double f[4] = {1, 3, 3, 1};
    real sum = 0;
    for (int64_t k = 0; k < 16; k++) {
        const int64_t i = row - 1 + k / 4, j = column - 1 + k % 4;
        if (i < 0 || j < 0 || i > 2 * d->h || j > 2 * d->w) continue;
        sum += f[k / 4] * f[k % 4] / 64 * 4 * z[i * (2 * d->w + 1) + j];
    }
    return sum;
}

static real activated(const chl_modconv *a, real v) {
    const real y = (double)a->act_gain * (RE(v) > 0 ? v : (double)a->slope * v);
    const double clamp = (double)a->clamp;
    if (clamp > 0 && RE(y) > clamp) return clamp;
    if (clamp > 0 && RE(y) < -clamp) return -clamp;
    return y;
}

REFERENCE(modconv) {
    const chl_modconv *a = SETTINGS(chl_modconv);
    const int64_t *x = call->in_desc[0].dim, *y = call->out_desc[0].dim, pixels = y[1] * y[2];
    const shape d = {x[0], x[1], x[2], x[3], y[3]};
    const int64_t noise_step = call->in_desc[3].rank == 3 ? pixels : 0;
    real *z = NEW_REALS((2 * d.h + 1) * (2 * d.w + 1));
    real *weight = NEW_REALS(d.in * 9);
    for (int64_t n = 0; n < d.n; n++)
        for (int64_t o = 0; o < d.out; o++) {
            modulated(call, a, &d, n, o, weight);
            if (a->up) transposed(call, &d, n, weight, z);
            for (int64_t p = 0; p < pixels; p++) {
                real v = a->up ? filtered(&d, z, p / y[2], p % y[2])
                               : correlated(call, &d, n, p / y[2], p % y[2], weight);
                if (call->in[3]) v += IN(4)[0] * IN(3)[n * noise_step + p];
                if (call->in[5]) v += IN(5)[o];
                OUT(0)[(n * pixels + p) * d.out + o] = activated(a, v);
            }
        }
    free(weight);
    free(z);
}
