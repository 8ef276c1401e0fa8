/* Self-attention over sequences and over Swin's windows: rules and builders. */
#include "graph/build.h"
#include "graph/ops/attention_second.h"
#include "graph/rule.h"

static chl_desc desc(int rank, int64_t a, int64_t b, int64_t c, int64_t d) {
    const int64_t dim[4] = {a, b, c, d};
    return chl_make_desc(CHL_F32, rank, dim);
}

static chl_status check_channels(const chl_desc *qkv, int32_t heads) {
    int64_t triple = qkv->dim[qkv->rank - 1];
    if (heads < 1 || triple % 3 || triple / 3 % heads)
        return chl_fail(CHL_ERR_SHAPE, "the last axis, %lld, is not 3 C with C in %d equal heads",
                        (long long)triple, heads);
    return CHL_OK;
}

/* --- attention -------------------------------------------------------------------------------- */
static chl_status infer_attention(chl_shapes *s) {
    const chl_desc *qkv = &s->in[0];
    if (qkv->rank != 3) return chl_fail(CHL_ERR_SHAPE, "qkv must be [N,T,3C]");
    CHL_TRY(check_channels(qkv, s->attr->attention.heads));
    s->out[0] = desc(3, qkv->dim[0], qkv->dim[1], qkv->dim[2] / 3, 0);
    s->out[1] = desc(3, qkv->dim[0], s->attr->attention.heads, qkv->dim[1], 0);
    return CHL_OK;
}
static chl_status infer_attention_backward(chl_shapes *s) {
    chl_shapes forward = {.attr = s->attr, .inputs = 1, .outputs = 2, .in = {s->in[1]}};
    CHL_TRY(infer_attention(&forward));
    if (!chl_same_shape(&s->in[0], &forward.out[0]) || !chl_same_shape(&s->in[3], &forward.out[1]))
        return chl_fail(CHL_ERR_SHAPE, "dy and lse do not fit qkv");
    s->out[0] = s->in[1];
    return CHL_OK;
}
/* two products of [T,D] by [T,D] for each head; the backward makes five */
static double flops_attention(const chl_shapes *s) {
    return 4.0 / 3 * (double)chl_count(&s->in[0]) * (double)s->in[0].dim[1];
}
static double flops_attention_backward(const chl_shapes *s) {
    return 10.0 / 3 * (double)chl_count(&s->in[1]) * (double)s->in[1].dim[1];
}
static void gradient_attention(chl_gradient *context) {
    const chl_node *node = &context->node;
    const int qkv[1] = {0};
    const chl_tensor in[4] = {context->dout[0], node->in[0], node->out[0], node->out[1]};
    if (context->dout[0] == CHL_NONE) return;
    chl_backprop(context, CHL_OP_attention_backward, &node->attr, 4, in, 1, qkv, NULL);
}
const chl_rule chl_rule_attention = {infer_attention, gradient_attention, .flops = flops_attention,
                                     .bf16 = {1, 1}};
const chl_rule chl_rule_attention_backward = {infer_attention_backward,
                                              .compose = chl_compose_attention_backward,
                                              .flops = flops_attention_backward, .bf16 = {7, 1}};

chl_tensor chl_attention(chl_graph *g, chl_tensor qkv, int heads, bool causal) {
    chl_attributes attr = {.attention = {.heads = heads, .causal = causal}};
    chl_tensor out[2];
    if (qkv == CHL_NONE) return CHL_NONE;
    chl_emit(g, CHL_OP_attention, &attr, 1, &qkv, 2, out);
    return out[0];
}

/* --- window_attention ------------------------------------------------------------------------- */
static chl_status infer_window(chl_shapes *s, const chl_desc *qkv, const chl_desc *bias) {
    int32_t heads = s->attr->attention.heads, window = s->attr->attention.window;
    int32_t shift = s->attr->attention.shift;
    if (qkv->rank != 4) return chl_fail(CHL_ERR_SHAPE, "qkv must be [N,H,W,3C]");
    CHL_TRY(check_channels(qkv, heads));
    if (window < 1 || qkv->dim[1] % window || qkv->dim[2] % window)
        return chl_fail(CHL_ERR_SHAPE, "H and W must be multiples of the window, %d", window);
    if (shift < 0 || shift >= window)
        return chl_fail(CHL_ERR_SHAPE, "the shift, %d, must be less than the window, %d", shift,
                        window);
    int64_t rows = (2 * (int64_t)window - 1) * (2 * (int64_t)window - 1);
    if (bias->rank != 2 || bias->dim[0] != rows || bias->dim[1] != heads)
        return chl_fail(CHL_ERR_SHAPE, "the bias table must be [%lld,%d]", (long long)rows, heads);
    s->out[0] = desc(4, qkv->dim[0], qkv->dim[1], qkv->dim[2], qkv->dim[3] / 3);
    s->out[1] = desc(4, qkv->dim[0], heads, qkv->dim[1], qkv->dim[2]);
    return CHL_OK;
}
static chl_status infer_window_attention(chl_shapes *s) {
    return infer_window(s, &s->in[0], &s->in[1]);
}
static chl_status infer_window_attention_backward(chl_shapes *s) {
    CHL_TRY(infer_window(s, &s->in[1], &s->in[2]));
    if (!chl_same_shape(&s->in[0], &s->out[0]) || !chl_same_shape(&s->in[4], &s->out[1]))
        return chl_fail(CHL_ERR_SHAPE, "dy and lse do not fit qkv");
    s->out[0] = s->in[1];
    s->out[1] = s->in[2];
    return CHL_OK;
}
static double window_products(const chl_shapes *s, const chl_desc *qkv) {
    double tokens = (double)s->attr->attention.window * s->attr->attention.window;
    return 2.0 / 3 * (double)chl_count(qkv) * tokens;
}
static double flops_window_attention(const chl_shapes *s) {
    return 2 * window_products(s, &s->in[0]);
}
static double flops_window_attention_backward(const chl_shapes *s) {
    return 5 * window_products(s, &s->in[1]);
}
static void gradient_window_attention(chl_gradient *context) {
    const chl_node *node = &context->node;
    const int both[2] = {0, 1};
    const chl_tensor in[5] = {context->dout[0], node->in[0], node->in[1], node->out[0],
                              node->out[1]};
    if (context->dout[0] == CHL_NONE) return;
    chl_backprop(context, CHL_OP_window_attention_backward, &node->attr, 5, in, 2, both, NULL);
}
const chl_rule chl_rule_window_attention = {infer_window_attention, gradient_window_attention,
                                            .flops = flops_window_attention, .bf16 = {1, 1}};
const chl_rule chl_rule_window_attention_backward = {
    infer_window_attention_backward, .compose = chl_compose_window_attention_backward,
    .flops = flops_window_attention_backward, .bf16 = {11, 1}};

chl_tensor chl_window_attention(chl_graph *g, chl_tensor qkv, chl_tensor bias, int heads,
                                int window, int shift) {
    chl_attributes attr = {.attention = {.heads = heads, .window = window, .shift = shift}};
    const chl_tensor in[2] = {qkv, bias};
    chl_tensor out[2];
    if (qkv == CHL_NONE || bias == CHL_NONE) return CHL_NONE;
    chl_emit(g, CHL_OP_window_attention, &attr, 2, in, 2, out);
    return out[0];
}
