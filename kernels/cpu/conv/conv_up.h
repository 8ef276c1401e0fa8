/* Shared by both algorithms of the up-sampling convolution: the filter over a band of z. */
#ifndef CHL_CPU_CONV_UP_H
#define CHL_CPU_CONV_UP_H
#include "cpu/conv/conv_engine.h"

/* A band of rows of z [2h+1, 2w+1] of one sample, which moves down the sample. Pixels take whole
 * vectors, and there is a column of zeros on the left and on the right. */
typedef struct chl_up_z {
    int64_t pixel, row; /* floats */
} chl_up_z;

#define CHL_UP_CARRIED 4 /* rows of z that the next band reads again: three finished, one begun */

chl_up_z chl_up_z_of(const chl_conv_job *job);
/* The number of rows of z that a band of `rows` rows of x needs. */
static inline int64_t chl_up_z_rows(int64_t rows) {
    return 2 * rows + CHL_UP_CARRIED + 1;
}
/* The place of row r of z in the band that x row `first` begins. */
static inline float *chl_up_z_row(const chl_up_z *layout, float *z, int64_t first, int64_t r) {
    return z + (r - (2 * first - CHL_UP_CARRIED + 1)) * layout->row;
}

/* --- called by all threads of a parallel region, each ends in a barrier --- */

/* Filters the rows of the output that x rows first..end complete and applies the epilogue (all of
 * z's rows up to 2 end - 1 are there, at the end of the sample 2h + 1 too, zeros), then moves the
 * carried rows to the top of the band. */
void chl_up_filter(const chl_conv_job *job, const chl_epilogue *epilogue, const chl_up_z *layout,
                   int64_t n, int64_t first, int64_t end, float *z);
/* The filter's transpose: computes rows 2 first .. 2 end of dz [2h+1, 2w+1, out_c] from g [2h, 2w,
 * out_c]. */
void chl_up_spread(const chl_conv_job *job, const float *g, int64_t first, int64_t end, float *dz);

/* One row of dz, its pixels `pixel` floats apart. One thread. */
void chl_up_spread_row(const chl_conv_job *job, const float *g, int64_t row, float *dz,
                       int64_t pixel);
#endif
