/* The memory plan: every transient tensor's life is known, so offsets in one arena are too.
 *
 * Idea: in a static graph a tensor is alive from the first node that writes it to the last one that
 * reads it. Tensors that are alive at the same time need different memory, others may share. This
 * is packing of intervals (place.c). Before that an op that may work in place takes over its first
 * input's memory.
 *
 *     node     0: a = f(x)   1: b = g(a)   2: c = h(b)          a lives 0-1, b 1-2, c from 2
 *     arena    a at 0, b at |a|, c at 0 again
 *
 * Workspaces take part as storages that live for one node. Calls that were fused count as one.
 *
 * Guarantees: storages alive at the same time do not overlap (tests/graph); the plan is the same on
 * every machine. What is kept, or read in another segment than the one that made it, has memory of
 * its own. Limits: no smallest plan, a good one; the order of the nodes is not changed for it. */
#include "graph/graph_private.h"
#include "graph/place.h"
#include <stdlib.h>

static chl_tensor storage_of(const chl_graph *graph, chl_tensor t) {
    t = graph->tensor[t].root;
    while (graph->tensor[t].storage != t) t = graph->tensor[t].storage;
    return t;
}

static bool transient(const chl_graph *graph, chl_tensor t) {
    const chl_tensor_info *info = chl_info(graph, graph->tensor[t].root);
    return info->kind == KIND_NODE && !info->is_constant;
}

static void touch(chl_graph *graph, chl_tensor t, int32_t n) {
    chl_tensor_info *info = chl_info(graph, graph->tensor[t].root);
    const int32_t segment = graph->node[n].segment;
    if (info->elided) return;
    if (info->producer >= 0 && graph->node[info->producer].segment != segment) info->keep = true;
    const int32_t bucket = graph->node[n].bucket;
    const int32_t until = bucket ? graph->joined[bucket] : n; /* it may run as late as that */
    int32_t node = n;
    node -= graph->node[n].fused_index; /* what is fused happens at once */
    if (node < info->first) info->first = node;
    if (until > info->last) info->last = until;
    if (n > info->touched) info->touched = n;
}

static void measure_lives(chl_graph *graph) {
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *node = &graph->node[n];
        for (int i = 0; i < node->inputs; i++)
            if (node->in[i] != CHL_NONE) touch(graph, node->in[i], n);
        for (int i = 0; i < node->outputs; i++)
            if (node->out[i] > CHL_NONE) touch(graph, node->out[i], n);
    }
    for (chl_tensor t = 1; t < graph->tensors; t++) {
        chl_tensor_info *info = chl_info(graph, t);
        if (!info->keep) continue;
        info->first = 0;
        info->last = INT32_MAX;
    }
}

/* Is node n the last one that touches the storage? Beside a sum other nodes run until its join. */
static bool is_last_use(const chl_graph *graph, int32_t n, chl_tensor storage) {
    const chl_tensor_info *info = &graph->tensor[storage];
    const int32_t bucket = graph->node[n].bucket;
    return info->last == (bucket ? graph->joined[bucket] : n) && info->touched == n;
}

/* Output 0 takes over input 0's memory where the op allows it and nobody reads the input later. */
static void share_in_place(chl_graph *graph) {
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *node = &graph->node[n];
        if (!chl_rule_of(node->op)->in_place || node->is_constant || node->fused ||
            node->fused_index || node->accumulate || node->in[0] == CHL_NONE ||
            node->out[0] <= CHL_NONE || !transient(graph, node->in[0]))
            continue;
        chl_tensor from = storage_of(graph, node->in[0]), to = graph->tensor[node->out[0]].root;
        chl_tensor_info *a = chl_info(graph, from), *b = chl_info(graph, to);
        bool again = false;
        for (int i = 1; i < node->inputs; i++)
            again = again || (node->in[i] != CHL_NONE && storage_of(graph, node->in[i]) == from);
        if (again || a->keep || b->keep || !is_last_use(graph, n, from) || b->first != n ||
            b->kind != KIND_NODE || chl_bytes(&a->desc) != chl_bytes(&b->desc))
            continue;
        b->storage = from;
        a->last = b->last;
        a->touched = b->touched;
    }
}

/* What node n asks for; of a fused call its first node asks for all. */
static int64_t workspace_of(const chl_graph *graph, int32_t n) {
    const chl_node *node = &graph->node[n];
    chl_call call[CHL_MAX_FUSED];
    size_t (*workspace)(const chl_call *) =
        node->fused ? node->fused->workspace : graph->device->backend->body(node->op)->workspace;
    if (node->fused_index || !workspace) return 0;
    for (int i = 0; i < (node->fused ? node->fused_count : 1); i++)
        chl_describe_call(graph, node + i, &call[i]);
    return chl_align(graph, (int64_t)workspace(call));
}

