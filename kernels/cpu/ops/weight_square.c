/* q[o,i] = sum over the kernel of w[o,i,:,:]^2, which demodulation reads instead of the weight. */
#include "cpu/lib/rows.h"

static chl_kernel_status forward(const chl_call *call) {
    const chl_desc *desc = &call->in_desc[0];
    const int64_t pairs = desc->dim[0] * desc->dim[1], taps = desc->dim[2] * desc->dim[3];
    const float *w = call->in[0];
    float *q = call->out[0];
#pragma omp parallel for schedule(static) if (chl_worth_threads(pairs * taps))
    for (int64_t i = 0; i < pairs; i++) {
        float sum = 0;
        for (int64_t k = 0; k < taps; k++) sum += w[i * taps + k] * w[i * taps + k];
        chl_put(q + i, sum, chl_accumulates(call, 0));
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const chl_desc *desc = &call->in_desc[1];
    const int64_t pairs = desc->dim[0] * desc->dim[1], taps = desc->dim[2] * desc->dim[3];
    const float *dq = call->in[0], *w = call->in[1];
    float *dw = call->out[0];
#pragma omp parallel for schedule(static) if (chl_worth_threads(pairs * taps))
    for (int64_t i = 0; i < pairs; i++)
        for (int64_t k = i * taps; k < (i + 1) * taps; k++)
            chl_put(dw + k, 2 * dq[i] * w[k], chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_weight_square = {.run = forward};
const chl_body chl_cpu_weight_square_dw = {.run = backward};
