/* Pooling over space. */
#include "graph/build.h"
#include "graph/ops/expect.h"

/* --- mean_pool -------------------------------------------------------------------------------- */
static chl_status infer_mean(chl_shapes *s) {
    const chl_desc *x = &s->in[0];
    CHL_EXPECT(x->rank >= 2, "x must be [N,...,C]");
    s->out[0] = chl_make_desc(CHL_F32, 2, (int64_t[]){x->dim[0], chl_last_dim(x)});
    return CHL_OK;
}
static chl_status infer_mean_dx(chl_shapes *s) {
    const chl_desc *x = &s->attr->like;
    CHL_EXPECT(x->rank >= 2 && chl_is_matrix(&s->in[0], x->dim[0], chl_last_dim(x)),
               "dy must be [N,C] of x [N,...,C]");
    s->out[0] = *x;
    return CHL_OK;
}
static void gradient_mean(chl_gradient *c) {
    const chl_attributes attr = {.like = *chl_desc_of(c->graph, c->node.in[0])};
    chl_backprop(c, CHL_OP_mean_pool_dx, &attr, 1, c->dout, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_mean_pool = {
    .infer = infer_mean, .gradient = gradient_mean, .bf16_inputs = 1, .bf16_outputs = 1};
static void gradient_mean_dx(chl_gradient *c) {
    chl_backprop(c, CHL_OP_mean_pool, NULL, 1, c->dout, 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_mean_pool_dx = {
    .infer = infer_mean_dx, .gradient = gradient_mean_dx, .bf16_inputs = 1, .bf16_outputs = 1};

chl_tensor chl_mean_pool(chl_graph *g, chl_tensor x) {
    return chl_emit1(g, CHL_OP_mean_pool, NULL, 1, &x);
}

/* --- max_pool --------------------------------------------------------------------------------- */
static chl_status pooled(const chl_attributes *attr, const chl_desc *x, chl_desc *y) {
    const int kernel = attr->pool.kernel, stride = attr->pool.stride, pad = attr->pool.pad;
    CHL_EXPECT(x->rank == 4, "x must be [N,H,W,C]");
    CHL_EXPECT(kernel >= 1 && stride >= 1 && pad >= 0 && 2 * pad <= kernel,
               "kernel %d, stride %d, padding %d: the padding may be half the kernel at most",
               kernel, stride, pad);
    CHL_EXPECT(x->dim[1] + 2 * pad >= kernel && x->dim[2] + 2 * pad >= kernel,
               "the kernel %d is larger than the map", kernel);
    *y = *x;
    for (int i = 1; i <= 2; i++) y->dim[i] = (x->dim[i] + 2 * pad - kernel) / stride + 1;
    return CHL_OK;
}
static chl_status infer_max(chl_shapes *s) {
    return pooled(s->attr, &s->in[0], &s->out[0]);
}
static chl_status infer_max_dx(chl_shapes *s) {
    chl_desc y;
    CHL_TRY(pooled(s->attr, &s->in[1], &y));
    CHL_EXPECT(chl_same_shape(&s->in[0], &y), "dy does not have the shape of the pooled map");
    s->out[0] = s->in[1];
    return CHL_OK;
}
static void gradient_max(chl_gradient *c) {
    chl_backprop(c, CHL_OP_max_pool_dx, &c->node.attr, 2, (chl_tensor[]){c->dout[0], c->node.in[0]},
                 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_max_pool = {
    .infer = infer_max, .gradient = gradient_max, .bf16_inputs = 1, .bf16_outputs = 1};
const chl_rule chl_rule_max_pool_dx = {.infer = infer_max_dx, .bf16_inputs = 3, .bf16_outputs = 1};

chl_tensor chl_max_pool(chl_graph *g, chl_tensor x, int kernel, int stride, int pad) {
    const chl_attributes attr = {.pool = {kernel, stride, pad}};
    return chl_emit1(g, CHL_OP_max_pool, &attr, 1, &x);
}
