// Attention of units of up to 64 tokens on tensor cores: windows, and short sequences. One tile
// holds all tokens of a unit, so everything is read and written once, and the backward pass
// computes the scores once. Heads of up to 64 numbers, a multiple of 8, in tiles of D = 32 or 64.
//
// A block has one head and loops over a share of the units; the next unit's tiles are copied while
// the current one is computed. A warp moves and computes the same 16 tokens of every unit, so a
// lane computes the places of its tokens once per unit for all tensors. What is added to the
// scores (bias, masks, padding) stays in shared memory, and the scores' gradient is summed over the
// units in registers. Counted at T = 49, D = 32: 12.5 KB and 0.5 MFLOP per unit and head forward,
// 22 KB and 1.3 MFLOP backward, for which a warp issues some 470 and 770 instructions (sm_90a): at
// four a cycle on 132 multiprocessors less time than the bytes take, so memory is the bound.
#pragma once
#include "cuda/lib/attention.cuh"
#include "cuda/lib/tile.cuh"

namespace attention_tile {
using attention::tensors;
using attention::unit;
using chl::bf16;
constexpr int THREADS = 128, TOKENS = 64;
constexpr float LOG2E = 1.4426950408889634f, LN2 = 0.6931471805599453f;
template <int D> constexpr int TILE = TOKENS *tile::STRIDE<D>;

// Offsets within an image are 32-bit.
template <class G> bool fits(const G &g) {
    return g.tokens <= TOKENS && g.width % 8 == 0 && g.width <= 64 &&
           g.pixels * 3 * g.channels <= INT32_MAX;
}

// --- what is added to the scores -----------------------------------------------------------------
// `start` is [tokens, TOKENS], in units of the dot products. Of each 16 keys the four numbers of a
// lane lie side by side, which it reads at once; odd rows exchange neighbouring 16s, so that two
// rows lie in different banks.
__device__ inline int start_at(int query, int key) {
    return query * TOKENS + (key / 16 ^ (query & 1)) * 16 + key % 8 / 2 * 4 + key / 8 % 2 * 2 +
           key % 2;
}
// Where a lane reads the rows of its two queries: blocks of 16 with an even and an odd number. Queries
// beyond the last token read the last one's row.
struct start_rows {
    const float *block[2][2];
    __device__ start_rows(const float *start, int row, int tokens) {
        for (int half = 0; half < 2; half++) {
            const int query = min(row + half * 8, tokens - 1), odd = query & 1 ? 16 : 0;
            const float *from = start + query * TOKENS + int(threadIdx.x) % 4 * 4;
            block[half][0] = from + odd;
            block[half][1] = from - odd;
        }
    }
};
template <class G>
__device__ inline void lay_out_start(const G &g, int head, unsigned *place, float *start) {
    for (int i = int(threadIdx.x); i < TOKENS; i += THREADS) place[i] = g.place(i);
    __syncthreads();
    const float unscale = 1 / g.scale;
    for (int i = int(threadIdx.x); i < g.tokens * TOKENS; i += THREADS) {
        const int query = i / TOKENS, key = i % TOKENS;
        start[start_at(query, key)] = key < g.tokens
                                          ? g.between(head, place[query], place[key]) * unscale
                                          : attention::MASKED;
    }
}

// On which sides of the seams the lane's two queries and 2 KEYS / 8 keys lie, a bit for each key.
struct sides {
    unsigned query[2], key[2];
    template <class G> __device__ sides(const G &g, int row) {
        const int column = int(threadIdx.x) % 4 * 2;
        for (int side = 0; side < 2; side++) query[side] = key[side] = 0;
        for (int side = 0; side < 2; side++) {
            for (int half = 0; half < 2; half++)
                if (g.part(row + half * 8) >> side & 1u) query[side] |= 1u << half;
            for (int i = 0; i < TOKENS / 4; i++)
                if (g.part(i / 2 * 8 + column + i % 2) >> side & 1u) key[side] |= 1u << i;
        }
    }
    // the keys that `mixed` separates from a query
    __device__ unsigned apart(unsigned mixed, int half) const {
        unsigned found = 0;
        for (int side = 0; side < 2; side++)
            if (mixed >> side & 1u) found |= query[side] >> half & 1u ? ~key[side] : key[side];
        return found;
    }
};

// Stores the first N columns of an A in 16 rows of a tile that are STRIDE numbers apart.
template <int N, int STRIDE, int K>
SIMT_DEVICE void store_columns(bf16 *at, const uint32_t (&a)[K][4]) {
    const int lane = int(threadIdx.x) % 32;
    at += lane / 4 * STRIDE + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < N / 8; n++)
#pragma unroll
        for (int half = 0; half < 2; half++)
            *reinterpret_cast<uint32_t *>(at + half * 8 * STRIDE + n * 8) =
                a[n / 2][n % 2 * 2 + half];
}

