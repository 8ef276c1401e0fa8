/* StyleGAN2's modulated convolution: rules and builder. */
#include "graph/build.h"
#include "graph/ops/conv_shape.h"
#include "graph/ops/modconv_second.h"

enum { X, W, PACKED, STYLE, D, NOISE, STRENGTH, BIAS, INPUTS };

/* d [N,O], noise [H',W'] or [N,H',W'], strength [1], b [O], each where present, from index `first`
 */
static chl_status expect_epilogue(const chl_shapes *s, int first, const chl_desc *y) {
    const int64_t *dim = y->dim;
    const chl_desc *d = &s->in[first], *noise = &s->in[first + 1];
    const chl_desc one = chl_f32(2, (int)dim[1], (int)dim[2]);
    const chl_desc each = chl_f32(3, (int)dim[0], (int)dim[1], (int)dim[2]);
    CHL_EXPECT(!s->present[first] || chl_is_matrix(d, dim[0], dim[3]), "d must be [N,O]");
    CHL_EXPECT(s->present[first + 1] == s->present[first + 2],
               "noise and its strength come together");
    CHL_EXPECT(!s->present[first + 1] || chl_same_shape(noise, &one) ||
                   chl_same_shape(noise, &each),
               "noise must be [%" PRId64 ",%" PRId64 "] or that for each of %" PRId64 " samples",
               dim[1], dim[2], dim[0]);
    CHL_EXPECT(!s->present[first + 2] || chl_count(&s->in[first + 2]) == 1, "strength must be [1]");
    CHL_EXPECT(!s->present[first + 3] || chl_is_vector(&s->in[first + 3], dim[3]), "b must be [O]");
    return CHL_OK;
}

/* --- modconv: x w packed s d? noise? strength? b? -> y ---------------------------------------- */
static chl_status infer_modconv(chl_shapes *s) {
    chl_conv_attributes a = s->attr->conv;
    CHL_TRY(chl_conv_sizes(&s->in[X], &s->in[W], &a));
    CHL_EXPECT(chl_is_matrix(&s->in[STYLE], a.n, a.i), "s must be [%d,%d]", a.n, a.i);
    /* the backward recovers the pre-activation from y */
    CHL_EXPECT(a.slope > 0 && a.act_gain > 0, "the activation's slope and gain must be positive");
    s->out[0] = chl_conv_y(&a);
    return expect_epilogue(s, D, &s->out[0]);
}
/* dy y d? noise? strength? b? -> g dd dstrength db */
static chl_status infer_epilogue_backward(chl_shapes *s) {
    const chl_desc y = chl_conv_y(&s->attr->conv);
    CHL_EXPECT(chl_same_shape(&s->in[0], &y) && chl_same_shape(&s->in[1], &y),
               "dy and y must have the forward's shape");
    s->out[0] = y;
    s->out[1] = chl_f32(2, s->attr->conv.n, s->attr->conv.o);
    s->out[2] = chl_vector(1);
    s->out[3] = chl_vector(s->attr->conv.o);
    return expect_epilogue(s, 2, &y);
}
/* g w packed s x? -> dx ds */
static chl_status infer_modconv_dx(chl_shapes *s) {
    const chl_conv_attributes *a = &s->attr->conv;
    const chl_desc x = chl_conv_x(a), y = chl_conv_y(a);
    CHL_EXPECT(chl_same_shape(&s->in[0], &y) && chl_is_matrix(&s->in[3], a->n, a->i),
               "g must have y's shape, s must be [%d,%d]", a->n, a->i);
    CHL_EXPECT(!s->present[4] || chl_same_shape(&s->in[4], &x), "x must be the forward's");
    s->out[0] = x;
    s->out[1] = s->in[3];
    return CHL_OK;
}
/* g x s -> dw */
static chl_status infer_modconv_dw(chl_shapes *s) {
    const chl_conv_attributes *a = &s->attr->conv;
    const chl_desc x = chl_conv_x(a), y = chl_conv_y(a);
    CHL_EXPECT(chl_same_shape(&s->in[0], &y) && chl_same_shape(&s->in[1], &x) &&
                   chl_is_matrix(&s->in[2], a->n, a->i),
               "g must have y's shape, x and s must be the forward's");
    s->out[0] = chl_conv_w(a);
    return CHL_OK;
}

