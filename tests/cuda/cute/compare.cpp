// The emulator's mma, ldmatrix, tensor-map loads and wgmma against CuTe's layouts (cute_tables.h):
// operands are laid out by CuTe's maps, run on the emulator, and the results, read by CuTe's maps,
// must be the exact products. So must the descriptor words of kernels/cuda/lib/wgmma_descriptor.h.
// Exits with 0 when all agree.
#include "cuda/lib/simt.h"
#include "cuda/lib/wgmma_descriptor.h"
#include "cute_tables.h"
#include "emu/kernels/wgmma_probe.cuh"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
using namespace cute_tables;

namespace {
bool differs;
void report(const char *what, int wrong) {
    std::printf("%-62s %s\n", what, wrong ? "differs" : "agrees");
    differs = differs || wrong;
}

uint16_t to_bf16(float v) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    return uint16_t(bits >> 16);
}
uint32_t half_of_word(float v, int value) {
    return uint32_t(to_bf16(v)) << value % 2 * 16;
}
// small whole numbers: products and sums are exact
float draw() {
    return float(std::rand() % 17 - 8);
}

// --- mma.m16n8k16 ------------------------------------------------------------------------------
SIMT_KERNEL((32), run_mma, const uint32_t *a, const uint32_t *b, float *d) {
    const int t = int(threadIdx.x);
    uint32_t of_a[4], of_b[2];
    for (int i = 0; i < 4; i++) of_a[i] = a[t * 4 + i];
    for (int i = 0; i < 2; i++) of_b[i] = b[t * 2 + i];
    float c[4] = {};
    simt::mma_m16n8k16(c, of_a, of_b);
    for (int i = 0; i < 4; i++) d[t * 4 + i] = c[i];
}

int wrong_mma() {
    constexpr int M = 16, N = 8, K = 16, WARP = 32;
    float a[M][K], b[N][K], d[WARP * 4];
    for (auto &row : a)
        for (float &e : row) e = draw();
    for (auto &row : b)
        for (float &e : row) e = draw();
    uint32_t of_a[WARP * 4] = {}, of_b[WARP * 2] = {};
    for (int t = 0; t < WARP; t++) {
        for (int v = 0; v < 8; v++) {
            const at p = mma16816('a', t, v);
            of_a[t * 4 + v / 2] |= half_of_word(a[p.row][p.column], v);
        }
        for (int v = 0; v < 4; v++) {
            const at p = mma16816('b', t, v);
            of_b[t * 2 + v / 2] |= half_of_word(b[p.row][p.column], v);
        }
    }
    if (simt::launch(run_mma, {1, WARP}, nullptr, of_a, of_b, d)) return -1;
    int wrong = 0;
    for (int t = 0; t < WARP; t++)
        for (int v = 0; v < 4; v++) {
            const at p = mma16816('c', t, v);
            float sum = 0;
            for (int k = 0; k < K; k++) sum += a[p.row][k] * b[p.column][k];
            wrong += d[t * 4 + v] != sum;
        }
    return wrong;
}

// --- ldmatrix ----------------------------------------------------------------------------------
template <int N, bool TRANSPOSED> SIMT_KERNEL((32), run_ldmatrix, uint32_t *out) {
    SIMT_SHARED(tile, uint16_t[32 * 8]);
    const int t = int(threadIdx.x);
    for (int i = 0; i < 8; i++) tile[t * 8 + i] = uint16_t(t * 8 + i);
    __syncthreads();
    uint32_t r[N];
    if constexpr (TRANSPOSED)
        simt::ldmatrix_trans(r, tile + t * 8);
    else
        simt::ldmatrix(r, tile + t * 8);
    for (int j = 0; j < N; j++) out[j * 32 + t] = r[j];
}

template <int N, bool TRANSPOSED> int wrong_ldmatrix() {
    uint32_t out[32 * N];
    if (simt::launch(run_ldmatrix<N, TRANSPOSED>, {1, 32}, nullptr, +out)) return -1;
    int wrong = 0;
    for (int t = 0; t < 32; t++)
        for (int r = 0; r < N; r++)
            for (int half = 0; half < 2; half++)
                wrong += int(out[r * 32 + t] >> half * 16 & 0xffff) !=
                         ldmatrix(N, TRANSPOSED, t, r, half);
    return wrong;
}

// --- tensor-map loads and wgmma ---------------------------------------------------------------
using namespace wgmma_probe;

struct operands {
    std::vector<float> a, b; // [64][64], [n][64]
    std::vector<unsigned char> loaded;
    bool has(int offset, float value) const {
        uint16_t there;
        std::memcpy(&there, &loaded[size_t(offset)], 2);
        return there == to_bf16(value);
    }
};

