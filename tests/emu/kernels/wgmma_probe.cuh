// One warpgroup's product as modconv_hopper.cuh makes it: operands by tensor maps, or A in
// registers; B with k innermost, or turned. For programs that compare layouts:
// tests/cuda/cute/compare.cpp with CuTe's, tests/emu/layouts.cu with a GPU's.
#pragma once
#include "cuda/lib/simt.h"

namespace wgmma_probe {
constexpr int M = 64, K = 64, KBLOCKS = 4, GROUP = 128;
constexpr int A_BYTES = M * K * 2;
template <int N> constexpr int B_BYTES = N *K * 2;

// A [64, 64], k innermost. B [n, 64], k innermost, or turned: [64, n], n innermost.
template <int N, bool TURNED, bool A_IN_REGISTERS>
SIMT_KERNEL((GROUP), run_wgmma, const __grid_constant__ simt::tensor_map map_a,
            const __grid_constant__ simt::tensor_map map_b, const uint32_t *held, float *d,
            unsigned char *loaded) {
    if constexpr (!simt::HOPPER) return;
    SIMT_DYNAMIC_SHARED(unsigned char, memory);
    SIMT_SHARED(full, simt::mbarrier);
    const int t = int(threadIdx.x);
    unsigned char *a = memory, *b = memory + A_BYTES;
    if (t == 0) {
        simt::mbarrier_init(&full, 1);
        simt::fence_proxy_async();
        simt::mbarrier_arrive_expect(&full, A_BYTES + B_BYTES<N>);
        simt::tma_load_2d(a, &map_a, &full, 0, 0);
        if (TURNED)
            for (int n = 0; n < N; n += 64) simt::tma_load_2d(b + n * K * 2, &map_b, &full, n, 0);
        else
            simt::tma_load_2d(b, &map_b, &full, 0, 0);
    }
    __syncthreads();
    simt::mbarrier_wait(&full, 0);
    for (int i = t; i < A_BYTES + B_BYTES<N>; i += GROUP) loaded[i] = memory[i];
    float sum[N / 2] = {};
    uint32_t of_a[KBLOCKS][4];
    for (int k = 0; k < KBLOCKS; k++)
        for (int i = 0; i < 4; i++) of_a[k][i] = held[(k * GROUP + t) * 4 + i];
    simt::wgmma_fence();
    const uint64_t left = simt::wgmma_operand(a);
    const uint64_t right =
        TURNED ? simt::wgmma_operand_turned(b, B_BYTES<64>) : simt::wgmma_operand(b);
    for (int k = 0; k < KBLOCKS; k++) {
        if constexpr (A_IN_REGISTERS)
            simt::wgmma_m64k16<N>(sum, of_a[k], right + 2 * k);
        else if constexpr (TURNED)
            simt::wgmma_m64k16<N, true>(sum, left + 2 * k, right + 128 * k);
        else
            simt::wgmma_m64k16<N>(sum, left + 2 * k, right + 2 * k);
    }
    simt::wgmma_commit();
    simt::wgmma_wait<0>();
    for (int i = 0; i < N / 2; i++) d[t * (N / 2) + i] = sum[i];
}

inline int make_map(simt::tensor_map *map, const void *base, int rows, int columns,
                    int box_columns) {
    const uint64_t size[2] = {uint64_t(columns), uint64_t(rows)}, pitch[1] = {2u * columns};
    const uint32_t box[2] = {uint32_t(box_columns), uint32_t(rows)};
    return simt::make_tensor_map(map, base, 2, size, pitch, box, true);
}

} // namespace wgmma_probe
