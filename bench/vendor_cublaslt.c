/* vendor.h by cuBLASLt, which is opened when the first kernel is asked for: the products of `linear`
 * and its gradients, in float or bf16, the bias added in the epilogue. It thinks in columns:
 * d^T = b^T a^T. The algorithm is the first that the library advises for the shape. */
#include "vendor_library.h"
#if defined(__has_include)
#if __has_include(<cublasLt.h>)
#define CHL_HAS_CUBLASLT
#endif
#endif

#ifdef CHL_HAS_CUBLASLT
#include "bf16.h"
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdlib.h>

#define WORKSPACE ((size_t)32 << 20) /* as kernels/cuda gives it */

#define FUNCTIONS(f)                                                                               \
    f(cublasLtCreate) f(cublasLtDestroy) f(cublasLtGetStatusString) f(cublasLtMatmulDescCreate)    \
        f(cublasLtMatmulDescDestroy) f(cublasLtMatmulDescSetAttribute)                             \
            f(cublasLtMatrixLayoutCreate) f(cublasLtMatrixLayoutDestroy)                           \
                f(cublasLtMatmulPreferenceCreate) f(cublasLtMatmulPreferenceDestroy)               \
                    f(cublasLtMatmulPreferenceSetAttribute) f(cublasLtMatmulAlgoGetHeuristic)      \
                        f(cublasLtMatmul)

