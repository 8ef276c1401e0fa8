/* Per-channel ops: picture normalisation, excitation, PReLU, batch norm. */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/ops/expect.h"

/* x has channels; inputs 1.. up to `last` are [C] each */
static chl_status expect_channels(const chl_shapes *s, int x, int first, int last) {
    CHL_EXPECT(s->in[x].rank >= 1, "x needs a channel axis");
    for (int i = first; i <= last; i++)
        CHL_EXPECT(chl_is_vector(&s->in[i], chl_last_dim(&s->in[x])),
                   "input %d must be [%" PRId64 "], one number per channel", i,
                   chl_last_dim(&s->in[x]));
    return CHL_OK;
}
static chl_status expect_like(const chl_shapes *s, int a, int b) {
    CHL_EXPECT(chl_same_shape(&s->in[a], &s->in[b]), "inputs %d and %d must have one shape", a, b);
    return CHL_OK;
}

/* --- channel_affine --------------------------------------------------------------------------- */
static chl_status infer_affine(chl_shapes *s) {
    CHL_TRY(expect_channels(s, 0, 1, 2));
    s->out[0] = s->in[0];
    return CHL_OK;
}
static chl_status infer_affine_dx(chl_shapes *s) {
    CHL_TRY(expect_like(s, 0, 1));
    CHL_TRY(expect_channels(s, 1, 2, 2));
    s->out[0] = s->in[1];
    return CHL_OK;
}
static void gradient_affine(chl_gradient *c) {
    if (c->wanted[1] || c->wanted[2])
        chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED,
                       "channel_affine: mul and add are constants and have no gradient");
    chl_backprop(c, CHL_OP_channel_affine_dx, &c->node.attr, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[0], c->node.in[1]}, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_channel_affine = {infer_affine, gradient_affine, .bf16 = {1, 1},
                                          .in_place = true};
/* dx = dy mul where x lies inside, whose second derivative is 0 but at the ends */
static void gradient_affine_dx(chl_gradient *c) {
    if (c->wanted[2])
        chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED,
                       "channel_affine_dx: mul is a constant and has no gradient");
    chl_backprop(c, CHL_OP_channel_affine_dx, &c->node.attr, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[1], c->node.in[2]}, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_channel_affine_dx = {infer_affine_dx, gradient_affine_dx, .bf16 = {3, 1},
                                             .in_place = true};

chl_tensor chl_channel_affine(chl_graph *g, chl_tensor x, chl_tensor mul, chl_tensor add,
                              float lowest, float highest) {
    const chl_attributes attr = {.channel_affine = {lowest, highest}};
    return chl_emit1(g, CHL_OP_channel_affine, &attr, 3, (chl_tensor[]){x, mul, add});
}

/* --- channel_scale ---------------------------------------------------------------------------- */
static chl_status infer_scale(chl_shapes *s) {
    CHL_EXPECT(s->in[0].rank >= 2 &&
                   chl_is_matrix(&s->in[1], s->in[0].dim[0], chl_last_dim(&s->in[0])),
               "s must be [N,C] of x [N,...,C]");
    s->out[0] = s->in[0];
    return CHL_OK;
}
static chl_status infer_scale_backward(chl_shapes *s) {
    CHL_TRY(expect_like(s, 0, 1));
    CHL_EXPECT(s->in[1].rank >= 2 &&
                   chl_is_matrix(&s->in[2], s->in[1].dim[0], chl_last_dim(&s->in[1])),
               "s must be [N,C] of x [N,...,C]");
    s->out[0] = s->in[1];
    s->out[1] = s->in[2];
    return CHL_OK;
}
static void gradient_scale(chl_gradient *c) {
    chl_backprop(c, CHL_OP_channel_scale_backward, NULL, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[0], c->node.in[1]}, 2, (int[]){0, 1}, NULL);
}
const chl_rule chl_rule_channel_scale = {infer_scale, gradient_scale, .bf16 = {3, 1},
                                         .in_place = true};
/* dx = dy s and ds = sum dy x, each linear in both factors */
static void gradient_scale_backward(chl_gradient *c) {
    const chl_tensor dy = c->node.in[0], x = c->node.in[1], s = c->node.in[2];
    const chl_tensor vx = c->dout[0], vs = c->dout[1];
    if (vx != CHL_NONE) {
        chl_backprop(c, CHL_OP_channel_scale, NULL, 2, (chl_tensor[]){vx, s}, 1, (int[]){0}, NULL);
        chl_backprop(c, CHL_OP_channel_scale_backward, NULL, 3, (chl_tensor[]){dy, vx, s}, 2,
                     (int[]){CHL_UNWANTED, 2}, NULL);
    }
    if (vs == CHL_NONE) return;
    chl_backprop(c, CHL_OP_channel_scale, NULL, 2, (chl_tensor[]){x, vs}, 1, (int[]){0}, NULL);
    chl_backprop(c, CHL_OP_channel_scale, NULL, 2, (chl_tensor[]){dy, vs}, 1, (int[]){1}, NULL);
}
const chl_rule chl_rule_channel_scale_backward = {infer_scale_backward, gradient_scale_backward,
                                                  .bf16 = {7, 3}, .in_place = true};

