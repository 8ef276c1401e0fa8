// C[M,N] = A[M,K] B[N,K]^T, bf16 in, float out, K a multiple of 8: cp.async stages, ldmatrix, mma.
// A subject of the shim's own tests; DEFECT is 0, or what bugs.cpp leaves out on purpose.
#pragma once
#include "cuda/lib/simt.h"

namespace subject {
enum { BF16_NO_WAIT = 1, BF16_NO_BARRIER, BF16_LOADS_TOO_EARLY, BF16_SHARED_TOO_SMALL };
constexpr int BF16_DEPTH = 32, BF16_PITCH = BF16_DEPTH + 8; // + 8: ldmatrix rows in different banks

// rows [first, first + ROWS) and columns [k0, k0 + 32) of a [rows, k] matrix, zeros outside it
template <int ROWS, int THREADS>
SIMT_DEVICE void load_tile(__nv_bfloat16 *tile, const __nv_bfloat16 *matrix, int first, int rows,
                           int k0, int k) {
    constexpr int CHUNKS = BF16_DEPTH / 8;
    for (int i = static_cast<int>(threadIdx.x); i < ROWS * CHUNKS; i += THREADS) {
        const int r = i / CHUNKS, c = i % CHUNKS * 8;
        const bool inside = first + r < rows && k0 + c < k;
        const __nv_bfloat16 *from = matrix + static_cast<size_t>(first + r) * k + k0 + c;
        simt::cp_async16(tile + r * BF16_PITCH + c, inside ? from : matrix, inside);
    }
}

template <int BM, int BN, int WM, int WN, int STAGES, int DEFECT>
SIMT_KERNEL(((BM / WM) * (BN / WN) * 32), gemm_bf16, const __nv_bfloat16 *a, const __nv_bfloat16 *b,
            float *c, int m, int n, int k) {
    constexpr int THREADS = BM / WM * (BN / WN) * 32;
    SIMT_DYNAMIC_SHARED(__nv_bfloat16, shared);
    __nv_bfloat16 *stage_a = shared, *stage_b = shared + STAGES * BM * BF16_PITCH;
    const int t = static_cast<int>(threadIdx.x), lane = t % 32, warp = t / 32;
    const int wm = warp % (BM / WM) * WM, wn = warp / (BM / WM) * WN;
    const int m0 = static_cast<int>(blockIdx.y) * BM, n0 = static_cast<int>(blockIdx.x) * BN;
    const int steps = (k + BF16_DEPTH - 1) / BF16_DEPTH;
    float sum[WM / 16][WN / 8][4] = {};
    const auto load = [&](int step) {
        const int s = step % STAGES, k0 = step * BF16_DEPTH;
        if (step < steps) {
            load_tile<BM, THREADS>(stage_a + s * BM * BF16_PITCH, a, m0, m, k0, k);
            load_tile<BN, THREADS>(stage_b + s * BN * BF16_PITCH, b, n0, n, k0, k);
        }
        simt::cp_async_commit(); // an empty group too: the waits count groups
    };
    for (int s = 0; s < STAGES - 1; s++) load(s);
    for (int step = 0; step < steps; step++) {
        if constexpr (DEFECT != BF16_NO_WAIT) simt::cp_async_wait<STAGES - 2>();
        if constexpr (DEFECT == BF16_LOADS_TOO_EARLY) load(step + STAGES - 1);
        if constexpr (DEFECT != BF16_NO_BARRIER) __syncthreads();
        if constexpr (DEFECT != BF16_LOADS_TOO_EARLY) load(step + STAGES - 1);
        const __nv_bfloat16 *ta = stage_a + step % STAGES * BM * BF16_PITCH;
        const __nv_bfloat16 *tb = stage_b + step % STAGES * BN * BF16_PITCH;
#pragma unroll
        for (int kk = 0; kk < BF16_DEPTH; kk += 16) {
            uint32_t fa[WM / 16][4], fb[WN / 8][2];
#pragma unroll
            for (int i = 0; i < WM / 16; i++)
                simt::ldmatrix(fa[i],
                               ta + (wm + i * 16 + lane % 16) * BF16_PITCH + kk + lane / 16 * 8);
#pragma unroll
            for (int j = 0; j < WN / 8; j++)
                simt::ldmatrix(fb[j],
                               tb + (wn + j * 8 + lane % 8) * BF16_PITCH + kk + lane / 8 % 2 * 8);
#pragma unroll
            for (int i = 0; i < WM / 16; i++)
#pragma unroll
                for (int j = 0; j < WN / 8; j++) simt::mma_m16n8k16(sum[i][j], fa[i], fb[j]);
        }
    }
    simt::cp_async_wait<0>();
#pragma unroll
    for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int j = 0; j < WN / 8; j++)
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const int row = m0 + wm + i * 16 + lane / 4 + r / 2 * 8;
                const int column = n0 + wn + j * 8 + lane % 4 * 2 + r % 2;
                if (row < m && column < n) c[static_cast<size_t>(row) * n + column] = sum[i][j][r];
            }
}

template <int BM, int BN, int WM, int WN, int DEFECT>
int launch_gemm_bf16(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int m, int n, int k,
                     void *stream) {
    constexpr int STAGES = 3;
    size_t bytes = size_t{STAGES} * (BM + BN) * BF16_PITCH * sizeof(__nv_bfloat16);
    if (DEFECT == BF16_SHARED_TOO_SMALL) bytes -= 64;
    const dim3 grid((n + BN - 1) / BN, (m + BM - 1) / BM);
    return simt::launch(gemm_bf16<BM, BN, WM, WN, STAGES, DEFECT>,
                        {grid, dim3(BM / WM * (BN / WN) * 32), bytes}, stream, a, b, c, m, n, k);
}
template <int DEFECT = 0>
int run_gemm_bf16(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int m, int n, int k,
                  void *stream) {
    if (m <= 64) return launch_gemm_bf16<64, 64, 32, 32, DEFECT>(a, b, c, m, n, k, stream);
    return launch_gemm_bf16<128, 128, 64, 32, DEFECT>(a, b, c, m, n, k, stream);
}
} // namespace subject
