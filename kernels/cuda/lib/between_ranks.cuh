// What the collective bodies share: a device without a communicator is the only rank, and its
// result a copy.
#pragma once
#include "collectives.h"
#include "cuda/lib/body.h"

namespace chl {
struct copied_number {
    const float *x;
    float *y;
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        load(x + i, v);
        store(y + i, v, false);
    }
};
// x -> y, both of the output's size
inline chl_kernel_status copy_alone(const chl_call *call) {
    return each<float>(call, chl_count(&call->out_desc[0]),
                       copied_number{in<float>(call, 0), out<float>(call, 0)});
}
} // namespace chl
