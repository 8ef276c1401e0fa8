// bf16 <-> float, and either to itself. Bound by memory. The gradient rule (gradient_cast) never
// adds a cast to a gradient that exists, so the accumulate bit is never set.
#include "cuda/lib/body.h"

namespace {
template <class From, class To> struct converted {
    const From *x;
    To *y;
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        chl::load(x + i, v);
        chl::store(y + i, v, false);
    }
};

chl_kernel_status run(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto from) {
        return chl::by_type(call->out_desc[0].dtype, [&](auto to) {
            using From = decltype(from);
            using To = decltype(to);
            return chl::each<float>(
                call, chl_count(&call->out_desc[0]),
                converted<From, To>{chl::in<From>(call, 0), chl::out<To>(call, 0)});
        });
    });
}
} // namespace

const chl_body chl_cuda_cast = {run, nullptr, nullptr};
