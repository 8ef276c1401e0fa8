// average += (1 - d) (x - average), d = decay, or min(decay, (1 + t) / (10 + t)) with warm-up.
// 12 bytes an element: bound by memory.
#include "cuda/lib/body.h"

namespace {
struct update {
    const float *x;
    float *average;
    const chl_step *step;
    float fresh; // 1 - decay
    bool warm_up;
    template <int N> __device__ void at(int64_t i) const {
        float part = fresh;
        if (warm_up) part = fmaxf(part, 9 / (10 + float(step->index)));
        float v[N], mean[N];
        chl::load(x + i, v);
        chl::load(average + i, mean);
        for (int k = 0; k < N; k++) mean[k] += part * (v[k] - mean[k]);
        chl::store(average + i, mean, false);
    }
};

chl_kernel_status run(const chl_call *call) {
    const update f = {chl::in<float>(call, 0), chl::out<float>(call, 0), call->step,
                      float(1 - double(call->attr.ema.decay)), call->attr.ema.warm_up != 0};
    return chl::each<float>(call, chl_count(&call->in_desc[0]), f);
}
} // namespace

const chl_body chl_cuda_ema = {run, nullptr, nullptr};
