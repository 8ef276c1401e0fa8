// Whole kernels against double precision: sizes that fill tiles and sizes that do not.
#include "emu/kernels/gemm_bf16.cuh"
#include "emu/kernels/gemm_f32.cuh"
#include "emu/kernels/softmax.cuh"
#include "emu_test.h"

static void gemm_f32(int m, int n, int k) {
    test::Numbers numbers(static_cast<uint64_t>(m));
    const std::vector<float> a = numbers.floats(static_cast<size_t>(m * k));
    const std::vector<float> b = numbers.floats(static_cast<size_t>(k * n));
    std::vector<float> c(static_cast<size_t>(m * n), NAN);
    CHECK(subject::run_gemm_f32(a.data(), b.data(), c.data(), m, n, k, nullptr) == 0);
    bool right = true; // eighths: every sum is exact
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int d = 0; d < k; d++) sum += static_cast<double>(a[i * k + d]) * b[d * n + j];
            right = right && c[i * n + j] == sum;
        }
    CHECK(right);
}
static void gemm_bf16(int m, int n, int k) {
    test::Numbers numbers(static_cast<uint64_t>(n));
    const std::vector<__nv_bfloat16> a = numbers.halves(static_cast<size_t>(m * k));
    const std::vector<__nv_bfloat16> b = numbers.halves(static_cast<size_t>(n * k));
    std::vector<float> c(static_cast<size_t>(m * n), NAN);
    CHECK(subject::run_gemm_bf16(a.data(), b.data(), c.data(), m, n, k, nullptr) == 0);
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
static void softmax(int rows, int columns) {
    test::Numbers numbers(static_cast<uint64_t>(columns));
    const std::vector<float> x = numbers.floats(static_cast<size_t>(rows * columns));
    std::vector<float> y(x.size(), NAN);
    CHECK(subject::run_softmax(x.data(), y.data(), rows, columns, nullptr) == 0);
    double worst = 0;
    for (int r = 0; r < rows; r++) {
        double sum = 0;
        for (int c = 0; c < columns; c++) sum += std::exp(static_cast<double>(x[r * columns + c]));
        for (int c = 0; c < columns; c++) {
            const double want = std::exp(static_cast<double>(x[r * columns + c])) / sum;
            const double error = std::fabs(y[r * columns + c] - want) / want;
            worst = error <= worst ? worst : error; // a NaN stays
        }
    }
    CHECK(worst < 1e-5);
}

void test::kernels() {
    gemm_f32(64, 64, 16);
    gemm_f32(65, 67, 33);
    gemm_f32(128, 96, 100);
    gemm_f32(1, 1, 1);
    gemm_bf16(16, 8, 16);
    gemm_bf16(61, 72, 40);
    gemm_bf16(129, 136, 264);
    softmax(7, 33);
    softmax(5, 1000);
    softmax(1, 1);
}
