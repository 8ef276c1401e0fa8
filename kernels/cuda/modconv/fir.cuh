// Up-sampling's filter [1,3,3,1] x [1,3,3,1] / 16, applied to the transposed convolution's result
// z, and its transpose:
//     result[i, j] = sum over k, l of f[k] f[l] from[i - lead + k, j - lead + l]
// lead 1 computes y [2h, 2w] from z [2h+1, 2w+1]; lead 2 computes the gradient of z from that of y.
// A thread computes a column of up to 8 pixels, so that a row is filtered horizontally once for four
// results: 5.5 reads and 11 multiplications a result instead of 16 and 16. Bound by memory.
#pragma once
#include "cuda/modconv/results.cuh"

namespace modconv {
constexpr int FIR_THREADS = 256;

struct fir {
    int n, from_h, from_w, h, w, channels, lead;
    int rows = 8, strips = 0; // pixels of a thread's column; columns from top to bottom
};

// Filters a column of `rows` pixels, N channels each. read(row, l, v) gives input row `row` at
// the l-th of the four columns that the filter covers; write(row, v) receives result row `row`,
// computed from input rows `row` to `row + 3`.
template <int N, class Read, class Write>
__device__ inline void filter_column(int rows, const Read &read, const Write &write) {
    constexpr float weight[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    float window[3][N] = {}; // the last three rows, already filtered horizontally
    for (int row = 0; row < rows + 3; row++) {
        float sum[N] = {};
#pragma unroll
        for (int l = 0; l < 4; l++) {
            float v[N] = {};
            read(row, l, v);
            for (int e = 0; e < N; e++) sum[e] += weight[l] * v[e];
        }
        float out[N];
        for (int e = 0; e < N; e++) {
            out[e] = weight[0] * window[0][e] + weight[1] * window[1][e] +
                     weight[2] * window[2][e] + weight[3] * sum[e];
            window[0][e] = window[1][e];
            window[1][e] = window[2][e];
            window[2][e] = sum[e];
        }
        if (row >= 3) write(row - 3, out);
    }
}

// Index: int32_t where it holds the number of items and of a sample's numbers, else int64_t.
template <int N, class Index, class T, class F>
SIMT_KERNEL((FIR_THREADS), fir_kernel, fir z, const T *from, F f, Index count) {
    const Index item = Index(blockIdx.x) * FIR_THREADS + Index(threadIdx.x);
    if (item >= count) return;
    const Index packs = z.channels / N, at = item / packs, strip = at / z.w, n = strip / z.strips;
    const int c = int(item - at * packs) * N, column = int(at - strip * z.w);
    const int top = int(strip - n * z.strips) * z.rows;
    const T *sample = from + int64_t(n) * z.from_h * z.from_w * z.channels + c;
    float keep[F::KEEP > 0 ? F::KEEP : 1][N], none[1][N];
    f.template start<N>(n, c, keep);
    place p = {n, int64_t(top) * z.w + column, c, 0};
    p.at = (int64_t(n) * z.h * z.w + p.row) * z.channels + c;
    filter_column<N>(
        z.h - top < z.rows ? z.h - top : z.rows,
        [&](int row, int l, float(&v)[N]) {
            const int y = top + row - z.lead, x = column + l - z.lead;
            if (unsigned(y) < unsigned(z.from_h) && unsigned(x) < unsigned(z.from_w))
                chl::load(sample + (Index(y) * z.from_w + x) * z.channels, v);
        },
        [&](int, float(&v)[N]) {
            f.template value<N>(p, keep, v, none);
            p.row += z.w;
            p.at += int64_t(z.w) * z.channels;
        });
}

template <class T, class F>
chl_kernel_status run_fir(const chl_call *call, fir z, const T *from, const F &f) {
    constexpr int PACK = chl::PACK<T>;
    const bool packed = z.channels % PACK == 0;
    const auto items = [&] { // with columns of z.rows pixels
        z.strips = (z.h + z.rows - 1) / z.rows;
        return int64_t(z.n) * z.strips * z.w * (z.channels / (packed ? PACK : 1));
    };
    constexpr int64_t ENOUGH = 512; // threads a multiprocessor: fewer hide no latency
    while (z.rows > 2 && items() < ENOUGH * chl::gpu.fill) z.rows /= 2;
    const int64_t count = items(), blocks = (count + FIR_THREADS - 1) / FIR_THREADS;
    const simt::shape shape = {dim3(unsigned(blocks)), dim3(FIR_THREADS)};
    if (count <= INT32_MAX - FIR_THREADS && int64_t(z.from_h) * z.from_w * z.channels <= INT32_MAX)
        return chl::status(
            simt::launch(packed ? fir_kernel<PACK, int32_t, T, F> : fir_kernel<1, int32_t, T, F>,
                         shape, call->stream, z, from, f, int32_t(count)));
    return chl::status(
        simt::launch(packed ? fir_kernel<PACK, int64_t, T, F> : fir_kernel<1, int64_t, T, F>, shape,
                     call->stream, z, from, f, count));
}
inline fir fir_forward(const chl_conv_attributes &a) {
    return {a.n, 2 * a.h + 1, 2 * a.w + 1, 2 * a.h, 2 * a.w, a.o, 1};
}
inline fir fir_backward(const chl_conv_attributes &a) {
    return {a.n, 2 * a.h, 2 * a.w, 2 * a.h + 1, 2 * a.w + 1, a.o, 2};
}
} // namespace modconv
