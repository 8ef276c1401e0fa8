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
 * Cost: whoever may follow, is moved, or is passed touches a tensor of the call that is looked at, so
 * that a step costs as many looks as it has uses of tensors. */
#include "base/free.h"
#include "graph/fusion_parse.h"
#include "graph/graph_private.h"
#include <stdlib.h>
#include <string.h>

#define MAX_SLOTS (CHL_MAX_IN > CHL_MAX_OUT ? CHL_MAX_IN : CHL_MAX_OUT)

/* Nodes change places while sequences are brought together: who touches a tensor is known by the
 * numbers that nodes have had before. */
typedef struct chl_finder {
    chl_graph *graph;
    chl_uses uses;                           /* by number */
    int32_t *number, *place;                 /* of the node at a place, and the other way round */
    bool absent[CHL_OP_COUNT][2][MAX_SLOTS]; /* of inputs, outputs, in any node of an op */
    chl_node *room;                          /* for nodes on their way */
    int32_t *room_number;
} finder;

typedef struct chl_match {
    const chl_fused_body *body;
    chl_fusion fusion;
    const chl_fusion_line *line;
    int32_t node[CHL_MAX_FUSED], target;
    chl_tensor elided[CHL_MAX_ELIDED];
    int count, elides;
} match;

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

/* Do the nodes between place `n` and the match's target, that one included, agree that node n goes
 * there? Who touches no tensor of its own does. */
static bool all_agree(const finder *f, const match *m, int32_t n, chl_tensor t,
                      bool (*agrees)(const chl_graph *, const match *, int32_t at, int32_t n)) {
    const int32_t from = n < m->target ? n : m->target, to = n < m->target ? m->target : n;
    const chl_tensor root = f->graph->tensor[t].root;
    for (int32_t u = f->uses.first[root]; u < f->uses.first[root + 1]; u++) {
        const int32_t at = f->place[f->uses.node[u]];
        if (at >= from && at <= to && at != n && !agrees(f->graph, m, at, n)) return false;
    }
    return true;
}

static bool may_move(const finder *f, const match *m, int32_t n,
                     bool (*agrees)(const chl_graph *, const match *, int32_t at, int32_t n)) {
    const chl_node *node = &f->graph->node[n];
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] != CHL_NONE && !all_agree(f, m, n, node->in[i], agrees)) return false;
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] > CHL_NONE && !all_agree(f, m, n, node->out[i], agrees)) return false;
    return true;
}

static bool lets_pass(const chl_graph *graph, const match *m, int32_t at, int32_t n) {
    return among(m->node, m->count, at) || independent(graph, &graph->node[at], &graph->node[n]);
}

/* May all of them stand beside the one at the target, the first or the last? */
static bool may_meet(const finder *f, const match *m) {
    for (int i = 0; i < m->count; i++)
        if (!may_move(f, m, m->node[i], lets_pass)) return false;
    return true;
}

/* Only these calls see it. */
static bool private_to(const finder *f, const int32_t *node, int count, chl_tensor root) {
    const chl_tensor_info *info = &f->graph->tensor[root];
    if (info->kind != KIND_NODE || info->keep) return false;
    for (int32_t u = f->uses.first[root]; u < f->uses.first[root + 1]; u++)
        if (!among(node, count, f->place[f->uses.node[u]])) return false;
    return true;
}

/* --- finding and bringing together ------------------------------------------------------------ */
/* A tensor that call k must touch, as far as the calls before it say; CHL_NONE: it may be any node. */
static chl_tensor bound_tensor(const finder *f, const match *m, int k) {
    for (int i = 0; i < m->line->pairs; i++)
        for (int side = 0; side < 2; side++) {
            const chl_slot slot = m->line->same[i][side];
            chl_tensor known;
            if (slot.call == k && !f->absent[m->line->op[k]][slot.is_output][slot.index] &&
                tensor_at(f->graph, m->node, k, m->line->same[i][!side], &known) &&
                known != CHL_NONE)
                return known;
        }
    return CHL_NONE;
}

/* The first place behind `n` where call k may stand. */
static int32_t next_place(const finder *f, chl_tensor bound, int32_t n) {
    if (bound == CHL_NONE) return n + 1;
    int32_t found = f->graph->nodes;
    for (int32_t u = f->uses.first[bound]; u < f->uses.first[bound + 1]; u++) {
        const int32_t place = f->place[f->uses.node[u]];
        if (place > n && place < found) found = place;
    }
    return found;
}

static bool find_others(const finder *f, int32_t first, match *m) {
    const chl_graph *graph = f->graph;
    const chl_op *op = m->line->op;
    m->count = m->line->count;
    m->node[0] = first;
    if (graph->node[first].op != op[0]) return false;
    for (int k = 1; k < m->count; k++) {
        const chl_tensor bound = bound_tensor(f, m, k);
        int32_t n = next_place(f, bound, m->node[k - 1]);
        for (; n < graph->nodes; n = next_place(f, bound, n)) {
            const chl_node *node = &graph->node[n];
            if (node->segment != graph->node[first].segment) return false;
            if (node->op != op[k] || node->is_constant || node->fused || node->fused_index)
                continue;
            m->node[k] = n;
            if (same_tensors(graph, m->line, m->node, k + 1)) break;
        }
        if (n >= graph->nodes) return false;
    }
    return true;
}

