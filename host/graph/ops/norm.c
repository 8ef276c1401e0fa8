/* Normalisation of rows: rules and builders. */
#include "graph/build.h"
#include "graph/rule.h"

static int64_t last(const chl_desc *d) {
    return d->dim[d->rank - 1];
}

/* stat: x's shape with (mean, 1/deviation) in place of the row */
static chl_desc stat_of(chl_desc x) {
    x.dim[x.rank - 1] = 2;
    return x;
}

/* --- layer_norm ------------------------------------------------------------------------------- */
static chl_status infer_layer_norm(chl_shapes *s) {
    const chl_desc *x = &s->in[0];
    if (x->rank < 1) return chl_fail(CHL_ERR_SHAPE, "x must be [...,C]");
    for (int i = 1; i < 3; i++)
        if (s->in[i].rank != 1 || s->in[i].dim[0] != last(x))
            return chl_fail(CHL_ERR_SHAPE, "gamma and beta must be [C], C = %lld",
                            (long long)last(x));
    s->out[0] = *x;
    s->out[1] = stat_of(*x);
    return CHL_OK;
}
static chl_status infer_layer_norm_backward(chl_shapes *s) {
    const chl_desc *x = &s->in[1];
    chl_desc stat = stat_of(*x);
    if (!chl_same_shape(&s->in[0], x) || chl_count(&s->in[2]) != last(x) ||
        !chl_same_shape(&s->in[3], &stat))
        return chl_fail(CHL_ERR_SHAPE, "dy, x [...,C], gamma [C] and stat [...,2] do not fit");
    s->out[0] = *x;
    s->out[1] = s->out[2] = s->in[2];
    return CHL_OK;
}
static void gradient_layer_norm(chl_gradient *context) {
    const chl_node *node = &context->node;
    const int all[3] = {0, 1, 2};
    const chl_tensor in[4] = {context->dout[0], node->in[0], node->in[1], node->out[1]};
    if (context->dout[0] == CHL_NONE) return;
    chl_backprop(context, CHL_OP_layer_norm_backward, &node->attr, 4, in, 3, all, NULL);
}
const chl_rule chl_rule_layer_norm = {.infer = infer_layer_norm,
                                      .gradient = gradient_layer_norm,
                                      .bf16_inputs = 1,
                                      .bf16_outputs = 1};
const chl_rule chl_rule_layer_norm_backward = {
    .infer = infer_layer_norm_backward, .bf16_inputs = 3, .bf16_outputs = 1};

chl_tensor chl_layer_norm(chl_graph *g, chl_tensor x, chl_tensor gamma, chl_tensor beta,
                          float eps) {
    chl_attributes attr = {.norm = {.eps = eps}};
    const chl_tensor in[3] = {x, gamma, beta};
    chl_tensor out[2];
    if (x == CHL_NONE || gamma == CHL_NONE || beta == CHL_NONE) return CHL_NONE;
    chl_emit(g, CHL_OP_layer_norm, &attr, 3, in, 2, out);
    return out[0];
}

/* --- row_norm --------------------------------------------------------------------------------- */
static chl_status infer_row_norm(chl_shapes *s) {
    if (s->in[0].rank < 1) return chl_fail(CHL_ERR_SHAPE, "x must be [...,C]");
    s->out[0] = s->in[0];
    return CHL_OK;
}
static chl_status infer_row_norm_dx(chl_shapes *s) {
    if (!chl_same_shape(&s->in[0], &s->in[1]))
        return chl_fail(CHL_ERR_SHAPE, "dy and x must have the same shape");
    s->out[0] = s->in[1];
    return CHL_OK;
}
static void gradient_row_norm(chl_gradient *context) {
    const int x[1] = {0};
    const chl_tensor in[2] = {context->dout[0], context->node.in[0]};
    chl_backprop(context, CHL_OP_row_norm_dx, &context->node.attr, 2, in, 1, x, NULL);
}
const chl_rule chl_rule_row_norm = {.infer = infer_row_norm, .gradient = gradient_row_norm};
const chl_rule chl_rule_row_norm_dx = {.infer = infer_row_norm_dx};

chl_tensor chl_row_norm(chl_graph *g, chl_tensor x, chl_norm kind, float eps) {
    chl_attributes attr = {.norm = {.eps = eps, .kind = kind}};
    if (x == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_row_norm, &attr, 1, &x);
}
