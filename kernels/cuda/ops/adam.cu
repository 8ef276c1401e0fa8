// Adam [Kingma & Ba 2015] and AdamW [Loshchilov & Hutter 2019] in place, t = step.index + 1:
//     g += decay * param (Adam)   or   param *= 1 - rate * decay (AdamW)
//     m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
//     param -= rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// 28 bytes a parameter: bound by memory.
#include "cuda/lib/body.h"

namespace {
struct coefficients {
    float step, bias2, shrink; // the step's constants
};
struct update {
    const float *grad;
    float *param, *m, *v;
    const chl_step *step;
    float beta1, beta2, fresh1, fresh2, eps, decay, rate_scale;
    bool decoupled;

    // beta^t = exp(t log beta), and 1 minus that without cancellation
    __device__ coefficients now() const {
        const float t = float(step->index + 1), rate = step->rate * rate_scale;
        return {rate / -expm1f(t * logf(beta1)), 1 / sqrtf(-expm1f(t * logf(beta2))),
                decoupled ? 1 - rate * decay : 1};
    }
    template <int N> __device__ void at(int64_t i, const coefficients &c) const {
        float g[N], p[N], first[N], second[N];
        chl::load(grad + i, g);
        chl::load(param + i, p);
        chl::load(m + i, first);
        chl::load(v + i, second);
        for (int k = 0; k < N; k++) {
            if (!decoupled) g[k] += decay * p[k];
            first[k] = beta1 * first[k] + fresh1 * g[k];
            second[k] = beta2 * second[k] + fresh2 * g[k] * g[k];
            p[k] = c.shrink * p[k] - c.step * first[k] / (sqrtf(second[k]) * c.bias2 + eps);
        }
        chl::store(m + i, first, false);
        chl::store(v + i, second, false);
        chl::store(param + i, p, false);
    }
};

SIMT_KERNEL((chl::EACH_THREADS), update_all, update f, int64_t count) {
    constexpr int N = chl::PACK<float>;
    const int64_t stride = int64_t(gridDim.x) * chl::EACH_THREADS, packs = count / N;
    const int64_t first = int64_t(blockIdx.x) * chl::EACH_THREADS + threadIdx.x;
    const coefficients c = f.now();
    for (int64_t i = first; i < packs; i += stride) f.at<N>(i * N, c);
    if (packs * N + first < count) f.at<1>(packs * N + first, c);
}

chl_kernel_status run(const chl_call *call) {
    const auto &a = call->attr.adam;
    const int64_t count = chl_count(&call->in_desc[0]);
    if (count == 0) return CHL_KERNEL_OK;
    update f = {chl::in<float>(call, 0),
                chl::out<float>(call, 0),
                chl::out<float>(call, 1),
                chl::out<float>(call, 2),
                call->step,
                a.beta1,
                a.beta2,
                float(1 - double(a.beta1)),
                float(1 - double(a.beta2)),
                a.eps,
                a.decay,
                a.rate_scale,
                a.decoupled != 0};
    const int64_t blocks = (count / chl::PACK<float> + chl::EACH_THREADS) / chl::EACH_THREADS;
    const unsigned grid = unsigned(blocks < chl::EACH_MAX_BLOCKS ? blocks : chl::EACH_MAX_BLOCKS);
    return chl::status(
        simt::launch(update_all, {dim3(grid), dim3(chl::EACH_THREADS)}, call->stream, f, count));
}
} // namespace

const chl_body chl_cuda_adam = {run, nullptr, nullptr};
