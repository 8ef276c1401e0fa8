/* Compiling (allocate once, upload, run what is constant) and running segments. */
#include "base/clock.h"
#include "base/progress.h"
#include "graph/graph_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `status`, with what the device says of it. A fault of queued work is reported by whatever comes
 * next, so `what` is what was asked for, not what failed. */
static chl_status report(const chl_graph *graph, chl_status status, const char *what) {
    if (status == CHL_OK) return CHL_OK;
    return chl_fail(status, "%s failed on %s: %s", what, graph->device->name,
                    chl_device_error(graph->device));
}

static chl_status upload(const chl_graph *graph, void *to, const void *from, size_t bytes) {
    return report(graph, graph->device->backend->upload(graph->device, to, from, bytes),
                  "copying to the device");
}

static chl_status allocate(chl_graph *graph) {
    const struct {
        const char *what;
        int64_t bytes;
        void **memory;
    } region[] = {{"persistent", graph->persistent_bytes, &graph->persistent},
                  {"constant", graph->constant_bytes, &graph->constant},
                  {"transient", graph->transient_bytes, &graph->transient}};
    for (int i = 0; i < 3; i++) {
        if (region[i].bytes == 0) continue;
        if (graph->device->backend->allocate(graph->device, (size_t)region[i].bytes,
                                             region[i].memory) != CHL_OK)
            return chl_fail(
                CHL_ERR_MEMORY,
                "cannot allocate %.3g MB of %s memory on %s, or the room that its threads need "
                "beside it: use a smaller batch or picture, or fewer threads",
                1e-6 * (double)region[i].bytes, region[i].what, graph->device->name);
    }
    for (chl_tensor t = 1; t < graph->tensors; t++) {
        chl_tensor_info *info = chl_info(graph, t), *root = chl_info(graph, info->root);
        bool lasting = root->kind == KIND_TRAINABLE || root->kind == KIND_INPUT;
        char *base = lasting             ? graph->persistent
                     : root->is_constant ? graph->constant
                                         : graph->transient;
        if (root->kind == KIND_FROZEN && graph->device->backend->host_memory && root->init)
            info->data = (void *)root->init;
        else if (root->offset >= 0 && base)
            info->data = base + root->offset;
    }
    return CHL_OK;
}

static chl_status fill(chl_graph *graph) {
    for (chl_tensor t = 1; t < graph->tensors; t++) {
        const chl_tensor_info *info = chl_info(graph, t);
        if (info->view_of != CHL_NONE || info->kind == KIND_NODE || info->data == info->init)
            continue;
        size_t bytes = (size_t)chl_bytes(&info->desc);
        if (info->init)
            CHL_TRY(upload(graph, info->data, info->init, bytes));
        else
            CHL_TRY(report(graph, graph->device->backend->clear(graph->device, info->data, bytes),
                           "clearing memory"));
    }
    return CHL_OK;
}

/* --- sums beside: beside.c -------------------------------------------------------------------- */
static chl_status prepare_beside(chl_graph *graph) {
    chl_device *device = graph->device;
    const chl_backend *backend = device->backend;
    if (graph->buckets == 0 || !device->queue) return CHL_OK;
    graph->done = calloc((size_t)graph->buckets + 1, sizeof(chl_event *));
    if (!graph->done) return chl_fail(CHL_ERR_MEMORY, "out of memory for the step's calls");
    CHL_TRY(report(graph, backend->event_new(device, &graph->forked), "making an event"));
    for (int32_t b = 1; b <= graph->buckets; b++)
        CHL_TRY(report(graph, backend->event_new(device, &graph->done[b]), "making an event"));
    return report(graph, backend->queue_new(device, &graph->beside), "making a queue");
}