typedef struct functions {
    bool tried, complete;
#define MEMBER(name) __typeof__(&(name)) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} functions;

static bool find_all(void *module, functions *f) {
    bool complete = true;
#define FIND(name)                                                                                 \
    *(void **)&f->name = dlsym(module, #name);                                                     \
    complete = complete && f->name;
    FUNCTIONS(FIND)
#undef FIND
    return complete;
}
/* Opened once for the process, which measures on one thread. */
static const functions *library(void) {
    static functions f;
    static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
    for (size_t i = 0; i < sizeof names / sizeof *names && !f.tried && !f.complete; i++) {
        void *module = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        f.complete = module && find_all(module, &f);
        if (module && !f.complete) (void)dlclose(module);
    }
    f.tried = true;
    return &f;
}

typedef struct cublaslt {
    kernel_vendor base;
    chl_device *device;
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulAlgo_t algorithm;
    float alpha;
    const void *a_data, *b_data;
    void *weight, *bias, *workspace; /* its own */
    cudaStream_t stream;
    cublasStatus_t said; /* the first failure */
} cublaslt;

/* result [rows, columns] = a b + bias, row-major; what is turned lies as its transpose */
typedef struct product_shape {
    int64_t rows, columns, inner;
    bool a_turned, b_turned, bias;
    chl_dtype from, to;
} product_shape;

static bool good(cublaslt *v, cublasStatus_t said) {
    if (v->said == CUBLAS_STATUS_SUCCESS) v->said = said;
    return v->said == CUBLAS_STATUS_SUCCESS;
}
static cudaDataType_t type_of(chl_dtype t) {
    return t == CHL_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}
static bool tell(cublaslt *v, cublasLtMatmulDescAttributes_t what, const void *value, size_t size) {
    return good(v, library()->cublasLtMatmulDescSetAttribute(v->product, what, value, size));
}
/* A row-major [rows, columns] is a column-major [columns, rows]. */
static bool layout(cublaslt *v, cublasLtMatrixLayout_t *out, chl_dtype type, int64_t rows,
                   int64_t columns) {
    return good(v, library()->cublasLtMatrixLayoutCreate(out, type_of(type), (uint64_t)columns,
                                                         (uint64_t)rows, columns));
}

static bool describe(cublaslt *v, const product_shape *s, bool tf32) {
    const cublasComputeType_t compute =
        tf32 && s->from == CHL_F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const int32_t turn_a = s->b_turned ? CUBLAS_OP_T : CUBLAS_OP_N; /* its a is our b */
    const int32_t turn_b = s->a_turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    const uint32_t epilogue = s->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    const int32_t bias_type = (int32_t)type_of(s->to);
    return good(v, library()->cublasLtMatmulDescCreate(&v->product, compute, CUDA_R_32F)) &&
           tell(v, CUBLASLT_MATMUL_DESC_TRANSA, &turn_a, sizeof turn_a) &&
           tell(v, CUBLASLT_MATMUL_DESC_TRANSB, &turn_b, sizeof turn_b) &&
           tell(v, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue) &&
           (!s->bias ||
            (tell(v, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias_type, sizeof bias_type) &&
             tell(v, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &v->bias, sizeof(void *)))) &&
           layout(v, &v->a, s->from, s->a_turned ? s->inner : s->rows,
                  s->a_turned ? s->rows : s->inner) &&
           layout(v, &v->b, s->from, s->b_turned ? s->columns : s->inner,
                  s->b_turned ? s->inner : s->columns) &&
           layout(v, &v->d, s->to, s->rows, s->columns);
}

static bool choose(cublaslt *v) {
    const functions *f = library();
    const uint64_t bytes = WORKSPACE;
    cublasLtMatmulPreference_t wish = NULL;
    cublasLtMatmulHeuristicResult_t best = {0};
    int found = 0;
    const bool asked =
        good(v, f->cublasLtMatmulPreferenceCreate(&wish)) &&
        good(v, f->cublasLtMatmulPreferenceSetAttribute(
                    wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes)) &&
        good(v, f->cublasLtMatmulAlgoGetHeuristic(v->handle, v->product, v->b, v->a, v->d, v->d,
                                                  wish, 1, &best, &found)) &&
        good(v, found ? best.state : CUBLAS_STATUS_NOT_SUPPORTED);
    if (wish) (void)f->cublasLtMatmulPreferenceDestroy(wish);
    v->algorithm = best.algo;
    return asked;
}

/* A copy of `count` floats of the device times `gain`, in the type of the activations: made before
 * the clock starts. */
static chl_status copy_as(cublaslt *v, const kernel_node *node, const void *from, int64_t count,
                          float gain, chl_dtype type, void **out) {
    const size_t bytes = (size_t)(count * chl_item_bytes(type));
    float *data;
    CHL_TRY(vendor_read(node, from, CHL_F32, count, &data));
    for (int64_t i = 0; i < count; i++) data[i] *= gain;
    if (type == CHL_BF16) bench_round_bf16(data, count);
    chl_status status = v->device->backend->allocate(v->device, bytes, out);
    if (status == CHL_OK) status = v->device->backend->upload(v->device, *out, data, bytes);
    free(data);
    return status;
}

/* What is multiplied, and where it lies. */
static chl_status set_up(cublaslt *v, const kernel_node *node, product_shape *s) {
    const chl_call *c = node->call;
    const int64_t width = vendor_width(&c->in_desc[0]);
    const int64_t rows = chl_count(&c->in_desc[0]) / width;
    const int64_t other = vendor_width(&c->out_desc[0]);
    s->from = c->in_desc[0].dtype;
    s->to = c->out_desc[0].dtype;
    v->alpha = c->attr.linear.gain;
    v->a_data = c->in[0];
    CHL_TRY(vendor_fill(node, 0));
    if (node->node->op == CHL_OP_linear_dw) { /* dy^T x */
        *s = (product_shape){width, other, rows, true, false, false, s->from, s->to};
        v->b_data = c->in[1];
        return vendor_fill(node, 1);
    }
    const bool forward = node->node->op == CHL_OP_linear; /* x w^T + b; dy w */
    *s = (product_shape){rows, other, width, false, forward, false, s->from, s->to};
    CHL_TRY(copy_as(v, node, c->in[1], chl_count(&c->in_desc[1]), 1, s->from, &v->weight));
    v->b_data = v->weight;
    s->bias = forward && c->inputs > 2 && c->in[2];
    if (!s->bias) return CHL_OK;
    return copy_as(v, node, c->in[2], other, c->attr.linear.bias_gain, s->to, &v->bias);
}

static chl_kernel_status run(kernel_vendor *vendor) {
    cublaslt *v = (cublaslt *)vendor;
    const float none = 0;
    return good(v, library()->cublasLtMatmul(v->handle, v->product, &v->alpha, v->b_data, v->b,
                                             v->a_data, v->a, &none, v->base.result, v->d,
                                             v->base.result, v->d, &v->algorithm, v->workspace,
                                             WORKSPACE, v->stream))
               ? CHL_KERNEL_OK
               : CHL_KERNEL_FAILED;
}

static void free_cublaslt(kernel_vendor *vendor) {
    cublaslt *v = (cublaslt *)vendor;
    const functions *f = library();
    void *const memory[] = {v->weight, v->bias, v->workspace, v->base.result};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        v->device->backend->release(v->device, memory[i]);
    if (v->a) (void)f->cublasLtMatrixLayoutDestroy(v->a);
    if (v->b) (void)f->cublasLtMatrixLayoutDestroy(v->b);
    if (v->d) (void)f->cublasLtMatrixLayoutDestroy(v->d);
    if (v->product) (void)f->cublasLtMatmulDescDestroy(v->product);
    if (v->handle) (void)f->cublasLtDestroy(v->handle);
    free(v);
}

static chl_status prepare(cublaslt *v, const kernel_node *node, bool tf32) {
    const chl_backend *backend = v->device->backend;
    product_shape shape;
    CHL_TRY(set_up(v, node, &shape));
    CHL_TRY(backend->allocate(v->device, WORKSPACE, &v->workspace));
    CHL_TRY(
        backend->allocate(v->device, (size_t)chl_bytes(&node->call->out_desc[0]), &v->base.result));
    if (good(v, library()->cublasLtCreate(&v->handle)) && describe(v, &shape, tf32) && choose(v))
        return CHL_OK;
    return chl_fail(CHL_ERR_INTERNAL, "cuBLASLt refuses %s of %s: %s", node->name, node->shape,
                    library()->cublasLtGetStatusString(v->said));
}

chl_status vendor_cublaslt_new(const kernel_node *node, bool tf32, kernel_vendor **out) {
    const chl_op op = node->node->op;
    const bool known = op == CHL_OP_linear || op == CHL_OP_linear_dx || op == CHL_OP_linear_dw;
    if (!known || !node->call->in[1] || !library()->complete) return CHL_OK;
    cublaslt *v = calloc(1, sizeof *v);
    if (!v) return chl_fail(CHL_ERR_MEMORY, "out of memory for cuBLASLt's kernel");
    const bool half = node->call->in_desc[0].dtype == CHL_BF16, rounds = tf32 && !half;
    v->base = (kernel_vendor){.name = rounds ? "cuBLASLt TF32" : "cuBLASLt",
                              .tolerance = half     ? 1e-2
                                           : rounds ? 2e-3
                                                    : 1e-4,
                              .run = run,
                              .free = free_cublaslt};
    v->device = node->settings->device;
    v->stream = (cudaStream_t)node->call->stream;
    chl_device_bind(v->device);
    const chl_status status = prepare(v, node, tf32);
    if (status == CHL_OK)
        *out = &v->base;
    else
        free_cublaslt(&v->base);
    return status;
}
#else /* built without cuBLASLt's header */
chl_status vendor_cublaslt_new(const kernel_node *node, bool tf32, kernel_vendor **out) {
    (void)node;
    (void)tf32;
    (void)out;
    return CHL_OK;
}
#endif
