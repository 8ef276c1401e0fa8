/* Building the graph: tensors and nodes are appended to two arrays; the first error sticks. */
#include "base/free.h"
#include "graph/graph_private.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- shapes ----------------------------------------------------------------------------------- */
chl_desc chl_make_desc(chl_dtype dtype, int rank, const int64_t *dim) {
    chl_desc desc = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank && i < CHL_MAX_RANK; i++) desc.dim[i] = dim[i];
    return desc;
}

static chl_desc desc_of_ints(chl_dtype dtype, int rank, va_list dims) {
    int64_t dim[CHL_MAX_RANK] = {0};
    for (int i = 0; i < rank && i < CHL_MAX_RANK; i++) dim[i] = va_arg(dims, int);
    return chl_make_desc(dtype, rank, dim);
}

chl_desc chl_f32(int rank, ...) {
    va_list dims;
    va_start(dims, rank);
    chl_desc desc = desc_of_ints(CHL_F32, rank, dims);
    va_end(dims);
    return desc;
}

chl_desc chl_i32(int rank, ...) {
    va_list dims;
    va_start(dims, rank);
    chl_desc desc = desc_of_ints(CHL_I32, rank, dims);
    va_end(dims);
    return desc;
}

bool chl_same_shape(const chl_desc *a, const chl_desc *b) {
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

char *chl_shape_text(const chl_desc *desc, char *text, size_t size) {
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < desc->rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? "," : "", desc->dim[i]);
    if (at < size) snprintf(text + at, size - at, "]");
    return text;
}

/* --- life ------------------------------------------------------------------------------------- */
chl_status chl_graph_new(chl_device *device, chl_graph **out) {
    *out = NULL;
    if (device->backend->version != CHL_BACKEND_VERSION)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "backend %s speaks version %u, this program %d: rebuild it", device->name,
                        device->backend->version, CHL_BACKEND_VERSION);
    chl_graph *graph = calloc(1, sizeof *graph);
    if (!graph) return chl_fail(CHL_ERR_MEMORY, "out of memory for a graph");
    graph->device = device;
    graph->segments = 1;
    graph->bucket = CHL_DEFAULT_BUCKET;
    *out = graph;
    return CHL_OK;
}

void chl_graph_precision(chl_graph *graph, chl_dtype activations) {
    if (activations == CHL_BF16 && !graph->device->backend->bf16)
        chl_graph_fail(graph, CHL_ERR_UNSUPPORTED, "backend %s computes in float32 only",
                       graph->device->name);
    graph->precision = activations;
}

void chl_graph_path(chl_graph *graph, const char *name) {
    graph->path = name;
}

void chl_graph_part(chl_graph *graph, int32_t part) {
    graph->part = part;
}

chl_dtype chl_precision_of(const chl_graph *graph) {
    return graph->precision;
}

static void free_recordings(chl_graph *graph, chl_recording **recording) {
    for (int i = 0; recording && i < graph->segments; i++)
        if (recording[i]) graph->device->backend->destroy_capture(graph->device, recording[i]);
    free(recording);
}

void chl_graph_first_sample(chl_graph *graph, int64_t first) {
    if (first < 0 || first > INT32_MAX)
        chl_graph_fail(graph, CHL_ERR_ARGUMENT, "the first sample must be 0 to 2^31 - 1");
    else
        graph->first_sample = first;
}

int64_t chl_first_sample_of(const chl_graph *graph) {
    return graph->first_sample;
}

static void free_beside(chl_graph *graph) {
    const chl_backend *backend = graph->device->backend;
    if (graph->beside) backend->queue_free(graph->device, graph->beside);
    for (int32_t b = 1; graph->done && b <= graph->buckets; b++)
        if (graph->done[b]) backend->event_free(graph->device, graph->done[b]);
    if (graph->forked) backend->event_free(graph->device, graph->forked);
    free(graph->done);
    free(graph->joined);
}

