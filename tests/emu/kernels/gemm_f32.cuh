// C[M,N] = A[M,K] B[K,N], float, row-major: a 64 x 64 tile per block, 4 x 4 sums per thread.
// A subject of the shim's own tests; DEFECT is 0, or what bugs.cpp leaves out on purpose.
#pragma once
#include "cuda/lib/simt.h"

namespace subject {
enum { F32_NO_LOAD_BARRIER = 1, F32_NO_REUSE_BARRIER, F32_COLUMN_TOO_FAR };
constexpr int F32_TILE = 64, F32_DEPTH = 16, F32_THREADS = 256;

// 4 neighbours of a row, zero beyond its end
SIMT_DEVICE float4 four(const float *row, int column, int columns, bool aligned) {
    if (aligned && column + 3 < columns) return *reinterpret_cast<const float4 *>(row + column);
    float v[4];
    for (int i = 0; i < 4; i++) v[i] = column + i < columns ? row[column + i] : 0.0f;
    return make_float4(v[0], v[1], v[2], v[3]);
}

template <int DEFECT>
SIMT_KERNEL((F32_THREADS), gemm_f32, const float *a, const float *b, float *c, int m, int n,
            int k) {
    SIMT_SHARED(ta, float[F32_DEPTH][F32_TILE + 4]); // transposed; + 4: fewer bank conflicts
    SIMT_SHARED(tb, float[F32_DEPTH][F32_TILE + 4]);
    const int t = static_cast<int>(threadIdx.x), tx = t % 16, ty = t / 16;
    const int m0 = static_cast<int>(blockIdx.y) * F32_TILE,
              n0 = static_cast<int>(blockIdx.x) * F32_TILE;
    const float4 zero = make_float4(0, 0, 0, 0);
    float sum[4][4] = {};
    for (int k0 = 0; k0 < k; k0 += F32_DEPTH) {
        const int ra = t / 4, ca = t % 4 * 4, rb = t / 16, cb = t % 16 * 4;
        const float4 va =
            m0 + ra < m ? four(a + static_cast<size_t>(m0 + ra) * k, k0 + ca, k, k % 4 == 0) : zero;
        const float4 vb =
            k0 + rb < k ? four(b + static_cast<size_t>(k0 + rb) * n, n0 + cb, n, n % 4 == 0) : zero;
        ta[ca][ra] = va.x;
        ta[ca + 1][ra] = va.y;
        ta[ca + 2][ra] = va.z;
        ta[ca + 3][ra] = va.w;
        *reinterpret_cast<float4 *>(&tb[rb][cb]) = vb;
        if constexpr (DEFECT != F32_NO_LOAD_BARRIER) __syncthreads();
#pragma unroll
        for (int d = 0; d < F32_DEPTH; d++)
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) sum[i][j] += ta[d][ty * 4 + i] * tb[d][tx * 4 + j];
        if constexpr (DEFECT != F32_NO_REUSE_BARRIER) __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const int row = m0 + ty * 4 + i, column = n0 + tx * 4 + j;
            const int end = DEFECT == F32_COLUMN_TOO_FAR ? n + 1 : n;
            if (row < m && column < end) c[static_cast<size_t>(row) * n + column] = sum[i][j];
        }
}

template <int DEFECT = 0>
int run_gemm_f32(const float *a, const float *b, float *c, int m, int n, int k, void *stream) {
    const dim3 grid((n + F32_TILE - 1) / F32_TILE, (m + F32_TILE - 1) / F32_TILE);
    return simt::launch(gemm_f32<DEFECT>, {grid, dim3(F32_THREADS)}, stream, a, b, c, m, n, k);
}
} // namespace subject
