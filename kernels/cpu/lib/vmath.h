/* Vector functions on chl_vec: 16 lanes of float32, no library calls, no tables.
 *
 * Largest errors against double precision, over every 97th float of the stated range:
 *   chl_vexp         1.01 ulp on [-80, 88]; held at its value there outside, so never 0 or infinite
 *   chl_vlog         1.92 ulp, 5.4e-8 absolute on [1/2, 2]; for positive normal numbers
 *   chl_vsine        2.0e-7 absolute on [-1000, 1000], its derivative too
 *   chl_vgauss_cdf   2.2e-7 absolute; relative 7e-7 on [-5, 13], 4e-6 down to -12 (x*x is rounded)
 * NaN goes through exp and the distribution. */
#ifndef CHL_CPU_VMATH_H
#define CHL_CPU_VMATH_H
#include "cpu/lib/rows.h"

/* A parallel region pays from this many elements on. */
#define CHL_PARALLEL_FROM 16384

static inline int64_t chl_lanes_left(int64_t n) {
    return n < CHL_LANES ? n : CHL_LANES;
}

/* b where a is NaN */
static inline chl_vec chl_vmax(chl_vec a, chl_vec b) {
    return chl_vselect(a > b, a, b);
}
static inline chl_vec chl_vmin(chl_vec a, chl_vec b) {
    return chl_vselect(a < b, a, b);
}
static inline chl_vec chl_vabs(chl_vec x) {
    return (chl_vec)((chl_ivec)x & 0x7fffffff);
}

