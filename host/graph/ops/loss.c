/* Losses over embeddings, latents and pictures (METHOD sections 3 and 4). */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/ops/expect.h"

static chl_status expect_pair(const chl_shapes *s, int a, int b) {
    CHL_EXPECT(chl_same_shape(&s->in[a], &s->in[b]), "inputs %d and %d must have one shape", a, b);
    return CHL_OK;
}
static void refuse(chl_gradient *c, int input, const char *what) {
    if (c->wanted[input])
        chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED, "%s: no gradient into %s",
                       chl_op_name(c->node.op), what);
}

/* --- cross_entropy: logits [N,M] -> [1], lse [N] ---------------------------------------------- */
static chl_status expect_logits(const chl_desc *logits, int64_t offset) {
    CHL_EXPECT(logits->rank == 2, "logits must be [N,M]");
    CHL_EXPECT(offset >= 0 && logits->dim[0] + offset <= logits->dim[1],
               "row i belongs to column i + %" PRId64 ", which the last rows do not have", offset);
    return CHL_OK;
}
static chl_status infer_cross_entropy(chl_shapes *s) {
    CHL_TRY(expect_logits(&s->in[0], s->attr->loss.offset));
    s->out[0] = chl_vector(1);
    s->out[1] = chl_vector(s->in[0].dim[0]);
    return CHL_OK;
}
static chl_status infer_cross_entropy_dx(chl_shapes *s) {
    CHL_TRY(expect_logits(&s->in[1], s->attr->loss.offset));
    CHL_EXPECT(chl_is_vector(&s->in[0], 1) && chl_is_vector(&s->in[2], s->in[1].dim[0]),
               "dloss must be [1] and lse [N]");
    s->out[0] = s->in[1];
    return CHL_OK;
}
/* softmax of the rows, lse their log-sum-exp: exp(logits - lse), whose arguments are <= 0 */
static chl_tensor probabilities(chl_graph *g, chl_tensor logits, chl_tensor lse) {
    const chl_desc *d = chl_desc_of(g, logits);
    const chl_tensor shift = chl_spread_rows(g, lse, d->dim[1]);
    return chl_exponential(g, chl_combine(g, 1, logits, -1, shift));
}
typedef struct classes {
    int64_t columns, offset;
} classes;
static float is_class(const void *context, int64_t i) {
    const classes *c = context;
    return i % c->columns == i / c->columns + c->offset;
}
/* dlogits = dloss (softmax - one at the row's class) / N */
static void compose_cross_entropy_dx(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_desc d = *chl_desc_of(g, in[1]);
    const classes own = {d.dim[1], c->node.attr.loss.offset};
    const float share = 1.0f / (float)d.dim[0];
    const chl_tensor p = probabilities(g, in[1], in[2]), one = chl_values(g, d, is_class, &own);
    out[0] = chl_mul(g, chl_spread(g, in[0], d), chl_combine(g, share, p, -share, one));
}
static void gradient_cross_entropy(chl_gradient *c) {
    if (c->dout[1] != CHL_NONE && c->wanted[0]) {
        const chl_tensor p = probabilities(c->graph, c->node.in[0], c->node.out[1]);
        chl_backprop_same(c, 0, chl_scale_rows(c->graph, p, c->dout[1]));
    }
    if (c->dout[0] == CHL_NONE) return;
    chl_backprop(c, CHL_OP_cross_entropy_dx, &c->node.attr, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[0], c->node.out[1]}, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_cross_entropy = {.infer = infer_cross_entropy,
                                         .gradient = gradient_cross_entropy};
const chl_rule chl_rule_cross_entropy_dx = {infer_cross_entropy_dx,
                                            .compose = compose_cross_entropy_dx};

chl_tensor chl_cross_entropy(chl_graph *g, chl_tensor logits, int offset) {
    const chl_attributes attr = {.loss = {.offset = offset}};
    chl_tensor out[2] = {CHL_NONE, CHL_NONE};
    chl_emit(g, CHL_OP_cross_entropy, &attr, 1, &logits, 2, out);
    return out[0];
}

/* --- kl_divergence: p, q [N,M] -> [1] --------------------------------------------------------- */
static chl_status infer_kl(chl_shapes *s) {
    CHL_TRY(expect_pair(s, 0, 1));
    CHL_EXPECT(s->in[0].rank == 2, "p and q must be [N,M]");
    CHL_EXPECT(s->attr->loss.tau > 0, "the temperature must be positive");
    s->out[0] = chl_vector(1);
    return CHL_OK;
}
static chl_status infer_kl_dq(chl_shapes *s) {
    CHL_TRY(expect_pair(s, 1, 2));
    CHL_EXPECT(s->in[1].rank == 2 && chl_is_vector(&s->in[0], 1), "dloss must be [1], p, q [N,M]");
    s->out[0] = s->in[2];
    return CHL_OK;
}
static void gradient_kl(chl_gradient *c) {
    refuse(c, 0, "p");
    chl_backprop(c, CHL_OP_kl_divergence_dq, &c->node.attr, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[0], c->node.in[1]}, 1, (int[]){1}, NULL);
}
const chl_rule chl_rule_kl_divergence = {.infer = infer_kl, .gradient = gradient_kl};
/* dq = dloss (softmax(q / tau) - softmax(p / tau)) / (N tau) */
static void compose_kl_dq(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_desc d = *chl_desc_of(g, in[2]);
    const float sharp = 1 / c->node.attr.loss.tau, share = sharp / (float)d.dim[0];
    const chl_tensor p = chl_softmax(g, chl_scale(g, in[1], sharp));
    const chl_tensor q = chl_softmax(g, chl_scale(g, in[2], sharp));
    out[0] = chl_mul(g, chl_spread(g, in[0], d), chl_combine(g, share, q, -share, p));
}
static void gradient_kl_dq(chl_gradient *c) {
    refuse(c, 1, "p");
    chl_backprop_composed(c, compose_kl_dq);
}
const chl_rule chl_rule_kl_divergence_dq = {.infer = infer_kl_dq, .gradient = gradient_kl_dq};

