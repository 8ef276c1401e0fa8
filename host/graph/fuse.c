/* Fusion: sequences of calls that the backend runs as one.
 *
 * Idea: kernels/fusion_table.h lists sequences of ops and which of their tensors must be the same;
 * a backend has a body for those it can run as one. Such a sequence is looked for in the list of
 * nodes from the first node on, its other members behind it. The members rarely follow one another
 * in the graph: in a generator's backward pass a style's gradient stands between. They are moved
 * behind the first or before the last of them, if no node in between touches what they read and
 * write; then the first node runs for all.
 *
 *     modconv_dx A   demodulate_backward   modconv_epilogue_backward B     0.dx=1.dy 0.x=1.y
 *     ->  demodulate_backward   [A B]        if demodulate_backward writes nothing that A reads
 *
 * Then calls of one op that do not need one another, wherever they stand ("OP*"): the others come to
 * the first, or to the last of them, past nodes that touch nothing of theirs.
 *
 * Guarantees: a fused call computes what its members would; the planner treats them as one node, so
 * memory of one is not reused for another. A tensor that only the members see may get no memory at
 * all ("elided"). A node belongs to one fusion at most; where several fit, the first in the table
 * is taken. Members lie in one segment.
 * Cost: quadratic in the number of nodes at worst, once, when the graph is compiled. */
#include "graph/fusion_parse.h"
#include "graph/graph_private.h"
#include <stdlib.h>
#include <string.h>

/* Where the storage of a slot's tensor begins, among the nodes that are known so far. False: that
 * call is not known yet. CHL_NONE: absent. */
static bool tensor_at(const chl_graph *graph, const int32_t *node, int known, chl_slot slot,
                      chl_tensor *out) {
    if (slot.call >= known) return false;
    const chl_node *of = &graph->node[node[slot.call]];
    const chl_tensor t = slot.is_output ? of->out[slot.index] : of->in[slot.index];
    *out = t <= CHL_NONE ? CHL_NONE : graph->tensor[t].root;
    return true;
}

/* An absent tensor agrees with any. */
static bool same_tensors(const chl_graph *graph, const chl_fusion_line *line, const int32_t *node,
                         int known) {
    for (int i = 0; i < line->pairs; i++) {
        chl_tensor a, b;
        if (tensor_at(graph, node, known, line->same[i][0], &a) &&
            tensor_at(graph, node, known, line->same[i][1], &b) && a != CHL_NONE && b != CHL_NONE &&
            a != b)
            return false;
    }
    return true;
}

/* --- what nodes touch ------------------------------------------------------------------------- */
bool chl_node_reads(const chl_graph *graph, const chl_node *node, chl_tensor root) {
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] != CHL_NONE && graph->tensor[node->in[i]].root == root) return true;
    return false;
}
bool chl_node_writes(const chl_graph *graph, const chl_node *node, chl_tensor root) {
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] > CHL_NONE && graph->tensor[node->out[i]].root == root) return true;
    return false;
}

/* May the two change places? What is computed once has long been there. */
static bool independent(const chl_graph *graph, const chl_node *a, const chl_node *b) {
    if (a->is_constant || b->is_constant) return true;
    for (int i = 0; i < a->outputs; i++) {
        if (a->out[i] <= CHL_NONE) continue;
        const chl_tensor root = graph->tensor[a->out[i]].root;
        if (chl_node_reads(graph, b, root) || chl_node_writes(graph, b, root)) return false;
    }
    for (int i = 0; i < b->outputs; i++)
        if (b->out[i] > CHL_NONE && chl_node_reads(graph, a, graph->tensor[b->out[i]].root))
            return false;
    return true;
}

static bool among(const int32_t *node, int count, int32_t n) {
    for (int i = 0; i < count; i++)
        if (node[i] == n) return true;
    return false;
}

