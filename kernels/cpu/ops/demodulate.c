/* d[n,o] = 1 / sqrt(gain^2 sum_i s[n,i]^2 q[o,i] + eps), q = sum_k w^2 cached while weights are
 * frozen. With t[n,o] = -gain^2 dd d^3 the gradients are ds[n,i] = s[n,i] sum_o t[n,o] q[o,i]
 * dq[o,i] = 1/2 sum_n t[n,o] s[n,i]^2. */
#include "cpu/lib/rows.h"
#include <math.h>

static chl_kernel_status forward(const chl_call *call) {
    const int64_t samples = call->in_desc[0].dim[0], inputs = call->in_desc[0].dim[1];
    const int64_t outputs = call->in_desc[1].dim[0];
    const float *s = call->in[0], *q = call->in[1];
    const float gain = call->attr.demodulate.gain, eps = call->attr.demodulate.eps;
    float *d = call->out[0];
#pragma omp parallel for schedule(static) if (chl_worth_threads(samples * inputs * outputs))
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t n = 0; n < samples; n++) {
            chl_vec sum = {0};
            for (int64_t i = 0; i < inputs; i += CHL_LANES) {
                const chl_vec style = chl_load_part(s + n * inputs + i, inputs - i);
                sum += style * style * chl_load_part(q + o * inputs + i, inputs - i);
            }
            chl_put(d + n * outputs + o, 1 / sqrtf(gain * gain * chl_tree_sum(sum) + eps),
                    chl_accumulates(call, 0));
        }
    return CHL_KERNEL_OK;
}

static size_t backward_workspace(const chl_call *call) {
    return (size_t)chl_count(&call->in_desc[0]) * sizeof(float);
}

static void style_gradient(const chl_call *call, const float *t) {
    const int64_t samples = call->in_desc[2].dim[0], inputs = call->in_desc[2].dim[1];
    const int64_t outputs = call->in_desc[3].dim[0];
    const int64_t groups = (inputs + CHL_LANES - 1) / CHL_LANES;
    const float *s = call->in[2], *q = call->in[3];
    float *ds = call->out[0];
#pragma omp parallel for schedule(static) if (chl_worth_threads(samples * inputs * outputs))
    for (int64_t k = 0; k < samples * groups; k++) {
        const int64_t n = k / groups, i = k % groups * CHL_LANES;
        chl_vec sum = {0};
        for (int64_t o = 0; o < outputs; o++)
            sum += t[n * outputs + o] * chl_load_part(q + o * inputs + i, inputs - i);
        const chl_vec style = chl_load_part(s + n * inputs + i, inputs - i);
        chl_put_part(ds + n * inputs + i, style * sum, inputs - i, chl_accumulates(call, 0));
    }
}

static void weight_gradient(const chl_call *call, const float *t) {
    const int64_t samples = call->in_desc[2].dim[0], inputs = call->in_desc[2].dim[1];
    const int64_t outputs = call->in_desc[3].dim[0];
    const float *s = call->in[2];
    float *dq = call->out[1];
#pragma omp parallel for schedule(static) if (chl_worth_threads(samples * inputs * outputs))
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t i = 0; i < inputs; i += CHL_LANES) {
            chl_vec sum = {0};
            for (int64_t n = 0; n < samples; n++) {
                const chl_vec style = chl_load_part(s + n * inputs + i, inputs - i);
                sum += 0.5f * t[n * outputs + o] * style * style;
            }
            chl_put_part(dq + o * inputs + i, sum, inputs - i, chl_accumulates(call, 1));
        }
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dd = call->in[0], *d = call->in[1];
    const float gain = call->attr.demodulate.gain;
    float *t = call->workspace;
    for (int64_t k = 0; k < chl_count(&call->in_desc[0]); k++)
        t[k] = -gain * gain * dd[k] * d[k] * d[k] * d[k];
    if (call->out[0]) style_gradient(call, t);
    if (call->out[1]) weight_gradient(call, t);
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_demodulate = {.run = forward};
const chl_body chl_cpu_demodulate_backward = {.run = backward, .workspace = backward_workspace};
