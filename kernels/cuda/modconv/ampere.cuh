// The gathered product in bf16 on tensor cores (mma, sm_80 and later), channels in multiples of 8.
//
// A block computes BM pixels by BN channels. 32 terms (channels of one tap) at a time pass through
// three stages of asynchronous copies (eight with tiles of 64 x 32), which write zeros for pixels
// outside the picture. Rows of pixels are stored as in the tensor, and so are weights [O,9,I], or
// [O,I] of linear layers: forward a row of 32 terms for each result channel, in the data gradient a
// row of BN result channels for each term, which ldmatrix transposes. The style multiplies pixels in
// registers, between ldmatrix and mma: two terms an instruction, 4 multiplications for WN / 8
// products. Bound by arithmetic from 64 channels and 32 x 32 pixels on; below that by the weights'
// bytes, and with 32 channels by the pixels' bytes.
#pragma once
#include "cuda/lib/tile.cuh"
#include "cuda/modconv/plain.cuh"

namespace modconv {
using chl::bf16;
constexpr int DEPTH = 32, STAGES = 3, PITCH = DEPTH + 8; // + 8: see tile.cuh

// Stages: three, and where tiles are so small that a block waits for its weights, as many as keep
// 40 KB of them on their way.
template <int BM, int BN, bool TURNED> struct tile_memory {
    static constexpr int STAGES = BM == 64 && BN == 32 ? 8 : modconv::STAGES;
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
// In every step a thread copies the same rows of pixels, the same 8 of the 32 channels and the same
// chunks of weights. What does not change with the step is computed before the loop: offsets of 32
// bits (has_short_offsets) and which taps reach the picture. No step divides.
template <int ROWS> struct pixel_rows {
    const bf16 *from;      // the sample, at this thread's 8 channels
    int at[ROWS];          // offset of the row's pixel, before the tap's shift is added
    unsigned inside[ROWS]; // bit k: tap k's pixel lies inside the picture
};
template <int BM, int THREADS>
__device__ inline pixel_rows<BM * 4 / THREADS> rows_of_pixels(const gather &g, const task &t,
                                                              const bf16 *x) {
    constexpr int ROWS = BM * 4 / THREADS;
    const one_phase &ph = g.phase[t.phase];
    pixel_rows<ROWS> all;
    all.from = x + int64_t(t.n) * g.in_h * g.in_w * g.in_c + int(threadIdx.x) % 4 * 8;
#pragma unroll
    for (int j = 0; j < ROWS; j++) {
        const int pixel = t.pixel + int(threadIdx.x) / 4 + j * (THREADS / 4);
        const int row = pixel / ph.across * g.step, column = pixel % ph.across * g.step;
        const bool exists = pixel < ph.rows * ph.across;
        all.at[j] = exists ? (row * g.in_w + column) * g.in_c : 0;
        all.inside[j] = 0;
#pragma unroll 1
        for (int k = 0; exists && k < ph.taps; k++) {
            const unsigned y = unsigned(row + ph.tap[k].dy), at = unsigned(column + ph.tap[k].dx);
            all.inside[j] |= unsigned(y < unsigned(g.in_h) && at < unsigned(g.in_w)) << k;
        }
    }
    return all;
}
// The terms of one step: DEPTH channels of one tap, and what they add to the offset of a pixel and
// of a weight.
template <bool TURNED> struct terms { int tap, c0, x, w; };
template <bool TURNED>
__device__ inline terms<TURNED> terms_at(const gather &g, const one_phase &ph, int tap, int c0) {
    const one_tap &k = ph.tap[tap];
    return {tap, c0, (k.dy * g.in_w + k.dx) * g.in_c + c0,
            TURNED ? (c0 * g.stored + k.index) * g.out_c : k.index * g.in_c + c0};
}
// Goes on to the next step's terms; after the last there are none.
template <bool TURNED>
__device__ inline void advance(terms<TURNED> &at, const gather &g, const one_phase &ph) {
    at.c0 += DEPTH;
    at.x += DEPTH;
    at.w += TURNED ? DEPTH * g.stored * g.out_c : DEPTH;
    if (at.c0 >= g.in_c && at.tap + 1 < ph.taps) at = terms_at<TURNED>(g, ph, at.tap + 1, 0);
}
template <int THREADS, int ROWS, bool TURNED>
__device__ inline void copy_pixels(bf16 *to, const gather &g, const pixel_rows<ROWS> &all,
                                   const terms<TURNED> &of) {
    to += int(threadIdx.x) / 4 * PITCH + int(threadIdx.x) % 4 * 8;
    const bool within = of.c0 + int(threadIdx.x) % 4 * 8 < g.in_c;
#pragma unroll
    for (int j = 0; j < ROWS; j++) {
        const bool inside = within && (all.inside[j] >> of.tap & 1); // else nothing is read
        simt::cp_async16(to + j * (THREADS / 4) * PITCH, all.from + (all.at[j] + of.x), inside);
    }
}
template <int BN, int THREADS, bool TURNED>
__device__ inline void copy_weights(bf16 *to, const gather &g, const task &t,
                                    const terms<TURNED> &of, const bf16 *w) {
    constexpr int CHUNKS = TURNED ? BN / 8 : DEPTH / 8, ROWS = TURNED ? DEPTH : BN;
    constexpr int STEP = TURNED ? BN + 8 : PITCH, TOGETHER = THREADS / CHUNKS;
    static_assert(ROWS % TOGETHER == 0, "every thread copies equally many chunks");
    const int first = int(threadIdx.x) / CHUNKS, e = int(threadIdx.x) % CHUNKS * 8;
    const int pitch = g.stored * (TURNED ? g.out_c : g.in_c);
    const int at = TURNED ? first * pitch + t.column + e : (t.column + first) * pitch + e;
#pragma unroll
    for (int j = 0; j < ROWS / TOGETHER; j++) {
        const int r = first + j * TOGETHER;
        const int column = t.column + (TURNED ? e : r), term = of.c0 + (TURNED ? r : e);
        const bool inside = column < g.out_c && term < g.in_c;
        simt::cp_async16(to + r * STEP + e, w + (at + j * TOGETHER * pitch + of.w), inside);
    }
}

// --- products ------------------------------------------------------------------------------------
// two neighbouring styles, as a fragment of mma holds them; at: of an even channel
SIMT_DEVICE uint32_t style_pair(const bf16 *at) {
    uint32_t pair;
    memcpy(&pair, __builtin_assume_aligned(at, sizeof pair), sizeof pair);
    return pair;
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
            for (int k = 0; k < 2; k++) s[k] = style_pair(style + kk + k * 8 + lane % 4 * 2);
#pragma unroll
        for (int i = 0; i < WM / 16; i++) {
            uint32_t fa[4];
            tile::load_a(fa, a + i * 16 * PITCH + kk, PITCH);
            if (!TURNED)
                for (int k = 0; k < 4; k++) fa[k] = simt::mul_bf16x2(fa[k], s[k / 2]);
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

// TURNED: the data gradient, which has no style. Without one the forward product takes ones.
template <int BM, int BN, int WM, int WN, bool TURNED, class F>
SIMT_KERNEL((BM / WM * (BN / WN) * 32, 2), tile_product, gather g, const bf16 *x,
            const float *style, const bf16 *w, F f, float *sums) {
    constexpr int THREADS = BM / WM * (BN / WN) * 32;
    typedef tile_memory<BM, BN, TURNED> M;
    constexpr int STAGES = M::STAGES;
    SIMT_DYNAMIC_SHARED(bf16, shared);
    bf16 *stage_a = shared, *stage_b = shared + STAGES * M::A;
    bf16 *styles = shared + STAGES * (M::A + M::B);
    const task t = task_of(g, BM, BN);
    const one_phase &ph = g.phase[t.phase];
    const auto rows = rows_of_pixels<BM, THREADS>(g, t, x);
    const int chunks = (g.in_c + DEPTH - 1) / DEPTH, steps = ph.taps * chunks;
    const int begin = steps * t.split / g.splits, end = steps * (t.split + 1) / g.splits;
    int c0 = begin % chunks * DEPTH;
    terms<TURNED> next = terms_at<TURNED>(g, ph, begin / chunks, c0);
    const auto load = [&](int step, int stage) {
        if (step < end) {
            copy_pixels<THREADS>(stage_a + stage * M::A, g, rows, next);
            copy_weights<BN, THREADS, TURNED>(stage_b + stage * M::B, g, t, next, w);
            advance(next, g, ph);
        }
        simt::cp_async_commit(); // also where nothing was copied: the waits count groups
    };
    for (int s = 0; s < STAGES - 1; s++) load(begin + s, s);
    for (int c = int(threadIdx.x); !TURNED && c < chunks * DEPTH; c += THREADS)
        chl::set(styles + c, c >= g.in_c ? 0.0f : style ? style[int64_t(t.n) * g.in_c + c] : 1.0f);
    const int warp = int(threadIdx.x) / 32, wm = warp % (BM / WM) * WM, wn = warp / (BM / WM) * WN;
    constexpr int STEP_B = TURNED ? BN + 8 : PITCH;
    float acc[WM / 16][WN / 8][4] = {};
    for (int step = begin, stage = 0, last = STAGES - 1; step < end; step++) {
        simt::cp_async_wait<STAGES - 2>();
        __syncthreads();
        load(step + STAGES - 1, last); // the previous step's stage
        multiply_stage<WM, WN, TURNED>(acc, stage_a + stage * M::A + wm * PITCH,
                                       stage_b + stage * M::B + wn * (TURNED ? 1 : STEP_B), STEP_B,
                                       styles + c0);
        last = stage;
        stage = stage < STAGES - 1 ? stage + 1 : 0;
        c0 = c0 + DEPTH < g.in_c ? c0 + DEPTH : 0;
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
        if (!g.turned)
            status = simt::launch(tile_product<BM, BN, WM, WN, false, F>,
                                  {grid, block, tile_bytes<BM, BN, false>(g)}, call->stream, g, x,
                                  style, w, f, sums);
    if constexpr (F::BACKWARD)
        if (g.turned)
            status = simt::launch(tile_product<BM, BN, WM, WN, true, F>,
                                  {grid, block, tile_bytes<BM, BN, true>(g)}, call->stream, g, x,
                                  style, w, f, sums);
    return chl::status(status);
}
// --- the choice of a tile, by the shape alone ----------------------------------------------------
// SMALL is 64x64, TALL 128x64, WIDE 128x128, NARROW 128x32; the boxes of hopper.cuh are 128x256,
// 128x128 and 128x64.
// FILTERED is no product's: the filter is on the tile, too (up_tile.cuh).
enum tile_kind {
    PLAIN_TILES,
    SMALL,
    TALL,
    WIDE,
    NARROW,
    WIDEST_BOXES,
    WIDE_BOXES,
    TALL_BOXES,
    FILTERED
};
constexpr char TILE_PATHS[] = "plain tiles_64x64 tiles_128x64 tiles_128x128 tiles_128x32 "
                              "boxes_128x256 boxes_128x128 boxes_128x64 filtered";
// Whether the call asks for these tiles.
inline bool wishes(const gather &g, tile_kind kind) {
    return g.path == 1 + kind;
}
// Divides the terms among blocks, where tiles of 64 x 64 are too few for the chip.
inline void split_terms(gather &g) {
    const int64_t blocks = int64_t(g.n) * g.tiles * g.column_tiles;
    const int steps = g.phase[0].taps * ((g.in_c + DEPTH - 1) / DEPTH); // of the longest phase
    const int64_t splits = 2 * chl::gpu.fill / blocks;
    const int64_t max_splits = steps / 8 < 16 ? steps / 8 : 16;
    g.splits = int(splits < max_splits ? splits : max_splits);
    if (g.splits < 1) g.splits = 1;
}
// The tiles that the call asks for, where they are among these; else PLAIN_TILES.
inline tile_kind lay_wished_tiles(gather &g) {
    static constexpr struct {
        tile_kind kind;
        int pixels, channels;
    } all[] = {{SMALL, 64, 64}, {TALL, 128, 64}, {WIDE, 128, 128}, {NARROW, 128, 32}};
    for (const auto &tiles : all)
        if (wishes(g, tiles.kind)) {
            lay_tiles(g, tiles.pixels, tiles.channels);
            if (tiles.kind == SMALL) split_terms(g);
            return tiles.kind;
        }
    return PLAIN_TILES;
}
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
    split_terms(g);
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