/* May all of them stand beside the one at `target`, the first or the last? */
static bool may_meet(const chl_graph *graph, const int32_t *node, int count, int32_t target) {
    for (int i = 0; i < count; i++) {
        const int32_t from = node[i] < target ? node[i] : target;
        const int32_t to = node[i] < target ? target : node[i];
        for (int32_t n = from + 1; n < to; n++)
            if (!among(node, count, n) &&
                !independent(graph, &graph->node[n], &graph->node[node[i]]))
                return false;
    }
    return true;
}

/* Only these calls see it. */
static bool private_to(const chl_graph *graph, const int32_t *node, int count, chl_tensor root) {
    if (graph->tensor[root].kind != KIND_NODE || graph->tensor[root].keep) return false;
    for (int32_t n = 0; n < graph->nodes; n++)
        if (!among(node, count, n) && (chl_node_reads(graph, &graph->node[n], root) ||
                                       chl_node_writes(graph, &graph->node[n], root)))
            return false;
    return true;
}

/* --- finding and bringing together ------------------------------------------------------------ */
typedef struct chl_match {
    const chl_fused_body *body;
    chl_fusion fusion;
    const chl_fusion_line *line;
    int32_t node[CHL_MAX_FUSED], target;
    chl_tensor elided[CHL_MAX_ELIDED];
    int count, elides;
} match;

static bool find_others(const chl_graph *graph, int32_t first, match *m) {
    const chl_op *op = m->line->op;
    m->count = m->line->count;
    m->node[0] = first;
    if (graph->node[first].op != op[0]) return false;
    for (int k = 1; k < m->count; k++) {
        int32_t n = m->node[k - 1] + 1;
        for (; n < graph->nodes; n++) {
            const chl_node *node = &graph->node[n];
            if (node->segment != graph->node[first].segment) return false;
            if (node->op != op[k] || node->is_constant || node->fused || node->fused_index)
                continue;
            m->node[k] = n;
            if (same_tensors(graph, m->line, m->node, k + 1)) break;
        }
        if (n == graph->nodes) return false;
    }
    return true;
}

static bool fits(const chl_graph *graph, match *m) {
    chl_call call[CHL_MAX_FUSED];
    m->elides = m->line->elides;
    for (int i = 0; i < m->elides; i++) {
        m->elided[i] = CHL_NONE;
        (void)tensor_at(graph, m->node, m->count, m->line->elided[i], &m->elided[i]);
        if (m->elided[i] == CHL_NONE || !private_to(graph, m->node, m->count, m->elided[i]))
            return false;
    }
    for (int i = 0; i < m->count; i++) chl_describe_call(graph, &graph->node[m->node[i]], &call[i]);
    if (!m->body->fits(call)) return false;
    const int32_t ends[2] = {m->node[0], m->node[m->count - 1]};
    for (int i = 0; i < 2; i++) {
        m->target = ends[i];
        if (may_meet(graph, m->node, m->count, m->target)) return true;
    }
    return false;
}

static bool find(const chl_graph *graph, const chl_fusion_line *lines, int32_t first, match *m) {
    for (int f = 0; f < CHL_FUSION_COUNT; f++) {
        m->fusion = (chl_fusion)f;
        m->line = &lines[f];
        m->body = graph->device->backend->fused(m->fusion);
        if (m->body && !m->line->any_number && find_others(graph, first, m) && fits(graph, m))
            return true;
    }
    return false;
}

/* The nodes from the first to the last of the match in their new order. */
static void bring_together(chl_graph *graph, const match *m, chl_node *room) {
    const int32_t from = m->node[0], to = m->node[m->count - 1];
    const bool up = m->target == from;
    int32_t at = 0, lead = 0;
    for (int turn = 0; turn < 2; turn++) {
        const bool members = up == (turn == 0);
        if (members) lead = from + at;
        for (int32_t n = from; n <= to; n++)
            if (among(m->node, m->count, n) == members) room[at++] = graph->node[n];
    }
    memcpy(graph->node + from, room, (size_t)at * sizeof *room);
    chl_node *first = &graph->node[lead];
    first->fused = m->body;
    first->fusion = m->fusion;
    first->fused_count = m->count;
    for (int i = 1; i < m->count; i++) first[i].fused_index = i;
    for (int i = 0; i < m->elides; i++) graph->tensor[m->elided[i]].elided = true;
}

