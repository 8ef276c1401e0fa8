#include "cpu/lib/dft.h"

static int smallest_factor(int n) {
    for (int f = 2; f * f <= n; f++)
        if (n % f == 0) return f;
    return n;
}

/* A Stockham pass of radix r: `length` is what is still to be split, `stride` the product of the
 * radices done. */
static void pass(int points, const float *twiddle, int length, int r, const chl_lane_complex *from,
                 chl_lane_complex *to) {
    const int m = length / r, stride = points / length;
    for (int p = 0; p < m; p++)
        for (int k = 0; k < r; k++)
            for (int q = 0; q < stride; q++) {
                chl_lane_complex sum = {{0}, {0}};
                for (int j = 0; j < r; j++) {
                    /* turns of j k / r and p k / length */
                    const int64_t turn =
                        (int64_t)j * k % r * (points / r) + (int64_t)p * k * stride;
                    const float *w = twiddle + 2 * (turn % points);
                    const chl_lane_complex *x = from + q + stride * (p + m * j);
                    sum.re += x->re * w[0] - x->im * w[1];
                    sum.im += x->re * w[1] + x->im * w[0];
                }
                to[q + stride * (r * p + k)] = sum;
            }
}

chl_lane_complex *chl_lane_dft(int points, const float *twiddle, chl_lane_complex *z,
                               chl_lane_complex *scratch) {
    for (int length = points; length > 1;) {
        const int r = smallest_factor(length);
        pass(points, twiddle, length, r, z, scratch);
        chl_lane_complex *const done = scratch;
        scratch = z;
        z = done;
        length /= r;
    }
    return z;
}
