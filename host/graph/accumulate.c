/* Sums of gradients become additions into existing memory, where nobody sees the difference.
 *
 * Idea: gradient.c appends s = sum(a, b), a the gradient so far, b one more contribution. Before
 * memory is planned the sum goes away: the node that makes b adds its result to a's memory (its
 * `accumulate` bit, kernels/ops.h), and s is a's memory from then on.
 *
 *     b = linear_dx(dy, w)                    linear_dx(dy, w) adds to a
 *     s = sum(a, b)                    ->     s is another name of a
 *
 * Where b is also somebody else's (the gradient of a residual's input is that of its output), the
 * node that made it cannot add; the sum stays, as `sum(b) adds to a`. Where a is read later, or by
 * the node that is to add to it, or is a constant or kept, it is copied first and the copy is added
 * to.
 *
 * Guarantees: values are those of the sums, bit by bit, whatever the order in which chl_grad and
 * the builders were called: what is read and when is looked up in the finished list of nodes. Only
 * sums that gradient.c marked are touched. Nothing crosses the bounds of a segment, which may run
 * any number of times for one run of an earlier one.
 * Cost: one pass over the nodes per sum. */
#include "graph/graph_private.h"
#include <stdlib.h>
#include <string.h>

static chl_tensor root_of(const chl_graph *graph, chl_tensor t) {
    return graph->tensor[t].root;
}

/* Does a node behind `after`, other than `except`, read or write it? */
static bool used_after(const chl_graph *graph, int32_t after, int32_t except, chl_tensor root) {
    for (int32_t n = after + 1; n < graph->nodes; n++)
        if (n != except && (chl_node_reads(graph, &graph->node[n], root) ||
                            chl_node_writes(graph, &graph->node[n], root)))
            return true;
    return false;
}

/* The node that makes the contribution, if it can add its result to `total` itself. Otherwise the
 * sum's own index. */
static int32_t adding_node(const chl_graph *graph, int32_t sum, chl_tensor total, int *output) {
    const chl_node *node = &graph->node[sum];
    const chl_tensor part = root_of(graph, node->in[1]);
    if (node->gradient_sum != CHL_SUM_OF_OWN || graph->tensor[part].keep) return sum;
    for (int32_t n = sum - 1; n >= 0; n--) {
        const chl_node *maker = &graph->node[n];
        if (chl_node_writes(graph, maker, total)) return sum; /* `total` is not complete before n */
        if (!chl_node_writes(graph, maker, part)) continue;
        for (*output = 0; root_of(graph, maker->out[*output]) != part;) ++*output;
        const bool movable = !maker->is_constant && maker->segment == node->segment;
        return movable && !used_after(graph, n, sum, part) ? n : sum;
    }
    return sum;
}

/* May the node at `at` add to the memory of `total`, which the sum reads? */
static bool may_change(const chl_graph *graph, int32_t at, int32_t sum, chl_tensor total) {
    const chl_tensor_info *info = chl_info(graph, total);
    const chl_node *node = &graph->node[at];
    if (info->kind != KIND_NODE || info->is_constant || info->keep || info->producer < 0)
        return false;
    for (int32_t n = 0; n < at; n++) /* also what an earlier segment left there stays */
        if (graph->node[n].segment != node->segment &&
            chl_node_writes(graph, &graph->node[n], total))
            return false;
    for (int32_t n = 0; n < at; n++) /* nor may a sum that runs beside see the addition */
        if (graph->node[n].beside && chl_node_reads(graph, &graph->node[n], total)) return false;
    const bool reads =
        at == sum ? root_of(graph, node->in[1]) == total : chl_node_reads(graph, node, total);
    return !reads && !used_after(graph, at, sum, total);
}

static chl_status insert_copy(chl_graph *graph, int32_t at, chl_tensor of, chl_tensor *out) {
    chl_node copy = {.op = CHL_OP_sum,
                     .inputs = 1,
                     .outputs = 1,
                     .in = {of},
                     .out = {CHL_FRESH},
                     .attr = {.sum = {.c = {1}}},
                     .every_run = true}; /* also of a constant, since the copy changes */
    chl_append(graph, &copy, out);
    CHL_TRY(chl_graph_status(graph));
    copy = graph->node[graph->nodes - 1];
    copy.segment = graph->node[at].segment;
    memmove(graph->node + at + 1, graph->node + at,
            (size_t)(graph->nodes - 1 - at) * sizeof *graph->node);
    graph->node[at] = copy;
    return CHL_OK;
}

static void remove_node(chl_graph *graph, int32_t n) {
    graph->nodes--;
    memmove(graph->node + n, graph->node + n + 1, (size_t)(graph->nodes - n) * sizeof *graph->node);
}

/* `t` and its reshapes are names of `into` from now on. */
static void rename_tensor(chl_graph *graph, chl_tensor t, chl_tensor into) {
    const chl_tensor root = root_of(graph, into);
    if (graph->tensor[t].keep) graph->tensor[root].keep = true;
    graph->tensor[t].view_of = into;
    for (chl_tensor v = t; v < graph->tensors; v++)
        if (graph->tensor[v].root == t) graph->tensor[v].root = root;
}

static chl_status lower(chl_graph *graph, int32_t *sum) {
    const chl_node node = graph->node[*sum];
    chl_tensor into = node.in[0];
    int output = 0;
    int32_t at = adding_node(graph, *sum, root_of(graph, into), &output);
    const bool stays = at == *sum;
    if (!may_change(graph, at, *sum, root_of(graph, into))) {
        CHL_TRY(insert_copy(graph, at, into, &into));
        at++;
        ++*sum;
    }
    chl_node *adder = &graph->node[at];
    if (stays) {
        adder->inputs = 1;
        adder->in[0] = node.in[1];
        adder->in[1] = CHL_NONE;
        adder->attr.sum.c[1] = 0;
        adder->gradient_sum = CHL_NO_SUM;
    }
    adder->out[output] = into;
    adder->accumulate |= 1u << output;
    rename_tensor(graph, node.out[0], into);
    if (!stays) remove_node(graph, (*sum)--);
    return CHL_OK;
}

chl_status chl_accumulate(chl_graph *graph) {
    bool any = false;
    for (int32_t n = 0; n < graph->nodes; n++)
        if (graph->node[n].gradient_sum != CHL_NO_SUM) {
            any = true;
            CHL_TRY(lower(graph, &n));
        }
    if (!any) return CHL_OK;
    chl_number_segments(graph);
    chl_number_producers(graph);
    return CHL_OK;
}