chl_tensor chl_channel_scale(chl_graph *g, chl_tensor x, chl_tensor s) {
    return chl_emit1(g, CHL_OP_channel_scale, NULL, 2, (chl_tensor[]){x, s});
}

/* --- prelu ------------------------------------------------------------------------------------ */
static chl_status infer_prelu(chl_shapes *s) {
    CHL_TRY(expect_channels(s, 0, 1, 1));
    s->out[0] = s->in[0];
    return CHL_OK;
}
static chl_status infer_prelu_backward(chl_shapes *s) {
    CHL_TRY(expect_like(s, 0, 1));
    CHL_TRY(expect_channels(s, 1, 2, 2));
    s->out[0] = s->in[1];
    s->out[1] = s->in[2];
    return CHL_OK;
}
static void gradient_prelu(chl_gradient *c) {
    chl_backprop(c, CHL_OP_prelu_backward, NULL, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[0], c->node.in[1]}, 2, (int[]){0, 1}, NULL);
}
const chl_rule chl_rule_prelu = {infer_prelu, gradient_prelu, .bf16 = {1, 1}, .in_place = true};
/* y = relu(x) + slope (x - relu(x)) */
static void compose_prelu_backward(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const int32_t from = chl_node_count(g);
    const chl_tensor positive = chl_activate(g, in[1], CHL_LEAKY_RELU, 0);
    const chl_tensor rest = chl_combine(g, 1, in[1], -1, positive);
    const chl_tensor y = chl_add(g, positive, chl_scale_columns(g, rest, in[2]));
    chl_pull_back(g, from, 1, &y, in, 2, in + 1, out);
}
const chl_rule chl_rule_prelu_backward = {infer_prelu_backward, .compose = compose_prelu_backward,
                                          .bf16 = {3, 1}, .in_place = true};

chl_tensor chl_prelu(chl_graph *g, chl_tensor x, chl_tensor slope) {
    return chl_emit1(g, CHL_OP_prelu, NULL, 2, (chl_tensor[]){x, slope});
}

/* --- batch_norm: stored statistics ------------------------------------------------------------ */
static chl_status infer_batch_norm(chl_shapes *s) {
    CHL_TRY(expect_channels(s, 0, 1, 4));
    s->out[0] = s->in[0];
    return CHL_OK;
}
/* of both: dy x gamma mean var -> dx dgamma dbeta */
static chl_status infer_batch_norm_backward(chl_shapes *s) {
    CHL_TRY(expect_like(s, 0, 1));
    CHL_TRY(expect_channels(s, 1, 2, 4));
    s->out[0] = s->in[1];
    s->out[1] = s->out[2] = s->in[2];
    return CHL_OK;
}
static void gradient_batch_norm(chl_gradient *c) {
    if (c->wanted[3] || c->wanted[4])
        chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED,
                       "batch_norm: the stored mean and variance have no gradient");
    const chl_tensor in[] = {c->dout[0], c->node.in[0], c->node.in[1], c->node.in[3],
                             c->node.in[4]};
    chl_backprop(c, CHL_OP_batch_norm_backward, &c->node.attr, 5, in, 3, (int[]){0, 1, 2}, NULL);
}
const chl_rule chl_rule_batch_norm = {infer_batch_norm, gradient_batch_norm, .bf16 = {1, 1},
                                      .in_place = true};
static void compose_batch_norm_backward(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const int32_t from = chl_node_count(g);
    const chl_tensor scale = chl_inverse_root(g, in[4], c->node.attr.norm.eps);
    const chl_tensor centred = chl_add_bias(g, in[1], chl_scale(g, in[3], -1));
    const chl_tensor y = chl_scale_columns(g, centred, chl_mul(g, scale, in[2]));
    const chl_attributes beta = {.like = *chl_desc_of(g, in[2])};
    chl_pull_back(g, from, 1, &y, in, 2, in + 1, out);
    out[2] = chl_emit1(g, CHL_OP_add_bias_db, &beta, 1, in);
}
static void gradient_batch_norm_backward(chl_gradient *c) {
    if (c->wanted[3] || c->wanted[4])
        chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED,
                       "batch_norm_backward: the stored mean and variance have no gradient");
    chl_backprop_composed(c, compose_batch_norm_backward);
}
const chl_rule chl_rule_batch_norm_backward = {
    infer_batch_norm_backward, gradient_batch_norm_backward, .bf16 = {3, 1}, .in_place = true};

chl_tensor chl_batch_norm(chl_graph *g, chl_tensor x, chl_tensor gamma, chl_tensor beta,
                          chl_tensor mean, chl_tensor var, float eps) {
    const chl_attributes attr = {.norm = {.eps = eps}};
    return chl_emit1(g, CHL_OP_batch_norm, &attr, 5, (chl_tensor[]){x, gamma, beta, mean, var});
}