// --- moving tiles --------------------------------------------------------------------------------
// A lane moves 16 bytes of ROWS of its warp's 16 rows, APART rows from each other.
template <class G, int D> struct mover {
    static constexpr int LANES = D / 8, ROWS = D / 16, APART = 32 / LANES;
    const G &g;
    int row, column, step; // the first row; step: numbers from a row to the next in the tile
    unsigned place[ROWS];
    bool valid[ROWS];
    __device__ explicit mover(const G &geometry) : g(geometry) {
        const int lane = int(threadIdx.x) % 32;
        row = int(threadIdx.x) / 32 * 16 + lane / LANES;
        column = lane % LANES * 8;
        step = APART * tile::STRIDE<D>;
        for (int i = 0; i < ROWS; i++) {
            const int token = row + i * APART;
            valid[i] = token < g.tokens && column < g.width;
            place[i] = g.place(token < g.tokens ? token : 0);
        }
    }
    __device__ void locate(const unit &u, int (&pixel)[ROWS]) const {
#pragma unroll
        for (int i = 0; i < ROWS; i++) pixel[i] = g.pixel_of(u, place[i]);
    }
    // `from`: the head's first number in the image's first pixel, `width` numbers a pixel
    __device__ void fetch(bf16 *to, const bf16 *from, int width, const int (&pixel)[ROWS]) const {
        to += row * tile::STRIDE<D> + column;
        from += column;
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            simt::cp_async16(to + i * step, from + (valid[i] ? pixel[i] * width : 0), valid[i]);
    }
    // Stores the warp's rows of an accumulator by way of its rows of the tile `staging`.
    __device__ void store(bf16 *staging, const float (&acc)[D / 8][4], float factor, bf16 *to,
                          int width, bool add, const int (&pixel)[ROWS]) const {
        uint32_t a[D / 16][4];
        tile::as_a<D>(a, acc, factor);
        __syncwarp();
        store_columns<D, tile::STRIDE<D>>(staging + int(threadIdx.x) / 32 * 16 * tile::STRIDE<D>,
                                          a);
        __syncwarp();
        staging += row * tile::STRIDE<D> + column;
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            if (!valid[i]) continue;
            bf16 *out = to + column + pixel[i] * width;
            if (add) {
                float v[8];
                chl::load(staging + i * step, v);
                chl::store(out, v, true);
            } else {
                *reinterpret_cast<uint4 *>(out) =
                    *reinterpret_cast<const uint4 *>(staging + i * step);
            }
        }
    }
};

