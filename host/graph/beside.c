/* Sums over the ranks beside other work: chl_all_reduce_beside.
 *
 * Idea: a gradient is summed over the ranks while the backward pass goes on. Before memory is
 * planned these sums are taken out of the list of nodes and put back in buckets: a bucket holds the
 * next sums in the order in which their inputs are complete, up to a number of bytes
 * (chl_graph_bucket), and stands right behind the last of these. It runs on a queue of its own
 * (run.c), which waits for what stands before the bucket (fork). Whoever needs a result waits for
 * the bucket (join): the first node that touches one, a collective of the main queue, for a
 * communicator's calls have one order on all ranks, or the end of the segment.
 *
 *     main queue    dw3  dw2 |fork 1    dw1  dw0 |fork 2      |join 1   adam 3, 2   |join 2  adam 1, 0
 *     beside                  sum dw3, dw2        sum dw1, dw0
 *
 * Between fork and join two nodes run at the same time, so the planner (plan.c) lets the memory of
 * a bucket's inputs and outputs live until its join, and accumulate.c adds to no tensor that a sum
 * beside reads. chl_check_beside finds a plan that breaks this.
 *
 * Guarantees: the same numbers as in order, whatever the size of a bucket; the same order on all
 * ranks. Where the backend's queue is NULL all of it runs in order.
 * Limit: the input is complete in the segment of the sum. */
#include "graph/graph_private.h"
#include <stdlib.h>
#include <string.h>

typedef struct waiting {
    chl_node node;
    int32_t ready, order; /* may stand behind this one of the other nodes */
} waiting;

static int in_order(const void *left, const void *right) {
    const waiting *a = left, *b = right;
    if (a->ready != b->ready) return a->ready < b->ready ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static chl_tensor root_of(const chl_graph *graph, chl_tensor t) {
    return graph->tensor[t].root;
}

/* Fused calls stay together. */
static int32_t behind_fused(const chl_graph *graph, int32_t n) {
    const int32_t lead = n - graph->node[n].fused_index;
    return graph->node[lead].fused ? lead + graph->node[lead].fused_count - 1 : n;
}

/* The last of the nodes that makes the input; -1: none. */
static int32_t last_writer(const chl_graph *graph, const chl_uses *uses, chl_tensor root) {
    for (int32_t u = uses->first[root + 1] - 1; u >= uses->first[root]; u--)
        if (chl_node_writes(graph, &graph->node[uses->node[u]], root)) return uses->node[u];
    return -1;
}

/* Nodes behind this one may read the result: the bucket must stand before. */
static int32_t first_reader(const chl_graph *graph, const chl_uses *uses, const chl_node *sum) {
    const chl_tensor root = root_of(graph, sum->out[0]);
    for (int32_t u = uses->first[root]; u < uses->first[root + 1]; u++)
        if (chl_node_reads(graph, &graph->node[uses->node[u]], root)) return uses->node[u];
    return graph->nodes;
}

/* Behind its input's last writer and behind the segments before its own. */
static void find_ready(const chl_graph *graph, const chl_uses *uses, waiting *sum, int32_t count) {
    int32_t segment = -1, before = -1; /* the last node of the segments before */
    for (int32_t i = 0; i < count; i++) {
        if (sum[i].node.segment != segment) {
            segment = sum[i].node.segment;
            for (before = graph->nodes - 1; before >= 0 && graph->node[before].segment >= segment;)
                before--;
        }
        const int32_t writer = last_writer(graph, uses, root_of(graph, sum[i].node.in[0]));
        const int32_t behind = writer > before ? writer : before;
        sum[i].ready = behind < 0 ? -1 : behind_fused(graph, behind);
    }
}

/* --- buckets ---------------------------------------------------------------------------------- */
static int32_t take_out(chl_graph *graph, waiting *sum) {
    int32_t count = 0, kept = 0;
    for (int32_t n = 0; n < graph->nodes; n++) {
        if (graph->node[n].beside)
            sum[count++] = (waiting){.node = graph->node[n], .order = n};
        else
            graph->node[kept++] = graph->node[n];
    }
    graph->nodes = kept;
    return count;
}

/* Numbers the buckets from 1 and sets every member's place to that of the last. */
static void make_buckets(chl_graph *graph, const chl_uses *uses, waiting *sum, int32_t count) {
    for (int32_t first = 0, end; first < count; first = end) {
        int64_t bytes = 0;
        int32_t before = graph->nodes;
        for (end = first; end < count; end++) {
            const chl_node *node = &sum[end].node;
            const int32_t reader = first_reader(graph, uses, node);
            if (end > first && (bytes >= graph->bucket || sum[end].ready >= before ||
                                node->segment != sum[first].node.segment))
                break;
            if (reader < before) before = reader;
            bytes += chl_bytes(&graph->tensor[node->out[0]].desc);
        }
        graph->buckets++;
        for (int32_t i = first; i < end; i++) {
            sum[i].ready = sum[end - 1].ready;
            sum[i].node.bucket = graph->buckets;
            sum[i].node.forks = i == first;
            sum[i].node.ends_bucket = i == end - 1;
        }
    }
}

static void put_back(chl_graph *graph, const waiting *sum, int32_t count) {
    int32_t from = graph->nodes, to = graph->nodes + count;
    graph->nodes = to;
    for (int32_t i = count; i > 0;) {
        if (from - 1 > sum[i - 1].ready)
            graph->node[--to] = graph->node[--from];
        else
            graph->node[--to] = sum[--i].node;
    }
}

/* --- joins ------------------------------------------------------------------------------------ */
static bool is_collective(chl_op op) {
    return op == CHL_OP_all_gather || op == CHL_OP_all_reduce || op == CHL_OP_reduce_scatter;
}

static int32_t bucket_needed(const chl_graph *graph, const chl_node *node, const int32_t *of_root) {
    int32_t needed = 0;
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] != CHL_NONE && of_root[root_of(graph, node->in[i])] > needed)
            needed = of_root[root_of(graph, node->in[i])];
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] > CHL_NONE && of_root[root_of(graph, node->out[i])] > needed)
            needed = of_root[root_of(graph, node->out[i])];
    return needed;
}

