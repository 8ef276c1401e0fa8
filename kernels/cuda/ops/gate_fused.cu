// Squeeze and excitation's gate as one call (kernels/fusion_table.h), and its gradient. 4 C H FLOPs
// and the bytes of two weights, at most 64 KB in IR-SE50: the time is that of a launch. A block
// computes one sample.
#include "cuda/lib/gate.cuh"

namespace {
using gate::CHANNELS;
using gate::THREADS;

template <class T> SIMT_KERNEL((THREADS), gate_kernel, gate::excitation<T> f, const T *from) {
    SIMT_SHARED(x, float[CHANNELS]);
    for (int c = int(threadIdx.x); c < f.w.channels; c += THREADS)
        x[c] = chl::get(from + int64_t(blockIdx.x) * f.w.channels + c);
    __syncthreads();
    gate::excite(f, blockIdx.x, x);
}
template <class T>
SIMT_KERNEL((THREADS), gate_gradient_kernel, gate::excitation_gradient<T> f, const T *from) {
    SIMT_SHARED(dy, float[CHANNELS]);
    for (int c = int(threadIdx.x); c < f.w.channels; c += THREADS)
        dy[c] = chl::get(from + int64_t(blockIdx.x) * f.w.channels + c);
    gate::excite_back(f, blockIdx.x, dy);
}

// call: linear activation linear activation
chl_kernel_status forward(const chl_call *call) {
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const dim3 samples(unsigned(call->in_desc[0].dim[0]));
        return chl::status(simt::launch(gate_kernel<T>, {samples, dim3(THREADS)}, call->stream,
                                        gate::excitation_of<T>(call), chl::in<T>(call, 0)));
    });
}
// call: activation_dx linear_dx activation_dx linear_dx
chl_kernel_status backward(const chl_call *call) {
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const dim3 samples(unsigned(call->in_desc[0].dim[0]));
        return chl::status(simt::launch(gate_gradient_kernel<T>, {samples, dim3(THREADS)},
                                        call->stream, gate::excitation_gradient_of<T>(call),
                                        chl::in<T>(call, 0)));
    });
}
} // namespace

const chl_fused_body chl_cuda_gate = {forward, nullptr, chl_gate_fits};
const chl_fused_body chl_cuda_gate_backward = {backward, nullptr, chl_gate_backward_fits};