static void gradient_modconv(chl_gradient *c) {
    const chl_tensor *in = c->node.in;
    const bool to_x = c->wanted[X] || c->wanted[STYLE];
    if (c->wanted[NOISE]) {
        chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED, "modconv has no gradient to the noise");
        return;
    }
    const chl_tensor saved[] = {c->dout[0], c->node.out[0], in[D],
                                in[NOISE],  in[STRENGTH],   in[BIAS]};
    const int targets[] = {to_x || c->wanted[W] ? CHL_FRESH : CHL_UNWANTED, D, STRENGTH, BIAS};
    chl_tensor out[4];
    chl_backprop(c, CHL_OP_modconv_epilogue_backward, &c->node.attr, 6, saved, 4, targets, out);
    if (to_x) {
        chl_attributes attr = c->node.attr;
        attr.conv.backward = 1;
        const chl_tensor packed = chl_emit1(c->graph, CHL_OP_conv_pack, &attr, 1, &in[W]);
        const chl_tensor x = c->wanted[STYLE] ? in[X] : CHL_NONE;
        chl_backprop(c, CHL_OP_modconv_dx, &attr, 5,
                     (chl_tensor[]){out[0], in[W], packed, in[STYLE], x}, 2, (int[]){X, STYLE},
                     NULL);
    }
    chl_backprop(c, CHL_OP_modconv_dw, &c->node.attr, 3, (chl_tensor[]){out[0], in[X], in[STYLE]},
                 1, (int[]){W}, NULL);
}

static double flops_epilogue(const chl_shapes *s) {
    return 12.0 * (double)chl_count(&s->in[0]);
}

/* half: x, y and their gradients */
const chl_rule chl_rule_modconv = {infer_modconv, gradient_modconv, .flops = chl_conv_flops,
                                   .bf16 = {1, 1}};
const chl_rule chl_rule_modconv_epilogue_backward = {infer_epilogue_backward,
                                                     chl_gradient_modconv_epilogue,
                                                     .flops = flops_epilogue, .bf16 = {3, 1}};
const chl_rule chl_rule_modconv_dx = {infer_modconv_dx, .compose = chl_compose_modconv_dx,
                                      .flops = chl_conv_flops, .bf16 = {17, 1}};
const chl_rule chl_rule_modconv_dw = {infer_modconv_dw, .compose = chl_compose_modconv_dw,
                                      .flops = chl_conv_flops, .bf16 = {.inputs = 3}};

chl_tensor chl_modulated_conv(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor s,
                              chl_tensor noise, chl_tensor strength, chl_tensor b,
                              const chl_modconv *settings) {
    if (x == CHL_NONE || w == CHL_NONE || s == CHL_NONE) return CHL_NONE;
    chl_attributes attr = {.conv = {.stride = 1,
                                    .pad = 1,
                                    .up = settings->up,
                                    .gain = settings->gain,
                                    .slope = settings->slope,
                                    .act_gain = settings->act_gain,
                                    .clamp = settings->clamp}};
    chl_status status = chl_conv_sizes(chl_desc_of(g, x), chl_desc_of(g, w), &attr.conv);
    if (status == CHL_OK && attr.conv.kernel != 3)
        status = chl_fail(CHL_ERR_SHAPE, "w must be [O,I,3,3]");
    if (status != CHL_OK) return chl_graph_fail(g, status, "modconv: %s", chl_error());
    const chl_tensor d =
        chl_demodulate(g, s, chl_weight_square(g, w), settings->gain, settings->eps);
    const chl_tensor packed = chl_emit1(g, CHL_OP_conv_pack, &attr, 1, &w);
    return chl_emit1(g, CHL_OP_modconv, &attr, INPUTS,
                     (chl_tensor[]){x, w, packed, s, d, noise, strength, b});
}
