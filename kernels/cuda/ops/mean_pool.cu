// The mean over all axes between the first and the last: [N,...,C] -> [N,C], and its gradient. 2
// bytes (bf16) an element either way, bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
template <class T> struct averaged {
    static constexpr int KEEP = 0, SUMS = 1;
    const T *x;
    T *y;
    int64_t pixels, width;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&sum)[1][N]) const {
        float v[N];
        chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) sum[0][e] += v[e];
    }
    __device__ void finish(int64_t group, int64_t column, const float (&total)[1]) const {
        chl::put(y + group * width + column, total[0] / float(pixels), add);
    }
};

template <class T> struct spread {
    static constexpr int KEEP = 1, SUMS = 0;
    const T *dy;
    T *dx;
    int64_t pixels, width;
    bool add;
    template <int N>
    __device__ void start(int64_t group, int64_t column, float (&keep)[1][N]) const {
        chl::load(dy + group * width + column, keep[0]);
        for (int e = 0; e < N; e++) keep[0][e] /= float(pixels);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&)[1][N]) const {
        chl::store(dx + p.at, keep[0], add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, v,
                               averaged<T>{chl::in<T>(call, 0), chl::out<T>(call, 0), v.rows,
                                           v.width, chl::adds(call, 0)},
                               static_cast<float *>(call->workspace));
    });
}
size_t forward_workspace(const chl_call *call) {
    return chl::columns_workspace(chl::groups_of(call->in_desc[0]), call->in_desc[0].dtype, 1);
}

chl_kernel_status backward(const chl_call *call) {
    const chl::view v = chl::groups_of(call->out_desc[0]);
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, v,
                               spread<T>{chl::in<T>(call, 0), chl::out<T>(call, 0), v.rows, v.width,
                                         chl::adds(call, 0)});
    });
}
} // namespace

const chl_body chl_cuda_mean_pool = {forward, forward_workspace, nullptr};
const chl_body chl_cuda_mean_pool_dx = {backward, nullptr, nullptr};
