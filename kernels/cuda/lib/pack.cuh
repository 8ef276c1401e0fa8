// Copies of float weights in the activations' type, for the tensor cores.
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
} // namespace chl