static bool fits(const finder *f, match *m) {
    const chl_graph *graph = f->graph;
    chl_call call[CHL_MAX_FUSED];
    m->elides = m->line->elides;
    for (int i = 0; i < m->elides; i++) {
        m->elided[i] = CHL_NONE;
        (void)tensor_at(graph, m->node, m->count, m->line->elided[i], &m->elided[i]);
        if (m->elided[i] == CHL_NONE || !private_to(f, m->node, m->count, m->elided[i]))
            return false;
    }
    for (int i = 0; i < m->count; i++) chl_describe_call(graph, &graph->node[m->node[i]], &call[i]);
    if (!m->body->fits(call)) return false;
    const int32_t ends[2] = {m->node[0], m->node[m->count - 1]};
    for (int i = 0; i < 2; i++) {
        m->target = ends[i];
        if (may_meet(f, m)) return true;
    }
    return false;
}

static bool find(const finder *f, const chl_fusion_line *lines, int32_t first, match *m) {
    for (int i = 0; i < CHL_FUSION_COUNT; i++) {
        m->fusion = (chl_fusion)i;
        m->line = &lines[i];
        m->body = f->graph->device->backend->fused(m->fusion);
        if (m->body && !m->line->any_number && find_others(f, first, m) && fits(f, m)) return true;
    }
    return false;
}

/* The nodes from the first to the last of the match in their new order. */
static void bring_together(finder *f, const match *m) {
    chl_graph *graph = f->graph;
    const int32_t from = m->node[0], to = m->node[m->count - 1];
    const bool up = m->target == from;
    int32_t at = 0, lead = 0;
    for (int turn = 0; turn < 2; turn++) {
        const bool members = up == (turn == 0);
        if (members) lead = from + at;
        for (int32_t n = from; n <= to; n++) {
            if (among(m->node, m->count, n) != members) continue;
            f->room[at] = graph->node[n];
            f->room_number[at++] = f->number[n];
        }
    }
    memcpy(graph->node + from, f->room, (size_t)at * sizeof *f->room);
    memcpy(f->number + from, f->room_number, (size_t)at * sizeof *f->number);
    for (int32_t n = from; n <= to; n++) f->place[f->number[n]] = n;
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
static bool lets_join(const chl_graph *graph, const match *m, int32_t at, int32_t n) {
    const chl_node *low = &graph->node[at < n ? at : n], *high = &graph->node[at < n ? n : at];
    return among(m->node, m->count, at) ? side_by_side(graph, low, high)
                                        : independent(graph, low, high);
}

/* The calls that may come to node `anchor`, in order. */
static void gather(const finder *f, int32_t anchor, match *m) {
    const chl_graph *graph = f->graph;
    const int step = m->line->at_last ? -1 : 1;
    m->target = anchor;
    m->node[0] = anchor;
    m->count = 1;
    for (int32_t n = anchor + step; n >= 0 && n < graph->nodes && m->count < CHL_MAX_FUSED;
         n += step) {
        if (graph->node[n].segment != graph->node[anchor].segment) break;
        if (free_to_join(graph, m, n) && may_move(f, m, n, lets_join)) m->node[m->count++] = n;
    }
    for (int i = 0; step < 0 && i < m->count / 2; i++) {
        const int32_t swap = m->node[i];
        m->node[i] = m->node[m->count - 1 - i];
        m->node[m->count - 1 - i] = swap;
    }
}

static void fuse_any_number(finder *f, const chl_fusion_line *line, chl_fusion fusion) {
    const chl_graph *graph = f->graph;
    match m = {.body = graph->device->backend->fused(fusion), .fusion = fusion, .line = line};
    if (!m.body) return;
    for (int32_t k = 0; k < graph->nodes; k++) {
        const int32_t anchor = line->at_last ? graph->nodes - 1 - k : k;
        if (!free_to_join(graph, &m, anchor)) continue;
        gather(f, anchor, &m);
        if (m.count > 1) bring_together(f, &m);
    }
}

/* --- all of it -------------------------------------------------------------------------------- */
static void note_absent(finder *f, const chl_node *node) {
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] == CHL_NONE) f->absent[node->op][false][i] = true;
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] <= CHL_NONE) f->absent[node->op][true][i] = true;
}

static void free_finder(finder *f) {
    chl_free_uses(&f->uses);
    CHL_FREE(f->number, f->place, f->room, f->room_number);
}

static chl_status begin(finder *f, chl_graph *graph) {
    const size_t nodes = (size_t)graph->nodes + 1;
    *f = (finder){.graph = graph,
                  .number = malloc(nodes * sizeof *f->number),
                  .place = malloc(nodes * sizeof *f->place),
                  .room = malloc(nodes * sizeof *f->room),
                  .room_number = malloc(nodes * sizeof *f->room_number)};
    if (!f->number || !f->place || !f->room || !f->room_number)
        return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
    for (int32_t n = 0; n < graph->nodes; n++) {
        f->number[n] = f->place[n] = n;
        note_absent(f, &graph->node[n]);
    }
    return chl_list_uses(graph, &f->uses);
}

static void fuse_all(finder *f, const chl_fusion_line *lines) {
    const chl_graph *graph = f->graph;
    for (int32_t n = 0; n < graph->nodes;) {
        const chl_node *node = &graph->node[n];
        match m = {.count = 0};
        if (node->is_constant || node->fused || node->fused_index || !find(f, lines, n, &m)) {
            n++;
            continue;
        }
        bring_together(f, &m); /* what stands at n now has not been looked at */
    }
    for (int i = 0; i < CHL_FUSION_COUNT; i++)
        if (lines[i].any_number) fuse_any_number(f, &lines[i], (chl_fusion)i);
}

chl_status chl_fuse(chl_graph *graph) {
    if (!graph->device->backend->fused || graph->no_fusion) return CHL_OK;
    chl_fusion_line lines[CHL_FUSION_COUNT];
    finder f;
    CHL_TRY(chl_parse_fusion_table(lines));
    const chl_status status = begin(&f, graph);
    if (status == CHL_OK) fuse_all(&f, lines);
    free_finder(&f);
    CHL_TRY(status);
    chl_number_producers(graph);
    return CHL_OK;
}
