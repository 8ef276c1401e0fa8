// Planted bugs: the test of the shim itself. `bugs list` prints a line per case: its name and the
// builds that must notice it (plain, address, thread), or `none` for a correct kernel that no build
// may blame. `bugs NAME` runs one: exit status 0 says that nothing was noticed. matrix.sh runs all
// in all builds.
#include "bugs.h"
#include "emu/kernels/gemm_bf16.cuh"
#include "emu/kernels/gemm_f32.cuh"
#include "emu/kernels/gemm_wgmma.cuh"
#include "emu/kernels/softmax.cuh"

#ifdef EMU_TSAN
extern "C" const char *__tsan_default_options() {
    // long histories, or a race with an access long past is dropped for want of its stack
    return "halt_on_error=1:exitcode=66:history_size=4:report_thread_leaks=0";
}
#endif

namespace {
using bugs::Buffer;

// --- whole kernels -------------------------------------------------------------------------------
template <int DEFECT> bool gemm_f32() {
    const int m = 70, n = 65, k = 64;
    test::Numbers numbers(4);
    const std::vector<float> a = numbers.floats(m * k), b = numbers.floats(k * n);
    std::vector<float> c(m * n, NAN);
    if (subject::run_gemm_f32<DEFECT>(a.data(), b.data(), c.data(), m, n, k, nullptr)) return false;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int d = 0; d < k; d++) sum += a[i * k + d] * b[d * n + j];
            if (c[i * n + j] != sum) return false;
        }
    return true;
}
template <int DEFECT> bool gemm_bf16() {
    const int m = 40, n = 72, k = 168;
    test::Numbers numbers(5);
    const std::vector<__nv_bfloat16> a = numbers.halves(m * k), b = numbers.halves(n * k);
    std::vector<float> c(m * n, NAN);
    if (subject::run_gemm_bf16<DEFECT>(a.data(), b.data(), c.data(), m, n, k, nullptr))
        return false;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int d = 0; d < k; d++)
                sum += __bfloat162float(a[i * k + d]) * __bfloat162float(b[j * k + d]);
            if (c[i * n + j] != sum) return false;
        }
    return true;
}
template <int DEFECT> bool gemm_wgmma() {
    const int m = 64, n = 64, k = 5 * subject::WGMMA_DEPTH; // more steps than stages
    test::Numbers numbers(10);
    const std::vector<__nv_bfloat16> a = numbers.halves(m * k), b = numbers.halves(n * k);
    std::vector<float> c(m * n, NAN);
    if (subject::run_gemm_wgmma<DEFECT>(a.data(), b.data(), c.data(), m, n, k, nullptr))
        return false;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int d = 0; d < k; d++)
                sum += __bfloat162float(a[i * k + d]) * __bfloat162float(b[j * k + d]);
            if (c[i * n + j] != sum) return false;
        }
    return true;
}
template <int DEFECT> bool softmax() {
    const int rows = 3, columns = 300;
    test::Numbers numbers(6);
    const std::vector<float> x = numbers.floats(rows * columns);
    std::vector<float> y(x.size(), NAN);
    if (subject::run_softmax<DEFECT>(x.data(), y.data(), rows, columns, nullptr)) return false;
    for (int r = 0; r < rows; r++) {
        double sum = 0;
        for (int c = 0; c < columns; c++) sum += std::exp(static_cast<double>(x[r * columns + c]));
        for (int c = 0; c < columns; c++)
            if (!(std::fabs(y[r * columns + c] - std::exp(x[r * columns + c]) / sum) < 1e-5))
                return false;
    }
    return true;
}

