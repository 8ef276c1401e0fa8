/* Two memories for each input. The calls exist twice, with the pointers of either, and so do the
 * recordings: a swap exchanges the two sets. */
#include "graph/graph_private.h"
#include <stdlib.h>
#include <string.h>

void chl_graph_double_inputs(chl_graph *graph) {
    graph->double_inputs = true;
}

static bool is_doubled(const chl_graph *graph, chl_tensor x) {
    return graph->tensor[graph->tensor[x].root].kind == KIND_INPUT;
}

static chl_status find_memory(chl_graph *graph) {
    for (chl_tensor t = 1; t < graph->tensors; t++) {
        chl_tensor_info *info = chl_info(graph, t);
        if (!is_doubled(graph, t) || !info->data) continue;
        const int64_t bytes = chl_bytes(&graph->tensor[info->root].desc);
        info->spare = (char *)info->data + chl_align(graph, bytes);
        if (graph->device->backend->clear(graph->device, info->spare, (size_t)bytes) != CHL_OK)
            return chl_fail(CHL_ERR_INTERNAL, "clearing memory failed on %s: %s",
                            graph->device->name, chl_device_error(graph->device));
    }
    return CHL_OK;
}

chl_status chl_prepare_double_inputs(chl_graph *graph) {
    const size_t calls = (size_t)graph->nodes + 1;
    graph->other_call = malloc(calls * sizeof *graph->call);
    graph->other_recording = calloc((size_t)graph->segments, sizeof *graph->recording);
    if (!graph->other_call || !graph->other_recording)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for the step's calls");
    CHL_TRY(find_memory(graph));
    memcpy(graph->other_call, graph->call, (size_t)graph->nodes * sizeof *graph->call);
    for (int32_t n = 0; n < graph->nodes; n++)
        for (int i = 0; i < graph->node[n].inputs; i++) {
            const chl_tensor x = graph->node[n].in[i];
            if (x != CHL_NONE && is_doubled(graph, x))
                graph->other_call[n].in[i] = graph->tensor[x].spare;
        }
    return CHL_OK;
}

void chl_swap_inputs(chl_graph *graph) {
    if (!graph->other_call) return;
    chl_call *const call = graph->call;
    chl_recording **const recording = graph->recording;
    graph->call = graph->other_call;
    graph->recording = graph->other_recording;
    graph->other_call = call;
    graph->other_recording = recording;
    for (chl_tensor t = 1; t < graph->tensors; t++) {
        chl_tensor_info *info = chl_info(graph, t);
        if (!is_doubled(graph, t)) continue;
        void *const data = info->data;
        info->data = info->spare;
        info->spare = data;
    }
}
