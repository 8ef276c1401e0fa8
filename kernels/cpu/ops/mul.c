/* y = a * b, element by element. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

static chl_kernel_status run(const chl_call *call) {
    int64_t count = chl_count(&call->out_desc[0]);
    const float *a = call->in[0], *b = call->in[1];
    float *y = call->out[0];
    if (!y) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (count > CHL_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        int64_t n = chl_lanes_left(count - i);
        chl_put_part(y + i, chl_load_part(a + i, n) * chl_load_part(b + i, n), n, acc);
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_mul = {run, NULL, NULL};