// elements that the tensor map puts elsewhere than CuTe's layout has them
int misplaced(const operands &o, int n, bool turned) {
    int wrong = 0;
    for (int m = 0; m < M; m++)
        for (int k = 0; k < K; k++) wrong += !o.has(smem_k_major(M, m, k), o.a[m * K + k]);
    for (int c = 0; c < n; c++)
        for (int k = 0; k < K; k++)
            wrong += !o.has(A_BYTES + (turned ? smem_mn_major(n, c, k) : smem_k_major(n, c, k)),
                            o.b[c * K + k]);
    return wrong;
}

template <int N, bool TURNED, bool A_IN_REGISTERS> void check_wgmma(const char *what) {
    operands o = {std::vector<float>(M * K), std::vector<float>(N * K),
                  std::vector<unsigned char>(size_t(A_BYTES + B_BYTES<N>))};
    for (float &e : o.a) e = draw();
    for (float &e : o.b) e = draw();
    alignas(16) static uint16_t a[M * K], b[128 * K];
    for (int i = 0; i < M * K; i++) a[i] = to_bf16(o.a[i]);
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++) b[TURNED ? k * N + n : n * K + k] = to_bf16(o.b[n * K + k]);
    std::vector<uint32_t> held(KBLOCKS * GROUP * 4);
    for (int k = 0; k < KBLOCKS; k++)
        for (int t = 0; t < GROUP; t++)
            for (int v = 0; v < 8; v++) {
                const at p = wgmma_a(t, v);
                held[(k * GROUP + t) * 4 + v / 2] |=
                    half_of_word(o.a[p.row * K + k * 16 + p.column], v);
            }
    simt::tensor_map map_a, map_b;
    std::vector<float> d(GROUP * N / 2);
    if (make_map(&map_a, a, M, K, K) || make_map(&map_b, b, TURNED ? K : N, TURNED ? N : K, 64) ||
        simt::launch(run_wgmma<N, TURNED, A_IN_REGISTERS>,
                     {1, GROUP, size_t(A_BYTES + B_BYTES<N>), 90}, nullptr, map_a, map_b,
                     held.data(), d.data(), o.loaded.data())) {
        report(what, -1);
        return;
    }
    int wrong = 0;
    for (int t = 0; t < GROUP; t++)
        for (int v = 0; v < N / 2; v++) {
            const at p = wgmma_c(N, t, v);
            float sum = 0;
            for (int k = 0; k < K; k++) sum += o.a[p.row * K + k] * o.b[p.column * K + k];
            wrong += d[t * (N / 2) + v] != sum;
        }
    report(what, wrong);
    report("  bytes placed by the tensor map", misplaced(o, N, TURNED));
}

// CuTe sets the leading step of K-major operands, which the hardware does not read.
constexpr uint64_t UNREAD = uint64_t(0x3fff) << 16;

void check_descriptors() {
    for (int k = 0; k < KBLOCKS; k++)
        for (int n : {64, 128}) {
            const uint64_t straight = simt::wgmma_descriptor(0) + 2 * k;
            const uint64_t turned = simt::wgmma_descriptor_turned(0, B_BYTES<64>) + 128 * k;
            const uint64_t unread = n == 64 ? UNREAD : 0; // one block of columns: no next one
            char what[80];
            std::snprintf(what, sizeof what, "descriptor, K-major, %d rows, k block %d", n, k);
            report(what, (descriptor_k_major(n, k) ^ straight) & ~UNREAD ? 1 : 0);
            std::snprintf(what, sizeof what, "descriptor, MN-major, %d columns, k block %d", n, k);
            report(what, (descriptor_mn_major(n, k) ^ turned) & ~unread ? 1 : 0);
        }
}
} // namespace

int main() {
    report("mma.m16n8k16: A, B and C fragments", wrong_mma());
    report("ldmatrix x1", wrong_ldmatrix<1, false>());
    report("ldmatrix x2", wrong_ldmatrix<2, false>());
    report("ldmatrix x4", wrong_ldmatrix<4, false>());
    report("ldmatrix x1 trans", wrong_ldmatrix<1, true>());
    report("ldmatrix x2 trans", wrong_ldmatrix<2, true>());
    report("ldmatrix x4 trans", wrong_ldmatrix<4, true>());
    check_wgmma<64, false, false>("wgmma n64, A and B in shared memory, K-major");
    check_wgmma<128, false, false>("wgmma n128, A and B in shared memory, K-major");
    check_wgmma<64, false, true>("wgmma n64, A in registers, B K-major");
    check_wgmma<128, false, true>("wgmma n128, A in registers, B K-major");
    check_wgmma<64, true, false>("wgmma n64, B MN-major");
    check_wgmma<128, true, false>("wgmma n128, B MN-major");
    check_descriptors();
    std::printf(differs ? "cute-layouts: differences\n" : "cute-layouts: all agree\n");
    return differs;
}
