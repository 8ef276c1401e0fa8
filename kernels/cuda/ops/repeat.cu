// x [...] -> n copies [n,...]; the gradient is their sum. 2 bytes (bf16) an element of the copies
// either way, bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
// group: the number of the copy
template <class T> struct copied {
    static constexpr int KEEP = 0, SUMS = 0;
    const T *x;
    T *y;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&)[1][N]) const {
        float v[N];
        chl::load(x + p.column, v);
        chl::store(y + p.at, v, add);
    }
};

// row: the number of the copy
template <class T> struct summed {
    static constexpr int KEEP = 0, SUMS = 1;
    const T *dy;
    T *dx;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&sum)[1][N]) const {
        float v[N];
        chl::load(dy + p.at, v);
        for (int e = 0; e < N; e++) sum[0][e] += v[e];
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[1]) const {
        chl::put(dx + column, total[0], add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    const int64_t copies = call->out_desc[0].dim[0], count = chl_count(&call->in_desc[0]);
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(
            call, {copies, 1, count},
            copied<T>{chl::in<T>(call, 0), chl::out<T>(call, 0), chl::adds(call, 0)});
    });
}

chl::view copies_of(const chl_call *call) {
    return {1, call->in_desc[0].dim[0], chl_count(&call->out_desc[0])};
}
chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(
            call, copies_of(call),
            summed<T>{chl::in<T>(call, 0), chl::out<T>(call, 0), chl::adds(call, 0)},
            static_cast<float *>(call->workspace));
    });
}
size_t backward_workspace(const chl_call *call) {
    return chl::columns_workspace(copies_of(call), call->in_desc[0].dtype, 1);
}
} // namespace

const chl_body chl_cuda_repeat = {forward, nullptr, nullptr};
const chl_body chl_cuda_repeat_dx = {backward, backward_workspace, nullptr};