// --- memory --------------------------------------------------------------------------------------
SIMT_KERNEL((64), static_end, float *o) {
    SIMT_SHARED(s, float[64]);
    s[threadIdx.x] = 1;
    __syncthreads();
    const float *p = s;
    o[threadIdx.x] = p[threadIdx.x + 1] == p[0] ? 1 : 0;
}
SIMT_KERNEL((64), dynamic_end, float *o) {
    SIMT_DYNAMIC_SHARED(float, s);
    s[threadIdx.x + 1] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x + 1];
}
SIMT_KERNEL((64), local_end, float *o) {
    float v[4] = {1, 1, 1, 1};
    volatile int eight = 8;
    o[threadIdx.x] = v[static_cast<int>(threadIdx.x) % eight];
}
SIMT_KERNEL((64), global_end, float *o) {
    o[threadIdx.x + 1] = 1;
}
SIMT_KERNEL((64), misaligned_vector, float *o) {
    if (threadIdx.x < 15)
        o[threadIdx.x] = reinterpret_cast<const float4 *>(o + 1 + threadIdx.x * 4)->x;
}
SIMT_KERNEL((64), wide_shift, float *o) {
    const int by = static_cast<int>(threadIdx.x);
    o[threadIdx.x] = static_cast<float>(1 << by) * 0 + 1;
}
SIMT_KERNEL((64), unwritten_shared, float *o) {
    SIMT_SHARED(s, float[64]);
    if (threadIdx.x < 32) s[threadIdx.x] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x];
}
SIMT_KERNEL((32), misaligned_async, float *o) {
    SIMT_SHARED(s, float[132]);
    simt::cp_async16(s + 4 * threadIdx.x + 1, o);
    simt::cp_async_commit();
    simt::cp_async_wait<0>();
}

// --- order ---------------------------------------------------------------------------------------
template <bool FENCED> SIMT_KERNEL((32), swap_in_warp, float *o) {
    SIMT_SHARED(s, float[32]);
    s[threadIdx.x] = 1;
    if (FENCED) __syncwarp();
    o[threadIdx.x] = s[31 - threadIdx.x];
}
SIMT_KERNEL((32), shuffle_is_no_fence, float *o) {
    SIMT_SHARED(s, float[32]);
    s[threadIdx.x] = 1;
    const float one = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
    o[threadIdx.x] = s[31 - threadIdx.x] * one;
}
SIMT_KERNEL((64), write_after_read, float *o) {
    SIMT_SHARED(s, float[64]);
    s[threadIdx.x] = 1;
    __syncthreads();
    const float v = s[63 - threadIdx.x];
    s[threadIdx.x] = v;
    o[threadIdx.x] = v;
}
SIMT_KERNEL((32), blocks_race, float *o) {
    if (threadIdx.x == 0) o[0] += 0.0f;
}
template <bool FENCED> SIMT_KERNEL((32), last_block_adds, float *o, unsigned *done) {
    if (threadIdx.x != 0) return;
    o[1 + blockIdx.x] = 1;
    if (FENCED) __threadfence();
    if (atomicAdd(done, 1u) != gridDim.x - 1) return;
    if (FENCED) __threadfence();
    float sum = 0;
    for (unsigned i = 0; i < gridDim.x; i++) sum += o[1 + i];
    o[0] = sum / static_cast<float>(gridDim.x);
}
// warp 0 produces, warp 1 consumes; SYNC: the consumer waits at the barrier, else it only arrives
template <bool SYNC> SIMT_KERNEL((64), producer_consumer, float *o) {
    SIMT_SHARED(s, float[32]);
    const unsigned t = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        s[t] = 1;
        simt::barrier_arrive(1, 64);
    } else {
        if (SYNC)
            simt::barrier_sync(1, 64);
        else
            simt::barrier_arrive(1, 64);
        o[t] = s[31 - t];
    }
}
SIMT_KERNEL((64), other_barrier, float *o) {
    SIMT_SHARED(s, float[32]);
    const unsigned t = threadIdx.x % 32;
    if (threadIdx.x < 32) s[t] = 1;
    simt::barrier_sync(threadIdx.x < 32 ? 1 : 2, 32);
    o[threadIdx.x] = s[31 - t];
}
SIMT_KERNEL((32), overwrite_in_flight, float *o) {
    SIMT_SHARED(s, float[128]);
    simt::cp_async16(s + 4 * threadIdx.x, o + 64);
    simt::cp_async_commit();
    for (int i = 0; i < 4; i++) s[(4 * threadIdx.x + 4 + i) % 128] = 1; // a neighbour's place
    simt::cp_async_wait<0>();
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x] == 1 ? 1 : 0;
}