void chl_graph_free(chl_graph *graph) {
    if (!graph) return;
    for (int32_t t = 0; t < graph->tensors; t++) {
        free(graph->tensor[t].name);
        free(graph->tensor[t].owned);
    }
    const chl_backend *backend = graph->device->backend;
    free_beside(graph);
    free_recordings(graph, graph->recording);
    free_recordings(graph, graph->other_recording);
    free(graph->has_run);
    backend->release(graph->device, graph->step);
    backend->release(graph->device, graph->persistent);
    backend->release(graph->device, graph->constant);
    backend->release(graph->device, graph->transient);
    CHL_FREE(graph->tensor, graph->node, graph->segment_end, graph->workspace_offset, graph->call,
             graph->other_call, graph->seconds, graph->error, graph);
}

chl_status chl_graph_status(const chl_graph *graph) {
    if (graph->status == CHL_OK) return CHL_OK;
    return chl_fail(graph->status, "%s", graph->error ? graph->error : "out of memory");
}

chl_tensor chl_graph_fail(chl_graph *graph, chl_status code, const char *format, ...) {
    if (graph->status != CHL_OK) return CHL_NONE;
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    graph->status = code;
    graph->error = strdup(text);
    return CHL_NONE;
}

/* --- tensors ---------------------------------------------------------------------------------- */
chl_tensor chl_new_tensor(chl_graph *graph, const char *name, chl_desc desc, chl_kind kind) {
    if (graph->status != CHL_OK) return CHL_NONE;
    if (graph->compiled)
        return chl_graph_fail(graph, CHL_ERR_ARGUMENT,
                              "the graph is compiled: nothing can be added");
    if (graph->tensors == graph->tensor_capacity) {
        int32_t capacity = graph->tensor_capacity ? 2 * graph->tensor_capacity : 256;
        chl_tensor_info *grown = realloc(graph->tensor, (size_t)capacity * sizeof *grown);
        if (!grown) return chl_graph_fail(graph, CHL_ERR_MEMORY, "out of memory for tensors");
        graph->tensor = grown;
        graph->tensor_capacity = capacity;
        if (graph->tensors == 0) /* handle 0 is CHL_NONE: nobody's */
            graph->tensor[graph->tensors++] = (chl_tensor_info){.first = INT32_MAX, .last = -1};
    }
    for (int i = 0; i < desc.rank; i++)
        if (desc.dim[i] < 1)
            return chl_graph_fail(graph, CHL_ERR_SHAPE, "tensor %s has an empty axis",
                                  name ? name : "(unnamed)");
    char *copy = name ? strdup(name) : NULL;
    if (name && !copy)
        return chl_graph_fail(graph, CHL_ERR_MEMORY, "out of memory for the name \"%s\"", name);
    chl_tensor t = graph->tensors++;
    graph->tensor[t] = (chl_tensor_info){
        .name = copy,
        .desc = desc,
        .kind = kind,
        .root = t,
        .view_of = CHL_NONE,
        .is_constant = kind == KIND_CONSTANT || kind == KIND_FROZEN,
        .producer = -1,
        .storage = t,
        .first = INT32_MAX,
        .last = -1,
        .offset = -1,
    };
    return t;
}

chl_tensor chl_input(chl_graph *graph, const char *name, chl_desc desc) {
    return chl_new_tensor(graph, name, desc, KIND_INPUT);
}

chl_tensor chl_param(chl_graph *graph, const char *name, chl_desc desc, const void *init,
                     chl_param_kind kind) {
    chl_tensor t =
        chl_new_tensor(graph, name, desc, kind == CHL_FROZEN ? KIND_FROZEN : KIND_TRAINABLE);
    if (t != CHL_NONE) graph->tensor[t].init = init;
    return t;
}

chl_tensor chl_constant(chl_graph *graph, const char *name, chl_desc desc, const void *data) {
    chl_tensor t = chl_new_tensor(graph, name, desc, KIND_CONSTANT);
    if (t == CHL_NONE) return t;
    size_t bytes = (size_t)chl_bytes(&desc);
    void *copy = malloc(bytes);
    if (!copy) return chl_graph_fail(graph, CHL_ERR_MEMORY, "out of memory for constant %s", name);
    memcpy(copy, data, bytes);
    graph->tensor[t].owned = copy;
    graph->tensor[t].init = copy;
    return t;
}

