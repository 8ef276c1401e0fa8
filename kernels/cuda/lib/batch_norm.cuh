// Shared by both batch norms: y = (x - mean) rstd gamma + beta, and the sums of the backward,
// dgamma = sum dy xhat, dbeta = sum dy, xhat = (x - mean) rstd.
#pragma once
#include "cuda/lib/reduce.cuh"

namespace chl {
// rstd[c] = 1 / sqrt(var[c] + eps)
template <int N>
__device__ inline void load_rstd(const float *var, int64_t column, float eps, float (&rstd)[N]) {
    load_floats(var + column, rstd);
    for (int e = 0; e < N; e++) rstd[e] = 1.0f / sqrtf(rstd[e] + eps);
}

// gamma rstd
template <int N>
__device__ inline void load_scale(const float *gamma, const float *var, int64_t column, float eps,
                                  float (&scale)[N]) {
    float rstd[N];
    load_rstd(var, column, eps, rstd);
    load_floats(gamma + column, scale);
    for (int e = 0; e < N; e++) scale[e] *= rstd[e];
}

template <class T> struct normalised {
    static constexpr int KEEP = 3, SUMS = 0; // mean, rstd gamma, beta
    const T *x;
    const float *gamma, *beta, *mean, *var;
    float eps;
    T *y;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[3][N]) const {
        float rstd[N];
        load_rstd(var, column, eps, rstd);
        load_floats(mean + column, keep[0]);
        load_floats(gamma + column, keep[1]);
        load_floats(beta + column, keep[2]);
        for (int e = 0; e < N; e++) keep[1][e] *= rstd[e];
    }
    template <int N>
    __device__ void at(const place &p, const float (&keep)[3][N], float (&)[1][N]) const {
        float v[N];
        load(x + p.at, v);
        for (int e = 0; e < N; e++) v[e] = (v[e] - keep[0][e]) * keep[1][e] + keep[2][e];
        store(y + p.at, v, add);
    }
};

// dgamma and dbeta; with stored statistics dx = dy gamma rstd, too, from the same read. Where
// `sums` is not null it receives the two sums [2,C].
template <class T, bool DX> struct norm_sums {
    // mean, gamma rstd; the sums are multiplied by rstd at the end
    static constexpr int KEEP = 2, SUMS = 2;
    const T *dy, *x;
    const float *gamma, *mean, *var;
    float eps;
    T *dx;
    float *dgamma, *dbeta, *sums;
    int64_t width;
    bool add_dx, add_dgamma, add_dbeta;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[2][N]) const {
        float scale[N];
        load_floats(mean + column, keep[0]);
        load_rstd(var, column, eps, keep[1]);
        load_floats(gamma + column, scale);
        for (int e = 0; e < N; e++) keep[1][e] *= scale[e];
    }
    template <int N>
    __device__ void at(const place &p, const float (&keep)[2][N], float (&sum)[2][N]) const {
        float v[N], d[N];
        load(x + p.at, v);
        load(dy + p.at, d);
        for (int e = 0; e < N; e++) {
            sum[0][e] += d[e] * (v[e] - keep[0][e]);
            sum[1][e] += d[e];
            d[e] *= keep[1][e];
        }
        if (DX) store(dx + p.at, d, add_dx);
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[2]) const {
        const float dot = total[0] / sqrtf(var[column] + eps);
        if (dgamma) put(dgamma + column, dot, add_dgamma);
        if (dbeta) put(dbeta + column, total[1], add_dbeta);
        if (!sums) return;
        sums[column] = dot;
        sums[width + column] = total[1];
    }
};

// call: a backward, dy x gamma mean var -> dx dgamma dbeta
template <class T, bool DX> norm_sums<T, DX> norm_sums_of(const chl_call *call, float *sums) {
    return {in<T>(call, 0),
            in<T>(call, 1),
            in<float>(call, 2),
            in<float>(call, 3),
            in<float>(call, 4),
            call->attr.norm.eps,
            out<T>(call, 0),
            out<float>(call, 1),
            out<float>(call, 2),
            sums,
            rows_of(call->in_desc[1]).width,
            adds(call, 0),
            adds(call, 1),
            adds(call, 2)};
}
} // namespace chl
