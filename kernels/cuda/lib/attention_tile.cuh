// Attention of units of up to 64 tokens on tensor cores: windows, and short sequences. One tile
// holds all tokens of a unit, so everything is read and written once, and the backward pass
// computes the scores once. Heads of up to 64 numbers, a multiple of 8, in tiles of D = 32 or 64.
//
// A block has one head and loops over a share of the units; the next unit's tiles are copied while
// the current one is computed. What is added to the scores (bias, masks, padding) stays in shared
// memory, and the scores' gradient is summed over the units in registers. Counted at T = 49, D =
// 32: 12.5 KB and 0.5 MFLOP per unit and head forward, 22 KB and 1.3 MFLOP backward (the tensor
// cores could do 3.3 and 5.8 MFLOP while these bytes move, so memory would be the bound; the
// instructions issued around the products have not been measured).
#pragma once
#include "cuda/lib/attention.cuh"
#include "cuda/lib/tile.cuh"

namespace attention_tile {
using attention::tensors;
using attention::unit;
using chl::bf16;
// PAIRS: the length of a row of `start`, padded
constexpr int THREADS = 128, TOKENS = 64, PAIRS = TOKENS + 8;
constexpr float LOG2E = 1.4426950408889634f;
template <int D> constexpr int TILE = TOKENS *tile::STRIDE<D>;

template <class G> bool fits(const G &g) {
    return g.tokens <= TOKENS && g.width % 8 == 0 && g.width <= 64;
}

// facts about its tokens that a block computes once
struct tokens {
    unsigned place[TOKENS], part[TOKENS];
};
template <class G> __device__ inline void lay_out(const G &g, int head, tokens &all, float *start) {
    for (int i = int(threadIdx.x); i < TOKENS; i += THREADS) {
        all.place[i] = g.place(i);
        all.part[i] = i < g.tokens ? g.part(i) : 0;
    }
    // in units of the dot products; queries beyond the last token read the last one's row
    for (int i = int(threadIdx.x); i < g.tokens * TOKENS; i += THREADS) {
        const int query = i / TOKENS, key = i % TOKENS;
        start[query * PAIRS + key] =
            key < g.tokens ? g.start(head, query, key) / g.scale : attention::MASKED;
    }
}

// the rows where the tokens of a unit are stored, from token `first` on, in a tensor of rows of
// `step` numbers
template <class G> struct rows {
    const G &g;
    const unit &u;
    const unsigned *place;
    int64_t step, from;
    int first;
    __device__ int64_t operator()(int r) const {
        if (first + r >= g.tokens) return -1;
        return g.row_of(u, place[first + r]) * step + from;
    }
};

// Computes s = q k^T + start, in units of the dot products.
template <class G, int D>
SIMT_DEVICE void scores(float (&s)[TOKENS / 8][4], const G &g, const unit &u, const tokens &all,
                        const uint32_t (&q)[D / 16][4], const bf16 *keys, const float *start,
                        int row) {
    const int lane = int(threadIdx.x) % 32, column = lane % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float *from = start + min(row + half * 8, g.tokens - 1) * PAIRS + column;
#pragma unroll
        for (int n = 0; n < TOKENS / 8; n++) {
            const float2 both = *reinterpret_cast<const float2 *>(from + n * 8);
            s[n][2 * half] = both.x;
            s[n][2 * half + 1] = both.y;
        }
    }
    tile::multiply_rows<TOKENS, D>(s, q, keys);
    if (u.mixed == 0) return;
    const float apart = attention::APART / g.scale;
#pragma unroll
    for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const unsigned of_query = all.part[row + e / 2 * 8];
            if ((of_query ^ all.part[n * 8 + column + e % 2]) & u.mixed) s[n][e] += apart;
        }
}

// --- forward -------------------------------------------------------------------------------------
template <int D> size_t forward_shared(int count) {
    return sizeof(bf16) * 2 * 3 * TILE<D> + sizeof(float) * size_t(count) * PAIRS;
}

