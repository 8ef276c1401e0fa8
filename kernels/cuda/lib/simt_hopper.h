// The bodies of simt.h for Hopper, sm_90a: mbarriers, tensor-map loads, warpgroup products. What
// each does is said beside its CPU body (tests/emu/emu_hopper.h); PTX names: PTX ISA 8.
#pragma once
#include "cuda/lib/simt_nvcc.h"
#include "cuda/lib/wgmma_descriptor.h"
#include <cuda.h>

namespace simt {
// whether this pass of the compiler may emit Hopper's instructions: a file is compiled for several
// architectures, and its kernels for Hopper have an empty body in the others
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool HOPPER = true;
#else
constexpr bool HOPPER = false;
#endif

using mbarrier = uint64_t;
using tensor_map =
    CUtensorMap; // a kernel's parameter: const __grid_constant__ simt::tensor_map map

// The driver's function is asked for at run time: linking against the driver would keep the program
// from starting where there is none.
inline int make_tensor_map(tensor_map *map, const void *base, int rank, const uint64_t *size,
                           const uint64_t *pitch, const uint32_t *box, bool swizzle) {
    constexpr unsigned SINCE = 12000; // CUDA 12.0
    void *function = nullptr;
    cudaDriverEntryPointQueryResult found;
    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, SINCE,
                                         cudaEnableDefault, &found) != cudaSuccess ||
        found != cudaDriverEntryPointSuccess)
        return static_cast<int>(CUDA_ERROR_NOT_FOUND);
    const cuuint32_t step[5] = {1, 1, 1, 1, 1};
    return static_cast<int>(reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function)(
        map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, static_cast<cuuint32_t>(rank),
        const_cast<void *>(base), size, pitch, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
        swizzle ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE,
        CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
}

SIMT_DEVICE void mbarrier_init(mbarrier *m, unsigned count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(m)), "r"(count)
                 : "memory");
}
SIMT_DEVICE void fence_proxy_async() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
SIMT_DEVICE void mbarrier_arrive(mbarrier *m) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(m)) : "memory");
}
SIMT_DEVICE void mbarrier_arrive_expect(mbarrier *m, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(m)),
                 "r"(bytes)
                 : "memory");
}
SIMT_DEVICE bool mbarrier_try_wait(mbarrier *m, unsigned parity) {
    uint32_t done;
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                 "selp.b32 %0, 1, 0, p;\n"
                 "}"
                 : "=r"(done)
                 : "r"(shared_address(m)), "r"(parity)
                 : "memory");
    return done != 0;
}
SIMT_DEVICE void mbarrier_wait(mbarrier *m, unsigned parity) {
    while (!mbarrier_try_wait(m, parity)) {
    }
}

SIMT_DEVICE void tma_load_2d(void *to, const tensor_map *map, mbarrier *m, int x, int y) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4}], [%2];" ::"r"(shared_address(to)),
                 "l"(map), "r"(shared_address(m)), "r"(x), "r"(y)
                 : "memory");
}
SIMT_DEVICE void tma_load_4d(void *to, const tensor_map *map, mbarrier *m, int c, int x, int y,
                             int n) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(shared_address(to)),
                 "l"(map), "r"(shared_address(m)), "r"(c), "r"(x), "r"(y), "r"(n)
                 : "memory");
}

SIMT_DEVICE uint64_t wgmma_operand(const void *tile) {
    return wgmma_descriptor(shared_address(tile));
}
SIMT_DEVICE uint64_t wgmma_operand_turned(const void *tile, unsigned next_columns) {
    return wgmma_descriptor_turned(shared_address(tile), next_columns);
}
SIMT_DEVICE void wgmma_fence() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
// the registers pass through it, so that no compiler moves their last change behind it
template <int K> SIMT_DEVICE void wgmma_fence(uint32_t (&a)[K][4]) {
#pragma unroll
    for (int k = 0; k < K; k++)
        asm volatile("" : "+r"(a[k][0]), "+r"(a[k][1]), "+r"(a[k][2]), "+r"(a[k][3])::"memory");
    wgmma_fence();
}
SIMT_DEVICE void wgmma_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int N> SIMT_DEVICE void wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

#define SIMT_8_ACCUMULATORS(i)                                                                     \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]),    \
        "+f"(d[i + 6]), "+f"(d[i + 7])
#define SIMT_32_ACCUMULATORS(i)                                                                    \
    SIMT_8_ACCUMULATORS(i), SIMT_8_ACCUMULATORS(i + 8), SIMT_8_ACCUMULATORS(i + 16),               \
        SIMT_8_ACCUMULATORS(i + 24)
#define SIMT_FIRST_32                                                                              \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "   \
    "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define SIMT_NEXT_32                                                                               \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "   \
    "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
// the operands after {d}: a, b, accumulate (always: a predicate), their signs, then which of them
// lie with k outermost
template <int N, bool TURNED = false>
SIMT_DEVICE void wgmma_m64k16(float (&d)[N / 2], uint64_t a, uint64_t b) {
    static_assert(N == 64 || N == 128, "wgmma_m64k16: widths 64 and 128 have a body");
    if constexpr (N == 64)
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" SIMT_FIRST_32
                     "}, %32, %33, p, 1, 1, 0, %35;\n}"
                     : SIMT_32_ACCUMULATORS(0)
                     : "l"(a), "l"(b), "r"(1), "n"(TURNED ? 1 : 0)
                     : "memory");
    else
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" SIMT_FIRST_32
                     ", " SIMT_NEXT_32 "}, %64, %65, p, 1, 1, 0, %67;\n}"
                     : SIMT_32_ACCUMULATORS(0), SIMT_32_ACCUMULATORS(32)
                     : "l"(a), "l"(b), "r"(1), "n"(TURNED ? 1 : 0)
                     : "memory");
}
template <int N>
SIMT_DEVICE void wgmma_m64k16(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b) {
    static_assert(N == 64 || N == 128, "wgmma_m64k16: widths 64 and 128 have a body");
    if constexpr (N == 64)
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %37, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" SIMT_FIRST_32
                     "}, {%32, %33, %34, %35}, %36, p, 1, 1, 0;\n}"
                     : SIMT_32_ACCUMULATORS(0)
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1)
                     : "memory");
    else
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" SIMT_FIRST_32
                     ", " SIMT_NEXT_32 "}, {%64, %65, %66, %67}, %68, p, 1, 1, 0;\n}"
                     : SIMT_32_ACCUMULATORS(0), SIMT_32_ACCUMULATORS(32)
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1)
                     : "memory");
}
#undef SIMT_8_ACCUMULATORS
#undef SIMT_32_ACCUMULATORS
#undef SIMT_FIRST_32
#undef SIMT_NEXT_32
} // namespace simt