static chl_tensor view(chl_graph *graph, chl_tensor x, chl_desc desc) {
    chl_tensor t = chl_new_tensor(graph, NULL, desc, KIND_NODE);
    if (t == CHL_NONE) return t;
    chl_tensor_info *source = chl_info(graph, x), *info = chl_info(graph, t);
    info->kind = source->kind;
    info->root = source->root;
    info->view_of = x;
    info->is_constant = source->is_constant;
    return t;
}

chl_tensor chl_reshape(chl_graph *graph, chl_tensor x, chl_desc desc) {
    if (x == CHL_NONE || graph->status != CHL_OK) return CHL_NONE;
    const chl_desc *from = &graph->tensor[x].desc;
    if (from->dtype == CHL_BF16 && desc.dtype == CHL_F32) desc.dtype = CHL_BF16;
    if (from->dtype != desc.dtype || chl_count(from) != chl_count(&desc)) {
        char a[96], b[96];
        return chl_graph_fail(graph, CHL_ERR_SHAPE, "reshape: %s cannot become %s",
                              chl_shape_text(from, a, sizeof a),
                              chl_shape_text(&desc, b, sizeof b));
    }
    return chl_same_shape(from, &desc) ? x : view(graph, x, desc);
}

chl_tensor chl_stop_gradient(chl_graph *graph, chl_tensor x) {
    if (x == CHL_NONE || graph->status != CHL_OK) return CHL_NONE;
    chl_tensor t = view(graph, x, graph->tensor[x].desc);
    if (t != CHL_NONE) graph->tensor[t].stop = true;
    return t;
}

chl_tensor chl_keep(chl_graph *graph, chl_tensor x) {
    if (x != CHL_NONE && graph->status == CHL_OK) graph->tensor[graph->tensor[x].root].keep = true;
    return x;
}

const chl_desc *chl_desc_of(const chl_graph *graph, chl_tensor x) {
    static const chl_desc nothing = {.rank = 1, .dim = {1}};
    return x == CHL_NONE || graph->status != CHL_OK ? &nothing : &graph->tensor[x].desc;
}

const char *chl_name_of(const chl_graph *graph, chl_tensor x) {
    return x == CHL_NONE ? NULL : graph->tensor[x].name;
}

bool chl_is_constant(const chl_graph *graph, chl_tensor x) {
    return x != CHL_NONE && graph->status == CHL_OK && graph->tensor[x].is_constant;
}

bool chl_is_trainable(const chl_graph *graph, chl_tensor x) {
    return x != CHL_NONE && graph->tensor[x].kind == KIND_TRAINABLE;
}

bool chl_is_input(const chl_graph *graph, chl_tensor x) {
    return x != CHL_NONE && graph->tensor[x].kind == KIND_INPUT &&
           graph->tensor[x].view_of == CHL_NONE;
}

int32_t chl_tensor_count(const chl_graph *graph) {
    return graph->tensors;
}

void chl_graph_no_fusion(chl_graph *graph) {
    graph->no_fusion = true;
}

void chl_graph_bucket(chl_graph *graph, int64_t bytes) {
    graph->bucket = bytes;
}

chl_segment chl_begin_segment(chl_graph *graph) {
    int32_t *grown = realloc(graph->segment_end, (size_t)graph->segments * sizeof *grown);
    if (!grown) {
        chl_graph_fail(graph, CHL_ERR_MEMORY, "out of memory for segments");
        return 0;
    }
    graph->segment_end = grown;
    graph->segment_end[graph->segments - 1] = graph->nodes;
    return CHL_FIRST_SEGMENT + graph->segments++;
}

/* --- nodes ------------------------------------------------------------------------------------ */
static const struct {
    const char *name, *inputs, *outputs;
    const chl_rule *rule;
} table[] = {
#define CHL_OP(name, inputs, outputs) {#name, inputs, outputs, &chl_rule_##name},
#include "op_table.h"
#undef CHL_OP
};

const chl_rule *chl_rule_of(chl_op op) {
    return table[op].rule;
}
const char *chl_op_name(chl_op op) {
    return table[op].name;
}