// --- products ------------------------------------------------------------------------------------
// acc [16,KEYS] += A [16,D] B^T, B a tile; KEYS is a multiple of 8
template <int KEYS, int D>
SIMT_DEVICE void multiply_keys(float (&acc)[KEYS / 8][4], const uint32_t (&a)[D / 16][4],
                               const bf16 *b) {
    constexpr int EVEN = KEYS / 16 * 16;
    const int lane = int(threadIdx.x) % 32;
    const bf16 *from = b + (lane / 16 * 8 + lane % 8) * tile::STRIDE<D> + lane / 8 % 2 * 8;
#pragma unroll
    for (int k = 0; k < D / 16; k++)
#pragma unroll
        for (int n = 0; n < EVEN / 16; n++) {
            uint32_t f[4];
            simt::ldmatrix(f, from + n * 16 * tile::STRIDE<D> + k * 16);
            simt::mma_m16n8k16(acc[2 * n], a[k], {f[0], f[1]});
            simt::mma_m16n8k16(acc[2 * n + 1], a[k], {f[2], f[3]});
        }
    if constexpr (EVEN < KEYS) { // eight keys more: two steps of 16 numbers at once
        from = b + (EVEN + lane % 8) * tile::STRIDE<D> + lane / 8 * 8;
#pragma unroll
        for (int k = 0; k < D / 16; k += 2) {
            uint32_t f[4];
            simt::ldmatrix(f, from + k * 16);
            simt::mma_m16n8k16(acc[EVEN / 8], a[k], {f[0], f[1]});
            simt::mma_m16n8k16(acc[EVEN / 8], a[k + 1], {f[2], f[3]});
        }
    }
}
// Converts [16,KEYS] to the A of a product over all tokens; keys beyond KEYS are zeros.
template <int KEYS>
SIMT_DEVICE void as_weights(uint32_t (&a)[TOKENS / 16][4], const float (&s)[KEYS / 8][4],
                            float factor) {
#pragma unroll
    for (int k = 0; k < TOKENS / 16; k++)
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const int n = 2 * k + r / 2;
            a[k][r] = 0;
            if (n < KEYS / 8)
                a[k][r] = tile::pack(factor * s[n][r % 2 * 2], factor * s[n][r % 2 * 2 + 1]);
        }
}

// Computes s = q k^T + start, in units of the dot products.
template <int KEYS, class G, int D>
SIMT_DEVICE void scores(float (&s)[KEYS / 8][4], const G &g, unsigned mixed, const sides &side,
                        const uint32_t (&q)[D / 16][4], const bf16 *keys, const start_rows &start) {
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int n = 0; n < KEYS / 8; n += 2) {
            const float4 four =
                *reinterpret_cast<const float4 *>(start.block[half][n / 2 % 2] + n * 8);
            s[n][2 * half] = four.x;
            s[n][2 * half + 1] = four.y;
            if (n + 1 < KEYS / 8) {
                s[n + 1][2 * half] = four.z;
                s[n + 1][2 * half + 1] = four.w;
            }
        }
    multiply_keys<KEYS, D>(s, q, keys);
    if (mixed == 0) return;
    const float apart = attention::APART / g.scale;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const unsigned keys_apart = side.apart(mixed, half);
#pragma unroll
        for (int i = 0; i < KEYS / 4; i++)
            if (keys_apart >> i & 1u) s[i / 2][2 * half + i % 2] += apart;
    }
}

// --- forward -------------------------------------------------------------------------------------
template <int D> size_t forward_shared(int count) {
    return sizeof(bf16) * 2 * 3 * TILE<D> + sizeof(float) * size_t(count) * TOKENS;
}

// Turns s into weights; `row_max` is the rows' largest score, `total` the sum of their weights.
template <int KEYS>
SIMT_DEVICE void weigh(float (&s)[KEYS / 8][4], float factor, float (&row_max)[2],
                       float (&total)[2]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float top = s[0][2 * half], sum = 0;
#pragma unroll
        for (int i = 0; i < KEYS / 4; i++) top = fmaxf(top, s[i / 2][2 * half + i % 2]);
        row_max[half] = top = tile::quad_max(top);
        const float shift = top * factor;
#pragma unroll
        for (int i = 0; i < KEYS / 4; i++) {
            float &e = s[i / 2][2 * half + i % 2];
            sum += e = exp2f(e * factor - shift);
        }
        total[half] = tile::quad_sum(sum);
    }
}

