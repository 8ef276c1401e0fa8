// y[n] = a[n,:] . b[n,:], a block per row; da = dy b, db = dy a.
#include "cuda/lib/body.h"

namespace {
constexpr int THREADS = 128;

SIMT_KERNEL((THREADS), dot, const float *a, const float *b, float *y, int64_t size, bool add) {
    const int64_t row = int64_t(blockIdx.x) * size;
    float sum = 0;
    for (int64_t i = threadIdx.x; i < size; i += THREADS) sum += a[row + i] * b[row + i];
    sum = chl::block_sum<THREADS>(sum);
    if (threadIdx.x == 0) chl::put(y + blockIdx.x, sum, add);
}

struct scaled {
    const float *dy, *x;
    float *dx;
    int64_t size;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        chl::load(x + i, v);
        for (int k = 0; k < N; k++) v[k] *= dy[(i + k) / size];
        chl::store(dx + i, v, add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    const int64_t rows = call->in_desc[0].dim[0], size = call->in_desc[0].dim[1];
    if (!call->out[0] || rows == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(dot, {dim3(unsigned(rows)), dim3(THREADS)}, call->stream,
                                    chl::in<float>(call, 0), chl::in<float>(call, 1),
                                    chl::out<float>(call, 0), size, chl::adds(call, 0)));
}

chl_kernel_status backward(const chl_call *call) {
    const int64_t size = call->in_desc[1].dim[1], count = chl_count(&call->in_desc[1]);
    for (int i = 0; i < 2; i++) {
        if (!call->out[i]) continue;
        const scaled f = {chl::in<float>(call, 0), chl::in<float>(call, 2 - i),
                          chl::out<float>(call, i), size, chl::adds(call, i)};
        const chl_kernel_status status = chl::each<float>(call, count, f);
        if (status != CHL_KERNEL_OK) return status;
    }
    return CHL_KERNEL_OK;
}
} // namespace

const chl_body chl_cuda_row_dot = {forward, nullptr, nullptr};
const chl_body chl_cuda_row_dot_backward = {backward, nullptr, nullptr};
