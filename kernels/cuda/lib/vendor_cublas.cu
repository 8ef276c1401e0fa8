// vendor.h's matrix products by cuBLASLt, which thinks in columns: d^T = b^T a^T.
#include "cuda/lib/vendor.h"
#include <cublasLt.h>
#include <deque>

namespace chl {
namespace {
constexpr size_t WORKSPACE = size_t(32) << 20; // what the library's maker advises for Hopper

struct plan {
    matmul_shape shape;
    uint32_t alignment = 0; // bytes that divide every address: parts of a tensor begin anywhere
    cublasLtMatmulDesc_t product = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, d = nullptr;
    cublasLtMatmulAlgo_t algorithm = {};
};

bool same(const matmul_shape &s, const matmul_shape &t) {
    return s.rows == t.rows && s.columns == t.columns && s.inner == t.inner &&
           s.a_turned == t.a_turned && s.b_turned == t.b_turned && s.from == t.from &&
           s.to == t.to && s.bias == t.bias && s.batch == t.batch && s.a_step == t.a_step &&
           s.b_step == t.b_step && s.d_step == t.d_step;
}

cudaDataType_t type_of(chl_dtype t) {
    return t == CHL_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

// Collects the first failure of a row of calls.
struct verdict {
    cublasStatus_t first = CUBLAS_STATUS_SUCCESS;
    bool good() const { return first == CUBLAS_STATUS_SUCCESS; }
    void operator()(cublasStatus_t next) {
        if (good()) first = next;
    }
};

chl_kernel_status said(const verdict &v) {
    return v.good() ? CHL_KERNEL_OK
                    : fail(CHL_KERNEL_FAILED, "cuBLASLt: %s", cublasLtGetStatusString(v.first));
}

void destroy(const plan &p) {
    if (p.a) (void)cublasLtMatrixLayoutDestroy(p.a);
    if (p.b) (void)cublasLtMatrixLayoutDestroy(p.b);
    if (p.d) (void)cublasLtMatrixLayoutDestroy(p.d);
    if (p.product) (void)cublasLtMatmulDescDestroy(p.product);
}

// What an opened device keeps. A network has some dozens of shapes, and a recorded step asks once:
// a search in order is enough.
struct library {
    cublasLtHandle_t handle = nullptr;
    std::deque<plan> plans;
    ~library() {
        for (const plan &p : plans) destroy(p);
        if (handle) (void)cublasLtDestroy(handle);
    }
};

library &bound(verdict &said) {
    std::shared_ptr<void> &kept = gpu.vendor->products;
    if (!kept) kept = std::make_shared<library>();
    library &l = *static_cast<library *>(kept.get());
    if (!l.handle) said(cublasLtCreate(&l.handle));
    return l;
}

// A row-major [rows, columns] is a column-major [columns, rows].
cublasLtMatrixLayout_t layout(verdict &said, chl_dtype type, int64_t rows, int64_t columns,
                              int64_t batch, int64_t step) {
    cublasLtMatrixLayout_t m = nullptr;
    said(cublasLtMatrixLayoutCreate(&m, type_of(type), uint64_t(columns), uint64_t(rows), columns));
    const int32_t count = int32_t(batch);
    if (!said.good() || batch == 1) return m;
    said(cublasLtMatrixLayoutSetAttribute(m, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                          sizeof count));
    said(cublasLtMatrixLayoutSetAttribute(m, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                                          sizeof step));
    return m;
}

template <class V>
void tell(verdict &said, plan &p, cublasLtMatmulDescAttributes_t attribute, V value) {
    if (said.good())
        said(cublasLtMatmulDescSetAttribute(p.product, attribute, &value, sizeof value));
}

void describe(verdict &said, plan &p) {
    const matmul_shape &s = p.shape;
    said(cublasLtMatmulDescCreate(&p.product, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    tell(said, p, CUBLASLT_MATMUL_DESC_TRANSA, s.b_turned ? CUBLAS_OP_T : CUBLAS_OP_N);
    tell(said, p, CUBLASLT_MATMUL_DESC_TRANSB, s.a_turned ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (s.bias) tell(said, p, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    if (s.bias) tell(said, p, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(s.to));
    p.a = layout(said, s.from, s.a_turned ? s.inner : s.rows, s.a_turned ? s.rows : s.inner,
                 s.batch, s.a_step);
    p.b = layout(said, s.from, s.b_turned ? s.columns : s.inner, s.b_turned ? s.inner : s.columns,
                 s.batch, s.b_step);
    p.d = layout(said, s.to, s.rows, s.columns, s.batch, s.d_step);
}

// Where the inner dimension is split, parts must be added as floats and in order, in the workspace.
void choose(verdict &said, plan &p, const void *bias) {
    cublasLtMatmulPreference_t wish = nullptr;
    said(cublasLtMatmulPreferenceCreate(&wish));
    const auto want = [&](cublasLtMatmulPreferenceAttributes_t what, auto value) {
        if (said.good())
            said(cublasLtMatmulPreferenceSetAttribute(wish, what, &value, sizeof value));
    };
    want(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, WORKSPACE);
    want(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         uint32_t(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.alignment);
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.alignment);
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.alignment);
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, p.alignment);
    if (p.shape.bias) tell(said, p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    cublasLtMatmulHeuristicResult_t best = {};
    int found = 0;
    cublasLtHandle_t handle = bound(said).handle;
    if (said.good())
        said(cublasLtMatmulAlgoGetHeuristic(handle, p.product, p.b, p.a, p.d, p.d, wish, 1, &best,
                                            &found));
    if (said.good() && found == 0) said(CUBLAS_STATUS_NOT_SUPPORTED);
    if (wish) (void)cublasLtMatmulPreferenceDestroy(wish);
    p.algorithm = best.algo;
}

// 64 bytes, or as many as the beginnings of a, b and d share
uint32_t alignment_of(const matmul_shape &s, const matmul_data &m) {
    const auto address = [](const void *p) { return reinterpret_cast<uint64_t>(p); };
    const uint64_t all = address(m.a) | address(m.b) | address(m.d) |
                         uint64_t(s.a_step * chl_item_bytes(s.from)) |
                         uint64_t(s.b_step * chl_item_bytes(s.from)) |
                         uint64_t(s.d_step * chl_item_bytes(s.to)) | 64;
    return uint32_t(all & -all);
}

plan *plan_of(verdict &said, const matmul_shape &shape, const matmul_data &data) {
    std::deque<plan> &plans = bound(said).plans;
    const uint32_t alignment = alignment_of(shape, data);
    for (plan &p : plans)
        if (same(p.shape, shape) && p.alignment == alignment) return &p;
    plan fresh;
    fresh.shape = shape;
    fresh.alignment = alignment;
    describe(said, fresh);
    if (said.good()) choose(said, fresh, data.bias);
    if (!said.good()) {
        destroy(fresh);
        return nullptr;
    }
    plans.push_back(fresh);
    return &plans.back();
}
} // namespace

size_t matmul_workspace() {
    return WORKSPACE;
}

chl_kernel_status matmul(const chl_call *call, const matmul_shape &shape, const matmul_data &data) {
    if (shape.rows == 0 || shape.columns == 0 || shape.batch == 0) return CHL_KERNEL_OK;
    verdict good;
    plan *p = plan_of(good, shape, data);
    if (!p) return said(good);
    if (shape.bias) tell(good, *p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, data.bias);
    if (good.good())
        good(cublasLtMatmul(bound(good).handle, p->product, &data.alpha, data.b, p->b, data.a, p->a,
                            &data.beta, data.d, p->d, data.d, p->d, &p->algorithm, data.workspace,
                            WORKSPACE, static_cast<cudaStream_t>(call->stream)));
    return said(good);
}
} // namespace chl
