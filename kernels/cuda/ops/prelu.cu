// y = x > 0 ? x : slope[c] x [He et al. 2015], as in IR-SE50. The backward computes dx and dslope =
// the sum of dy x over x <= 0 from one read, or dx alone. 4 bytes (bf16) an element forward, 6
// backward: bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
template <class T> struct bent {
    static constexpr int KEEP = 1, SUMS = 0;
    const T *x;
    const float *slope;
    T *y;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_floats(slope + column, keep[0]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&)[1][N]) const {
        float v[N];
        chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) v[e] = v[e] > 0 ? v[e] : v[e] * keep[0][e];
        chl::store(y + p.at, v, add);
    }
};

template <class T, bool SLOPE> struct bent_backward {
    static constexpr int KEEP = 1, SUMS = SLOPE;
    const T *dy, *x;
    const float *slope;
    T *dx;
    float *dslope;
    bool add_dx, add_dslope;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_floats(slope + column, keep[0]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&sum)[1][N]) const {
        float v[N], d[N];
        chl::load(x + p.at, v);
        chl::load(dy + p.at, d);
        for (int e = 0; e < N; e++) {
            if (SLOPE) sum[0][e] += v[e] > 0 ? 0.0f : d[e] * v[e];
            d[e] = v[e] > 0 ? d[e] : d[e] * keep[0][e];
        }
        if (dx) chl::store(dx + p.at, d, add_dx);
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[1]) const {
        chl::put(dslope + column, total[0], add_dslope);
    }
};

chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, chl::rows_of(call->in_desc[0]),
                               bent<T>{chl::in<T>(call, 0), chl::in<float>(call, 1),
                                       chl::out<T>(call, 0), chl::adds(call, 0)});
    });
}

template <class T, bool SLOPE> chl_kernel_status backward_as(const chl_call *call) {
    const bent_backward<T, SLOPE> f = {chl::in<T>(call, 0),      chl::in<T>(call, 1),
                                       chl::in<float>(call, 2),  chl::out<T>(call, 0),
                                       chl::out<float>(call, 1), chl::adds(call, 0),
                                       chl::adds(call, 1)};
    return chl::columns<T>(call, chl::rows_of(call->in_desc[1]), f,
                           static_cast<float *>(call->workspace));
}
chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0] && !call->out[1]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[1].dtype, [&](auto zero) {
        using T = decltype(zero);
        return call->out[1] ? backward_as<T, true>(call) : backward_as<T, false>(call);
    });
}

size_t backward_workspace(const chl_call *call) {
    return chl::columns_workspace(chl::rows_of(call->in_desc[1]), call->in_desc[1].dtype, 1);
}
} // namespace

const chl_body chl_cuda_prelu = {forward, nullptr, nullptr};
const chl_body chl_cuda_prelu_backward = {backward, backward_workspace, nullptr};