/* The largest lane, by halving. */
static inline float chl_lane_max(chl_vec v) {
    v = chl_vmax(
        v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    v = chl_vmax(
        v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    v = chl_vmax(
        v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    return v[0] > v[1] ? v[0] : v[1];
}

/* Lane i of the result = the sum (or maximum) of row i's lanes, for 16 rows at once: 15 operations
 * and 30 shuffles where halving row by row takes 64 of each. The first step of a transpose brings
 * lanes of rows i and i + 8 side by side, one operation makes one vector of the two, and so on. */
#define CHL_FOLD_STEP(step, op, low, high)                                                         \
    for (int i = 0; i < (step); i++) {                                                             \
        chl_vec a = r[i], b = r[i + (step)];                                                       \
        r[i] = op(__builtin_shufflevector(a, b, low), __builtin_shufflevector(a, b, high));        \
    }
#define CHL_PICK(...) __VA_ARGS__
#define CHL_FOLD_ROWS(op)                                                                          \
    CHL_FOLD_STEP(8, op, CHL_PICK(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),         \
                  CHL_PICK(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))          \
    CHL_FOLD_STEP(4, op, CHL_PICK(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),       \
                  CHL_PICK(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))            \
    CHL_FOLD_STEP(2, op, CHL_PICK(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),       \
                  CHL_PICK(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))            \
    CHL_FOLD_STEP(1, op, CHL_PICK(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),      \
                  CHL_PICK(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#define CHL_PLUS(a, b) ((a) + (b))
static inline chl_vec chl_sum_rows(chl_vec r[CHL_LANES]) {
    CHL_FOLD_ROWS(CHL_PLUS)
    return r[0];
}
static inline chl_vec chl_max_rows(chl_vec r[CHL_LANES]) {
    CHL_FOLD_ROWS(chl_vmax)
    return r[0];
}
#undef CHL_FOLD_ROWS
#undef CHL_FOLD_STEP
#undef CHL_PICK
#undef CHL_PLUS

/* exp: x = n ln 2 + r, |r| <= ln 2 / 2; e^r = 1 + r + r^2 q(r), q fitted for the smallest relative
 * error (3.1e-9); 2^n is added to the exponent. 12582912 = 1.5 * 2^23 rounds to an integer and
 * leaves it in the low bits. ln 2 in two parts keeps r exact. The range ends where products with
 * gradients would become denormal and therefore slow. */
static inline chl_vec chl_vexp(chl_vec x) {
    x = chl_vmin(chl_splat(88), chl_vmax(chl_splat(-80), x));
    chl_vec shifted = x * 1.44269504f + 12582912.0f;
    chl_vec n = shifted - 12582912.0f;
    chl_vec r = x - n * 0.693145752f;
    r = r - n * 1.42860677e-6f;
    chl_vec q = chl_splat(0.00138145406f);
    q = q * r + 0.00836874545f;
    q = q * r + 0.041668389f;
    q = q * r + 0.166665211f;
    q = q * r + 0.49999994f;
    chl_vec p = q * (r * r) + r + 1.0f;
    return (chl_vec)((chl_uvec)p + ((chl_uvec)shifted << 23));
}

/* sin x where turn is 0, cos x where it is 1/2: with k = round(x/pi - turn), r = x - (k + turn) pi in
 * [-pi/2, pi/2], sin x = (-1)^k sin r and cos x = -(-1)^k sin r; sin r by its series. pi in three
 * parts, of which the first two have zeros where k's bits would not fit. */
static inline chl_vec chl_vsine(chl_vec x, float turn) {
    chl_vec shifted = (x * 0.318309886f - turn) + 12582912.0f;
    chl_vec k = shifted - 12582912.0f, halves = k + turn;
    chl_vec r = x - halves * 3.140625f;
    r = r - halves * 9.67502594e-4f;
    r = r - halves * 1.50995799e-7f;
    chl_vec r2 = r * r, s = chl_splat(1.60590438e-10f);
    s = s * r2 - 2.50521084e-8f;
    s = s * r2 + 2.75573192e-6f;
    s = s * r2 - 1.98412698e-4f;
    s = s * r2 + 8.33333333e-3f;
    s = s * r2 - 0.166666667f;
    s = s * (r2 * r) + r;
    if (turn > 0) s = -s;
    return (chl_vec)((chl_uvec)s ^ ((chl_uvec)shifted << 31));
}

/* log: x = 2^n m, sqrt(1/2) <= m < sqrt 2; log m = 2 artanh z, z = (m - 1)/(m + 1), |z| < 0.172,
 * whose series ends after z^9 (next term 2e-10 of the first). */
static inline chl_vec chl_vlog(chl_vec x) {
    const uint32_t root_half = 0x3f3504f3;
    chl_ivec n = (chl_ivec)((chl_uvec)x - root_half) >> 23;
    chl_vec m = (chl_vec)((chl_uvec)x - ((chl_uvec)n << 23));
    chl_vec z = (m - 1.0f) / (m + 1.0f), z2 = z * z;
    chl_vec s = chl_splat(2.0f / 9);
    s = s * z2 + 2.0f / 7;
    s = s * z2 + 2.0f / 5;
    s = s * z2 + 2.0f / 3;
    chl_vec whole = __builtin_convertvector(n, chl_vec);
    return whole * 0.693147181f + (s * z2 * z + 2.0f * z);
}

static inline chl_vec chl_vsigmoid(chl_vec x) {
    return 1.0f / (1.0f + chl_vexp(-x));
}

/* The normal distribution: density phi(x), and Phi(x) = (1 + erf(x / sqrt 2)) / 2 as Phi(-t) =
 * exp(-t^2/2) M(s), s = 1/(1 + 0.3 t), t = |x|: one exponential serves GELU and its derivative, and
 * the lower tail keeps its relative accuracy, which 1 + erf would lose. M was fitted for the
 * smallest relative error on t in [0, 13.5] (3.4e-9); beyond, Phi is 0 in float32. */
static inline chl_vec chl_vgauss_cdf(chl_vec x, chl_vec *phi) {
    chl_vec t = chl_vabs(x);
    chl_vec density = chl_vexp(x * x * -0.5f);
    chl_vec s = 1.0f / (t * 0.3f + 1.0f);
    chl_vec m = chl_splat(-0.0205946155f);
    m = m * s + 0.112273239f;
    m = m * s - 0.22781685f;
    m = m * s + 0.191233188f;
    m = m * s - 0.0789442435f;
    m = m * s + 0.0958871767f;
    m = m * s + 0.0784876421f;
    m = m * s + 0.110213302f;
    m = m * s + 0.119574629f;
    m = m * s + 0.119686544f;
    chl_vec tail = m * s * density;
    *phi = density * 0.398942280f;
    return chl_vselect(x > 0.0f, 1.0f - tail, tail);
}
#endif
