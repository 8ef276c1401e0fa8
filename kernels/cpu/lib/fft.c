#include "cpu/lib/fft.h"

#define INLINE static inline __attribute__((always_inline))

INLINE chl_lane_complex plus(chl_lane_complex a, chl_lane_complex b) {
    return (chl_lane_complex){a.re + b.re, a.im + b.im};
}
INLINE chl_lane_complex minus(chl_lane_complex a, chl_lane_complex b) {
    return (chl_lane_complex){a.re - b.re, a.im - b.im};
}
INLINE chl_lane_complex times_minus_i(chl_lane_complex a) {
    return (chl_lane_complex){a.im, -a.re};
}
INLINE chl_lane_complex times(chl_lane_complex a, const float *w) {
    chl_vec re = chl_splat(w[0]), im = chl_splat(w[1]);
    return (chl_lane_complex){a.re * re - a.im * im, a.re * im + a.im * re};
}

INLINE void butterfly2(chl_lane_complex *v) {
    chl_lane_complex a = v[0];
    v[0] = plus(a, v[1]);
    v[1] = minus(a, v[1]);
}

INLINE void butterfly4(chl_lane_complex *v) {
    chl_lane_complex even = plus(v[0], v[2]), even_d = minus(v[0], v[2]);
    chl_lane_complex odd = plus(v[1], v[3]), odd_d = times_minus_i(minus(v[1], v[3]));
    v[0] = plus(even, odd);
    v[1] = plus(even_d, odd_d);
    v[2] = minus(even, odd);
    v[3] = minus(even_d, odd_d);
}

INLINE void butterfly8(chl_lane_complex *v) {
    static const float root[2] = {0.70710678118654752f, -0.70710678118654752f};
    static const float root3[2] = {-0.70710678118654752f, -0.70710678118654752f};
    chl_lane_complex even[4] = {plus(v[0], v[4]), plus(v[1], v[5]), plus(v[2], v[6]),
                                plus(v[3], v[7])};
    chl_lane_complex odd[4] = {minus(v[0], v[4]), times(minus(v[1], v[5]), root),
                               times_minus_i(minus(v[2], v[6])), times(minus(v[3], v[7]), root3)};
    butterfly4(even);
    butterfly4(odd);
    for (int i = 0; i < 4; i++) {
        v[2 * i] = even[i];
        v[2 * i + 1] = odd[i];
    }
}

INLINE void butterfly(int radix, chl_lane_complex *v) {
    if (radix == 8) butterfly8(v);
    if (radix == 4) butterfly4(v);
    if (radix == 2) butterfly2(v);
}

/* One Stockham pass of radix 4: `length` is the length still to be split, `stride` the product of
 * the radices done. */
static void pass(const chl_lane_fft *fft, int length, int stride, const chl_lane_complex *in,
                 int64_t in_step, chl_lane_complex *out) {
    int quarter = length / 4, turn = 2 * (fft->points * 2 / length);
    for (int p = 0; p < quarter; p++) {
        const float *w1 = fft->twiddle + p * turn, *w2 = w1 + p * turn, *w3 = w2 + p * turn;
        for (int q = 0; q < stride; q++) {
            chl_lane_complex v[4];
            for (int j = 0; j < 4; j++) v[j] = in[(q + stride * (p + quarter * j)) * in_step];
            butterfly4(v);
            chl_lane_complex *to = out + q + stride * 4 * p;
            to[0] = v[0];
            to[stride] = times(v[1], w1);
            to[stride * 2] = times(v[2], w2);
            to[stride * 3] = times(v[3], w3);
        }
    }
}

/* The last pass, which needs no twiddles of its own: output k is multiplied by exp(-2 pi i k * turn
 * / (2 * points)), the twiddle between rows and columns. */
INLINE void last_pass(int radix, const chl_lane_fft *fft, int stride, const chl_lane_complex *in,
                      int64_t in_step, chl_lane_complex *out, int64_t out_step, int turn) {
    for (int q = 0; q < stride; q++) {
        chl_lane_complex v[8];
        for (int j = 0; j < radix; j++) v[j] = in[(q + stride * j) * in_step];
        butterfly(radix, v);
        for (int j = 0; j < radix; j++) {
            int k = q + stride * j;
            out[k * out_step] = turn ? times(v[j], fft->twiddle + 2 * (k * turn)) : v[j];
        }
    }
}

/* Transforms `length` elements that are `step` apart, in place through scratch. */
static void line(const chl_lane_fft *fft, int length, chl_lane_complex *z, int64_t step,
                 chl_lane_complex *scratch, int turn) {
    const chl_lane_complex *in = z;
    int64_t in_step = step;
    int stride = 1;
    chl_lane_complex *out = scratch, *other = scratch + length;
    for (; length > 8; length /= 4, stride *= 4) {
        pass(fft, length, stride, in, in_step, out);
        chl_lane_complex *free_one = other;
        in = other = out;
        in_step = 1;
        out = free_one;
    }
    if (length == 8) last_pass(8, fft, stride, in, in_step, z, step, turn);
    if (length == 4) last_pass(4, fft, stride, in, in_step, z, step, turn);
    if (length == 2) last_pass(2, fft, stride, in, in_step, z, step, turn);
}

chl_lane_fft chl_lane_fft_of(int points, const float *twiddle) {
    int bits = __builtin_ctz((unsigned)points), row_bits = bits / 2;
    return (chl_lane_fft){.points = points,
                          .columns = 1 << (bits - row_bits),
                          .rows = 1 << row_bits,
                          .row_bits = row_bits,
                          .column_bits = bits - row_bits,
                          .row_step = (1 << (bits - row_bits)) + 1,
                          .twiddle = twiddle};
}

int64_t chl_lane_fft_elements(const chl_lane_fft *fft) {
    return fft->rows * fft->row_step;
}
int64_t chl_lane_fft_scratch(const chl_lane_fft *fft) {
    return 2 * fft->columns;
}

void chl_lane_fft_run(const chl_lane_fft *fft, chl_lane_complex *z, chl_lane_complex *scratch) {
    for (int row = 0; row < fft->rows; row++)
        line(fft, fft->columns, z + row * fft->row_step, 1, scratch, 2 * row);
    for (int column = 0; column < fft->columns; column++)
        line(fft, fft->rows, z + column, fft->row_step, scratch, 0);
}
