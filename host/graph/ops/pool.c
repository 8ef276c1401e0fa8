/* Pooling over space. */
#include "graph/build.h"
#include "graph/ops/compose.h"
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
    chl_backprop_one(c, 0, CHL_OP_mean_pool_dx, &attr);
}
const chl_rule chl_rule_mean_pool = {infer_mean, gradient_mean, .bf16 = {1, 1}};
static void gradient_mean_dx(chl_gradient *c) {
    chl_backprop_one(c, 0, CHL_OP_mean_pool, NULL);
}
const chl_rule chl_rule_mean_pool_dx = {infer_mean_dx, gradient_mean_dx, .bf16 = {1, 1}};

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
const chl_rule chl_rule_max_pool = {infer_max, gradient_max, .bf16 = {1, 1}};

/* The windows of a map over each of their taps, row by row. */
typedef struct windows {
    int64_t kernel, stride, pad, taps;                             /* taps = kernel^2 */
    int64_t map_height, map_width, height, width, count, channels; /* of x; of y */
} windows;

static windows windows_of(const chl_attributes *attr, const chl_desc *x, const chl_desc *y) {
    return (windows){.kernel = attr->pool.kernel,
                     .stride = attr->pool.stride,
                     .pad = attr->pool.pad,
                     .taps = (int64_t)attr->pool.kernel * attr->pool.kernel,
                     .map_height = x->dim[1],
                     .map_width = x->dim[2],
                     .height = y->dim[1],
                     .width = y->dim[2],
                     .count = y->dim[0] * y->dim[1] * y->dim[2],
                     .channels = x->dim[3]};
}
static int64_t inside(int64_t at, int64_t size) {
    return at < 0 ? 0 : at < size ? at : size - 1;
}
/* The pixel at tap i. A tap outside the map names the nearest pixel inside, which the window has
 * too, so that the first of its largest pixels stays the same one. */
static int64_t pixel_at(const void *context, int64_t i) {
    const windows *m = context;
    const int64_t window = i / m->taps, line = window / m->width;
    const int64_t top = line % m->height * m->stride - m->pad;
    const int64_t left = window % m->width * m->stride - m->pad;
    const int64_t row = inside(top + i % m->taps / m->kernel, m->map_height);
    const int64_t column = inside(left + i % m->kernel, m->map_width);
    return (line / m->height * m->map_height + row) * m->map_width + column;
}
static int64_t window_at(const void *context, int64_t i) {
    return i / ((const windows *)context)->taps;
}
/* v of each window, for each of its taps: [count * taps,C] */
static chl_tensor for_taps(chl_graph *g, const windows *m, chl_tensor v) {
    return chl_rows_at(g, v, m->channels, m->count * m->taps, window_at, m);
}
/* -k for tap k, in each channel */
static float countdown(const void *context, int64_t i) {
    const int64_t tap = i / ((const windows *)context)->channels;
    return -(float)tap;
}
/* A window gives its dy to the first of its taps that equal its maximum. `order` is -k at tap k
 * where it equals the maximum and less than at all of those elsewhere. */
static void compose_max_dx(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_attributes *attr = &c->node.attr;
    const chl_desc x = *chl_desc_of(g, in[1]);
    const windows m = windows_of(attr, &x, chl_desc_of(g, in[0]));
    const int64_t all = m.count * m.taps, grouped[3] = {m.count, m.taps, m.channels};
    const chl_desc flat = chl_make_desc(CHL_F32, 2, (int64_t[]){all, m.channels});

    const chl_tensor value = chl_rows_at(g, in[1], m.channels, all, pixel_at, &m);
    const chl_tensor largest = for_taps(g, &m, chl_emit1(g, CHL_OP_max_pool, attr, 1, &in[1]));
    const chl_tensor lower = chl_where_positive(g, chl_filled(g, flat, -(float)m.taps),
                                                chl_combine(g, 1, largest, -1, value));
    const chl_tensor order =
        chl_add_bias(g, chl_reshape(g, lower, chl_make_desc(CHL_F32, 3, grouped)),
                     chl_values(g, chl_make_desc(CHL_F32, 2, grouped + 1), countdown, &m));
    const chl_tensor first = for_taps(g, &m, chl_group_largest(g, order));

    const chl_tensor dy = for_taps(g, &m, in[0]);
    const chl_tensor after = chl_combine(g, 1, first, -1, chl_reshape(g, order, flat));
    const chl_tensor chosen = chl_combine(g, 1, dy, -1, chl_where_positive(g, dy, after));
    out[0] = chl_rows_back(g, chosen, x, pixel_at, &m);
}
const chl_rule chl_rule_max_pool_dx = {infer_max_dx, .compose = compose_max_dx, .bf16 = {3, 1}};

chl_tensor chl_max_pool(chl_graph *g, chl_tensor x, int kernel, int stride, int pad) {
    const chl_attributes attr = {.pool = {kernel, stride, pad}};
    return chl_emit1(g, CHL_OP_max_pool, &attr, 1, &x);
}
