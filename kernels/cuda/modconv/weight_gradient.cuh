// The weight gradient of a modulated convolution: a correlation of g with the styled activations,
//     dw[o,i,tap] = gain * sum over n and pixels of g[n, gathered, o] * s[n,i] x[n, gathered, i]
//
// A block makes 64 x 64 results of one tap over a share of the pixels; the shares leave float parts
// [parts, 9, O, I] that modconv.cu adds in order, so the result does not depend on which block ends
// first. With up-sampling g is first spread by the filter's transpose (fir.cuh), and a pixel of x
// meets pixel (2 y + ky, 2 x + kx) of it; otherwise x is read one tap aside. bf16 with channels in
// multiples of 8 goes to the tensor cores, everything else to the plain kernel. Both factors are
// read once for each tap, from the cache. Needed in training only: an edit never asks for it.
#pragma once
#include "cuda/modconv/ampere.cuh"

namespace modconv {
struct correlation {
    int n, h, w; // the sum runs over n samples of h x w pixels
    int g_h, g_w, x_h, x_w;
    // g is read at step * pixel + g_tap * tap, x at pixel + x_tap * tap - x_shift
    int g_step, g_tap, x_tap, x_shift;
    int in_c, out_c, parts;
};
inline correlation correlation_of(const chl_conv_attributes &a) {
    if (a.up) return {a.n, a.h, a.w, 2 * a.h + 1, 2 * a.w + 1, a.h, a.w, 2, 1, 0, 0, a.i, a.o, 1};
    return {a.n, a.h, a.w, a.h, a.w, a.h, a.w, 1, 0, 1, 1, a.i, a.o, 1};
}

// The pixels of g and of x that meet at pixel `pixel` of the sum and this tap.
struct pixel_pair {
    int64_t g, x; // offset of their first channel; -1: x lies outside the picture
};
__device__ inline pixel_pair pair_of(const correlation &z, int64_t n, int pixel, int tap) {
    const int row = pixel / z.w, column = pixel % z.w;
    const int g_row = row * z.g_step + z.g_tap * (tap / 3);
    const int g_column = column * z.g_step + z.g_tap * (tap % 3);
    const int x_row = row + z.x_tap * (tap / 3) - z.x_shift;
    const int x_column = column + z.x_tap * (tap % 3) - z.x_shift;
    if (pixel >= z.h * z.w || x_row < 0 || x_row >= z.x_h || x_column < 0 || x_column >= z.x_w)
        return {-1, -1};
    return {((n * z.g_h + g_row) * z.g_w + g_column) * z.out_c,
            ((n * z.x_h + x_row) * z.x_w + x_column) * z.in_c};
}

// --- any type and number of channels, in floats --------------------------------------------------
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
            const pixel_pair at = pair_of(z, n, int(p % pixels), tap);
            const bool inside = p < end && at.x >= 0;
            float left = 0, right = 0;
            if (inside && o0 + c < z.out_c) left = chl::get(g + at.g + o0 + c);
            if (inside && i0 + c < z.in_c)
                right = chl::get(x + at.x + i0 + c) * style[n * z.in_c + i0 + c];
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

// --- bf16 on tensor cores, 32 pixels at a time ---------------------------------------------------
constexpr int DW = 64, DW_THREADS = 128, DW_PITCH = DW + 8;

// Copies 64 channels of 32 pixels of g and of x, from pixel p0 of sample n on.
__device__ inline void copy_pair(bf16 *tg, bf16 *tx, const correlation &z, int64_t n, int p0,
                                 int tap, const bf16 *g, const bf16 *x, int o0, int i0) {
    for (int i = int(threadIdx.x); i < DEPTH * (DW / 8); i += DW_THREADS) {
        const int r = i / (DW / 8), c = i % (DW / 8) * 8;
        const pixel_pair at = pair_of(z, n, p0 + r, tap);
        const bool has_g = at.g >= 0 && o0 + c < z.out_c, has_x = at.x >= 0 && i0 + c < z.in_c;
        simt::cp_async16(tg + r * DW_PITCH + c, g + (has_g ? at.g + o0 + c : 0), has_g);
        simt::cp_async16(tx + r * DW_PITCH + c, x + (has_x ? at.x + i0 + c : 0), has_x);
    }
}
__device__ inline void multiply_pair(float (&acc)[2][4][4], const bf16 *tg, const bf16 *tx,
                                     const uint32_t (&s)[4]) {
#pragma unroll
    for (int kk = 0; kk < DEPTH; kk += 16) {
        uint32_t fb[4][2];
        load_b<4, true>(fb, tx + kk * DW_PITCH, DW_PITCH);
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 2; k++) fb[j][k] = times(fb[j][k], s[j]);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            uint32_t fa[4];
            tile::load_a_transposed(fa, tg + kk * DW_PITCH + i * 16, DW_PITCH);
#pragma unroll
            for (int j = 0; j < 4; j++) simt::mma_m16n8k16(acc[i][j], fa, fb[j]);
        }
    }
}

