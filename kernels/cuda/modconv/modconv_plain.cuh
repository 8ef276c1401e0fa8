// Modulated convolution for any sizes, in floats: tiles of 64 pixels by 64 channels, 16 terms at a
// time, 4 x 4 results a thread. Bound by arithmetic without tensor cores (67 TFLOP/s on an H100);
// what bf16 activations with odd numbers of channels get, too.
#pragma once
#include "cuda/modconv/modconv.cuh"

namespace modconv {
constexpr int PLAIN = 64, PLAIN_DEPTH = 16, PLAIN_THREADS = 256, PLAIN_PITCH = PLAIN + 4;

// w [O,I,3,3] as a [terms, columns] matrix for each tap
struct plain_weights {
    const float *w;
    int64_t row, column; // steps, in floats
    float gain;
};

// A thread's 4 x 4 of [64, DEPTH] by [DEPTH, 64], both turned so that a term's numbers are beside
// each other.
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

// 64 gathered pixels by DEPTH channels from channel c0 on, times the style
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

// --- weight gradient: parts [9, O, I] of sums over pixels ----------------------------------------
// dw[o,i,tap] = gain * sum over n and pixels of g[gathered, o] * s[n,i] x[gathered, i]
struct correlation {
    int n, h, w; // pixels summed over
    int g_h, g_w, x_h, x_w;
    int g_step, g_tap, x_tap, x_shift; // g at step * pixel + tap if g_tap, x at pixel + tap - shift
    int in_c, out_c, parts;
};
inline correlation correlation_of(const chl_conv_attributes &a) {
    if (a.up) return {a.n, a.h, a.w, 2 * a.h + 1, 2 * a.w + 1, a.h, a.w, 2, 1, 0, 0, a.i, a.o, 1};
    return {a.n, a.h, a.w, a.h, a.w, a.h, a.w, 1, 0, 1, 1, a.i, a.o, 1};
}

template <class T>
SIMT_KERNEL((PLAIN_THREADS, 2), plain_correlation, correlation z, const T *g, const T *x,
            const float *style, float *parts) {
    SIMT_SHARED(memory, float[PLAIN * PLAIN_PITCH]);
    float *ta = memory, *tb = memory + PLAIN_DEPTH * PLAIN_PITCH;
    const int across = (z.in_c + PLAIN - 1) / PLAIN, down = (z.out_c + PLAIN - 1) / PLAIN;
    const int i0 = int(blockIdx.x) % across * PLAIN, o0 = int(blockIdx.x) / across % down * PLAIN;
    const int tap = int(blockIdx.x) / (across * down) % 9;
    const int64_t part = blockIdx.x / (across * down * 9);
    const int64_t pixels = int64_t(z.h) * z.w, total = z.n * pixels;
    const int64_t end = total * (part + 1) / z.parts;
    float acc[4][4] = {};
    for (int64_t p0 = total * part / z.parts; p0 < end; p0 += PLAIN_DEPTH) {
        __syncthreads();
        for (int e = int(threadIdx.x); e < PLAIN * PLAIN_DEPTH; e += PLAIN_THREADS) {
            const int c = e % PLAIN;
            const int64_t p = p0 + e / PLAIN, n = p / pixels;
            const int row = int(p % pixels / z.w), column = int(p % pixels % z.w);
            const int g_row = row * z.g_step + z.g_tap * (tap / 3);
            const int g_column = column * z.g_step + z.g_tap * (tap % 3);
            const int x_row = row + z.x_tap * (tap / 3) - z.x_shift;
            const int x_column = column + z.x_tap * (tap % 3) - z.x_shift;
            const bool inside =
                p < end && x_row >= 0 && x_row < z.x_h && x_column >= 0 && x_column < z.x_w;
            float left = 0, right = 0;
            if (inside && o0 + c < z.out_c)
                left = chl::get(g + ((n * z.g_h + g_row) * z.g_w + g_column) * z.out_c + o0 + c);
            if (inside && i0 + c < z.in_c)
                right = chl::get(x + ((n * z.x_h + x_row) * z.x_w + x_column) * z.in_c + i0 + c) *
                        style[n * z.in_c + i0 + c];
            ta[e / PLAIN * PLAIN_PITCH + c] = left;
            tb[e / PLAIN * PLAIN_PITCH + c] = right;
        }
        __syncthreads();
        multiply_plain(acc, ta, tb);
    }
    const int row = o0 + int(threadIdx.x) / 16 * 4, column = i0 + int(threadIdx.x) % 16 * 4;
    for (int r = 0; r < 4 && row + r < z.out_c; r++)
        for (int c = 0; c < 4 && column + c < z.in_c; c++)
            parts[((part * 9 + tap) * z.out_c + row + r) * z.in_c + column + c] = acc[r][c];
}
template <class T>
chl_kernel_status run_plain_correlation(const chl_call *call, const correlation &z, const T *g,
                                        const T *x, const float *style, float *parts) {
    const int64_t blocks =
        int64_t(z.parts) * 9 * ((z.in_c + PLAIN - 1) / PLAIN) * ((z.out_c + PLAIN - 1) / PLAIN);
    return chl::status(simt::launch(plain_correlation<T>,
                                    {dim3(unsigned(blocks)), dim3(PLAIN_THREADS)}, call->stream, z,
                                    g, x, style, parts));
}
} // namespace modconv
