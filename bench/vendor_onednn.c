/* vendor.h by oneDNN: matrix products, convolutions, layer normalisation, GELU and sums of floats. */
#include "vendor_library.h"
#ifdef CHLADNI_ONEDNN
#include <dnnl.h>
#endif
#include <stdlib.h>
#include <string.h>

#if defined(CHLADNI_ONEDNN) && DNNL_VERSION_MAJOR == 2
#define MAX_ARGUMENTS 4

typedef struct onednn {
    kernel_vendor base;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t argument[MAX_ARGUMENTS];
    int arguments;
    void *weights; /* of a convolution, as oneDNN wants them */
    int64_t count; /* of the result */
} onednn;

/* A matrix or a flat array at this place: `rows` x `width`, or its transpose as stored. */
static dnnl_memory_desc_t matrix(int64_t rows, int64_t width, bool transposed) {
    dnnl_memory_desc_t desc;
    const dnnl_dims_t dims = {rows, width};
    const dnnl_dims_t strides = {transposed ? 1 : width, transposed ? rows : 1};
    memset(&desc, 0, sizeof desc);
    if (dnnl_memory_desc_init_by_strides(&desc, 2, dims, dnnl_f32, strides) != dnnl_success)
        desc.ndims = 0;
    return desc;
}

static bool add_argument(onednn *v, int role, const dnnl_memory_desc_t *desc, const void *data) {
    dnnl_exec_arg_t *a = &v->argument[v->arguments];
    a->arg = role;
    /* oneDNN's memory has no const; it only reads its sources */
    if (dnnl_memory_create(&a->memory, desc, v->engine, (void *)(uintptr_t)data) != dnnl_success)
        return false;
    v->arguments++;
    return true;
}

static size_t whole_lines(size_t bytes) {
    return (bytes + 63) & ~(size_t)63;
}

static bool make(onednn *v, const_dnnl_op_desc_t desc) {
    dnnl_primitive_desc_t made;
    if (dnnl_primitive_desc_create(&made, desc, NULL, v->engine, NULL) != dnnl_success)
        return false;
    const bool good = dnnl_primitive_create(&v->primitive, made) == dnnl_success;
    dnnl_primitive_desc_destroy(made);
    return good;
}

/* result [m, n] = a [m, k] b [k, n] + bias [n], which may be NULL */
static bool product(onednn *v, int64_t m, int64_t n, int64_t k, const void *a, bool a_turned,
                    const void *b, bool b_turned, const void *bias) {
    const dnnl_memory_desc_t source = matrix(m, k, a_turned), weights = matrix(k, n, b_turned);
    const dnnl_memory_desc_t term = matrix(1, n, false), result = matrix(m, n, false);
    dnnl_matmul_desc_t desc;
    return dnnl_matmul_desc_init(&desc, &source, &weights, bias ? &term : NULL, &result) ==
               dnnl_success &&
           make(v, &desc) && add_argument(v, DNNL_ARG_SRC, &source, a) &&
           add_argument(v, DNNL_ARG_WEIGHTS, &weights, b) &&
           (!bias || add_argument(v, DNNL_ARG_BIAS, &term, bias)) &&
           add_argument(v, DNNL_ARG_DST, &result, v->base.result);
}

static bool gelu(onednn *v, const void *x) {
    const dnnl_memory_desc_t flat = matrix(1, v->count, false);
    dnnl_eltwise_desc_t desc;
    return dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_inference, dnnl_eltwise_gelu_erf,
                                          &flat, 0, 0) == dnnl_success &&
           make(v, &desc) && add_argument(v, DNNL_ARG_SRC, &flat, x) &&
           add_argument(v, DNNL_ARG_DST, &flat, v->base.result);
}

static bool sum(onednn *v, const void *a, const void *b) {
    const dnnl_memory_desc_t flat = matrix(1, v->count, false);
    dnnl_binary_desc_t desc;
    return dnnl_binary_desc_init(&desc, dnnl_binary_add, &flat, &flat, &flat) == dnnl_success &&
           make(v, &desc) && add_argument(v, DNNL_ARG_SRC_0, &flat, a) &&
           add_argument(v, DNNL_ARG_SRC_1, &flat, b) &&
           add_argument(v, DNNL_ARG_DST, &flat, v->base.result);
}

static bool layer_norm(onednn *v, const chl_call *call, int64_t width) {
    const dnnl_memory_desc_t rows = matrix(v->count / width, width, false);
    dnnl_memory_desc_t vector;
    const dnnl_dims_t dims = {width};
    dnnl_layer_normalization_desc_t desc;
    return dnnl_memory_desc_init_by_tag(&vector, 1, dims, dnnl_f32, dnnl_a) == dnnl_success &&
           dnnl_layer_normalization_forward_desc_init(
               &desc, dnnl_forward_inference, &rows, NULL, call->attr.norm.eps,
               dnnl_use_scale | dnnl_use_shift) == dnnl_success &&
           make(v, &desc) && add_argument(v, DNNL_ARG_SRC, &rows, call->in[0]) &&
           add_argument(v, DNNL_ARG_SCALE, &vector, call->in[1]) &&
           add_argument(v, DNNL_ARG_SHIFT, &vector, call->in[2]) &&
           add_argument(v, DNNL_ARG_DST, &rows, v->base.result);
}

