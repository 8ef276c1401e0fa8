/* Ops that move tokens: rules and builders. */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/rule.h"

static chl_desc desc(int rank, int64_t a, int64_t b, int64_t c, int64_t d) {
    const int64_t dim[4] = {a, b, c, d};
    return chl_make_desc(CHL_F32, rank, dim);
}

/* --- patch_merge ------------------------------------------------------------------------------ */
static chl_status infer_patch_merge(chl_shapes *s) {
    const chl_desc *x = &s->in[0];
    if (x->rank != 4 || x->dim[1] % 2 || x->dim[2] % 2)
        return chl_fail(CHL_ERR_SHAPE, "x must be [N,H,W,C] with even H and W");
    s->out[0] = desc(4, x->dim[0], x->dim[1] / 2, x->dim[2] / 2, 4 * x->dim[3]);
    return CHL_OK;
}
static chl_status infer_patch_merge_dx(chl_shapes *s) {
    const chl_desc *dy = &s->in[0];
    if (dy->rank != 4 || dy->dim[3] % 4)
        return chl_fail(CHL_ERR_SHAPE, "dy must be [N,H/2,W/2,4C]");
    s->out[0] = desc(4, dy->dim[0], dy->dim[1] * 2, dy->dim[2] * 2, dy->dim[3] / 4);
    return CHL_OK;
}
static void gradient_patch_merge(chl_gradient *context) {
    chl_backprop_one(context, 0, CHL_OP_patch_merge_dx, NULL);
}
const chl_rule chl_rule_patch_merge = {infer_patch_merge, gradient_patch_merge, .bf16 = {1, 1}};
static void gradient_patch_merge_dx(chl_gradient *c) {
    chl_backprop_one(c, 0, CHL_OP_patch_merge, NULL);
}
const chl_rule chl_rule_patch_merge_dx = {infer_patch_merge_dx, gradient_patch_merge_dx,
                                          .bf16 = {1, 1}};

chl_tensor chl_patch_merge(chl_graph *g, chl_tensor x) {
    if (x == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_patch_merge, NULL, 1, &x);
}

/* --- embedding -------------------------------------------------------------------------------- */
static chl_status infer_embedding(chl_shapes *s) {
    const chl_desc *ids = &s->in[0], *table = &s->in[1];
    if (ids->rank != 2 || ids->dtype != CHL_I32 || table->rank != 2)
        return chl_fail(CHL_ERR_SHAPE, "ids must be int32 [N,T] and the table [V,C]");
    s->out[0] = desc(3, ids->dim[0], ids->dim[1], table->dim[1], 0);
    return CHL_OK;
}
static chl_status infer_embedding_dw(chl_shapes *s) {
    const chl_desc *dy = &s->in[0], *ids = &s->in[1], *table = &s->attr->like;
    if (ids->dtype != CHL_I32 || chl_count(dy) != chl_count(ids) * table->dim[1])
        return chl_fail(CHL_ERR_SHAPE, "dy must be [N,T,C] and ids int32 [N,T]");
    s->out[0] = *table;
    return CHL_OK;
}
static void gradient_embedding(chl_gradient *context) {
    const int table[1] = {1};
    const chl_tensor in[2] = {context->dout[0], context->node.in[0]};
    chl_attributes attr = {.like = *chl_desc_of(context->graph, context->node.in[1])};
    chl_backprop(context, CHL_OP_embedding_dw, &attr, 2, in, 1, table, NULL);
}
const chl_rule chl_rule_embedding = {.infer = infer_embedding, .gradient = gradient_embedding};
static void gradient_embedding_dw(chl_gradient *c) {
    chl_backprop(c, CHL_OP_embedding, NULL, 2, (chl_tensor[]){c->node.in[1], c->dout[0]}, 1,
                 (int[]){0}, NULL);
}
const chl_rule chl_rule_embedding_dw = {.infer = infer_embedding_dw,
                                        .gradient = gradient_embedding_dw};

chl_tensor chl_embedding(chl_graph *g, chl_tensor ids, chl_tensor table) {
    const chl_tensor in[2] = {ids, table};
    if (ids == CHL_NONE || table == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_embedding, NULL, 2, in);
}

