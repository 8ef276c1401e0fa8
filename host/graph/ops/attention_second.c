/* Second derivatives of attention: the gradient rules of its two backward rows, composed of unfused
 * ones.
 *
 * Attention is written out over its pairs of a query and a key. A sample's queries are (token,
 * head), each with K keys: all tokens, or those of its window. For every pair the query's and the
 * key's numbers are gathered side by side, D = C/heads each, and the rest are sums over rows:
 *
 *     score[q,k] = <Q[q], K[k]> / sqrt(D) + bias[q,k]   P = softmax(score)   y[q] = sum_k P[q,k]
 * V[k]
 *
 * Limit: the gathered rows take K times the memory of qkv, where a product of matrices for each
 * head would take K/D times. Second derivatives are no hot path, and all these rows exist. */
#include "graph/ops/attention_second.h"
#include "graph/ops/compose.h"
#include <math.h>

#define UNSEEN (-1e9f)         /* added to a score: its weight is 0 */
#define OTHER_REGION (-100.0f) /* Swin's mask */

typedef struct pairs {
    int64_t samples, tokens, heads, width, keys;
    int64_t map_height, map_width, window, shift; /* of window attention */
} pairs;

/* of a sample, in the order (token, head, key) */
static int64_t count_of(const pairs *p) {
    return p->tokens * p->heads * p->keys;
}

/* --- windows ---------------------------------------------------------------------------------- */
/* Places in the rolled map, where windows are squares. */
typedef struct place {
    int64_t row, column;
} place;

static place rolled(const pairs *p, int64_t token) {
    return (place){(token / p->map_width + p->map_height - p->shift) % p->map_height,
                   (token % p->map_width + p->map_width - p->shift) % p->map_width};
}
static place key_place(const pairs *p, int64_t token, int64_t key) {
    const place query = rolled(p, token);
    return (place){query.row / p->window * p->window + key / p->window,
                   query.column / p->window * p->window + key % p->window};
}
static int64_t token_at(const pairs *p, place at) {
    return (at.row + p->shift) % p->map_height * p->map_width +
           (at.column + p->shift) % p->map_width;
}
/* Of the last window, the last `shift` rows come from the other end of the map. */
static int64_t region(const pairs *p, place at) {
    return 2 * (at.row >= p->map_height - p->shift) + (at.column >= p->map_width - p->shift);
}

/* --- pairs ------------------------------------------------------------------------------------ */
static int64_t key_token(const pairs *p, int64_t token, int64_t key) {
    return p->window ? token_at(p, key_place(p, token, key)) : key;
}
/* Of sample 0's pair i */
static int64_t token_of(const pairs *p, int64_t i) {
    return i / p->keys / p->heads;
}
static int64_t head_of(const pairs *p, int64_t i) {
    return i / p->keys % p->heads;
}
/* which of qkv's rows [N,T,3,heads] a pair needs: of its query or of its key */
static int64_t row_of(const pairs *p, int64_t i, int64_t token, int64_t part) {
    const int64_t sample = i / count_of(p);
    return ((sample * p->tokens + token) * 3 + part) * p->heads + head_of(p, i);
}
static int64_t query_row(const void *context, int64_t i) {
    const pairs *p = context;
    return row_of(p, i, token_of(p, i % count_of(p)), 0);
}
static int64_t key_row(const void *context, int64_t i) {
    const pairs *p = context;
    return row_of(p, i, key_token(p, token_of(p, i % count_of(p)), i % p->keys), 1);
}
static int64_t value_row(const void *context, int64_t i) {
    return key_row(context, i) + ((const pairs *)context)->heads;
}

