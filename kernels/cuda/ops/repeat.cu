// x [...] -> n copies [n,...]; the gradient is their sum. 2 bytes (bf16) an element of the copies
// either way, bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
template <class T> struct original {
    const T *x;
    template <int N> __device__ void load(const chl::place &p, float (&v)[N]) const {
        chl::load(x + p.column, v);
    }
};

// groups: the copies
chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    const int64_t copies = call->out_desc[0].dim[0], count = chl_count(&call->in_desc[0]);
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, {copies, 1, count},
                               chl::moved<T, original<T>>{{chl::in<T>(call, 0)},
                                                          chl::out<T>(call, 0),
                                                          chl::adds(call, 0)});
    });
}

// rows: the copies
chl::view copies_of(const chl_call *call) {
    return {1, call->in_desc[0].dim[0], chl_count(&call->out_desc[0])};
}
chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, copies_of(call),
                               chl::column_sums<T, T>{chl::in<T>(call, 0), chl::out<T>(call, 0), 1,
                                                      chl::adds(call, 0)},
                               static_cast<float *>(call->workspace));
    });
}
size_t backward_workspace(const chl_call *call) {
    return chl::columns_workspace(copies_of(call), call->in_desc[0].dtype, 1);
}
} // namespace

const chl_body chl_cuda_repeat = {forward, nullptr, nullptr};
const chl_body chl_cuda_repeat_dx = {backward, backward_workspace, nullptr};