/* "w" also finds the optional "w?" */
static int slot(const char *list, const char *name, size_t length) {
    int at = 0;
    for (const char *s = list;; s++, at++) {
        if (!strncmp(s, name, length) && strchr(" ?", s[length])) return at;
        s = strchr(s, ' ');
        if (!s) return -1;
    }
}
int chl_input_slot(chl_op op, const char *name, size_t length) {
    return slot(table[op].inputs, name, length);
}
int chl_output_slot(chl_op op, const char *name, size_t length) {
    return slot(table[op].outputs, name, length);
}

void chl_node_shapes(const chl_graph *graph, const chl_node *node, chl_shapes *shapes) {
    *shapes = (chl_shapes){.attr = &node->attr, .inputs = node->inputs, .outputs = node->outputs};
    for (int i = 0; i < node->inputs; i++) {
        shapes->present[i] = node->in[i] != CHL_NONE;
        if (shapes->present[i]) shapes->in[i] = graph->tensor[node->in[i]].desc;
    }
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] > CHL_NONE) shapes->out[i] = graph->tensor[node->out[i]].desc;
}

int32_t chl_word_number(const char *words, const char *word) {
    const size_t length = strlen(word);
    for (int32_t number = 0;; number++) {
        const size_t own = strcspn(words, " ");
        if (own == length && strncmp(words, word, length) == 0) return number;
        if (!words[own]) return -1;
        words += own + 1;
    }
}

static const chl_paths *paths_of(const chl_graph *graph, chl_op op) {
    const chl_backend *backend = graph->device->backend;
    return backend->paths ? backend->paths(op) : NULL;
}

const char *chl_path_of(const chl_graph *graph, chl_op op, const chl_call *call, char *text,
                        size_t size) {
    const chl_paths *paths = paths_of(graph, op);
    if (!paths) return NULL;
    chl_device_bind(graph->device);
    const char *name = paths->names;
    for (int32_t number = paths->taken(call); number > 0; number--) name = strchr(name, ' ') + 1;
    snprintf(text, size, "%.*s", (int)strcspn(name, " "), name);
    return text;
}

void chl_describe_call(const chl_graph *graph, const chl_node *node, chl_call *call) {
    *call = (chl_call){.attr = node->attr,
                       .inputs = node->inputs,
                       .outputs = node->outputs,
                       .accumulate = node->accumulate,
                       .together = node->fused ? node->fused_count : 0};
    const chl_paths *paths = graph->path ? paths_of(graph, node->op) : NULL;
    if (paths) call->path = 1 + chl_word_number(paths->names, graph->path);
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] != CHL_NONE) call->in_desc[i] = graph->tensor[node->in[i]].desc;
    for (int i = 0; i < node->outputs; i++)
        if (node->out[i] > CHL_NONE) call->out_desc[i] = graph->tensor[node->out[i]].desc;
}

/* "linear(x [2,8,512], blocks.0.w [512,256])" */
static void node_text(const chl_graph *graph, const chl_node *node, char *text, size_t size) {
    size_t at = (size_t)snprintf(text, size, "%s(", chl_op_name(node->op));
    for (int i = 0; i < node->inputs && at < size; i++) {
        char shape[96] = "-";
        const char *name = "";
        if (node->in[i] != CHL_NONE) {
            chl_shape_text(&graph->tensor[node->in[i]].desc, shape, sizeof shape);
            name = graph->tensor[graph->tensor[node->in[i]].root].name;
        }
        at += (size_t)snprintf(text + at, size - at, "%s%s%s%s", i ? ", " : "", name ? name : "",
                               name && *name ? " " : "", shape);
    }
    if (at < size) snprintf(text + at, size - at, ")");
}

/* Shows the rule float32 everywhere; says whether the activations are bf16. */
static chl_status hide_precision(const chl_rule *rule, chl_shapes *shapes, bool *half) {
    int activations = 0, halves = 0;
    for (int i = 0; i < shapes->inputs; i++) {
        if (!shapes->present[i]) continue;
        const bool is_half = shapes->in[i].dtype == CHL_BF16, may = rule->bf16.inputs >> i & 1u;
        if (is_half && !may)
            return chl_fail(CHL_ERR_SHAPE, "input %d must be float32: chl_to_float32 it first", i);
        activations += may;
        halves += is_half;
        if (is_half) shapes->in[i].dtype = CHL_F32;
    }
    *half = halves > 0;
    if (*half && halves < activations)
        return chl_fail(CHL_ERR_SHAPE, "some inputs are bf16 and others float32");
    return CHL_OK;
}

