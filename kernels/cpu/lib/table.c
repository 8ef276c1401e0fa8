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

const chl_paths *chl_cpu_paths(chl_op op) {
    static const chl_paths *const paths[CHL_OP_COUNT] = {
        [CHL_OP_conv_pack] = &chl_cpu_conv_paths,      [CHL_OP_conv] = &chl_cpu_conv_paths,
        [CHL_OP_conv_dx] = &chl_cpu_conv_dx_paths,     [CHL_OP_conv_dw] = &chl_cpu_conv_dw_paths,
        [CHL_OP_modconv] = &chl_cpu_conv_paths,        [CHL_OP_modconv_dx] = &chl_cpu_conv_dx_paths,
        [CHL_OP_modconv_dw] = &chl_cpu_conv_dw_paths,  [CHL_OP_linear] = &chl_cpu_linear_paths,
        [CHL_OP_linear_dx] = &chl_cpu_linear_dx_paths,
    };
    return paths[op];
}

bool chl_cpu_packs_linear(const chl_call *linear) {
    return chl_linear_packs(linear);
}

size_t chl_cpu_reserve(void) {
    return chl_gemm_reserve();
}
