/* Elementwise ops: rules and builders. */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/rule.h"

static chl_status same_as_first(chl_shapes *s) {
    for (int i = 1; i < s->inputs; i++)
        if (s->present[i] && !chl_same_shape(&s->in[0], &s->in[i]))
            return chl_fail(CHL_ERR_SHAPE, "all inputs must have the same shape");
    s->out[0] = s->in[0];
    return CHL_OK;
}

static chl_status as_told(chl_shapes *s) {
    s->out[0] = s->attr->like;
    return CHL_OK;
}

/* --- sum -------------------------------------------------------------------------------------- */
static void gradient_sum(chl_gradient *context) {
    for (int i = 0; i < context->node.inputs; i++) {
        chl_attributes attr = {.sum = {.c = {context->node.attr.sum.c[i]}}};
        if (attr.sum.c[0] == 1)
            chl_backprop_same(context, i, context->dout[0]);
        else
            chl_backprop_one(context, i, CHL_OP_sum, &attr);
    }
}
const chl_rule chl_rule_sum = {same_as_first, gradient_sum, .bf16 = {0xff, 1}, .in_place = true};

chl_tensor chl_sum(chl_graph *g, float bias, int count, const float *c, const chl_tensor *x) {
    chl_attributes attr = {.sum = {.bias = bias}};
    if (count < 1 || count > CHL_MAX_IN)
        return chl_graph_fail(g, CHL_ERR_ARGUMENT, "sum of %d tensors: 1 to %d are possible", count,
                              CHL_MAX_IN);
    for (int i = 0; i < count; i++) {
        if (x[i] == CHL_NONE) return CHL_NONE;
        attr.sum.c[i] = c[i];
    }
    return chl_emit1(g, CHL_OP_sum, &attr, count, x);
}
chl_tensor chl_add(chl_graph *g, chl_tensor a, chl_tensor b) {
    const float one[2] = {1, 1};
    const chl_tensor x[2] = {a, b};
    return chl_sum(g, 0, 2, one, x);
}
chl_tensor chl_scale(chl_graph *g, chl_tensor x, float c) {
    return chl_sum(g, 0, 1, &c, &x);
}

/* --- cast: bf16 <-> float32 ------------------------------------------------------------------- */
static chl_status infer_cast(chl_shapes *s) {
    s->out[0] = s->in[0];
    s->out[0].dtype = s->attr->like.dtype;
    return CHL_OK;
}
static chl_tensor cast(chl_graph *g, chl_tensor x, chl_dtype dtype) {
    if (x == CHL_NONE || chl_desc_of(g, x)->dtype == dtype) return x;
    const chl_attributes attr = {.like = {.dtype = dtype}};
    return chl_emit1(g, CHL_OP_cast, &attr, 1, &x);
}
static void gradient_cast(chl_gradient *context) {
    const chl_dtype dtype = chl_desc_of(context->graph, context->node.in[0])->dtype;
    chl_backprop_same(context, 0, cast(context->graph, context->dout[0], dtype));
}
const chl_rule chl_rule_cast = {infer_cast, gradient_cast, .bf16 = {.inputs = 1}};

chl_tensor chl_to_compute_type(chl_graph *g, chl_tensor x) {
    return cast(g, x, chl_precision_of(g));
}
chl_tensor chl_to_float32(chl_graph *g, chl_tensor x) {
    return cast(g, x, CHL_F32);
}

/* --- add_bias --------------------------------------------------------------------------------- */
static chl_status infer_add_bias(chl_shapes *s) {
    const chl_desc *x = &s->in[0], *b = &s->in[1];
    bool tail = b->rank >= 1 && b->rank <= x->rank && b->dtype == x->dtype;
    for (int i = 0; tail && i < b->rank; i++) tail = b->dim[i] == x->dim[x->rank - b->rank + i];
    if (!tail) return chl_fail(CHL_ERR_SHAPE, "the bias must have the shape of x's last axes");
    s->out[0] = *x;
    return CHL_OK;
}
static void gradient_add_bias(chl_gradient *context) {
    chl_attributes attr = {.like = *chl_desc_of(context->graph, context->node.in[1])};
    chl_backprop_same(context, 0, context->dout[0]);
    chl_backprop_one(context, 1, CHL_OP_add_bias_db, &attr);
}
const chl_rule chl_rule_add_bias = {infer_add_bias, gradient_add_bias, .bf16 = {1, 1},
                                    .in_place = true};
