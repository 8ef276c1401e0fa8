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

extern "C" const chl_fused_body *chl_cuda_fused(chl_fusion fusion) {
    static const chl_fused_body *const bodies[CHL_FUSION_COUNT] = {
#define CHL_FUSION(name, ops, same, elided) &chl_cuda_##name,
#include "fusion_table.h"
#undef CHL_FUSION
    };
    return bodies[fusion];
}