/* `to` waits for what is queued on `from` so far. */
static chl_status follow(const chl_graph *graph, chl_queue *to, chl_event *event, chl_queue *from) {
    chl_device *device = graph->device;
    CHL_TRY(
        report(graph, device->backend->event_record(device, event, from), "recording an event"));
    return to ? report(graph, device->backend->queue_wait(device, to, event), "waiting") : CHL_OK;
}

static chl_status join(const chl_graph *graph, int32_t bucket, int32_t *joined) {
    chl_device *device = graph->device;
    if (bucket <= *joined) return CHL_OK;
    *joined = bucket;
    return report(graph, device->backend->queue_wait(device, device->queue, graph->done[bucket]),
                  "waiting for a sum over the ranks");
}

static chl_status prepare_calls(chl_graph *graph) {
    const size_t segments = (size_t)graph->segments;
    if (graph->device->backend->allocate(graph->device, sizeof *graph->step,
                                         (void **)&graph->step) != CHL_OK)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for the step's state");
    CHL_TRY(upload(graph, graph->step, &graph->first_step, sizeof *graph->step));
    graph->recording = calloc(segments, sizeof *graph->recording);
    graph->has_run = calloc(segments, sizeof *graph->has_run);
    if (!graph->recording || !graph->has_run)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for the step's segments");
    CHL_TRY(prepare_beside(graph));
    graph->call = malloc(((size_t)graph->nodes + 1) * sizeof *graph->call);
    if (!graph->call) return chl_fail(CHL_ERR_MEMORY, "out of memory for the step's calls");
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *node = &graph->node[n];
        chl_call *call = &graph->call[n];
        chl_describe_call(graph, node, call);
        for (int i = 0; i < node->inputs; i++)
            if (node->in[i] != CHL_NONE) call->in[i] = graph->tensor[node->in[i]].data;
        for (int i = 0; i < node->outputs; i++)
            if (node->out[i] > CHL_NONE) call->out[i] = graph->tensor[node->out[i]].data;
        if (!node->is_constant && graph->transient)
            call->workspace = (char *)graph->transient + graph->workspace_offset[n];
        call->step = graph->step;
        call->stream = node->beside && graph->beside ? graph->beside : graph->device->queue;
        call->comm = graph->device->comm;
    }
    return CHL_OK;
}

static chl_status status_of(chl_kernel_status status) {
    switch (status) {
    case CHL_KERNEL_OK:
        return CHL_OK;
    case CHL_KERNEL_BAD_INPUT:
        return CHL_ERR_ARGUMENT;
    case CHL_KERNEL_UNSUPPORTED:
        return CHL_ERR_UNSUPPORTED;
    case CHL_KERNEL_FAILED:
        break;
    }
    return CHL_ERR_INTERNAL;
}

/* While profiling: when all queued work is done. */
static chl_status wait_for_node(const chl_graph *graph, const chl_call *call, double *now) {
    chl_device *device = graph->device;
    if (!graph->seconds) return CHL_OK;
    if (call->stream)
        CHL_TRY(report(graph, device->backend->queue_synchronise(device, call->stream), "waiting"));
    *now = chl_seconds_now();
    return CHL_OK;
}

static chl_status run_node(chl_graph *graph, int32_t n) {
    const chl_node *node = &graph->node[n];
    double start = 0, end = 0;
    CHL_TRY(wait_for_node(graph, &graph->call[n], &start));
    const chl_kernel_status status =
        node->fused ? node->fused->run(&graph->call[n])
                    : graph->device->backend->body(node->op)->run(&graph->call[n]);
    chl_progress_add();
    if (status == CHL_KERNEL_OK) {
        CHL_TRY(wait_for_node(graph, &graph->call[n], &end));
        if (graph->seconds) graph->seconds[n] += end - start;
        return CHL_OK;
    }
    return chl_fail(status_of(status), "%s (node %d) failed: %s",
                    node->fused ? chl_fusion_name(node->fusion) : chl_op_name(node->op), n,
                    status == CHL_KERNEL_BAD_INPUT ? "an input is out of its range"
                                                   : chl_device_error(graph->device));
}

