// Do the tensor-core instructions of a real GPU lay their registers out as the CPU's formulas say?
// Prints JSON and ends with 0 where they do. The same source for both:
//     nvcc -std=c++17 -arch=sm_80 -I kernels -I tests tests/emu/layouts.cu -o layouts && ./layouts
// (Hopper: -gencode arch=compute_90a,code=sm_90a; wgmma and tensor maps are looked at there only.)
// and, through the CMake target emu_layouts, against the CPU machine itself.
#include "cuda/lib/simt.h"
#include "emu/kernels/wgmma_probe.cuh"
#include <cstdio>
#include <cstring>
#include <vector>

#ifdef __CUDACC__
static const char *machine = "gpu";
template <class T> class Buffer { // memory that kernel and host both see
  public:
    explicit Buffer(size_t n) {
        if (cudaMallocManaged(&data_, n * sizeof(T)) != cudaSuccess) data_ = nullptr;
    }
    ~Buffer() { cudaFree(data_); }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    T *data() { return data_; }

  private:
    T *data_ = nullptr;
};
static int finish() {
    return static_cast<int>(cudaDeviceSynchronize());
}
static bool has_wgmma() {
    cudaDeviceProp properties;
    return cudaGetDeviceProperties(&properties, 0) == cudaSuccess && properties.major == 9;
}
#else
static const char *machine = "emu";
template <class T> class Buffer {
  public:
    explicit Buffer(size_t n) : data_(n) {}
    T *data() { return data_.data(); }

  private:
    std::vector<T> data_;
};
static int finish() {
    return 0;
}
static bool has_wgmma() {
    return true;
}
#endif

// bf16 holds whole numbers to 256 exactly
SIMT_DEVICE uint32_t whole(int v) {
    return __float_as_uint(static_cast<float>(v)) >> 16;
}

// One operand holds a single 1, at (lane, register, half); the other tells where it was met. With
// b[k][n] = 1 + k in one pass and a[m][k] = 1 + k in the other, the place of the sum names the row
// (column) and its value names k.
SIMT_KERNEL((32), find_a, int lane, int r, int half, float *d) {
    const int t = static_cast<int>(threadIdx.x);
    uint32_t a[4] = {}, b[2];
    if (t == lane) a[r] = whole(1) << (16 * half);
    for (int i = 0; i < 2; i++) // b as the formula says: lane t holds rows t%4*2 + {0,1} + 8 i
        b[i] = whole(1 + t % 4 * 2 + 8 * i) | whole(2 + t % 4 * 2 + 8 * i) << 16;
    float sum[4] = {};
    simt::mma_m16n8k16(sum, a, b);
    for (int i = 0; i < 4; i++) d[t * 4 + i] = sum[i];
}
SIMT_KERNEL((32), find_b, int lane, int r, int half, float *d) {
    const int t = static_cast<int>(threadIdx.x);
    uint32_t a[4], b[2] = {};
    if (t == lane) b[r] = whole(1) << (16 * half);
    for (int i = 0; i < 4; i++) // a as the formula says: columns t%4*2 + {0,1} + 8 (i/2)
        a[i] = whole(1 + t % 4 * 2 + i / 2 * 8) | whole(2 + t % 4 * 2 + i / 2 * 8) << 16;
    float sum[4] = {};
    simt::mma_m16n8k16(sum, a, b);
    for (int i = 0; i < 4; i++) d[t * 4 + i] = sum[i];
}
template <int N, bool TRANS> SIMT_KERNEL((32), find_ldmatrix, uint32_t *out) {
    SIMT_SHARED(tile, uint16_t[32 * 8]);
    const int t = static_cast<int>(threadIdx.x);
    for (int i = 0; i < 8; i++) tile[t * 8 + i] = static_cast<uint16_t>(t * 8 + i);
    __syncthreads();
    uint32_t r[N];
    if constexpr (TRANS)
        simt::ldmatrix_trans(r, tile + t * 8);
    else
        simt::ldmatrix(r, tile + t * 8);
    for (int j = 0; j < N; j++) out[j * 32 + t] = r[j];
}

