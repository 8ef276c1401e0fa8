#include "graph/ops/compose.h"
#include "graph/graph_private.h"
#include <stdlib.h>

/* The rows themselves: the builders of the families use this file. */
static chl_tensor row(chl_graph *g, chl_op op, chl_attributes attr, chl_tensor a, chl_tensor b) {
    return chl_emit1(g, op, &attr, b == CHL_NONE ? 1 : 2, (chl_tensor[]){a, b});
}
static chl_tensor shifted(chl_graph *g, chl_tensor x, float c, float bias) {
    return row(g, CHL_OP_sum, (chl_attributes){.sum = {.bias = bias, .c = {c}}}, x, CHL_NONE);
}
static chl_tensor scale(chl_graph *g, chl_tensor x, float c) {
    return shifted(g, x, c, 0);
}
static chl_tensor mul(chl_graph *g, chl_tensor a, chl_tensor b) {
    return row(g, CHL_OP_mul, (chl_attributes){0}, a, b);
}
static chl_tensor channel_scale(chl_graph *g, chl_tensor x, chl_tensor s) {
    return row(g, CHL_OP_channel_scale, (chl_attributes){0}, x, s);
}
static chl_tensor activate(chl_graph *g, chl_tensor x, chl_activation kind) {
    return row(g, CHL_OP_activation, (chl_attributes){.activation = {.kind = kind}}, x, CHL_NONE);
}

int32_t chl_node_count(const chl_graph *graph) {
    return graph->nodes;
}

static int64_t width_of(const chl_graph *g, chl_tensor x) {
    const chl_desc *d = chl_desc_of(g, x);
    return d->dim[d->rank - 1];
}
static chl_desc shape(int rank, int64_t a, int64_t b, int64_t c) {
    return chl_make_desc(CHL_F32, rank, (int64_t[]){a, b, c});
}

chl_tensor chl_values(chl_graph *g, chl_desc desc, chl_value *value, const void *context) {
    const int64_t count = chl_count(&desc);
    float *data = malloc((size_t)count * sizeof *data);
    if (!data) return chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for a constant");
    desc.dtype = CHL_F32;
    for (int64_t i = 0; i < count; i++) data[i] = value(context, i);
    const chl_tensor t = chl_constant(g, NULL, desc, data);
    free(data);
    return t;
}
static float always(const void *value, int64_t i) {
    (void)i;
    return *(const float *)value;
}
chl_tensor chl_filled(chl_graph *g, chl_desc desc, float value) {
    return chl_values(g, desc, always, &value);
}

chl_tensor chl_repeat_to(chl_graph *g, chl_tensor v, chl_desc desc) {
    const int64_t count = chl_count(chl_desc_of(g, v));
    const chl_tensor flat = chl_reshape(g, v, shape(1, count, 0, 0));
    return chl_reshape(g,
                       row(g, CHL_OP_repeat,
                           (chl_attributes){.token = {.n = (int32_t)(chl_count(&desc) / count)}},
                           flat, CHL_NONE),
                       desc);
}

chl_tensor chl_spread(chl_graph *g, chl_tensor s, chl_desc desc) {
    const chl_attributes attr = {.like = desc};
    if (s == CHL_NONE) return s;
    return scale(g, chl_emit1(g, CHL_OP_mean_dx, &attr, 1, &s), (float)chl_count(&desc));
}

/* [r,C,1]: rows as the samples and columns as the pixels of a map with one channel */
static chl_tensor as_map(chl_graph *g, chl_tensor x, int64_t width) {
    return chl_reshape(g, x, shape(3, chl_count(chl_desc_of(g, x)) / width, width, 1));
}
chl_tensor chl_row_sums(chl_graph *g, chl_tensor x) {
    const chl_tensor sums = chl_group_sums(g, as_map(g, x, width_of(g, x)));
    return chl_reshape(g, sums, shape(1, chl_count(chl_desc_of(g, sums)), 0, 0));
}
chl_tensor chl_scale_rows(chl_graph *g, chl_tensor x, chl_tensor rows) {
    const chl_desc desc = *chl_desc_of(g, x);
    const int64_t r = chl_count(chl_desc_of(g, rows));
    const chl_tensor factor = chl_reshape(g, rows, shape(2, r, 1, 0));
    return chl_reshape(g, channel_scale(g, as_map(g, x, chl_count(&desc) / r), factor), desc);
}
chl_tensor chl_spread_rows(chl_graph *g, chl_tensor rows, int64_t width) {
    const int64_t r = chl_count(chl_desc_of(g, rows));
    return chl_scale_rows(g, chl_filled(g, shape(2, r, width, 0), 1), rows);
}
chl_tensor chl_scale_columns(chl_graph *g, chl_tensor x, chl_tensor c) {
    const chl_desc desc = *chl_desc_of(g, x);
    const int64_t width = chl_count(chl_desc_of(g, c));
    const chl_tensor map = chl_reshape(g, x, shape(3, 1, chl_count(&desc) / width, width));
    return chl_reshape(g, channel_scale(g, map, chl_reshape(g, c, shape(2, 1, width, 0))), desc);
}

