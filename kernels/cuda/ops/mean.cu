// The mean of all elements, [1], and its gradient: 4 bytes an element either way, bound by memory.
#include "cuda/lib/fused.h"
#include "cuda/lib/reduce.cuh"
#include "fusion.h"

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

// --- sum sum mean sum, of a few numbers (kernels/fusion_table.h) ----------------------------------
constexpr int FEW = 256;
struct weighted {
    const float *x[CHL_MAX_IN];
    float c[CHL_MAX_IN], bias;
    float *y;
    // `first` stands for x[0]
    __device__ float at(int64_t i, float first) const {
        float total = bias + c[0] * first;
#pragma unroll
        for (int k = 1; k < CHL_MAX_IN; k++)
            if (x[k]) total += c[k] * x[k][i];
        y[i] = total;
        return total;
    }
};
SIMT_KERNEL((FEW), mean_of_sums, weighted inner, weighted outer, weighted last, float *mean,
            int64_t count) {
    float sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += FEW)
        sum += outer.at(i, inner.at(i, inner.x[0][i]));
    sum = chl::block_sum<FEW>(sum);
    if (threadIdx.x > 0) return;
    *mean = sum / float(count);
    last.at(0, *mean);
}
weighted weighted_of(const chl_call *sum) {
    weighted f = {};
    for (int k = 0; k < sum->inputs; k++) {
        f.x[k] = chl::in<float>(sum, k);
        f.c[k] = sum->attr.sum.c[k];
    }
    f.bias = sum->attr.sum.bias;
    f.y = chl::out<float>(sum, 0);
    return f;
}
chl_kernel_status run_sums(const chl_call *call) {
    return chl::status(simt::launch(mean_of_sums, {dim3(1), dim3(FEW)}, call->stream,
                                    weighted_of(call), weighted_of(call + 1), weighted_of(call + 3),
                                    chl::out<float>(call + 2, 0), chl_count(&call->out_desc[0])));
}

size_t forward_workspace(const chl_call *) {
    return chl::TOTAL_WORKSPACE;
}
} // namespace

const chl_body chl_cuda_mean = {forward, forward_workspace, nullptr};
const chl_body chl_cuda_mean_dx = {backward, nullptr, nullptr};
const chl_fused_body chl_cuda_mean_of_sums = {run_sums, nullptr, chl_mean_of_sums_fits};
