// Up-sampling's filter [1,3,3,1] x [1,3,3,1] / 16, applied to the transposed convolution's result
// z, and its transpose:
//     result[i, j] = sum over k, l of f[k] f[l] from[i - lead + k, j - lead + l]
// lead 1 computes y [2h, 2w] from z [2h+1, 2w+1]; lead 2 computes the gradient of z from that of y.
// A thread computes two adjacent pixels, so that a number is read ten times instead of sixteen:
// once from memory, else from the cache. Bound by memory.
#pragma once
#include "cuda/modconv/results.cuh"

namespace modconv {
constexpr int FIR_THREADS = 256;

struct fir {
    int n, from_h, from_w, h, w, channels, lead;
};

// Index: int32_t where it holds the number of items and of a sample's numbers, else int64_t; a
// 64-bit division takes some 100 instructions. The loops are unrolled so that every weight is a
// constant.
template <int N, class Index, class T, class F>
SIMT_KERNEL((FIR_THREADS), fir_kernel, fir z, const T *from, F f, int64_t count) {
    constexpr float weight[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    const Index packs = z.channels / N, pairs = (z.w + 1) / 2;
    const int64_t stride = int64_t(gridDim.x) * FIR_THREADS;
    for (int64_t i = int64_t(blockIdx.x) * FIR_THREADS + threadIdx.x; i < count; i += stride) {
        const Index item = Index(i), pair = item / packs, line = pair / pairs, n = line / z.h;
        const int c = int(item - pair * packs) * N, column = int(pair - line * pairs) * 2;
        const int row = int(line - n * z.h);
        const T *sample = from + int64_t(n) * z.from_h * z.from_w * z.channels + c;
        float sum[2][N] = {};
#pragma unroll
        for (int k = 0; k < 4; k++) {
            const int y = row - z.lead + k;
            if (y < 0 || y >= z.from_h) continue;
#pragma unroll
            for (int l = 0; l < 5; l++) {
                const int x = column - z.lead + l;
                if (x < 0 || x >= z.from_w) continue;
                float v[N];
                chl::load(sample + (Index(y) * z.from_w + x) * z.channels, v);
                for (int e = 0; e < N; e++) {
                    if (l < 4) sum[0][e] += weight[k] * weight[l] * v[e];
                    if (l > 0) sum[1][e] += weight[k] * weight[l - 1] * v[e];
                }
            }
        }
        float keep[F::KEEP > 0 ? F::KEEP : 1][N], none[1][N];
        f.template start<N>(n, c, keep);
#pragma unroll
        for (int s = 0; s < 2; s++) {
            if (column + s >= z.w) break;
            place p = {n, int64_t(row) * z.w + column + s, c, 0};
            p.at = (int64_t(n) * z.h * z.w + p.row) * z.channels + c;
            f.template value<N>(p, keep, sum[s], none);
        }
    }
}

template <class T, class F>
chl_kernel_status run_fir(const chl_call *call, const fir &z, const T *from, const F &f) {
    constexpr int PACK = chl::PACK<T>;
    const bool packed = z.channels % PACK == 0;
    const int64_t count = int64_t(z.n) * z.h * ((z.w + 1) / 2) * (z.channels / (packed ? PACK : 1));
    const int64_t sample = int64_t(z.from_h) * z.from_w * z.channels;
    const bool narrow = count <= INT32_MAX && sample <= INT32_MAX;
    const int64_t max_blocks = 132 * 32, blocks = (count + FIR_THREADS - 1) / FIR_THREADS;
    const auto kernel =
        packed ? (narrow ? fir_kernel<PACK, int32_t, T, F> : fir_kernel<PACK, int64_t, T, F>)
               : (narrow ? fir_kernel<1, int32_t, T, F> : fir_kernel<1, int64_t, T, F>);
    return chl::status(simt::launch(
        kernel, {dim3(unsigned(blocks < max_blocks ? blocks : max_blocks)), dim3(FIR_THREADS)},
        call->stream, z, from, f, count));
}
inline fir fir_forward(const chl_conv_attributes &a) {
    return {a.n, 2 * a.h + 1, 2 * a.w + 1, 2 * a.h, 2 * a.w, a.o, 1};
}
inline fir fir_backward(const chl_conv_attributes &a) {
    return {a.n, 2 * a.h, 2 * a.w, 2 * a.h + 1, 2 * a.w + 1, a.o, 2};
}
} // namespace modconv
