// Tiles of bf16 in shared memory, and products of tiles by a warp on tensor cores (mma.m16n8k16). A
// tile has rows of D numbers, TILE_STRIDE<D> apart: 16 bytes more than D, so that the eight rows
// that ldmatrix reads at once lie in different banks.
//
// Fragments: of an accumulator [16, 8 n], lane l of a warp holds rows l/4 and l/4 + 8, and of every
// 8 columns l%4*2 and the next one: acc[n][0..1] in the first row, acc[n][2..3] in the second.
#pragma once
#include "cuda/lib/body.h"

namespace tile {
using chl::bf16;
template <int D> constexpr int STRIDE = D + 8;

SIMT_DEVICE uint32_t pack(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    uint32_t bits;
    memcpy(&bits, &both, sizeof bits);
    return bits;
}

// Loads A [16,16] = M from `at` on, or the transpose of M.
SIMT_DEVICE void load_a(uint32_t (&a)[4], const bf16 *at, int stride) {
    const int lane = int(threadIdx.x) % 32;
    simt::ldmatrix(a, at + lane % 16 * stride + lane / 16 * 8);
}
SIMT_DEVICE void load_a_transposed(uint32_t (&a)[4], const bf16 *at, int stride) {
    const int lane = int(threadIdx.x) % 32;
    simt::ldmatrix_trans(a, at + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8);
}
// Loads 16 rows of D numbers as A.
template <int D> SIMT_DEVICE void load_rows(uint32_t (&a)[D / 16][4], const bf16 *at) {
#pragma unroll
    for (int k = 0; k < D / 16; k++) load_a(a[k], at + k * 16, STRIDE<D>);
}

// acc [16,N] += A [16,K] B^T, B [N,K] a tile
template <int N, int K>
SIMT_DEVICE void multiply_rows(float (&acc)[N / 8][4], const uint32_t (&a)[K / 16][4],
                               const bf16 *b) {
    const int lane = int(threadIdx.x) % 32;
    b += (lane / 16 * 8 + lane % 8) * STRIDE<K> + lane / 8 % 2 * 8;
#pragma unroll
    for (int k = 0; k < K / 16; k++)
#pragma unroll
        for (int n = 0; n < N / 16; n++) {
            uint32_t f[4];
            simt::ldmatrix(f, b + n * 16 * STRIDE<K> + k * 16);
            simt::mma_m16n8k16(acc[2 * n], a[k], {f[0], f[1]});
            simt::mma_m16n8k16(acc[2 * n + 1], a[k], {f[2], f[3]});
        }
}
// acc [16,N] += A [16,K] B, B [K,N] a tile
template <int N, int K>
SIMT_DEVICE void multiply_columns(float (&acc)[N / 8][4], const uint32_t (&a)[K / 16][4],
                                  const bf16 *b) {
    const int lane = int(threadIdx.x) % 32;
    b += lane % 16 * STRIDE<N> + lane / 16 * 8;
#pragma unroll
    for (int k = 0; k < K / 16; k++)
#pragma unroll
        for (int n = 0; n < N / 16; n++) {
            uint32_t f[4];
            simt::ldmatrix_trans(f, b + k * 16 * STRIDE<N> + n * 16);
            simt::mma_m16n8k16(acc[2 * n], a[k], {f[0], f[1]});
            simt::mma_m16n8k16(acc[2 * n + 1], a[k], {f[2], f[3]});
        }
}
// Converts an accumulator [16,N] to the A of the next product.
template <int N>
SIMT_DEVICE void as_a(uint32_t (&a)[N / 16][4], const float (&acc)[N / 8][4], float factor) {
#pragma unroll
    for (int k = 0; k < N / 16; k++)
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const float *from = acc[2 * k + r / 2] + r % 2 * 2;
            a[k][r] = pack(factor * from[0], factor * from[1]);
        }
}
// Stores such an A in 16 rows of a tile.
template <int N> SIMT_DEVICE void store_rows(bf16 *at, const uint32_t (&a)[N / 16][4]) {
    const int lane = int(threadIdx.x) % 32;
    at += lane / 4 * STRIDE<N> + lane % 4 * 2;
#pragma unroll
    for (int k = 0; k < N / 16; k++)
#pragma unroll
        for (int r = 0; r < 4; r++)
            memcpy(at + r % 2 * 8 * STRIDE<N> + k * 16 + r / 2 * 8, &a[k][r], sizeof a[k][r]);
}

// the sum and the maximum over the four lanes that share rows
SIMT_DEVICE float quad_sum(float v) {
    v += __shfl_xor_sync(0xffffffffu, v, 1);
    return v + __shfl_xor_sync(0xffffffffu, v, 2);
}
SIMT_DEVICE float quad_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
    return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}

// --- rows of a tensor ----------------------------------------------------------------------------
// Starts copies of `rows` rows by THREADS threads: row r of the tile is from[at(r) ... + width -
// 1], zeros where at(r) < 0 and beyond the width, a multiple of 8.
template <int D, int THREADS, class At>
SIMT_DEVICE void fetch(bf16 *to, const bf16 *from, int rows, int width, At at) {
    for (int i = int(threadIdx.x); i < rows * (D / 8); i += THREADS) {
        const int r = i / (D / 8), c = i % (D / 8) * 8;
        const int64_t offset = at(r);
        const bool valid = offset >= 0 && c < width;
        simt::cp_async16(to + r * STRIDE<D> + c, valid ? from + offset + c : from, valid);
    }
}

// Stores a warp's 16 rows of an accumulator to to[at(r) ... + width - 1], nothing where at(r) < 0,
// 16 bytes at a time by way of `staging`, 16 rows of a tile that no other warp reads or writes.
template <int D, class At>
SIMT_DEVICE void store_out(bf16 *staging, const float (&acc)[D / 8][4], float factor, bf16 *to,
                           int width, bool add, At at) {
    const int lane = int(threadIdx.x) % 32;
    uint32_t a[D / 16][4];
    as_a<D>(a, acc, factor);
    __syncwarp();
    store_rows<D>(staging, a);
    __syncwarp();
#pragma unroll
    for (int i = lane; i < 16 * (D / 8); i += 32) {
        const int r = i / (D / 8), c = i % (D / 8) * 8;
        const int64_t offset = at(r);
        if (offset < 0 || c >= width) continue;
        float v[8];
        chl::load(staging + r * STRIDE<D> + c, v);
        chl::store(to + offset + c, v, add);
    }
}
} // namespace tile
