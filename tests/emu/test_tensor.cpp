// mma, ldmatrix, cp.async and the intrinsics. The layouts are compared with a GPU by layouts.cu;
// here with matrices whose product and transposes are known.
#include "emu_test.h"

namespace {
uint32_t pair(float a, float b) {
    return static_cast<uint32_t>(simt::emu::to_bf16(a)) |
           static_cast<uint32_t>(simt::emu::to_bf16(b)) << 16;
}
// row by column through the layouts of PTX ISA's figures, lane by lane
SIMT_KERNEL((32), one_mma, const float *a, const float *b, const float *c, float *d) {
    const int t = static_cast<int>(threadIdx.x), g = t / 4, q = t % 4 * 2;
    const auto at = [a](int row, int column) {
        return pair(a[row * 16 + column], a[row * 16 + column + 1]);
    };
    const auto bt = [b](int k, int n) { return pair(b[k * 8 + n], b[(k + 1) * 8 + n]); };
    const uint32_t fa[4] = {at(g, q), at(g + 8, q), at(g, q + 8), at(g + 8, q + 8)};
    const uint32_t fb[2] = {bt(q, g), bt(q + 8, g)};
    float sum[4] = {c[g * 8 + q], c[g * 8 + q + 1], c[(g + 8) * 8 + q], c[(g + 8) * 8 + q + 1]};
    simt::mma_m16n8k16(sum, fa, fb);
    d[g * 8 + q] = sum[0], d[g * 8 + q + 1] = sum[1];
    d[(g + 8) * 8 + q] = sum[2], d[(g + 8) * 8 + q + 1] = sum[3];
}
void mma() {
    test::Numbers numbers(2);
    const std::vector<float> a = numbers.floats(256), b = numbers.floats(128),
                             c = numbers.floats(128);
    std::vector<float> d(128, NAN);
    CHECK(simt::launch(one_mma, {1, 32}, nullptr, a.data(), b.data(), c.data(), d.data()) == 0);
    bool right = true;
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            float sum = c[i * 8 + j]; // eighths: exact in any order
            for (int k = 0; k < 16; k++) sum += a[i * 16 + k] * b[k * 8 + j];
            right = right && d[i * 8 + j] == sum;
        }
    CHECK(right);
    CHECK(test::dies(
        [&] {
            simt::launch(one_mma, {1, 32, 0, 75}, nullptr, a.data(), b.data(), c.data(), d.data());
        },
        "needs sm_80"));
}

template <int N, bool TRANS> SIMT_KERNEL((32), load_matrices, uint32_t *out) {
    SIMT_SHARED(tile, uint16_t[32][8]); // tile[8 j + row] is row `row` of matrix j
    const int t = static_cast<int>(threadIdx.x);
    for (int i = 0; i < 8; i++) tile[t][i] = static_cast<uint16_t>(t * 8 + i);
    __syncthreads();
    uint32_t r[N];
    // lanes beyond 8 N may point anywhere: their addresses are not read
    const void *row = t < 8 * N ? static_cast<const void *>(tile[t]) : nullptr;
    if constexpr (TRANS)
        simt::ldmatrix_trans(r, row);
    else
        simt::ldmatrix(r, row);
    for (int j = 0; j < N; j++) out[j * 32 + t] = r[j];
}
template <int N, bool TRANS> bool matrices_right() {
    uint32_t out[N * 32];
    if (simt::launch(load_matrices<N, TRANS>, {1, 32}, nullptr, out)) return false;
    for (int j = 0; j < N; j++)
        for (int t = 0; t < 32; t++)
            for (int i = 0; i < 2; i++) {
                const int r = TRANS ? t % 4 * 2 + i : t / 4, c = TRANS ? t / 4 : t % 4 * 2 + i;
                if ((out[j * 32 + t] >> (16 * i) & 0xffff) !=
                    static_cast<uint32_t>((8 * j + r) * 8 + c))
                    return false;
            }
    return true;
}
SIMT_KERNEL((32), misaligned_row, uint32_t *out) {
    SIMT_SHARED(tile, uint16_t[300]);
    uint32_t r[1];
    simt::ldmatrix(r, tile + 8 * threadIdx.x + 1);
    out[threadIdx.x] = r[0];
}
void ldmatrix() {
    CHECK((matrices_right<1, false>()));
    CHECK((matrices_right<2, false>()));
    CHECK((matrices_right<4, false>()));
    CHECK((matrices_right<1, true>()));
    CHECK((matrices_right<2, true>()));
    CHECK((matrices_right<4, true>()));
    uint32_t out[32];
    CHECK(test::dies(
        [&] {
            simt::launch(misaligned_row, {1, 32}, nullptr, out);
        },
        "16-byte aligned"));
}

