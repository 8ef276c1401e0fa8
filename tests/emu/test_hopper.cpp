// mbarriers, tensor-map loads, warpgroup products.
#include "emu/kernels/gemm_wgmma.cuh"
#include "emu_test.h"

namespace {
SIMT_KERNEL((64), hand_over, float *out, int rounds, bool poll) {
    SIMT_SHARED(full, simt::mbarrier);
    SIMT_SHARED(empty, simt::mbarrier);
    SIMT_SHARED(slot, float[32]);
    const int t = static_cast<int>(threadIdx.x) % 32;
    if (threadIdx.x == 0) {
        simt::mbarrier_init(&full, 32);
        simt::mbarrier_init(&empty, 32);
    }
    __syncthreads();
    for (int r = 0; r < rounds; r++) {
        const unsigned parity = static_cast<unsigned>(r) & 1;
        if (threadIdx.x < 32) {
            simt::mbarrier_wait(&empty,
                                parity ^ 1); // the first passes: phase -1 counts as complete
            slot[t] = static_cast<float>(r * 32 + t);
            simt::mbarrier_arrive(&full);
        } else {
            if (poll)
                while (!simt::mbarrier_try_wait(&full, parity)) {
                }
            else
                simt::mbarrier_wait(&full, parity);
            out[r * 32 + t] = slot[31 - t];
            simt::mbarrier_arrive(&empty);
        }
    }
}
SIMT_KERNEL((32), no_init, int) {
    SIMT_SHARED(m, simt::mbarrier);
    simt::mbarrier_arrive(&m);
}
SIMT_KERNEL((32), overwritten, int) {
    SIMT_SHARED(m, simt::mbarrier);
    if (threadIdx.x == 0) simt::mbarrier_init(&m, 32);
    __syncthreads();
    if (threadIdx.x == 0) m = 0;
    __syncthreads();
    simt::mbarrier_arrive(&m);
}
SIMT_KERNEL((32), never_filled, bool poll) {
    SIMT_SHARED(m, simt::mbarrier);
    if (threadIdx.x == 0) simt::mbarrier_init(&m, 33);
    __syncthreads();
    simt::mbarrier_arrive(&m);
    if (poll)
        while (!simt::mbarrier_try_wait(&m, 0)) {
        }
    else
        simt::mbarrier_wait(&m, 0);
}
void mbarriers() {
    for (const bool poll : {false, true}) {
        float out[5 * 32];
        CHECK(simt::launch(hand_over, {1, 64, 0, 90}, nullptr, out, 5, poll) == 0);
        bool right = true;
        for (int i = 0; i < 5 * 32; i++)
            right = right && out[i] == static_cast<float>(i / 32 * 32 + 31 - i % 32);
        CHECK(right);
        CHECK(test::dies(
            [poll] {
                simt::launch(never_filled, {1, 32, 0, 90}, nullptr, poll);
            },
            "deadlock"));
    }
    CHECK(test::dies([] { simt::launch(no_init, {1, 32, 0, 90}, nullptr, 0); }, "not initialised"));
    CHECK(test::dies([] { simt::launch(no_init, {1, 32, 0, 80}, nullptr, 0); }, "needs sm_90"));
    CHECK(test::dies(
        [] {
            simt::launch(overwritten, {1, 32, 0, 90}, nullptr, 0);
        },
        "was overwritten"));
}

constexpr int BOX_C = 16, BOX_X = 3, BOX_Y = 2, BOX_N = 1, BOX = BOX_C * BOX_X * BOX_Y * BOX_N;
SIMT_KERNEL((32), load_box, const __grid_constant__ simt::tensor_map map, float *out, int c, int x,
            int y, int n) {
    SIMT_DYNAMIC_SHARED(__nv_bfloat16, tile);
    SIMT_SHARED(full, simt::mbarrier);
    if (threadIdx.x == 0) {
        simt::mbarrier_init(&full, 1);
        simt::fence_proxy_async();
        simt::mbarrier_arrive_expect(&full, BOX * 2);
        simt::tma_load_4d(tile, &map, &full, c, x, y, n);
    }
    __syncthreads();
    simt::mbarrier_wait(&full, 0);
    for (int i = static_cast<int>(threadIdx.x); i < BOX; i += 32)
        out[i] = __bfloat162float(tile[i]);
}
void boxes() {
    constexpr int N = 2, Y = 5, X = 4, C = 24;
    test::Numbers numbers(7);
    const std::vector<__nv_bfloat16> in = numbers.halves(N * Y * X * C);
    const uint64_t size[4] = {C, X, Y, N}, pitch[3] = {C * 2, X * C * 2, Y * X * C * 2};
    const uint32_t box[4] = {BOX_C, BOX_X, BOX_Y, BOX_N};
    simt::tensor_map map;
    CHECK(simt::make_tensor_map(&map, in.data(), 4, size, pitch, box, false) == 0);
    const uint64_t odd[3] = {C * 2 + 2, X * C * 2, Y * X * C * 2};
    simt::tensor_map refused;
    CHECK(simt::make_tensor_map(&refused, in.data(), 4, size, odd, box, false) != 0);
    for (const int corner : {-1, 0, 2}) { // one corner outside, one inside, one over the far edge
        const int c0 = corner == 2 ? 16 : 0, x0 = corner, y0 = corner == 2 ? 4 : corner, n0 = 1;
        float out[BOX];
        CHECK(simt::launch(load_box, {1, 32, BOX * 2, 90}, nullptr, map, out, c0, x0, y0, n0) == 0);
        bool right = true;
        for (int i = 0; i < BOX; i++) {
            const int c = c0 + i % BOX_C, x = x0 + i / BOX_C % BOX_X, y = y0 + i / (BOX_C * BOX_X);
            const bool inside = c < C && x >= 0 && x < X && y >= 0 && y < Y;
            const float want =
                inside ? __bfloat162float(in[static_cast<size_t>(((n0 * Y + y) * X + x) * C + c)])
                       : 0;
            right = right && out[i] == want;
        }
        CHECK(right);
    }
}

enum { FROM_SHARED, FROM_REGISTERS, TURNED, CHANGED_TOO_EARLY }; // where a lies, how b does
// tiles written by hand: the swizzle of the manual, by rows of 128 bytes
SIMT_DEVICE __nv_bfloat16 *swizzled_place(unsigned char *tile, int row, int k) {
    return reinterpret_cast<__nv_bfloat16 *>(tile + row * 128 + (k / 8 ^ row % 8) * 16) + k % 8;
}
SIMT_DEVICE uint32_t two_of(const float *a, int row, int k) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(a[row * 64 + k], a[row * 64 + k + 1]);
    uint32_t bits;
    memcpy(&bits, &both, sizeof bits);
    return bits;
}
template <int N, int FORM>
SIMT_KERNEL((128), one_product, const float *a, const float *b, float *d) {
    SIMT_DYNAMIC_SHARED(unsigned char, shared);
    const int t = static_cast<int>(threadIdx.x);
    unsigned char *right = shared + 8192;
    for (int i = t; i < 64 * 64; i += 128)
        *swizzled_place(shared, i / 64, i % 64) = __float2bfloat16(a[i]);
    for (int i = t; i < N * 64; i += 128) { // turned: a tile [64 of k][64] for every 64 columns
        const int n = i / 64, k = i % 64;
        *(FORM == TURNED ? swizzled_place(right + n / 64 * 8192, k, n % 64)
                         : swizzled_place(right, n, k)) = __float2bfloat16(b[i]);
    }
    simt::fence_proxy_async();
    __syncthreads();
    uint32_t held[4][4];
    for (int i = 0; i < 16; i++)
        held[i / 4][i % 4] =
            two_of(a, t / 32 * 16 + t % 32 / 4 + i % 2 * 8, i / 4 * 16 + i % 4 / 2 * 8 + t % 4 * 2);
    float sum[N / 2];
    for (float &s : sum) s = 1;
    simt::wgmma_fence(held);
    for (unsigned kk = 0; kk < 4; kk++)
        if constexpr (FORM == FROM_SHARED)
            simt::wgmma_m64k16<N>(sum, simt::wgmma_operand(shared) + 2 * kk,
                                  simt::wgmma_operand(right) + 2 * kk);
        else if constexpr (FORM == TURNED)
            simt::wgmma_m64k16<N, true>(sum, simt::wgmma_operand(shared) + 2 * kk,
                                        simt::wgmma_operand_turned(right, 8192) + 128 * kk);
        else
            simt::wgmma_m64k16<N>(sum, held[kk], simt::wgmma_operand(right) + 2 * kk);
    simt::wgmma_commit();
    if (FORM == CHANGED_TOO_EARLY) held[1][1]++;
    simt::wgmma_wait<0>();
    for (int i = 0; i < N / 2; i++) {
        const int row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8,
                  column = i / 4 * 8 + t % 4 * 2 + i % 2;
        d[row * N + column] = sum[i];
    }
}
template <int N, int FORM> void product() {
    test::Numbers numbers(8);
    const std::vector<float> a = numbers.floats(64 * 64), b = numbers.floats(N * 64);
    std::vector<float> d(64 * N, NAN);
    CHECK(simt::launch(one_product<N, FORM>, {1, 128, 8192 + N * 128, 90}, nullptr, a.data(),
                       b.data(), d.data()) == 0);
    bool right = true;
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < N; j++) {
            float sum = 1;
            for (int k = 0; k < 64; k++) sum += a[i * 64 + k] * b[j * 64 + k];
            right = right && d[i * N + j] == sum;
        }
    CHECK(right);
}
template <int N> void products() {
    product<N, FROM_SHARED>();
    product<N, FROM_REGISTERS>();
    product<N, TURNED>();
    CHECK(test::dies([] { product<N, CHANGED_TOO_EARLY>(); }, "a's registers changed"));
}
void gemm(int m, int n, int k) {
    test::Numbers numbers(9);
    const std::vector<__nv_bfloat16> a = numbers.halves(static_cast<size_t>(m * k));
    const std::vector<__nv_bfloat16> b = numbers.halves(static_cast<size_t>(n * k));
    std::vector<float> c(static_cast<size_t>(m * n), NAN);
    CHECK(subject::run_gemm_wgmma(a.data(), b.data(), c.data(), m, n, k, nullptr) == 0);
    bool right = true;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int d = 0; d < k; d++)
                sum += static_cast<double>(__bfloat162float(a[i * k + d])) *
                       __bfloat162float(b[j * k + d]);
            right = right && c[i * n + j] == sum;
        }
    CHECK(right);
}
} // namespace

void test::hopper() {
    mbarriers();
    boxes();
    products<64>();
    products<128>();
    gemm(64, 64, 64);
    gemm(70, 65, 456);
}
