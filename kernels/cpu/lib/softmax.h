/* The log-sum-exp of a row and means in a fixed order, for the losses. */
#ifndef CHL_CPU_SOFTMAX_H
#define CHL_CPU_SOFTMAX_H
#include "cpu/lib/vmath.h"
#include <math.h>

/* log sum_j exp(scale * x[j]), shifted by the maximum; scale > 0 */
static inline float chl_log_sum_exp(const float *x, int64_t count, float scale) {
    const int64_t full = count - count % CHL_LANES;
    chl_vec widest = chl_splat(x[0]), total = {0};
    for (int64_t j = 0; j < full; j += CHL_LANES) widest = chl_vmax(chl_load(x + j), widest);
    float max = chl_lane_max(widest), sum = 0;
    for (int64_t j = full; j < count; j++) max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < full; j += CHL_LANES)
        total += chl_vexp(scale * (chl_load(x + j) - max));
    for (int64_t j = full; j < count; j++) sum += expf(scale * (x[j] - max));
    return scale * max + logf(chl_tree_sum(total) + sum);
}

/* Summed in double: a mean over thousands of rows keeps float accuracy. */
static inline float chl_mean_of(const float *x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)x[i];
    return (float)(sum / (double)count);
}
#endif
