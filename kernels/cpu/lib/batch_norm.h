/* The sums in the backward of both batch norms: dgamma = sum dy * xhat, dbeta = sum dy, xhat = (x -
 * mean) * rstd. */
#ifndef CHL_CPU_BATCH_NORM_H
#define CHL_CPU_BATCH_NORM_H
#include "cpu/lib/rows.h"
#include <math.h>

#define CHL_BATCH_NORM_MIN_ROWS 16

static inline void chl_rstd(float *rstd, const float *var, int64_t channels, float eps) {
    for (int64_t c = 0; c < channels; c++) rstd[c] = 1 / sqrtf(var[c] + eps);
}

static inline int64_t chl_batch_norm_parts(const chl_desc *x) {
    return chl_parts(chl_count(x) / chl_channels(x), CHL_BATCH_NORM_MIN_ROWS);
}

static inline void chl_batch_norm_sum_rows(float *sum_dxhat, float *sum_dy, const float *dy,
                                           const float *x, const float *mean, const float *rstd,
                                           int64_t rows, int64_t channels) {
    memset(sum_dxhat, 0, (size_t)channels * sizeof *sum_dxhat);
    memset(sum_dy, 0, (size_t)channels * sizeof *sum_dy);
    for (int64_t row = 0; row < rows; row++, dy += channels, x += channels) {
        for (int64_t c = 0; c < channels; c += CHL_LANES) {
            const int64_t n = channels - c;
            const chl_vec d = chl_load_part(dy + c, n);
            const chl_vec xhat =
                (chl_load_part(x + c, n) - chl_load_part(mean + c, n)) * chl_load_part(rstd + c, n);
            chl_put_part(sum_dxhat + c, d * xhat, n, 1);
            chl_put_part(sum_dy + c, d, n, 1);
        }
    }
}

/* Writes the two sums to sums [2, channels]; partial is scratch of 2 * parts * channels floats. */
static inline void chl_batch_norm_sums(float *sums, float *partial, const float *dy, const float *x,
                                       const float *mean, const float *rstd, const chl_desc *desc) {
    const int64_t channels = chl_channels(desc), rows = chl_count(desc) / channels;
    const int64_t parts = chl_batch_norm_parts(desc);
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t part = 0; part < parts; part++) {
        const int64_t begin = chl_part_begin(rows, part, parts);
        const int64_t end = chl_part_begin(rows, part + 1, parts);
        float *sum = partial + part * 2 * channels;
        chl_batch_norm_sum_rows(sum, sum + channels, dy + begin * channels, x + begin * channels,
                                mean, rstd, end - begin, channels);
    }
    chl_add_parts(sums, partial, parts, 2 * channels, 2 * channels, 0);
}
#endif
