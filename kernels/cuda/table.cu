// Dispatch: one body per row of the op table; null where PENDING says so.
#include "body.h"

namespace chl {
thread_local int trouble;
gpu_traits gpu;
} // namespace chl

extern "C" const chl_body *chl_cuda_body(chl_op op) {
    static const chl_body *const bodies[CHL_OP_COUNT] = {
#define CHL_OP(name, inputs, outputs) &chl_cuda_##name,
#include "op_table.h"
#undef CHL_OP
    };
    return bodies[op];
}
