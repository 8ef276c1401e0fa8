/* Pooling over space. */
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "graph/ops/expect.h"
#include <stdlib.h>

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

static int64_t inside(int64_t at, int64_t size) {
    return at < 0 ? 0 : at < size ? at : size - 1;
}
/* The pixel at each tap of each window, row by row. A tap outside the map names the nearest pixel
 * inside, which the window has too, so that the first of its largest pixels stays the same one. */
static int32_t *tapped_pixels(const chl_attributes *attr, const chl_desc *x, const chl_desc *y) {
    const int64_t kernel = attr->pool.kernel, taps = kernel * kernel, width = y->dim[2];
    const int64_t count = y->dim[0] * y->dim[1] * width * taps;
    int32_t *pixel = malloc((size_t)count * sizeof *pixel);
    for (int64_t i = 0; pixel && i < count; i++) {
        const int64_t window = i / taps, sample = window / width / y->dim[1];
        const int64_t top = window / width % y->dim[1] * attr->pool.stride - attr->pool.pad;
        const int64_t left = window % width * attr->pool.stride - attr->pool.pad;
        const int64_t row = inside(top + i % taps / kernel, x->dim[1]);
        const int64_t column = inside(left + i % kernel, x->dim[2]);
        pixel[i] = (int32_t)((sample * x->dim[1] + row) * x->dim[2] + column);
    }
    return pixel;
}
/* v [windows,C] for each of a window's taps: [windows * taps,C] */
static chl_tensor for_taps(chl_graph *g, chl_tensor v, int64_t windows, int64_t taps, int64_t c) {
    int32_t *window = malloc((size_t)(windows * taps) * sizeof *window);
    for (int64_t i = 0; window && i < windows * taps; i++) window[i] = (int32_t)(i / taps);
    return chl_rows_at(g, v, c, windows * taps, window);
}
/* -k for tap k, in each channel */
static chl_tensor countdown(chl_graph *g, int64_t taps, int64_t channels) {
    float *data = malloc((size_t)(taps * channels) * sizeof *data);
    if (!data) return chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for a constant");
    for (int64_t i = 0; i < taps * channels; i++) data[i] = -(float)(i / channels);
    const chl_tensor t =
        chl_constant(g, NULL, chl_make_desc(CHL_F32, 2, (int64_t[]){taps, channels}), data);
    free(data);
    return t;
}
/* A window gives its dy to the first of its taps that equal its maximum. `order` is -k at tap k
 * where it equals the maximum and less than at all of those elsewhere. */
static void compose_max_dx(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_attributes *attr = &c->node.attr;
    const chl_desc y = *chl_desc_of(g, in[0]), x = *chl_desc_of(g, in[1]);
    const int64_t taps = (int64_t)attr->pool.kernel * attr->pool.kernel, channels = x.dim[3];
    const int64_t windows = chl_count(&y) / channels, all = windows * taps;
    const chl_desc flat = chl_make_desc(CHL_F32, 2, (int64_t[]){all, channels});
    const chl_desc grouped = chl_make_desc(CHL_F32, 3, (int64_t[]){windows, taps, channels});

    const chl_tensor value = chl_rows_at(g, in[1], channels, all, tapped_pixels(attr, &x, &y));
    const chl_tensor largest = chl_emit1(g, CHL_OP_max_pool, attr, 1, &in[1]);
    const chl_tensor below =
        chl_combine(g, 1, for_taps(g, largest, windows, taps, channels), -1, value);
    const chl_tensor lower = chl_where_positive(g, chl_filled(g, flat, -(float)taps), below);
    const chl_tensor order =
        chl_add_bias(g, chl_reshape(g, lower, grouped), countdown(g, taps, channels));
    const chl_tensor first = chl_group_largest(g, order);

    const chl_tensor dy = for_taps(g, in[0], windows, taps, channels);
    const chl_tensor after = chl_combine(g, 1, for_taps(g, first, windows, taps, channels), -1,
                                         chl_reshape(g, order, flat));
    const chl_tensor chosen = chl_combine(g, 1, dy, -1, chl_where_positive(g, dy, after));
    out[0] = chl_rows_back(g, chosen, x, tapped_pixels(attr, &x, &y));
}
static void gradient_max_dx(chl_gradient *c) {
    chl_backprop_composed(c, compose_max_dx);
}
const chl_rule chl_rule_max_pool_dx = {
    .infer = infer_max_dx, .gradient = gradient_max_dx, .bf16_inputs = 3, .bf16_outputs = 1};

chl_tensor chl_max_pool(chl_graph *g, chl_tensor x, int kernel, int stride, int pad) {
    const chl_attributes attr = {.pool = {kernel, stride, pad}};
    return chl_emit1(g, CHL_OP_max_pool, &attr, 1, &x);
}
