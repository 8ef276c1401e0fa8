/* The linear map: rules and builders. */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/rule.h"

static int64_t last(const chl_desc *d) {
    return d->dim[d->rank - 1];
}

static chl_desc with_last(chl_desc d, int64_t width) {
    d.dim[d.rank - 1] = width;
    return d;
}

static bool same_rows(const chl_desc *a, const chl_desc *b) {
    return a->rank >= 1 && b->rank >= 1 && chl_count(a) / last(a) == chl_count(b) / last(b);
}

static double rows_of(const chl_desc *d) {
    return (double)chl_count(d) / (double)last(d);
}

/* --- forward ---------------------------------------------------------------------------------- */
static chl_status infer_linear(chl_shapes *s) {
    const chl_desc *x = &s->in[0], *w = &s->in[1];
    if (x->rank < 1 || w->rank != 2 || last(x) != w->dim[1])
        return chl_fail(CHL_ERR_SHAPE, "x must be [...,I] and w [O,I]");
    if (s->present[2] && chl_count(&s->in[2]) != w->dim[0])
        return chl_fail(CHL_ERR_SHAPE, "the bias must be [O], O = %lld", (long long)w->dim[0]);
    s->out[0] = with_last(*x, w->dim[0]);
    return CHL_OK;
}
static double flops_linear(const chl_shapes *s) {
    return 2 * rows_of(&s->in[0]) * (double)chl_count(&s->in[1]);
}
static void gradient_linear(chl_gradient *context) {
    const chl_node *node = &context->node;
    const int x[1] = {0}, weights[2] = {1, 2};
    const chl_tensor packed = node->inputs > 3 ? node->in[3] : CHL_NONE;
    const chl_tensor to_x[3] = {context->dout[0], node->in[1], packed};
    const chl_tensor to_w[2] = {context->dout[0], node->in[0]};
    chl_backprop(context, CHL_OP_linear_dx, &node->attr, packed == CHL_NONE ? 2 : 3, to_x, 1, x,
                 NULL);
    const bool bias = node->inputs > 2 && node->in[2] != CHL_NONE;
    chl_backprop(context, CHL_OP_linear_dw, &node->attr, 2, to_w, bias ? 2 : 1, weights, NULL);
}
/* The layout is the kernel's business; whether it wants the bias, too. */
static chl_status infer_linear_pack(chl_shapes *s) {
    if (s->in[0].rank != 2) return chl_fail(CHL_ERR_SHAPE, "w must be [O,I]");
    if (s->present[1] && chl_count(&s->in[1]) != s->in[0].dim[0])
        return chl_fail(CHL_ERR_SHAPE, "the bias must be [O], O = %lld",
                        (long long)s->in[0].dim[0]);
    s->out[0] = (chl_desc){.dtype = CHL_U8};
    return CHL_OK;
}
const chl_rule chl_rule_linear_pack = {.infer = infer_linear_pack};

const chl_rule chl_rule_linear = {infer_linear, gradient_linear, .flops = flops_linear,
                                  .bf16 = {1, 1}};

/* --- backward --------------------------------------------------------------------------------- */
static chl_status infer_linear_dx(chl_shapes *s) {
    const chl_desc *dy = &s->in[0], *w = &s->in[1];
    if (dy->rank < 1 || w->rank != 2 || last(dy) != w->dim[0])
        return chl_fail(CHL_ERR_SHAPE, "dy must be [...,O] and w [O,I]");
    s->out[0] = with_last(*dy, w->dim[1]);
    return CHL_OK;
}
/* dx = gain dy w: linear in both */
static void gradient_linear_dx(chl_gradient *context) {
    const chl_node *node = &context->node;
    const int dy[1] = {0}, w[1] = {1};
    const chl_tensor v = context->dout[0], packed = node->inputs > 2 ? node->in[2] : CHL_NONE;
    chl_backprop(context, CHL_OP_linear, &node->attr, packed == CHL_NONE ? 2 : 4,
                 (chl_tensor[]){v, node->in[1], CHL_NONE, packed}, 1, dy, NULL);
    chl_backprop(context, CHL_OP_linear_dw, &node->attr, 2, (chl_tensor[]){node->in[0], v}, 1, w,
                 NULL);
}
const chl_rule chl_rule_linear_dx = {infer_linear_dx, gradient_linear_dx, .flops = flops_linear,
                                     .bf16 = {1, 1}};

