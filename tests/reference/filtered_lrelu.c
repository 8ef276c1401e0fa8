/* Literally [Karras et al. 2021, section 3.2]: bias; zeros between the pixels and around them;
 * convolution with fu x fu, times up^2; leaky ReLU, gain, clamp; convolution with fd x fd, or with
 * fd itself where it has two axes; every down-th pixel. A filter that is absent is the number 1. */
#include "reference.h"
#include <stdlib.h>

typedef struct map {
    real *at; /* [n,h,w,c] */
    int64_t n, h, w, c;
} map;

static map new_map(int64_t n, int64_t h, int64_t w, int64_t c) {
    map m = {NEW_REALS(n * h * w * c), n, h, w, c};
    for (int64_t i = 0; i < n * h * w * c; i++) m.at[i] = 0;
    return m;
}

/* the tap at (i, j) of a filter */
static real tap(const reference_call *call, int filter, int64_t i, int64_t j) {
    if (!call->in[filter]) return 1;
    const real *f = IN(filter);
    const chl_desc *d = &call->in_desc[filter];
    return d->rank == 1 ? f[i] * f[j] : f[i * d->dim[1] + j];
}

/* a convolution without padding: the filter is turned around */
static map convolve(const reference_call *call, int filter, const map *x) {
    const int64_t taps = call->in[filter] ? call->in_desc[filter].dim[0] : 1;
    map y = new_map(x->n, x->h - taps + 1, x->w - taps + 1, x->c);
    for (int64_t at = 0; at < y.n * y.h * y.w * y.c; at++) {
        const int64_t c = at % y.c, j = at / y.c % y.w, i = at / y.c / y.w % y.h;
        const int64_t n = at / y.c / y.w / y.h;
        for (int64_t k = 0; k < taps * taps; k++)
            y.at[at] += tap(call, filter, taps - 1 - k / taps, taps - 1 - k % taps) *
                        x->at[((n * x->h + i + k / taps) * x->w + j + k % taps) * x->c + c];
    }
    return y;
}

REFERENCE(filtered_lrelu) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const int64_t *in = call->in_desc[0].dim, *out = call->out_desc[0].dim, up = a->filtered.up;
    const int64_t around = a->filtered.before + a->filtered.after;
    const double clamp = (double)a->filtered.clamp;
    map wide = new_map(in[0], in[1] * up + around, in[2] * up + around, in[3]);
    for (int64_t at = 0; at < chl_count(&call->in_desc[0]); at++) {
        const int64_t c = at % in[3], n = at / in[3] / in[2] / in[1];
        const int64_t i = at / in[3] / in[2] % in[1] * up + a->filtered.before;
        const int64_t j = at / in[3] % in[2] * up + a->filtered.before;
        if (i < 0 || j < 0 || i >= wide.h || j >= wide.w) continue;
        wide.at[((n * wide.h + i) * wide.w + j) * in[3] + c] = IN(0)[at] + IN(1)[c];
    }
    map fine = convolve(call, 2, &wide);
    for (int64_t at = 0; at < fine.n * fine.h * fine.w * fine.c; at++) {
        real y = (double)(up * up) * fine.at[at];
        if (!(RE(y) > 0)) y = (double)a->filtered.slope * y;
        y = (double)a->filtered.gain * y;
        if (clamp > 0 && RE(y) > clamp) y = clamp;
        if (clamp > 0 && RE(y) < -clamp) y = -clamp;
        fine.at[at] = y;
    }
    map coarse = convolve(call, 3, &fine);
    for (int64_t at = 0; at < chl_count(&call->out_desc[0]); at++) {
        const int64_t c = at % out[3], j = at / out[3] % out[2] * a->filtered.down;
        const int64_t i = at / out[3] / out[2] % out[1] * a->filtered.down;
        const int64_t n = at / out[3] / out[2] / out[1];
        OUT(0)[at] = coarse.at[((n * coarse.h + i) * coarse.w + j) * coarse.c + c];
    }
    free(wide.at);
    free(fine.at);
    free(coarse.at);
}
