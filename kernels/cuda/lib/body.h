// What every kernel file starts with: the CUDA backend's bodies, one `chl_cuda_<op>` per row of the
// op table, the same base names as kernels/cpu, forward and backward side by side.
//
//     #include "cuda/lib/body.h"
//
//     template <class T> struct doubled {
//         const T *x;
//         T *y;
//         bool add;
//         template <int N> __device__ void at(int64_t i) const {
//             float v[N];
//             chl::load(x + i, v);
//             for (float &e : v) e *= 2;
//             chl::store(y + i, v, add);
//         }
//     };
//     static chl_kernel_status run(const chl_call *call) {
//         return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
//             using T = decltype(zero);
//             return chl::each<T>(call, chl_count(&call->out_desc[0]), doubled<T>{
//                 chl::in<T>(call, 0), chl::out<T>(call, 0), chl::adds(call, 0)});
//         });
//     }
//     const chl_body chl_cuda_doubled = {run, nullptr, nullptr};
//
// Numbers: activations and their gradients are float or bf16 (T, told by the tensor's dtype);
// weights, their gradients, statistics, losses and latents are float always. Arithmetic and sums
// are float. No atomics on floats: a result must not depend on the order in which blocks end. A
// body only queues work on call->stream: nothing is waited for, nothing allocated. call->step lies
// in device memory: kernels read it, bodies do not. Bodies do not look at data. A missing optional
// input is a null pointer, an unwanted output too.
#pragma once
#include "cuda/lib/simt.h"
#include "ops.h"
#include <cstdarg>
#include <cstdio>
#include <memory>

extern "C" {
// weak: a row without a body is a null pointer in the table, and a line in PENDING
#define CHL_OP(name, inputs, outputs) extern const chl_body chl_cuda_##name __attribute__((weak));
#include "op_table.h"
#undef CHL_OP
// of ops that are computed in several ways, beside their bodies
extern const chl_paths chl_cuda_attention_paths, chl_cuda_attention_backward_paths,
    chl_cuda_window_attention_paths, chl_cuda_window_attention_backward_paths, chl_cuda_conv_paths,
    chl_cuda_conv_dx_paths, chl_cuda_modconv_paths, chl_cuda_modconv_dx_paths;
}

