// Gradient descent with momentum [Polyak 1964] in place, as torch.optim.SGD without dampening:
//     g += decay * param        m = momentum * m + g        param -= rate * m
// 20 bytes a parameter: bound by memory.
#include "cuda/lib/body.h"

namespace {
struct update {
    const float *grad;
    float *param, *m;
    const chl_step *step;
    float momentum, decay, rate_scale;
    template <int N> __device__ void at(int64_t i) const {
        const float rate = step->rate * rate_scale;
        float g[N], p[N], mean[N];
        chl::load(grad + i, g);
        chl::load(param + i, p);
        chl::load(m + i, mean);
        for (int k = 0; k < N; k++) {
            mean[k] = momentum * mean[k] + (g[k] + decay * p[k]);
            p[k] -= rate * mean[k];
        }
        chl::store(m + i, mean, false);
        chl::store(param + i, p, false);
    }
};

chl_kernel_status run(const chl_call *call) {
    const auto &a = call->attr.sgd;
    const update f = {chl::in<float>(call, 0),
                      chl::out<float>(call, 0),
                      chl::out<float>(call, 1),
                      call->step,
                      a.momentum,
                      a.decay,
                      a.rate_scale};
    return chl::each<float>(call, chl_count(&call->in_desc[0]), f);
}
} // namespace

const chl_body chl_cuda_sgd = {run, nullptr, nullptr};
