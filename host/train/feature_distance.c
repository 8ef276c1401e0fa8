#include "train/feature_distance.h"
#include "base/symmetric_root.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- FID -------------------------------------------------------------------------------------- */
/* mean [d] and unbiased covariance [d][d] */
static void moments(int64_t n, const float *x, int d, double *mean, double *covariance) {
    memset(mean, 0, (size_t)d * sizeof *mean);
    for (int64_t i = 0; i < n * d; i++) mean[i % d] += (double)x[i] / (double)n;
#pragma omp parallel for schedule(dynamic)
    for (int r = 0; r < d; r++)
        for (int c = 0; c <= r; c++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += ((double)x[i * d + r] - mean[r]) * ((double)x[i * d + c] - mean[c]);
            covariance[r * d + c] = covariance[c * d + r] = sum / (double)(n - 1);
        }
}

/* left [d][d] times right, symmetric both: out [d][d] */
static void multiply(int d, const double *left, const double *right, double *out) {
#pragma omp parallel for schedule(static)
    for (int r = 0; r < d; r++)
        for (int c = 0; c < d; c++) {
            double sum = 0;
            for (int k = 0; k < d; k++) sum += left[r * d + k] * right[c * d + k];
            out[r * d + c] = sum;
        }
}

/* The sum of the roots of the eigenvalues of R C R: in `matrix`, which is lost. A row of eigenvectors is
 * as long as its eigenvalue. */
static chl_status trace_of_root(int d, double *matrix, double *trace) {
    *trace = 0;
    CHL_TRY(chl_symmetric_eigen(d, matrix));
    for (int r = 0; r < d; r++) {
        double square = 0;
        for (int c = 0; c < d; c++) square += matrix[r * d + c] * matrix[r * d + c];
        *trace += sqrt(sqrt(square));
    }
    return CHL_OK;
}

/* tr (A B)^(1/2) = tr (R B R)^(1/2), R = A^(1/2), which is symmetric; `b` is lost. */
static chl_status trace_of_both(int d, const double *a, double *b, double *trace) {
    const size_t count = (size_t)d * (size_t)d;
    float *rounded = malloc(count * sizeof *rounded);
    double *root = malloc(2 * count * sizeof *root);
    int rank;
    chl_status status =
        rounded && root ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for FID");
    if (status == CHL_OK) status = chl_symmetric_root(d, a, rounded, &rank);
    if (status == CHL_OK) {
        for (size_t i = 0; i < count; i++) root[i] = (double)rounded[i];
        multiply(d, root, b, root + count);
        multiply(d, root + count, root, b);
        status = trace_of_root(d, b, trace);
    }
    free(rounded);
    free(root);
    return status;
}

chl_status chl_frechet_distance(int64_t n, const float *a, int64_t m, const float *b, int d,
                                double *out) {
    const size_t width = (size_t)d, count = width * width;
    double *memory = malloc((2 * width + 2 * count) * sizeof *memory), trace = 0;
    *out = 0;
    if (!memory) return chl_fail(CHL_ERR_MEMORY, "out of memory for FID");
    double *mean_a = memory, *mean_b = memory + width;
    double *of_a = memory + 2 * width, *of_b = of_a + count;
    moments(n, a, d, mean_a, of_a);
    moments(m, b, d, mean_b, of_b);
    for (int i = 0; i < d; i++) {
        *out += (mean_a[i] - mean_b[i]) * (mean_a[i] - mean_b[i]);
        *out += of_a[i * d + i] + of_b[i * d + i];
    }
    const chl_status status = trace_of_both(d, of_a, of_b, &trace);
    *out -= 2 * trace;
    free(memory);
    return status;
}

/* --- KID -------------------------------------------------------------------------------------- */
/* The sum of the kernel over all pairs; of a set with itself without the pairs of one element. */
static double kernel_sum(int64_t n, const float *a, int64_t m, const float *b, int d) {
    double total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < m; k++) {
            double product = 0;
            if (a == b && i == k) continue;
            for (int j = 0; j < d; j++) product += (double)a[i * d + j] * (double)b[k * d + j];
            const double base = product / d + 1;
            total += base * base * base;
        }
    return total;
}

double chl_kernel_distance(int64_t n, const float *a, int64_t m, const float *b, int d) {
    const double within_a = kernel_sum(n, a, n, a, d) / ((double)n * (double)(n - 1));
    const double within_b = kernel_sum(m, b, m, b, d) / ((double)m * (double)(m - 1));
    return within_a + within_b - 2 * kernel_sum(n, a, m, b, d) / ((double)n * (double)m);
}
