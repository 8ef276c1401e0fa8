// With D_l = |w_l - source_l|^2 and p = softmax(g):
//     loss = L sum_l p_l D_l   or   sum_l D_l without g,
//     dw_l = 2 L p_l (w_l - source_l),   dg_l = L p_l (D_l - sum_k p_k D_k).
// A block per sample; its warps divide the layers among them. 18 layers of 512 numbers are 74 KB:
// the time is that of a launch.
#include "cuda/lib/body.h"

namespace {
constexpr int WARPS = 16, THREADS = 32 * WARPS;

struct latents {
    const float *w, *source, *mask; // [N,L,D], [N,L,D], [N,L] or null
    int64_t layers, width;
};

// The log-sum-exp of the sample's mask; every warp computes it for itself.
__device__ inline float mask_log_sum(const float *mask, int64_t layers) {
    float max_logit = -INFINITY, sum = 0;
    for (int64_t l = threadIdx.x % 32; l < layers; l += 32) max_logit = fmaxf(max_logit, mask[l]);
    max_logit = simt::warp_max(max_logit);
    for (int64_t l = threadIdx.x % 32; l < layers; l += 32) sum += expf(mask[l] - max_logit);
    return max_logit + logf(simt::warp_sum(sum));
}

// L p_l, and 1 without a mask
__device__ inline float weight_of(const float *mask, int64_t l, int64_t layers, float log_sum) {
    return mask ? float(layers) * expf(mask[l] - log_sum) : 1;
}

__device__ inline float distance_of(const float *w, const float *source, int64_t width) {
    float sum = 0;
    for (int64_t i = threadIdx.x % 32; i < width; i += 32) {
        const float step = w[i] - source[i];
        sum += step * step;
    }
    return simt::warp_sum(sum);
}

SIMT_KERNEL((THREADS), distances, latents z, float *loss, bool add) {
    const int64_t first = blockIdx.x * z.layers;
    const float *mask = z.mask ? z.mask + first : nullptr;
    const float log_sum = mask ? mask_log_sum(mask, z.layers) : 0;
    float sum = 0;
    for (int64_t l = threadIdx.x / 32; l < z.layers; l += WARPS) {
        const int64_t at = (first + l) * z.width;
        const float distance = distance_of(z.w + at, z.source + at, z.width);
        if (threadIdx.x % 32 == 0) sum += weight_of(mask, l, z.layers, log_sum) * distance;
    }
    sum = chl::block_sum<THREADS>(sum);
    if (threadIdx.x == 0) chl::put(loss + blockIdx.x, sum, add);
}

struct slopes {
    const float *dloss;
    float *dw, *dg, *distance; // distance: [N,L], read by the second part
    bool add_w, add_g;
};
SIMT_KERNEL((THREADS), gradients, latents z, slopes s) {
    const int64_t first = blockIdx.x * z.layers;
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const float *mask = z.mask ? z.mask + first : nullptr;
    const float log_sum = mask ? mask_log_sum(mask, z.layers) : 0, dloss = s.dloss[blockIdx.x];
    float mean = 0;
    for (int64_t l = warp; l < z.layers; l += WARPS) {
        const int64_t at = (first + l) * z.width;
        const float weight = weight_of(mask, l, z.layers, log_sum);
        float sum = 0;
        for (int64_t i = at + lane; i < at + z.width; i += 32) {
            const float step = z.w[i] - z.source[i];
            sum += step * step;
            if (s.dw) chl::put(s.dw + i, 2 * dloss * weight * step, s.add_w);
        }
        sum = simt::warp_sum(sum);
        if (lane > 0) continue;
        s.distance[first + l] = sum;
        mean += weight * sum / float(z.layers);
    }
    if (!s.dg) return;
    mean = chl::block_sum<THREADS>(mean);
    for (int64_t l = warp; l < z.layers && lane == 0; l += WARPS)
        chl::put(s.dg + first + l,
                 dloss * weight_of(mask, l, z.layers, log_sum) * (s.distance[first + l] - mean),
                 s.add_g);
}

latents latents_of(const chl_call *call, int w) {
    const chl_desc &d = call->in_desc[w];
    const float *mask = call->inputs > w + 2 ? chl::in<float>(call, w + 2) : nullptr;
    return {chl::in<float>(call, w), chl::in<float>(call, w + 1), mask, d.dim[1], d.dim[2]};
}

chl_kernel_status forward(const chl_call *call) {
    const int64_t samples = call->in_desc[0].dim[0];
    if (!call->out[0] || samples == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(distances, {dim3(unsigned(samples)), dim3(THREADS)},
                                    call->stream, latents_of(call, 0), chl::out<float>(call, 0),
                                    chl::adds(call, 0)));
}

size_t backward_workspace(const chl_call *call) {
    return size_t(call->in_desc[1].dim[0] * call->in_desc[1].dim[1]) * sizeof(float);
}
chl_kernel_status backward(const chl_call *call) {
    const int64_t samples = call->in_desc[1].dim[0];
    if (samples == 0) return CHL_KERNEL_OK;
    const slopes s = {chl::in<float>(call, 0),
                      chl::out<float>(call, 0),
                      call->outputs > 1 ? chl::out<float>(call, 1) : nullptr,
                      static_cast<float *>(call->workspace),
                      chl::adds(call, 0),
                      chl::adds(call, 1)};
    return chl::status(simt::launch(gradients, {dim3(unsigned(samples)), dim3(THREADS)},
                                    call->stream, latents_of(call, 1), s));
}
} // namespace

const chl_body chl_cuda_latent_distance = {forward, nullptr, nullptr};
const chl_body chl_cuda_latent_distance_backward = {backward, backward_workspace, nullptr};
