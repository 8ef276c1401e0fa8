// The gathered product for any sizes and types, in float arithmetic: tiles of 64 pixels by 64
// channels, 16 terms at a time, 4 x 4 results a thread. It computes float activations, and bf16
// ones that the tensor cores' paths do not take: other numbers of channels, and samples or weights
// of 2^30 numbers and more. Bound by arithmetic without tensor cores (67 TFLOP/s on an H100).
#pragma once
#include "cuda/modconv/results.cuh"

namespace modconv {
constexpr int PLAIN = 64, PLAIN_DEPTH = 16, PLAIN_THREADS = 256, PLAIN_PITCH = PLAIN + 4;

// w [O,I,3,3] as a [terms, columns] matrix for each tap
struct plain_weights {
    const float *w;
    int64_t row, column; // strides of the matrix, in floats
    float gain;
};

// A thread's 4 x 4 results of [64, DEPTH] by [DEPTH, 64]. Both factors are stored transposed, so
// that the numbers of one term are adjacent.
__device__ inline void multiply_plain(float (&acc)[4][4], const float *a, const float *b) {
    const int row = int(threadIdx.x) / 16 * 4, column = int(threadIdx.x) % 16 * 4;
#pragma unroll
    for (int k = 0; k < PLAIN_DEPTH; k++) {
        float left[4], right[4];
        chl::load_floats(a + k * PLAIN_PITCH + row, left);
        chl::load_floats(b + k * PLAIN_PITCH + column, right);
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) acc[i][j] += left[i] * right[j];
    }
}
__device__ inline void stage_plain(float *staging, const float (&acc)[4][4]) {
    const int row = int(threadIdx.x) / 16 * 4, column = int(threadIdx.x) % 16 * 4;
    __syncthreads();
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) staging[(row + i) * PLAIN_PITCH + column + j] = acc[i][j];
    __syncthreads();
}

// Loads DEPTH channels from c0 on of 64 gathered pixels, times the style.
template <class T>
__device__ inline void load_pixels(float *to, const gather &g, const task &t, const one_tap &k,
                                   const T *x, const float *style, int c0) {
    const one_phase &ph = g.phase[t.phase];
    for (int i = int(threadIdx.x); i < PLAIN * PLAIN_DEPTH; i += PLAIN_THREADS) {
        const int r = i / PLAIN_DEPTH, c = c0 + i % PLAIN_DEPTH, pixel = t.pixel + r;
        const int row = pixel / ph.across * g.step + k.dy;
        const int column = pixel % ph.across * g.step + k.dx;
        const bool inside = pixel < ph.rows * ph.across && c < g.in_c && row >= 0 && row < g.in_h &&
                            column >= 0 && column < g.in_w;
        float v = 0;
        if (inside) {
            v = chl::get(x + ((int64_t(t.n) * g.in_h + row) * g.in_w + column) * g.in_c + c);
            if (style) v *= style[int64_t(t.n) * g.in_c + c];
        }
        to[(i % PLAIN_DEPTH) * PLAIN_PITCH + r] = v;
    }
}
__device__ inline void load_weights(float *to, const gather &g, const task &t, const one_tap &k,
                                    const plain_weights &w, int c0) {
    for (int i = int(threadIdx.x); i < PLAIN * PLAIN_DEPTH; i += PLAIN_THREADS) {
        const int column = t.column + i / PLAIN_DEPTH, c = c0 + i % PLAIN_DEPTH;
        const bool inside = column < g.out_c && c < g.in_c;
        to[(i % PLAIN_DEPTH) * PLAIN_PITCH + i / PLAIN_DEPTH] =
            inside ? w.gain * w.w[c * w.row + column * w.column + k.index] : 0;
    }
}

template <int N, class T, class F>
SIMT_KERNEL((PLAIN_THREADS, 2), plain_product, gather g, const T *x, const float *style,
            plain_weights w, F f, float *sums) {
    SIMT_SHARED(memory, float[PLAIN * PLAIN_PITCH]);
    float *ta = memory, *tb = memory + PLAIN_DEPTH * PLAIN_PITCH;
    const task t = task_of(g, PLAIN, PLAIN);
    const int chunks = (g.in_c + PLAIN_DEPTH - 1) / PLAIN_DEPTH;
    const int steps = g.phase[t.phase].taps * chunks;
    float acc[4][4] = {};
    for (int i = 0; i < steps; i++) {
        const one_tap k = g.phase[t.phase].tap[i / chunks];
        const int c0 = i % chunks * PLAIN_DEPTH;
        __syncthreads();
        load_pixels(ta, g, t, k, x, style, c0);
        load_weights(tb, g, t, k, w, c0);
        __syncthreads();
        multiply_plain(acc, ta, tb);
    }
    stage_plain(memory, acc);
    leave<PLAIN, PLAIN, PLAIN_THREADS, N>(memory, g, t, order_of(g, t), f, sums);
}

template <class T, class F>
chl_kernel_status run_plain(const chl_call *call, const gather &g, const T *x, const float *style,
                            const plain_weights &w, const F &f, float *sums) {
    const auto kernel =
        g.out_c % chl::PACK<T> ? plain_product<1, T, F> : plain_product<chl::PACK<T>, T, F>;
    return chl::status(simt::launch(kernel, {dim3(blocks_of(g)), dim3(PLAIN_THREADS)}, call->stream,
                                    g, x, style, w, f, sums));
}
} // namespace modconv
