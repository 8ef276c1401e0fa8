/* The mean of all elements, [1], summed in double precision. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

/* Partial sums per fixed share of the elements: the result does not depend on the thread count. */
#define SHARES 64

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0];
    int64_t count = chl_count(&call->in_desc[0]);
    double share[SHARES], total = 0;
    if (!call->out[0]) return CHL_KERNEL_OK;
#pragma omp parallel for schedule(static) if (count > CHL_PARALLEL_FROM)
    for (int64_t s = 0; s < SHARES; s++) {
        double sum = 0;
        for (int64_t i = s * count / SHARES; i < (s + 1) * count / SHARES; i++) sum += (double)x[i];
        share[s] = sum;
    }
    for (int s = 0; s < SHARES; s++) total += share[s];
    chl_put(call->out[0], (float)(total / (double)count), chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0];
    float *dx = call->out[0];
    int64_t count = chl_count(&call->out_desc[0]);
    if (!dx) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
    float each = *dy / (float)count;
#pragma omp parallel for schedule(static) if (count > CHL_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += CHL_LANES)
        chl_put_part(dx + i, chl_splat(each), chl_lanes_left(count - i), acc);
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_mean = {forward, NULL, NULL};
const chl_body chl_cpu_mean_dx = {backward, NULL, NULL};
