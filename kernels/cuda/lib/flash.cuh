// Attention over sequences of any length on tensor cores, scores never in memory [Dao 2023]. Heads
// of up to 128 numbers, a multiple of 8, in tiles of D = 32, 64, 80 or 128.
//
// A block owns 64 rows, 16 for each warp, and loops over tiles of the other side; the next tile is
// copied while the current one is computed. Bound by arithmetic from some hundred tokens on: 4 T^2
// D FLOPs a head forward, 14 backward (10 would be needed; both passes compute the scores, so that
// neither needs atomics), against 8 T D bytes forward, 20 backward.
#pragma once
#include "cuda/lib/attention.cuh"
#include "cuda/lib/tile.cuh"

namespace flash {
using attention::MASKED;
using attention::sequences;
using attention::tensors;
using chl::bf16;
constexpr int THREADS = 128, OWN = 64;
constexpr float LOG2E = 1.4426950408889634f;

// the rows of one head of one sequence, in tensors of rows of `step` numbers
struct rows {
    int64_t base, step;
    int first, tokens;
    __device__ int64_t operator()(int r) const {
        return first + r < tokens ? base + (first + r) * step : -1;
    }
};

struct task {
    int first, head;
    int64_t n;
    __device__ rows of(const sequences &g, int64_t step, int from) const {
        return {n * g.tokens * step + head * g.width, step, from, g.tokens};
    }
};
__device__ inline task mine(const sequences &g) {
    const unsigned tiles = unsigned(g.tokens + OWN - 1) / OWN, heads = unsigned(g.heads);
    return {int(blockIdx.x % tiles) * OWN, int(blockIdx.x / tiles % heads),
            int64_t(blockIdx.x / tiles / heads)};
}

// Masks pairs that do not exist or are not causal: s is the product of rows `own` ... and rows
// `other` ...
template <int N, bool KEYS>
SIMT_DEVICE void mask(float (&s)[N / 8][4], const sequences &g, int own, int other) {
    const int lane = int(threadIdx.x) % 32;
#pragma unroll
    for (int n = 0; n < N / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const int i = own + lane / 4 + e / 2 * 8, j = other + n * 8 + lane % 4 * 2 + e % 2;
            const bool late = g.causal && (KEYS ? i > j : j > i);
            if (j >= g.tokens || late) s[n][e] = MASKED;
        }
}

// --- forward -------------------------------------------------------------------------------------
constexpr int KEYS_AT_ONCE = 64;
template <int D>
constexpr size_t FORWARD_SHARED = sizeof(bf16) * size_t(OWN + 4 * KEYS_AT_ONCE) * tile::STRIDE<D>;

// Turns one tile's scores into weights and updates each row's largest score and its sum of weights.
template <int D>
SIMT_DEVICE void soften(float (&s)[KEYS_AT_ONCE / 8][4], float (&o)[D / 8][4], float (&row_max)[2],
                        float (&total)[2], float scale) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float top = row_max[half], sum = 0;
#pragma unroll
        for (int n = 0; n < KEYS_AT_ONCE / 8; n++)
            top = fmaxf(top, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
        top = tile::quad_max(top);
        const float rescale = exp2f((row_max[half] - top) * scale);
        row_max[half] = top;
#pragma unroll
        for (int n = 0; n < KEYS_AT_ONCE / 8; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++)
                sum += s[n][e] = exp2f((s[n][e] - top) * scale);
        total[half] = total[half] * rescale + sum; // over this lane's columns
#pragma unroll
        for (int n = 0; n < D / 8; n++) o[n][2 * half] *= rescale, o[n][2 * half + 1] *= rescale;
    }
}

