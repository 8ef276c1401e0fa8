// Self-attention over sequences: qkv [N,T,3C] -> y [N,T,C], lse [N,heads,T].
#include "cuda/lib/attention.cuh"
#include "cuda/lib/attention_tile.cuh"
#include "cuda/lib/flash.cuh"

namespace {
using attention::sequences;

sequences measure(const chl_call *call, const chl_desc &qkv) {
    sequences g = {attention::layout_of(qkv, call->attr.attention.heads),
                   call->attr.attention.causal != 0};
    g.units = qkv.dim[0];
    g.tokens = int(qkv.dim[1]);
    return g;
}

// --- the choice ----------------------------------------------------------------------------------
enum { PLAIN, TILE, FLASH };
constexpr char PATHS[] = "plain tile flash";

// `tile`: whether attention_tile takes the shape
int32_t path_of(const chl_call *call, const sequences &g, chl_dtype type, bool tile) {
    const bool takes[] = {true, tile, flash::fits(g)};
    if (type != CHL_BF16) return PLAIN;
    if (call->path > 0 && takes[call->path - 1]) return call->path - 1;
    return tile ? TILE : takes[FLASH] ? FLASH : PLAIN;
}
int32_t forward_path(const chl_call *call) {
    const sequences g = measure(call, call->in_desc[0]);
    return path_of(call, g, call->in_desc[0].dtype, attention_tile::fits(g));
}
int32_t backward_path(const chl_call *call) {
    const sequences g = measure(call, call->in_desc[1]);
    return path_of(call, g, call->in_desc[1].dtype, attention_tile::backward_fits(g));
}

chl_kernel_status forward(const chl_call *call) {
    const sequences g = measure(call, call->in_desc[0]);
    const int32_t path = forward_path(call);
    if (chl_count(&call->in_desc[0]) == 0 || (!call->out[0] && !call->out[1])) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const auto t = attention::tensors_forward<T>(call);
        if constexpr (sizeof(T) == 2) {
            if (path == TILE) return attention_tile::run_forward(call, g, t);
            if (path == FLASH) return flash::run_forward(call, g, t);
        }
        return attention::run_plain<T, attention::FORWARD>(call, g, t, g.units);
    });
}

chl_kernel_status backward(const chl_call *call) {
    const sequences g = measure(call, call->in_desc[1]);
    const int32_t path = backward_path(call);
    if (chl_count(&call->in_desc[1]) == 0 || !call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[1].dtype, [&](auto zero) {
        using T = decltype(zero);
        const auto t = attention::tensors_backward<T>(call, 2);
        if constexpr (sizeof(T) == 2) {
            if (path == TILE) return attention_tile::run_backward(call, g, t);
            if (path == FLASH) return flash::run_backward(call, g, t);
        }
        return attention::plain_backward(call, g, t, g.units);
    });
}

// workspace: D [N,heads,T]
size_t backward_workspace(const chl_call *call) {
    return sizeof(float) * size_t(chl_count(&call->in_desc[3]));
}
} // namespace

const chl_paths chl_cuda_attention_paths = {PATHS, forward_path};
const chl_paths chl_cuda_attention_backward_paths = {PATHS, backward_path};

const chl_body chl_cuda_attention = {forward, nullptr, nullptr};
const chl_body chl_cuda_attention_backward = {backward, backward_workspace, nullptr};
