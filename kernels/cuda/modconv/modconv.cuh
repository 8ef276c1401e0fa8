// A modulated convolution as products of gathered pixels, for the plain kernel (modconv_plain.cuh)
// and the one on tensor cores (modconv_tile.cuh).
//
// Result pixel (a, b) of a phase is the sum over the phase's taps of in[step a + dy, step b + dx]
// by that tap's [in_c, out_c] matrix, zeros outside the picture; it is written to row a * spread +
// top, column b * spread + left. That covers
//     forward                 one phase, nine taps
//     transposed, stride 2    four phases of 4, 2, 2 and 1 taps: no product with an inserted zero
//     data gradients          one phase, nine taps, step 1 or 2
// A block makes a tile of result pixels of one sample and phase (neighbours in the picture's order,
// or a box of it) by result channels, so that styles, noise and sums over pixels belong to one
// sample. Where that gives too few blocks the taps and channels summed over are dealt to `splits`
// blocks, which leave parts that a second kernel adds.
#pragma once
#include "cuda/lib/vendor.h"
#include "cuda/modconv/modconv_layer.cuh"

namespace modconv {
struct one_tap {
    int dy, dx, index;
};
struct one_phase {
    int taps, rows, across, top, left; // rows * across result pixels
    int first_tile;                    // of a sample
    one_tap tap[9];
};
struct gather {
    int n, in_h, in_w, in_c, out_h, out_w, out_c;
    int step, spread, phases, tiles, column_tiles, splits;
    one_phase phase[4];
    int box_h = 0, box_w = 0; // of a tile, where tiles are boxes
};

// --- the four shapes of gathering ----------------------------------------------------------------
inline gather forward_gather(const chl_conv_attributes &a) {
    gather g = {a.n, a.h, a.w, a.i, a.h, a.w, a.o, 1, 1, 1, 0, 0, 1, {}};
    g.phase[0] = {9, a.h, a.w, 0, 0, 0, {}};
    for (int k = 0; k < 9; k++) g.phase[0].tap[k] = {k / 3 - 1, k % 3 - 1, k};
    return g;
}
// z [2h+1, 2w+1]: z[2y + ky, 2x + kx] += x[y, x] w[ky, kx]
inline gather up_gather(const chl_conv_attributes &a) {
    gather g = {a.n, a.h, a.w, a.i, 2 * a.h + 1, 2 * a.w + 1, a.o, 1, 2, 4, 0, 0, 1, {}};
    for (int p = 0; p < 4; p++) {
        one_phase &to = g.phase[p];
        to = {0, a.h + 1 - p / 2, a.w + 1 - p % 2, p / 2, p % 2, 0, {}};
        for (int k = 0; k < 9; k++)
            if (k / 3 % 2 == p / 2 && k % 3 % 2 == p % 2)
                to.tap[to.taps++] = {-(k / 3 / 2), -(k % 3 / 2), k};
    }
    return g;
}
inline gather dx_gather(const chl_conv_attributes &a) {
    gather g = forward_gather(a);
    g.in_c = a.o;
    g.out_c = a.i;
    for (int k = 0; k < 9; k++) g.phase[0].tap[k] = {1 - k / 3, 1 - k % 3, k};
    return g;
}
// from z's gradient
inline gather up_dx_gather(const chl_conv_attributes &a) {
    gather g = dx_gather(a);
    g.in_h = 2 * a.h + 1;
    g.in_w = 2 * a.w + 1;
    g.step = 2;
    for (int k = 0; k < 9; k++) g.phase[0].tap[k] = {k / 3, k % 3, k};
    return g;
}
// tiles of bm pixels by bn channels
inline void lay_tiles(gather &g, int bm, int bn) {
    g.tiles = 0;
    for (int p = 0; p < g.phases; p++) {
        g.phase[p].first_tile = g.tiles;
        g.tiles += (g.phase[p].rows * g.phase[p].across + bm - 1) / bm;
    }
    g.column_tiles = (g.out_c + bn - 1) / bn;
}
inline int64_t result_count(const gather &g) {
    return int64_t(g.n) * g.out_h * g.out_w * g.out_c;
}

// --- which tile a block has ----------------------------------------------------------------------
struct task {
    int split, n, tile, column; // tile: of the sample; column: the first channel
    int phase, pixel;           // the first one of the phase
};
__device__ inline task task_of(const gather &g, int bm, int bn) {
    int64_t at = blockIdx.x;
    task t;
    t.column = int(at % g.column_tiles) * bn; // neighbours read the same pixels
    at /= g.column_tiles;
    t.tile = int(at % g.tiles);
    at /= g.tiles;
    t.n = int(at % g.n);
    t.split = int(at / g.n);
    t.phase = 0;
    for (int p = 1; p < g.phases; p++)
        if (t.tile >= g.phase[p].first_tile) t.phase = p;
    t.pixel = (t.tile - g.phase[t.phase].first_tile) * bm;
    return t;
}
inline unsigned blocks_of(const gather &g) {
    return unsigned(int64_t(g.splits) * g.n * g.tiles * g.column_tiles);
}

// --- what becomes of a result: F::value(place, keep, v, sum), see reduce.cuh for the rest --------
// FORWARD, BACKWARD: of which product, to compile no others
template <class T> struct activate {
    static constexpr int KEEP = layer::KEEP, SUMS = 0;
    static constexpr bool FORWARD = true, BACKWARD = false;
    layer of;
    T *y;
    bool add;
    template <int N> __device__ void start(int64_t n, int64_t column, float (&keep)[2][N]) const {
        of.start<N>(n, column, keep);
    }
    template <int N>
    __device__ void value(const place &p, const float (&keep)[2][N], float (&v)[N],
                          float (&)[1][N]) const {
        of.forward<N>(p, keep, v);
        chl::store(y + p.at, v, add);
    }
};
// dx = s v, and ds = the sum of x v over the pixels
template <class T> struct gradient {
    static constexpr int KEEP = 1, SUMS = 1;
    static constexpr bool FORWARD = false, BACKWARD = true;
    const T *x;
    const float *s;
    T *dx;
    float *ds;
    int64_t channels;
    bool add, add_ds;
    template <int N> __device__ void start(int64_t n, int64_t column, float (&keep)[1][N]) const {
        chl::load_floats(s + n * channels + column, keep[0]);
    }
    template <int N>
    __device__ void value(const place &p, const float (&keep)[1][N], float (&v)[N],
                          float (&sum)[1][N]) const {
        if (ds) {
            float here[N];
            chl::load(x + p.at, here);
            for (int e = 0; e < N; e++) sum[0][e] += here[e] * v[e];
        }
        for (int e = 0; e < N; e++) v[e] *= keep[0][e];
        if (dx) chl::store(dx + p.at, v, add);
    }
    bool summed() const { return ds != nullptr; }
    __device__ void finish(int64_t n, int64_t column, const float (&total)[1]) const {
        if (ds) chl::put(ds + n * channels + column, total[0], add_ds);
    }
};
// as it is: z, and parts
template <class T> struct keep_result {
    static constexpr int KEEP = 0, SUMS = 0;
    static constexpr bool FORWARD = true, BACKWARD = sizeof(T) == 4; // z; parts of either
    T *y;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void value(const place &p, const float (&)[1][N], float (&v)[N],
                          float (&)[1][N]) const {
        if constexpr (N * sizeof(T) > 16) { // eight floats
            for (int e = 0; e < N; e += 4) {
                const float four[4] = {v[e], v[e + 1], v[e + 2], v[e + 3]};
                chl::store(y + p.at + e, four, false);
            }
        } else
            chl::store(y + p.at, v, false);
    }
};
// the same for the sum of parts
template <class F> struct from_parts {
    static constexpr int KEEP = F::KEEP, SUMS = F::SUMS;
    F f;
    const float *parts;
    int64_t size;
    int splits;
    template <int N>
    __device__ void start(int64_t n, int64_t column, float (&keep)[KEEP > 0 ? KEEP : 1][N]) const {
        f.template start<N>(n, column, keep);
    }
    template <int N>
    __device__ void at(const place &p, const float (&keep)[KEEP > 0 ? KEEP : 1][N],
                       float (&sum)[SUMS > 0 ? SUMS : 1][N]) const {
        float v[N] = {};
        for (int k = 0; k < splits; k++) {
            float part[N];
            chl::load_floats(parts + k * size + p.at, part);
            for (int e = 0; e < N; e++) v[e] += part[e];
        }
        f.template value<N>(p, keep, v, sum);
    }
    template <class S> __device__ void finish(int64_t n, int64_t column, const S &total) const {
        f.finish(n, column, total);
    }
};

// --- which result pixel of its phase a tile's row r is ------------------------------------------
struct result_pixel {
    int a, b;
    bool inside;
};
struct in_order {
    int rows, across, first;
    __device__ result_pixel operator()(int r) const {
        const int pixel = first + r;
        return {pixel / across, pixel % across, pixel < rows * across};
    }
};
__device__ inline in_order order_of(const gather &g, const task &t) {
    return {g.phase[t.phase].rows, g.phase[t.phase].across, t.pixel};
}

// --- the end of a block: its tile of results lies in shared memory -------------------------------
// staging [BM][BN + 4]; the sums over the tile's pixels go to sums [n, tiles, SUMS, out_c]
// Eight channels a thread; of many sums four, or their registers would leave a multiprocessor one
// block instead of two.
template <int BM, int BN, int THREADS, int WIDEST, class Where, class F>
__device__ inline void leave(float *staging, const gather &g, const task &t, const Where &where,
                             const F &f, float *sums) {
    constexpr int N = F::SUMS > 2 && WIDEST > 4 ? 4 : WIDEST;
    constexpr int PACKS = BN / N, ROWS = THREADS / PACKS, PITCH = BN + 4;
    const one_phase &ph = g.phase[t.phase];
    const int at = int(threadIdx.x) % PACKS * N, column = t.column + at;
    const int first = int(threadIdx.x) / PACKS;
    float keep[F::KEEP > 0 ? F::KEEP : 1][N], sum[F::SUMS > 0 ? F::SUMS : 1][N] = {};
    if (column < g.out_c) {
        f.template start<N>(t.n, column, keep);
        for (int r = first; r < BM; r += ROWS) {
            const result_pixel here = where(r);
            if (!here.inside) continue;
            place p = {t.n,
                       int64_t(here.a * g.spread + ph.top) * g.out_w + here.b * g.spread + ph.left,
                       column, 0};
            // a split writes its own copy of the result
            p.at = ((int64_t(t.split) * g.n + t.n) * g.out_h * g.out_w + p.row) * g.out_c + column;
            float v[N];
            chl::load_floats(staging + r * PITCH + at, v);
            f.template value<N>(p, keep, v, sum);
        }
    }
#pragma unroll
    for (int s = 0; s < F::SUMS; s++) {
        __syncthreads();
        for (int e = 0; e < N; e++) staging[first * PITCH + at + e] = sum[s][e];
        __syncthreads();
        for (int c = int(threadIdx.x); c < BN && t.column + c < g.out_c; c += THREADS) {
            float total = 0;
            for (int r = 0; r < ROWS; r++) total += staging[r * PITCH + c];
            sums[((int64_t(t.n) * g.tiles + t.tile) * F::SUMS + s) * g.out_c + t.column + c] =
                total;
        }
    }
}
} // namespace modconv
