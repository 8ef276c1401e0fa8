// y[r,:] = exp(x[r,:] - max) / sum, a block per row: reductions through shuffles and shared memory.
// A subject of the shim's own tests; DEFECT is 0, or what bugs.cpp leaves out on purpose.
#pragma once
#include "cuda/lib/simt.h"

namespace subject {
enum { SOFTMAX_NO_REUSE_BARRIER = 1, SOFTMAX_NO_BARRIER };

template <int THREADS, int DEFECT>
SIMT_KERNEL((THREADS), softmax, const float *x, float *y, int columns) {
    SIMT_SHARED(part, float[THREADS / 32]);
    constexpr int WARPS = THREADS / 32;
    const int t = static_cast<int>(threadIdx.x), lane = t % 32, warp = t / 32;
    const float *row = x + static_cast<size_t>(blockIdx.x) * columns;
    float *out = y + static_cast<size_t>(blockIdx.x) * columns;
    float greatest = -INFINITY;
    for (int i = t; i < columns; i += THREADS) greatest = fmaxf(greatest, row[i]);
    greatest = simt::warp_max(greatest);
    if (lane == 0) part[warp] = greatest;
    if constexpr (DEFECT != SOFTMAX_NO_BARRIER) __syncthreads();
    greatest = simt::warp_max(lane < WARPS ? part[lane] : -INFINITY);
    if constexpr (DEFECT != SOFTMAX_NO_REUSE_BARRIER) __syncthreads(); // part is used again
    float sum = 0;
    for (int i = t; i < columns; i += THREADS) sum += __expf(row[i] - greatest);
    sum = simt::warp_sum(sum);
    if (lane == 0) part[warp] = sum;
    __syncthreads();
    sum = simt::warp_sum(lane < WARPS ? part[lane] : 0.0f);
    for (int i = t; i < columns; i += THREADS) out[i] = __expf(row[i] - greatest) / sum;
}

template <int DEFECT = 0>
int run_softmax(const float *x, float *y, int rows, int columns, void *stream) {
    if (columns <= 256)
        return simt::launch(softmax<64, DEFECT>, {dim3(rows), dim3(64)}, stream, x, y, columns);
    return simt::launch(softmax<256, DEFECT>, {dim3(rows), dim3(256)}, stream, x, y, columns);
}
} // namespace subject
