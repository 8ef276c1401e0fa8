// C[M,N] = A[M,K] B[N,K]^T, bf16 in, float out, on Hopper: one warp loads tiles through tensor
// maps, a warpgroup multiplies; mbarriers hand the stages over. K a multiple of 8. A subject of the
// shim's own tests; DEFECT is 0, or what bugs.cpp leaves out on purpose.
#pragma once
#include "cuda/lib/simt.h"

namespace subject {
enum {
    WGMMA_NO_FULL_WAIT = 1,
    WGMMA_NO_EMPTY_WAIT,
    WGMMA_WRONG_BYTES,
    WGMMA_WRONG_PARITY,
    WGMMA_NO_WAIT,
    WGMMA_NO_FENCE,
    WGMMA_NO_INIT_BARRIER,
    WGMMA_NO_SWIZZLE
};
constexpr int WGMMA_TILE = 64, WGMMA_DEPTH = 64, WGMMA_STAGES = 3; // 64 bf16: a row of the swizzle
constexpr int WGMMA_TILE_BYTES = WGMMA_TILE * WGMMA_DEPTH * 2, WGMMA_CONSUMERS = 128;

template <int DEFECT>
SIMT_KERNEL((WGMMA_CONSUMERS + 32), gemm_wgmma, const __grid_constant__ simt::tensor_map a,
            const __grid_constant__ simt::tensor_map b, float *c, int m, int n, int k) {
    SIMT_DYNAMIC_SHARED(unsigned char, stages);
    SIMT_SHARED(full, simt::mbarrier[WGMMA_STAGES]);
    SIMT_SHARED(empty, simt::mbarrier[WGMMA_STAGES]);
    const int t = static_cast<int>(threadIdx.x), steps = (k + WGMMA_DEPTH - 1) / WGMMA_DEPTH;
    const int m0 = static_cast<int>(blockIdx.y) * WGMMA_TILE,
              n0 = static_cast<int>(blockIdx.x) * WGMMA_TILE;
    if (t == 0) {
        for (int s = 0; s < WGMMA_STAGES; s++) {
            simt::mbarrier_init(&full[s], 1);
            simt::mbarrier_init(&empty[s], WGMMA_CONSUMERS);
        }
        simt::fence_proxy_async();
    }
    if constexpr (DEFECT != WGMMA_NO_INIT_BARRIER) __syncthreads();
    if (t >= WGMMA_CONSUMERS) {
        if (t != WGMMA_CONSUMERS) return;
        for (int step = 0; step < steps; step++) {
            const int s = step % WGMMA_STAGES, round = step / WGMMA_STAGES;
            unsigned char *tile = stages + s * 2 * WGMMA_TILE_BYTES;
            if (DEFECT != WGMMA_NO_EMPTY_WAIT && round > 0)
                simt::mbarrier_wait(&empty[s], static_cast<unsigned>(round - 1) & 1);
            simt::mbarrier_arrive_expect(
                &full[s], DEFECT == WGMMA_WRONG_BYTES ? WGMMA_TILE_BYTES : 2 * WGMMA_TILE_BYTES);
            simt::tma_load_2d(tile, &a, &full[s], step * WGMMA_DEPTH, m0);
            simt::tma_load_2d(tile + WGMMA_TILE_BYTES, &b, &full[s], step * WGMMA_DEPTH, n0);
        }
        return;
    }
    float sum[WGMMA_TILE / 2] = {};
    for (int step = 0; step < steps; step++) {
        const int s = step % WGMMA_STAGES, round = step / WGMMA_STAGES;
        const unsigned char *tile = stages + s * 2 * WGMMA_TILE_BYTES;
        const unsigned parity =
            static_cast<unsigned>(DEFECT == WGMMA_WRONG_PARITY ? round + 1 : round) & 1;
        if constexpr (DEFECT != WGMMA_NO_FULL_WAIT) simt::mbarrier_wait(&full[s], parity);
        const uint64_t ta = simt::wgmma_operand(tile),
                       tb = simt::wgmma_operand(tile + WGMMA_TILE_BYTES);
        if constexpr (DEFECT != WGMMA_NO_FENCE) simt::wgmma_fence();
#pragma unroll
        for (unsigned kk = 0; kk < WGMMA_DEPTH / 16; kk++)
            simt::wgmma_m64k16<WGMMA_TILE>(sum, ta + 2 * kk, tb + 2 * kk);
        simt::wgmma_commit();
        if constexpr (DEFECT != WGMMA_NO_WAIT) simt::wgmma_wait<0>();
        simt::mbarrier_arrive(&empty[s]);
    }
    if constexpr (DEFECT == WGMMA_NO_WAIT) simt::wgmma_wait<1>();
#pragma unroll
    for (int i = 0; i < WGMMA_TILE / 2; i++) {
        const int row = m0 + t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
        const int column = n0 + i / 4 * 8 + t % 4 * 2 + i % 2;
        if (row < m && column < n) c[static_cast<size_t>(row) * n + column] = sum[i];
    }
    if constexpr (DEFECT == WGMMA_NO_WAIT) simt::wgmma_wait<0>();
}

template <int DEFECT = 0>
int run_gemm_wgmma(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int m, int n, int k,
                   void *stream) {
    simt::tensor_map map_a, map_b;
    const uint64_t pitch[1] = {static_cast<uint64_t>(k) * 2};
    const uint32_t box[2] = {WGMMA_DEPTH, WGMMA_TILE};
    const uint64_t size_a[2] = {static_cast<uint64_t>(k), static_cast<uint64_t>(m)};
    const uint64_t size_b[2] = {static_cast<uint64_t>(k), static_cast<uint64_t>(n)};
    const bool swizzle = DEFECT != WGMMA_NO_SWIZZLE;
    int error = simt::make_tensor_map(&map_a, a, 2, size_a, pitch, box, swizzle);
    if (!error) error = simt::make_tensor_map(&map_b, b, 2, size_b, pitch, box, true);
    if (error) return error;
    const dim3 grid((n + WGMMA_TILE - 1) / WGMMA_TILE, (m + WGMMA_TILE - 1) / WGMMA_TILE);
    const simt::shape shape = {grid, dim3(WGMMA_CONSUMERS + 32),
                               WGMMA_STAGES * 2 * WGMMA_TILE_BYTES, 90};
    return simt::launch(gemm_wgmma<DEFECT>, shape, stream, map_a, map_b, c, m, n, k);
}
} // namespace subject
