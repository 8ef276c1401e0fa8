// The end of a squeeze-and-excitation unit and the norm that begins the next one, as one call
// (kernels/fusion_table.h): total = residual + x s[n,c], y = (total - mean) rstd gamma + beta. 8
// bytes (bf16) an element instead of 14: bound by memory.
#include "cuda/lib/batch_norm.cuh"
#include "cuda/lib/fused.h"
#include "fusion.h"

namespace {
template <class T> struct unit_end {
    static constexpr int KEEP = 4, SUMS = 0; // s; mean, rstd gamma, beta
    const T *x, *s, *residual;
    T *total;
    int64_t width;
    chl::normalised<T> norm;
    template <int N> __device__ void start(int64_t n, int64_t column, float (&keep)[4][N]) const {
        float of_norm[3][N];
        chl::load(s + n * width + column, keep[0]);
        norm.template start<N>(n, column, of_norm);
        for (int k = 0; k < 3; k++)
            for (int e = 0; e < N; e++) keep[k + 1][e] = of_norm[k][e];
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[4][N], float (&)[1][N]) const {
        float v[N], other[N];
        chl::load(x + p.at, v);
        chl::load(residual + p.at, other);
        for (int e = 0; e < N; e++) v[e] = v[e] * keep[0][e] + other[e];
        chl::store(total + p.at, v, false);
        for (int e = 0; e < N; e++) v[e] = (v[e] - keep[1][e]) * keep[2][e] + keep[3][e];
        chl::store(norm.y + p.at, v, false);
    }
};

// call: channel_scale sum batch_norm
chl_kernel_status run(const chl_call *call) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const chl_call *norm = call + 2;
        const unit_end<T> f = {chl::in<T>(call, 0),
                               chl::in<T>(call, 1),
                               chl::in<T>(call + 1, 0),
                               chl::out<T>(call + 1, 0),
                               v.width,
                               {nullptr, chl::in<float>(norm, 1), chl::in<float>(norm, 2),
                                chl::in<float>(norm, 3), chl::in<float>(norm, 4),
                                norm->attr.norm.eps, chl::out<T>(norm, 0), false}};
        return chl::columns<T>(call, v, f);
    });
}
} // namespace

const chl_fused_body chl_cuda_unit_end = {run, nullptr, chl_unit_end_fits};
