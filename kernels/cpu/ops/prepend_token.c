/* [N,T,C] -> [N,T+1,C] with one learned token [C] before every sequence. */
#include "cpu/lib/rows.h"
#include "cpu/lib/vmath.h"

static chl_kernel_status forward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t width = shape->dim[2], body = shape->dim[1] * width;
    const float *x = call->in[0], *token = call->in[1];
    float *y = call->out[0];
    if (!y) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (shape->dim[0] * body > CHL_PARALLEL_FROM)
    for (int64_t n = 0; n < shape->dim[0]; n++) {
        float *sequence = y + n * (body + width);
        chl_put_row(sequence, token, width, acc);
        chl_put_row(sequence + width, x + n * body, body, acc);
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t batch = shape->dim[0], width = shape->dim[2], body = (shape->dim[1] - 1) * width;
    const float *dy = call->in[0];
    float *dx = call->out[0], *dtoken = call->out[1];
    if (dx) {
        int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (batch * body > CHL_PARALLEL_FROM)
        for (int64_t n = 0; n < batch; n++)
            chl_put_row(dx + n * body, dy + n * (body + width) + width, body, acc);
    }
    if (dtoken)
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            int64_t some = chl_lanes_left(width - c);
            chl_vec total = {0};
            for (int64_t n = 0; n < batch; n++)
                total += chl_load_part(dy + n * (body + width) + c, some);
            chl_put_part(dtoken + c, total, some, chl_accumulates(call, 1));
        }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_prepend_token = {forward, NULL, NULL};
const chl_body chl_cpu_prepend_token_backward = {backward, NULL, NULL};