static chl_status infer_linear_dw(chl_shapes *s) {
    const chl_desc *dy = &s->in[0], *x = &s->in[1];
    if (!same_rows(dy, x)) return chl_fail(CHL_ERR_SHAPE, "dy and x must have as many rows");
    const int64_t dim[2] = {last(dy), last(x)};
    s->out[0] = chl_make_desc(CHL_F32, 2, dim);
    s->out[1] = chl_make_desc(CHL_F32, 1, dim);
    return CHL_OK;
}
static double flops_linear_dw(const chl_shapes *s) {
    return 2 * rows_of(&s->in[0]) * (double)(last(&s->in[0]) * last(&s->in[1]));
}
/* dw = gain dy^T x, db = bias_gain sum dy: what pulls back to dy is the map forward */
static void gradient_linear_dw(chl_gradient *context) {
    const chl_node *node = &context->node;
    chl_graph *g = context->graph;
    const int dy[1] = {0}, x[1] = {1};
    chl_tensor v = context->dout[0];
    const chl_desc *from = chl_desc_of(g, node->in[0]), *to = chl_desc_of(g, node->in[1]);
    if (v == CHL_NONE) v = chl_filled(g, chl_f32(2, (int)last(from), (int)last(to)), 0);
    chl_backprop(context, CHL_OP_linear, &node->attr, 3,
                 (chl_tensor[]){node->in[1], v, context->dout[1]}, 1, dy, NULL);
    if (context->dout[0] != CHL_NONE)
        chl_backprop(context, CHL_OP_linear_dx, &node->attr, 2, (chl_tensor[]){node->in[0], v}, 1,
                     x, NULL);
}
const chl_rule chl_rule_linear_dw = {infer_linear_dw, gradient_linear_dw, .flops = flops_linear_dw,
                                     .bf16 = {.inputs = 3}};

/* --- builders --------------------------------------------------------------------------------- */
chl_tensor chl_linear_packed(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b, float gain,
                             float bias_gain) {
    chl_attributes attr = {.linear = {.gain = gain, .bias_gain = bias_gain}};
    if (x == CHL_NONE || w == CHL_NONE) return CHL_NONE;
    /* a bias that is trained beside a frozen weight must not make the packing part of each step */
    const bool together = b != CHL_NONE && chl_is_constant(g, b) == chl_is_constant(g, w);
    const chl_tensor packed[2] = {w, b};
    const chl_tensor in[4] = {x, w, b,
                              chl_emit1(g, CHL_OP_linear_pack, &attr, together ? 2 : 1, packed)};
    return chl_emit1(g, CHL_OP_linear, &attr, 4, in);
}

chl_tensor chl_linear_gain(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b, float gain,
                           float bias_gain) {
    chl_attributes attr = {.linear = {.gain = gain, .bias_gain = bias_gain}};
    const chl_tensor in[3] = {x, w, b};
    if (x == CHL_NONE || w == CHL_NONE) return CHL_NONE;
    if (chl_is_constant(g, w) && chl_desc_of(g, w)->rank == 2 && chl_packs_linear(g, x, w))
        return chl_linear_packed(g, x, w, b, gain, bias_gain);
    return chl_emit1(g, CHL_OP_linear, &attr, b == CHL_NONE ? 2 : 3, in);
}
chl_tensor chl_linear(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b) {
    return chl_linear_gain(g, x, w, b, 1, 1);
}