template <int D> SIMT_KERNEL((THREADS), forward, sequences g, tensors<bf16> t) {
    constexpr int TILE = KEYS_AT_ONCE * tile::STRIDE<D>;
    SIMT_DYNAMIC_SHARED(bf16, memory);
    bf16 *own = memory, *others = memory + OWN * tile::STRIDE<D>;
    const task k = mine(g);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int end = g.causal ? min(g.tokens, k.first + OWN) : g.tokens, row = k.first + warp * 16;
    const int64_t c = g.channels;
    const auto fetch_keys = [&](int begin, int stage) {
        const rows at = k.of(g, 3 * c, begin);
        bf16 *to = others + stage * 2 * TILE;
        tile::fetch<D, THREADS>(to, t.qkv + c, KEYS_AT_ONCE, g.width, at);
        tile::fetch<D, THREADS>(to + TILE, t.qkv + 2 * c, KEYS_AT_ONCE, g.width, at);
        simt::cp_async_commit();
    };
    tile::fetch<D, THREADS>(own, t.qkv, OWN, g.width, k.of(g, 3 * c, k.first));
    fetch_keys(0, 0);
    uint32_t q[D / 16][4];
    float o[D / 8][4] = {}, row_max[2] = {-INFINITY, -INFINITY}, total[2] = {};
    const float scale = g.scale * LOG2E;
    for (int begin = 0, stage = 0; begin < end; begin += KEYS_AT_ONCE, stage ^= 1) {
        simt::cp_async_wait<0>();
        __syncthreads();
        if (begin + KEYS_AT_ONCE < end) fetch_keys(begin + KEYS_AT_ONCE, stage ^ 1);
        if (begin == 0) tile::load_rows<D>(q, own + warp * 16 * tile::STRIDE<D>);
        const bf16 *keys = others + stage * 2 * TILE;
        float s[KEYS_AT_ONCE / 8][4] = {};
        tile::multiply_rows<KEYS_AT_ONCE, D>(s, q, keys);
        if (begin + KEYS_AT_ONCE > (g.causal ? row : g.tokens))
            mask<KEYS_AT_ONCE, false>(s, g, row, begin);
        soften<D>(s, o, row_max, total, scale);
        uint32_t p[KEYS_AT_ONCE / 16][4];
        tile::as_a<KEYS_AT_ONCE>(p, s, 1);
        tile::multiply_columns<D, KEYS_AT_ONCE>(o, p, keys + TILE);
    }
    for (int half = 0; half < 2; half++) {
        total[half] = tile::quad_sum(total[half]);
        const int i = row + lane / 4 + half * 8;
        if (t.lse_out && lane % 4 == 0 && i < g.tokens)
            chl::put(t.lse_out + (k.n * g.heads + k.head) * g.tokens + i,
                     row_max[half] * g.scale + logf(total[half]), t.add_lse);
        const float share = 1 / total[half];
        for (int n = 0; n < D / 8; n++) o[n][2 * half] *= share, o[n][2 * half + 1] *= share;
    }
    if (t.out)
        tile::store_out<D>(own + warp * 16 * tile::STRIDE<D>, o, 1, t.out, g.width, t.add,
                           k.of(g, c, row));
}

// --- backward ------------------------------------------------------------------------------------
// Two passes of one kernel. QUERIES: own0, own1 = q, dy, the others k, v; result dq. KEYS: own0,
// own1 = k, v, the others q, dy; results dk and dv. Either way s = own0 other0^T, dp = own1
// other1^T, sum0 += ds other0, sum1 += p other1.
template <int D>
constexpr int OTHERS = D > 64 ? 32 : 64; // rows of a tile: as many as the registers allow
template <int D>
constexpr size_t BACKWARD_SHARED = sizeof(bf16) * size_t(2 * OWN + 4 * OTHERS<D>) * tile::STRIDE<D>;

// D = rowsum(dy y) of a lane's two rows, written to memory for the pass over the keys
SIMT_DEVICE float delta_of(const tensors<bf16> &t, const sequences &g, const task &k, int token) {
    const int quarter = int(threadIdx.x) % 4;
    const int64_t at = (k.n * g.tokens + token) * g.channels + k.head * g.width;
    float sum = 0;
    for (int c = quarter * 8; token < g.tokens && c < g.width; c += 32) {
        float a[8], b[8];
        chl::load(t.dy + at + c, a);
        chl::load(t.y + at + c, b);
        for (int e = 0; e < 8; e++) sum += a[e] * b[e];
    }
    sum = tile::quad_sum(sum);
    if (quarter == 0 && token < g.tokens)
        t.delta[(k.n * g.heads + k.head) * g.tokens + token] = sum;
    return sum;
}

