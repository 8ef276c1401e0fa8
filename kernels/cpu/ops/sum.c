/* y = bias + sum_i c[i] x[i], one pass over up to eight inputs. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

static chl_kernel_status run(const chl_call *call) {
    int64_t count = chl_count(&call->out_desc[0]);
    const float *const *x = (const float *const *)call->in;
    float *y = call->out[0];
    if (!y) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (count > CHL_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        int64_t n = chl_lanes_left(count - i);
        chl_vec total = chl_splat(call->attr.sum.bias);
        for (int32_t k = 0; k < call->inputs; k++)
            if (x[k]) total += call->attr.sum.c[k] * chl_load_part(x[k] + i, n);
        chl_put_part(y + i, total, n, acc);
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_sum = {run, NULL, NULL};
