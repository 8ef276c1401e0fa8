// The mean of all elements, [1], and its gradient: 4 bytes an element either way, bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
struct averaged {
    const float *x;
    float *y;
    int64_t count;
    bool add;
    template <int N> __device__ float at(int64_t i) const {
        float v[N], sum = 0;
        chl::load(x + i, v);
        for (int e = 0; e < N; e++) sum += v[e];
        return sum;
    }
    __device__ void finish(float sum) const { chl::put(y, sum / float(count), add); }
};

struct spread {
    const float *dy;
    float *dx;
    int64_t count;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        for (int e = 0; e < N; e++) v[e] = *dy / float(count);
        chl::store(dx + i, v, add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    const int64_t count = chl_count(&call->in_desc[0]);
    return chl::total<float>(
        call, count,
        averaged{chl::in<float>(call, 0), chl::out<float>(call, 0), count, chl::adds(call, 0)},
        static_cast<float *>(call->workspace));
}

chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    const int64_t count = chl_count(&call->out_desc[0]);
    return chl::each<float>(
        call, count,
        spread{chl::in<float>(call, 0), chl::out<float>(call, 0), count, chl::adds(call, 0)});
}

size_t forward_workspace(const chl_call *) {
    return chl::TOTAL_WORKSPACE;
}
} // namespace

const chl_body chl_cuda_mean = {forward, forward_workspace, nullptr};
const chl_body chl_cuda_mean_dx = {backward, nullptr, nullptr};