static void gradient_add_bias_db(chl_gradient *context) {
    chl_graph *g = context->graph;
    const chl_desc dy = *chl_desc_of(g, context->node.in[0]);
    chl_desc wide = dy;
    wide.dtype = CHL_F32;
    if (!context->wanted[0]) return;
    chl_backprop_same(context, 0, cast(g, chl_repeat_to(g, context->dout[0], wide), dy.dtype));
}
const chl_rule chl_rule_add_bias_db = {as_told, gradient_add_bias_db, .bf16 = {.inputs = 1}};

chl_tensor chl_add_bias(chl_graph *g, chl_tensor x, chl_tensor b) {
    const chl_tensor in[2] = {x, b};
    if (x == CHL_NONE || b == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_add_bias, NULL, 2, in);
}

/* --- mul -------------------------------------------------------------------------------------- */
static void gradient_mul(chl_gradient *context) {
    for (int i = 0; i < 2; i++) {
        const chl_tensor in[2] = {context->dout[0], context->node.in[1 - i]};
        chl_backprop(context, CHL_OP_mul, NULL, 2, in, 1, &i, NULL);
    }
}
const chl_rule chl_rule_mul = {same_as_first, gradient_mul, .bf16 = {3, 1}, .in_place = true};

chl_tensor chl_mul(chl_graph *g, chl_tensor a, chl_tensor b) {
    const chl_tensor in[2] = {a, b};
    if (a == CHL_NONE || b == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_mul, NULL, 2, in);
}

/* --- activation ------------------------------------------------------------------------------- */
static void gradient_activation(chl_gradient *context) {
    const int x[1] = {0};
    const chl_tensor in[2] = {context->dout[0], context->node.in[0]};
    chl_backprop(context, CHL_OP_activation_dx, &context->node.attr, 2, in, 1, x, NULL);
}
const chl_rule chl_rule_activation = {same_as_first, gradient_activation, .bf16 = {1, 1},
                                      .in_place = true};
/* f'' of the smooth activations, in float32 */
static chl_tensor curvature(chl_graph *g, chl_tensor x, chl_activation kind) {
    const float k = kind == CHL_QUICK_GELU ? 1.702f : 1;
    if (kind == CHL_SINE) return chl_scale(g, chl_activate(g, x, CHL_SINE, 0), -1);
    const chl_tensor square = chl_mul(g, x, x);
    if (kind == CHL_GELU) { /* (2 - x^2) phi(x), phi the normal density */
        const chl_tensor phi =
            chl_exponential(g, chl_sum(g, -0.9189385332f, 1, (float[]){-0.5f}, &square));
        return chl_mul(g, chl_sum(g, 2, 1, (float[]){-1}, &square), phi);
    }
    const chl_tensor s = chl_activate(g, chl_scale(g, x, k), CHL_SIGMOID, 0);
    const chl_tensor slope = chl_combine(g, 1, s, -1, chl_mul(g, s, s)); /* s (1 - s) */
    const chl_tensor turn = chl_sum(g, 1, 1, (float[]){-2}, &s);         /* 1 - 2 s */
    if (kind == CHL_SIGMOID) return chl_mul(g, slope, turn);
    /* x s(k x): k s' (2 + k x (1 - 2 s)) */
    const chl_tensor part = chl_mul(g, x, turn);
    return chl_mul(g, chl_scale(g, slope, k), chl_sum(g, 2, 1, &k, &part));
}
/* dx = dy f'(x): linear in dy. The leaky ReLU's second derivative is 0 but at its kink. */
static void gradient_activation_dx(chl_gradient *context) {
    chl_graph *g = context->graph;
    const int dy[1] = {0};
    const chl_tensor v = context->dout[0], *in = context->node.in;
    const chl_activation kind = context->node.attr.activation.kind;
    chl_backprop(context, CHL_OP_activation_dx, &context->node.attr, 2, (chl_tensor[]){v, in[1]}, 1,
                 dy, NULL);
    if (!context->wanted[1] || kind == CHL_LEAKY_RELU) return;
    const chl_tensor both = chl_mul(g, chl_to_float32(g, v), chl_to_float32(g, in[0]));
    const chl_tensor dx = chl_mul(g, both, curvature(g, chl_to_float32(g, in[1]), kind));
    chl_backprop_same(context, 1, cast(g, dx, chl_desc_of(g, in[1])->dtype));
}
const chl_rule chl_rule_activation_dx = {same_as_first, gradient_activation_dx, .bf16 = {3, 1},
                                         .in_place = true};

