// y = x + b, where b's shape is the tail of x's, and db = the sum of dy over the leading axes.
// 4 bytes (bf16) an element forward, 2 backward, 1 FLOP: bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
template <class T> struct biased {
    static constexpr int KEEP = 1, SUMS = 0;
    const T *x;
    const float *b;
    T *y;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_floats(b + column, keep[0]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&)[1][N]) const {
        float v[N];
        chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) v[e] += keep[0][e];
        chl::store(y + p.at, v, add);
    }
};

chl::view view_of(const chl_desc &x, const chl_desc &b) {
    const int64_t width = chl_count(&b);
    return {1, width ? chl_count(&x) / width : 0, width};
}

chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, view_of(call->in_desc[0], call->in_desc[1]),
                               biased<T>{chl::in<T>(call, 0), chl::in<float>(call, 1),
                                         chl::out<T>(call, 0), chl::adds(call, 0)});
    });
}

chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, view_of(call->in_desc[0], call->out_desc[0]),
                               chl::column_sums<T>{chl::in<T>(call, 0), chl::out<float>(call, 0), 1,
                                                   chl::adds(call, 0)},
                               static_cast<float *>(call->workspace));
    });
}

size_t backward_workspace(const chl_call *call) {
    return chl::columns_workspace(view_of(call->in_desc[0], call->out_desc[0]),
                                  call->in_desc[0].dtype, 1);
}
} // namespace

const chl_body chl_cuda_add_bias = {forward, nullptr, nullptr};
const chl_body chl_cuda_add_bias_db = {backward, backward_workspace, nullptr};