/* --- prepend_token ---------------------------------------------------------------------------- */
static chl_status infer_prepend_token(chl_shapes *s) {
    const chl_desc *x = &s->in[0];
    if (x->rank != 3 || chl_count(&s->in[1]) != x->dim[2])
        return chl_fail(CHL_ERR_SHAPE, "x must be [N,T,C] and the token [C]");
    s->out[0] = desc(3, x->dim[0], x->dim[1] + 1, x->dim[2], 0);
    return CHL_OK;
}
static chl_status infer_prepend_token_backward(chl_shapes *s) {
    const chl_desc *dy = &s->in[0];
    if (dy->rank != 3 || dy->dim[1] < 2) return chl_fail(CHL_ERR_SHAPE, "dy must be [N,T+1,C]");
    s->out[0] = desc(3, dy->dim[0], dy->dim[1] - 1, dy->dim[2], 0);
    s->out[1] = desc(1, dy->dim[2], 0, 0, 0);
    return CHL_OK;
}
static void gradient_prepend_token(chl_gradient *context) {
    const int both[2] = {0, 1};
    chl_backprop(context, CHL_OP_prepend_token_backward, NULL, 1, &context->dout[0], 2, both, NULL);
}
const chl_rule chl_rule_prepend_token = {infer_prepend_token, gradient_prepend_token,
                                         .bf16 = {1, 1}};