// --- who comes where -----------------------------------------------------------------------------
SIMT_KERNEL((64), divergent_barrier, float *o) {
    if (threadIdx.x < 33) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    o[threadIdx.x] = 1;
}
SIMT_KERNEL((64), uneven_barriers, float *o) {
    for (unsigned i = 0; i <= threadIdx.x / 32; i++) simt::barrier_sync(1, 64);
    o[threadIdx.x] = 1;
}
SIMT_KERNEL((32), absent_lanes, float *o) {
    float v = 1;
    if (threadIdx.x < 16) v = __shfl_xor_sync(0xffffffffu, v, 16);
    o[threadIdx.x] = v;
}
SIMT_KERNEL((64), full_mask_after_return, float *o, int n) {
    if (static_cast<int>(threadIdx.x) >= n) return;
    o[threadIdx.x] = simt::warp_sum(1.0f) / 32;
}
SIMT_KERNEL((32), active_mask, float *o) {
    o[threadIdx.x] = __shfl_sync(__activemask(), 1.0f, 0);
}
SIMT_KERNEL((128), more_than_bound, float *o) {
    o[threadIdx.x % 64] = 1;
}

// --- correct -------------------------------------------------------------------------------------
SIMT_KERNEL((32), disjoint_masks, float *o) {
    const unsigned half = threadIdx.x < 16 ? 0xffffu : 0xffff0000u;
    float v = 1;
    for (int step = 8; step; step /= 2) v += __shfl_xor_sync(half, v, step);
    o[threadIdx.x] = simt::warp_sum(v) / 512;
}
SIMT_KERNEL((64), reuse_across_blocks, float *o) {
    SIMT_SHARED(s, float[64]);
    s[threadIdx.x] = static_cast<float>(blockIdx.x + 1);
    __syncthreads();
    o[blockIdx.x * 64 + threadIdx.x] = s[63 - threadIdx.x] / static_cast<float>(blockIdx.x + 1);
}

// the first `ones` floats must be 1 afterwards
template <class K, class... A>
bool all_ones(K kernel, const simt::shape &s, size_t size, size_t ones, A... a) {
    Buffer o(size);
    if (simt::launch(kernel, s, nullptr, o.data(), a...)) return false;
    return o.begins_with_ones(ones);
}
template <bool FENCED> bool last_block() {
    unsigned done = 0;
    return all_ones(last_block_adds<FENCED>, {8, 32}, 16, 9, &done);
}