/* demodulate: d[n,o] = 1/sqrt(sum_i s[n,i]^2 q[o,i] + eps) */
chl_tensor chl_inverse_root(chl_graph *g, chl_tensor v, float eps) {
    const chl_desc desc = *chl_desc_of(g, v);
    const chl_attributes attr = {.demodulate = {.eps = eps, .gain = 1}};
    const chl_tensor in[2] = {chl_filled(g, shape(2, 1, 1, 0), 1),
                              chl_reshape(g, v, shape(2, chl_count(&desc), 1, 0))};
    return chl_reshape(g, chl_emit1(g, CHL_OP_demodulate, &attr, 2, in), desc);
}
chl_tensor chl_inverse(chl_graph *g, chl_tensor v) {
    const chl_desc desc = *chl_desc_of(g, v);
    const chl_attributes attr = {.demodulate = {.gain = 1}};
    const chl_tensor in[2] = {chl_reshape(g, v, shape(2, chl_count(&desc), 1, 0)),
                              chl_filled(g, shape(2, 1, 1, 0), 1)};
    return chl_reshape(g, chl_emit1(g, CHL_OP_demodulate, &attr, 2, in), desc);
}
/* exp(t) = sigmoid(t) / sigmoid(-t) */
chl_tensor chl_exponential(chl_graph *g, chl_tensor t) {
    const chl_tensor up = activate(g, t, CHL_SIGMOID);
    const chl_tensor down = activate(g, scale(g, t, -1), CHL_SIGMOID);
    return mul(g, up, chl_inverse(g, down));
}
/* most - relu(most - v) */
chl_tensor chl_at_most(chl_graph *g, chl_tensor v, float most) {
    const chl_tensor below = shifted(g, v, -1, most);
    const chl_tensor left = activate(g, below, CHL_LEAKY_RELU);
    return shifted(g, left, -1, most);
}
chl_tensor chl_combine(chl_graph *g, float ca, chl_tensor a, float cb, chl_tensor b) {
    return row(g, CHL_OP_sum, (chl_attributes){.sum = {.c = {ca, cb}}}, a, b);
}

/* --- groups and rows -------------------------------------------------------------------------- */
chl_tensor chl_group_sums(chl_graph *g, chl_tensor x) {
    const chl_tensor mean = row(g, CHL_OP_mean_pool, (chl_attributes){0}, x, CHL_NONE);
    return scale(g, mean, (float)chl_desc_of(g, x)->dim[1]);
}
/* A square window that covers the map of K x 1 whatever its corner. */
chl_tensor chl_group_largest(chl_graph *g, chl_tensor x) {
    const chl_desc d = *chl_desc_of(g, x);
    const int32_t all = 2 * (int32_t)d.dim[1];
    const chl_attributes attr = {.pool = {.kernel = all, .stride = all, .pad = all / 2}};
    const chl_desc map = chl_make_desc(CHL_F32, 4, (int64_t[]){d.dim[0], d.dim[1], 1, d.dim[2]});
    const chl_tensor largest = row(g, CHL_OP_max_pool, attr, chl_reshape(g, x, map), CHL_NONE);
    return chl_stop_gradient(g, chl_reshape(g, largest, shape(2, d.dim[0], d.dim[2], 0)));
}
/* exp(x - m) / sum exp(x - m), m the row's largest: the same for all m, so no gradient flows into m
 */
chl_tensor chl_softmax(chl_graph *g, chl_tensor x) {
    const chl_desc desc = *chl_desc_of(g, x);
    const int64_t width = width_of(g, x);
    const chl_tensor largest = chl_group_largest(g, as_map(g, x, width));
    const chl_tensor wide = chl_reshape(g, chl_spread_rows(g, largest, width), desc);
    const chl_tensor e = chl_exponential(g, chl_combine(g, 1, x, -1, wide));
    return chl_scale_rows(g, e, chl_inverse(g, chl_row_sums(g, e)));
}
/* embedding and embedding_dw with constant ids */
static chl_tensor constant_ids(chl_graph *g, int64_t count, chl_index *index, const void *context) {
    int32_t *ids = malloc((size_t)count * sizeof *ids);
    if (!ids) return chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for a constant");
    for (int64_t i = 0; i < count; i++) ids[i] = (int32_t)index(context, i);
    const chl_desc desc = chl_make_desc(CHL_I32, 2, (int64_t[]){1, count});
    const chl_tensor t = chl_constant(g, NULL, desc, ids);
    free(ids);
    return t;
}
chl_tensor chl_rows_at(chl_graph *g, chl_tensor x, int64_t width, int64_t count, chl_index *index,
                       const void *context) {
    if (x == CHL_NONE) return CHL_NONE;
    const int64_t rows = chl_count(chl_desc_of(g, x)) / width;
    const chl_tensor ids = constant_ids(g, count, index, context);
    const chl_tensor table = chl_reshape(g, x, shape(2, rows, width, 0));
    const chl_tensor taken = row(g, CHL_OP_embedding, (chl_attributes){0}, ids, table);
    return chl_reshape(g, taken, shape(2, count, width, 0));
}
chl_tensor chl_rows_back(chl_graph *g, chl_tensor rows, chl_desc desc, chl_index *index,
                         const void *context) {
    if (rows == CHL_NONE) return CHL_NONE;
    const int64_t width = width_of(g, rows), count = chl_count(chl_desc_of(g, rows)) / width;
    const chl_tensor ids = constant_ids(g, count, index, context);
    const chl_attributes attr = {.like = shape(2, chl_count(&desc) / width, width, 0)};
    return chl_reshape(g, row(g, CHL_OP_embedding_dw, attr, rows, ids), desc);
}
/* the ReLU's slope times v */
chl_tensor chl_where_positive(chl_graph *g, chl_tensor v, chl_tensor t) {
    const chl_attributes relu = {.activation = {.kind = CHL_LEAKY_RELU}};
    return row(g, CHL_OP_activation_dx, relu, v, t);
}
