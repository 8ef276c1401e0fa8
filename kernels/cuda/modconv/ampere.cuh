// The gathered product in bf16 on tensor cores (mma, sm_80 and later), channels in multiples of 8.
//
// A block computes BM pixels by BN channels. 32 terms (channels of one tap) at a time pass through
// three stages of asynchronous copies, which write zeros for pixels outside the picture. Rows of
// pixels are stored as in the tensor, and so are the weights [O,9,I]: forward a row of 32 terms for
// each result channel, in the data gradient a row of BN result channels for each term, which
// ldmatrix transposes. The style multiplies pixels in registers, between ldmatrix and mma: two
// terms per instruction, 4 multiplications for every WN / 8 products. Bound by arithmetic from 64
// channels and 32 x 32 pixels on; below that by the weights' bytes, and with 32 channels by the
// pixels' bytes.
#pragma once
#include "cuda/lib/tile.cuh"
#include "cuda/modconv/plain.cuh"

namespace modconv {
using chl::bf16;
constexpr int DEPTH = 32, STAGES = 3, PITCH = DEPTH + 8; // + 8: see tile.cuh

template <int BM, int BN, bool TURNED> struct tile_memory {
    static constexpr int A = BM * PITCH, B = TURNED ? DEPTH * (BN + 8) : BN * PITCH;
    static constexpr size_t STAGED = size_t(STAGES) * (A + B) * sizeof(bf16);
    static constexpr size_t RESULTS = size_t(BM) * (BN + 4) * sizeof(float);
};
// Bytes of shared memory: the stages and then the styles; the results overwrite both.
template <int BM, int BN, bool TURNED> size_t tile_bytes(const gather &g) {
    typedef tile_memory<BM, BN, TURNED> M;
    const size_t loop = M::STAGED + size_t((g.in_c + DEPTH - 1) / DEPTH * DEPTH) * sizeof(bf16);
    return loop > M::RESULTS ? loop : M::RESULTS;
}

// --- copies --------------------------------------------------------------------------------------
// In every step a thread copies the same rows of pixels, and the same 8 of the 32 channels.
template <int ROWS> struct pixel_rows {
    int64_t sample;              // offset of the sample's first number
    int row[ROWS], column[ROWS]; // of x, before the tap's shift is added
};
template <int BM, int THREADS>
__device__ inline pixel_rows<BM * 4 / THREADS> rows_of_pixels(const gather &g, const task &t) {
    const one_phase &ph = g.phase[t.phase];
    pixel_rows<BM * 4 / THREADS> all;
    all.sample = int64_t(t.n) * g.in_h * g.in_w * g.in_c;
    for (int j = 0; j < BM * 4 / THREADS; j++) {
        const int pixel = t.pixel + int(threadIdx.x) / 4 + j * (THREADS / 4);
        const bool inside = pixel < ph.rows * ph.across;
        all.row[j] = inside ? pixel / ph.across * g.step : -4; // no tap reaches the picture
        all.column[j] = pixel % ph.across * g.step;
    }
    return all;
}
template <int THREADS, int ROWS>
__device__ inline void copy_pixels(bf16 *to, const gather &g, const pixel_rows<ROWS> &all,
                                   const one_tap &k, const bf16 *x, int c0) {
    const int c = c0 + int(threadIdx.x) % 4 * 8;
#pragma unroll
    for (int j = 0; j < ROWS; j++) {
        const int row = all.row[j] + k.dy, column = all.column[j] + k.dx;
        const bool inside =
            c < g.in_c && row >= 0 && row < g.in_h && column >= 0 && column < g.in_w;
        const int64_t at = all.sample + (int64_t(row) * g.in_w + column) * g.in_c + c;
        simt::cp_async16(to + (int(threadIdx.x) / 4 + j * (THREADS / 4)) * PITCH +
                             int(threadIdx.x) % 4 * 8,
                         x + (inside ? at : 0), inside);
    }
}
template <int BN, int THREADS, bool TURNED>
__device__ inline void copy_weights(bf16 *to, const gather &g, const task &t, const one_tap &k,
                                    const bf16 *w, int c0) {
    constexpr int CHUNKS = TURNED ? BN / 8 : DEPTH / 8, ROWS = TURNED ? DEPTH : BN;
    constexpr int STEP = TURNED ? BN + 8 : PITCH;
#pragma unroll
    for (int i = int(threadIdx.x); i < ROWS * CHUNKS; i += THREADS) {
        const int r = i / CHUNKS, e = i % CHUNKS * 8;
        const int column = t.column + (TURNED ? e : r), term = c0 + (TURNED ? r : e);
        const bool inside = column < g.out_c && term < g.in_c;
        const int64_t at = TURNED ? (int64_t(term) * 9 + k.index) * g.out_c + column
                                  : (int64_t(column) * 9 + k.index) * g.in_c + term;
        simt::cp_async16(to + r * STEP + e, w + (inside ? at : 0), inside);
    }
}

// --- products ------------------------------------------------------------------------------------
// the products of two pairs of bf16
SIMT_DEVICE uint32_t times(uint32_t a, uint32_t b) {
    __nv_bfloat162 left, right;
    memcpy(&left, &a, sizeof a);
    memcpy(&right, &b, sizeof b);
    left = __hmul2(left, right);
    memcpy(&a, &left, sizeof a);
    return a;
}
// Loads the B fragments of a warp's 8 * FN columns; b points to the first column of the first of 16
// terms.
template <int FN, bool TURNED>
__device__ inline void load_b(uint32_t (&fb)[FN][2], const bf16 *b, int stride) {
    const int lane = int(threadIdx.x) % 32;
#pragma unroll
    for (int j = 0; j < FN; j += 2) {
        uint32_t f[4];
        if constexpr (TURNED)
            simt::ldmatrix_trans(f, b + lane % 16 * stride + lane / 16 * 8 + j * 8);
        else
            simt::ldmatrix(f, b + (j * 8 + lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8);
        fb[j][0] = f[0];
        fb[j][1] = f[1];
        fb[j + 1][0] = f[2];
        fb[j + 1][1] = f[3];
    }
}
template <int WM, int WN, bool TURNED>
__device__ inline void multiply_stage(float (&acc)[WM / 16][WN / 8][4], const bf16 *a,
                                      const bf16 *b, int stride, const bf16 *style) {
    const int lane = int(threadIdx.x) % 32;
#pragma unroll
    for (int kk = 0; kk < DEPTH; kk += 16) {
        uint32_t fb[WN / 8][2], s[2] = {};
        load_b<WN / 8, TURNED>(fb, b + (TURNED ? kk * stride : kk), stride);
        if (!TURNED)
            for (int k = 0; k < 2; k++)
                memcpy(&s[k], style + kk + k * 8 + lane % 4 * 2, sizeof s[k]);
#pragma unroll
        for (int i = 0; i < WM / 16; i++) {
            uint32_t fa[4];
            tile::load_a(fa, a + i * 16 * PITCH + kk, PITCH);
            if (!TURNED)
                for (int k = 0; k < 4; k++) fa[k] = times(fa[k], s[k / 2]);
#pragma unroll
            for (int j = 0; j < WN / 8; j++) simt::mma_m16n8k16(acc[i][j], fa, fb[j]);
        }
    }
}
template <int WM, int WN>
__device__ inline void stage_results(float *to, const float (&acc)[WM / 16][WN / 8][4], int pitch) {
    const int lane = int(threadIdx.x) % 32;
    to += lane / 4 * pitch + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int j = 0; j < WN / 8; j++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                to[(i * 16 + r / 2 * 8) * pitch + j * 8 + r % 2] = acc[i][j][r];
}

// TURNED: the data gradient, which has no style
template <int BM, int BN, int WM, int WN, bool TURNED, class F>
SIMT_KERNEL((BM / WM * (BN / WN) * 32), tile_product, gather g, const bf16 *x, const float *style,
            const bf16 *w, F f, float *sums) {
    constexpr int THREADS = BM / WM * (BN / WN) * 32;
    typedef tile_memory<BM, BN, TURNED> M;
    SIMT_DYNAMIC_SHARED(bf16, shared);
    bf16 *stage_a = shared, *stage_b = shared + STAGES * M::A;
    bf16 *styles = shared + STAGES * (M::A + M::B);
    const task t = task_of(g, BM, BN);
    const one_phase &ph = g.phase[t.phase];
    const auto rows = rows_of_pixels<BM, THREADS>(g, t);
    const int chunks = (g.in_c + DEPTH - 1) / DEPTH, steps = ph.taps * chunks;
    const int begin = steps * t.split / g.splits, end = steps * (t.split + 1) / g.splits;
    const auto load = [&](int step) {
        if (step < end) {
            const int s = step % STAGES, c0 = step % chunks * DEPTH;
            const one_tap &k = ph.tap[step / chunks];
            copy_pixels<THREADS>(stage_a + s * M::A, g, rows, k, x, c0);
            copy_weights<BN, THREADS, TURNED>(stage_b + s * M::B, g, t, k, w, c0);
        }
        simt::cp_async_commit(); // also where nothing was copied: the waits count groups
    };
    for (int s = 0; s < STAGES - 1; s++) load(begin + s);
    for (int c = int(threadIdx.x); !TURNED && c < chunks * DEPTH; c += THREADS)
        chl::set(styles + c, c < g.in_c ? style[int64_t(t.n) * g.in_c + c] : 0.0f);
    const int warp = int(threadIdx.x) / 32, wm = warp % (BM / WM) * WM, wn = warp / (BM / WM) * WN;
    constexpr int STEP_B = TURNED ? BN + 8 : PITCH;
    float acc[WM / 16][WN / 8][4] = {};
    for (int step = begin; step < end; step++) {
        simt::cp_async_wait<STAGES - 2>();
        __syncthreads();
        load(step + STAGES - 1);
        multiply_stage<WM, WN, TURNED>(acc, stage_a + step % STAGES * M::A + wm * PITCH,
                                       stage_b + step % STAGES * M::B + wn * (TURNED ? 1 : STEP_B),
                                       STEP_B, styles + step % chunks * DEPTH);
    }
    simt::cp_async_wait<0>();
    __syncthreads();
    float *results = reinterpret_cast<float *>(shared);
    stage_results<WM, WN>(results + wm * (BN + 4) + wn, acc, BN + 4);
    __syncthreads();
    leave<BM, BN, THREADS, 8>(results, g, t, order_of(g, t), f, sums);
}

template <int BM, int BN, int WM, int WN, class F>
chl_kernel_status launch_tiles(const chl_call *call, const gather &g, const bf16 *x,
                               const float *style, const bf16 *w, const F &f, float *sums) {
    const dim3 grid(blocks_of(g)), block(BM / WM * (BN / WN) * 32);
    int status = 0;
    if constexpr (F::FORWARD)
        if (style)
            status = simt::launch(tile_product<BM, BN, WM, WN, false, F>,
                                  {grid, block, tile_bytes<BM, BN, false>(g)}, call->stream, g, x,
                                  style, w, f, sums);
    if constexpr (F::BACKWARD)
        if (!style)
            status = simt::launch(tile_product<BM, BN, WM, WN, true, F>,
                                  {grid, block, tile_bytes<BM, BN, true>(g)}, call->stream, g, x,
                                  style, w, f, sums);
    return chl::status(status);
}
// --- the choice of a tile, by the shape alone ----------------------------------------------------
// SMALL is 64x64, TALL 128x64, WIDE 128x128, NARROW 128x32; the boxes of hopper.cuh are 128x128 and
// 128x64.
enum tile_kind { PLAIN_TILES, SMALL, TALL, WIDE, NARROW, WIDE_BOXES, TALL_BOXES };
inline tile_kind lay_tensor_tiles(gather &g) {
    const int fill = chl::gpu.fill;
    const auto blocks = [&] { return int64_t(g.n) * g.tiles * g.column_tiles; };
    if (g.out_c <= 32 && g.phase[0].rows * g.phase[0].across > 64) {
        lay_tiles(g, 128, 32);
        return NARROW;
    }
    lay_tiles(g, 128, 128);
    if (g.out_c > 64 && blocks() >= fill) return WIDE;
    lay_tiles(g, 128, 64);
    if (blocks() >= fill) return TALL;
    lay_tiles(g, 64, 64);
    const int steps = g.phase[0].taps * ((g.in_c + DEPTH - 1) / DEPTH); // of the longest phase
    const int64_t splits = 2 * fill / blocks(), max_splits = steps / 8 < 16 ? steps / 8 : 16;
    g.splits = int(splits < max_splits ? splits : max_splits);
    if (g.splits < 1) g.splits = 1;
    return SMALL;
}
template <class F>
chl_kernel_status run_tiles(const chl_call *call, tile_kind kind, const gather &g, const bf16 *x,
                            const float *style, const bf16 *w, const F &f, float *sums) {
    switch (kind) {
    case WIDE:
        return launch_tiles<128, 128, 64, 32>(call, g, x, style, w, f, sums);
    case TALL:
        return launch_tiles<128, 64, 32, 32>(call, g, x, style, w, f, sums);
    case NARROW:
        return launch_tiles<128, 32, 32, 32>(call, g, x, style, w, f, sums);
    default:
        return launch_tiles<64, 64, 32, 32>(call, g, x, style, w, f, sums);
    }
}
} // namespace modconv