// the accumulator's place in d[16][8]
static int row_of(int t, int i) {
    return t / 4 + i / 2 * 8;
}
static int column_of(int t, int i) {
    return t % 4 * 2 + i % 2;
}

static int wrong_a() {
    Buffer<float> d(128);
    if (!d.data()) return -1;
    int wrong = 0;
    for (int lane = 0; lane < 32; lane++)
        for (int r = 0; r < 4; r++)
            for (int half = 0; half < 2; half++) {
                if (simt::launch(find_a, {1, 32}, nullptr, lane, r, half, d.data()) || finish())
                    return -1;
                const int row = lane / 4 + r % 2 * 8, k = lane % 4 * 2 + r / 2 * 8 + half;
                for (int t = 0; t < 32; t++)
                    for (int i = 0; i < 4; i++)
                        wrong += d.data()[t * 4 + i] !=
                                 (row_of(t, i) == row ? static_cast<float>(1 + k) : 0);
            }
    return wrong;
}
static int wrong_b() {
    Buffer<float> d(128);
    if (!d.data()) return -1;
    int wrong = 0;
    for (int lane = 0; lane < 32; lane++)
        for (int r = 0; r < 2; r++)
            for (int half = 0; half < 2; half++) {
                if (simt::launch(find_b, {1, 32}, nullptr, lane, r, half, d.data()) || finish())
                    return -1;
                const int column = lane / 4, k = lane % 4 * 2 + r * 8 + half;
                for (int t = 0; t < 32; t++)
                    for (int i = 0; i < 4; i++)
                        wrong += d.data()[t * 4 + i] !=
                                 (column_of(t, i) == column ? static_cast<float>(1 + k) : 0);
            }
    return wrong;
}
template <int N, bool TRANS> static int wrong_ldmatrix() {
    Buffer<uint32_t> out(N * 32);
    if (!out.data()) return -1;
    if (simt::launch(find_ldmatrix<N, TRANS>, {1, 32}, nullptr, out.data()) || finish()) return -1;
    int wrong = 0;
    for (int j = 0; j < N; j++)
        for (int t = 0; t < 32; t++)
            for (int i = 0; i < 2; i++) {
                const int across = t / 4, along = t % 4 * 2 + i;
                const int row = TRANS ? along : across, column = TRANS ? across : along;
                wrong += static_cast<int>(out.data()[j * 32 + t] >> (16 * i) & 0xffff) !=
                         (8 * j + row) * 8 + column;
            }
    return wrong;
}

// --- wgmma and tensor maps ---------------------------------------------------------------------
using namespace wgmma_probe;

static uint16_t bf16_of(int v) {
    const float value = static_cast<float>(v);
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return static_cast<uint16_t>(bits >> 16);
}
static int value_of(int i, int seed) { // small whole numbers: products and sums are exact
    return static_cast<int>(static_cast<uint32_t>(i * 2654435761u + seed * 40503u) >> 24) % 9 - 4;
}
// A 128-byte swizzle: within a row of 128 bytes the 16-byte pieces are exchanged by row % 8.
static int swizzled(int row, int byte) {
    return row * 128 + ((byte / 16 ^ row % 8) * 16) + byte % 16;
}