/* --- convolutions: x and y as they lie, weights in a layout of the library's choice, as ours ---- */
static dnnl_memory_desc_t map(int64_t n, int64_t c, int64_t h, int64_t w, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t desc;
    const dnnl_dims_t dims = {n, c, h, w};
    if (dnnl_memory_desc_init_by_tag(&desc, 4, dims, dnnl_f32, tag) != dnnl_success) desc.ndims = 0;
    return desc;
}

static bool reorder(onednn *v, const dnnl_memory_desc_t *from, const void *data,
                    const dnnl_memory_desc_t *to, void *packed) {
    dnnl_primitive_desc_t made = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_exec_arg_t argument[2] = {{.arg = DNNL_ARG_FROM}, {.arg = DNNL_ARG_TO}};
    const bool good =
        dnnl_memory_create(&argument[0].memory, from, v->engine, (void *)(uintptr_t)data) ==
            dnnl_success &&
        dnnl_memory_create(&argument[1].memory, to, v->engine, packed) == dnnl_success &&
        dnnl_reorder_primitive_desc_create(&made, from, v->engine, to, v->engine, NULL) ==
            dnnl_success &&
        dnnl_primitive_create(&primitive, made) == dnnl_success &&
        dnnl_primitive_execute(primitive, v->stream, 2, argument) == dnnl_success &&
        dnnl_stream_wait(v->stream) == dnnl_success;
    if (primitive) dnnl_primitive_destroy(primitive);
    if (made) dnnl_primitive_desc_destroy(made);
    for (int i = 0; i < 2; i++)
        if (argument[i].memory) dnnl_memory_destroy(argument[i].memory);
    return good;
}

static bool make_with_weights(onednn *v, const_dnnl_op_desc_t desc,
                              const dnnl_memory_desc_t *stored, const void *w) {
    dnnl_primitive_desc_t made;
    if (dnnl_primitive_desc_create(&made, desc, NULL, v->engine, NULL) != dnnl_success)
        return false;
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(made, dnnl_query_weights_md, 0);
    v->weights = aligned_alloc(64, whole_lines(dnnl_memory_desc_get_size(wanted)));
    const bool good = v->weights && reorder(v, stored, w, wanted, v->weights) &&
                      add_argument(v, DNNL_ARG_WEIGHTS, wanted, v->weights) &&
                      dnnl_primitive_create(&v->primitive, made) == dnnl_success;
    dnnl_primitive_desc_destroy(made);
    return good;
}

static bool convolution(onednn *v, const chl_call *call, bool backward) {
    const chl_conv_attributes *a = &call->attr.conv;
    const chl_desc *out = backward ? &call->in_desc[0] : &call->out_desc[0];
    const dnnl_dims_t strides = {a->stride, a->stride}, pad = {a->pad, a->pad};
    const dnnl_memory_desc_t x = map(a->n, a->i, a->h, a->w, dnnl_nhwc);
    const dnnl_memory_desc_t y = map(a->n, a->o, out->dim[1], out->dim[2], dnnl_nhwc);
    const dnnl_memory_desc_t stored = map(a->o, a->i, a->kernel, a->kernel, dnnl_oihw);
    const dnnl_memory_desc_t any = map(a->o, a->i, a->kernel, a->kernel, dnnl_format_tag_any);
    const void *b = !backward && call->inputs > 3 ? call->in[3] : NULL;
    dnnl_memory_desc_t bias;
    const dnnl_dims_t channels = {a->o};
    dnnl_convolution_desc_t desc;
    if (dnnl_memory_desc_init_by_tag(&bias, 1, channels, dnnl_f32, dnnl_a) != dnnl_success)
        return false;
    if (backward)
        return dnnl_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, &x, &any,
                                                        &y, strides, pad, pad) == dnnl_success &&
               make_with_weights(v, &desc, &stored, call->in[1]) &&
               add_argument(v, DNNL_ARG_DIFF_DST, &y, call->in[0]) &&
               add_argument(v, DNNL_ARG_DIFF_SRC, &x, v->base.result);
    return dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference,
                                              dnnl_convolution_direct, &x, &any, b ? &bias : NULL,
                                              &y, strides, pad, pad) == dnnl_success &&
           make_with_weights(v, &desc, &stored, call->in[1]) &&
           add_argument(v, DNNL_ARG_SRC, &x, call->in[0]) &&
           (!b || add_argument(v, DNNL_ARG_BIAS, &bias, b)) &&
           add_argument(v, DNNL_ARG_DST, &y, v->base.result);
}

