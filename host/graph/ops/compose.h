/* Formulas composed of rows that have gradient rules: what the rules of backward rows are made of.
 *
 * A backward row such as layer_norm_backward is a fused kernel. To differentiate it once more its
 * rule writes the same numbers down as a graph of simple rows and lets the graph differentiate
 * those. Second derivatives are no hot path, so a few more nodes do no harm; and since every row
 * that occurs here has a rule, the result can be differentiated again.
 *
 *     static void compose(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
 *         out[0] = chl_mul(c->graph, in[0], in[1]);
 *     }
 *     const chl_rule chl_rule_row = {.infer = infer, .compose = compose}; */
#ifndef CHL_GRAPH_OPS_COMPOSE_H
#define CHL_GRAPH_OPS_COMPOSE_H
#include "graph/build.h"
#include "graph/rule.h"

/* Nodes so far: what chl_pull_back takes as its first. */
int32_t chl_node_count(const chl_graph *graph);

/* v repeated over the leading axes of `desc` */
chl_tensor chl_repeat_to(chl_graph *g, chl_tensor v, chl_desc desc);
/* s [1] at every place of `desc` */
chl_tensor chl_spread(chl_graph *g, chl_tensor s, chl_desc desc);
/* x of r rows, its last axis being the rows' width C; rows [r] each: sum of a row; a row's factor;
 * one number at every place of its row, as [r,C] */
chl_tensor chl_row_sums(chl_graph *g, chl_tensor x);
chl_tensor chl_scale_rows(chl_graph *g, chl_tensor x, chl_tensor rows);
chl_tensor chl_spread_rows(chl_graph *g, chl_tensor rows, int64_t width);
/* x [...,C] times c [C] */
chl_tensor chl_scale_columns(chl_graph *g, chl_tensor x, chl_tensor c);
/* x [r,K,C] -> [r,C]: over the middle axis. The largest has no gradient. */
chl_tensor chl_group_sums(chl_graph *g, chl_tensor x);
chl_tensor chl_group_largest(chl_graph *g, chl_tensor x);
/* softmax of each row of x [...,C] */
chl_tensor chl_softmax(chl_graph *g, chl_tensor x);
/* Constants computed number by number: value(context, i) at place i; which rows of x, `width`
 * numbers each, are taken: [count,width] from the rows index(context, i); and back, each row added
 * to the one that it came from, for x of shape `desc`. */
typedef float chl_value(const void *context, int64_t i);
typedef int64_t chl_index(const void *context, int64_t i);
chl_tensor chl_values(chl_graph *g, chl_desc desc, chl_value *value, const void *context);
chl_tensor chl_rows_at(chl_graph *g, chl_tensor x, int64_t width, int64_t count, chl_index *index,
                       const void *context);
chl_tensor chl_rows_back(chl_graph *g, chl_tensor rows, chl_desc desc, chl_index *index,
                         const void *context);
/* v where t > 0, otherwise 0; one shape. No gradient into t. */
chl_tensor chl_where_positive(chl_graph *g, chl_tensor v, chl_tensor t);
/* 1/sqrt(v + eps), v >= 0; 1/v, v > 0; exp(t), t < 80; the smaller of v and `most`. Each number by
 * itself, in v's shape. */
chl_tensor chl_inverse_root(chl_graph *g, chl_tensor v, float eps);
chl_tensor chl_inverse(chl_graph *g, chl_tensor v);
chl_tensor chl_exponential(chl_graph *g, chl_tensor t);
chl_tensor chl_at_most(chl_graph *g, chl_tensor v, float most);
/* sum_i c[i] x[i], two terms */
chl_tensor chl_combine(chl_graph *g, float ca, chl_tensor a, float cb, chl_tensor b);
#endif