/* --- batch_norm_train: the batch's own -------------------------------------------------------- */
static chl_status infer_batch_norm_train(chl_shapes *s) {
    CHL_TRY(expect_channels(s, 0, 1, 2));
    s->out[0] = s->in[0];
    s->out[1] = s->out[2] = s->in[1];
    return CHL_OK;
}
static double rows_of(const chl_graph *g, chl_tensor x) {
    const chl_desc *d = chl_desc_of(g, x);
    return (double)chl_count(d) / (double)chl_last_dim(d);
}
static chl_tensor channel_means(chl_graph *g, chl_tensor x) {
    const chl_attributes attr = {.like = chl_vector(chl_last_dim(chl_desc_of(g, x)))};
    const chl_tensor sums = chl_emit1(g, CHL_OP_add_bias_db, &attr, 1, &x);
    return chl_scale(g, sums, (float)(1 / rows_of(g, x)));
}
/* y from the batch's own statistics, which are functions of x: their part of the derivative is in
 * dx. */
static void compose_batch_norm_train_backward(chl_gradient *c, const chl_tensor *in,
                                              chl_tensor *out) {
    chl_graph *g = c->graph;
    const int32_t from = chl_node_count(g);
    const chl_tensor centred = chl_add_bias(g, in[1], chl_scale(g, channel_means(g, in[1]), -1));
    const chl_tensor var = channel_means(g, chl_mul(g, centred, centred));
    const chl_tensor scale = chl_inverse_root(g, var, c->node.attr.norm.eps);
    const chl_tensor y = chl_scale_columns(g, centred, chl_mul(g, scale, in[2]));
    const chl_attributes beta = {.like = *chl_desc_of(g, in[2])};
    chl_pull_back(g, from, 1, &y, in, 2, in + 1, out);
    out[2] = chl_emit1(g, CHL_OP_add_bias_db, &beta, 1, in);
}
/* mean and var by themselves: dx = dmean / R + 2 (x - mean) dvar / R, R rows */
static void compose_statistics(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    out[1] = channel_means(g, in[0]);
    const chl_tensor centred = chl_add_bias(g, in[0], chl_scale(g, out[1], -1));
    out[2] = channel_means(g, chl_mul(g, centred, centred));
}
static void gradient_batch_norm_train(chl_gradient *c) {
    if (c->dout[1] != CHL_NONE || c->dout[2] != CHL_NONE)
        chl_backprop_composed(c, compose_statistics);
    if (c->dout[0] == CHL_NONE) return;
    const chl_tensor in[] = {c->dout[0], c->node.in[0], c->node.in[1], c->node.out[1],
                             c->node.out[2]};
    chl_backprop(c, CHL_OP_batch_norm_train_backward, &c->node.attr, 5, in, 3, (int[]){0, 1, 2},
                 NULL);
}
const chl_rule chl_rule_batch_norm_train = {infer_batch_norm_train, gradient_batch_norm_train,
                                            .bf16 = {1, 1}, .in_place = true};
const chl_rule chl_rule_batch_norm_train_backward = {infer_batch_norm_backward,
                                                     .compose = compose_batch_norm_train_backward,
                                                     .bf16 = {3, 1}, .in_place = true};

/* Of all ranks, which have as many rows each. */
static chl_tensor shared_means(chl_graph *g, chl_tensor x) {
    return chl_all_reduce(g, chl_scale(g, channel_means(g, x), 1 / (float)chl_ranks_of(g)));
}

/* The statistics of all ranks' rows, of simple rows whose gradients go through the sums over the
 * ranks. */
static chl_tensor norm_between_ranks(chl_graph *g, chl_tensor x, chl_tensor gamma, chl_tensor beta,
                                     float eps, chl_tensor *mean, chl_tensor *var) {
    const bool half = chl_desc_of(g, x)->dtype == CHL_BF16;
    x = chl_to_float32(g, x);
    *mean = shared_means(g, x);
    const chl_tensor centred = chl_add_bias(g, x, chl_scale(g, *mean, -1));
    *var = shared_means(g, chl_mul(g, centred, centred));
    const chl_tensor factor = chl_mul(g, chl_inverse_root(g, *var, eps), gamma);
    const chl_tensor y = chl_add_bias(g, chl_scale_columns(g, centred, factor), beta);
    return half ? chl_to_compute_type(g, y) : y;
}

chl_tensor chl_batch_norm_train(chl_graph *g, chl_tensor x, chl_tensor gamma, chl_tensor beta,
                                float eps, chl_tensor *mean, chl_tensor *var) {
    const chl_attributes attr = {.norm = {.eps = eps}};
    chl_tensor out[3] = {CHL_NONE, CHL_NONE, CHL_NONE};
    *mean = *var = CHL_NONE;
    if (x == CHL_NONE || chl_graph_status(g) != CHL_OK) return CHL_NONE;
    if (chl_ranks_of(g) > 1) return norm_between_ranks(g, x, gamma, beta, eps, mean, var);
    chl_emit(g, CHL_OP_batch_norm_train, &attr, 3, (chl_tensor[]){x, gamma, beta}, 3, out);
    *mean = out[1];
    *var = out[2];
    return out[0];
}