template <class G, int D, int KEYS>
SIMT_KERNEL((THREADS), forward, G g, tensors<bf16> t, int64_t shares) {
    typedef mover<G, D> moves;
    SIMT_DYNAMIC_SHARED(bf16, memory);
    SIMT_SHARED(place, unsigned[TOKENS]);
    float *start = reinterpret_cast<float *>(memory + 6 * TILE<D>);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int head = int(blockIdx.x % unsigned(g.heads)), row = warp * 16 + lane / 4;
    const int width = int(g.channels), from = head * g.width;
    const attention::range mine =
        attention::share_of(g.units, shares, blockIdx.x / unsigned(g.heads));
    const moves move(g);
    const sides side(g, row);
    const start_rows own(start, row, g.tokens);
    const float factor = g.scale * LOG2E;
    unit u = g.at(mine.first), next = u;
    int here[moves::ROWS], there[moves::ROWS];
    const auto fetch = [&](const unit &unit, bf16 *to, const int(&pixel)[moves::ROWS]) {
        const bf16 *image = t.qkv + unit.image * g.pixels * 3 * g.channels + from;
#pragma unroll
        for (int i = 0; i < 3; i++)
            move.fetch(to + i * TILE<D>, image + i * width, 3 * width, pixel);
        simt::cp_async_commit();
    };
    move.locate(u, there);
    fetch(u, memory, there);
    lay_out_start(g, head, place, start);
    bf16 *queries = memory, *free = memory + 3 * TILE<D>;
    for (unsigned n = mine.first; n < mine.last; n++) {
        simt::cp_async_wait<0>();
        __syncthreads();
        u = next;
#pragma unroll
        for (int i = 0; i < moves::ROWS; i++) here[i] = there[i];
        if (n + 1 < mine.last) {
            g.advance(next);
            move.locate(next, there);
            fetch(next, free, there);
        }
        uint32_t q[D / 16][4], p[TOKENS / 16][4];
        float s[KEYS / 8][4], o[D / 8][4] = {}, row_max[2], total[2];
        tile::load_rows<D>(q, queries + warp * 16 * tile::STRIDE<D>);
        scores<KEYS, G, D>(s, g, u.mixed, side, q, queries + TILE<D>, own);
        weigh<KEYS>(s, factor, row_max, total);
        as_weights<KEYS>(p, s, 1);
        tile::multiply_columns<D, TOKENS>(o, p, queries + 2 * TILE<D>);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const float part = __fdividef(1, total[half]);
#pragma unroll
            for (int i = 0; i < D / 4; i++) o[i / 2][2 * half + i % 2] *= part;
        }
        if (t.lse_out && lane % 4 == 0) {
            float *lse = t.lse_out + (u.image * g.heads + head) * g.pixels;
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int token = row + half * 8;
                if (token < g.tokens)
                    chl::put(lse + g.pixel_of(u, place[token]),
                             row_max[half] * g.scale + LN2 * __log2f(total[half]), t.add_lse);
            }
        }
        if (t.out)
            move.store(queries, o, 1, t.out + u.image * g.pixels * g.channels + from, width, t.add,
                       here);
        bf16 *const used = queries;
        queries = free;
        free = used;
    }
}

// --- backward ------------------------------------------------------------------------------------
// Each warp computes p, ds and dq for its 16 queries; p and ds then go to shared memory, whose
// columns give the transposed products dv and dk. Columns from KEYS on are never written: only the
// gradients of tokens that do not exist are computed from them.
template <int D> size_t backward_shared(int count) {
    return sizeof(bf16) * (2 * 4 * TILE<D> + 2 * TILE<TOKENS>)+sizeof(float) * size_t(count) *
           TOKENS;
}

// Heads wider than 32 need more shared memory than the smaller chips have; 1 KB is kept for the
// static variables.
template <class G> bool backward_fits(const G &g) {
    return fits(g) && (g.width <= 32 || backward_shared<64>(g.tokens) <= chl::gpu.shared - 1024);
}