static chl_status run_constant_nodes(chl_graph *graph) {
    void *workspace = NULL;
    if (graph->constant_workspace > 0)
        CHL_TRY(graph->device->backend->allocate(graph->device, (size_t)graph->constant_workspace,
                                                 &workspace));
    chl_status status = CHL_OK;
    for (int32_t n = 0; n < graph->nodes && status == CHL_OK; n++) {
        if (!graph->node[n].is_constant) continue;
        graph->call[n].workspace = workspace;
        status = run_node(graph, n);
    }
    graph->device->backend->release(graph->device, workspace);
    return status;
}

chl_status chl_compile(chl_graph *graph) {
    CHL_TRY(chl_plan_memory(graph));
    if (graph->compiled) return CHL_OK;
    chl_device_bind(graph->device);
    CHL_TRY(allocate(graph));
    CHL_TRY(fill(graph));
    CHL_TRY(prepare_calls(graph));
    CHL_TRY(run_constant_nodes(graph));
    if (graph->double_inputs) CHL_TRY(chl_prepare_double_inputs(graph));
    graph->compiled = true;
    return CHL_OK;
}

static chl_status run_segment(chl_graph *graph, int segment) {
    int32_t begin = segment ? graph->segment_end[segment - 1] : 0;
    int32_t end = segment + 1 < graph->segments ? graph->segment_end[segment] : graph->nodes;
    int32_t forked = 0, joined = 0; /* buckets */
    for (int32_t n = begin; n < end; n++) {
        const chl_node *node = &graph->node[n];
        if (node->is_constant) continue;
        if (graph->beside && node->joins) CHL_TRY(join(graph, node->joins, &joined));
        if (graph->beside && node->forks)
            CHL_TRY(follow(graph, graph->beside, graph->forked, graph->device->queue));
        if (!node->fused_index) CHL_TRY(run_node(graph, n));
        if (!graph->beside || !node->ends_bucket) continue;
        forked = node->bucket;
        CHL_TRY(follow(graph, NULL, graph->done[forked], graph->beside));
    }
    return graph->beside ? join(graph, forked, &joined) : CHL_OK;
}

/* The first run of a segment goes call by call, so that an error names its node and libraries set
 * themselves up; then it is recorded. Profiling needs the single calls. */
static chl_status run_recorded(chl_graph *graph, int segment) {
    chl_device *device = graph->device;
    const chl_backend *backend = device->backend;
    chl_recording **recording = &graph->recording[segment];
    if (!*recording) {
        CHL_TRY(report(graph, backend->begin_capture(device, device->queue), "recording"));
        const chl_status status = run_segment(graph, segment);
        const chl_status ended = backend->end_capture(device, device->queue, recording);
        CHL_TRY(status); /* its text comes first */
        CHL_TRY(report(graph, ended, "recording"));
    }
    return report(graph, backend->replay(device, device->queue, *recording), "a recorded step");
}

chl_status chl_run(chl_graph *graph, chl_segment segment) {
    const int index = segment - CHL_FIRST_SEGMENT;
    if (!graph->compiled) return chl_fail(CHL_ERR_ARGUMENT, "chl_run before chl_compile");
    if (index < 0 || index >= graph->segments)
        return chl_fail(CHL_ERR_ARGUMENT, "segment must be %d to %d, got %d", CHL_FIRST_SEGMENT,
                        graph->segments, segment);
    chl_device_bind(graph->device);
    if (graph->device->backend->begin_capture && graph->has_run[index] && !graph->seconds)
        CHL_TRY(run_recorded(graph, index));
    else
        CHL_TRY(run_segment(graph, index));
    graph->has_run[index] = true;
    graph->runs++;
    return CHL_OK;
}

chl_status chl_set_step(chl_graph *graph, chl_step step) {
    graph->first_step = step;
    if (!graph->compiled) return CHL_OK; /* chl_compile uploads it */
    return upload(graph, graph->step, &step, sizeof step);
}

