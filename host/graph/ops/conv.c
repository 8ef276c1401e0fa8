/* Convolution: rules and builder. The weight of conv and conv_dx comes twice, as upstream stores it
 * and packed by conv_pack for the backend's algorithm; a backend reads the one it likes. */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/ops/conv_shape.h"

/* --- conv_pack: w [O,I,K,K] -> opaque --------------------------------------------------------- */
static chl_status infer_pack(chl_shapes *s) {
    const chl_desc w = chl_conv_w(&s->attr->conv);
    CHL_EXPECT(chl_same_shape(&s->in[0], &w), "w must be [O,I,K,K]");
    s->out[0].rank = 0;
    return CHL_OK;
}
const chl_rule chl_rule_conv_pack = {.infer = infer_pack};

/* --- conv: x w packed b? -> y ----------------------------------------------------------------- */
static chl_status infer_conv(chl_shapes *s) {
    chl_conv_attributes a = s->attr->conv;
    CHL_TRY(chl_conv_sizes(&s->in[0], &s->in[1], &a));
    CHL_EXPECT(!s->present[3] || chl_is_vector(&s->in[3], a.o), "b must be [%d]", a.o);
    s->out[0] = chl_conv_y(&a);
    return CHL_OK;
}
static chl_status infer_conv_dx(chl_shapes *s) {
    const chl_desc y = chl_conv_y(&s->attr->conv);
    CHL_EXPECT(chl_same_shape(&s->in[0], &y), "dy must have y's shape");
    s->out[0] = chl_conv_x(&s->attr->conv);
    return CHL_OK;
}
static chl_status infer_conv_dw(chl_shapes *s) {
    const chl_desc x = chl_conv_x(&s->attr->conv), y = chl_conv_y(&s->attr->conv);
    CHL_EXPECT(chl_same_shape(&s->in[0], &y) && chl_same_shape(&s->in[1], &x),
               "dy must have y's shape, x must be [N,H,W,I]");
    s->out[0] = chl_conv_w(&s->attr->conv);
    s->out[1] = chl_vector(s->attr->conv.o);
    return CHL_OK;
}
static void gradient_conv(chl_gradient *c) {
    const chl_tensor x = c->node.in[0], w = c->node.in[1];
    if (c->wanted[0]) {
        chl_attributes attr = c->node.attr;
        attr.conv.backward = 1;
        const chl_tensor packed = chl_emit1(c->graph, CHL_OP_conv_pack, &attr, 1, &w);
        chl_backprop(c, CHL_OP_conv_dx, &attr, 3, (chl_tensor[]){c->dout[0], w, packed}, 1,
                     (int[]){0}, NULL);
    }
    const int targets[2] = {1, c->node.inputs > 3 ? 3 : CHL_UNWANTED};
    chl_backprop(c, CHL_OP_conv_dw, &c->node.attr, 2, (chl_tensor[]){c->dout[0], x}, 2, targets,
                 NULL);
}
static chl_tensor pack(chl_gradient *c, chl_tensor w, int backward, chl_attributes *attr) {
    *attr = c->node.attr;
    attr->conv.backward = backward;
    return chl_emit1(c->graph, CHL_OP_conv_pack, attr, 1, &w);
}
/* dx is linear in dy and in w */
static void gradient_conv_dx(chl_gradient *c) {
    chl_attributes attr;
    const chl_tensor dy = c->node.in[0], w = c->node.in[1], v = c->dout[0];
    if (c->wanted[0]) {
        const chl_tensor packed = pack(c, w, 0, &attr);
        chl_backprop(c, CHL_OP_conv, &attr, 3, (chl_tensor[]){v, w, packed}, 1, (int[]){0}, NULL);
    }
    attr = c->node.attr;
    attr.conv.backward = 0;
    chl_backprop(c, CHL_OP_conv_dw, &attr, 2, (chl_tensor[]){dy, v}, 1, (int[]){1}, NULL);
}
/* dw is linear in dy and in x, db is the sum of dy: what pulls back to dy is the map forward */
static void gradient_conv_dw(chl_gradient *c) {
    chl_attributes attr;
    const chl_tensor dy = c->node.in[0], x = c->node.in[1];
    chl_tensor v = c->dout[0];
    if (v == CHL_NONE) v = chl_filled(c->graph, chl_conv_w(&c->node.attr.conv), 0);
    if (c->wanted[0]) {
        const chl_tensor packed = pack(c, v, 0, &attr);
        chl_backprop(c, CHL_OP_conv, &attr, 4, (chl_tensor[]){x, v, packed, c->dout[1]}, 1,
                     (int[]){0}, NULL);
    }
    if (c->wanted[1] && c->dout[0] != CHL_NONE) {
        const chl_tensor packed = pack(c, v, 1, &attr);
        chl_backprop(c, CHL_OP_conv_dx, &attr, 3, (chl_tensor[]){dy, v, packed}, 1, (int[]){1},
                     NULL);
    }
}
const chl_rule chl_rule_conv = {infer_conv, gradient_conv, .flops = chl_conv_flops, .bf16 = {1, 1}};
const chl_rule chl_rule_conv_dx = {infer_conv_dx, gradient_conv_dx, .flops = chl_conv_flops,
                                   .bf16 = {1, 1}};
const chl_rule chl_rule_conv_dw = {infer_conv_dw, gradient_conv_dw, .flops = chl_conv_flops,
                                   .bf16 = {.inputs = 3}};

chl_tensor chl_conv(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b, int stride, int pad) {
    if (x == CHL_NONE || w == CHL_NONE) return CHL_NONE;
    chl_attributes attr = {.conv = {.stride = stride, .pad = pad, .gain = 1}};
    const chl_status status = chl_conv_sizes(chl_desc_of(g, x), chl_desc_of(g, w), &attr.conv);
    if (status != CHL_OK) return chl_graph_fail(g, status, "conv: %s", chl_error());
    const chl_tensor packed = chl_emit1(g, CHL_OP_conv_pack, &attr, 1, &w);
    return chl_emit1(g, CHL_OP_conv, &attr, 4, (chl_tensor[]){x, w, packed, b});
}