/* dx are dy's later tokens, dtoken the sum of its first ones */
static void gradient_prepend_token_backward(chl_gradient *c) {
    chl_graph *g = c->graph;
    const chl_desc *dy = chl_desc_of(g, c->node.in[0]);
    const chl_dtype type = dy->dtype;
    chl_tensor in[2] = {c->dout[0], c->dout[1]};
    const chl_desc rest = desc(3, dy->dim[0], dy->dim[1] - 1, dy->dim[2], 0);
    const chl_desc first = desc(1, dy->dim[2], 0, 0, 0);
    if (in[0] == CHL_NONE) in[0] = chl_filled(g, rest, 0);
    if (in[0] != c->dout[0] && type == CHL_BF16) in[0] = chl_to_compute_type(g, in[0]);
    if (in[1] == CHL_NONE) in[1] = chl_filled(g, first, 0);
    chl_backprop(c, CHL_OP_prepend_token, NULL, 2, in, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_prepend_token_backward = {infer_prepend_token_backward,
                                                  gradient_prepend_token_backward, .bf16 = {1, 1}};

chl_tensor chl_prepend_token(chl_graph *g, chl_tensor x, chl_tensor token) {
    const chl_tensor in[2] = {x, token};
    if (x == CHL_NONE || token == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_prepend_token, NULL, 2, in);
}

/* --- select_token ----------------------------------------------------------------------------- */
static chl_status check_choice(const chl_shapes *s, const chl_desc *x) {
    const chl_desc *each = &s->in[1];
    int32_t index = s->attr->token.index;
    if (s->inputs > 1 && s->present[1]) {
        if (each->dtype != CHL_I32 || each->rank != 1 || each->dim[0] != x->dim[0])
            return chl_fail(CHL_ERR_SHAPE, "the index must be int32 [N]");
    } else if (index < 0 || index >= x->dim[1]) {
        return chl_fail(CHL_ERR_SHAPE, "there is no token %d among %lld", index,
                        (long long)x->dim[1]);
    }
    return CHL_OK;
}
static chl_status infer_select_token(chl_shapes *s) {
    const chl_desc *x = &s->in[0];
    if (x->rank != 3) return chl_fail(CHL_ERR_SHAPE, "x must be [N,T,C]");
    s->out[0] = desc(2, x->dim[0], x->dim[2], 0, 0);
    return check_choice(s, x);
}
static chl_status infer_select_token_dx(chl_shapes *s) {
    const chl_desc *dy = &s->in[0], *x = &s->attr->token.like;
    if (dy->rank != 2 || dy->dim[0] != x->dim[0] || dy->dim[1] != x->dim[2])
        return chl_fail(CHL_ERR_SHAPE, "dy must be [N,C]");
    s->out[0] = *x;
    return check_choice(s, x);
}
static void gradient_select_token(chl_gradient *context) {
    const chl_node *node = &context->node;
    const int x[1] = {0};
    const chl_tensor in[2] = {context->dout[0], node->in[1]};
    chl_attributes attr = node->attr;
    attr.token.like = *chl_desc_of(context->graph, node->in[0]);
    chl_backprop(context, CHL_OP_select_token_dx, &attr, node->inputs, in, 1, x, NULL);
}
const chl_rule chl_rule_select_token = {infer_select_token, gradient_select_token, .bf16 = {1, 1}};
static void gradient_select_token_dx(chl_gradient *c) {
    const chl_tensor in[2] = {c->dout[0], c->node.in[1]};
    chl_backprop(c, CHL_OP_select_token, &c->node.attr, c->node.inputs, in, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_select_token_dx = {infer_select_token_dx, gradient_select_token_dx,
                                           .bf16 = {1, 1}};

chl_tensor chl_select(chl_graph *g, chl_tensor x, int index) {
    chl_attributes attr = {.token = {.index = index}};
    if (x == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_select_token, &attr, 1, &x);
}
chl_tensor chl_select_each(chl_graph *g, chl_tensor x, chl_tensor index) {
    chl_attributes attr = {.token = {.index = -1}};
    const chl_tensor in[2] = {x, index};
    if (x == CHL_NONE || index == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_select_token, &attr, 2, in);
}

chl_tensor chl_place_token(chl_graph *g, chl_tensor x, int tokens, int index) {
    if (x == CHL_NONE) return CHL_NONE;
    const chl_desc *d = chl_desc_of(g, x);
    if (d->rank != 2) return chl_graph_fail(g, CHL_ERR_SHAPE, "place_token: x must be [N,C]");
    const chl_attributes attr = {
        .token = {.index = index, .like = desc(3, d->dim[0], tokens, d->dim[1], 0)}};
    return chl_emit1(g, CHL_OP_select_token_dx, &attr, 1, &x);
}

/* --- repeat ----------------------------------------------------------------------------------- */
static chl_status infer_repeat(chl_shapes *s) {
    const chl_desc *x = &s->in[0];
    if (s->attr->token.n < 1 || x->rank >= CHL_MAX_RANK)
        return chl_fail(CHL_ERR_SHAPE, "%d copies of a tensor with %d axes: at least 1, at most %d",
                        s->attr->token.n, x->rank, CHL_MAX_RANK - 1);
    s->out[0] = *x;
    s->out[0].rank = x->rank + 1;
    s->out[0].dim[0] = s->attr->token.n;
    for (int i = 0; i < x->rank; i++) s->out[0].dim[i + 1] = x->dim[i];
    return CHL_OK;
}
static chl_status infer_repeat_dx(chl_shapes *s) {
    const chl_desc *dy = &s->in[0];
    if (dy->rank < 2) return chl_fail(CHL_ERR_SHAPE, "dy must be [n,...]");
    s->out[0] = chl_make_desc(dy->dtype, dy->rank - 1, dy->dim + 1);
    return CHL_OK;
}
static void gradient_repeat(chl_gradient *context) {
    chl_backprop_one(context, 0, CHL_OP_repeat_dx, NULL);
}
const chl_rule chl_rule_repeat = {infer_repeat, gradient_repeat, .bf16 = {1, 1}};
static void gradient_repeat_dx(chl_gradient *c) {
    const chl_attributes attr = {
        .token = {.n = (int32_t)chl_desc_of(c->graph, c->node.in[0])->dim[0]}};
    chl_backprop_one(c, 0, CHL_OP_repeat, &attr);
}
const chl_rule chl_rule_repeat_dx = {infer_repeat_dx, gradient_repeat_dx, .bf16 = {1, 1}};

chl_tensor chl_repeat(chl_graph *g, chl_tensor x, int n) {
    chl_attributes attr = {.token = {.n = n}};
    if (x == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_repeat, &attr, 1, &x);
}
