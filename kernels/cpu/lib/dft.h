/* The discrete Fourier transform of CHL_LANES signals at once, of any length: passes of the length's
 * prime factors, each as a plain sum, so points x (sum of the factors) steps. Used by log_mel.c for
 * lengths that fft.h does not take. */
#ifndef CHL_CPU_DFT_H
#define CHL_CPU_DFT_H
#include "cpu/lib/fft.h"

/* twiddle [points,2]: cos, -sin of 2 pi k / points. Overwrites both arrays of `points` elements and
 * returns the one that holds the spectrum, not scaled. */
chl_lane_complex *chl_lane_dft(int points, const float *twiddle, chl_lane_complex *z,
                               chl_lane_complex *scratch);
#endif
