// Batch normalisation in evaluation, with stored statistics. 4 bytes (bf16) an element forward;
// backward 4 for dx alone, 6 with dgamma and dbeta: bound by memory.
#include "cuda/lib/batch_norm.cuh"

namespace {
template <class T> struct scaled {
    static constexpr int KEEP = 1, SUMS = 0;
    const T *dy;
    const float *gamma, *var;
    float eps;
    T *dx;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_scale(gamma, var, column, eps, keep[0]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&)[1][N]) const {
        float d[N];
        chl::load(dy + p.at, d);
        for (int e = 0; e < N; e++) d[e] *= keep[0][e];
        chl::store(dx + p.at, d, add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const chl::normalised<T> f = {chl::in<T>(call, 0),     chl::in<float>(call, 1),
                                      chl::in<float>(call, 2), chl::in<float>(call, 3),
                                      chl::in<float>(call, 4), call->attr.norm.eps,
                                      chl::out<T>(call, 0),    chl::adds(call, 0)};
        return chl::columns<T>(call, chl::rows_of(call->in_desc[0]), f);
    });
}

chl_kernel_status backward(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[1]);
    const bool sums = call->out[1] || call->out[2];
    float *partial = static_cast<float *>(call->workspace);
    return chl::by_type(call->in_desc[1].dtype, [&](auto zero) {
        using T = decltype(zero);
        if (!call->out[0] && !sums) return CHL_KERNEL_OK;
        if (!sums)
            return chl::columns<T>(call, v,
                                   scaled<T>{chl::in<T>(call, 0), chl::in<float>(call, 2),
                                             chl::in<float>(call, 4), call->attr.norm.eps,
                                             chl::out<T>(call, 0), chl::adds(call, 0)});
        if (!call->out[0])
            return chl::columns<T>(call, v, chl::norm_sums_of<T, false>(call, nullptr), partial);
        return chl::columns<T>(call, v, chl::norm_sums_of<T, true>(call, nullptr), partial);
    });
}

size_t backward_workspace(const chl_call *call) {
    return chl::columns_workspace(chl::rows_of(call->in_desc[1]), call->in_desc[1].dtype, 2);
}
} // namespace

const chl_body chl_cuda_batch_norm = {forward, nullptr, nullptr};
const chl_body chl_cuda_batch_norm_backward = {backward, backward_workspace, nullptr};