static chl_status place_all(chl_graph *graph) {
    chl_block *blocks = malloc((size_t)(graph->tensors + graph->nodes) * sizeof *blocks);
    if (!blocks) return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    int64_t count = 0;
    for (chl_tensor t = 1; t < graph->tensors; t++) {
        chl_tensor_info *info = chl_info(graph, t);
        if (info->view_of != CHL_NONE || info->storage != t || !transient(graph, t) ||
            info->last < 0)
            continue;
        blocks[count] = (chl_block){chl_align(graph, chl_bytes(&info->desc)), &info->offset,
                                    info->first, info->last, (int32_t)count};
        count++;
    }
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *node = &graph->node[n];
        const int64_t bytes = workspace_of(graph, n);
        graph->workspace_offset[n] = 0;
        if (node->is_constant) {
            if (bytes > graph->constant_workspace) graph->constant_workspace = bytes;
        } else if (bytes > 0) {
            blocks[count] = (chl_block){bytes, &graph->workspace_offset[n], n, n, (int32_t)count};
            count++;
        }
    }
    /* a sum beside may be joined behind the last node */
    const chl_status status =
        chl_place_blocks(blocks, count, graph->nodes + 1, &graph->transient_bytes);
    free(blocks);
    return status;
}

/* Persistent and constant tensors just follow one another. */
static void place_lasting(chl_graph *graph) {
    graph->persistent_bytes = graph->constant_bytes = 0;
    for (chl_tensor t = 1; t < graph->tensors; t++) {
        chl_tensor_info *info = chl_info(graph, t);
        if (info->view_of != CHL_NONE || transient(graph, t)) continue;
        bool persistent = info->kind == KIND_TRAINABLE || info->kind == KIND_INPUT;
        bool borrowed =
            info->kind == KIND_FROZEN && graph->device->backend->host_memory && info->init;
        int64_t *total = persistent ? &graph->persistent_bytes : &graph->constant_bytes;
        info->offset = *total;
        const int copies = info->kind == KIND_INPUT && graph->double_inputs ? 2 : 1;
        if (!borrowed) *total += copies * chl_align(graph, chl_bytes(&info->desc));
    }
}

chl_status chl_plan_memory(chl_graph *graph) {
    CHL_TRY(chl_graph_status(graph));
    if (graph->workspace_offset) return CHL_OK;
    CHL_TRY(chl_accumulate(graph));
    graph->workspace_offset = calloc((size_t)graph->nodes + 1, sizeof(int64_t));
    if (!graph->workspace_offset) return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    chl_device_bind(graph->device); /* bodies say what they fuse and what workspace they want */
    CHL_TRY(chl_fuse(graph));
    CHL_TRY(chl_place_beside(graph));
    measure_lives(graph);
    share_in_place(graph);
    /* every tensor's own offset follows from its storage's */
    CHL_TRY(place_all(graph));
    place_lasting(graph);
    for (chl_tensor t = 1; t < graph->tensors; t++)
        if (transient(graph, t))
            graph->tensor[t].offset = graph->tensor[storage_of(graph, t)].offset;
    return CHL_OK;
}

chl_status chl_dry_run(chl_graph *graph, chl_plan *plan) {
    CHL_TRY(chl_plan_memory(graph));
    *plan = (chl_plan){.persistent = graph->persistent_bytes,
                       .constant = graph->constant_bytes,
                       .transient = graph->transient_bytes,
                       .nodes = graph->nodes,
                       .segments = graph->segments};
    if (graph->device->backend->host_memory) /* borrowed weights are memory too */
        for (chl_tensor t = 1; t < graph->tensors; t++)
            if (graph->tensor[t].kind == KIND_FROZEN && graph->tensor[t].view_of == CHL_NONE &&
                graph->tensor[t].init)
                plan->constant += chl_bytes(&graph->tensor[t].desc);
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *node = &graph->node[n];
        const chl_rule *rule = chl_rule_of(node->op);
        plan->nodes_constant += node->is_constant;
        if (!rule->flops) continue;
        chl_shapes shapes;
        chl_node_shapes(graph, node, &shapes);
        *(node->is_constant ? &plan->flops_constant : &plan->flops_step) += rule->flops(&shapes);
    }
    return CHL_OK;
}
