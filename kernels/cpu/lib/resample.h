/* Separable linear maps of pictures: resize, the FIR up-sampling, and their exact adjoints.
 * An axis is a sparse matrix of `out` rows, each with consecutive taps; the adjoint is the same
 * code with transposed axes. */
#ifndef CHL_CPU_RESAMPLE_H
#define CHL_CPU_RESAMPLE_H
#include "cpu/lib/rows.h"

/* output i = sum_k weight[start[i] + k] * input[first[i] + k], k < start[i + 1] - start[i] */
typedef struct chl_axis {
    int64_t in, out;
    int32_t *first; /* [out] */
    int32_t *start; /* [out + 1] */
    float *weight;
} chl_axis;

size_t chl_axis_bytes(int64_t out, int64_t taps);
/* The axis that lies at *memory, which moves behind it; nothing is read or written. Who fills it
 * begins with start[0] = 0. */
chl_axis chl_axis_at(char **memory, int64_t in, int64_t out, int64_t taps);
/* The same with start[0] = 0. */
chl_axis chl_axis_place(char **memory, int64_t in, int64_t out, int64_t taps);
/* The transpose of `axis`, whose first[] and last taps must not decrease from row to row; it needs
 * room for as many taps. */
chl_axis chl_axis_transpose(char **memory, const chl_axis *axis);

/* Rows, then columns, channels innermost. Strides in floats. */
typedef struct chl_resample {
    const chl_axis *rows, *columns;
    const float *x;
    int64_t x_sample, x_row;
    float *y;
    int64_t y_sample, y_row;
    const float *residual; /* laid out like y, added; NULL = none */
    int64_t samples, channels;
    int accumulate;
    float *lines; /* chl_resample_bytes */
} chl_resample;
size_t chl_resample_bytes(int64_t samples, int64_t rows, int64_t columns_in, int64_t columns_out,
                          int64_t channels);
void chl_resample_run(const chl_resample *r);
#endif