/* out: the gradients by qkv and by `table`, on which the bias [T*heads,K] depends, of <y, dy> */
static void attend(chl_graph *g, const pairs *p, int32_t from, chl_tensor qkv, chl_tensor bias,
                   chl_tensor table, chl_tensor dy, chl_tensor *out) {
    const int64_t queries = p->tokens * p->heads, all = p->samples * queries;
    const chl_tensor wrt[2] = {qkv, table};
    const int64_t count = all * p->keys;
    const chl_tensor q = chl_rows_at(g, qkv, p->width, count, query_row, p);
    const chl_tensor k = chl_rows_at(g, qkv, p->width, count, key_row, p);
    const chl_tensor v = chl_rows_at(g, qkv, p->width, count, value_row, p);
    chl_tensor score = chl_scale(g, chl_row_dot(g, q, k), 1 / sqrtf((float)p->width));
    score =
        chl_reshape(g, score, chl_make_desc(CHL_F32, 3, (int64_t[]){p->samples, queries, p->keys}));
    if (bias != CHL_NONE) score = chl_add_bias(g, score, bias);
    const chl_tensor weighted = chl_scale_rows(g, v, chl_softmax(g, score));
    const chl_desc grouped = chl_make_desc(CHL_F32, 3, (int64_t[]){all, p->keys, p->width});
    const chl_tensor y = chl_group_sums(g, chl_reshape(g, weighted, grouped));
    chl_pull_back(g, from, 1, &y, &dy, table == CHL_NONE ? 1 : 2, wrt, out);
}

/* The shape of one sample's scores. */
static chl_desc scores_of(const pairs *p) {
    return chl_make_desc(CHL_F32, 2, (int64_t[]){p->tokens * p->heads, p->keys});
}

/* --- attention_backward: dy qkv y lse -> dqkv ------------------------------------------------- */
static float causal_mask(const void *context, int64_t i) {
    const pairs *p = context;
    return i % p->keys <= token_of(p, i) ? 0 : UNSEEN;
}
void chl_compose_attention_backward(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_desc *qkv = chl_desc_of(g, in[1]);
    const int64_t heads = c->node.attr.attention.heads;
    const pairs p = {.samples = qkv->dim[0],
                     .tokens = qkv->dim[1],
                     .heads = heads,
                     .width = qkv->dim[2] / 3 / heads,
                     .keys = qkv->dim[1]};
    const bool causal = c->node.attr.attention.causal;
    const chl_tensor mask = causal ? chl_values(g, scores_of(&p), causal_mask, &p) : CHL_NONE;
    attend(g, &p, chl_node_count(g), in[1], mask, CHL_NONE, in[0], out);
}

/* --- window_attention_backward: dy qkv bias y lse -> dqkv dbias ------------------------------- */
static float region_mask(const void *context, int64_t i) {
    const pairs *p = context;
    const place query = rolled(p, token_of(p, i)), key = key_place(p, token_of(p, i), i % p->keys);
    return region(p, query) == region(p, key) ? 0 : OTHER_REGION;
}
/* which number of the table [(2 window - 1)^2,heads] is added to a score */
static int64_t bias_of(const void *context, int64_t i) {
    const pairs *p = context;
    const place query = rolled(p, token_of(p, i)), key = key_place(p, token_of(p, i), i % p->keys);
    const int64_t down = query.row - key.row + p->window - 1, side = 2 * p->window - 1;
    const int64_t along = query.column - key.column + p->window - 1;
    return (down * side + along) * p->heads + head_of(p, i);
}
void chl_compose_window_attention_backward(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_desc *qkv = chl_desc_of(g, in[1]);
    const int64_t heads = c->node.attr.attention.heads, window = c->node.attr.attention.window;
    const pairs p = {.samples = qkv->dim[0],
                     .tokens = qkv->dim[1] * qkv->dim[2],
                     .heads = heads,
                     .width = qkv->dim[3] / 3 / heads,
                     .keys = window * window,
                     .map_height = qkv->dim[1],
                     .map_width = qkv->dim[2],
                     .window = window,
                     .shift = c->node.attr.attention.shift};
    const int32_t from = chl_node_count(g);
    const chl_desc scores = scores_of(&p);
    chl_tensor bias = chl_reshape(g, chl_rows_at(g, in[2], 1, count_of(&p), bias_of, &p), scores);
    if (p.shift) bias = chl_add(g, bias, chl_values(g, scores, region_mask, &p));
    attend(g, &p, from, in[1], bias, in[2], in[0], out);
}
