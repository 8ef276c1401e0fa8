// A library with cuBLASLt's functions, for tests without a GPU: products are loops over column-major
// matrices, queued as the emulated GPU queues its work (standin_queue.cpp lends the queue). It checks
// what cuBLASLt leaves to the caller: that shapes meet, that the algorithm is one it advised, that
// there is the workspace it was promised. Environment:
//     STANDIN_ADVICE=S  asking for an algorithm ends with status S    STANDIN_NONE=1  it finds none
//     STANDIN_MATMUL=S  multiplying does                              STANDIN_WRONG=1  it is wrong
#include "cublaslt/cublasLt.h"
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

extern "C" int standin_queue(void *stream, int (*work)(void *), void *data);
#define API __attribute__((visibility("default")))
// handles, products, layouts and wishes that are not destroyed
extern "C" API int standin_objects(void);

struct standin_library {};
struct standin_product {
    cublasComputeType_t compute;
    int32_t turn_a = 0, turn_b = 0, bias_type = CUDA_R_32F;
    uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void *bias = nullptr;
};
struct standin_layout {
    cudaDataType_t type;
    int64_t rows, columns, step;
};
struct standin_wish {
    uint64_t workspace = 0;
};

namespace {
constexpr uint64_t ADVISED = 0x61647669;
int objects = 0;

template <class T> cublasStatus_t made(T **out, T what) {
    *out = new T(what);
    objects++;
    return CUBLAS_STATUS_SUCCESS;
}
template <class T> cublasStatus_t gone(T *what) {
    delete what;
    objects--;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t told(const char *name) {
    const char *status = std::getenv(name);
    return status ? cublasStatus_t(std::atoi(status)) : CUBLAS_STATUS_SUCCESS;
}
template <class T> cublasStatus_t take(T *to, const void *value, size_t size) {
    if (size != sizeof *to) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(to, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

float from_bits(uint32_t bits) {
    float v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}
uint32_t bits_of(float v) {
    uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    return bits;
}
float at(const void *p, cudaDataType_t type, int64_t i) {
    if (type == CUDA_R_32F) return static_cast<const float *>(p)[i];
    return from_bits(uint32_t(static_cast<const uint16_t *>(p)[i]) << 16);
}
void write(void *p, cudaDataType_t type, int64_t i, float v) {
    if (type == CUDA_R_32F) static_cast<float *>(p)[i] = v;
    const uint32_t bits = bits_of(v);
    if (type == CUDA_R_16BF)
        static_cast<uint16_t *>(p)[i] = uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

struct job {
    standin_product product;
    standin_layout a, b, d;
    const void *from_a, *from_b;
    void *to, *workspace;
    float alpha;
};
// element [row, k] of a matrix that is used as it lies, or turned
float factor(const job &j, const void *p, const standin_layout &m, bool turned, int64_t row,
             int64_t column) {
    const float v = at(p, m.type, turned ? column + row * m.step : row + column * m.step);
    const bool tf32 = j.product.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    return tf32 ? from_bits(bits_of(v) & 0xffffe000) : v;
}
int multiply(void *data) {
    const job &j = *static_cast<job *>(data);
    const bool bias = j.product.epilogue == CUBLASLT_EPILOGUE_BIAS;
    const int64_t inner = j.product.turn_a ? j.a.rows : j.a.columns;
    std::memset(j.workspace, 0xff, 1024);
    for (int64_t row = 0; row < j.d.rows; row++)
        for (int64_t column = 0; column < j.d.columns; column++) {
            double sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += double(factor(j, j.from_a, j.a, j.product.turn_a, row, k)) *
                       double(factor(j, j.from_b, j.b, j.product.turn_b, k, column));
            float v = float(sum) * j.alpha;
            if (bias) v += at(j.product.bias, cudaDataType_t(j.product.bias_type), row);
            if (std::getenv("STANDIN_WRONG") && row == 0) v += 1;
            write(j.to, j.d.type, row + column * j.d.step, v);
        }
    return 0;
}
// a [m, k] b [k, n] is a d [m, n], each of them turned or not
bool meet(const standin_product &p, const standin_layout &a, const standin_layout &b,
          const standin_layout &d) {
    const int64_t m = p.turn_a ? a.columns : a.rows, inner = p.turn_a ? a.rows : a.columns;
    const int64_t n = p.turn_b ? b.rows : b.columns, k = p.turn_b ? b.columns : b.rows;
    return m == d.rows && n == d.columns && inner == k && a.type == b.type && a.step >= a.rows &&
           b.step >= b.rows && d.step >= d.rows && (p.epilogue != CUBLASLT_EPILOGUE_BIAS || p.bias);
}
} // namespace

int standin_objects(void) {
    return objects;
}

extern "C" {
API cublasStatus_t cublasLtCreate(cublasLtHandle_t *out) {
    return made(out, standin_library{});
}
API cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    return gone(handle);
}
API const char *cublasLtGetStatusString(cublasStatus_t status) {
    return status == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : "another status";
}
API cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                            cudaDataType_t scale) {
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_INVALID_VALUE;
    return made(out, standin_product{compute});
}
API cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
    return gone(product);
}
API cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                                  cublasLtMatmulDescAttributes_t what,
                                                  const void *value, size_t size) {
    switch (what) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return take(&product->turn_a, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return take(&product->turn_b, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return take(&product->epilogue, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return take(&product->bias, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return take(&product->bias_type, value, size);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}
API cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType_t type,
                                              uint64_t rows, uint64_t columns, int64_t step) {
    return made(out, standin_layout{type, int64_t(rows), int64_t(columns), step});
}
API cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    return gone(layout);
}
API cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out) {
    return made(out, standin_wish{});
}
API cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t wish) {
    return gone(wish);
}
API cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t wish,
                                                        cublasLtMatmulPreferenceAttributes_t what,
                                                        const void *value, size_t size) {
    if (what != CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return CUBLAS_STATUS_INVALID_VALUE;
    return take(&wish->workspace, value, size);
}
API cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t wish, int wanted, cublasLtMatmulHeuristicResult_t *out, int *found) {
    *found = 0;
    if (const cublasStatus_t status = told("STANDIN_ADVICE")) return status;
    if (c != d || wanted != 1 || wish->workspace < 1024 || !meet(*product, *a, *b, *d))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (std::getenv("STANDIN_NONE")) return CUBLAS_STATUS_SUCCESS;
    *out = {};
    out->algo.data[0] = ADVISED;
    out->workspaceSize = 1024;
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}
API cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void *alpha,
                                  const void *a, cublasLtMatrixLayout_t of_a, const void *b,
                                  cublasLtMatrixLayout_t of_b, const void *beta, const void *c,
                                  cublasLtMatrixLayout_t of_c, void *d, cublasLtMatrixLayout_t of_d,
                                  const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                                  size_t bytes, cudaStream_t stream) {
    if (const cublasStatus_t status = told("STANDIN_MATMUL")) return status;
    if (algorithm->data[0] != ADVISED || !workspace || bytes < 1024 || c != d || of_c != of_d ||
        *static_cast<const float *>(beta) != 0 || !meet(*product, *of_a, *of_b, *of_d))
        return CUBLAS_STATUS_INVALID_VALUE;
    // queued work is done later: the job is never freed before the process ends
    static std::vector<std::unique_ptr<job>> jobs;
    jobs.push_back(std::unique_ptr<job>(new job{*product, *of_a, *of_b, *of_d, a, b, d, workspace,
                                                *static_cast<const float *>(alpha)}));
    return standin_queue(stream, multiply, jobs.back().get()) ? CUBLAS_STATUS_EXECUTION_FAILED
                                                              : CUBLAS_STATUS_SUCCESS;
}
}