chl_tensor chl_kl_divergence(chl_graph *g, chl_tensor p, chl_tensor q, float tau) {
    const chl_attributes attr = {.loss = {.tau = tau}};
    return chl_emit1(g, CHL_OP_kl_divergence, &attr, 2, (chl_tensor[]){p, q});
}

/* --- row_dot: a, b [N,D] -> [N] --------------------------------------------------------------- */
static chl_status infer_row_dot(chl_shapes *s) {
    CHL_TRY(expect_pair(s, 0, 1));
    CHL_EXPECT(s->in[0].rank == 2, "a and b must be [N,D]");
    s->out[0] = chl_vector(s->in[0].dim[0]);
    return CHL_OK;
}
static chl_status infer_row_dot_backward(chl_shapes *s) {
    CHL_TRY(expect_pair(s, 1, 2));
    CHL_EXPECT(s->in[1].rank == 2 && chl_is_vector(&s->in[0], s->in[1].dim[0]),
               "dy must be [N] and a, b [N,D]");
    s->out[0] = s->out[1] = s->in[1];
    return CHL_OK;
}
static double flops_row_dot(const chl_shapes *s) {
    return 2.0 * (double)chl_count(&s->in[0]);
}
static void gradient_row_dot(chl_gradient *c) {
    chl_backprop(c, CHL_OP_row_dot_backward, NULL, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[0], c->node.in[1]}, 2, (int[]){0, 1}, NULL);
}
const chl_rule chl_rule_row_dot = {infer_row_dot, gradient_row_dot, .flops = flops_row_dot};
/* da = dy b, db = dy a, dy a number for each row */
static void gradient_row_dot_backward(chl_gradient *c) {
    const chl_tensor dy = c->node.in[0];
    for (int i = 0; i < 2; i++) {
        const chl_tensor v = c->dout[i], other = c->node.in[2 - i];
        if (v == CHL_NONE) continue;
        chl_backprop(c, CHL_OP_row_dot, NULL, 2, (chl_tensor[]){v, other}, 1, (int[]){0}, NULL);
        chl_backprop(c, CHL_OP_row_dot_backward, NULL, 3, (chl_tensor[]){dy, other, v}, 2,
                     (int[]){2 - i, CHL_UNWANTED}, NULL);
    }
}
const chl_rule chl_rule_row_dot_backward = {.infer = infer_row_dot_backward,
                                            .gradient = gradient_row_dot_backward};

chl_tensor chl_row_dot(chl_graph *g, chl_tensor a, chl_tensor b) {
    return chl_emit1(g, CHL_OP_row_dot, NULL, 2, (chl_tensor[]){a, b});
}