static chl_status find_joins(chl_graph *graph) {
    int32_t *of_root = calloc((size_t)graph->tensors, sizeof *of_root);
    graph->joined = calloc((size_t)graph->buckets + 1, sizeof *graph->joined);
    if (!of_root || !graph->joined) {
        free(of_root);
        return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    }
    int32_t begun = 0, done = 0;
    for (int32_t n = 0; n < graph->nodes; n++) {
        chl_node *node = &graph->node[n];
        if (node->beside) {
            begun = node->bucket;
            of_root[root_of(graph, node->out[0])] = begun;
        } else if (!node->is_constant) {
            const int32_t lead = n - node->fused_index; /* what is fused waits before its first */
            const int32_t needed =
                is_collective(node->op) ? begun : bucket_needed(graph, node, of_root);
            if (needed > graph->node[lead].joins) graph->node[lead].joins = needed;
            for (; done < needed; done++) graph->joined[done + 1] = lead;
        }
        if (n + 1 == graph->nodes || graph->node[n + 1].segment != node->segment)
            for (; done < begun; done++) graph->joined[done + 1] = n + 1;
    }
    free(of_root);
    return CHL_OK;
}

chl_status chl_place_beside(chl_graph *graph) {
    int32_t count = 0;
    for (int32_t n = 0; n < graph->nodes; n++) count += graph->node[n].beside;
    if (count == 0) return CHL_OK;
    waiting *sum = calloc((size_t)count, sizeof *sum);
    if (!sum) return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    count = take_out(graph, sum);
    chl_uses uses;
    const chl_status status = chl_list_uses(graph, &uses);
    if (status == CHL_OK) {
        find_ready(graph, &uses, sum, count);
        qsort(sum, (size_t)count, sizeof *sum, in_order);
        make_buckets(graph, &uses, sum, count);
        chl_free_uses(&uses);
    }
    put_back(graph, sum, count);
    free(sum);
    CHL_TRY(status);
    chl_number_segments(graph);
    chl_number_producers(graph);
    return find_joins(graph);
}

/* --- the check -------------------------------------------------------------------------------- */
static bool overlap(const chl_graph *graph, chl_tensor a, chl_tensor b) {
    const chl_tensor_info *x = chl_info(graph, root_of(graph, a)),
                          *y = chl_info(graph, root_of(graph, b));
    if (x->kind != KIND_NODE || y->kind != KIND_NODE || x->is_constant || y->is_constant ||
        x->offset < 0 || y->offset < 0 || x->elided || y->elided)
        return false;
    return x->offset < y->offset + chl_bytes(&y->desc) &&
           y->offset < x->offset + chl_bytes(&x->desc);
}

/* Does `node` write what the sum touches, or read what it writes? */
static bool disturbs(const chl_graph *graph, const chl_node *node, const chl_node *sum) {
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] > CHL_NONE &&
            (overlap(graph, node->out[i], sum->in[0]) || overlap(graph, node->out[i], sum->out[0])))
            return true;
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] != CHL_NONE && overlap(graph, node->in[i], sum->out[0])) return true;
    return false;
}

chl_status chl_check_beside(const chl_graph *graph) {
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *sum = &graph->node[n];
        if (!sum->beside) continue;
        for (int32_t m = n + 1; m < graph->joined[sum->bucket]; m++)
            if (!graph->node[m].beside && !graph->node[m].is_constant &&
                disturbs(graph, &graph->node[m], sum))
                return chl_fail(CHL_ERR_INTERNAL,
                                "node %d (%s) touches memory of the sum at node %d, which runs "
                                "beside it until node %d",
                                m, chl_op_name(graph->node[m].op), n, graph->joined[sum->bucket]);
    }
    return CHL_OK;
}