SIMT_KERNEL((32), copy_in_groups, const float *in, float *out, int *early) {
    SIMT_SHARED(s, float[3][32 * 4]);
    const int t = static_cast<int>(threadIdx.x);
    for (int g = 0; g < 3; g++) {
        simt::cp_async16(&s[g][t * 4], in + (g * 32 + t) * 4, t != 5);
        simt::cp_async_commit();
    }
    simt::cp_async_wait<1>();
    if (std::isnan(s[1][t * 4]) || !std::isnan(s[2][t * 4])) atomicAdd(early, 1);
    simt::cp_async_wait<0>();
    __syncthreads();
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < 4; i++) out[(g * 32 + t) * 4 + i] = s[g][(31 - t) * 4 + i];
}
SIMT_KERNEL((32), copy_words, const float *in, float *out) {
    SIMT_SHARED(s, float[32]);
    simt::cp_async4(s + threadIdx.x, in + threadIdx.x, threadIdx.x % 2 == 0);
    simt::cp_async_commit();
    simt::cp_async_wait<0>();
    __syncthreads();
    out[threadIdx.x] = s[31 - threadIdx.x];
}
SIMT_KERNEL((32), never_waits, const float *in) {
    SIMT_SHARED(s, float[128]);
    simt::cp_async16(s + threadIdx.x * 4, in + threadIdx.x * 4);
    simt::cp_async_commit();
}
SIMT_KERNEL((32), misaligned_copy, const float *in) {
    SIMT_SHARED(s, float[160]);
    simt::cp_async16(s + threadIdx.x * 4, in + threadIdx.x * 4 + 1);
    simt::cp_async_commit();
    simt::cp_async_wait<0>();
}
void cp_async() {
    alignas(16) float in[3 * 128 + 4], out[3 * 128];
    for (int i = 0; i < 3 * 128; i++) in[i] = static_cast<float>(i + 1);
    int early = 0;
    CHECK(simt::launch(copy_in_groups, {1, 32}, nullptr, in, out, &early) == 0);
    CHECK(early == (simt::emu::settings().early ? 32 : 0));
    bool right = true;
    for (int i = 0; i < 3 * 128; i++) {
        const int t = 31 - i / 4 % 32;
        right = right && out[i] == (t == 5 ? 0 : in[i / 128 * 128 + t * 4 + i % 4]);
    }
    CHECK(right);
    CHECK(simt::launch(copy_words, {1, 32}, nullptr, in + 1, out) == 0);
    for (int t = 0; t < 32; t++)
        right = right && out[t] == ((31 - t) % 2 == 0 ? in[1 + 31 - t] : 0);
    CHECK(right);
    CHECK(test::dies([&] { simt::launch(never_waits, {1, 32}, nullptr, in); }, "did not wait for"));
    CHECK(test::dies(
        [&] {
            simt::launch(misaligned_copy, {1, 32}, nullptr, in);
        },
        "16-byte aligned"));
}
} // namespace

void test::tensor() {
    mma();
    ldmatrix();
    cp_async();
}