const bugs::Case CASES[] = {
    {"gemm_f32", "none", gemm_f32<0>},
    {"gemm_f32_no_load_barrier", "plain thread", gemm_f32<subject::F32_NO_LOAD_BARRIER>},
    {"gemm_f32_no_reuse_barrier", "plain thread", gemm_f32<subject::F32_NO_REUSE_BARRIER>},
    {"gemm_f32_column_too_far", "plain address thread", gemm_f32<subject::F32_COLUMN_TOO_FAR>},
    {"gemm_bf16", "none", gemm_bf16<0>},
    {"gemm_bf16_no_wait", "plain thread", gemm_bf16<subject::BF16_NO_WAIT>},
    {"gemm_bf16_no_barrier", "plain thread", gemm_bf16<subject::BF16_NO_BARRIER>},
    {"gemm_bf16_loads_too_early", "thread", gemm_bf16<subject::BF16_LOADS_TOO_EARLY>},
    {"gemm_bf16_shared_too_small", "address", gemm_bf16<subject::BF16_SHARED_TOO_SMALL>},
    {"gemm_wgmma", "none", gemm_wgmma<0>},
    {"gemm_wgmma_no_full_wait", "plain address thread", gemm_wgmma<subject::WGMMA_NO_FULL_WAIT>},
    {"gemm_wgmma_no_empty_wait", "plain thread", gemm_wgmma<subject::WGMMA_NO_EMPTY_WAIT>},
    {"gemm_wgmma_wrong_bytes", "plain address thread", gemm_wgmma<subject::WGMMA_WRONG_BYTES>},
    {"gemm_wgmma_wrong_parity", "plain address thread", gemm_wgmma<subject::WGMMA_WRONG_PARITY>},
    {"gemm_wgmma_no_wait", "plain address thread", gemm_wgmma<subject::WGMMA_NO_WAIT>},
    {"gemm_wgmma_no_fence", "plain address thread", gemm_wgmma<subject::WGMMA_NO_FENCE>},
    {"gemm_wgmma_no_init_barrier", "plain thread", gemm_wgmma<subject::WGMMA_NO_INIT_BARRIER>},
    {"gemm_wgmma_no_swizzle", "plain address thread", gemm_wgmma<subject::WGMMA_NO_SWIZZLE>},
    {"softmax", "none", softmax<0>},
    {"softmax_no_barrier", "plain thread", softmax<subject::SOFTMAX_NO_BARRIER>},
    {"softmax_no_reuse_barrier", "thread", softmax<subject::SOFTMAX_NO_REUSE_BARRIER>},

    {"static_end", "plain address",
     [] {
         return all_ones(static_end, {1, 64}, 64, 64);
     }},
    {"dynamic_end", "address",
     [] {
         return all_ones(dynamic_end, {1, 64, 256}, 64, 64);
     }},
    {"local_end", "address",
     [] {
         return all_ones(local_end, {1, 64}, 64, 64);
     }},
    {"global_end", "address",
     [] {
         return all_ones(global_end, {1, 64}, 64, 0);
     }},
    {"misaligned_vector", "address",
     [] {
         return all_ones(misaligned_vector, {1, 64}, 128, 0);
     }},
    {"wide_shift", "address",
     [] {
         return all_ones(wide_shift, {1, 64}, 64, 0);
     }},
    {"unwritten_shared", "plain",
     [] {
         return all_ones(unwritten_shared, {1, 64}, 64, 64);
     }},
    {"misaligned_async", "plain address thread",
     [] {
         return all_ones(misaligned_async, {1, 32}, 64, 0);
     }},

    {"swap_in_warp", "none",
     [] {
         return all_ones(swap_in_warp<true>, {1, 32}, 32, 32);
     }},
    {"swap_in_warp_no_fence", "plain thread",
     [] {
         return all_ones(swap_in_warp<false>, {1, 32}, 32, 32);
     }},
    {"shuffle_is_no_fence", "thread",
     [] {
         return all_ones(shuffle_is_no_fence, {1, 32}, 32, 32);
     }},
    {"write_after_read", "thread",
     [] {
         return all_ones(write_after_read, {1, 64}, 64, 64);
     }},
    {"blocks_race", "thread",
     [] {
         return all_ones(blocks_race, {8, 32}, 32, 0);
     }},
    {"last_block", "none", last_block<true>},
    {"last_block_no_fence", "thread", last_block<false>},
    {"producer_consumer", "none",
     [] {
         return all_ones(producer_consumer<true>, {1, 64}, 32, 32);
     }},
    {"consumer_only_arrives", "thread",
     [] {
         return all_ones(producer_consumer<false>, {1, 64}, 32, 32);
     }},
    {"other_barrier", "thread",
     [] {
         return all_ones(other_barrier, {1, 64}, 64, 64);
     }},
    {"overwrite_in_flight", "thread",
     [] {
         return all_ones(overwrite_in_flight, {1, 32}, 256, 0);
     }},

    {"divergent_barrier", "plain address thread",
     [] {
         return all_ones(divergent_barrier, {1, 64}, 64, 64);
     }},
    {"uneven_barriers", "plain address thread",
     [] {
         return all_ones(uneven_barriers, {1, 64}, 64, 64);
     }},
    {"absent_lanes", "plain address thread",
     [] {
         return all_ones(absent_lanes, {1, 32}, 32, 32);
     }},
    {"full_mask_after_return", "plain address thread",
     [] {
         return all_ones(full_mask_after_return, {1, 64}, 64, 20, 20);
     }},
    {"active_mask", "plain address thread",
     [] {
         return all_ones(active_mask, {1, 32}, 32, 32);
     }},
    {"more_than_bound", "plain address thread",
     [] {
         return all_ones(more_than_bound, {1, 160}, 64, 0);
     }},
    {"above_sm_86", "plain address thread",
     [] {
         return all_ones(dynamic_end, {1, 63, 100 << 10, 86}, 64, 0);
     }},

    {"disjoint_masks", "none",
     [] {
         return all_ones(disjoint_masks, {1, 32}, 32, 32);
     }},
    {"reuse_across_blocks", "none",
     [] {
         return all_ones(reuse_across_blocks, {16, 64}, 1024, 1024);
     }},
};
} // namespace

int main(int count, char **words) {
    const bool list = count == 2 && !std::strcmp(words[1], "list");
    for (const bugs::Case &c : CASES) {
        if (list) std::printf("%s %s\n", c.name, c.noticed_by);
        if (count == 2 && !std::strcmp(words[1], c.name)) return c.runs_right() ? 0 : 1;
    }
    return list ? 0 : 2;
}