// 0: accumulators, A in registers and the bytes that tensor maps place are as the formulas say
template <int N, bool TURNED, bool A_IN_REGISTERS> static int wrong_wgmma() {
    Buffer<uint16_t> a(M * K), b(N * K);
    Buffer<uint32_t> held(KBLOCKS * GROUP * 4);
    Buffer<float> d(GROUP * N / 2);
    Buffer<unsigned char> loaded(A_BYTES + B_BYTES<N>);
    simt::tensor_map map_a, map_b;
    if (!a.data() || !b.data() || !held.data() || !d.data() || !loaded.data()) return -1;
    for (int i = 0; i < M * K; i++) a.data()[i] = bf16_of(value_of(i, 1));
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++)
            b.data()[TURNED ? k * N + n : n * K + k] = bf16_of(value_of(n * K + k, 2));
    for (int i = 0; i < KBLOCKS * GROUP * 4; i++) {
        const int r = i % 4, t = i / 4 % GROUP, block = i / 4 / GROUP;
        const int row = t / 32 * 16 + t % 32 / 4 + r % 2 * 8, k = t % 4 * 2 + r / 2 * 8;
        const uint16_t *at = a.data() + row * K + block * 16 + k;
        held.data()[i] = at[0] | static_cast<uint32_t>(at[1]) << 16;
    }
    if (make_map(&map_a, a.data(), M, K, K) ||
        make_map(&map_b, b.data(), TURNED ? K : N, TURNED ? N : K, 64) ||
        simt::launch(run_wgmma<N, TURNED, A_IN_REGISTERS>,
                     {1, GROUP, static_cast<size_t>(A_BYTES + B_BYTES<N>), 90}, nullptr, map_a,
                     map_b, held.data(), d.data(), loaded.data()) ||
        finish())
        return -1;
    int wrong = 0;
    for (int i = 0; i < M * K; i++) {
        uint16_t there;
        memcpy(&there, loaded.data() + swizzled(i / K, i % K * 2), 2);
        wrong += there != a.data()[i];
    }
    for (int i = 0; i < N * K; i++) { // turned: blocks of 64 columns, each [64 k][64 n]
        const int n = i / K, k = i % K;
        const int at = TURNED ? n / 64 * B_BYTES<64> + swizzled(k, n % 64 * 2) : swizzled(n, k * 2);
        uint16_t there;
        memcpy(&there, loaded.data() + A_BYTES + at, 2);
        wrong += there != bf16_of(value_of(i, 2));
    }
    for (int i = 0; i < GROUP * N / 2; i++) {
        const int t = i / (N / 2), v = i % (N / 2);
        const int row = t / 32 * 16 + t % 32 / 4 + v / 2 % 2 * 8;
        const int column = v / 4 * 8 + t % 4 * 2 + v % 2;
        int sum = 0;
        for (int k = 0; k < K; k++) sum += value_of(row * K + k, 1) * value_of(column * K + k, 2);
        wrong += d.data()[i] != static_cast<float>(sum);
    }
    return wrong;
}
template <int N, bool TURNED, bool A_IN_REGISTERS> static int wrong_on_hopper() {
    return has_wgmma() ? wrong_wgmma<N, TURNED, A_IN_REGISTERS>() : 0;
}

int main() {
    const struct {
        const char *name;
        int wrong; // elements out of place; -1: it did not run
    } results[] = {
        {"mma_m16n8k16_a", wrong_a()},
        {"mma_m16n8k16_b", wrong_b()},
        {"ldmatrix_x1", wrong_ldmatrix<1, false>()},
        {"ldmatrix_x2", wrong_ldmatrix<2, false>()},
        {"ldmatrix_x4", wrong_ldmatrix<4, false>()},
        {"ldmatrix_x1_trans", wrong_ldmatrix<1, true>()},
        {"ldmatrix_x2_trans", wrong_ldmatrix<2, true>()},
        {"ldmatrix_x4_trans", wrong_ldmatrix<4, true>()},
        {"wgmma_n64", wrong_on_hopper<64, false, false>()},
        {"wgmma_n128", wrong_on_hopper<128, false, false>()},
        {"wgmma_n64_a_in_registers", wrong_on_hopper<64, false, true>()},
        {"wgmma_n128_a_in_registers", wrong_on_hopper<128, false, true>()},
        {"wgmma_n64_turned", wrong_on_hopper<64, true, false>()},
        {"wgmma_n128_turned", wrong_on_hopper<128, true, false>()},
    };
    bool right = true;
    std::printf("{\"machine\": \"%s\", \"wgmma\": %s, \"wrong_elements\": {", machine,
                has_wgmma() ? "true" : "false");
    const char *separator = "";
    for (const auto &r : results) {
        std::printf("%s\"%s\": %d", separator, r.name, r.wrong);
        separator = ", ";
        right = right && r.wrong == 0;
    }
    std::printf("}, \"as_the_cpu_says\": %s}\n", right ? "true" : "false");
    return right ? 0 : 1;
}
