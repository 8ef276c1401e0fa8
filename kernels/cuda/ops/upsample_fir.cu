// StyleGAN2's skip up-sampling, FIR [1,3,3,1] with gain 4 after zero insertion, plus a residual:
//     y[2m] = x[m-1]/4 + 3 x[m]/4,   y[2m+1] = 3 x[m]/4 + x[m+1]/4   along both axes, x = 0
//     outside.
// The gradient: dx[m] = (dy[2m-1] + 3 dy[2m] + 3 dy[2m+1] + dy[2m+2]) / 4.
// Pictures stay float here. Bound by memory: x, the residual and y once; neighbours come from
// cache.
#include "cuda/lib/fused.h"
#include "cuda/lib/upsample.cuh"
#include "fusion.h"

namespace {
chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::each<float>(call, chl_count(&call->out_desc[0]), upsample::upsampled_of(call));
}
chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::each<float>(call, chl_count(&call->out_desc[0]), upsample::gradient_of(call));
}

// --- the gradients of the small pictures, one after the other (kernels/fusion_table.h) ------------
// Each is read by the next, so a block does those of a sample: from 64 x 64 to 4 x 4 some 4000
// numbers, which take less time than a launch.
constexpr int CHAIN = 4, CHAIN_THREADS = 512;
struct chain {
    upsample::gradient of[CHAIN];
};
SIMT_KERNEL((CHAIN_THREADS), chain_kernel, chain all) {
#pragma unroll
    for (int k = 0; k < CHAIN; k++) {
        const upsample::gradient &f = all.of[k];
        const int64_t size = f.out.h * f.out.w * f.out.channels, first = int64_t(blockIdx.x) * size;
        for (int64_t i = threadIdx.x; i < size; i += CHAIN_THREADS)
            f.dx[first + i] = f.pixel(first + i);
        __syncthreads();
    }
}
chl_kernel_status run_chain(const chl_call *call) {
    chain all;
    for (int k = 0; k < CHAIN; k++) all.of[k] = upsample::gradient_of(call + k);
    const dim3 samples(unsigned(call->in_desc[0].dim[0]));
    return chl::status(
        simt::launch(chain_kernel, {samples, dim3(CHAIN_THREADS)}, call->stream, all));
}
} // namespace

const chl_body chl_cuda_upsample_fir = {forward, nullptr, nullptr};
const chl_body chl_cuda_upsample_fir_dx = {backward, nullptr, nullptr};
const chl_fused_body chl_cuda_upsample_chain = {run_chain, nullptr, chl_upsample_chain_fits};
