// Swin's (shifted) window attention: qkv [N,H,W,3C], bias table [(2w-1)^2, heads] -> y [N,H,W,C],
// lse [N,heads,H,W]. Nothing is rolled, partitioned or materialised: tokens are read and written at
// their places in the map.
#include "cuda/lib/attention.cuh"
#include "cuda/lib/attention_tile.cuh"

namespace {
using attention::windows;

windows measure(const chl_call *call, const chl_desc &qkv, const void *bias) {
    windows g = {};
    static_cast<attention::layout &>(g) = attention::layout_of(qkv, call->attr.attention.heads);
    g.bias = static_cast<const float *>(bias);
    g.window = call->attr.attention.window;
    g.shift = call->attr.attention.shift;
    g.map_height = int(qkv.dim[1]);
    g.map_width = int(qkv.dim[2]);
    g.tokens = g.window * g.window;
    g.units = qkv.dim[0] * (qkv.dim[1] / g.window) * (qkv.dim[2] / g.window);
    return g;
}

// dbias[entry, head] = the sum over the shares and over the pairs that have this entry; a block for
// each.
constexpr int FOLD_THREADS = 128;
SIMT_KERNEL((FOLD_THREADS), fold, windows g, const float *dstart, int64_t shares, float *dbias,
            bool add) {
    const int w = g.window, side = 2 * w - 1, head = int(blockIdx.x) % g.heads;
    const int entry = int(blockIdx.x) / g.heads;
    const int dy = entry / side - (w - 1), dx = entry % side - (w - 1); // query minus key
    const int across = w - abs(dx), pairs = (w - abs(dy)) * across;
    float sum = 0;
    for (int64_t i = threadIdx.x; i < shares * pairs; i += FOLD_THREADS) {
        const int pair = int(i % pairs), y = pair / across + max(0, -dy), x = pair % across;
        const int key = y * w + x + max(0, -dx), query = key + dy * w + dx;
        sum += dstart[((i / pairs * g.heads + head) * g.tokens + query) * g.tokens + key];
    }
    sum = chl::block_sum<FOLD_THREADS>(sum);
    if (threadIdx.x == 0) chl::put(dbias + blockIdx.x, sum, add);
}

// --- the choice ----------------------------------------------------------------------------------
enum { PLAIN, TILE };
constexpr char PATHS[] = "plain tile";

// `tile`: whether attention_tile takes the shape
int32_t path_of(const chl_call *call, chl_dtype type, bool tile) {
    return type == CHL_BF16 && tile && call->path - 1 != PLAIN ? TILE : PLAIN;
}
int32_t forward_path(const chl_call *call) {
    const windows g = measure(call, call->in_desc[0], nullptr);
    return path_of(call, call->in_desc[0].dtype, attention_tile::fits(g));
}
int32_t backward_path(const chl_call *call) {
    const windows g = measure(call, call->in_desc[1], nullptr);
    return path_of(call, call->in_desc[1].dtype, attention_tile::backward_fits(g));
}

chl_kernel_status forward(const chl_call *call) {
    const windows g = measure(call, call->in_desc[0], call->in[1]);
    const int32_t path = forward_path(call);
    if (chl_count(&call->in_desc[0]) == 0 || (!call->out[0] && !call->out[1])) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const auto t = attention::tensors_forward<T>(call);
        if constexpr (sizeof(T) == 2)
            if (path == TILE) return attention_tile::run_forward(call, g, t);
        return attention::run_plain<T, attention::FORWARD>(call, g, t, g.units);
    });
}

chl_kernel_status backward(const chl_call *call) {
    const windows g = measure(call, call->in_desc[1], call->in[2]);
    const int32_t path = backward_path(call);
    const int64_t shares = attention_tile::backward_shares(g);
    float *workspace = static_cast<float *>(call->workspace), *dbias = chl::out<float>(call, 1);
    if (chl_count(&call->in_desc[1]) == 0 || (!call->out[0] && !dbias)) return CHL_KERNEL_OK;
    const chl_kernel_status status = chl::by_type(call->in_desc[1].dtype, [&](auto zero) {
        using T = decltype(zero);
        auto t = attention::tensors_backward<T>(call, 3);
        t.dstart = dbias ? workspace + chl_count(&call->in_desc[4]) : nullptr;
        if constexpr (sizeof(T) == 2)
            if (path == TILE) return attention_tile::run_backward(call, g, t);
        return attention::plain_backward(call, g, t, shares);
    });
    if (status != CHL_KERNEL_OK || !dbias) return status;
    const unsigned entries = unsigned(chl_count(&call->in_desc[2]));
    return chl::status(simt::launch(fold, {dim3(entries), dim3(FOLD_THREADS)}, call->stream, g,
                                    workspace + chl_count(&call->in_desc[4]), shares, dbias,
                                    chl::adds(call, 1)));
}

// workspace: D [N,heads,H,W]; dstart [shares,heads,T,T]
size_t backward_workspace(const chl_call *call) {
    const windows g = measure(call, call->in_desc[1], nullptr);
    return sizeof(float) *
           size_t(chl_count(&call->in_desc[4]) +
                  attention_tile::backward_shares(g) * g.heads * g.tokens * g.tokens);
}
} // namespace

const chl_paths chl_cuda_window_attention_paths = {PATHS, forward_path};
const chl_paths chl_cuda_window_attention_backward_paths = {PATHS, backward_path};

const chl_body chl_cuda_window_attention = {forward, nullptr, nullptr};
const chl_body chl_cuda_window_attention_backward = {backward, backward_workspace, nullptr};
