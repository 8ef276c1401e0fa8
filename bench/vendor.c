#include "vendor.h"
#ifdef CHLADNI_ONEDNN
#include <dnnl.h>
#endif
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(CHLADNI_ONEDNN) && DNNL_VERSION_MAJOR == 2
#define MAX_ARGUMENTS 4

struct kernel_vendor {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t argument[MAX_ARGUMENTS];
    int arguments;
    float *result; /* [count] */
    int64_t count;
};

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

static bool add_argument(kernel_vendor *v, int role, const dnnl_memory_desc_t *desc,
                         const void *data) {
    dnnl_exec_arg_t *a = &v->argument[v->arguments];
    a->arg = role;
    /* oneDNN's memory has no const; it only reads its sources */
    if (dnnl_memory_create(&a->memory, desc, v->engine, (void *)(uintptr_t)data) != dnnl_success)
        return false;
    v->arguments++;
    return true;
}

static bool make(kernel_vendor *v, const_dnnl_op_desc_t desc) {
    dnnl_primitive_desc_t made;
    if (dnnl_primitive_desc_create(&made, desc, NULL, v->engine, NULL) != dnnl_success)
        return false;
    const bool good = dnnl_primitive_create(&v->primitive, made) == dnnl_success;
    dnnl_primitive_desc_destroy(made);
    return good;
}

/* result [m, n] = a [m, k] b [k, n] + bias [n], which may be NULL */
static bool product(kernel_vendor *v, int64_t m, int64_t n, int64_t k, const void *a, bool a_turned,
                    const void *b, bool b_turned, const void *bias) {
    const dnnl_memory_desc_t source = matrix(m, k, a_turned), weights = matrix(k, n, b_turned);
    const dnnl_memory_desc_t term = matrix(1, n, false), result = matrix(m, n, false);
    dnnl_matmul_desc_t desc;
    return dnnl_matmul_desc_init(&desc, &source, &weights, bias ? &term : NULL, &result) ==
               dnnl_success &&
           make(v, &desc) && add_argument(v, DNNL_ARG_SRC, &source, a) &&
           add_argument(v, DNNL_ARG_WEIGHTS, &weights, b) &&
           (!bias || add_argument(v, DNNL_ARG_BIAS, &term, bias)) &&
           add_argument(v, DNNL_ARG_DST, &result, v->result);
}

static bool gelu(kernel_vendor *v, const void *x) {
    const dnnl_memory_desc_t flat = matrix(1, v->count, false);
    dnnl_eltwise_desc_t desc;
    return dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_inference, dnnl_eltwise_gelu_erf,
                                          &flat, 0, 0) == dnnl_success &&
           make(v, &desc) && add_argument(v, DNNL_ARG_SRC, &flat, x) &&
           add_argument(v, DNNL_ARG_DST, &flat, v->result);
}

static bool sum(kernel_vendor *v, const void *a, const void *b) {
    const dnnl_memory_desc_t flat = matrix(1, v->count, false);
    dnnl_binary_desc_t desc;
    return dnnl_binary_desc_init(&desc, dnnl_binary_add, &flat, &flat, &flat) == dnnl_success &&
           make(v, &desc) && add_argument(v, DNNL_ARG_SRC_0, &flat, a) &&
           add_argument(v, DNNL_ARG_SRC_1, &flat, b) &&
           add_argument(v, DNNL_ARG_DST, &flat, v->result);
}

static bool layer_norm(kernel_vendor *v, const chl_call *call, int64_t width) {
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
           add_argument(v, DNNL_ARG_DST, &rows, v->result);
}

static int64_t last(const chl_desc *desc) {
    return desc->dim[desc->rank - 1];
}

static bool is_known(const kernel_node *node) {
    const chl_call *call = node->call;
    const chl_op op = node->node->op;
    if (!node->settings->device->backend->host_memory || node->node->fused || call->accumulate ||
        !call->out[0])
        return false;
    for (int i = 0; i < call->inputs; i++)
        if (call->in[i] == call->out[0]) return false;
    return (op == CHL_OP_linear && !(call->inputs > 3 && call->in[3])) || op == CHL_OP_linear_dx ||
           op == CHL_OP_linear_dw || op == CHL_OP_layer_norm ||
           (op == CHL_OP_sum && call->inputs == 2) ||
           (op == CHL_OP_activation && call->attr.activation.kind == CHL_GELU);
}

