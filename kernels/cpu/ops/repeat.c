/* x [...] -> n copies [n,...]; the gradient is their sum. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0];
    float *y = call->out[0];
    int64_t count = chl_count(&call->in_desc[0]), copies = call->out_desc[0].dim[0];
    if (!y) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (count * copies > CHL_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        int64_t n = chl_lanes_left(count - i);
        chl_vec v = chl_load_part(x + i, n);
        for (int64_t k = 0; k < copies; k++) chl_put_part(y + k * count + i, v, n, acc);
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0];
    float *dx = call->out[0];
    int64_t count = chl_count(&call->out_desc[0]), copies = call->in_desc[0].dim[0];
    if (!dx) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (count * copies > CHL_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        int64_t n = chl_lanes_left(count - i);
        chl_vec total = {0};
        for (int64_t k = 0; k < copies; k++) total += chl_load_part(dy + k * count + i, n);
        chl_put_part(dx + i, total, n, acc);
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_repeat = {forward, NULL, NULL};
const chl_body chl_cpu_repeat_dx = {backward, NULL, NULL};
