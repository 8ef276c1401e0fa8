// The gathered product in bf16 on Hopper (wgmma, TMA; sm_90a), channels in multiples of 64.
//
// A tile's 128 pixels are a box of one sample's result pixels, so the pixels of a tap are the same
// box, shifted: one tensor-map load, which fills in the zeros outside the picture. With step 2 a
// tap reads every second pixel; each parity of (row, column) then has a map of its own. Weights are
// conv_pack's [O,9,I] as a matrix [O, 9 I]. 64 terms at a time pass through three or four stages;
// each of two warpgroups multiplies 64 pixels and releases stages by mbarriers. Two blocks share a
// multiprocessor: one multiplies while the other scales, waits or writes its results. That leaves a
// thread 128 registers with 8 warps a block. A ninth warp that only loads would leave 96, which are
// too few: so one thread of the first warp refills a stage while its own products are running.
//
// Where the style multiplies, for 64 terms of a 128 x 128 tile: 8 wgmma of 64 cycles take 512
// cycles, while shared memory passes 128 bytes a cycle: 256 to fill the stage, 256 for B, which
// wgmma reads 8 times, 128 for A.
//   - registers: ldmatrix reads A instead, and 64 for the styles: 704
//   - a pass over A or over B in shared memory: 128 more to read and 128 to write: 896
// Scaling B would also round products at another place than the other paths do. Hence registers.
// The data gradient has no style here and leaves A in shared memory: 640. So shared memory is the
// bound, and the L2 cache before it: 32 KB for 512 cycles, 64 bytes a cycle of each multiprocessor.
// 128 x 256 tiles, one block a multiprocessor, take 1088 (dx 1152) of shared memory for 1024 of
// products, and 48 KB: three quarters of the bytes. Their columns are two halves of 128 with the
// same A.
#pragma once
#include "cuda/modconv/ampere.cuh"