SIMT_KERNEL((DW_THREADS), tile_correlation, correlation z, const bf16 *g, const bf16 *x,
            const float *style, float *parts) {
    SIMT_SHARED(tg, bf16[STAGES][DEPTH * DW_PITCH]);
    SIMT_SHARED(tx, bf16[STAGES][DEPTH * DW_PITCH]);
    const int across = (z.in_c + DW - 1) / DW, down = (z.out_c + DW - 1) / DW;
    const int i0 = int(blockIdx.x) % across * DW, o0 = int(blockIdx.x) / across % down * DW;
    const int tap = int(blockIdx.x) / (across * down) % 9;
    const int64_t part = blockIdx.x / (across * down * 9);
    // steps of 32 pixels, each within one sample
    const int64_t chunks = (int64_t(z.h) * z.w + DEPTH - 1) / DEPTH, steps = z.n * chunks;
    const int64_t begin = steps * part / z.parts, end = steps * (part + 1) / z.parts;
    const auto load = [&](int64_t step) {
        if (step < end)
            copy_pair(tg[step % STAGES], tx[step % STAGES], z, step / chunks,
                      int(step % chunks) * DEPTH, tap, g, x, o0, i0);
        simt::cp_async_commit();
    };
    for (int s = 0; s < STAGES - 1; s++) load(begin + s);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int wm = warp % 2 * 32, wn = warp / 2 * 32;
    float acc[2][4][4] = {};
    for (int64_t step = begin; step < end; step++) {
        uint32_t s[4];
        for (int j = 0; j < 4; j++) { // all numbers of a lane's B fragment belong to one column
            const int i = i0 + wn + j * 8 + lane / 4;
            const float v = i < z.in_c ? style[step / chunks * z.in_c + i] : 0;
            s[j] = tile::pack(v, v);
        }
        simt::cp_async_wait<STAGES - 2>();
        __syncthreads();
        load(step + STAGES - 1);
        multiply_pair(acc, tg[step % STAGES] + wm, tx[step % STAGES] + wn, s);
    }
    simt::cp_async_wait<0>();
    float *to = parts + (part * 9 + tap) * z.out_c * z.in_c;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            for (int r = 0; r < 4; r++) {
                const int o = o0 + wm + i * 16 + r / 2 * 8 + lane / 4;
                const int c = i0 + wn + j * 8 + lane % 4 * 2 + r % 2;
                if (o < z.out_c && c < z.in_c) to[int64_t(o) * z.in_c + c] = acc[i][j][r];
            }
}
inline chl_kernel_status run_tile_correlation(const chl_call *call, const correlation &z,
                                              const bf16 *g, const bf16 *x, const float *style,
                                              float *parts) {
    const int64_t blocks =
        int64_t(z.parts) * 9 * ((z.in_c + DW - 1) / DW) * ((z.out_c + DW - 1) / DW);
    return chl::status(simt::launch(tile_correlation, {dim3(unsigned(blocks)), dim3(DW_THREADS)},
                                    call->stream, z, g, x, style, parts));
}

// parts from g, x and style, by the kernel that the type and the channels allow
template <class T>
chl_kernel_status correlate(const chl_call *call, const correlation &z, const T *g, const T *x,
                            const float *style, float *parts) {
    if constexpr (sizeof(T) == 2)
        if (z.in_c % 8 == 0 && z.out_c % 8 == 0)
            return run_tile_correlation(call, z, g, x, style, parts);
    return run_plain_correlation(call, z, g, x, style, parts);
}
} // namespace modconv
