// conv_pack: w [O,I,K,K] -> gain * w as bf16 [O,K,K,I], which a convolution's forward and its data
// gradient read. Float activations use w itself (conv.cu).
#include "cuda/lib/filter.cuh"

namespace {
size_t opaque(const chl_call *call) {
    return size_t(chl_count(&call->in_desc[0])) * sizeof(chl::bf16);
}
chl_kernel_status run(const chl_call *call) {
    return chl::lay_filter(call, chl::in<float>(call, 0), chl::out<chl::bf16>(call, 0));
}
} // namespace

const chl_body chl_cuda_conv_pack = {run, nullptr, opaque};
