// Up-sampling in one kernel, in bf16 on tensor cores: the tensor between the product and the
// filter, t forward and its gradient backward, stays in shared memory. fir.cuh defines the filter;
// docs/kernels/modulated-convolution.md computes where this is faster.
//
// Forward: 16 x 32 pixels of y need 19 x 35 of t, four phases of 9 or 10 by 17 or 18 pixels, 1.33
// times the products. All terms are in shared memory at once (at most 64 channels and 32 results),
// so a warp computes 32 pixels of a phase completely before it goes on. Backward: 8 x 16 pixels of
// dx need 17 x 33 of t's gradient, which is filtered from g for 32 channels at a time; no product
// is computed twice.
#pragma once
#include "cuda/modconv/fir.cuh"
#include "cuda/modconv/hopper.cuh"

namespace modconv {
constexpr int UP_THREADS = 256;

// --- forward -------------------------------------------------------------------------------------
// sizes of a tile in pixels of y, of t and of x; maxima of the channels
constexpr int UP_H = 16, UP_W = 32, T_H = UP_H + 3, T_W = UP_W + 3;
constexpr int X_H = UP_H / 2 + 2, X_W = UP_W / 2 + 2, UP_IN = 64, UP_OUT = 32;

// The offset of a chunk of 8 channels of a pixel of t. Even columns are stored before odd ones, so
// that a phase's pixels are adjacent; the chunk's position is permuted so that eight consecutive
// pixels cover all banks.
__device__ inline int t_chunk(int row, int column, int chunk) {
    const int pixel = row * (T_W + 1) + column % 2 * (T_W / 2 + 2) + column / 2;
    return (pixel * 4 + (chunk ^ (pixel / 2 % 4))) * 8;
}
struct up_task {
    int n, y0, x0;
};
__device__ inline up_task up_task_of(const gather &g) {
    const int across = (g.in_w * 2 + UP_W - 1) / UP_W, at = int(blockIdx.x) % g.tiles;
    return {int(blockIdx.x) / g.tiles, at / across * UP_H, at % across * UP_W};
}
__device__ inline void copy_patch(bf16 *to, const gather &g, const up_task &t, const bf16 *x,
                                  int pitch) {
    const int packs = g.in_c / 8;
    for (int i = int(threadIdx.x); i < X_H * X_W * packs; i += UP_THREADS) {
        const int c = i % packs * 8, pixel = i / packs;
        const int row = t.y0 / 2 - 1 + pixel / X_W, column = t.x0 / 2 - 1 + pixel % X_W;
        const bool inside = row >= 0 && row < g.in_h && column >= 0 && column < g.in_w;
        const int64_t at = ((int64_t(t.n) * g.in_h + row) * g.in_w + column) * g.in_c + c;
        simt::cp_async16(to + pixel * pitch + c, x + (inside ? at : 0), inside);
    }
}
// Fills [9][UP_OUT][pitch], with zeros after the last result channel.
__device__ inline void copy_up_weights(bf16 *to, const gather &g, const bf16 *w, int pitch) {
    const int packs = g.in_c / 8;
    for (int i = int(threadIdx.x); i < 9 * UP_OUT * packs; i += UP_THREADS) {
        const int c = i % packs * 8, o = i / packs % UP_OUT, tap = i / packs / UP_OUT;
        const bool inside = o < g.out_c;
        simt::cp_async16(to + (tap * UP_OUT + o) * pitch + c,
                         w + (inside ? (int64_t(o) * 9 + tap) * g.in_c + c : 0), inside);
    }
}
// Computes 32 pixels of a phase, from `first` on.
__device__ inline void phase_pixels(bf16 *t, const one_phase &ph, int first, const bf16 *patch,
                                    const bf16 *w, const bf16 *style, int terms) {
    const int lane = int(threadIdx.x) % 32, pitch = terms + 8;
    const int rows = ph.top ? X_H : X_H - 1, across = ph.left ? X_W : X_W - 1;
    // this lane's row before a tap's shift; the patch begins one pixel before the tile
    const bf16 *a[2];
    for (int i = 0; i < 2; i++) {
        int pixel = first + i * 16 + lane % 16;
        if (pixel >= rows * across) pixel = 0; // its result is not kept
        const int row = pixel / across + 1 - ph.top, column = pixel % across + 1 - ph.left;
        a[i] = patch + (row * X_W + column) * pitch + lane / 16 * 8;
    }
    float acc[2][UP_OUT / 8][4] = {};
    for (int k = 0; k < ph.taps; k++) {
        const one_tap &tap = ph.tap[k];
        const int shift = (tap.dy * X_W + tap.dx) * pitch;
        for (int c = 0; c < terms; c += 16) {
            uint32_t fb[UP_OUT / 8][2], s[2];
            load_b<UP_OUT / 8, false>(fb, w + tap.index * UP_OUT * pitch + c, pitch);
            for (int h = 0; h < 2; h++) s[h] = style_pair(style + c + h * 8 + lane % 4 * 2);
            for (int i = 0; i < 2; i++) {
                uint32_t fa[4];
                simt::ldmatrix(fa, a[i] + shift + c);
                for (int h = 0; h < 4; h++) fa[h] = simt::mul_bf16x2(fa[h], s[h / 2]);
                for (int j = 0; j < UP_OUT / 8; j++) simt::mma_m16n8k16(acc[i][j], fa, fb[j]);
            }
        }
    }
    for (int i = 0; i < 2; i++)
        for (int half = 0; half < 2; half++) {
            const int pixel = first + i * 16 + half * 8 + lane / 4;
            if (pixel >= rows * across) continue;
            const int row = pixel / across * 2 + 1 - ph.top;
            const int column = pixel % across * 2 + 1 - ph.left;
            for (int j = 0; j < UP_OUT / 8; j++) {
                const uint32_t two = tile::pack(acc[i][j][half * 2], acc[i][j][half * 2 + 1]);
                memcpy(t + t_chunk(row, column, j) + lane % 4 * 2, &two, sizeof two);
            }
        }
}

template <class F>
SIMT_KERNEL((UP_THREADS), up_tile_kernel, gather g, const bf16 *x, const float *style,
            const bf16 *w, F f) {
    SIMT_DYNAMIC_SHARED(bf16, shared);
    const int thread = int(threadIdx.x), pitch = g.in_c + 8;
    bf16 *patch = shared, *weights = patch + X_H * X_W * pitch;
    bf16 *t = weights + 9 * UP_OUT * pitch, *styles = t + T_H * (T_W + 1) * UP_OUT;
    const up_task task = up_task_of(g);
    copy_patch(patch, g, task, x, pitch);
    copy_up_weights(weights, g, w, pitch);
    simt::cp_async_commit();
    for (int c = thread; c < g.in_c; c += UP_THREADS)
        chl::set(styles + c, style[int64_t(task.n) * g.in_c + c]);
    simt::cp_async_wait<0>();
    __syncthreads();
    int unit = thread / 32; // units of 32 pixels, those of the phases with most taps first
    for (int p = 0; p < 4; p++) {
        const one_phase &ph = g.phase[p];
        const int pixels = (ph.top ? X_H : X_H - 1) * (ph.left ? X_W : X_W - 1);
        const int units = (pixels + 31) / 32;
        for (; unit < units; unit += UP_THREADS / 32)
            phase_pixels(t, ph, unit * 32, patch, weights, styles, g.in_c);
        unit -= units;
    }
    __syncthreads();
    const int chunk = thread % 4, strip = UP_H / (UP_THREADS / 4 / UP_W);
    const int column = thread / 4 % UP_W, top = thread / 4 / UP_W * strip;
    if (chunk * 8 >= g.out_c || task.x0 + column >= 2 * g.in_w) return;
    float keep[F::KEEP > 0 ? F::KEEP : 1][8], none[1][8];
    f.template start<8>(task.n, chunk * 8, keep);
    filter_column<8>(
        strip,
        [&](int row, int l, float(&v)[8]) {
            chl::load(t + t_chunk(top + row, column + l, chunk), v);
        },
        [&](int row, float(&v)[8]) {
            const int y = task.y0 + top + row;
            if (y >= 2 * g.in_h) return;
            place at = {task.n, int64_t(y) * 2 * g.in_w + task.x0 + column, chunk * 8, 0};
            at.at = (int64_t(task.n) * 4 * g.in_h * g.in_w + at.row) * g.out_c + at.column;
            f.template value<8>(at, keep, v, none);
        });
}
inline size_t up_tile_bytes(int in_c) {
    const int pitch = in_c + 8;
    return size_t(X_H * X_W * pitch + 9 * UP_OUT * pitch + T_H * (T_W + 1) * UP_OUT + in_c) *
           sizeof(bf16);
}
// Returns false where this path does not take the shape.
inline bool lay_up_tiles(gather &g) {
    if (g.in_c % 16 || g.in_c > UP_IN || g.out_c % 8 || g.out_c > UP_OUT) return false;
    const int down = (2 * g.in_h + UP_H - 1) / UP_H, across = (2 * g.in_w + UP_W - 1) / UP_W;
    if (up_tile_bytes(g.in_c) > chl::gpu.shared) return false;
    if (int64_t(g.n) * down * across < chl::gpu.fill && !wishes(g, FILTERED)) return false;
    g.tiles = down * across;
    return true;
}
template <class F>
chl_kernel_status run_up_tiles(const chl_call *call, const gather &g, const bf16 *x,
                               const float *style, const bf16 *w, const F &f) {
    return chl::status(simt::launch(
        up_tile_kernel<F>, {dim3(unsigned(g.n * g.tiles)), dim3(UP_THREADS), up_tile_bytes(g.in_c)},
        call->stream, g, x, style, w, f));
}

// --- data gradient -------------------------------------------------------------------------------
// sizes of a tile in pixels of dx and of t's gradient; its channels of dx
constexpr int DX_H = 8, DX_W = 16, DT_H = 2 * DX_H + 1, DT_W = 2 * DX_W + 1, DX_OUT = 64;
constexpr int DT_BYTES = DT_H * DT_W * PITCH * 2, DX_STEP = DX_OUT + 8;

// Even columns are stored before odd ones, so that a tap's pixels are adjacent.
__device__ inline int dt_at(int row, int column) {
    return (row * DT_W + column % 2 * (DX_W + 1) + column / 2) * PITCH;
}
// Computes DEPTH channels of t's gradient from g, channels c0 and following.
__device__ inline void filter_gradient(bf16 *dt, const gather &g, const in_box &box, int64_t n,
                                       const bf16 *from, int c0) {
    constexpr int STRIP = (DT_H + 1) / 2, UNITS = DT_W * (DEPTH / 8) * 2;
    const int h = g.in_h - 1, w = g.in_w - 1; // sizes of y
    for (int i = int(threadIdx.x); i < UNITS; i += UP_THREADS) {
        const int c = i % (DEPTH / 8) * 8, column = i / (DEPTH / 8) % DT_W;
        const int top = i / (DEPTH / 8) / DT_W * STRIP;
        const int y0 = 2 * box.top + top - 2, x0 = 2 * box.left + column - 2;
        filter_column<8>(
            top ? DT_H - STRIP : STRIP,
            [&](int row, int l, float(&v)[8]) {
                const int y = y0 + row, x = x0 + l;
                if (c0 + c < g.in_c && y >= 0 && y < h && x >= 0 && x < w)
                    chl::load(from + ((n * h + y) * w + x) * g.in_c + c0 + c, v);
            },
            [&](int row, float(&v)[8]) {
                chl::store(dt + dt_at(top + row, column) + c, v, false);
            });
    }
}
// Multiplies a warp's 32 pixels by 32 channels: nine taps of DEPTH terms.
__device__ inline void multiply_taps(float (&acc)[2][4][4], const bf16 *dt, const bf16 *w, int wm) {
    const int lane = int(threadIdx.x) % 32;
    for (int tap = 0; tap < 9; tap++)
#pragma unroll
        for (int kk = 0; kk < DEPTH; kk += 16) {
            uint32_t fb[4][2];
            load_b<4, true>(fb, w + (tap * DEPTH + kk) * DX_STEP, DX_STEP);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const int pixel = wm + i * 16 + lane % 16;
                const int row = pixel / DX_W * 2 + tap / 3, column = pixel % DX_W * 2 + tap % 3;
                uint32_t fa[4];
                simt::ldmatrix(fa, dt + dt_at(row, column) + kk + lane / 16 * 8);
#pragma unroll
                for (int j = 0; j < 4; j++) simt::mma_m16n8k16(acc[i][j], fa, fb[j]);
            }
        }
}

