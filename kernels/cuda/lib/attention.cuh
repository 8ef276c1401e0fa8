// Shared by attention.cu and window_attention.cu: where tokens are stored, what is added to their
// scores, and one kernel for all shapes and types in plain float arithmetic. The kernels on tensor
// cores are in attention_tile.cuh and flash.cuh.
//
// A "unit" is a set of tokens that attend to each other: a sequence, or a window. Its tokens are
// rows of qkv [rows,3C], y [rows,C], dy; statistics (lse, D) are [images,heads,pixels].
#pragma once
#include "cuda/lib/body.h"

namespace attention {
constexpr float MASKED = -1e30f; // stands for minus infinity, which would give NaN in differences

struct unit {
    int64_t image;
    int top, left;
    unsigned mixed; // the bits of part() that separate tokens of this unit
};

struct layout {
    int64_t units, channels, pixels; // pixels: tokens of an image
    int heads, width, tokens;        // width: numbers per head; tokens of a unit
    float scale;                     // 1 / sqrt(width)
    // `row` is numbered through the batch
    __device__ int64_t stat(const unit &u, int head, int64_t row) const {
        return (u.image * (heads - 1) + head) * pixels + row;
    }
};
inline layout layout_of(const chl_desc &qkv, int heads) {
    layout l = {};
    l.channels = qkv.dim[qkv.rank - 1] / 3;
    l.pixels = qkv.rank == 4 ? qkv.dim[1] * qkv.dim[2] : qkv.dim[1];
    l.heads = heads;
    l.width = int(l.channels / heads);
    l.scale = l.width ? 1.0f / sqrtf(float(l.width)) : 0;
    return l;
}

struct sequences : layout {
    bool causal;
    __device__ unit at(unsigned n) const { return {n, 0, 0, 0}; }
    __device__ void advance(unit &u) const { u.image++; } // to the next unit
    __device__ unsigned place(int token) const { return unsigned(token); }
    __device__ int pixel_of(const unit &, unsigned place) const { return int(place); }
    __device__ int64_t row_of(const unit &u, unsigned place) const {
        return u.image * tokens + place;
    }
    // what is added to the score of a query and a key, told by their places
    __device__ float between(int, unsigned query, unsigned key) const {
        return causal && key > query ? MASKED : 0;
    }
    __device__ float start(int head, int query, int key) const {
        return between(head, unsigned(query), unsigned(key));
    }
    __device__ unsigned part(int) const { return 0; }
};

// Swin's windows of a rolled map: token (y, x) of a window is stored at (top + y, left + x),
// wrapped around.
struct windows : layout {
    const float *bias; // [(2 window - 1)^2, heads]
    int window, shift, map_height, map_width;
    __device__ unit at(unsigned n) const {
        const unsigned across = unsigned(map_width / window), down = unsigned(map_height / window);
        const unsigned y = n / across % down, x = n % across;
        unsigned mixed = 0;
        if (shift) mixed = (y == down - 1 ? 1u : 0u) | (x == across - 1 ? 2u : 0u);
        return {n / across / down, int(y) * window + shift, int(x) * window + shift, mixed};
    }
    __device__ void advance(unit &u) const { // to the next unit, without a division
        u.left += window;
        if (u.left == map_width + shift) {
            u.left = shift;
            u.top += window;
        }
        if (u.top == map_height + shift) {
            u.top = shift;
            u.image++;
        }
        if (shift)
            u.mixed = (u.top == map_height - window + shift ? 1u : 0u) |
                      (u.left == map_width - window + shift ? 2u : 0u);
    }
    // a token's row and column in its window
    __device__ unsigned place(int token) const {
        return unsigned(token / window) << 16 | unsigned(token % window);
    }
    __device__ int pixel_of(const unit &u, unsigned place) const {
        int y = u.top + int(place >> 16), x = u.left + int(place & 0xffff);
        if (y >= map_height) y -= map_height;
        if (x >= map_width) x -= map_width;
        return y * map_width + x;
    }
    __device__ int64_t row_of(const unit &u, unsigned place) const {
        return u.image * pixels + pixel_of(u, place);
    }
    // the bias of a query and a key, told by their places
    __device__ float between(int head, unsigned query, unsigned key) const {
        const int y = int(query >> 16) - int(key >> 16);
        const int x = int(query & 0xffff) - int(key & 0xffff);
        const int entry = (y + window - 1) * (2 * window - 1) + x + window - 1;
        return bias[entry * heads + head];
    }
    __device__ float start(int head, int query, int key) const {
        return between(head, place(query), place(key));
    }
    // On which side of the seams a token lies: the last window of a row or a column of the rolled
    // map consists of two regions of the map, and -100 separates them (Swin's number).
    __device__ unsigned part(int token) const {
        return (token / window >= window - shift ? 1u : 0u) |
               (token % window >= window - shift ? 2u : 0u);
    }
};
constexpr float APART = -100.0f;

// The units are divided into `shares`, one for each block of a head, as many as the largest chip
// runs at once; their number depends on the shapes alone.
struct range {
    unsigned first, last;
};
__device__ inline range share_of(int64_t units, int64_t shares, unsigned share) {
    const unsigned each = unsigned(units) / unsigned(shares),
                   more = unsigned(units) % unsigned(shares);
    return {share * each + min(share, more), (share + 1) * each + min(share + 1, more)};
}
inline int64_t shares_of(const layout &l, int blocks_per_processor) {
    const int64_t wanted = (132 * blocks_per_processor + l.heads - 1) / l.heads;
    return l.units < wanted ? l.units : wanted;
}

// Forward: out is y. Backward: out is dqkv. A tensor whose pointer is null is not wanted.
template <class T> struct tensors {
    const T *qkv, *dy, *y;
    T *out;
    bool add;
    float *lse_out;
    bool add_lse;
    const float *lse;
    float *delta;  // D = rowsum(dy y), written by one pass for the next
    float *dstart; // [shares, heads, tokens, tokens], gradient of start()
};

// of a call qkv ... -> y lse
template <class T> tensors<T> tensors_forward(const chl_call *call) {
    tensors<T> t = {};
    t.qkv = chl::in<T>(call, 0);
    t.out = chl::out<T>(call, 0);
    t.add = chl::adds(call, 0);
    t.lse_out = chl::out<float>(call, 1);
    t.add_lse = chl::adds(call, 1);
    return t;
}
// of a call dy qkv ... y lse -> dqkv, of which y is input number `y`; the workspace begins with D
template <class T> tensors<T> tensors_backward(const chl_call *call, int y) {
    tensors<T> t = {};
    t.dy = chl::in<T>(call, 0);
    t.qkv = chl::in<T>(call, 1);
    t.y = chl::in<T>(call, y);
    t.lse = chl::in<float>(call, y + 1);
    t.out = chl::out<T>(call, 0);
    t.add = chl::adds(call, 0);
    t.delta = static_cast<float *>(call->workspace);
    return t;
}

// --- plain: a warp owns PLAIN_ROWS rows and loops over all others --------------------------------
// FORWARD and QUERIES own queries and loop over keys, KEYS the other way round:
//     s = own0 . other0, dp = own1 . other1;  out0 = sum ds other0, out1 = sum p other1.
// 4 (forward), 6 and 8 FLOPs per score and number of the width; bound by shared memory. It computes
// float32, which serves as a check, and shapes that the kernels on tensor cores do not take.
enum pass { FORWARD, QUERIES, KEYS };
constexpr int PLAIN_WARPS = 4, PLAIN_ROWS = 4, PLAIN_OWN = PLAIN_WARPS * PLAIN_ROWS;
constexpr int PLAIN_THREADS = 32 * PLAIN_WARPS;

constexpr size_t PLAIN_WEIGHTS = size_t(PLAIN_WARPS) * 2 * PLAIN_ROWS * 32;
constexpr size_t plain_shared(int width) {
    return sizeof(float) * (2 * 32 * size_t(width + 1) + 4 * PLAIN_OWN * size_t(width));
}

// Loads `count` rows from `first` on into to[row * stride + column], zeros after the last token.
template <class T, class G>
__device__ inline void plain_load(const G &g, const unit &u, int first, int count, const T *from,
                                  int64_t step, float *to, int stride) {
    for (int i = int(threadIdx.x); i < count * g.width; i += PLAIN_THREADS) {
        const int r = i / g.width, c = i % g.width;
        to[r * stride + c] =
            first + r < g.tokens ? chl::get(from + g.row_of(u, g.place(first + r)) * step + c) : 0;
    }
}

__device__ inline float plain_dot(const float *a, const float *b, int width) {
    float sum = 0;
    for (int c = 0; c < width; c++) sum += a[c] * b[c];
    return sum;
}

// what a row keeps from tile to tile: in FORWARD its largest score and the sum of its weights, in
// QUERIES its lse and D
struct carried {
    float a, b;
};

// the pair's weight p and, backward, ds
struct weighed {
    float p, ds;
};

// Weighs one own row against the 32 others of a tile, one in each lane.
template <int PASS, class G>
__device__ inline weighed weigh(const G &g, const unit &u, int head, int own, int other, float dot,
                                float dp, carried &row, carried column, float &rescale) {
    const int query = PASS == KEYS ? other : own, key = PASS == KEYS ? own : other;
    const bool valid = query < g.tokens && key < g.tokens;
    float s = MASKED;
    if (valid) {
        s = dot * g.scale + g.start(head, query, key);
        if ((g.part(query) ^ g.part(key)) & u.mixed) s += APART;
    }
    if constexpr (PASS == FORWARD) {
        const float row_max = fmaxf(row.a, simt::warp_max(s)), p = valid ? expf(s - row_max) : 0;
        rescale = expf(row.a - row_max);
        row = {row_max, row.b * rescale + simt::warp_sum(p)};
        return {p, 0};
    } else {
        const carried stats = PASS == KEYS ? column : row;
        const float p = valid ? expf(s - stats.a) : 0;
        return {p, p * (dp - stats.b)};
    }
}

template <class T, class G, int PASS>
SIMT_KERNEL((PLAIN_THREADS), plain, G g, tensors<T> t, int64_t shares) {
    SIMT_DYNAMIC_SHARED(float, memory);
    SIMT_SHARED(weight, float[PLAIN_WARPS][2][PLAIN_ROWS][32]); // PLAIN_WEIGHTS
    const int width = g.width, padded = width + 1; // padded: so that 32 rows lie in 32 banks
    float *other[2] = {memory, memory + 32 * padded};
    float *own[2] = {memory + 64 * padded, memory + 64 * padded + PLAIN_OWN * width};
    float *sum[2] = {own[1] + PLAIN_OWN * width, own[1] + 2 * PLAIN_OWN * width};
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const unsigned tiles = unsigned(g.tokens + PLAIN_OWN - 1) / PLAIN_OWN;
    const int first = int(blockIdx.x % tiles) * PLAIN_OWN, mine = warp * PLAIN_ROWS;
    const int head = int(blockIdx.x / tiles % unsigned(g.heads));
    const unsigned share = blockIdx.x / tiles / unsigned(g.heads);
    const int64_t c = g.channels, from = int64_t(head) * width;
    const range all = share_of(g.units, shares, share);
    for (unsigned n = all.first; n < all.last; n++) {
        const unit u = g.at(n);
        __syncthreads();
        plain_load(g, u, first, PLAIN_OWN, t.qkv + from + (PASS == KEYS ? c : 0), 3 * c, own[0],
                   width);
        if (PASS == QUERIES) plain_load(g, u, first, PLAIN_OWN, t.dy + from, c, own[1], width);
        if (PASS == KEYS)
            plain_load(g, u, first, PLAIN_OWN, t.qkv + from + 2 * c, 3 * c, own[1], width);
        for (int i = int(threadIdx.x); i < 2 * PLAIN_OWN * width; i += PLAIN_THREADS) sum[0][i] = 0;
        __syncthreads();
        carried row[PLAIN_ROWS];
#pragma unroll
        for (int r = 0; r < PLAIN_ROWS; r++) {
            const int token = first + mine + r;
            row[r] = {-INFINITY, 0};
            if (PASS != QUERIES || token >= g.tokens) continue;
            const int64_t at = g.row_of(u, g.place(token)), stat = g.stat(u, head, at);
            float delta = 0;
            for (int i = lane; i < width; i += 32)
                delta += own[1][(mine + r) * width + i] * chl::get(t.y + at * c + from + i);
            row[r] = {t.lse[stat], simt::warp_sum(delta)};
            if (lane == 0) t.delta[stat] = row[r].b;
        }
        for (int begin = 0; begin < g.tokens; begin += 32) {
            __syncthreads();
            plain_load(g, u, begin, 32, t.qkv + from + (PASS == KEYS ? 0 : c), 3 * c, other[0],
                       padded);
            if (PASS == KEYS)
                plain_load(g, u, begin, 32, t.dy + from, c, other[1], padded);
            else
                plain_load(g, u, begin, 32, t.qkv + from + 2 * c, 3 * c, other[1], padded);
            __syncthreads();
            const int token = begin + lane;
            carried column = {};
            if (PASS == KEYS && token < g.tokens) {
                const int64_t stat = g.stat(u, head, g.row_of(u, g.place(token)));
                column = {t.lse[stat], t.delta[stat]};
            }
            float rescale[PLAIN_ROWS];
#pragma unroll
            for (int r = 0; r < PLAIN_ROWS; r++) {
                const int at = (mine + r) * width, i = first + mine + r;
                const float dot = plain_dot(own[0] + at, other[0] + lane * padded, width);
                const float dp =
                    PASS == FORWARD ? 0 : plain_dot(own[1] + at, other[1] + lane * padded, width);
                rescale[r] = 1;
                const weighed w =
                    weigh<PASS>(g, u, head, i, token, dot, dp, row[r], column, rescale[r]);
                weight[warp][0][r][lane] = w.ds * g.scale;
                weight[warp][1][r][lane] = w.p;
                if (PASS == QUERIES && t.dstart && i < g.tokens && token < g.tokens)
                    chl::put(t.dstart +
                                 ((int64_t(share) * g.heads + head) * g.tokens + i) * g.tokens +
                                 token,
                             w.ds, n > all.first);
            }
            __syncwarp();
#pragma unroll
            for (int r = 0; r < PLAIN_ROWS; r++)
                for (int i = lane; i < width; i += 32) {
                    float a = sum[0][(mine + r) * width + i];
                    float b = sum[1][(mine + r) * width + i] * rescale[r];
                    for (int j = 0; j < 32; j++) {
                        if (PASS != FORWARD) a += weight[warp][0][r][j] * other[0][j * padded + i];
                        if (PASS != QUERIES) b += weight[warp][1][r][j] * other[1][j * padded + i];
                    }
                    sum[0][(mine + r) * width + i] = a;
                    sum[1][(mine + r) * width + i] = b;
                }
            __syncwarp();
        }
#pragma unroll
        for (int r = 0; r < PLAIN_ROWS; r++) {
            if (first + mine + r >= g.tokens) break;
            const int64_t at = g.row_of(u, g.place(first + mine + r));
            for (int i = lane; t.out && i < width; i += 32) {
                const float a = sum[0][(mine + r) * width + i], b = sum[1][(mine + r) * width + i];
                T *to = t.out + at * (PASS == FORWARD ? c : 3 * c) + from + i;
                if (PASS == FORWARD) chl::put(to, b / row[r].b, t.add);
                if (PASS == QUERIES) chl::put(to, a, t.add);
                if (PASS == KEYS) chl::put(to + c, a, t.add);
                if (PASS == KEYS) chl::put(to + 2 * c, b, t.add);
            }
            if (PASS == FORWARD && lane == 0 && t.lse_out)
                chl::put(t.lse_out + g.stat(u, head, at), row[r].a + logf(row[r].b), t.add_lse);
        }
    }
}

template <class T, int PASS, class G>
chl_kernel_status run_plain(const chl_call *call, const G &g, const tensors<T> &t, int64_t shares) {
    const size_t shared = plain_shared(g.width);
    const chl_kernel_status granted =
        chl::grant_shared(shared + PLAIN_WEIGHTS * sizeof(float), "attention with heads this wide");
    if (granted != CHL_KERNEL_OK) return granted;
    const int64_t tiles = (g.tokens + PLAIN_OWN - 1) / PLAIN_OWN;
    return chl::status(simt::launch(
        plain<T, G, PASS>, {dim3(unsigned(shares * g.heads * tiles)), dim3(PLAIN_THREADS), shared},
        call->stream, g, t, shares));
}
template <class T, class G>
chl_kernel_status plain_backward(const chl_call *call, const G &g, const tensors<T> &t,
                                 int64_t shares) {
    const chl_kernel_status queries =
        run_plain<T, QUERIES>(call, g, t, t.dstart ? shares : g.units);
    if (queries != CHL_KERNEL_OK || !t.out) return queries;
    return run_plain<T, KEYS>(call, g, t, g.units);
}
} // namespace attention
