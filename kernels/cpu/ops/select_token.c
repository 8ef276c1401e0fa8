/* One token of every sequence, [N,T,C] -> [N,C]: the same for all, or index[n] of each. */
#include "cpu/lib/rows.h"
#include "cpu/lib/vmath.h"

/* The chosen token of sequence n; -1 when there is no such token. */
static int64_t chosen(const chl_call *call, int64_t n, int64_t tokens) {
    const int32_t *index = call->in[1];
    int64_t t = index ? index[n] : call->attr.token.index;
    return t >= 0 && t < tokens ? t : -1;
}

static chl_kernel_status check(const chl_call *call, const chl_desc *sequences) {
    for (int64_t n = 0; n < sequences->dim[0]; n++)
        if (chosen(call, n, sequences->dim[1]) < 0) return CHL_KERNEL_BAD_INPUT;
    return CHL_KERNEL_OK;
}

static chl_kernel_status forward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t tokens = shape->dim[1], width = shape->dim[2];
    const float *x = call->in[0];
    float *y = call->out[0];
    chl_kernel_status status = check(call, shape);
    if (status != CHL_KERNEL_OK || !y) return status;
    for (int64_t n = 0; n < shape->dim[0]; n++)
        chl_put_row(y + n * width, x + (n * tokens + chosen(call, n, tokens)) * width, width,
                    chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const chl_desc *shape = &call->out_desc[0];
    int64_t tokens = shape->dim[1], width = shape->dim[2];
    const float *dy = call->in[0];
    float *dx = call->out[0];
    chl_kernel_status status = check(call, shape);
    if (status != CHL_KERNEL_OK || !dx) return status;
    if (!chl_accumulates(call, 0)) memset(dx, 0, (size_t)chl_bytes(shape));
    for (int64_t n = 0; n < shape->dim[0]; n++)
        chl_put_row(dx + (n * tokens + chosen(call, n, tokens)) * width, dy + n * width, width, 1);
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_select_token = {forward, NULL, NULL};
const chl_body chl_cpu_select_token_dx = {backward, NULL, NULL};