static const char *label(const chl_graph *graph, chl_tensor x) {
    const char *name = graph->tensor[graph->tensor[x].root].name;
    return name ? name : "(a result)";
}

static chl_status find_writable(const chl_graph *graph, chl_tensor x, const char *what,
                                const chl_tensor_info **out) {
    *out = NULL;
    if (!graph->compiled || x == CHL_NONE)
        return chl_fail(CHL_ERR_ARGUMENT, "%s needs a compiled graph and a tensor", what);
    *out = chl_info(graph, x);
    if ((*out)->kind == KIND_INPUT || (*out)->kind == KIND_TRAINABLE) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s is neither an input nor trainable: not writable",
                    label(graph, x));
}

chl_status chl_write(chl_graph *graph, chl_tensor x, const void *data) {
    const chl_tensor_info *info;
    CHL_TRY(find_writable(graph, x, "chl_write", &info));
    return upload(graph, info->data, data, (size_t)chl_bytes(&info->desc));
}

chl_status chl_write_pinned(chl_graph *graph, chl_tensor x, const void *pinned, chl_queue *queue) {
    const chl_tensor_info *info;
    chl_device *device = graph->device;
    CHL_TRY(find_writable(graph, x, "chl_write_pinned", &info));
    return report(graph,
                  device->backend->upload_async(device, queue, info->data, pinned,
                                                (size_t)chl_bytes(&info->desc)),
                  "copying to the device");
}

static chl_status find_readable(const chl_graph *graph, chl_tensor x, const char *what,
                                const chl_tensor_info **out) {
    *out = NULL;
    if (!graph->compiled || x == CHL_NONE)
        return chl_fail(CHL_ERR_ARGUMENT, "%s needs a compiled graph and a tensor", what);
    const chl_tensor_info *info = chl_info(graph, x), *root = chl_info(graph, info->root);
    if (root->kind == KIND_NODE && !root->is_constant && !root->keep)
        return chl_fail(CHL_ERR_ARGUMENT, "this tensor's memory is reused: chl_keep it");
    if (!info->data) return chl_fail(CHL_ERR_ARGUMENT, "%s is never computed", label(graph, x));
    *out = info;
    return CHL_OK;
}

chl_status chl_read(chl_graph *graph, chl_tensor x, void *data) {
    const chl_tensor_info *info;
    CHL_TRY(find_readable(graph, x, "chl_read", &info));
    const size_t bytes = (size_t)chl_bytes(&info->desc);
    return report(graph, graph->device->backend->download(graph->device, data, info->data, bytes),
                  "copying from the device");
}

chl_status chl_compute_once(chl_graph *graph, chl_tensor x, const void *from, chl_tensor y,
                            void *to) {
    chl_status status;
    CHL_TRY_GOTO(chl_compile(graph));
    CHL_TRY_GOTO(chl_write(graph, x, from));
    CHL_TRY_GOTO(chl_run(graph, CHL_FIRST_SEGMENT));
    CHL_TRY_GOTO(chl_read(graph, y, to));
done:
    chl_graph_free(graph);
    return status;
}

chl_status chl_read_pinned(chl_graph *graph, chl_tensor x, void *pinned) {
    const chl_tensor_info *info;
    chl_device *device = graph->device;
    CHL_TRY(find_readable(graph, x, "chl_read_pinned", &info));
    return report(graph,
                  device->backend->download_async(device, device->queue, pinned, info->data,
                                                  (size_t)chl_bytes(&info->desc)),
                  "copying from the device");
}

/* --- profile ---------------------------------------------------------------------------------- */
void chl_profile(chl_graph *graph, bool on) {
    free(graph->seconds);
    graph->seconds = on ? calloc((size_t)graph->nodes + 1, sizeof(double)) : NULL;
    graph->runs = 0;
}
