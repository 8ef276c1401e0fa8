// Copies of float weights in the activations' type, for the tensor cores; the gradient of a bias.
#pragma once
#include "cuda/lib/reduce.cuh"

namespace chl {
template <class T> struct copied {
    const float *x;
    T *y;
    float factor;
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        load_floats(x + i, v);
        for (float &e : v) e *= factor;
        store(y + i, v, false);
    }
};
// y = factor x: 6 bytes an element for bf16, bound by memory
template <class T>
chl_kernel_status copy_as(const chl_call *call, int64_t count, const float *x, float factor, T *y) {
    return each<T>(call, count, copied<T>{x, y, factor});
}

// db[column] = factor * the sum of dy [rows, width] over the rows
template <class T> struct column_sums {
    static constexpr int KEEP = 0, SUMS = 1;
    const T *dy;
    float *db;
    float factor;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const place &p, const float (&)[1][N], float (&sum)[1][N]) const {
        float v[N];
        load(dy + p.at, v);
        for (int e = 0; e < N; e++) sum[0][e] += v[e];
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[1]) const {
        put(db + column, factor * total[0], add);
    }
};
} // namespace chl