static chl_status infer_shapes(chl_shapes *shapes, chl_op op) {
    const chl_rule *rule = chl_rule_of(op);
    bool half;
    CHL_TRY(hide_precision(rule, shapes, &half));
    CHL_TRY(rule->infer(shapes));
    for (int i = 0; half && i < shapes->outputs; i++)
        if (rule->bf16.outputs >> i & 1u) shapes->out[i].dtype = CHL_BF16;
    return CHL_OK;
}

bool chl_infer(chl_graph *graph, const chl_node *node, chl_shapes *shapes) {
    chl_node_shapes(graph, node, shapes);
    if (infer_shapes(shapes, node->op) != CHL_OK) {
        char text[600];
        node_text(graph, node, text, sizeof text);
        chl_graph_fail(graph, CHL_ERR_SHAPE, "%s: %s", text, chl_error());
        return false;
    }
    if (shapes->outputs > 0 && shapes->out[0].rank == 0) {
        const chl_body *body = graph->device->backend->body(node->op);
        chl_call call;
        chl_describe_call(graph, node, &call);
        if (!body || !body->opaque) {
            chl_graph_fail(graph, CHL_ERR_UNSUPPORTED, "backend %s cannot lay out the result of %s",
                           graph->device->name, chl_op_name(node->op));
            return false;
        }
        chl_device_bind(graph->device);
        int64_t bytes = (int64_t)body->opaque(&call);
        shapes->out[0] = chl_make_desc(CHL_U8, 1, &bytes);
    }
    return true;
}

/* Input i's entry in the op table ends in '?'. */
static bool optional_input(chl_op op, int input) {
    const char *at = table[op].inputs;
    for (int i = 0; i < input && at; i++) at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
    return at && at[strcspn(at, " ") - 1] == '?';
}

static bool ready(chl_graph *graph, const chl_node *node) {
    if (graph->status != CHL_OK) return false;
    for (int i = 0; i < node->inputs; i++) {
        if (node->in[i] != CHL_NONE || optional_input(node->op, i)) continue;
        chl_graph_fail(graph, CHL_ERR_ARGUMENT, "%s: input %d is missing", chl_op_name(node->op),
                       i);
        return false;
    }
    if (!graph->device->backend->body(node->op)) {
        chl_graph_fail(graph, CHL_ERR_UNSUPPORTED, "backend %s does not have the op %s",
                       graph->device->name, chl_op_name(node->op));
        return false;
    }
    return true;
}

/* A node over frozen tensors is computed once; so an equal one is the same node. (A network applied
 * twice would otherwise pack its weights twice.) -1 when there is none. */
static int32_t find_equal(const chl_graph *graph, const chl_node *node) {
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *other = &graph->node[n];
        if (!other->is_constant || other->op != node->op || other->inputs != node->inputs ||
            other->outputs != node->outputs ||
            /* unset padding can only hide an equal node, never make one up */
            /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
            memcmp(&other->attr, &node->attr, sizeof node->attr) != 0 ||
            memcmp(other->in, node->in, sizeof node->in) != 0)
            continue;
        bool same_outputs = true;
        for (int i = 0; i < node->outputs; i++)
            same_outputs =
                same_outputs && (other->out[i] > CHL_NONE) == (node->out[i] == CHL_FRESH);
        if (same_outputs) return n;
    }
    return -1;
}