namespace modconv {
constexpr int BOX = 128, BOX_DEPTH = 64, BOX_THREADS = 256;
constexpr int BLOCK_BYTES = 64 * BOX_DEPTH * 2; // 64 rows of 128 swizzled bytes

template <int BN> struct box_memory {
    static constexpr int A = BOX / 64 * BLOCK_BYTES, B = BN / 64 * BLOCK_BYTES, STAGE = A + B;
    // 96 KB: two blocks fit a multiprocessor; 192 KB where BN is 256
    static constexpr int STAGES = BN == 128 ? 3 : 4;
    static constexpr int PART = BN < 128 ? BN : 128, PARTS = BN / PART; // columns of a wgmma
    static constexpr int PART_BYTES = PART / 64 * BLOCK_BYTES;
    static_assert(BOX * (BN + 4) * sizeof(float) <= STAGES * STAGE, "results lie over the stages");
};
// the sums of a thread, part by part
template <int BN> struct box_sums { float of[box_memory<BN>::PARTS][box_memory<BN>::PART / 2]; };
struct box_maps {
    simt::tensor_map x[4], w; // x: one map for each parity of (row, column) with step 2, else x[0]
};

// --- tiles that are boxes of the picture ---------------------------------------------------------
struct in_box {
    int rows, across, top, left, width;
    __device__ result_pixel operator()(int r) const {
        const int a = top + r / width, b = left + r % width;
        return {a, b, a < rows && b < across};
    }
};
__device__ inline in_box box_of(const gather &g, const task &t) {
    const one_phase &ph = g.phase[t.phase];
    const int tile = t.tile - ph.first_tile, beside = (ph.across + g.box_w - 1) / g.box_w;
    return {ph.rows, ph.across, tile / beside * g.box_h, tile % beside * g.box_w, g.box_w};
}
inline int boxes_of(const one_phase &ph, int h, int w) {
    return (ph.rows + h - 1) / h * ((ph.across + w - 1) / w);
}
// The number of products (pixels by taps) that boxes of this width compute, those outside the
// picture included.
inline int64_t box_work(const gather &g, int width) {
    int64_t work = 0;
    for (int p = 0; p < g.phases; p++)
        work += int64_t(BOX) * g.phase[p].taps * boxes_of(g.phase[p], BOX / width, width);
    return work;
}
inline void lay_boxes(gather &g, int bn) {
    g.box_w = 16; // where the work is equal, a square reads the fewest pixels
    for (const int width : {8, 32, 4, 64})
        if (box_work(g, width) < box_work(g, g.box_w)) g.box_w = width;
    g.box_h = BOX / g.box_w;
    g.tiles = 0;
    for (int p = 0; p < g.phases; p++) {
        g.phase[p].first_tile = g.tiles;
        g.tiles += boxes_of(g.phase[p], g.box_h, g.box_w);
    }
    g.column_tiles = (g.out_c + bn - 1) / bn;
}

// --- one step: 64 terms of one tap ---------------------------------------------------------------
template <int BN, bool TURNED>
__device__ inline void load_box(unsigned char *to, simt::mbarrier *full, const box_maps &maps,
                                const gather &g, const task &t, const in_box &box, int step) {
    const int chunks = g.in_c / BOX_DEPTH, c0 = step % chunks * BOX_DEPTH;
    const one_tap &k = g.phase[t.phase].tap[step / chunks];
    const int half = g.step - 1; // with step 2 a shift of -1 is the odd row of the pair before
    const int parity = (k.dy & half) * 2 + (k.dx & half);
    simt::mbarrier_arrive_expect(full, box_memory<BN>::STAGE);
    simt::tma_load_4d(to, &maps.x[parity], full, c0, box.left + (k.dx >> half),
                      box.top + (k.dy >> half), t.n);
    to += box_memory<BN>::A;
    if constexpr (TURNED) // 64 terms' rows of 64 result channels
        for (int c = 0; c < BN; c += 64)
            simt::tma_load_2d(to + c / 64 * BLOCK_BYTES, &maps.w, full,
                              k.index * g.out_c + t.column + c, c0);
    else // BN result channels' rows of 64 terms
        simt::tma_load_2d(to, &maps.w, full, k.index * g.in_c + c0, t.column);
}
// Multiplies a warpgroup's 64 pixels by BN channels, without style; one thread runs `meanwhile`
// beside the products.
template <int BN, class M>
__device__ inline void multiply_box(box_sums<BN> &acc, const unsigned char *a,
                                    const unsigned char *b, const M &meanwhile) {
    typedef box_memory<BN> memory;
    const uint64_t left = simt::wgmma_operand(a);
    simt::wgmma_fence();
#pragma unroll
    for (int p = 0; p < memory::PARTS; p++) {
        const uint64_t right = simt::wgmma_operand_turned(b + p * memory::PART_BYTES, BLOCK_BYTES);
#pragma unroll
        for (int kk = 0; kk < BOX_DEPTH / 16; kk++)
            simt::wgmma_m64k16<memory::PART, true>(acc.of[p], left + 2 * kk, right + 128 * kk);
    }
    simt::wgmma_commit();
    meanwhile();
    __syncwarp();
    simt::wgmma_wait<0>();
}
// The same with pixels times style, which wgmma reads from registers.
template <int BN, class M>
__device__ inline void multiply_styled_box(box_sums<BN> &acc, const unsigned char *a,
                                           const unsigned char *b, const bf16 *style,
                                           const M &meanwhile) {
    typedef box_memory<BN> memory;
    const int lane = int(threadIdx.x) % 32, row = int(threadIdx.x) % 128 / 32 * 16 + lane % 16;
    uint32_t fa[BOX_DEPTH / 16][4];
#pragma unroll
    for (int kk = 0; kk < BOX_DEPTH / 16; kk++) {
        const int chunk = (kk * 2 + lane / 16) ^ row % 8; // the chunk's place after the swizzle
        simt::ldmatrix(fa[kk], a + row * 128 + chunk * 16);
        uint32_t s[2];
        for (int k = 0; k < 2; k++) s[k] = style_pair(style + kk * 16 + k * 8 + lane % 4 * 2);
        for (int k = 0; k < 4; k++) fa[kk][k] = simt::mul_bf16x2(fa[kk][k], s[k / 2]);
    }
    simt::wgmma_fence(fa);
#pragma unroll
    for (int p = 0; p < memory::PARTS; p++) {
        const uint64_t right = simt::wgmma_operand(b + p * memory::PART_BYTES);
#pragma unroll
        for (int kk = 0; kk < BOX_DEPTH / 16; kk++)
            simt::wgmma_m64k16<memory::PART>(acc.of[p], fa[kk], right + 2 * kk);
    }
    simt::wgmma_commit();
    meanwhile();
    __syncwarp();
    simt::wgmma_wait<0>();
}
// Copies the accumulators of wgmma_m64k16 to shared memory, row by row.
template <int BN> __device__ inline void stage_box(float *to, const box_sums<BN> &acc) {
    constexpr int PARTS = box_memory<BN>::PARTS, PART = box_memory<BN>::PART;
    const int t = int(threadIdx.x), lane = t % 32;
    to += (t / 32 * 16 + lane / 4) * (BN + 4) + lane % 4 * 2;
#pragma unroll
    for (int p = 0; p < PARTS; p++)
#pragma unroll
        for (int i = 0; i < PART / 2; i += 2)
            *reinterpret_cast<float2 *>(to + i / 2 % 2 * 8 * (BN + 4) + p * PART + i / 4 * 8) =
                make_float2(acc.of[p][i], acc.of[p][i + 1]);
}

// TURNED: the data gradient, which has no style
template <int BN, bool TURNED, class F>
__device__ inline void box_product(unsigned char *shared, const box_maps &maps, const gather &g,
                                   const float *style, const F &f, float *sums) {
    typedef box_memory<BN> M;
    SIMT_SHARED(full, simt::mbarrier[M::STAGES]);
    SIMT_SHARED(empty, simt::mbarrier[M::STAGES]);
    bf16 *styles = reinterpret_cast<bf16 *>(shared + M::STAGES * M::STAGE);
    const task t = task_of(g, BOX, BN);
    const in_box box = box_of(g, t);
    const int thread = int(threadIdx.x), chunks = g.in_c / BOX_DEPTH;
    const int steps = g.phase[t.phase].taps * chunks, begin = steps * t.split / g.splits;
    const int count = steps * (t.split + 1) / g.splits - begin;
    const auto load = [&](int i) {
        const int s = i % M::STAGES;
        if (i < count)
            load_box<BN, TURNED>(shared + s * M::STAGE, &full[s], maps, g, t, box, begin + i);
    };
    if (thread == 0) {
        for (int s = 0; s < M::STAGES; s++) {
            simt::mbarrier_init(&full[s], 1);
            simt::mbarrier_init(&empty[s], BOX_THREADS / 32);
        }
        simt::fence_proxy_async();
        for (int i = 0; i < M::STAGES; i++) load(i);
    }
    for (int c = thread; !TURNED && c < g.in_c; c += BOX_THREADS)
        chl::set(styles + c, style ? style[int64_t(t.n) * g.in_c + c] : 1.0f);
    __syncthreads();
    box_sums<BN> acc = {};
    for (int i = 0; i < count; i++) {
        const int s = i % M::STAGES;
        const unsigned char *a = shared + s * M::STAGE + thread / 128 * BLOCK_BYTES;
        const unsigned char *b = shared + s * M::STAGE + M::A;
        const auto refill =
            [&] { // loads into the previous step's stage once all warps have released it
                if (thread != 0 || i == 0 || i - 1 + M::STAGES >= count) return;
                const int last = i - 1;
                simt::mbarrier_wait(&empty[last % M::STAGES], unsigned(last / M::STAGES) & 1);
                load(last + M::STAGES);
            };
        simt::mbarrier_wait(&full[s], unsigned(i / M::STAGES) & 1);
        __syncwarp(); // lanes leave the poll one by one; .aligned instructions follow
        if constexpr (TURNED)
            multiply_box<BN>(acc, a, b, refill);
        else
            multiply_styled_box<BN>(acc, a, b, styles + (begin + i) % chunks * BOX_DEPTH, refill);
        __syncwarp();
        if (thread % 32 == 0) simt::mbarrier_arrive(&empty[s]);
    }
    __syncthreads(); // the results overwrite the stages
    float *results = reinterpret_cast<float *>(shared);
    stage_box<BN>(results, acc);
    __syncthreads();
    leave<BOX, BN, BOX_THREADS, 8>(results, g, t, box, f, sums);
}
template <int BN, bool TURNED, class F>
SIMT_KERNEL((BOX_THREADS, (BN > 128 ? 1 : 2)), box_kernel, const __grid_constant__ box_maps maps,
            const __grid_constant__ gather g, const float *style, F f, float *sums) {
    SIMT_DYNAMIC_SHARED(unsigned char, shared);
    if constexpr (simt::HOPPER) box_product<BN, TURNED>(shared, maps, g, style, f, sums);
}

// --- tensor maps and launch ----------------------------------------------------------------------
inline bool on_boxes(tile_kind kind) {
    return kind == WIDEST_BOXES || kind == WIDE_BOXES || kind == TALL_BOXES;
}
inline int columns_of(tile_kind boxes) {
    return boxes == WIDEST_BOXES ? 256 : boxes == WIDE_BOXES ? 128 : 64;
}
inline int map_pixels(simt::tensor_map *map, const gather &g, const bf16 *x, int top, int left) {
    const uint64_t c = uint64_t(g.in_c), w = uint64_t(g.in_w), h = uint64_t(g.in_h);
    const uint64_t step = uint64_t(g.step), y0 = uint64_t(top), x0 = uint64_t(left);
    const uint64_t size[4] = {c, (w - x0 + step - 1) / step, (h - y0 + step - 1) / step,
                              uint64_t(g.n)};
    const uint64_t pitch[3] = {2 * c * step, 2 * c * w * step, 2 * c * w * h};
    const uint32_t box[4] = {BOX_DEPTH, uint32_t(g.box_w), uint32_t(g.box_h), 1};
    return simt::make_tensor_map(map, x + (y0 * w + x0) * c, 4, size, pitch, box, true);
}
inline int make_maps(box_maps *maps, const gather &g, const bf16 *x, const bf16 *w, bool turned,
                     tile_kind kind) {
    const int bn = columns_of(kind);
    const int in = turned ? g.out_c : g.in_c, out = turned ? g.in_c : g.out_c;
    const uint64_t size[2] = {9 * uint64_t(in), uint64_t(out)}, pitch[1] = {18 * uint64_t(in)};
    const uint32_t box[2] = {64, turned ? 64 : uint32_t(bn)};
    int error = simt::make_tensor_map(&maps->w, w, 2, size, pitch, box, true);
    for (int p = 0; p < g.step * g.step && !error; p++)
        error = map_pixels(&maps->x[p], g, x, p / 2, p % 2);
    return error;
}
template <int BN, class F>
chl_kernel_status launch_boxes(const chl_call *call, const gather &g, const box_maps &maps,
                               const float *style, const F &f, float *sums) {
    typedef box_memory<BN> M;
    const simt::shape shape = {dim3(blocks_of(g)), dim3(BOX_THREADS),
                               size_t(M::STAGES) * M::STAGE + size_t(g.in_c) * sizeof(bf16), 90};
    int error = 0;
    if constexpr (F::FORWARD)
        if (!g.turned)
            error = simt::launch(box_kernel<BN, false, F>, shape, call->stream, maps, g, style, f,
                                 sums);
    if constexpr (F::BACKWARD)
        if (g.turned)
            error =
                simt::launch(box_kernel<BN, true, F>, shape, call->stream, maps, g, style, f, sums);
    return chl::status(error);
}
template <class F>
chl_kernel_status run_boxes(const chl_call *call, tile_kind kind, const gather &g,
                            const box_maps &maps, const float *style, const F &f, float *sums) {
    switch (kind) {
    case WIDEST_BOXES:
        return launch_boxes<256>(call, g, maps, style, f, sums);
    case WIDE_BOXES:
        return launch_boxes<128>(call, g, maps, style, f, sums);
    default:
        return launch_boxes<64>(call, g, maps, style, f, sums);
    }
}
// Ampere's tile in place of a box, where the driver cannot encode a tensor map. It has as many
// channels, or half as many of 256, and a sample has no more of these tiles than of boxes: parts, workspace and epilogue
// stay as they are.
inline tile_kind tiles_instead(gather &g, tile_kind boxes) {
    g.box_h = g.box_w = 0;
    lay_tiles(g, BOX, boxes == TALL_BOXES ? 64 : 128);
    return boxes == TALL_BOXES ? TALL : WIDE;
}

// --- the choice of this path and its tile, by the shape alone ------------------------------------
inline bool mostly_inside(const gather &g) {
    int64_t work = 0;
    for (int p = 0; p < g.phases; p++)
        work += int64_t(g.phase[p].taps) * g.phase[p].rows * g.phase[p].across;
    return 5 * work >= 3 * box_work(g, g.box_w);
}
inline bool boxes_take(const gather &g) {
    if (!chl::gpu.hopper_fill || g.in_c % BOX_DEPTH || g.out_c % 64) return false;
    // Plain convolutions of every second pixel, and their gradients, have no test on boxes yet.
    return !(g.step == 2 ? g.phase[0].tap[0].dy < 0 : g.turned && g.phases > 1);
}
// The boxes that the call asks for; PLAIN_TILES: none, or they do not take the shape.
inline tile_kind lay_wished_boxes(gather &g) {
    for (const tile_kind kind : {WIDEST_BOXES, WIDE_BOXES, TALL_BOXES})
        if (wishes(g, kind) && boxes_take(g) && g.out_c % columns_of(kind) == 0) {
            lay_boxes(g, columns_of(kind));
            return kind;
        }
    return PLAIN_TILES;
}
// Returns PLAIN_TILES where this path does not take the shape.
inline tile_kind lay_hopper_tiles(gather &to) {
    const int fill = chl::gpu.hopper_fill;
    if (!boxes_take(to)) return PLAIN_TILES;
    gather g = to;
    tile_kind kind = PLAIN_TILES;
    const auto blocks = [&](tile_kind with) {
        kind = with;
        lay_boxes(g, columns_of(with));
        return g.n * g.tiles * g.column_tiles;
    };
    const tile_kind widest = g.out_c > 64 ? WIDE_BOXES : TALL_BOXES;
    // As many rounds of 128 x 256 as take less than those of 128 x 128: each 3/2 of the time, by the
    // bytes from the L2 cache.
    const auto rounds = [&](tile_kind with) { return (blocks(with) + fill - 1) / fill; };
    if (g.out_c % 256 == 0 && 3 * rounds(WIDEST_BOXES) < 2 * rounds(WIDE_BOXES))
        (void)blocks(WIDEST_BOXES);
    else if (blocks(widest) < fill && blocks(TALL_BOXES) < fill) {
        // Too few tiles for the chip: the terms are divided among up to four blocks; with less than
        // a fifth of them, ampere.cuh's smaller tiles are used.
        const int whole = blocks(widest);
        if (5 * whole < fill) return PLAIN_TILES;
        g.splits = 2 * fill / whole < 4 ? 2 * fill / whole : 4;
    }
    if (!mostly_inside(g)) return PLAIN_TILES;
    to = g;
    return kind;
}
} // namespace modconv