chl_tensor chl_activate(chl_graph *g, chl_tensor x, chl_activation kind, float slope) {
    chl_attributes attr = {.activation = {.kind = kind, .slope = slope}};
    if (x == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_activation, &attr, 1, &x);
}

/* --- scale_by --------------------------------------------------------------------------------- */
static chl_status check_scalar(const chl_desc *d) {
    if (d->dtype == CHL_F32 && chl_count(d) == 1) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE, "the log scale must be one number");
}
static chl_status infer_scale_by(chl_shapes *s) {
    s->out[0] = s->in[0];
    return check_scalar(&s->in[1]);
}
static chl_status infer_scale_by_backward(chl_shapes *s) {
    if (!chl_same_shape(&s->in[0], &s->in[1]))
        return chl_fail(CHL_ERR_SHAPE, "dy and x must have the same shape");
    s->out[0] = s->in[1];
    s->out[1] = s->in[2];
    return check_scalar(&s->in[2]);
}
static void gradient_scale_by(chl_gradient *context) {
    const int both[2] = {0, 1};
    const chl_tensor in[3] = {context->dout[0], context->node.in[0], context->node.in[1]};
    chl_backprop(context, CHL_OP_scale_by_backward, &context->node.attr, 3, in, 2, both, NULL);
}
const chl_rule chl_rule_scale_by = {infer_scale_by, gradient_scale_by, .in_place = true};
static void compose_scale_by_backward(chl_gradient *context, const chl_tensor *in,
                                      chl_tensor *out) {
    chl_graph *g = context->graph;
    const int32_t from = chl_node_count(g);
    const float most = context->node.attr.scale_by.max_log_scale;
    const chl_tensor factor = chl_exponential(g, chl_at_most(g, in[2], most));
    const chl_tensor flat = chl_reshape(g, factor, chl_f32(1, 1));
    const chl_tensor y = chl_mul(g, in[1], chl_spread(g, flat, *chl_desc_of(g, in[1])));
    chl_pull_back(g, from, 1, &y, in, 2, in + 1, out);
}
const chl_rule chl_rule_scale_by_backward = {infer_scale_by_backward,
                                             .compose = compose_scale_by_backward};

chl_tensor chl_scale_by(chl_graph *g, chl_tensor x, chl_tensor log_scale, float most) {
    chl_attributes attr = {.scale_by = {.max_log_scale = most}};
    const chl_tensor in[2] = {x, log_scale};
    if (x == CHL_NONE || log_scale == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_scale_by, &attr, 2, in);
}

/* --- mean ------------------------------------------------------------------------------------- */
static chl_status infer_mean(chl_shapes *s) {
    s->out[0] = chl_f32(1, 1);
    return CHL_OK;
}
static void gradient_mean(chl_gradient *context) {
    chl_attributes attr = {.like = *chl_desc_of(context->graph, context->node.in[0])};
    chl_backprop_one(context, 0, CHL_OP_mean_dx, &attr);
}
const chl_rule chl_rule_mean = {.infer = infer_mean, .gradient = gradient_mean};
/* dx = dy / count everywhere, so <v, dx> = dy mean(v) */
static void gradient_mean_dx(chl_gradient *context) {
    chl_backprop_one(context, 0, CHL_OP_mean, NULL);
}
const chl_rule chl_rule_mean_dx = {.infer = as_told, .gradient = gradient_mean_dx};

chl_tensor chl_mean(chl_graph *g, chl_tensor x) {
    if (x == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_mean, NULL, 1, &x);
}

/* --- drop_path -------------------------------------------------------------------------------- */
/* The draw is a function of the step, so the gradient drops the same rows. */
static void gradient_drop_path(chl_gradient *context) {
    chl_backprop_one(context, 0, CHL_OP_drop_path, &context->node.attr);
}
const chl_rule chl_rule_drop_path = {same_as_first, gradient_drop_path, .bf16 = {1, 1},
                                     .in_place = true};

chl_tensor chl_drop_path(chl_graph *g, chl_tensor x, float rate, uint32_t purpose) {
    chl_attributes attr = {
        .drop = {.rate = rate, .purpose = purpose, .first = (int32_t)chl_first_sample_of(g)}};
    if (!(rate >= 0 && rate < 1))
        return chl_graph_fail(g, CHL_ERR_ARGUMENT, "drop_path: rate %g is not in [0, 1)",
                              (double)rate);
    if (x == CHL_NONE || rate == 0) return x;
    return chl_emit1(g, CHL_OP_drop_path, &attr, 1, &x);
}
