// The log-sum-exp of a row, computed by a block that reads the row once, and the mean over rows
// whose losses the blocks wrote.
#pragma once
#include "cuda/lib/body.h"

namespace chl {
template <int THREADS> __device__ inline float block_max(float v) {
    SIMT_SHARED(part, float[THREADS / 32]);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    v = simt::warp_max(v);
    __syncthreads(); // `part` may still be read by the last call
    if (lane == 0) part[warp] = v;
    __syncthreads();
    return simt::warp_max(part[lane < THREADS / 32 ? lane : 0]);
}

// The sum of exponentials relative to the largest number so far; a larger number rescales it.
struct running_sum {
    float max = -INFINITY, sum = 0;
    __device__ void add(float v) {
        if (v > max) {
            sum = sum * expf(max - v) + 1;
            max = v;
        } else {
            sum += expf(v - max);
        }
    }
};
template <int THREADS> __device__ inline float block_log_sum(const running_sum &own) {
    const float max = block_max<THREADS>(own.max);
    return max + logf(block_sum<THREADS>(own.sum > 0 ? own.sum * expf(own.max - max) : own.sum));
}

constexpr int LOSS_THREADS = 256;

// out (+)= the mean of each[0 ... rows - 1]; launched with one block
SIMT_KERNEL((LOSS_THREADS), mean_kernel, const float *each, int64_t rows, float *out, bool add) {
    float sum = 0;
    for (int64_t i = threadIdx.x; i < rows; i += LOSS_THREADS) sum += each[i];
    sum = block_sum<LOSS_THREADS>(sum);
    if (threadIdx.x == 0) put(out, sum / float(rows), add);
}
inline chl_kernel_status mean_of_rows(const chl_call *call, const float *each, int64_t rows) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return status(simt::launch(mean_kernel, {dim3(1), dim3(LOSS_THREADS)}, call->stream, each, rows,
                               out<float>(call, 0), adds(call, 0)));
}
} // namespace chl
