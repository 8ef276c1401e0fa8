// Do the tensor-core instructions of a real GPU lay their registers out as the CPU's formulas say?
// Prints JSON and ends with 0 where they do. The same source for both:
//     nvcc -std=c++17 -arch=sm_80 -I kernels/cuda tests/emu/layouts.cu -o layouts && ./layouts
// and, through the CMake target emu_layouts, against the CPU machine itself.
#include "cuda/lib/simt.h"
#include <cstdio>
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
    };
    bool right = true;
    std::printf("{\"machine\": \"%s\", \"wrong_elements\": {", machine);
    const char *separator = "";
    for (const auto &r : results) {
        std::printf("%s\"%s\": %d", separator, r.name, r.wrong);
        separator = ", ";
        right = right && r.wrong == 0;
    }
    std::printf("}, \"as_the_cpu_says\": %s}\n", right ? "true" : "false");
    return right ? 0 : 1;
}
