/* Gradient descent with momentum [Polyak 1964] in place, as torch.optim.SGD without dampening:
 *     g += decay * param        m = momentum * m + g        param -= rate * m
 * One pass over three arrays: bound by memory. */
#include "cpu/lib/rows.h"

static chl_kernel_status update(const chl_call *call) {
    const float *grad = call->in[0];
    float *param = call->out[0], *m = call->out[1];
    const int64_t count = chl_count(&call->in_desc[0]);
    const float rate = call->step->rate * call->attr.sgd.rate_scale;
    const float momentum = call->attr.sgd.momentum, decay = call->attr.sgd.decay;
#pragma omp parallel for simd schedule(static) if (chl_worth_threads(count))
    for (int64_t i = 0; i < count; i++) {
        m[i] = momentum * m[i] + (grad[i] + decay * param[i]);
        param[i] -= rate * m[i];
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_sgd = {.run = update};
