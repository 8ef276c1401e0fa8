/* StyleGAN2's small ops beside the convolution [Karras et al. 2020]: demodulation, ToRGB, and the
 * up-sampling of the picture skip. */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/ops/expect.h"
#include <math.h>

/* --- weight_square: w [O,I,K,K] -> q [O,I] ---------------------------------------------------- */
static chl_status infer_square(chl_shapes *s) {
    CHL_EXPECT(s->in[0].rank == 4, "w must be [O,I,K,K]");
    s->out[0] = chl_make_desc(CHL_F32, 2, s->in[0].dim);
    return CHL_OK;
}
static chl_status infer_square_dw(chl_shapes *s) {
    const chl_desc *w = &s->in[1];
    CHL_EXPECT(w->rank == 4 && chl_is_matrix(&s->in[0], w->dim[0], w->dim[1]),
               "dq must be [O,I] of w [O,I,K,K]");
    s->out[0] = *w;
    return CHL_OK;
}
static void gradient_square(chl_gradient *c) {
    chl_backprop(c, CHL_OP_weight_square_dw, NULL, 2, (chl_tensor[]){c->dout[0], c->node.in[0]}, 1,
                 (int[]){0}, NULL);
}
const chl_rule chl_rule_weight_square = {.infer = infer_square, .gradient = gradient_square};
chl_tensor chl_weight_square(chl_graph *g, chl_tensor w) {
    return chl_emit1(g, CHL_OP_weight_square, NULL, 1, &w);
}
static void compose_square_dw(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    out[0] = chl_scale(c->graph, chl_scale_rows(c->graph, in[1], in[0]), 2);
}
const chl_rule chl_rule_weight_square_dw = {infer_square_dw, .compose = compose_square_dw};

/* --- demodulate: s [N,I], q [O,I] -> d [N,O] -------------------------------------------------- */
static chl_status infer_demodulate(chl_shapes *s) {
    CHL_EXPECT(s->in[0].rank == 2 && s->in[1].rank == 2 && s->in[0].dim[1] == s->in[1].dim[1],
               "s must be [N,I] and q [O,I]");
    s->out[0] = chl_make_desc(CHL_F32, 2, (int64_t[]){s->in[0].dim[0], s->in[1].dim[0]});
    return CHL_OK;
}
static double flops_demodulate(const chl_shapes *s) {
    return 2.0 * (double)chl_count(&s->in[0]) * (double)s->in[1].dim[0];
}
static chl_status infer_demodulate_backward(chl_shapes *s) {
    CHL_EXPECT(s->in[2].rank == 2 && s->in[3].rank == 2 && s->in[2].dim[1] == s->in[3].dim[1] &&
                   chl_is_matrix(&s->in[0], s->in[2].dim[0], s->in[3].dim[0]) &&
                   chl_same_shape(&s->in[0], &s->in[1]),
               "dd and d must be [N,O], s [N,I], q [O,I]");
    s->out[0] = s->in[2];
    s->out[1] = s->in[3];
    return CHL_OK;
}
static double flops_demodulate_backward(const chl_shapes *s) {
    return 2.0 * (double)chl_count(&s->in[2]) * (double)s->in[3].dim[0];
}
static void gradient_demodulate(chl_gradient *c) {
    const chl_tensor in[] = {c->dout[0], c->node.out[0], c->node.in[0], c->node.in[1]};
    chl_backprop(c, CHL_OP_demodulate_backward, &c->node.attr, 4, in, 2, (int[]){0, 1}, NULL);
}
const chl_rule chl_rule_demodulate = {infer_demodulate, gradient_demodulate,
                                      .flops = flops_demodulate};
/* t = -gain^2 dd d^3, ds = s * (t q), dq = t^T s^2 / 2 */
static void compose_demodulate_backward(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const float gain = c->node.attr.demodulate.gain;
    const chl_attributes one = {.linear = {.gain = 1, .bias_gain = 1}};
    const chl_attributes half = {.linear = {.gain = 0.5f, .bias_gain = 1}};
    const chl_tensor cube = chl_mul(g, in[1], chl_mul(g, in[1], in[1]));
    const chl_tensor t = chl_scale(g, chl_mul(g, in[0], cube), -gain * gain);
    const chl_tensor tq = chl_emit1(g, CHL_OP_linear_dx, &one, 2, (chl_tensor[]){t, in[3]});
    out[0] = chl_mul(g, in[2], tq);
    out[1] = chl_emit1(g, CHL_OP_linear_dw, &half, 2, (chl_tensor[]){t, chl_mul(g, in[2], in[2])});
}
const chl_rule chl_rule_demodulate_backward = {infer_demodulate_backward,
                                               .compose = compose_demodulate_backward,
                                               .flops = flops_demodulate_backward};

chl_tensor chl_demodulate(chl_graph *g, chl_tensor s, chl_tensor q, float gain, float eps) {
    const chl_attributes attr = {.demodulate = {.eps = eps, .gain = gain}};
    return chl_emit1(g, CHL_OP_demodulate, &attr, 2, (chl_tensor[]){s, q});
}