template <class G, int D> SIMT_KERNEL((THREADS), forward, G g, tensors<bf16> t, int64_t shares) {
    SIMT_DYNAMIC_SHARED(bf16, memory);
    SIMT_SHARED(all, tokens);
    float *start = reinterpret_cast<float *>(memory + 6 * TILE<D>);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int head = int(blockIdx.x % unsigned(g.heads)), row = warp * 16 + lane / 4;
    const int64_t c = g.channels, from = int64_t(head) * g.width;
    const attention::range mine =
        attention::share_of(g.units, shares, blockIdx.x / unsigned(g.heads));
    lay_out(g, head, all, start);
    __syncthreads();
    const auto fetch = [&](unsigned n) {
        const unit u = g.at(n);
        const rows<G> at = {g, u, all.place, 3 * c, from, 0};
        for (int i = 0; i < 3; i++)
            tile::fetch<D, THREADS>(memory + ((n - mine.first) % 2 * 3 + i) * TILE<D>,
                                    t.qkv + i * c, TOKENS, g.width, at);
        simt::cp_async_commit();
    };
    fetch(mine.first);
    for (unsigned n = mine.first; n < mine.last; n++) {
        const unit u = g.at(n);
        bf16 *queries = memory + (n - mine.first) % 2 * 3 * TILE<D>;
        simt::cp_async_wait<0>();
        __syncthreads();
        if (n + 1 < mine.last) fetch(n + 1);
        uint32_t q[D / 16][4], p[TOKENS / 16][4];
        float s[TOKENS / 8][4], o[D / 8][4] = {}, row_max[2], total[2];
        tile::load_rows<D>(q, queries + warp * 16 * tile::STRIDE<D>);
        scores<G, D>(s, g, u, all, q, queries + TILE<D>, start, row);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float top = s[0][2 * half], sum = 0;
#pragma unroll
            for (int i = 0; i < TOKENS / 4; i++) top = fmaxf(top, s[i / 2][2 * half + i % 2]);
            row_max[half] = top = tile::quad_max(top);
#pragma unroll
            for (int i = 0; i < TOKENS / 4; i++) {
                float &e = s[i / 2][2 * half + i % 2];
                sum += e = exp2f((e - top) * (g.scale * LOG2E));
            }
            total[half] = tile::quad_sum(sum);
        }
        tile::as_a<TOKENS>(p, s, 1);
        tile::multiply_columns<D, TOKENS>(o, p, queries + 2 * TILE<D>);
        for (int half = 0; half < 2; half++) {
            const float part = 1 / total[half];
#pragma unroll
            for (int i = 0; i < D / 4; i++) o[i / 2][2 * half + i % 2] *= part;
            const int token = row + half * 8;
            if (!t.lse_out || lane % 4 || token >= g.tokens) continue;
            chl::put(t.lse_out + g.stat(u, head, g.row_of(u, all.place[token])),
                     row_max[half] * g.scale + logf(total[half]), t.add_lse);
        }
        if (t.out)
            tile::store_out<D>(queries + warp * 16 * tile::STRIDE<D>, o, 1, t.out, g.width, t.add,
                               rows<G>{g, u, all.place, c, from, warp * 16});
    }
}

// --- backward ------------------------------------------------------------------------------------
// Each warp computes p, ds and dq for its 16 queries; p and ds then go to shared memory, whose
// columns give the transposed products dv and dk.
template <int D> size_t backward_shared(int count) {
    return sizeof(bf16) * (2 * 4 * TILE<D> + 2 * TILE<TOKENS>)+sizeof(float) * size_t(count) *
           PAIRS;
}

// Heads wider than 32 need more shared memory than the smaller chips have; 1 KB is kept for the
// static variables.
template <class G> bool backward_fits(const G &g) {
    return fits(g) && (g.width <= 32 || backward_shared<64>(g.tokens) <= chl::gpu.shared - 1024);
}

