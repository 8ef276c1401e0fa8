/* Collectives: rules and builders.
 *
 * All ranks run the same graph, each on its part of the batch. What is differentiated is the sum of
 * all ranks' losses: a rank that puts its share of the mean into its loss gets the gradient of the
 * mean. So the gradient of a gather is the sum, over the ranks, of what each wants of this rank's
 * rows; the gradient of a sum over the ranks is the sum of the gradients.
 *
 * The rules hand each gradient out as a tensor of its own and never add it to one that exists, so
 * no accumulate bit is ever set. */
#include "graph/build.h"
#include "graph/graph_private.h"
#include "graph/ops/expect.h"

int chl_rank_of(const chl_graph *g) {
    return g->device->comm ? g->device->comm->rank : 0;
}
int chl_ranks_of(const chl_graph *g) {
    return g->device->comm ? g->device->comm->ranks : 1;
}

static chl_status infer_all_gather(chl_shapes *s) {
    CHL_EXPECT(s->in[0].rank >= 1 && s->attr->collective.ranks >= 1, "x must be [N,...]");
    s->out[0] = s->in[0];
    s->out[0].dim[0] *= s->attr->collective.ranks;
    return CHL_OK;
}
static chl_status infer_reduce_scatter(chl_shapes *s) {
    const int64_t ranks = s->attr->collective.ranks;
    CHL_EXPECT(s->in[0].rank >= 1 && ranks >= 1 && s->in[0].dim[0] % ranks == 0,
               "x must be [N,...], N a multiple of the %" PRId64 " ranks", ranks);
    s->out[0] = s->in[0];
    s->out[0].dim[0] /= ranks;
    return CHL_OK;
}
static chl_status infer_all_reduce(chl_shapes *s) {
    s->out[0] = s->in[0];
    return CHL_OK;
}

static void pass_back(chl_gradient *c, chl_op op) {
    if (!c->wanted[0]) return;
    chl_backprop_same(c, 0, chl_emit1(c->graph, op, &c->node.attr, 1, &c->dout[0]));
}
static void gradient_all_gather(chl_gradient *c) {
    pass_back(c, CHL_OP_reduce_scatter);
}
static void gradient_reduce_scatter(chl_gradient *c) {
    pass_back(c, CHL_OP_all_gather);
}
static void gradient_all_reduce(chl_gradient *c) {
    pass_back(c, CHL_OP_all_reduce);
}
const chl_rule chl_rule_all_gather = {.infer = infer_all_gather, .gradient = gradient_all_gather};
const chl_rule chl_rule_reduce_scatter = {.infer = infer_reduce_scatter,
                                          .gradient = gradient_reduce_scatter};
const chl_rule chl_rule_all_reduce = {infer_all_reduce, gradient_all_reduce, .in_place = true};

static chl_tensor between_ranks(chl_graph *g, chl_op op, chl_tensor x) {
    const chl_attributes attr = {.collective = {.ranks = chl_ranks_of(g)}};
    if (x == CHL_NONE || attr.collective.ranks == 1) return x;
    return chl_emit1(g, op, &attr, 1, &x);
}
chl_tensor chl_all_gather(chl_graph *g, chl_tensor x) {
    return between_ranks(g, CHL_OP_all_gather, x);
}
chl_tensor chl_all_reduce(chl_graph *g, chl_tensor x) {
    return between_ranks(g, CHL_OP_all_reduce, x);
}
chl_tensor chl_all_reduce_beside(chl_graph *g, chl_tensor x) {
    chl_tensor y;
    if (x == CHL_NONE || chl_ranks_of(g) == 1) return x;
    const chl_node node = {.op = CHL_OP_all_reduce,
                           .inputs = 1,
                           .outputs = 1,
                           .in = {x},
                           .out = {CHL_FRESH},
                           .attr = {.collective = {.ranks = chl_ranks_of(g)}},
                           .every_run = true,
                           .beside = true};
    chl_append(g, &node, &y);
    return y;
}
