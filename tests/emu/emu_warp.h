// What the lanes of a warp and the threads of a block do together; atomics; mma and ldmatrix.
#pragma once
#include "emu_block.h"

static inline void __syncthreads(EMU_HERE) {
    simt::emu::syncthreads(here);
}
static inline void __syncwarp(uint32_t mask = 0xffffffffu, EMU_HERE) {
    simt::emu::collective(mask, nullptr, "__syncwarp", true, nullptr, here);
}
static inline uint32_t __activemask() {
    return simt::emu::active_lanes();
}

namespace simt {
// Barrier `id` (1 to 15) of `threads` threads, whole warps: a consumer syncs, a producer that need
// not wait arrives.
static inline void barrier_sync(int id, int threads, EMU_HERE) {
    emu::barrier(id, threads, true, here);
}
static inline void barrier_arrive(int id, int threads, EMU_HERE) {
    emu::barrier(id, threads, false, here);
}

namespace emu {
// What the last lane does with the others' arguments is the machine's doing, not the kernel's.
#define EMU_UNSEEN __attribute__((no_sanitize("thread")))

template <class T> struct Shuffle {
    T value;
    int source;
    T result;
};
template <class T> EMU_UNSEEN void answer_shuffles(void **lanes, uint32_t mask) {
    for (uint32_t m = mask; m; m &= m - 1) {
        Shuffle<T> *to = static_cast<Shuffle<T> *>(lanes[__builtin_ctz(m)]);
        if (!(mask >> to->source & 1))
            die("a shuffle reads lane %d, outside its mask %08x", to->source, mask);
        to->result = static_cast<Shuffle<T> *>(lanes[to->source])->value;
    }
}
template <class T>
static inline T shuffle(uint32_t mask, T value, int source, const char *what, Where here) {
    static_assert(std::is_trivially_copyable_v<T> &&
                      (sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8),
                  "a shuffle carries 2, 4 or 8 bytes");
    Shuffle<T> mine{value, source, value};
    collective(mask, &mine, what, false, answer_shuffles<T>, here);
    return mine.result;
}
struct Vote {
    int predicate;
    uint32_t result;
};
EMU_UNSEEN static inline void count_votes(void **lanes, uint32_t mask) {
    uint32_t votes = 0;
    for (uint32_t m = mask; m; m &= m - 1)
        if (static_cast<Vote *>(lanes[__builtin_ctz(m)])->predicate) votes |= m & -m;
    for (uint32_t m = mask; m; m &= m - 1)
        static_cast<Vote *>(lanes[__builtin_ctz(m)])->result = votes;
}
static inline uint32_t vote(uint32_t mask, int predicate, const char *what, Where here) {
    Vote mine{predicate, 0};
    collective(mask, &mine, what, false, count_votes, here);
    return mine.result;
}
static inline int lane() {
    return static_cast<int>(context->lane);
}

template <class T, class F> static inline T atomic_update(T *p, F f) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    Bits *q = reinterpret_cast<Bits *>(p);
    Bits old = __atomic_load_n(q, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(q, &old, bits<Bits>(f(bits<T>(old))), true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return bits<T>(old);
}
} // namespace emu
} // namespace simt

static inline uint32_t __ballot_sync(uint32_t mask, int p, EMU_HERE) {
    return simt::emu::vote(mask, p, "__ballot_sync", here);
}
static inline int __any_sync(uint32_t mask, int p, EMU_HERE) {
    return simt::emu::vote(mask, p, "__any_sync", here) != 0;
}
static inline int __all_sync(uint32_t mask, int p, EMU_HERE) {
    return simt::emu::vote(mask, p, "__all_sync", here) == mask;
}
template <class T>
static inline T __shfl_sync(uint32_t mask, T v, int source, int width = 32, EMU_HERE) {
    const int own = simt::emu::lane(), from = (own & ~(width - 1)) | (source & (width - 1));
    return simt::emu::shuffle(mask, v, from, "__shfl_sync", here);
}
template <class T>
static inline T __shfl_xor_sync(uint32_t mask, T v, int bits, int width = 32, EMU_HERE) {
    const int own = simt::emu::lane(), from = own ^ bits;
    return simt::emu::shuffle(mask, v, from / width > own / width ? own : from, "__shfl_xor_sync",
                              here);
}
template <class T>
static inline T __shfl_down_sync(uint32_t mask, T v, unsigned by, int width = 32, EMU_HERE) {
    const int own = simt::emu::lane(), from = own + static_cast<int>(by);
    return simt::emu::shuffle(mask, v, from / width != own / width ? own : from, "__shfl_down_sync",
                              here);
}
template <class T>
static inline T __shfl_up_sync(uint32_t mask, T v, unsigned by, int width = 32, EMU_HERE) {
    const int own = simt::emu::lane(), from = own - static_cast<int>(by);
    return simt::emu::shuffle(mask, v, from < (own & ~(width - 1)) ? own : from, "__shfl_up_sync",
                              here);
}

template <class T> static inline T atomicAdd(T *p, T v) {
    return simt::emu::atomic_update(p, [v](T old) { return old + v; });
}
template <class T> static inline T atomicMax(T *p, T v) {
    return simt::emu::atomic_update(p, [v](T old) { return old < v ? v : old; });
}
template <class T> static inline T atomicMin(T *p, T v) {
    return simt::emu::atomic_update(p, [v](T old) { return v < old ? v : old; });
}
template <class T> static inline T atomicExch(T *p, T v) {
    return simt::emu::atomic_update(p, [v](T) { return v; });
}
template <class T> static inline T atomicCAS(T *p, T expected, T v) {
    return simt::emu::atomic_update(p, [=](T old) { return old == expected ? v : old; });
}
// Atomics are relaxed, as on the GPU: what publishes data through one needs a fence on both sides.
// All fences share one point, so ThreadSanitizer may believe in more order between them than there
// is.
static inline void __threadfence() {
    simt::emu::fence();
}
static inline void __threadfence_block() {
    simt::emu::fence();
}

namespace simt {
namespace emu {
void mma_m16n8k16(float *d, const uint32_t *a, const uint32_t *b, Where here);
void ldmatrix(uint32_t *r, const void *row, int matrices, bool transposed, Where here);
} // namespace emu

// d[16,8] += a[16,16] b[16,8]: bf16 pairs in a and b, float sums. PTX ISA, "Matrix Fragments for
// mma.m16n8k16": lane t holds rows t/4 and t/4+8, columns from t%4*2.
static inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                EMU_HERE) {
    emu::mma_m16n8k16(d, a, b, here);
}
// the products of two pairs of bf16
static inline uint32_t mul_bf16x2(uint32_t a, uint32_t b) {
    __nv_bfloat162 left, right;
    memcpy(&left, &a, sizeof a);
    memcpy(&right, &b, sizeof b);
    left = __hmul2(left, right);
    memcpy(&a, &left, sizeof a);
    return a;
}
// r[j] gets the lane's share of the j-th 8 x 8 matrix of 16-bit elements, whose row i lies where
// lane 8 j + i points; _trans: of its transpose. N is 1, 2 or 4.
template <int N> static inline void ldmatrix(uint32_t (&r)[N], const void *row, EMU_HERE) {
    static_assert(N == 1 || N == 2 || N == 4, "ldmatrix loads 1, 2 or 4 matrices");
    emu::ldmatrix(r, row, N, false, here);
}
template <int N> static inline void ldmatrix_trans(uint32_t (&r)[N], const void *row, EMU_HERE) {
    static_assert(N == 1 || N == 2 || N == 4, "ldmatrix loads 1, 2 or 4 matrices");
    emu::ldmatrix(r, row, N, true, here);
}
} // namespace simt
