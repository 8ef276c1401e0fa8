/* Complex FFT of CHL_LANES signals at once, one per SIMD lane, for one thread. Used by log_mel.c.
 *
 * A vector instruction then does the same butterfly for 16 frames, so there are no shuffles inside
 * the transform and twiddles are scalars. kissfft, which Debian ships, and vendor libraries
 * transform one signal at a time; here a clip always has hundreds of frames to batch.
 *
 * `points` = columns * rows, both about its square root [Bailey 1990, "four-step"]: every transform
 * along a row or a column touches a few KiB and stays in the L1 cache, and the whole array (128 KiB
 * for 1024 points) is moved from and to the L2 cache twice instead of log4(points) times. Input n
 * is stored in row n mod rows, column n / rows; number k of the spectrum in row k / columns, column
 * k mod columns. Rows are padded by one element, as otherwise a column's elements would share cache
 * sets. */
#ifndef CHL_CPU_FFT_H
#define CHL_CPU_FFT_H
#include "cpu/lib/cpu.h"

typedef struct chl_lane_complex {
    chl_vec re, im;
} chl_lane_complex;

typedef struct chl_lane_fft {
    int points, columns, rows; /* powers of two */
    int row_bits, column_bits;
    int64_t row_step;     /* elements from one row to the next */
    const float *twiddle; /* [2 * points, 2]: cos, -sin of 2 pi k / (2 * points) */
} chl_lane_fft;

chl_lane_fft chl_lane_fft_of(int points, const float *twiddle);
/* Number of elements of the array, and of the scratch that a run needs besides it. */
int64_t chl_lane_fft_elements(const chl_lane_fft *fft);
int64_t chl_lane_fft_scratch(const chl_lane_fft *fft);
static inline int64_t chl_lane_fft_input(const chl_lane_fft *fft, int n) {
    return (n & (fft->rows - 1)) * fft->row_step + (n >> fft->row_bits);
}
static inline int64_t chl_lane_fft_output(const chl_lane_fft *fft, int k) {
    return (k >> fft->column_bits) * fft->row_step + (k & (fft->columns - 1));
}
/* In place, forward sign, not scaled. */
void chl_lane_fft_run(const chl_lane_fft *fft, chl_lane_complex *z, chl_lane_complex *scratch);
#endif
