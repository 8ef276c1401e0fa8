// The bodies of simt.h for nvcc. PTX names and operand layouts: PTX ISA 8, by instruction.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <mutex>

#define SIMT_KERNEL(bounds, name, ...)                                                             \
    static __global__ void __launch_bounds__ bounds name(__VA_ARGS__)
#define SIMT_DEVICE static __device__ __forceinline__
#define SIMT_SHARED(name, ...) __shared__ ::simt::same<__VA_ARGS__> name
#define SIMT_DYNAMIC_SHARED(type, name)                                                            \
    extern __shared__ __align__(1024) unsigned char simt_dynamic[];                                \
    type *name = reinterpret_cast<type *>(simt_dynamic)

namespace simt {
template <class T> using same = T; // lets an array type stand before the variable's name

struct shape {
    dim3 grid, block;
    size_t dynamic_shared = 0;
    int sm = 80; // for the CPU's checks; the GPU has its own limits
};
// Lets the kernel have so much dynamic shared memory. The limit belongs to the kernel and the GPU,
// not to one launch: lowered, it would break a recorded graph whose launch needs more. 48 KB less
// the static variables are there unasked.
inline int grant_dynamic(const void *kernel, size_t bytes) {
    static std::mutex mutex; // two threads must not lower what the other has raised
    const std::lock_guard<std::mutex> guard(mutex);
    cudaFuncAttributes now;
    cudaError_t error = cudaFuncGetAttributes(&now, kernel);
    if (error == cudaSuccess && static_cast<size_t>(now.maxDynamicSharedSizeBytes) < bytes)
        error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     static_cast<int>(bytes));
    return static_cast<int>(error);
}
template <class... P, class... A>
int launch(void (*kernel)(P...), const shape &s, void *stream, A &&...a) {
    static_assert(sizeof...(P) == sizeof...(A), "the kernel takes another number of arguments");
    if (s.dynamic_shared > 0) {
        const int error = grant_dynamic(reinterpret_cast<const void *>(kernel), s.dynamic_shared);
        if (error) return error;
    }
    kernel<<<s.grid, s.block, s.dynamic_shared, static_cast<cudaStream_t>(stream)>>>(
        static_cast<P>(a)...);
    return static_cast<int>(cudaGetLastError());
}

SIMT_DEVICE uint32_t shared_address(const void *p) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

SIMT_DEVICE void barrier_sync(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
SIMT_DEVICE void barrier_arrive(int id, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

SIMT_DEVICE void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// A product is the sum with -0, for which sm_80 has an instruction. __hmul2 does the same, but takes
// its halves apart and together again.
SIMT_DEVICE uint32_t mul_bf16x2(uint32_t a, uint32_t b) {
    uint32_t product;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(product) : "r"(a), "r"(b), "r"(0x80008000u));
    return product;
}

template <int N> SIMT_DEVICE void ldmatrix(uint32_t (&r)[N], const void *row) {
    static_assert(N == 1 || N == 2 || N == 4, "ldmatrix loads 1, 2 or 4 matrices");
    const uint32_t at = shared_address(row);
    if constexpr (N == 1)
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                     : "=r"(r[0])
                     : "r"(at)
                     : "memory");
    else if constexpr (N == 2)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                     : "=r"(r[0]), "=r"(r[1])
                     : "r"(at)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(at)
                     : "memory");
}
template <int N> SIMT_DEVICE void ldmatrix_trans(uint32_t (&r)[N], const void *row) {
    static_assert(N == 1 || N == 2 || N == 4, "ldmatrix loads 1, 2 or 4 matrices");
    const uint32_t at = shared_address(row);
    if constexpr (N == 1)
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                     : "=r"(r[0])
                     : "r"(at)
                     : "memory");
    else if constexpr (N == 2)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                     : "=r"(r[0]), "=r"(r[1])
                     : "r"(at)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(at)
                     : "memory");
}

// the source size (0 or all) is what makes the hardware write zeros and read nothing
SIMT_DEVICE void cp_async16(void *to, const void *from, bool valid = true) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(valid ? 16 : 0)
                 : "memory");
}
SIMT_DEVICE void cp_async4(void *to, const void *from, bool valid = true) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(valid ? 4 : 0)
                 : "memory");
}
SIMT_DEVICE void cp_async_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int N> SIMT_DEVICE void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}
} // namespace simt
