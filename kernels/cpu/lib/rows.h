/* Helpers for kernels over rows of channels: cutting work into parts, partial vectors, sums in a
 * fixed order.
 *
 * The number of parts depends on the shape alone, never on the threads: each part makes its own sum
 * and the sums are added in order, so results are the same for any thread count. */
#ifndef CHL_CPU_ROWS_H
#define CHL_CPU_ROWS_H
#include "cpu/lib/cpu.h"

/* More than the threads of any machine with one memory that this is meant for; few enough that the
 * partial sums stay small beside the data. */
#define CHL_MAX_PARTS 64

static inline int64_t chl_parts(int64_t rows, int64_t min_rows) {
    int64_t parts = rows / min_rows;
    return parts < 1 ? 1 : parts > CHL_MAX_PARTS ? CHL_MAX_PARTS : parts;
}
/* First row of a part; part = parts gives the end. */
static inline int64_t chl_part_begin(int64_t rows, int64_t part, int64_t parts) {
    return rows * part / parts;
}

/* From 16384 elements on a parallel region is faster: starting threads and waiting for them takes
 * longer than a few thousand elements do. */
static inline int chl_worth_threads(int64_t elements) {
    return elements >= 16384;
}

/* The first n floats, at most CHL_LANES; the other lanes are 0. */
static inline chl_vec chl_load_part(const float *p, int64_t n) {
    if (n >= CHL_LANES) return chl_load(p);
    chl_vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}
/* The first n lanes to memory, at most CHL_LANES. */
static inline void chl_store_part(float *p, chl_vec v, int64_t n) {
    if (n >= CHL_LANES)
        chl_store(p, v);
    else
        memcpy(p, &v, (size_t)n * sizeof *p);
}
/* The same, added to what is there where `accumulate` is set. */
static inline void chl_put_part(float *p, chl_vec v, int64_t n, int accumulate) {
    if (n >= CHL_LANES) {
        if (accumulate) v += chl_load(p);
        chl_store(p, v);
        return;
    }
    for (int64_t i = 0; i < n; i++) chl_put(p + i, v[i], accumulate);
}
/* count floats */
static inline void chl_put_row(float *to, const float *from, int64_t count, int accumulate) {
    for (int64_t i = 0; i < count; i += CHL_LANES)
        chl_put_part(to + i, chl_load_part(from + i, count - i), count - i, accumulate);
}
/* mask ? a : b, lane by lane; masks are what comparing two chl_vec gives */
static inline chl_vec chl_vselect(chl_ivec mask, chl_vec a, chl_vec b) {
    return (chl_vec)((mask & (chl_ivec)a) | (~mask & (chl_ivec)b));
}
/* Sum of the lanes by halving: four steps deep where chl_lane_sum is sixteen. */
static inline float chl_tree_sum(chl_vec v) {
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return v[0] + v[1];
}

/* y[i] (+)= sum over parts of partial[part][i], in order of the parts */
static inline void chl_add_parts(float *y, const float *partial, int64_t parts, int64_t stride,
                                 int64_t count, int accumulate) {
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        chl_vec sum = {0};
        for (int64_t p = 0; p < parts; p++)
            sum += chl_load_part(partial + p * stride + i, count - i);
        chl_put_part(y + i, sum, count - i, accumulate);
    }
}

/* Product of the dims between the first and the last: pixels or tokens per sample of [N,...,C]. */
static inline int64_t chl_pixels(const chl_desc *d) {
    int64_t n = 1;
    for (int32_t i = 1; i < d->rank - 1; i++) n *= d->dim[i];
    return n;
}
static inline int64_t chl_channels(const chl_desc *d) {
    return d->dim[d->rank - 1];
}
#endif