// Turns s into p and dp into ds. D is the sum of p dp, as the whole row is here.
template <class G>
SIMT_DEVICE void differentiate(float (&s)[TOKENS / 8][4], float (&dp)[TOKENS / 8][4], const G &g,
                               const float *lse, int row) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float l = lse[row + half * 8] * LOG2E;
        float delta = 0;
#pragma unroll
        for (int i = 0; i < TOKENS / 4; i++) {
            float &e = s[i / 2][2 * half + i % 2];
            e = exp2f(e * (g.scale * LOG2E) - l);
            delta += e * dp[i / 2][2 * half + i % 2];
        }
        delta = tile::quad_sum(delta);
#pragma unroll
        for (int i = 0; i < TOKENS / 4; i++) {
            float &d = dp[i / 2][2 * half + i % 2];
            d = s[i / 2][2 * half + i % 2] * (d - delta);
        }
    }
}

// acc [16,D] = M^T B for columns 16 warp ... 16 warp + 15 of M [64,64]
template <int D>
SIMT_DEVICE void multiply_transposed(float (&acc)[D / 8][4], const bf16 *m, const bf16 *b) {
    uint32_t a[TOKENS / 16][4];
#pragma unroll
    for (int k = 0; k < TOKENS / 16; k++)
        tile::load_a_transposed(a[k], m + k * 16 * tile::STRIDE<TOKENS>, tile::STRIDE<TOKENS>);
    tile::multiply_columns<D, TOKENS>(acc, a, b);
}

// Copies the share's sum of ds from registers to dstart [tokens,tokens].
template <class G>
SIMT_DEVICE void leave_sums(const float (&sum)[TOKENS / 8][4], const G &g, float *to, int row) {
    const int column = int(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int n = 0; n < TOKENS / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const int query = row + e / 2 * 8, key = n * 8 + column + e % 2;
            if (query < g.tokens && key < g.tokens) to[query * g.tokens + key] = sum[n][e];
        }
}