/* --- latent_distance: w, source [N,L,D], g [N,L] or absent -> [N] ----------------------------- */
static chl_status expect_latents(const chl_shapes *s, int first) {
    const chl_desc *w = &s->in[first];
    CHL_TRY(expect_pair(s, first, first + 1));
    CHL_EXPECT(w->rank == 3, "w and source must be [N,L,D]");
    CHL_EXPECT(!s->present[first + 2] || chl_is_matrix(&s->in[first + 2], w->dim[0], w->dim[1]),
               "the mask must be [%" PRId64 ",%" PRId64 "]", w->dim[0], w->dim[1]);
    return CHL_OK;
}
static chl_status infer_latent(chl_shapes *s) {
    CHL_TRY(expect_latents(s, 0));
    s->out[0] = chl_vector(s->in[0].dim[0]);
    return CHL_OK;
}
static chl_status infer_latent_backward(chl_shapes *s) {
    CHL_TRY(expect_latents(s, 1));
    CHL_EXPECT(chl_is_vector(&s->in[0], s->in[1].dim[0]), "dloss must be [N]");
    s->out[0] = s->in[1];
    s->out[1] = chl_make_desc(CHL_F32, 2, s->in[1].dim);
    return CHL_OK;
}
static void gradient_latent(chl_gradient *c) {
    refuse(c, 1, "source");
    const chl_tensor in[] = {c->dout[0], c->node.in[0], c->node.in[1], c->node.in[2]};
    chl_backprop(c, CHL_OP_latent_distance_backward, NULL, 4, in, 2, (int[]){0, 2}, NULL);
}
const chl_rule chl_rule_latent_distance = {.infer = infer_latent, .gradient = gradient_latent};
/* the loss with its weights L softmax(g), or 1 without a mask, and its gradients */
static void compose_latent_backward(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const int32_t from = chl_node_count(g);
    const bool masked = in[3] != CHL_NONE;
    const chl_desc layers = chl_make_desc(CHL_F32, 2, chl_desc_of(g, in[1])->dim);
    const chl_tensor wrt[2] = {in[1], in[3]}, apart = chl_combine(g, 1, in[1], -1, in[2]);
    chl_tensor distance = chl_reshape(g, chl_row_sums(g, chl_mul(g, apart, apart)), layers);
    if (masked) {
        const chl_tensor weight = chl_scale(g, chl_softmax(g, in[3]), (float)layers.dim[1]);
        distance = chl_mul(g, weight, distance);
    }
    const chl_tensor loss = chl_row_sums(g, distance);
    chl_pull_back(g, from, 1, &loss, in, masked ? 2 : 1, wrt, out);
}
static void gradient_latent_backward(chl_gradient *c) {
    refuse(c, 2, "source");
    chl_backprop_composed(c, compose_latent_backward);
}
const chl_rule chl_rule_latent_distance_backward = {.infer = infer_latent_backward,
                                                    .gradient = gradient_latent_backward};

chl_tensor chl_latent_distance(chl_graph *g, chl_tensor w, chl_tensor source, chl_tensor mask) {
    return chl_emit1(g, CHL_OP_latent_distance, NULL, 3, (chl_tensor[]){w, source, mask});
}

/* --- pixel_loss: a, b [N,...] -> [N] ---------------------------------------------------------- */
static chl_status infer_pixel(chl_shapes *s) {
    CHL_TRY(expect_pair(s, 0, 1));
    CHL_EXPECT(s->in[0].rank >= 1, "a and b must be [N,...]");
    s->out[0] = chl_vector(s->in[0].dim[0]);
    return CHL_OK;
}
static chl_status infer_pixel_da(chl_shapes *s) {
    CHL_TRY(expect_pair(s, 1, 2));
    CHL_EXPECT(chl_is_vector(&s->in[0], s->in[1].dim[0]), "dloss must be [N]");
    s->out[0] = s->in[1];
    return CHL_OK;
}
static void gradient_pixel(chl_gradient *c) {
    refuse(c, 1, "b");
    chl_backprop(c, CHL_OP_pixel_loss_da, &c->node.attr, 3,
                 (chl_tensor[]){c->dout[0], c->node.in[0], c->node.in[1]}, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_pixel_loss = {.infer = infer_pixel, .gradient = gradient_pixel};
/* L1: da = dloss sign(a - b) / count, sign as the slope of |t|. L2: 2 dloss (a - b) / count */
static void compose_pixel_da(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_desc a = *chl_desc_of(g, in[1]);
    const float share = (float)a.dim[0] / (float)chl_count(&a);
    const chl_tensor apart = chl_combine(g, 1, in[1], -1, in[2]);
    if (c->node.attr.loss.pixel == CHL_PIXEL_L1) {
        const chl_attributes slope = {.activation = {CHL_LEAKY_RELU, -1}};
        const chl_tensor wide = chl_scale_rows(g, chl_filled(g, a, share), in[0]);
        out[0] = chl_emit1(g, CHL_OP_activation_dx, &slope, 2, (chl_tensor[]){wide, apart});
    } else {
        out[0] = chl_scale(g, chl_scale_rows(g, apart, in[0]), 2 * share);
    }
}
static void gradient_pixel_da(chl_gradient *c) {
    refuse(c, 2, "b");
    chl_backprop_composed(c, compose_pixel_da);
}
const chl_rule chl_rule_pixel_loss_da = {.infer = infer_pixel_da, .gradient = gradient_pixel_da};

chl_tensor chl_pixel_loss(chl_graph *g, chl_tensor a, chl_tensor b, chl_pixel kind) {
    const chl_attributes attr = {.loss = {.pixel = kind}};
    return chl_emit1(g, CHL_OP_pixel_loss, &attr, 2, (chl_tensor[]){a, b});
}
