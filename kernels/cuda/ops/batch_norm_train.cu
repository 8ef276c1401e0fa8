// Batch normalisation in training, with the batch's own mean and biased variance. Forward: 2 bytes
// (bf16) an element for the statistics, 4 to normalise; backward 4 for the sums, 6 for dx = gamma
// rstd (dy - mean(dy) - xhat mean(dy xhat)). Bound by memory.
//
// The statistics are sums of x - x0 and (x - x0)^2, x0 the channel's first number: around a number
// of the data's size the squares do not cancel as they do around 0.
#include "cuda/lib/batch_norm.cuh"

namespace {
template <class T> struct moments {
    static constexpr int KEEP = 1, SUMS = 2;
    const T *x;
    float *own; // [2,C] mean and variance, read by the normalisation
    float *mean, *var;
    int64_t rows, width;
    bool add_mean, add_var;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load(x + column, keep[0]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&sum)[2][N]) const {
        float v[N];
        chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) {
            const float d = v[e] - keep[0][e];
            sum[0][e] += d;
            sum[1][e] += d * d;
        }
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[2]) const {
        const float step = total[0] / float(rows), first = chl::get(x + column);
        const float centre = first + step;
        const float spread = fmaxf(total[1] / float(rows) - step * step, 0.0f);
        own[column] = centre;
        own[width + column] = spread;
        if (mean) chl::put(mean + column, centre, add_mean);
        if (var) chl::put(var + column, spread, add_var);
    }
};

chl_kernel_status forward(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    float *own = static_cast<float *>(call->workspace), *partial = own + 2 * v.width;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const T *x = chl::in<T>(call, 0);
        const moments<T> m = {x,      own,     chl::out<float>(call, 1), chl::out<float>(call, 2),
                              v.rows, v.width, chl::adds(call, 1),       chl::adds(call, 2)};
        const chl_kernel_status status = chl::columns<T>(call, v, m, partial);
        if (status != CHL_KERNEL_OK || !call->out[0]) return status;
        return chl::columns<T>(call, v,
                               chl::normalised<T>{x, chl::in<float>(call, 1),
                                                  chl::in<float>(call, 2), own, own + v.width,
                                                  call->attr.norm.eps, chl::out<T>(call, 0),
                                                  chl::adds(call, 0)});
    });
}
size_t forward_workspace(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    return size_t(2 * v.width) * sizeof(float) +
           chl::columns_workspace(v, call->in_desc[0].dtype, 2);
}

// dx = scale dy + shift + slope (x - mean)
template <class T> struct differentiated {
    static constexpr int KEEP = 4, SUMS = 0; // mean, scale, shift, slope
    const T *dy, *x;
    const float *gamma, *mean, *var, *sums;
    float eps;
    T *dx;
    int64_t rows, width;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[4][N]) const {
        float rstd[N], dot[N], sum[N];
        chl::load_floats(mean + column, keep[0]);
        chl::load_floats(gamma + column, keep[1]);
        chl::load_rstd(var, column, eps, rstd);
        for (int e = 0; e < N; e++) dot[e] = sums[column + e];
        for (int e = 0; e < N; e++) sum[e] = sums[width + column + e];
        for (int e = 0; e < N; e++) {
            keep[1][e] *= rstd[e];
            keep[2][e] = -keep[1][e] * sum[e] / float(rows);
            keep[3][e] = -keep[1][e] * rstd[e] * dot[e] / float(rows);
        }
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[4][N], float (&)[1][N]) const {
        float v[N], d[N];
        chl::load(x + p.at, v);
        chl::load(dy + p.at, d);
        for (int e = 0; e < N; e++)
            d[e] = d[e] * keep[1][e] + (v[e] - keep[0][e]) * keep[3][e] + keep[2][e];
        chl::store(dx + p.at, d, add);
    }
};

chl_kernel_status backward(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[1]);
    float *sums = static_cast<float *>(call->workspace), *partial = sums + 2 * v.width;
    return chl::by_type(call->in_desc[1].dtype, [&](auto zero) {
        using T = decltype(zero);
        const chl_kernel_status status =
            chl::columns<T>(call, v, chl::norm_sums_of<T, false>(call, sums), partial);
        if (status != CHL_KERNEL_OK || !call->out[0]) return status;
        const differentiated<T> f = {chl::in<T>(call, 0),
                                     chl::in<T>(call, 1),
                                     chl::in<float>(call, 2),
                                     chl::in<float>(call, 3),
                                     chl::in<float>(call, 4),
                                     sums,
                                     call->attr.norm.eps,
                                     chl::out<T>(call, 0),
                                     v.rows,
                                     v.width,
                                     chl::adds(call, 0)};
        return chl::columns<T>(call, v, f);
    });
}
size_t backward_workspace(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[1]);
    return size_t(2 * v.width) * sizeof(float) +
           chl::columns_workspace(v, call->in_desc[1].dtype, 2);
}
} // namespace

const chl_body chl_cuda_batch_norm_train = {forward, forward_workspace, nullptr};
const chl_body chl_cuda_batch_norm_train_backward = {backward, backward_workspace, nullptr};