template <class G, int D> SIMT_KERNEL((THREADS), backward, G g, tensors<bf16> t, int64_t shares) {
    constexpr int ROWS = 16 * tile::STRIDE<D>, SQUARE_ROWS = 16 * tile::STRIDE<TOKENS>;
    SIMT_DYNAMIC_SHARED(bf16, memory);
    SIMT_SHARED(all, tokens);
    SIMT_SHARED(lse, float[2][TOKENS]);
    bf16 *ps = memory + 8 * TILE<D>, *dss = ps + TILE<TOKENS>;
    float *start = reinterpret_cast<float *>(dss + TILE<TOKENS>);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int head = int(blockIdx.x % unsigned(g.heads)), row = warp * 16 + lane / 4;
    const int64_t c = g.channels, from = int64_t(head) * g.width;
    const unsigned share = blockIdx.x / unsigned(g.heads);
    const attention::range mine = attention::share_of(g.units, shares, share);
    lay_out(g, head, all, start);
    __syncthreads();
    const auto fetch = [&](unsigned n) { // q, k, v, dy and lse
        const unit u = g.at(n);
        const int stage = int((n - mine.first) % 2);
        for (int i = 0; i < 4; i++)
            tile::fetch<D, THREADS>(memory + (stage * 4 + i) * TILE<D>,
                                    i < 3 ? t.qkv + i * c : t.dy, TOKENS, g.width,
                                    rows<G>{g, u, all.place, i < 3 ? 3 * c : c, from, 0});
        for (int i = int(threadIdx.x); i < TOKENS; i += THREADS) {
            const bool valid = i < g.tokens;
            const int64_t at = valid ? g.stat(u, head, g.row_of(u, all.place[i])) : 0;
            simt::cp_async4(&lse[stage][i], t.lse + at, valid);
        }
        simt::cp_async_commit();
    };
    fetch(mine.first);
    float sum[TOKENS / 8][4] = {};
    for (unsigned n = mine.first; n < mine.last; n++) {
        const unit u = g.at(n);
        const int stage = int((n - mine.first) % 2);
        bf16 *q = memory + stage * 4 * TILE<D>, *k = q + TILE<D>, *v = k + TILE<D>,
             *dy = v + TILE<D>;
        simt::cp_async_wait<0>();
        __syncthreads();
        if (n + 1 < mine.last) fetch(n + 1);
        float dq[D / 8][4] = {}, dk[D / 8][4] = {}, dv[D / 8][4] = {};
        {
            uint32_t a[D / 16][4], square[TOKENS / 16][4];
            float s[TOKENS / 8][4], dp[TOKENS / 8][4] = {};
            tile::load_rows<D>(a, q + warp * ROWS);
            scores<G, D>(s, g, u, all, a, k, start, row);
            tile::load_rows<D>(a, dy + warp * ROWS);
            tile::multiply_rows<TOKENS, D>(dp, a, v);
            differentiate(s, dp, g, lse[stage], row);
            if (t.dstart)
#pragma unroll
                for (int i = 0; i < TOKENS / 2; i++) sum[i / 4][i % 4] += dp[i / 4][i % 4];
            tile::as_a<TOKENS>(square, s, 1);
            tile::store_rows<TOKENS>(ps + warp * SQUARE_ROWS, square);
            tile::as_a<TOKENS>(square, dp, g.scale);
            tile::store_rows<TOKENS>(dss + warp * SQUARE_ROWS, square);
            tile::multiply_columns<D, TOKENS>(dq, square, k);
        }
        if (!t.out) continue;
        __syncthreads();
        multiply_transposed<D>(dk, dss + warp * 16, q);
        multiply_transposed<D>(dv, ps + warp * 16, dy);
        __syncthreads(); // all warps have read the tiles, which now serve as staging
        const rows<G> at = {g, u, all.place, 3 * c, from, warp * 16};
        tile::store_out<D>(q + warp * ROWS, dq, 1, t.out, g.width, t.add, at);
        tile::store_out<D>(k + warp * ROWS, dk, 1, t.out + c, g.width, t.add, at);
        tile::store_out<D>(v + warp * ROWS, dv, 1, t.out + 2 * c, g.width, t.add, at);
    }
    if (t.dstart)
        leave_sums(sum, g, t.dstart + (int64_t(share) * g.heads + head) * g.tokens * g.tokens, row);
}

// --- launches ------------------------------------------------------------------------------------
// as many blocks on a multiprocessor as its shared memory holds
template <class G> int64_t backward_shares(const G &g) {
    return attention::shares_of(g, g.width <= 32 ? 3 : 2);
}

template <class G>
chl_kernel_status run_forward(const chl_call *call, const G &g, const tensors<bf16> &t) {
    const int64_t shares = attention::shares_of(g, g.width <= 32 ? 5 : 3);
    const dim3 grid(unsigned(shares * g.heads));
    return chl::status(
        g.width <= 32 ? simt::launch(forward<G, 32>, {grid, THREADS, forward_shared<32>(g.tokens)},
                                     call->stream, g, t, shares)
                      : simt::launch(forward<G, 64>, {grid, THREADS, forward_shared<64>(g.tokens)},
                                     call->stream, g, t, shares));
}
template <class G>
chl_kernel_status run_backward(const chl_call *call, const G &g, const tensors<bf16> &t) {
    const int64_t shares = backward_shares(g);
    const dim3 grid(unsigned(shares * g.heads));
    return chl::status(
        g.width <= 32
            ? simt::launch(backward<G, 32>, {grid, THREADS, backward_shared<32>(g.tokens)},
                           call->stream, g, t, shares)
            : simt::launch(backward<G, 64>, {grid, THREADS, backward_shared<64>(g.tokens)},
                           call->stream, g, t, shares));
}
} // namespace attention_tile
