/* Normalisation of rows: rules and builders. */
#include "graph/build.h"
#include "graph/ops/compose.h"
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
/* What stat says is a function of x, so its part of the derivative is in dx already. */
static void compose_layer_norm_backward(chl_gradient *context, const chl_tensor *in,
                                        chl_tensor *out) {
    chl_graph *g = context->graph;
    const int32_t from = chl_node_count(g);
    const chl_tensor x = in[1], gamma = in[2];
    const chl_desc shape = *chl_desc_of(g, x);
    const int64_t width = last(&shape);
    const chl_tensor mean = chl_scale(g, chl_row_sums(g, x), 1.0f / (float)width);
    const chl_tensor wide = chl_reshape(g, chl_spread_rows(g, mean, width), shape);
    const chl_tensor centred = chl_combine(g, 1, x, -1, wide);
    const chl_tensor squares = chl_row_sums(g, chl_mul(g, centred, centred));
    const chl_tensor rstd = chl_inverse_root(g, chl_scale(g, squares, 1.0f / (float)width),
                                             context->node.attr.norm.eps);
    const chl_tensor y = chl_scale_columns(g, chl_scale_rows(g, centred, rstd), gamma);
    const chl_attributes beta = {.like = *chl_desc_of(g, gamma)};
    chl_pull_back(g, from, 1, &y, in, 2, in + 1, out);
    out[2] = chl_emit1(g, CHL_OP_add_bias_db, &beta, 1, in);
}
static void gradient_layer_norm(chl_gradient *context) {
    const chl_node *node = &context->node;
    const int all[3] = {0, 1, 2};
    const chl_tensor in[4] = {context->dout[0], node->in[0], node->in[1], node->out[1]};
    if (context->dout[1] != CHL_NONE)
        chl_graph_fail(context->graph, CHL_ERR_UNSUPPORTED,
                       "layer_norm: no gradient flows through its statistics");
    if (context->dout[0] == CHL_NONE) return;
    chl_backprop(context, CHL_OP_layer_norm_backward, &node->attr, 4, in, 3, all, NULL);
}
const chl_rule chl_rule_layer_norm = {infer_layer_norm, gradient_layer_norm, .bf16 = {1, 1}};
const chl_rule chl_rule_layer_norm_backward = {
    infer_layer_norm_backward, .compose = compose_layer_norm_backward, .bf16 = {3, 1}};

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
/* L2: 1 / max(|x|, eps), |x| = sum x^2 / sqrt(sum x^2). RMS: 1 / sqrt(mean x^2 + eps) */
static void compose_row_norm_dx(chl_gradient *context, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = context->graph;
    const int32_t from = chl_node_count(g);
    const float eps = context->node.attr.norm.eps;
    const int64_t width = last(chl_desc_of(g, in[1]));
    const chl_tensor squares = chl_row_sums(g, chl_mul(g, in[1], in[1]));
    chl_tensor factor;
    if (context->node.attr.norm.kind == CHL_NORM_RMS) {
        factor = chl_inverse_root(g, chl_scale(g, squares, 1.0f / (float)width), eps);
    } else {
        const chl_tensor length = chl_mul(g, squares, chl_inverse_root(g, squares, 1e-30f));
        const chl_tensor above = chl_sum(g, -eps, 1, (float[]){1}, &length);
        const chl_tensor kept = chl_activate(g, above, CHL_LEAKY_RELU, 0);
        factor = chl_inverse(g, chl_sum(g, eps, 1, (float[]){1}, &kept));
    }
    const chl_tensor y = chl_scale_rows(g, in[1], factor);
    chl_pull_back(g, from, 1, &y, in, 1, in + 1, out);
}
const chl_rule chl_rule_row_norm_dx = {infer_row_norm_dx, .compose = compose_row_norm_dx};

chl_tensor chl_row_norm(chl_graph *g, chl_tensor x, chl_norm kind, float eps) {
    chl_attributes attr = {.norm = {.eps = eps, .kind = kind}};
    if (x == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_row_norm, &attr, 1, &x);
}