static bool describe(kernel_vendor *v, const kernel_node *node) {
    const chl_call *c = node->call;
    const int64_t width = last(&c->in_desc[0]), rows = chl_count(&c->in_desc[0]) / width;
    switch (node->node->op) {
    case CHL_OP_linear:
        return product(v, rows, last(&c->out_desc[0]), width, c->in[0], false, c->in[1], true,
                       c->inputs > 2 ? c->in[2] : NULL);
    case CHL_OP_linear_dx:
        return product(v, rows, last(&c->out_desc[0]), width, c->in[0], false, c->in[1], false,
                       NULL);
    case CHL_OP_linear_dw:
        return product(v, width, last(&c->in_desc[1]), rows, c->in[0], true, c->in[1], false, NULL);
    case CHL_OP_layer_norm:
        return layer_norm(v, c, width);
    case CHL_OP_sum:
        return sum(v, c->in[0], c->in[1]);
    default:
        return gelu(v, c->in[0]);
    }
}

/* Other kernels of the graph may have used the memory of these tensors since. */
static void fill_inputs(const chl_call *call) {
    for (int i = 0; i < call->inputs; i++) {
        float *to = (float *)(uintptr_t)call->in[i];
        const int64_t count = to ? chl_count(&call->in_desc[i]) : 0;
        for (int64_t j = 0; j < count; j++) to[j] = (float)((j * 7919 + i) % 1009) / 504.0f - 1;
    }
}

chl_status kernel_vendor_new(const kernel_node *node, kernel_vendor **out) {
    *out = NULL;
    if (!is_known(node)) return CHL_OK;
    kernel_vendor *v = calloc(1, sizeof *v);
    if (!v) return chl_fail(CHL_ERR_MEMORY, "out of memory for oneDNN's kernel");
    v->count = chl_count(&node->call->out_desc[0]);
    v->result = aligned_alloc(64, (size_t)(4 * v->count + 63) & ~(size_t)63);
    if (!v->result || dnnl_engine_create(&v->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&v->stream, v->engine, dnnl_stream_default_flags) != dnnl_success ||
        !describe(v, node)) {
        kernel_vendor_free(v);
        return chl_fail(CHL_ERR_INTERNAL, "oneDNN refuses %s of %s", node->name, node->shape);
    }
    fill_inputs(node->call);
    *out = v;
    return CHL_OK;
}

const char *kernel_vendor_name(const kernel_vendor *v) {
    (void)v;
    return "oneDNN";
}

chl_kernel_status kernel_vendor_run(void *vendor) {
    kernel_vendor *v = vendor;
    return dnnl_primitive_execute(v->primitive, v->stream, v->arguments, v->argument) ==
                       dnnl_success &&
                   dnnl_stream_wait(v->stream) == dnnl_success
               ? CHL_KERNEL_OK
               : CHL_KERNEL_FAILED;
}

chl_status kernel_vendor_difference(const kernel_node *node, kernel_vendor *v, double *difference) {
    double ignored, square = 0, whole = 0;
    CHL_TRY(kernel_run(node, &ignored));
    if (kernel_vendor_run(v) != CHL_KERNEL_OK)
        return chl_fail(CHL_ERR_INTERNAL, "oneDNN's %s of %s failed", node->name, node->shape);
    const float *ours = node->call->out[0];
    for (int64_t i = 0; i < v->count; i++) {
        const double d = (double)ours[i] - (double)v->result[i];
        square += d * d;
        whole += (double)v->result[i] * (double)v->result[i];
    }
    *difference = whole > 0 ? sqrt(square / whole) : INFINITY; /* zeros show nothing */
    return CHL_OK;
}

void kernel_vendor_free(kernel_vendor *v) {
    if (!v) return;
    for (int i = 0; i < v->arguments; i++) dnnl_memory_destroy(v->argument[i].memory);
    if (v->primitive) dnnl_primitive_destroy(v->primitive);
    if (v->stream) dnnl_stream_destroy(v->stream);
    if (v->engine) dnnl_engine_destroy(v->engine);
    free(v->result);
    free(v);
}
#else
chl_status kernel_vendor_new(const kernel_node *node, kernel_vendor **out) {
    (void)node;
    *out = NULL;
    return CHL_OK;
}
const char *kernel_vendor_name(const kernel_vendor *v) {
    (void)v;
    return "";
}
chl_kernel_status kernel_vendor_run(void *vendor) {
    (void)vendor;
    return CHL_KERNEL_UNSUPPORTED;
}
chl_status kernel_vendor_difference(const kernel_node *node, kernel_vendor *v, double *difference) {
    (void)node;
    (void)v;
    *difference = 0;
    return CHL_OK;
}
void kernel_vendor_free(kernel_vendor *v) {
    (void)v;
}
#endif