namespace chl {
typedef __nv_bfloat16 bf16;

// What the vendor's libraries keep for one opened device: made at the first use, gone with it.
struct vendor_libraries {
    std::shared_ptr<void> products, convolutions, transforms;
};
// Limits of the GPU that choose a kernel. A copy for each thread, of the device that it bound last
// (chl_device_bind): a process may open GPUs of different kinds.
struct gpu_traits {
    int fill = 132;             // blocks that leave no multiprocessor of the largest chip empty
    int hopper_fill = 0;        // the same for kernels of sm_90a; 0: the GPU or this build has none
    size_t shared = 163 * 1024; // bytes that a block may have; 99 KB on sm_86, 89 and 120
    bool own_transforms = true; // log_mel.cu's where it has them; false: cuFFT's, to compare with
    vendor_libraries *vendor = nullptr; // the device's own
};
extern thread_local gpu_traits gpu;

// What went wrong last in this thread, for the backend's last_error: a text, or a cudaError_t.
struct fault {
    int code = 0;
    char text[160] = "";
};
extern thread_local fault last_fault;
// the verdict of a kernel launch
inline chl_kernel_status status(int error) {
    if (error == 0) return CHL_KERNEL_OK;
    last_fault = {error, ""};
    return CHL_KERNEL_FAILED;
}
// `verdict`, with the reason
__attribute__((format(printf, 2, 3))) inline chl_kernel_status fail(chl_kernel_status verdict,
                                                                    const char *format, ...) {
    last_fault.code = 0;
    va_list list;
    va_start(list, format);
    std::vsnprintf(last_fault.text, sizeof last_fault.text, format, list);
    va_end(list);
    return verdict;
}
constexpr size_t BESIDES = 1024; // bytes of a block's shared memory that reductions need
// Whether a block may have so much shared memory, dynamic and static, on this GPU. A launch that asks for too much fails, too, but with a text that names no
// number.
inline chl_kernel_status grant_shared(size_t bytes, const char *what) {
    if (bytes + BESIDES <= gpu.shared) return CHL_KERNEL_OK;
    return fail(CHL_KERNEL_UNSUPPORTED, "%s needs %zu bytes of shared memory, this GPU has %zu",
                what, bytes + BESIDES, gpu.shared);
}

__device__ inline float get(const float *p) {
    return *p;
}
__device__ inline float get(const bf16 *p) {
    return __bfloat162float(*p);
}
__device__ inline void set(float *p, float v) {
    *p = v;
}
__device__ inline void set(bf16 *p, float v) {
    *p = __float2bfloat16(v);
}
// *p = v, or *p += v where the output accumulates
template <class T> __device__ inline void put(T *p, float v, bool add) {
    set(p, add ? get(p) + v : v);
}

template <class T> const T *in(const chl_call *call, int i) {
    return static_cast<const T *>(call->in[i]);
}
template <class T> T *out(const chl_call *call, int i) {
    return static_cast<T *>(call->out[i]);
}
inline bool adds(const chl_call *call, int output) {
    return call->accumulate >> output & 1u;
}
// body(float()) or body(bf16())
template <class F> chl_kernel_status by_type(chl_dtype dtype, F body) {
    if (dtype == CHL_F32) return body(float());
    if (dtype == CHL_BF16) return body(bf16());
    return fail(CHL_KERNEL_UNSUPPORTED, "tensors must be float or bf16");
}

// --- N neighbours at once: 16 or 8 bytes where N fills them, else one by one ---------------------
template <class T> constexpr int PACK = 16 / int(sizeof(T));

// what N of them are moved as
template <size_t BYTES> struct raw_pack;
template <> struct raw_pack<16> { typedef uint4 type; };
template <> struct raw_pack<8> { typedef uint2 type; };
template <int N, class T>
constexpr bool PACKED = N * sizeof(T) == 16 || (N > 1 && N * sizeof(T) == 8);

template <int N, class T> __device__ inline void load(const T *p, float (&v)[N]) {
    if constexpr (PACKED<N, T>) {
        typedef typename raw_pack<N * sizeof(T)>::type pack;
        const pack raw = *reinterpret_cast<const pack *>(p);
        T part[N];
        memcpy(part, &raw, sizeof raw);
        for (int k = 0; k < N; k++) v[k] = get(part + k);
    } else {
        for (int k = 0; k < N; k++) v[k] = get(p + k);
    }
}
// v, or what is there + v where the output accumulates
template <int N, class T> __device__ inline void store(T *p, const float (&v)[N], bool add) {
    if constexpr (PACKED<N, T>) {
        typedef typename raw_pack<N * sizeof(T)>::type pack;
        float sum[N] = {};
        if (add) load<N>(p, sum);
        T part[N];
        for (int k = 0; k < N; k++) set(part + k, add ? sum[k] + v[k] : v[k]);
        pack raw;
        memcpy(&raw, part, sizeof raw);
        *reinterpret_cast<pack *>(p) = raw;
    } else {
        for (int k = 0; k < N; k++) put(p + k, v[k], add);
    }
}

// --- elements in any order: f.template at<N>(i) does elements i ... i + N - 1
// -------------------------
constexpr int EACH_THREADS = 256;
constexpr int64_t EACH_MAX_BLOCKS = 132 * 16; // enough to fill the largest chip; the rest loops

template <int N, class F> SIMT_KERNEL((EACH_THREADS), each_kernel, F f, int64_t count) {
    const int64_t stride = int64_t(gridDim.x) * EACH_THREADS, packs = count / N;
    const int64_t first = int64_t(blockIdx.x) * EACH_THREADS + threadIdx.x;
    for (int64_t i = first; i < packs; i += stride) f.template at<N>(i * N);
    if (packs * N + first < count) f.template at<1>(packs * N + first);
}
// `count` elements from the start of 64-byte aligned tensors of type T
template <class T, class F> chl_kernel_status each(const chl_call *call, int64_t count, F f) {
    if (count <= 0) return CHL_KERNEL_OK;
    constexpr int N = PACK<T>;
    const int64_t blocks = (count / N + EACH_THREADS - 1) / EACH_THREADS;
    const unsigned grid = unsigned(blocks < 1                 ? 1
                                   : blocks < EACH_MAX_BLOCKS ? blocks
                                                              : EACH_MAX_BLOCKS);
    return status(
        simt::launch(each_kernel<N, F>, {dim3(grid), dim3(EACH_THREADS)}, call->stream, f, count));
}

// --- one block per row: the sum over the block's threads, in every thread, in a fixed order
// --------
template <int THREADS> __device__ inline float block_sum(float v) {
    SIMT_SHARED(part, float[THREADS / 32]);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    v = simt::warp_sum(v);
    __syncthreads(); // of the last use
    if (lane == 0) part[warp] = v;
    __syncthreads();
    return simt::warp_sum(lane < THREADS / 32 ? part[lane] : 0.0f);
}
} // namespace chl
