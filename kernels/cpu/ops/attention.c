/* Multi-head self-attention: qkv [N,T,3C] -> y [N,T,C] and lse [N,heads,T], the log-sum-exp of each
 * query's scores. One (n, head) pair is one unit of work. */
#include "cpu/lib/attention_head.h"
#include "cpu/lib/cpu.h"
#include <math.h>
#include <omp.h>

/* All masks are parts of one row of numbers, T zeros and then "masked", read at an offset: query i
 * starts T-1-i numbers in, which leaves i+1 zeros, so the step from row to row is -1. Without the
 * causal mask every query starts at 0 and only the padding is masked. */
static int64_t mask_floats(int64_t tokens) {
    return chl_padded(tokens + chl_padded(tokens));
}

static void lay_mask(float *mask, int64_t tokens) {
    for (int64_t i = 0; i < mask_floats(tokens); i++) mask[i] = i < tokens ? 0 : CHL_MASKED;
}

static chl_head one_head(const chl_call *call, const chl_desc *shape, const float *qkv,
                         int64_t unit, int backward) {
    int64_t tokens = shape->dim[1], channels = shape->dim[2] / 3,
            heads = call->attr.attention.heads;
    int64_t width = channels / heads, n = unit / heads, h = unit % heads;
    float *mask = call->workspace;
    int causal = call->attr.attention.causal;
    return (chl_head){
        .tokens = tokens,
        .width = width,
        .channels = channels,
        .qkv = qkv + n * tokens * 3 * channels + h * width,
        .scale = 1.0f / sqrtf((float)width),
        .start = causal ? mask + tokens - 1 : mask,
        .start_row = causal ? -1 : 0,
        .workspace = mask + mask_floats(tokens) +
                     omp_get_thread_num() * chl_head_floats(tokens, width, backward),
    };
}

static chl_kernel_status forward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[0];
    int64_t tokens = shape->dim[1], channels = shape->dim[2] / 3,
            heads = call->attr.attention.heads;
    float *y = call->out[0], *lse = call->out[1];
    lay_mask(call->workspace, tokens);
#pragma omp parallel for schedule(static) num_threads(chl_head_team())
    for (int64_t unit = 0; unit < shape->dim[0] * heads; unit++) {
        chl_head head = one_head(call, shape, call->in[0], unit, 0);
        int64_t n = unit / heads, h = unit % heads;
        chl_head_forward(&head, y ? y + n * tokens * channels + h * head.width : NULL,
                         chl_accumulates(call, 0), lse ? lse + unit * tokens : NULL,
                         chl_accumulates(call, 1));
    }
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const chl_desc *shape = &call->in_desc[1];
    int64_t tokens = shape->dim[1], channels = shape->dim[2] / 3,
            heads = call->attr.attention.heads;
    const float *dy = call->in[0], *lse = call->in[3];
    float *dqkv = call->out[0];
    if (!dqkv) return CHL_KERNEL_OK;
    lay_mask(call->workspace, tokens);
#pragma omp parallel for schedule(static) num_threads(chl_head_team())
    for (int64_t unit = 0; unit < shape->dim[0] * heads; unit++) {
        chl_head head = one_head(call, shape, call->in[1], unit, 1);
        int64_t at = unit / heads * tokens * channels, column = unit % heads * head.width;
        chl_head_backward(&head, dy + at + column, lse + unit * tokens, dqkv + 3 * at + column,
                          chl_accumulates(call, 0), NULL);
    }
    return CHL_KERNEL_OK;
}

static size_t workspace(const chl_desc *shape, int64_t heads, int backward) {
    int64_t width = shape->dim[2] / 3 / heads;
    return sizeof(float) *
           (size_t)(mask_floats(shape->dim[1]) +
                    chl_head_threads() * chl_head_floats(shape->dim[1], width, backward));
}
static size_t forward_workspace(const chl_call *call) {
    return workspace(&call->in_desc[0], call->attr.attention.heads, 0);
}
static size_t backward_workspace(const chl_call *call) {
    return workspace(&call->in_desc[1], call->attr.attention.heads, 1);
}

const chl_body chl_cpu_attention = {forward, forward_workspace, NULL};
const chl_body chl_cpu_attention_backward = {backward, backward_workspace, NULL};
