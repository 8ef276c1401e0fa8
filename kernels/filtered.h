/* The geometry of filtered_lrelu, for both backends: an axis of a FIR filter between a coarse grid and
 * one `rate` times as fine, a sparse matrix that is written down nowhere.
 *
 *     fine number m meets coarse number c with tap q = m - rate c + offset, where 0 <= q < taps
 *
 * Up-sampling reads it per fine number (chl_fir_to_fine), down-sampling per coarse one
 * (chl_fir_to_coarse); each is the transpose of the other. Header only, C11 and C++17, host and
 * device. */
#ifndef CHL_FILTERED_H
#define CHL_FILTERED_H
#include "ops.h"

#ifdef __CUDACC__
#define CHL_FIR_FN static inline __host__ __device__
#else
#define CHL_FIR_FN static inline
#endif

typedef struct chl_fir {
    int32_t rate, offset, taps;
    int32_t coarse, fine; /* lengths */
    int32_t mirrored;     /* 1: tap q is the filter's number taps - 1 - q */
} chl_fir;

/* What one number of an axis is made of: `count` numbers of the other grid from `first` on, number
 * first + e with the filter's number at + e step. */
typedef struct chl_fir_reach {
    int32_t first, count, at, step;
} chl_fir_reach;

/* Zeros between the numbers, `before` zeros in front, then convolution with the filter. */
CHL_FIR_FN chl_fir chl_fir_up(int32_t rate, int32_t before, int32_t taps, int32_t coarse,
                              int32_t fine) {
    chl_fir fir = {rate, taps - 1 - before, taps, coarse, fine, 0};
    return fir;
}
/* Convolution with the filter without padding, of which every rate-th number is kept. */
CHL_FIR_FN chl_fir chl_fir_down(int32_t rate, int32_t taps, int32_t coarse, int32_t fine) {
    chl_fir fir = {rate, 0, taps, coarse, fine, 1};
    return fir;
}

CHL_FIR_FN int32_t chl_fir_floor(int32_t a, int32_t b) {
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}
CHL_FIR_FN chl_fir_reach chl_fir_between(const chl_fir *fir, int32_t first, int32_t end,
                                         int32_t length, int32_t tap, int32_t step) {
    chl_fir_reach reach = {first < 0 ? 0 : first, 0, 0, step};
    if (end > length) end = length;
    reach.count = end > reach.first ? end - reach.first : 0;
    tap += (reach.first - first) * step;
    reach.at = fir->mirrored ? fir->taps - 1 - tap : tap;
    if (fir->mirrored) reach.step = -step;
    return reach;
}
/* the coarse numbers that fine number m is made of */
CHL_FIR_FN chl_fir_reach chl_fir_to_fine(const chl_fir *fir, int32_t m) {
    const int32_t first = chl_fir_floor(m + fir->offset - fir->taps, fir->rate) + 1;
    const int32_t end = chl_fir_floor(m + fir->offset, fir->rate) + 1;
    return chl_fir_between(fir, first, end, fir->coarse, m + fir->offset - fir->rate * first,
                           -fir->rate);
}
/* the fine numbers that coarse number c is made of */
CHL_FIR_FN chl_fir_reach chl_fir_to_coarse(const chl_fir *fir, int32_t c) {
    const int32_t first = fir->rate * c - fir->offset;
    return chl_fir_between(fir, first, first + fir->taps, fir->fine, 0, 1);
}
/* A separable linear map of pictures, or, `square`, one with a number for each pair of taps. */
typedef struct chl_filter_map {
    chl_fir rows, columns;
    const float *f; /* [taps], [taps,taps] where square; NULL: the number 1 */
    int32_t square;
    float gain; /* of each axis; 1 where square */
} chl_filter_map;

/* The two maps of a call: `first` is the input of fu, after which comes fd; x [n,h,w,c]. */
static inline void chl_filtered_maps(const chl_call *call, int first, const chl_desc *x,
                                     chl_filter_map *up, chl_filter_map *down) {
    const int32_t rate = call->attr.filtered.up, drop = call->attr.filtered.down;
    const chl_desc *fu = &call->in_desc[first], *fd = &call->in_desc[first + 1];
    const int32_t up_taps = fu->rank ? (int32_t)fu->dim[0] : 1;
    const int32_t down_taps = fd->rank ? (int32_t)fd->dim[0] : 1;
    const int32_t before = call->attr.filtered.before;
    const int32_t around = before + call->attr.filtered.after;
    chl_fir *const ups[2] = {&up->rows, &up->columns};
    chl_fir *const downs[2] = {&down->rows, &down->columns};
    for (int axis = 0; axis < 2; axis++) {
        const int32_t size = (int32_t)x->dim[1 + axis];
        const int32_t fine = size * rate + around - up_taps + 1;
        *ups[axis] = chl_fir_up(rate, before, up_taps, size, fine);
        *downs[axis] = chl_fir_down(drop, down_taps, (fine - down_taps) / drop + 1, fine);
    }
    up->f = (const float *)call->in[first];
    up->square = 0;
    up->gain = (float)rate;
    down->f = (const float *)call->in[first + 1];
    down->square = fd->rank == 2;
    down->gain = 1;
}
#endif
