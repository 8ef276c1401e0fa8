/* Who touches a tensor: a list of nodes for each, so that a question about a tensor's readers does not
 * go through all nodes. */
#include "graph/graph_private.h"
#include <stdlib.h>

/* Of each node its tensors, once each, are counted (node[] NULL) or entered at next[root]. */
static void add(const chl_graph *graph, chl_tensor t, int32_t n, int32_t *next, int32_t *last,
                int32_t *node) {
    const chl_tensor root = graph->tensor[t].root;
    if (last[root] == n) return;
    last[root] = n;
    if (node) node[next[root]] = n;
    next[root]++;
}

static void add_all(const chl_graph *graph, int32_t *next, int32_t *last, int32_t *node) {
    for (chl_tensor t = 0; t < graph->tensors; t++) last[t] = -1;
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *of = &graph->node[n];
        for (int i = 0; i < of->inputs; i++)
            if (of->in[i] != CHL_NONE) add(graph, of->in[i], n, next, last, node);
        for (int i = 0; i < of->outputs; i++)
            if (of->out[i] > CHL_NONE) add(graph, of->out[i], n, next, last, node);
    }
}

chl_status chl_list_uses(const chl_graph *graph, chl_uses *uses) {
    const size_t tensors = (size_t)graph->tensors;
    int32_t *next = calloc(tensors + 1, sizeof *next), *last = malloc((tensors + 1) * sizeof *last);
    *uses = (chl_uses){.first = malloc((tensors + 1) * sizeof *uses->first)};
    bool ready = next && last && uses->first;
    if (ready) {
        int32_t total = 0;
        add_all(graph, next, last, NULL);
        for (size_t t = 0; t < tensors; t++) {
            uses->first[t] = total;
            total += next[t];
            next[t] = uses->first[t];
        }
        uses->first[tensors] = total;
        uses->node = malloc(((size_t)total + 1) * sizeof *uses->node);
        ready = uses->node != NULL;
        if (ready) add_all(graph, next, last, uses->node);
    }
    free(next);
    free(last);
    if (ready) return CHL_OK;
    chl_free_uses(uses);
    return chl_fail(CHL_ERR_MEMORY, "out of memory while planning");
}

void chl_free_uses(chl_uses *uses) {
    free(uses->first);
    free(uses->node);
    *uses = (chl_uses){0};
}
