// What becomes of a product's results: the epilogues that the product kernels share, and the end of
// a block, which hands them its tile.
//
// An epilogue F is a functor, passed to a kernel by value (reduce.cuh describes the interface):
//     start(n, column, keep)       loads what a thread needs of its channels, F::KEEP numbers each
//     value(place, keep, v, sum)   takes N neighbouring channels of a result pixel and stores them;
//                                  adds to F::SUMS sums over the pixels
//     finish(n, column, total)     takes the sums over all pixels of a sample
// F::FORWARD and F::BACKWARD say in which products it occurs, so that no others are compiled.
#pragma once
#include "cuda/modconv/gather.cuh"

namespace modconv {
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
// The data gradient's epilogue: dx = s v, and ds = the sum of x v over the pixels.
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
// Stores the result unchanged: z, and the parts of either direction.
template <class T> struct keep_result {
    static constexpr int KEEP = 0, SUMS = 0;
    // z is of type T and forward only; parts are float
    static constexpr bool FORWARD = true, BACKWARD = sizeof(T) == 4;
    T *y;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void value(const place &p, const float (&)[1][N], float (&v)[N],
                          float (&)[1][N]) const {
        if constexpr (N * sizeof(T) > 16) { // eight floats: two stores of 16 bytes
            for (int e = 0; e < N; e += 4) {
                const float four[4] = {v[e], v[e + 1], v[e + 2], v[e + 3]};
                chl::store(y + p.at + e, four, false);
            }
        } else
            chl::store(y + p.at, v, false);
    }
};
// Applies the epilogue F to the sum of the parts; an F of reduce.cuh's `columns`.
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

// --- the end of a block, whose tile of results lies in shared memory -----------------------------
// Applies f to the tile in staging [BM][BN + 4]; the sums over the tile's pixels go to sums [n,
// tiles, SUMS, out_c]. A thread takes eight channels, or four where f has more than two sums: with
// eight their registers would leave one block on a multiprocessor instead of two.
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