/* --- any number of calls of one op ------------------------------------------------------------ */
static bool free_to_join(const chl_graph *graph, const match *m, int32_t n) {
    const chl_node *node = &graph->node[n];
    if (node->op != m->line->op[0] || node->is_constant || node->fused || node->fused_index ||
        node->beside)
        return false;
    chl_call call;
    chl_describe_call(graph, node, &call);
    return m->body->fits(&call);
}

/* May one call do a and b, which stands behind it? Where both write one tensor b adds to it. */
static bool side_by_side(const chl_graph *graph, const chl_node *a, const chl_node *b) {
    for (int i = 0; i < a->outputs; i++)
        if (a->out[i] > CHL_NONE && chl_node_reads(graph, b, graph->tensor[a->out[i]].root))
            return false;
    for (int i = 0; i < b->outputs; i++)
        if (b->out[i] > CHL_NONE && chl_node_reads(graph, a, graph->tensor[b->out[i]].root))
            return false;
    return true;
}

/* May node n join those of the match, which stand on one side of it? */
static bool may_join(const chl_graph *graph, const match *m, int32_t n) {
    const int32_t from = n < m->target ? n : m->target, to = n < m->target ? m->target : n;
    for (int32_t k = from; k <= to; k++) {
        const chl_node *low = &graph->node[k < n ? k : n], *high = &graph->node[k < n ? n : k];
        if (k == n) continue;
        if (among(m->node, m->count, k) ? !side_by_side(graph, low, high)
                                        : !independent(graph, low, high))
            return false;
    }
    return true;
}

/* The calls that may come to node `anchor`, in order. */
static void gather(const chl_graph *graph, int32_t anchor, match *m) {
    const int step = m->line->at_last ? -1 : 1;
    m->target = anchor;
    m->node[0] = anchor;
    m->count = 1;
    for (int32_t n = anchor + step; n >= 0 && n < graph->nodes && m->count < CHL_MAX_FUSED;
         n += step) {
        if (graph->node[n].segment != graph->node[anchor].segment) break;
        if (free_to_join(graph, m, n) && may_join(graph, m, n)) m->node[m->count++] = n;
    }
    for (int i = 0; step < 0 && i < m->count / 2; i++) {
        const int32_t swap = m->node[i];
        m->node[i] = m->node[m->count - 1 - i];
        m->node[m->count - 1 - i] = swap;
    }
}

static void fuse_any_number(chl_graph *graph, const chl_fusion_line *line, chl_fusion fusion,
                            chl_node *room) {
    match m = {.body = graph->device->backend->fused(fusion), .fusion = fusion, .line = line};
    if (!m.body) return;
    for (int32_t k = 0; k < graph->nodes; k++) {
        const int32_t anchor = line->at_last ? graph->nodes - 1 - k : k;
        if (!free_to_join(graph, &m, anchor)) continue;
        gather(graph, anchor, &m);
        if (m.count > 1) bring_together(graph, &m, room);
    }
}

chl_status chl_fuse(chl_graph *graph) {
    if (!graph->device->backend->fused || graph->no_fusion) return CHL_OK;
    chl_fusion_line lines[CHL_FUSION_COUNT];
    CHL_TRY(chl_parse_fusion_table(lines));
    chl_node *room = malloc(((size_t)graph->nodes + 1) * sizeof *room);
    if (!room) return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    for (int32_t n = 0; n < graph->nodes;) {
        const chl_node *node = &graph->node[n];
        match m = {.count = 0};
        if (node->is_constant || node->fused || node->fused_index || !find(graph, lines, n, &m)) {
            n++;
            continue;
        }
        bring_together(graph, &m, room); /* what stands at n now has not been looked at */
    }
    for (int f = 0; f < CHL_FUSION_COUNT; f++)
        if (lines[f].any_number) fuse_any_number(graph, &lines[f], (chl_fusion)f, room);
    free(room);
    chl_number_producers(graph);
    return CHL_OK;
}