/* --- torgb: x [N,H,W,I], w [O,I], s [N,I], b [O] -> [N,H,W,O] --------------------------------- */
static chl_status expect_torgb(const chl_desc *x, const chl_desc *w, const chl_desc *s) {
    CHL_EXPECT(x->rank == 4, "x must be [N,H,W,I]");
    CHL_EXPECT(w->rank == 2 && w->dim[1] == x->dim[3], "w must be [O,%" PRId64 "]", x->dim[3]);
    CHL_EXPECT(chl_is_matrix(s, x->dim[0], x->dim[3]), "s must be [%" PRId64 ",%" PRId64 "]",
               x->dim[0], x->dim[3]);
    return CHL_OK;
}
static chl_status infer_torgb(chl_shapes *s) {
    CHL_TRY(expect_torgb(&s->in[0], &s->in[1], &s->in[2]));
    CHL_EXPECT(chl_is_vector(&s->in[3], s->in[1].dim[0]), "b must be [O]");
    s->out[0] = s->in[0];
    s->out[0].dim[3] = s->in[1].dim[0];
    return CHL_OK;
}
static double flops_torgb(const chl_shapes *s) {
    return 2.0 * (double)chl_count(&s->in[0]) * (double)s->in[1].dim[0];
}
/* dy y x w s -> dx ds dw db */
static chl_status infer_torgb_backward(chl_shapes *s) {
    CHL_TRY(expect_torgb(&s->in[2], &s->in[3], &s->in[4]));
    chl_desc y = s->in[2];
    y.dim[3] = s->in[3].dim[0];
    CHL_EXPECT(chl_same_shape(&s->in[0], &y) && chl_same_shape(&s->in[1], &y),
               "dy and y must be [N,H,W,O]");
    s->out[0] = s->in[2];
    s->out[1] = s->in[4];
    s->out[2] = s->in[3];
    s->out[3] = chl_vector(y.dim[3]);
    return CHL_OK;
}
static double flops_torgb_backward(const chl_shapes *s) {
    return 4.0 * (double)chl_count(&s->in[2]) * (double)s->in[3].dim[0];
}
static void gradient_torgb(chl_gradient *c) {
    const chl_tensor in[] = {c->dout[0], c->node.out[0], c->node.in[0], c->node.in[1],
                             c->node.in[2]};
    chl_backprop(c, CHL_OP_torgb_backward, &c->node.attr, 5, in, 4, (int[]){0, 2, 1, 3}, NULL);
}
/* the picture is float */
const chl_rule chl_rule_torgb = {infer_torgb, gradient_torgb, .flops = flops_torgb,
                                 .bf16 = {.inputs = 1}};
/* No gradient passes where |y| reached the clamp. */
static void compose_torgb_backward(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_desc x = *chl_desc_of(g, in[2]);
    const int64_t colours = chl_desc_of(g, in[3])->dim[0];
    const float inside = nextafterf(c->node.attr.conv.clamp, 0);
    chl_tensor dz = in[0];
    if (c->node.attr.conv.clamp > 0) {
        const chl_attributes attr = {.channel_affine = {-inside, inside}};
        const chl_tensor one = chl_filled(g, chl_vector(colours), 1);
        dz = chl_emit1(g, CHL_OP_channel_affine_dx, &attr, 3, (chl_tensor[]){dz, in[1], one});
    }
    const int32_t from = chl_node_count(g);
    const chl_tensor wrt[] = {in[2], in[4], in[3]};
    const chl_tensor styled = chl_channel_scale(g, chl_reshape(g, in[2], x), in[4]);
    const chl_tensor z = chl_linear_gain(g, styled, in[3], CHL_NONE, c->node.attr.conv.gain, 1);
    const chl_attributes bias = {.like = chl_vector(colours)};
    chl_pull_back(g, from, 1, &z, &dz, 3, wrt, out);
    out[3] = chl_emit1(g, CHL_OP_add_bias_db, &bias, 1, &dz);
}
const chl_rule chl_rule_torgb_backward = {infer_torgb_backward, .compose = compose_torgb_backward,
                                          .flops = flops_torgb_backward, .bf16 = {4, 1}};

chl_tensor chl_to_rgb(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor s, chl_tensor b,
                      float gain, float clamp) {
    const chl_attributes attr = {.conv = {.gain = gain, .clamp = clamp}};
    return chl_emit1(g, CHL_OP_torgb, &attr, 4, (chl_tensor[]){x, w, s, b});
}

/* --- upsample_fir: x [N,H,W,C] -> [N,2H,2W,C] ------------------------------------------------- */
static chl_status infer_upsample(chl_shapes *s) {
    CHL_EXPECT(s->in[0].rank == 4, "x must be [N,H,W,C]");
    s->out[0] = s->in[0];
    s->out[0].dim[1] *= 2;
    s->out[0].dim[2] *= 2;
    CHL_EXPECT(!s->present[1] || chl_same_shape(&s->in[1], &s->out[0]),
               "the residual must be [N,2H,2W,C]");
    return CHL_OK;
}
static chl_status infer_upsample_dx(chl_shapes *s) {
    const chl_desc *dy = &s->in[0];
    CHL_EXPECT(dy->rank == 4 && dy->dim[1] % 2 == 0 && dy->dim[2] % 2 == 0,
               "dy must be [N,2H,2W,C]");
    s->out[0] = *dy;
    s->out[0].dim[1] /= 2;
    s->out[0].dim[2] /= 2;
    return CHL_OK;
}
static void gradient_upsample(chl_gradient *c) {
    chl_backprop_one(c, 0, CHL_OP_upsample_fir_dx, NULL);
    chl_backprop_same(c, 1, c->dout[0]);
}
const chl_rule chl_rule_upsample_fir = {.infer = infer_upsample, .gradient = gradient_upsample};
static void gradient_upsample_dx(chl_gradient *c) {
    chl_backprop_one(c, 0, CHL_OP_upsample_fir, NULL);
}
const chl_rule chl_rule_upsample_fir_dx = {.infer = infer_upsample_dx,
                                           .gradient = gradient_upsample_dx};

chl_tensor chl_upsample_fir(chl_graph *g, chl_tensor x, chl_tensor residual) {
    return chl_emit1(g, CHL_OP_upsample_fir, NULL, 2, (chl_tensor[]){x, residual});
}