void chl_append(chl_graph *graph, const chl_node *prototype, chl_tensor *out) {
    for (int i = 0; out && i < prototype->outputs; i++) out[i] = CHL_NONE;
    if (!ready(graph, prototype)) return;
    chl_node node = *prototype;
    node.segment = graph->segments - 1;
    node.part = graph->part;
    node.of_gradient = graph->differentiating;
    chl_shapes shapes;
    if (!chl_infer(graph, &node, &shapes)) return;
    bool is_constant = node.accumulate == 0 && !node.every_run && node.op != CHL_OP_drop_path;
    for (int i = 0; i < node.inputs; i++)
        if (node.in[i] != CHL_NONE)
            is_constant = is_constant && graph->tensor[node.in[i]].is_constant;
    int32_t equal = is_constant ? find_equal(graph, &node) : -1;
    if (equal >= 0) {
        for (int i = 0; out && i < node.outputs; i++) out[i] = graph->node[equal].out[i];
        return;
    }
    if (graph->nodes == graph->node_capacity) {
        int32_t capacity = graph->node_capacity ? 2 * graph->node_capacity : 256;
        chl_node *grown = realloc(graph->node, (size_t)capacity * sizeof *grown);
        if (!grown) {
            chl_graph_fail(graph, CHL_ERR_MEMORY, "out of memory for nodes");
            return;
        }
        graph->node = grown;
        graph->node_capacity = capacity;
    }
    for (int i = 0; i < node.outputs; i++) {
        if (node.out[i] != CHL_FRESH) continue;
        node.out[i] = chl_new_tensor(graph, NULL, shapes.out[i], KIND_NODE);
        if (node.out[i] == CHL_NONE) return;
        chl_info(graph, node.out[i])->producer = graph->nodes;
        chl_info(graph, node.out[i])->is_constant = is_constant;
    }
    node.is_constant = is_constant;
    graph->node[graph->nodes++] = node;
    for (int i = 0; out && i < node.outputs; i++) out[i] = node.out[i];
}

void chl_emit(chl_graph *graph, chl_op op, const chl_attributes *attr, int inputs,
              const chl_tensor *in, int outputs, chl_tensor *out) {
    chl_node node = {.op = op, .inputs = inputs, .outputs = outputs};
    if (attr) node.attr = *attr;
    for (int i = 0; i < inputs; i++) node.in[i] = in[i];
    for (int i = 0; i < outputs; i++) node.out[i] = CHL_FRESH;
    chl_append(graph, &node, out);
}

chl_tensor chl_emit1(chl_graph *graph, chl_op op, const chl_attributes *attr, int inputs,
                     const chl_tensor *in) {
    chl_tensor out;
    chl_emit(graph, op, attr, inputs, in, 1, &out);
    return out;
}

void chl_emit_update(chl_graph *graph, chl_op op, const chl_attributes *attr, int inputs,
                     const chl_tensor *in, int outputs, const chl_tensor *out) {
    chl_node node = {.op = op, .inputs = inputs, .outputs = outputs};
    if (attr) node.attr = *attr;
    for (int i = 0; i < inputs; i++) node.in[i] = in[i];
    for (int i = 0; i < outputs; i++) node.out[i] = out[i];
    node.accumulate = (1u << outputs) - 1;
    chl_append(graph, &node, NULL);
}

void chl_number_producers(chl_graph *graph) {
    for (chl_tensor t = 1; t < graph->tensors; t++) graph->tensor[t].producer = -1;
    for (int32_t n = 0; n < graph->nodes; n++)
        for (int i = 0; i < graph->node[n].outputs; i++) {
            const chl_tensor t = graph->node[n].out[i];
            if (t > CHL_NONE && graph->tensor[t].kind == KIND_NODE && graph->tensor[t].producer < 0)
                graph->tensor[t].producer = n;
        }
}

void chl_number_segments(chl_graph *graph) {
    for (int s = 0, end = 0; s + 1 < graph->segments; s++) {
        while (end < graph->nodes && graph->node[end].segment <= s) end++;
        graph->segment_end[s] = end;
    }
}

bool chl_packs_linear(const chl_graph *graph, chl_tensor x, chl_tensor w) {
    const chl_backend *backend = graph->device->backend;
    if (!backend->packs_linear || graph->status != CHL_OK) return false;
    const chl_node node = {.op = CHL_OP_linear, .inputs = 2, .in = {x, w}};
    chl_call call;
    chl_describe_call(graph, &node, &call);
    return backend->packs_linear(&call);
}
