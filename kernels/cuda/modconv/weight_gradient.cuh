// The weight gradient of a modulated convolution: a correlation of g with the styled activations,
//     dw[o,i,tap] = gain * sum over n and pixels of g[n, gathered, o] * s[n,i] x[n, gathered, i]
//
// A block makes 64 x 64 results of one tap over a share of the pixels; the shares leave float parts
// [parts, 9, O, I] that modconv.cu adds in order, so the result does not depend on which block ends
// first. With up-sampling g is first spread by the filter's transpose (fir.cuh), and a pixel of x
// meets pixel (2 y + ky, 2 x + kx) of it; otherwise x is read one tap aside. bf16 with channels in
// multiples of 8 and samples below 2^30 numbers goes to the tensor cores, everything else to the
// plain kernel. Both factors are read once for each tap, from the cache. Needed in training only: an
// edit never asks for it.
#pragma once
#include "cuda/modconv/ampere.cuh"

namespace modconv {
struct correlation {
    int n, h, w; // the sum runs over n samples of h x w pixels
    int g_h, g_w, x_h, x_w;
    // g is read at step * pixel + g_tap * tap, x at pixel + x_tap * tap - x_shift
    int g_step, g_tap, x_tap, x_shift;
    int in_c, out_c, parts;
    // numbers that 32-bit offsets reach (has_short_offsets): a sample of g and of x. A step's last
    // pixels may lie behind the picture: their offsets are computed, although nothing is read there.
    std::array<int64_t, 4> spans() const {
        const int64_t g_row = int64_t(g_w) * out_c, x_row = int64_t(x_w) * in_c;
        const int64_t behind = DEPTH / w + 2; // rows that a step may reach there, with a tap's
        return {g_h * g_row, x_h * x_row, g_step * behind * g_row, behind * x_row};
    }
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

// What a thread copies: 8 channels of two pixels of g and of x, 16 pixels apart, 32 pixels further in
// every step. Offsets within a sample are 32 bits, and no step divides.
struct pair_rows {
    static constexpr int ROWS = DEPTH * (DW / 8) / DW_THREADS, APART = DEPTH / ROWS;
    const bf16 *g, *x;                       // the sample, at this thread's channels
    bool has_g, has_x;                       // whether those channels exist
    int p0;                                  // the step's first pixel
    int row[ROWS], column[ROWS];             // of the sum's pixels
    int first_row[ROWS], first_column[ROWS]; // where a sample begins
};
__device__ inline pair_rows pair_rows_of(const correlation &z, const bf16 *g, const bf16 *x, int o0,
                                         int i0, int64_t n, int p0) {
    const int c = int(threadIdx.x) % (DW / 8) * 8;
    pair_rows at;
    at.has_g = o0 + c < z.out_c;
    at.has_x = i0 + c < z.in_c;
    at.g = g + n * z.g_h * z.g_w * z.out_c + (at.has_g ? o0 + c : 0);
    at.x = x + n * z.x_h * z.x_w * z.in_c + (at.has_x ? i0 + c : 0);
    at.p0 = p0;
#pragma unroll
    for (int j = 0; j < pair_rows::ROWS; j++) {
        const int pixel = int(threadIdx.x) / (DW / 8) + j * pair_rows::APART;
        at.first_row[j] = pixel / z.w;
        at.first_column[j] = pixel % z.w;
        at.row[j] = (p0 + pixel) / z.w;
        at.column[j] = (p0 + pixel) % z.w;
    }
    return at;
}
__device__ inline void copy_pair(bf16 *tg, bf16 *tx, const correlation &z, const pair_rows &of,
                                 int tap_y, int tap_x) {
    const int to = int(threadIdx.x) / (DW / 8) * DW_PITCH + int(threadIdx.x) % (DW / 8) * 8;
#pragma unroll
    for (int j = 0; j < pair_rows::ROWS; j++) {
        const int y = of.row[j] + z.x_tap * tap_y - z.x_shift;
        const int x = of.column[j] + z.x_tap * tap_x - z.x_shift;
        const int g_row = of.row[j] * z.g_step + z.g_tap * tap_y;
        const int g_column = of.column[j] * z.g_step + z.g_tap * tap_x;
        const bool meet =
            of.row[j] < z.h && unsigned(y) < unsigned(z.x_h) && unsigned(x) < unsigned(z.x_w);
        const bool has_g = meet && of.has_g, has_x = meet && of.has_x;
        simt::cp_async16(tg + to + j * pair_rows::APART * DW_PITCH,
                         of.g + (g_row * z.g_w + g_column) * z.out_c, has_g);
        simt::cp_async16(tx + to + j * pair_rows::APART * DW_PITCH, of.x + (y * z.x_w + x) * z.in_c,
                         has_x);
    }
}
// Goes on by DEPTH pixels, that is `rows` rows and `columns` columns.
__device__ inline void advance(pair_rows &at, const correlation &z, int rows, int columns) {
    at.p0 += DEPTH;
    if (at.p0 >= z.h * z.w) {
        at.g += int64_t(z.g_h) * z.g_w * z.out_c;
        at.x += int64_t(z.x_h) * z.x_w * z.in_c;
        at.p0 = 0;
#pragma unroll
        for (int j = 0; j < pair_rows::ROWS; j++) {
            at.row[j] = at.first_row[j];
            at.column[j] = at.first_column[j];
        }
        return;
    }
#pragma unroll
    for (int j = 0; j < pair_rows::ROWS; j++) {
        at.row[j] += rows;
        at.column[j] += columns;
        if (at.column[j] >= z.w) {
            at.column[j] -= z.w;
            at.row[j]++;
        }
    }
}
__device__ inline void multiply_pair(float (&acc)[2][4][4], const bf16 *tg, const bf16 *tx,
                                     const uint32_t (&s)[4]) {
#pragma unroll
    for (int kk = 0; kk < DEPTH; kk += 16) {
        uint32_t fb[4][2];
        load_b<4, true>(fb, tx + kk * DW_PITCH, DW_PITCH);
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 2; k++) fb[j][k] = simt::mul_bf16x2(fb[j][k], s[j]);
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
    const int chunks = (z.h * z.w + DEPTH - 1) / DEPTH;
    const int64_t steps = int64_t(z.n) * chunks, begin = steps * part / z.parts;
    const int count = int(steps * (part + 1) / z.parts - begin);
    const int64_t sample = begin / chunks;
    int chunk = int(begin - sample * chunks);
    const int rows = DEPTH / z.w, columns = DEPTH % z.w, tap_y = tap / 3, tap_x = tap % 3;
    pair_rows next = pair_rows_of(z, g, x, o0, i0, sample, chunk * DEPTH);
    const auto load = [&](int step, int stage) {
        if (step < count) {
            copy_pair(tg[stage], tx[stage], z, next, tap_y, tap_x);
            advance(next, z, rows, columns);
        }
        simt::cp_async_commit();
    };
    for (int s = 0; s < STAGES - 1; s++) load(s, s);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int wm = warp % 2 * 32, wn = warp / 2 * 32;
    float acc[2][4][4] = {};
    uint32_t s[4];
    style += sample * z.in_c;
    for (int step = 0, stage = 0, last = STAGES - 1; step < count; step++) {
        if (step == 0 || chunk == 0) // all numbers of a lane's B fragment belong to one column
            for (int j = 0; j < 4; j++) {
                const int i = i0 + wn + j * 8 + lane / 4;
                const float v = i < z.in_c ? style[i] : 0;
                s[j] = tile::pack(v, v);
            }
        simt::cp_async_wait<STAGES - 2>();
        __syncthreads();
        load(step + STAGES - 1, last); // the previous step's stage
        multiply_pair(acc, tg[stage] + wm, tx[stage] + wn, s);
        last = stage;
        stage = stage < STAGES - 1 ? stage + 1 : 0;
        if (++chunk == chunks) {
            chunk = 0;
            style += z.in_c;
        }
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
        if (z.in_c % 8 == 0 && z.out_c % 8 == 0 && has_short_offsets(z))
            return run_tile_correlation(call, z, g, x, style, parts);
    return run_plain_correlation(call, z, g, x, style, parts);
}
} // namespace modconv
