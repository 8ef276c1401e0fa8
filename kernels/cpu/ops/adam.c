/* Adam [Kingma & Ba 2015] and AdamW [Loshchilov & Hutter 2019] in place, t = step.index + 1:
 *     g += decay * param (Adam)   or   param *= 1 - rate * decay (AdamW)
 *     m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
 *     param -= rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 * One pass over four arrays: bound by memory. */
#include "cpu/lib/rows.h"
#include <math.h>

static chl_kernel_status update(const chl_call *call) {
    const float *grad = call->in[0];
    float *param = call->out[0], *m = call->out[1], *v = call->out[2];
    const int64_t count = chl_count(&call->in_desc[0]);
    const double t = (double)call->step->index + 1;
    const double beta1 = (double)call->attr.adam.beta1, beta2 = (double)call->attr.adam.beta2;
    const float rate = call->step->rate * call->attr.adam.rate_scale;
    const float step = (float)((double)rate / (1 - pow(beta1, t)));
    const float bias2 = (float)(1 / sqrt(1 - pow(beta2, t)));
    const float first = call->attr.adam.beta1, second = call->attr.adam.beta2;
    const float fresh1 = (float)(1 - beta1), fresh2 = (float)(1 - beta2), eps = call->attr.adam.eps;
    const float decay = call->attr.adam.decoupled ? 0 : call->attr.adam.decay;
    const float shrink = call->attr.adam.decoupled ? 1 - rate * call->attr.adam.decay : 1;
#pragma omp parallel for simd schedule(static) if (chl_worth_threads(count))
    for (int64_t i = 0; i < count; i++) {
        const float g = grad[i] + decay * param[i];
        m[i] = first * m[i] + fresh1 * g;
        v[i] = second * v[i] + fresh2 * g * g;
        param[i] = shrink * param[i] - step * m[i] / (sqrtf(v[i]) * bias2 + eps);
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_adam = {.run = update};
