/* Dispatch: one body per row of the op table. A row without a body does not link. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/gemm.h"

static const chl_body *const bodies[CHL_OP_COUNT] = {
#define CHL_OP(name, inputs, outputs) [CHL_OP_##name] = &chl_cpu_##name,
#include "op_table.h"
#undef CHL_OP
};

const chl_body *chl_cpu_body(chl_op op) {
    return bodies[op];
}

bool chl_cpu_packs_linear(const chl_call *linear) {
    return chl_linear_packs(linear);
}

size_t chl_cpu_reserve(void) {
    return chl_gemm_reserve();
}
