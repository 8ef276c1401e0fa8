// Hopper's mbarriers, tensor-map loads and warpgroup products (sm_90a). Same names in
// kernels/cuda/simt_hopper.h.
#pragma once
#include "emu_block.h"

namespace simt {
constexpr bool HOPPER = true; // false where nvcc compiles for another architecture

using mbarrier = uint64_t; // in shared memory

struct tensor_map { // what cuTensorMapEncodeTiled packs
    const unsigned char *base;
    int rank;
    uint64_t size[5], pitch[5]; // elements; bytes from one to the next along each dimension
    uint32_t box[5];
    bool swizzle;
};
// A bf16 tensor of `rank` dimensions, innermost first: size in elements, pitch of dimensions 1...
// in bytes; a load brings a box of it, zeros outside. `swizzle`: 16-byte chunk c of each 128-byte
// row r goes to c ^ r % 8, as wgmma_operand expects. 0, or a CUresult.
int make_tensor_map(tensor_map *map, const void *base, int rank, const uint64_t *size,
                    const uint64_t *pitch, const uint32_t *box, bool swizzle);

namespace emu {
void mbarrier_init(mbarrier *m, unsigned count, Where here);
void mbarrier_arrive(mbarrier *m, unsigned expected_bytes, Where here);
bool mbarrier_try_wait(mbarrier *m, unsigned parity, bool block, Where here);
void tma_load(void *to, const tensor_map *map, mbarrier *m, int rank, const int *at, Where here);
uint64_t wgmma_operand(const void *tile, Where here);
void wgmma(float *d, int n, const uint32_t *held, uint64_t a, uint64_t b, bool turned, Where here);
void wgmma_fence();
void wgmma_commit();
void wgmma_wait(unsigned groups_left);
} // namespace emu

static inline void mbarrier_init(mbarrier *m, unsigned count, EMU_HERE) {
    emu::mbarrier_init(m, count, here);
}
// makes initialisations and ordinary stores visible to the copy engine and the tensor cores
static inline void fence_proxy_async() {
    emu::need_sm(90, "fence.proxy.async");
}
static inline void mbarrier_arrive(mbarrier *m, EMU_HERE) {
    emu::mbarrier_arrive(m, 0, here);
}
static inline void mbarrier_arrive_expect(mbarrier *m, unsigned bytes, EMU_HERE) {
    emu::mbarrier_arrive(m, bytes, here);
}
// true once the phase of this parity has completed; the first phase is 0
static inline bool mbarrier_try_wait(mbarrier *m, unsigned parity, EMU_HERE) {
    return emu::mbarrier_try_wait(m, parity, false, here);
}
static inline void mbarrier_wait(mbarrier *m, unsigned parity, EMU_HERE) {
    emu::mbarrier_try_wait(m, parity, true, here);
}
static inline void tma_load_2d(void *to, const tensor_map *map, mbarrier *m, int x, int y,
                               EMU_HERE) {
    const int at[2] = {x, y};
    emu::tma_load(to, map, m, 2, at, here);
}
static inline void tma_load_4d(void *to, const tensor_map *map, mbarrier *m, int c, int x, int y,
                               int n, EMU_HERE) {
    const int at[4] = {c, x, y, n};
    emu::tma_load(to, map, m, 4, at, here);
}
// The descriptor of a tile of 128-byte swizzled rows (64 bf16 along k) at a 1024-byte aligned
// place; the next 16 of k are 2 further on.
static inline uint64_t wgmma_operand(const void *tile, EMU_HERE) {
    return emu::wgmma_operand(tile, here);
}
// The descriptor of a tile [k][N] of such rows: 64 columns of N in each, k from row to row;
// `next_columns` is how many bytes on the next 64 columns lie. The next 16 of k are 128 further on.
static inline uint64_t wgmma_operand_turned(const void *tile, unsigned next_columns, EMU_HERE) {
    return emu::wgmma_operand(tile, here) | static_cast<uint64_t>(next_columns) / 16 << 16;
}
// d[64,N] += a[64,16] b[N,16]^T, asynchronously. Thread t of the warpgroup holds in d[i] row
// t/32*16 + t%32/4 + i/2%2*8, column i/4*8 + t%4*2 + i%2. N is 64 or 128. TURNED: b is a
// wgmma_operand_turned.
template <int N, bool TURNED = false>
static inline void wgmma_m64k16(float (&d)[N / 2], uint64_t a, uint64_t b, EMU_HERE) {
    static_assert(N == 64 || N == 128, "wgmma_m64k16: widths 64 and 128 have a body");
    emu::wgmma(d, N, nullptr, a, b, TURNED, here);
}
// The same with a from registers: in a[i] rows t/32*16 + t%32/4 + i%2*8, columns i/2*8 + t%4*2 and
// the next. They must not change before the product is waited for.
template <int N>
static inline void wgmma_m64k16(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, EMU_HERE) {
    static_assert(N == 64 || N == 128, "wgmma_m64k16: widths 64 and 128 have a body");
    emu::wgmma(d, N, a, 0, b, false, here);
}
// before the first product on registers, and after they were used otherwise
static inline void wgmma_fence() {
    emu::wgmma_fence();
}
// the same, behind the last change of these
template <int K> static inline void wgmma_fence(uint32_t (&)[K][4]) {
    emu::wgmma_fence();
}
static inline void wgmma_commit() {
    emu::wgmma_commit();
}
template <int N> static inline void wgmma_wait() {
    emu::wgmma_wait(N);
}
} // namespace simt