template <class F>
SIMT_KERNEL((UP_THREADS), up_dx_tile_kernel, gather g, const bf16 *from, const bf16 *w, F f,
            float *sums) {
    SIMT_DYNAMIC_SHARED(bf16, shared);
    bf16 *dt = shared, *weights = shared + DT_BYTES / 2;
    const task t = task_of(g, DX_H * DX_W, DX_OUT);
    const in_box box = box_of(g, t);
    const int warp = int(threadIdx.x) / 32, wm = warp % 4 * 32, wn = warp / 4 * 32;
    float acc[2][4][4] = {};
    for (int c0 = 0; c0 < g.in_c; c0 += DEPTH) {
        for (int tap = 0; tap < 9; tap++)
            copy_weights<DX_OUT, UP_THREADS, true>(weights + tap * DEPTH * DX_STEP, g, t,
                                                   terms_at<true>(g, g.phase[0], tap, c0), w);
        simt::cp_async_commit();
        filter_gradient(dt, g, box, t.n, from, c0);
        simt::cp_async_wait<0>();
        __syncthreads();
        multiply_taps(acc, dt, weights + wn, wm);
        __syncthreads();
    }
    float *results = reinterpret_cast<float *>(shared);
    stage_results<32, 32>(results + wm * (DX_OUT + 4) + wn, acc, DX_OUT + 4);
    __syncthreads();
    leave<DX_H * DX_W, DX_OUT, UP_THREADS, 8>(results, g, t, box, f, sums);
}
constexpr size_t UP_DX_BYTES = DT_BYTES + size_t(9) * DEPTH * DX_STEP * sizeof(bf16);
static_assert(DX_H * DX_W * (DX_OUT + 4) * sizeof(float) <= UP_DX_BYTES, "results lie over both");

// g is up_dx_gather's. Returns false where this path does not take the shape.
inline bool lay_up_dx_tiles(gather &g) {
    if (g.in_c % 8 || g.out_c % 8 || g.out_c > 2 * DX_OUT || UP_DX_BYTES > chl::gpu.shared ||
        !has_short_offsets(g))
        return false;
    gather to = g;
    to.box_h = DX_H;
    to.box_w = DX_W;
    to.tiles = boxes_of(g.phase[0], DX_H, DX_W);
    to.column_tiles = (g.out_c + DX_OUT - 1) / DX_OUT;
    const bool fills = int64_t(g.n) * to.tiles * to.column_tiles >= chl::gpu.fill;
    if (!fills && !wishes(g, FILTERED)) return false;
    g = to;
    return true;
}
template <class F>
chl_kernel_status run_up_dx_tiles(const chl_call *call, const gather &g, const bf16 *from,
                                  const bf16 *w, const F &f, float *sums) {
    return chl::status(simt::launch(up_dx_tile_kernel<F>,
                                    {dim3(blocks_of(g)), dim3(UP_THREADS), UP_DX_BYTES},
                                    call->stream, g, from, w, f, sums));
}
} // namespace modconv