static bool is_convolution(chl_op op) {
    return op == CHL_OP_conv || op == CHL_OP_conv_dx;
}

static bool is_known(const kernel_node *node) {
    const chl_call *call = node->call;
    const chl_op op = node->node->op;
    return (op == CHL_OP_linear && !(call->inputs > 3 && call->in[3])) || op == CHL_OP_linear_dx ||
           op == CHL_OP_linear_dw || op == CHL_OP_layer_norm || is_convolution(op) ||
           (op == CHL_OP_sum && call->inputs == 2) ||
           (op == CHL_OP_activation && call->attr.activation.kind == CHL_GELU);
}

static bool describe(onednn *v, const kernel_node *node) {
    const chl_call *c = node->call;
    const int64_t width = vendor_width(&c->in_desc[0]), rows = chl_count(&c->in_desc[0]) / width;
    switch (node->node->op) {
    case CHL_OP_linear:
        return product(v, rows, vendor_width(&c->out_desc[0]), width, c->in[0], false, c->in[1],
                       true, c->inputs > 2 ? c->in[2] : NULL);
    case CHL_OP_linear_dx:
        return product(v, rows, vendor_width(&c->out_desc[0]), width, c->in[0], false, c->in[1],
                       false, NULL);
    case CHL_OP_linear_dw:
        return product(v, width, vendor_width(&c->in_desc[1]), rows, c->in[0], true, c->in[1],
                       false, NULL);
    case CHL_OP_conv:
    case CHL_OP_conv_dx:
        return convolution(v, c, node->node->op == CHL_OP_conv_dx);
    case CHL_OP_layer_norm:
        return layer_norm(v, c, width);
    case CHL_OP_sum:
        return sum(v, c->in[0], c->in[1]);
    default:
        return gelu(v, c->in[0]);
    }
}

/* A convolution's packed weights are made anew of its weights, which stay. */
static chl_status fill_inputs(const kernel_node *node) {
    const chl_call *call = node->call;
    if (!is_convolution(node->node->op)) {
        for (int i = 0; i < call->inputs; i++) CHL_TRY(vendor_fill(node, i));
        return CHL_OK;
    }
    const chl_graph *g = node->graph;
    const int32_t packing = chl_info(g, node->node->in[2])->producer;
    CHL_TRY(vendor_fill(node, 0));
    if (g->device->backend->body(g->node[packing].op)->run(&g->call[packing]) == CHL_KERNEL_OK)
        return CHL_OK;
    return chl_fail(CHL_ERR_INTERNAL, "the weights of %s cannot be packed", node->name);
}

static chl_kernel_status run(kernel_vendor *vendor) {
    const onednn *v = (const onednn *)vendor;
    return dnnl_primitive_execute(v->primitive, v->stream, v->arguments, v->argument) ==
                       dnnl_success &&
                   dnnl_stream_wait(v->stream) == dnnl_success
               ? CHL_KERNEL_OK
               : CHL_KERNEL_FAILED;
}

static void free_onednn(kernel_vendor *vendor) {
    onednn *v = (onednn *)vendor;
    for (int i = 0; i < v->arguments; i++) dnnl_memory_destroy(v->argument[i].memory);
    if (v->primitive) dnnl_primitive_destroy(v->primitive);
    if (v->stream) dnnl_stream_destroy(v->stream);
    if (v->engine) dnnl_engine_destroy(v->engine);
    free(v->base.result);
    free(v->weights);
    free(v);
}

chl_status vendor_onednn_new(const kernel_node *node, kernel_vendor **out) {
    if (!is_known(node)) return CHL_OK;
    onednn *v = calloc(1, sizeof *v);
    if (!v) return chl_fail(CHL_ERR_MEMORY, "out of memory for oneDNN's kernel");
    v->base = (kernel_vendor){.name = "oneDNN", .tolerance = 1e-4, .run = run, .free = free_onednn};
    v->count = chl_count(&node->call->out_desc[0]);
    v->base.result = aligned_alloc(64, whole_lines((size_t)v->count * sizeof(float)));
    if (!v->base.result || dnnl_engine_create(&v->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&v->stream, v->engine, dnnl_stream_default_flags) != dnnl_success ||
        !describe(v, node)) {
        free_onednn(&v->base);
        return chl_fail(CHL_ERR_INTERNAL, "oneDNN refuses %s of %s", node->name, node->shape);
    }
    const chl_status status = fill_inputs(node);
    if (status == CHL_OK)
        *out = &v->base;
    else
        free_onednn(&v->base);
    return status;
}
#else
chl_status vendor_onednn_new(const kernel_node *node, kernel_vendor **out) {
    (void)node;
    (void)out;
    return CHL_OK;
}
#endif
