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
 * Cost: a sum looks at the nodes that touch its two inputs. Until the end no node changes its
 * place in the array: `place` has the order, in which copies stand in front of whoever adds to them
 * and lowered sums are gone. */
#include "base/free.h"
#include "graph/graph_private.h"
#include <stdlib.h>

/* Bits of a place for the copies in front of a node, of which there is one for each output at most. */
#define COPIES 16

typedef struct use {
    int32_t node, next; /* -1: the last */
} use;

typedef struct lowering {
    chl_graph *graph;
    use *use;
    int32_t uses;
    int32_t *first, *last; /* [tensor] uses of a root: all nodes that touch it, and some that do not
                              any more; -1: none */
    chl_tensor *next_name, *last_name; /* [tensor] of a root: itself and its reshapes, as a list */
    int64_t *place;                    /* [node] */
    int32_t *copies;                   /* [node] in front of it */
    bool *gone;                        /* [node] */
} lowering;

static chl_tensor root_of(const chl_graph *graph, chl_tensor t) {
    return graph->tensor[t].root;
}

/* --- lists ------------------------------------------------------------------------------------ */
static void add_use(lowering *l, chl_tensor root, int32_t node) {
    const int32_t at = l->uses++;
    l->use[at] = (use){node, -1};
    if (l->last[root] < 0)
        l->first[root] = at;
    else
        l->use[l->last[root]].next = at;
    l->last[root] = at;
}

static void add_node(lowering *l, int32_t n) {
    const chl_node *node = &l->graph->node[n];
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] != CHL_NONE) add_use(l, root_of(l->graph, node->in[i]), n);
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] > CHL_NONE) add_use(l, root_of(l->graph, node->out[i]), n);
}

static void add_name(lowering *l, chl_tensor root, chl_tensor name) {
    l->next_name[l->last_name[root]] = name;
    l->last_name[root] = name;
}

static void release(lowering *l) {
    CHL_FREE(l->use, l->first, l->last, l->next_name, l->last_name, l->place, l->copies, l->gone);
}

/* Each sum may bring a copy, with a tensor and two uses, and one use more. */
static chl_status begin(lowering *l, int32_t sums) {
    const chl_graph *graph = l->graph;
    const size_t nodes = (size_t)graph->nodes + (size_t)sums,
                 tensors = (size_t)graph->tensors + (size_t)sums;
    size_t uses = 3 * (size_t)sums;
    for (int32_t n = 0; n < graph->nodes; n++)
        uses += (size_t)(graph->node[n].inputs + graph->node[n].outputs);
    l->use = calloc(uses, sizeof *l->use);
    l->first = malloc(tensors * sizeof *l->first);
    l->last = malloc(tensors * sizeof *l->last);
    l->next_name = calloc(tensors, sizeof *l->next_name);
    l->last_name = malloc(tensors * sizeof *l->last_name);
    l->place = malloc(nodes * sizeof *l->place);
    l->copies = calloc(nodes, sizeof *l->copies);
    l->gone = calloc(nodes, sizeof *l->gone);
    if (!l->use || !l->first || !l->last || !l->next_name || !l->last_name || !l->place ||
        !l->copies || !l->gone)
        return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    for (size_t t = 0; t < tensors; t++) {
        l->first[t] = l->last[t] = -1;
        l->last_name[t] = (chl_tensor)t;
    }
    for (chl_tensor t = 1; t < graph->tensors; t++)
        if (root_of(graph, t) != t) add_name(l, root_of(graph, t), t);
    for (int32_t n = 0; n < graph->nodes; n++) {
        l->place[n] = (int64_t)(n + 1) << COPIES;
        add_node(l, n);
    }
    return CHL_OK;
}

/* --- looking ---------------------------------------------------------------------------------- */
/* Does a node behind `after`, other than `except`, read or write it? */
static bool used_after(const lowering *l, int32_t after, int32_t except, chl_tensor root) {
    for (int32_t u = l->first[root]; u >= 0; u = l->use[u].next) {
        const int32_t n = l->use[u].node;
        if (l->place[n] > l->place[after] && n != except && !l->gone[n] &&
            (chl_node_reads(l->graph, &l->graph->node[n], root) ||
             chl_node_writes(l->graph, &l->graph->node[n], root)))
            return true;
    }
    return false;
}

/* The last node before `end` that writes it; -1: none. */
static int32_t last_writer(const lowering *l, int32_t end, chl_tensor root) {
    int32_t found = -1;
    for (int32_t u = l->first[root]; u >= 0; u = l->use[u].next) {
        const int32_t n = l->use[u].node;
        if (l->place[n] < l->place[end] && !l->gone[n] &&
            (found < 0 || l->place[n] > l->place[found]) &&
            chl_node_writes(l->graph, &l->graph->node[n], root))
            found = n;
    }
    return found;
}

/* The node that makes the contribution, if it can add its result to `total` itself. Otherwise the
 * sum's own index. */
static int32_t adding_node(const lowering *l, int32_t sum, chl_tensor total, int *output) {
    const chl_graph *graph = l->graph;
    const chl_node *node = &graph->node[sum];
    const chl_tensor part = root_of(graph, node->in[1]);
    if (node->gradient_sum != CHL_SUM_OF_OWN || graph->tensor[part].keep) return sum;
    const int32_t n = last_writer(l, sum, part), complete = last_writer(l, sum, total);
    if (n < 0 || (complete >= 0 && l->place[complete] >= l->place[n])) return sum;
    const chl_node *maker = &graph->node[n];
    for (*output = 0; root_of(graph, maker->out[*output]) != part;) ++*output;
    const bool movable = !maker->is_constant && maker->segment == node->segment;
    return movable && !used_after(l, n, sum, part) ? n : sum;
}

