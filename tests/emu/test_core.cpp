// Launches, indices, shared memory, barriers, shuffles, votes, atomics.
#include "emu_test.h"

namespace {
struct Place {
    unsigned tx, ty, tz, bx, by, bz, block_x, grid_z;
};
SIMT_KERNEL((64), say_where, Place *out) {
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const unsigned t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    out[block * blockDim.x * blockDim.y * blockDim.z + t] = {threadIdx.x, threadIdx.y, threadIdx.z,
                                                             blockIdx.x,  blockIdx.y,  blockIdx.z,
                                                             blockDim.x,  gridDim.z};
}
void indices() {
    const dim3 grid(3, 2, 2), block(5, 3, 2);
    std::vector<Place> out(12 * 30);
    CHECK(simt::launch(say_where, {grid, block}, nullptr, out.data()) == 0);
    bool right = true;
    for (unsigned i = 0; i < out.size(); i++) {
        const Place &p = out[i];
        const unsigned t = i % 30, b = i / 30;
        right = right && p.tx == t % 5 && p.ty == t / 5 % 3 && p.tz == t / 15 && p.bx == b % 3 &&
                p.by == b / 3 % 2 && p.bz == b / 6 && p.block_x == 5 && p.grid_z == 2;
    }
    CHECK(right);
}

// two variables on one line, one of them in a function that is instantiated twice
template <int N> SIMT_DEVICE float *own_variable() {
    SIMT_SHARED(own, float[32]);
    return own + N * 0;
}
SIMT_KERNEL((32), shared_places, float *out, int *nans) {
    SIMT_SHARED(a, float[32]);
    SIMT_SHARED(b, float[32]);
    SIMT_DYNAMIC_SHARED(float, dynamic);
    const int t = static_cast<int>(threadIdx.x);
    float *one = own_variable<1>(), *two = own_variable<2>();
    if (std::isnan(a[t]) && std::isnan(dynamic[t]) && std::isnan(one[t])) atomicAdd(nans, 1);
    a[t] = 1, b[t] = 2, one[t] = 4, two[t] = 8, dynamic[t] = 16;
    __syncthreads();
    out[t] = a[31 - t] + b[31 - t] + one[31 - t] + two[31 - t] + dynamic[31 - t];
}
void shared_memory() {
    for (int again = 0; again < 2; again++) { // the second launch must see NaN again
        float out[32];
        int nans = 0;
        CHECK(simt::launch(shared_places, {1, 32, 128}, nullptr, out, &nans) == 0);
        CHECK(nans == 32);
        bool right = true;
        for (float v : out) right = right && v == 31;
        CHECK(right);
    }
}

// 1e-39 is denormal: nvcc compiles the kernels with -ftz=true
SIMT_KERNEL((1), halve, float *v) {
    v[0] *= 0.5f;
    v[1] *= 0.5f;
}
void denormals() {
    float v[2] = {1.5e-38f, 1e-37f};
    CHECK(simt::launch(halve, {1, 1}, nullptr, v) == 0);
#if defined __x86_64__ || defined __aarch64__ // the emulator knows these CPUs' modes
    CHECK(v[0] == 0);
#endif
    CHECK(v[1] == 0.5e-37f);
    volatile float outside = 1.5e-38f;
    CHECK(outside * 0.5f > 0);
}

SIMT_KERNEL((256), nothing, int) {}
SIMT_KERNEL((256, 4), four_blocks, int) {}
SIMT_KERNEL((32), much_static, int) {
    SIMT_SHARED(big, float[10000]);
    SIMT_SHARED(more, float[3000]);
    big[threadIdx.x] = more[threadIdx.x] = 0;
}
SIMT_KERNEL((32), some_static, int) {
    SIMT_SHARED(big, float[2000]);
    big[threadIdx.x] = 0;
}
void limits() {
    std::fflush(stderr);
    CHECK(simt::launch(nothing, {1, 256}, nullptr, 0) == 0);
    CHECK(simt::launch(nothing, {1, 257}, nullptr, 0) == 701);
    CHECK(simt::launch(nothing, {1, 0}, nullptr, 0) == 9);
    CHECK(simt::launch(nothing, {dim3(1, 65536), 32}, nullptr, 0) == 9);
    CHECK(simt::launch(nothing, {1, 32, 163 << 10, 80}, nullptr, 0) == 0);
    CHECK(simt::launch(nothing, {1, 32, (163 << 10) + 1, 80}, nullptr, 0) == 1);
    CHECK(simt::launch(nothing, {1, 32, 100 << 10, 86}, nullptr, 0) == 1);
    CHECK(simt::launch(nothing, {1, 32, 227 << 10, 90}, nullptr, 0) == 0);
    CHECK(simt::launch(nothing, {1, 32, 0, 60}, nullptr, 0) == 1);
    CHECK(simt::launch(four_blocks, {1, 256, 40 << 10, 80}, nullptr, 0) == 0);
    CHECK(simt::launch(four_blocks, {1, 256, 41 << 10, 80}, nullptr, 0) == 701);
    CHECK(test::dies([] { simt::launch(much_static, {1, 32}, nullptr, 0); }, "48 KB is the limit"));
    CHECK(test::dies(
        [] {
            simt::launch(some_static, {1, 32, 97 << 10, 86}, nullptr, 0);
        },
        "sm_86 has"));
}

// warps 0 and 1 produce, 2 and 3 consume, through two named barriers reached from different lines
SIMT_KERNEL((128), hand_over, const float *in, float *out, int rounds) {
    SIMT_SHARED(slot, float[64]);
    const int t = static_cast<int>(threadIdx.x);
    constexpr int FULL = 1, EMPTY = 2;
    if (t < 64) {
        for (int r = 0; r < rounds; r++) {
            if (r > 0) simt::barrier_sync(EMPTY, 128);
            slot[t] = in[r * 64 + t];
            simt::barrier_arrive(FULL, 128);
        }
    } else {
        for (int r = 0; r < rounds; r++) {
            simt::barrier_sync(FULL, 128);
            out[r * 64 + t - 64] = 2 * slot[127 - t];
            if (r + 1 < rounds) simt::barrier_arrive(EMPTY, 128);
        }
    }
}
SIMT_KERNEL((64), divergent, int *out) {
    if (threadIdx.x < 40)
        __syncthreads();
    else
        __syncthreads();
    out[threadIdx.x] = 1;
}
SIMT_KERNEL((64), part_of_a_warp, int) {
    if (threadIdx.x < 16 || threadIdx.x >= 48) simt::barrier_sync(3, 32);
}
SIMT_KERNEL((64), never_complete, int) {
    if (threadIdx.x < 32) simt::barrier_sync(3, 64);
}
SIMT_KERNEL((64), disagree, int) {
    simt::barrier_sync(3, threadIdx.x < 32 ? 32 : 64);
}
SIMT_KERNEL((64), some_leave, float *out) {
    SIMT_SHARED(s, float[64]);
    if (threadIdx.x >= 32) return;
    s[threadIdx.x] = 3;
    __syncthreads(); // counts the threads that are left
    out[threadIdx.x] = s[31 - threadIdx.x];
}
void barriers() {
    test::Numbers numbers(1);
    const int rounds = 5;
    const std::vector<float> in = numbers.floats(64 * rounds);
    std::vector<float> out(in.size(), NAN);
    CHECK(simt::launch(hand_over, {1, 128}, nullptr, in.data(), out.data(), rounds) == 0);
    bool right = true;
    for (size_t i = 0; i < in.size(); i++)
        right = right && out[i] == 2 * in[i / 64 * 64 + 63 - i % 64];
    CHECK(right);
    float left[64] = {};
    CHECK(simt::launch(some_leave, {1, 64}, nullptr, left) == 0);
    CHECK(left[0] == 3 && left[31] == 3 && left[32] == 0);
    int out2[64];
    CHECK(test::dies([&] { simt::launch(divergent, {1, 64}, nullptr, out2); }, "divergent branch"));
    CHECK(test::dies([] { simt::launch(part_of_a_warp, {1, 64}, nullptr, 0); }, "only lanes"));
    CHECK(test::dies(
        [] {
            simt::launch(never_complete, {1, 64}, nullptr, 0);
        },
        "waits in barrier_sync"));
    CHECK(test::dies([] { simt::launch(disagree, {1, 64}, nullptr, 0); }, "waits in barrier_sync"));
}

SIMT_KERNEL((32), shuffles, int *out) {
    const int t = static_cast<int>(threadIdx.x);
    out[t] = __shfl_sync(0xffffffffu, 10 * t, 5);
    out[32 + t] = __shfl_sync(0xffffffffu, 10 * t, 5, 8);
    out[64 + t] = __shfl_xor_sync(0xffffffffu, 10 * t, 3);
    out[96 + t] = __shfl_down_sync(0xffffffffu, 10 * t, 2, 16);
    out[128 + t] = __shfl_up_sync(0xffffffffu, 10 * t, 3);
    const unsigned half = t < 16 ? 0xffffu : 0xffff0000u;
    out[160 + t] = static_cast<int>(__ballot_sync(half, t & 1));
    out[192 + t] = __any_sync(0xffffffffu, t == 7) + 2 * __all_sync(0xffffffffu, t < 32) +
                   4 * __any_sync(0xffffffffu, t > 40) + 8 * __all_sync(0xffffffffu, t != 3);
    out[224 + t] =
        static_cast<int>(__shfl_xor_sync(0xffffffffu, 1.0 / (1 + t), 1) * (2 + (t ^ 1) - 1));
    out[256 + t] = static_cast<int>(simt::warp_sum(static_cast<float>(t))) * 100 +
                   static_cast<int>(simt::warp_max(static_cast<float>(t % 9)));
}
SIMT_KERNEL((32), absent_lanes, float *out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 16);
}
SIMT_KERNEL((64), mask_names_returned, float *out, int n) {
    if (static_cast<int>(threadIdx.x) >= n) return;
    out[threadIdx.x] = simt::warp_sum(1.0f);
}
SIMT_KERNEL((32), not_in_own_mask, int *out) {
    out[threadIdx.x] = static_cast<int>(__ballot_sync(0xffffu, 1));
}
SIMT_KERNEL((32), reads_outside_mask, int *out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0xffffu, 1, 20);
}
void warps() {
    int out[288];
    CHECK(simt::launch(shuffles, {1, 32}, nullptr, out) == 0);
    bool right = true;
    for (int t = 0; t < 32; t++) {
        right = right && out[t] == 50 && out[32 + t] == 10 * (t / 8 * 8 + 5) &&
                out[64 + t] == 10 * (t ^ 3);
        right = right && out[96 + t] == 10 * (t % 16 + 2 < 16 ? t + 2 : t);
        right = right && out[128 + t] == 10 * (t >= 3 ? t - 3 : t);
        right = right && static_cast<unsigned>(out[160 + t]) == (t < 16 ? 0xaaaau : 0xaaaa0000u);
        right = right && out[192 + t] == 1 + 2 && out[224 + t] == 1 && out[256 + t] == 49608;
    }
    CHECK(right);
    float f[64];
    CHECK(test::dies([&] { simt::launch(absent_lanes, {1, 32}, nullptr, f); }, "__shfl_xor_sync"));
    CHECK(test::dies(
        [&] {
            simt::launch(mask_names_returned, {1, 64}, nullptr, f, 20);
        },
        "return"));
    CHECK(test::dies(
        [&] {
            simt::launch(not_in_own_mask, {1, 32}, nullptr, out);
        },
        "not in its own mask"));
    CHECK(test::dies(
        [&] {
            simt::launch(reads_outside_mask, {1, 32}, nullptr, out);
        },
        "outside its mask"));
}

SIMT_KERNEL((64), atomics, float *sum, int *count, int *greatest, int *least, unsigned *winner) {
    const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    atomicAdd(sum, 0.5f);
    atomicAdd(count, 1);
    atomicMax(greatest, t);
    atomicMin(least, -t);
    atomicCAS(winner, 0u, 7u);
}
void atomic_updates() {
    float sum = 0;
    int count = 0, greatest = -1, least = 1;
    unsigned winner = 0;
    CHECK(simt::launch(atomics, {8, 64}, nullptr, &sum, &count, &greatest, &least, &winner) == 0);
    CHECK(sum == 256 && count == 512 && greatest == 511 && least == -511 && winner == 7);
}
} // namespace

void test::core() {
    indices();
    shared_memory();
    denormals();
    limits();
    barriers();
    warps();
    atomic_updates();
}
