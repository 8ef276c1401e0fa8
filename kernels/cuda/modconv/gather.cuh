// A 3 x 3 convolution as products of gathered pixels, the form that every product kernel here
// computes.
//
// Result pixel (a, b) of a phase is the sum over the phase's taps of in[step a + dy, step b + dx]
// times that tap's [in_c, out_c] matrix; pixels outside the picture are zeros. It is written to row
// a * spread + top, column b * spread + left. That covers
//     forward                 one phase, nine taps
//     transposed, stride 2    four phases of 4, 2, 2 and 1 taps: no product with an inserted zero
//     data gradients          one phase, nine taps, step 1 or 2
// A block computes a tile: result pixels of one sample and phase (consecutive ones, or a box of the
// picture) by result channels, so that styles, noise and sums over pixels belong to one sample.
// Where that gives too few blocks, the terms (taps by input channels) are divided among `splits`
// blocks, which leave parts that a second kernel adds in order.
#pragma once
#include "cuda/lib/vendor.h"
#include "cuda/modconv/layer.cuh"
#include <array>

namespace modconv {
struct one_tap {
    int dy, dx, index;
};
struct one_phase {
    int taps, rows, across, top, left; // rows * across result pixels
    int first_tile;                    // tiles of this sample before this phase's
    one_tap tap[9];
};
struct gather {
    int n, in_h, in_w, in_c, out_h, out_w, out_c;
    int step, spread, phases, tiles, column_tiles, splits;
    one_phase phase[4];
    int box_h = 0, box_w = 0; // pixels of a tile, where tiles are boxes
    bool turned = false;      // data gradient: a tap's matrix is stored as [O,I], not [I,O]
    int stored = 9;           // taps of a filter in memory
    int path = 0;             // chl_call.path, of the host's choice
    // numbers that 32-bit offsets reach (has_short_offsets): a sample, the weights
    std::array<int64_t, 2> spans() const {
        return {int64_t(in_h) * in_w * in_c, int64_t(stored) * in_c * out_c};
    }
};

// --- the gathers of the four convolutions --------------------------------------------------------
inline gather forward_gather(const chl_conv_attributes &a) {
    gather g = {a.n, a.h, a.w, a.i, a.h, a.w, a.o, 1, 1, 1, 0, 0, 1, {}};
    g.phase[0] = {9, a.h, a.w, 0, 0, 0, {}};
    for (int k = 0; k < 9; k++) g.phase[0].tap[k] = {k / 3 - 1, k % 3 - 1, k};
    return g;
}
// a plain convolution's, 3 x 3, padding 1, stride 1 or 2
inline gather conv_gather(const chl_conv_attributes &a) {
    gather g = forward_gather(a);
    g.step = a.stride;
    g.out_h = g.phase[0].rows = (a.h - 1) / a.stride + 1;
    g.out_w = g.phase[0].across = (a.w - 1) / a.stride + 1;
    return g;
}
// z [2h+1, 2w+1]: z[2y + ky, 2x + kx] += x[y, x] w[ky, kx]
inline gather up_gather(const chl_conv_attributes &a) {
    gather g = {a.n, a.h, a.w, a.i, 2 * a.h + 1, 2 * a.w + 1, a.o, 1, 2, 4, 0, 0, 1, {}};
    for (int p = 0; p < 4; p++) {
        one_phase &to = g.phase[p];
        to = {0, a.h + 1 - p / 2, a.w + 1 - p % 2, p / 2, p % 2, 0, {}};
        for (int k = 0; k < 9; k++)
            if (k / 3 % 2 == p / 2 && k % 3 % 2 == p % 2)
                to.tap[to.taps++] = {-(k / 3 / 2), -(k % 3 / 2), k};
    }
    return g;
}
inline gather dx_gather(const chl_conv_attributes &a) {
    gather g = forward_gather(a);
    g.in_c = a.o;
    g.out_c = a.i;
    g.turned = true;
    for (int k = 0; k < 9; k++) g.phase[0].tap[k] = {1 - k / 3, 1 - k % 3, k};
    return g;
}
// conv_gather's data gradient: with stride 2 a phase for each parity of (row, column), the longest
// first: dx[2a + top, 2b + left] is a sum of dy[a + dy, b + dx], for an even place of the middle tap
inline gather conv_dx_gather(const chl_conv_attributes &a) {
    gather g = dx_gather(a);
    if (a.stride == 1) return g;
    const gather forward = conv_gather(a);
    g.in_h = forward.out_h;
    g.in_w = forward.out_w;
    g.spread = 2;
    g.phases = 4;
    for (int p = 0; p < 4; p++) {
        one_phase &to = g.phase[p];
        const int top = 1 - p / 2, left = 1 - p % 2;
        to = {0, (a.h + 1 - top) / 2, (a.w + 1 - left) / 2, top, left, 0, {}};
        for (int k = 0; k < 9; k++)
            if (k / 3 % 2 != top && k % 3 % 2 != left)
                to.tap[to.taps++] = {k / 3 == 0, k % 3 == 0, k};
    }
    return g;
}
// the data gradient with up-sampling, read from z's gradient
inline gather up_dx_gather(const chl_conv_attributes &a) {
    gather g = dx_gather(a);
    g.in_h = 2 * a.h + 1;
    g.in_w = 2 * a.w + 1;
    g.step = 2;
    for (int k = 0; k < 9; k++) g.phase[0].tap[k] = {k / 3, k % 3, k};
    return g;
}
// Cuts the results into tiles of bm pixels by bn channels: sets tiles, first_tile and column_tiles.
inline void lay_tiles(gather &g, int bm, int bn) {
    g.tiles = 0;
    for (int p = 0; p < g.phases; p++) {
        g.phase[p].first_tile = g.tiles;
        g.tiles += (g.phase[p].rows * g.phase[p].across + bm - 1) / bm;
    }
    g.column_tiles = (g.out_c + bn - 1) / bn;
}
// Whether 32-bit offsets reach every span of the product, a gather or a correlation, with a tap's
// shift added. Only the plain kernels compute other products.
template <class P> bool has_short_offsets(const P &product) {
    for (const int64_t numbers : product.spans())
        if (numbers > INT32_MAX / 2) return false;
    return true;
}
inline int64_t result_count(const gather &g) {
    return int64_t(g.n) * g.out_h * g.out_w * g.out_c;
}

// --- the tile that a block computes --------------------------------------------------------------
struct task {
    int split, n, tile, column; // tile: of the sample; column: the first channel
    int phase, pixel;           // pixel: the tile's first one of its phase
};
__device__ inline task task_of(const gather &g, int bm, int bn) {
    const unsigned columns = unsigned(g.column_tiles), tiles = unsigned(g.tiles), n = unsigned(g.n);
    unsigned at = blockIdx.x;
    task t;
    t.column = int(at % columns) * bn; // neighbouring blocks read the same pixels
    at /= columns;
    t.tile = int(at % tiles);
    at /= tiles;
    t.n = int(at % n);
    t.split = int(at / n);
    t.phase = 0;
    for (int p = 1; p < g.phases; p++)
        if (t.tile >= g.phase[p].first_tile) t.phase = p;
    t.pixel = (t.tile - g.phase[t.phase].first_tile) * bm;
    return t;
}
inline unsigned blocks_of(const gather &g) {
    return unsigned(int64_t(g.splits) * g.n * g.tiles * g.column_tiles);
}

// --- the result pixel that row r of a tile stands for, where tiles are consecutive pixels --------
struct result_pixel {
    int a, b;
    bool inside;
};
struct in_order {
    int rows, across, first;
    __device__ result_pixel operator()(int r) const {
        const int pixel = first + r;
        return {pixel / across, pixel % across, pixel < rows * across};
    }
};
__device__ inline in_order order_of(const gather &g, const task &t) {
    return {g.phase[t.phase].rows, g.phase[t.phase].across, t.pixel};
}
} // namespace modconv