/* May the node at `at` add to the memory of `total`, which the sum reads? */
static bool may_change(const lowering *l, int32_t at, int32_t sum, chl_tensor total) {
    const chl_graph *graph = l->graph;
    const chl_tensor_info *info = chl_info(graph, total);
    const chl_node *node = &graph->node[at];
    if (info->kind != KIND_NODE || info->is_constant || info->keep || info->producer < 0)
        return false;
    for (int32_t u = l->first[total]; u >= 0; u = l->use[u].next) {
        const int32_t n = l->use[u].node;
        const chl_node *other = &graph->node[n];
        if (l->place[n] >= l->place[at] || l->gone[n]) continue;
        /* also what an earlier segment left there stays */
        if (other->segment != node->segment && chl_node_writes(graph, other, total)) return false;
        /* nor may a sum that runs beside see the addition */
        if (other->beside && chl_node_reads(graph, other, total)) return false;
    }
    const bool reads =
        at == sum ? root_of(graph, node->in[1]) == total : chl_node_reads(graph, node, total);
    return !reads && !used_after(l, at, sum, total);
}

/* --- changing --------------------------------------------------------------------------------- */
static chl_status insert_copy(lowering *l, int32_t at, chl_tensor of, chl_tensor *out) {
    chl_graph *graph = l->graph;
    const chl_node copy = {.op = CHL_OP_sum,
                           .inputs = 1,
                           .outputs = 1,
                           .in = {of},
                           .out = {CHL_FRESH},
                           .attr = {.sum = {.c = {1}}},
                           .every_run = true}; /* also of a constant, since the copy changes */
    chl_append(graph, &copy, out);
    CHL_TRY(chl_graph_status(graph));
    const int32_t n = graph->nodes - 1;
    graph->node[n].segment = graph->node[at].segment;
    l->place[n] = ((int64_t)at << COPIES) + ++l->copies[at];
    add_node(l, n);
    return CHL_OK;
}

/* `t` and its reshapes are names of `into` from now on. */
static void rename_tensor(lowering *l, chl_tensor t, chl_tensor into) {
    chl_graph *graph = l->graph;
    const chl_tensor root = root_of(graph, into);
    if (graph->tensor[t].keep) graph->tensor[root].keep = true;
    graph->tensor[t].view_of = into;
    for (chl_tensor v = t, next; v != CHL_NONE; v = next) {
        next = l->next_name[v];
        l->next_name[v] = CHL_NONE;
        graph->tensor[v].root = root;
        add_name(l, root, v);
    }
    if (l->first[t] < 0) return;
    if (l->last[root] < 0)
        l->first[root] = l->first[t];
    else
        l->use[l->last[root]].next = l->first[t];
    l->last[root] = l->last[t];
    l->first[t] = l->last[t] = -1;
}

static chl_status lower(lowering *l, int32_t sum) {
    chl_graph *graph = l->graph;
    const chl_node node = graph->node[sum];
    chl_tensor into = node.in[0];
    int output = 0;
    const int32_t at = adding_node(l, sum, root_of(graph, into), &output);
    const bool stays = at == sum;
    if (!may_change(l, at, sum, root_of(graph, into))) CHL_TRY(insert_copy(l, at, into, &into));
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
    add_use(l, root_of(graph, into), at);
    rename_tensor(l, node.out[0], into);
    l->gone[sum] = !stays;
    return CHL_OK;
}

/* --- all of them ------------------------------------------------------------------------------ */
typedef struct placed {
    int64_t place;
    int32_t node;
} placed;

static int by_place(const void *left, const void *right) {
    const placed *a = left, *b = right;
    return (a->place > b->place) - (a->place < b->place);
}

/* The nodes in the order of their places, without those that are gone. */
static chl_status put_in_order(const lowering *l) {
    chl_graph *graph = l->graph;
    placed *order = malloc((size_t)graph->nodes * sizeof *order);
    chl_node *node = malloc((size_t)graph->nodes * sizeof *node);
    int32_t count = 0;
    if (!order || !node) {
        free(order);
        free(node);
        return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    }
    for (int32_t n = 0; n < graph->nodes; n++)
        if (!l->gone[n]) order[count++] = (placed){l->place[n], n};
    qsort(order, (size_t)count, sizeof *order, by_place);
    for (int32_t i = 0; i < count; i++) node[i] = graph->node[order[i].node];
    free(order);
    free(graph->node);
    graph->node = node;
    graph->node_capacity = graph->nodes;
    graph->nodes = count;
    return CHL_OK;
}

chl_status chl_accumulate(chl_graph *graph) {
    lowering l = {.graph = graph};
    const int32_t nodes = graph->nodes;
    int32_t sums = 0;
    for (int32_t n = 0; n < nodes; n++) sums += graph->node[n].gradient_sum != CHL_NO_SUM;
    if (sums == 0) return CHL_OK;
    chl_status status = begin(&l, sums);
    for (int32_t n = 0; n < nodes && status == CHL_OK; n++)
        if (graph->node[n].gradient_sum != CHL_NO_SUM) status = lower(&l, n);
    if (status == CHL_OK) status = put_in_order(&l);
    release(&l);
    CHL_TRY(status);
    chl_number_segments(graph);
    chl_number_producers(graph);
    return CHL_OK;
}
