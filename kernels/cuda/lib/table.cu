// Dispatch: one body per row of the op table; null where PENDING says so.
#include "cuda/lib/body.h"
#include "cuda/lib/fused.h"

namespace chl {
thread_local fault last_fault;
thread_local gpu_traits gpu;
} // namespace chl

extern "C" const chl_body *chl_cuda_body(chl_op op) {
    static const chl_body *const bodies[CHL_OP_COUNT] = {
#define CHL_OP(name, inputs, outputs) &chl_cuda_##name,
#include "op_table.h"
#undef CHL_OP
    };
    return bodies[op];
}

extern "C" const chl_paths *chl_cuda_paths(chl_op op) {
    switch (op) {
    case CHL_OP_attention:
        return &chl_cuda_attention_paths;
    case CHL_OP_attention_backward:
        return &chl_cuda_attention_backward_paths;
    case CHL_OP_window_attention:
        return &chl_cuda_window_attention_paths;
    case CHL_OP_window_attention_backward:
        return &chl_cuda_window_attention_backward_paths;
    case CHL_OP_conv:
        return &chl_cuda_conv_paths;
    case CHL_OP_conv_dx:
        return &chl_cuda_conv_dx_paths;
    case CHL_OP_modconv:
        return &chl_cuda_modconv_paths;
    case CHL_OP_modconv_dx:
        return &chl_cuda_modconv_dx_paths;
    default:
        return nullptr;
    }
}

extern "C" const chl_fused_body *chl_cuda_fused(chl_fusion fusion) {
    static const chl_fused_body *const bodies[CHL_FUSION_COUNT] = {
#define CHL_FUSION(name, ops, same, elided) &chl_cuda_##name,
#include "fusion_table.h"
#undef CHL_FUSION
    };
    return bodies[fusion];
}