template <int D, bool KEYS> SIMT_KERNEL((THREADS), backward, sequences g, tensors<bf16> t) {
    constexpr int N = OTHERS<D>, TILE = N * tile::STRIDE<D>, ROWS = 16 * tile::STRIDE<D>;
    constexpr bool HELD = D <= 64; // true: the own rows' fragments stay in registers
    SIMT_DYNAMIC_SHARED(bf16, memory);
    SIMT_SHARED(stats, float[2][2][N]); // KEYS: lse and D of the others, by stage
    const task k = mine(g);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int row = k.first + warp * 16;
    const int64_t c = g.channels, stat = (k.n * g.heads + k.head) * g.tokens;
    bf16 *own[2] = {memory + warp * ROWS, memory + (4 + warp) * ROWS}, *others = memory + 8 * ROWS;
    const int from = KEYS && g.causal ? k.first / N * N : 0;
    const int end = !KEYS && g.causal ? min(g.tokens, k.first + OWN) : g.tokens;
    const auto fetch_others = [&](int begin, int stage) {
        const rows at = k.of(g, 3 * c, begin), at_dy = k.of(g, c, begin);
        bf16 *to = others + stage * 2 * TILE;
        tile::fetch<D, THREADS>(to, t.qkv + (KEYS ? 0 : c), N, g.width, at);
        tile::fetch<D, THREADS>(to + TILE, KEYS ? t.dy : t.qkv + 2 * c, N, g.width,
                                KEYS ? at_dy : at);
        for (int i = int(threadIdx.x); KEYS && i < 2 * N; i += THREADS) {
            const bool valid = begin + i % N < g.tokens;
            const float *list = i < N ? t.lse : t.delta;
            simt::cp_async4(&stats[stage][i / N][i % N], list + stat + (valid ? begin + i % N : 0),
                            valid);
        }
        simt::cp_async_commit();
    };
    tile::fetch<D, THREADS>(memory, t.qkv + (KEYS ? c : 0), OWN, g.width, k.of(g, 3 * c, k.first));
    tile::fetch<D, THREADS>(memory + 4 * ROWS, KEYS ? t.qkv + 2 * c : t.dy, OWN, g.width,
                            k.of(g, KEYS ? 3 * c : c, k.first));
    fetch_others(from, 0);
    float lse[2] = {}, delta[2] = {};
    for (int half = 0; half < 2 && !KEYS; half++) {
        const int i = row + lane / 4 + half * 8;
        delta[half] = delta_of(t, g, k, i);
        lse[half] = i < g.tokens ? t.lse[stat + i] * LOG2E : 0;
    }
    uint32_t a0[D / 16][4], a1[D / 16][4];
    float sum0[D / 8][4] = {}, sum1[D / 8][4] = {};
    for (int begin = from, stage = 0; begin < end; begin += N, stage ^= 1) {
        simt::cp_async_wait<0>();
        __syncthreads();
        if (begin + N < end) fetch_others(begin + N, stage ^ 1);
        const bf16 *other = others + stage * 2 * TILE;
        float s[N / 8][4] = {}, dp[N / 8][4] = {};
        if (!HELD || begin == from) tile::load_rows<D>(a0, own[0]);
        tile::multiply_rows<N, D>(s, a0, other);
        if (!HELD || begin == from) tile::load_rows<D>(a1, own[1]);
        tile::multiply_rows<N, D>(dp, a1, other + TILE);
        if (begin + N > g.tokens || (g.causal && (KEYS ? begin < row + 15 : begin + N > row)))
            mask<N, KEYS>(s, g, row, begin);
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const int column = n * 8 + lane % 4 * 2 + e % 2;
                const float l = KEYS ? stats[stage][0][column] * LOG2E : lse[e / 2];
                s[n][e] = exp2f(s[n][e] * (g.scale * LOG2E) - l);
                dp[n][e] = s[n][e] * (dp[n][e] - (KEYS ? stats[stage][1][column] : delta[e / 2]));
            }
        uint32_t p[N / 16][4];
        if constexpr (KEYS) {
            tile::as_a<N>(p, s, 1);
            tile::multiply_columns<D, N>(sum1, p, other + TILE);
        }
        tile::as_a<N>(p, dp, g.scale);
        tile::multiply_columns<D, N>(sum0, p, other);
    }
    const rows to = k.of(g, 3 * c, row);
    tile::store_out<D>(own[0], sum0, 1, t.out + (KEYS ? c : 0), g.width, t.add, to);
    if (KEYS) tile::store_out<D>(own[1], sum1, 1, t.out + 2 * c, g.width, t.add, to);
}

// --- launches ------------------------------------------------------------------------------------
inline bool fits(const sequences &g) {
    return g.width % 8 == 0 && g.width <= 128;
}
// Calls body with the smallest constant D that holds the width.
template <class F> chl_kernel_status by_width(int width, F body) {
    if (width <= 32) return body(std::integral_constant<int, 32>());
    if (width <= 64) return body(std::integral_constant<int, 64>());
    if (width <= 80) return body(std::integral_constant<int, 80>());
    return body(std::integral_constant<int, 128>());
}
inline dim3 grid_of(const sequences &g) {
    return dim3(unsigned(g.units * g.heads * ((g.tokens + OWN - 1) / OWN)));
}

inline chl_kernel_status run_forward(const chl_call *call, const sequences &g,
                                     const tensors<bf16> &t) {
    return by_width(g.width, [&](auto d) {
        constexpr int D = decltype(d)::value;
        return chl::status(simt::launch(forward<D>, {grid_of(g), dim3(THREADS), FORWARD_SHARED<D>},
                                        call->stream, g, t));
    });
}
inline chl_kernel_status run_backward(const chl_call *call, const sequences &g,
                                      const tensors<bf16> &t) {
    return by_width(g.width, [&](auto d) {
        constexpr int D = decltype(d)::value;
        const simt::shape shape = {grid_of(g), dim3(THREADS), BACKWARD_SHARED<D>};
        const int queries = simt::launch(backward<D, false>, shape, call->stream, g, t);
        if (queries) return chl::status(queries);
        return chl::status(simt::launch(backward<D, true>, shape, call->stream, g, t));
    });
}
} // namespace flash
