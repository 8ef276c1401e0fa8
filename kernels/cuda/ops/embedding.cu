// Rows of a table selected by id: 8 bytes (float) an element, bound by memory. An id outside the
// table gives NaN: the CPU refuses the call, a kernel cannot.
//
// The table's gradient without atomics: a block owns some rows of the table, lists the tokens that
// name one of them in the tokens' order, THREADS tokens at a time, and adds their dy one after the
// other. Each thread adds its own columns only. Reads the ids once per block (from the cache), dy
// and the named rows once.
#include "cuda/lib/reduce.cuh"
#include <cmath>

namespace {
struct picked {
    static constexpr int KEEP = 0, SUMS = 0;
    const int32_t *ids;
    const float *table;
    float *y;
    int64_t size, width;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&)[1][N]) const {
        const int64_t id = ids[p.row];
        float v[N];
        for (int e = 0; e < N; e++) v[e] = NAN;
        if (id >= 0 && id < size) chl::load(table + id * width + p.column, v);
        chl::store(y + p.at, v, add);
    }
};

constexpr int THREADS = 256, OWNED = 16; // rows of the table a block owns

struct gathering {
    const float *dy;
    const int32_t *ids;
    float *dtable;
    int64_t count, size, width;
};

// Writes to `list` which of the next THREADS tokens name an owned row, in order; returns how many.
__device__ int list_tokens(const gathering &g, int64_t first, int *list) {
    SIMT_SHARED(before, int[THREADS / 32 + 1]);
    const int t = int(threadIdx.x), warp = t / 32;
    const int64_t owned = int64_t(blockIdx.x) * OWNED;
    const int64_t id = first + t < g.count ? g.ids[first + t] : -1;
    const bool mine = id >= owned && id < owned + OWNED && id < g.size;
    const unsigned votes = __ballot_sync(0xffffffffu, mine);
    // no thread still reads `before` from the last call: its last barrier comes after the reads
    if (t % 32 == 0) before[warp + 1] = __popc(votes);
    __syncthreads(); // all threads have read the list
    int at = __popc(votes & ((1u << t % 32) - 1)), all = 0;
    for (int w = 0; w < THREADS / 32; w++) {
        if (w < warp) at += before[w + 1];
        all += before[w + 1];
    }
    if (mine) list[at] = t;
    __syncthreads();
    return all;
}

// Consecutive tokens of the list that name one row (padding does) are added up before they are
// stored.
template <int N> SIMT_KERNEL((THREADS), gather, gathering g) {
    SIMT_SHARED(list, int[THREADS]);
    for (int64_t first = 0; first < g.count; first += THREADS) {
        const int all = list_tokens(g, first, list);
        for (int64_t c = int64_t(threadIdx.x) * N; c < g.width; c += THREADS * N) {
            float sum[N] = {}, v[N];
            for (int i = 0; i < all; i++) {
                const int64_t token = first + list[i], id = g.ids[token];
                chl::load(g.dy + token * g.width + c, v);
                for (int e = 0; e < N; e++) sum[e] += v[e];
                if (i + 1 < all && g.ids[first + list[i + 1]] == id) continue;
                chl::store(g.dtable + id * g.width + c, sum, true);
                for (int e = 0; e < N; e++) sum[e] = 0;
            }
        }
    }
}

struct cleared {
    float *to;
    template <int N> __device__ void at(int64_t i) const {
        const float v[N] = {};
        chl::store(to + i, v, false);
    }
};

chl_kernel_status forward(const chl_call *call) {
    const chl_desc &table = call->in_desc[1];
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::columns<float>(call, {1, chl_count(&call->in_desc[0]), table.dim[1]},
                               picked{chl::in<int32_t>(call, 0), chl::in<float>(call, 1),
                                      chl::out<float>(call, 0), table.dim[0], table.dim[1],
                                      chl::adds(call, 0)});
}

chl_kernel_status backward(const chl_call *call) {
    const chl_desc &table = call->out_desc[0];
    const gathering g = {chl::in<float>(call, 0),
                         chl::in<int32_t>(call, 1),
                         chl::out<float>(call, 0),
                         chl_count(&call->in_desc[1]),
                         table.dim[0],
                         table.dim[1]};
    if (!g.dtable || chl_count(&table) == 0) return CHL_KERNEL_OK;
    if (!chl::adds(call, 0)) {
        const chl_kernel_status status =
            chl::each<float>(call, chl_count(&table), cleared{g.dtable});
        if (status != CHL_KERNEL_OK) return status;
    }
    const unsigned grid = unsigned((g.size + OWNED - 1) / OWNED);
    return chl::status(simt::launch(g.width % 4 ? gather<1> : gather<4>,
                                    {dim3(grid), dim3(THREADS)}, call->stream, g));
}
} // namespace

const chl_body chl_cuda_embedding = {forward, nullptr, nullptr};
const chl_body chl_cuda_embedding_dw = {backward, nullptr, nullptr};