// Turns s into p and dp into ds. D is the sum of p dp, as the whole row is here.
template <int KEYS>
SIMT_DEVICE void differentiate(float (&s)[KEYS / 8][4], float (&dp)[KEYS / 8][4], float factor,
                               const float *lse) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float l = lse[half * 8] * LOG2E;
        float delta = 0;
#pragma unroll
        for (int i = 0; i < KEYS / 4; i++) {
            float &e = s[i / 2][2 * half + i % 2];
            e = exp2f(e * factor - l);
            delta += e * dp[i / 2][2 * half + i % 2];
        }
        delta = tile::quad_sum(delta);
#pragma unroll
        for (int i = 0; i < KEYS / 4; i++) {
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
template <int KEYS, class G>
SIMT_DEVICE void leave_sums(const float (&sum)[KEYS / 8][4], const G &g, float *to, int row) {
    const int column = int(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const int query = row + e / 2 * 8, key = n * 8 + column + e % 2;
            if (query < g.tokens && key < g.tokens) to[query * g.tokens + key] = sum[n][e];
        }
}

template <class G, int D, int KEYS>
SIMT_KERNEL((THREADS), backward, G g, tensors<bf16> t, int64_t shares) {
    typedef mover<G, D> moves;
    constexpr int ROWS = 16 * tile::STRIDE<D>, SQUARE_ROWS = 16 * tile::STRIDE<TOKENS>;
    SIMT_DYNAMIC_SHARED(bf16, memory);
    SIMT_SHARED(place, unsigned[TOKENS]);
    SIMT_SHARED(lse, float[2][TOKENS]);
    bf16 *ps = memory + 8 * TILE<D>, *dss = ps + TILE<TOKENS>;
    float *start = reinterpret_cast<float *>(dss + TILE<TOKENS>);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int head = int(blockIdx.x % unsigned(g.heads)), row = warp * 16 + lane / 4;
    const int width = int(g.channels), from = head * g.width;
    const unsigned share = blockIdx.x / unsigned(g.heads);
    const attention::range mine = attention::share_of(g.units, shares, share);
    const moves move(g);
    const sides side(g, row);
    const start_rows own(start, row, g.tokens);
    const float factor = g.scale * LOG2E;
    // queries that do not exist get no weight
    for (int i = int(threadIdx.x); i < 2 * TOKENS; i += THREADS)
        if (i % TOKENS >= g.tokens) lse[i / TOKENS][i % TOKENS] = -attention::MASKED;
    const auto fetch = [&](const unit &unit, int stage, const int(&pixel)[moves::ROWS]) {
        bf16 *to = memory + stage * 4 * TILE<D>; // q, k, v, dy
        const int64_t image = unit.image * g.pixels;
        const bf16 *qkv = t.qkv + image * 3 * g.channels + from;
#pragma unroll
        for (int i = 0; i < 3; i++) move.fetch(to + i * TILE<D>, qkv + i * width, 3 * width, pixel);
        move.fetch(to + 3 * TILE<D>, t.dy + image * g.channels + from, width, pixel);
        const float *rows = t.lse + (unit.image * g.heads + head) * g.pixels;
#pragma unroll
        for (int i = 0; i < moves::ROWS; i++)
            if (move.column == 0 && move.valid[i])
                simt::cp_async4(&lse[stage][move.row + i * moves::APART], rows + pixel[i]);
        simt::cp_async_commit();
    };
    unit u = g.at(mine.first), next = u;
    int here[moves::ROWS], there[moves::ROWS];
    move.locate(u, there);
    fetch(u, 0, there);
    lay_out_start(g, head, place, start);
    float sum[KEYS / 8][4] = {};
    for (unsigned n = mine.first; n < mine.last; n++) {
        const int stage = int((n - mine.first) % 2);
        bf16 *q = memory + stage * 4 * TILE<D>, *k = q + TILE<D>, *v = k + TILE<D>,
             *dy = v + TILE<D>;
        simt::cp_async_wait<0>();
        __syncthreads();
        u = next;
#pragma unroll
        for (int i = 0; i < moves::ROWS; i++) here[i] = there[i];
        if (n + 1 < mine.last) {
            g.advance(next);
            move.locate(next, there);
            fetch(next, 1 - stage, there);
        }
        float dq[D / 8][4] = {}, dk[D / 8][4] = {}, dv[D / 8][4] = {};
        {
            uint32_t a[D / 16][4], square[TOKENS / 16][4];
            float s[KEYS / 8][4], dp[KEYS / 8][4] = {};
            tile::load_rows<D>(a, q + warp * ROWS);
            scores<KEYS, G, D>(s, g, u.mixed, side, a, k, own);
            tile::load_rows<D>(a, dy + warp * ROWS);
            multiply_keys<KEYS, D>(dp, a, v);
            differentiate<KEYS>(s, dp, factor, lse[stage] + row);
            if (t.dstart)
#pragma unroll
                for (int i = 0; i < KEYS / 2; i++) sum[i / 4][i % 4] += dp[i / 4][i % 4];
            as_weights<KEYS>(square, s, 1);
            store_columns<KEYS, tile::STRIDE<TOKENS>>(ps + warp * SQUARE_ROWS, square);
            as_weights<KEYS>(square, dp, g.scale);
            store_columns<KEYS, tile::STRIDE<TOKENS>>(dss + warp * SQUARE_ROWS, square);
            tile::multiply_columns<D, TOKENS>(dq, square, k);
        }
        if (!t.out) continue;
        __syncthreads();
        multiply_transposed<D>(dk, dss + warp * 16, q);
        multiply_transposed<D>(dv, ps + warp * 16, dy);
        __syncthreads(); // all warps have read the tiles, which now serve as staging
        bf16 *out = t.out + u.image * g.pixels * 3 * g.channels + from;
        move.store(q, dq, 1, out, 3 * width, t.add, here);
        move.store(k, dk, 1, out + width, 3 * width, t.add, here);
        move.store(v, dv, 1, out + 2 * width, 3 * width, t.add, here);
    }
    if (t.dstart)
        leave_sums<KEYS>(sum, g, t.dstart + (int64_t(share) * g.heads + head) * g.tokens * g.tokens,
                         row);
}

// --- launches ------------------------------------------------------------------------------------
// as many blocks on a multiprocessor as its shared memory holds
template <class G> int64_t backward_shares(const G &g) {
    return attention::shares_of(g, g.width <= 32 ? 3 : 2);
}

template <int D, class G>
chl_kernel_status forward_in(const chl_call *call, const G &g, const tensors<bf16> &t) {
    const int64_t shares = attention::shares_of(g, D == 32 ? 5 : 3);
    const auto kernel = g.tokens <= 56 ? forward<G, D, 56> : forward<G, D, 64>;
    return chl::status(simt::launch(
        kernel, {dim3(unsigned(shares * g.heads)), THREADS, forward_shared<D>(g.tokens)},
        call->stream, g, t, shares));
}
template <class G>
chl_kernel_status run_forward(const chl_call *call, const G &g, const tensors<bf16> &t) {
    return g.width <= 32 ? forward_in<32>(call, g, t) : forward_in<64>(call, g, t);
}
template <int D, class G>
chl_kernel_status backward_in(const chl_call *call, const G &g, const tensors<bf16> &t) {
    const int64_t shares = backward_shares(g);
    const auto kernel = g.tokens <= 56 ? backward<G, D, 56> : backward<G, D, 64>;
    return chl::status(simt::launch(
        kernel, {dim3(unsigned(shares * g.heads)), THREADS, backward_shared<D>(g.tokens)},
        call->stream, g, t, shares));
}
template <class G>
chl_kernel_status run_backward(const chl_call *call, const G &g, const tensors<bf16> &t) {
    return g.width <= 32 ? backward_in<32>(call, g, t) : backward_in<64>(call, g, t);
}
} // namespace attention_tile
