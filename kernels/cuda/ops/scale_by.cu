// y = x exp(min(log_scale, max_log_scale)), the learned logit scale of CLIP; dx likewise,
// dlog_scale = y . dy. Float: logits. 8 bytes an element forward and for dx, 8 more for dlog_scale:
// bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
struct scaled {
    const float *x, *log_scale;
    float max_log_scale;
    float *y;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        const float factor = expf(fminf(*log_scale, max_log_scale));
        float v[N];
        chl::load(x + i, v);
        for (int e = 0; e < N; e++) v[e] *= factor;
        chl::store(y + i, v, add);
    }
};

struct dotted {
    const float *dy, *x, *log_scale;
    float max_log_scale;
    float *d;
    bool add;
    template <int N> __device__ float at(int64_t i) const {
        float u[N], v[N], sum = 0;
        chl::load(dy + i, u);
        chl::load(x + i, v);
        for (int e = 0; e < N; e++) sum += u[e] * v[e];
        return sum;
    }
    // at and below `max_log_scale` the derivative is that of exp, above it is 0
    __device__ void finish(float dot) const {
        chl::put(d, *log_scale > max_log_scale ? 0.0f : expf(*log_scale) * dot, add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::each<float>(call, chl_count(&call->out_desc[0]),
                            scaled{chl::in<float>(call, 0), chl::in<float>(call, 1),
                                   call->attr.scale_by.max_log_scale, chl::out<float>(call, 0),
                                   chl::adds(call, 0)});
}

chl_kernel_status backward(const chl_call *call) {
    const int64_t count = chl_count(&call->in_desc[0]);
    const float *dy = chl::in<float>(call, 0), *log_scale = chl::in<float>(call, 2);
    const float max_log_scale = call->attr.scale_by.max_log_scale;
    if (call->out[1]) {
        const dotted f = {dy,
                          chl::in<float>(call, 1),
                          log_scale,
                          max_log_scale,
                          chl::out<float>(call, 1),
                          chl::adds(call, 1)};
        const chl_kernel_status status =
            chl::total<float>(call, count, f, static_cast<float *>(call->workspace));
        if (status != CHL_KERNEL_OK) return status;
    }
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::each<float>(
        call, count,
        scaled{dy, log_scale, max_log_scale, chl::out<float>(call, 0), chl::adds(call, 0)});
}

size_t backward_workspace(const chl_call *) {
    return chl::TOTAL_WORKSPACE;
}
} // namespace

const chl_body chl_cuda_scale_by = {forward, nullptr, nullptr};
const chl_body chl_cuda_scale_by_backward = {backward, backward_workspace, nullptr};
