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

/* --- precision and recall --------------------------------------------------------------------- */
static double square_distance(const float *a, const float *b, int d) {
    double sum = 0;
    for (int j = 0; j < d; j++) {
        const double off = (double)a[j] - (double)b[j];
        sum += off * off;
    }
    return sum;
}

/* The k-th smallest of the distances from x[i] to the others; `nearest` [k] is a buffer. */
static double ball(int64_t n, const float *x, int64_t i, int d, int k, double *nearest) {
    int found = 0;
    for (int64_t other = 0; other < n; other++) {
        const double off = square_distance(x + i * d, x + other * d, d);
        if (other == i || (found == k && off >= nearest[k - 1])) continue;
        int at = found < k ? found++ : k - 1;
        for (; at > 0 && nearest[at - 1] > off; at--) nearest[at] = nearest[at - 1];
        nearest[at] = off;
    }
    return nearest[k - 1];
}

/* The share of a's features that lie in a ball of b's. */
static chl_status covered(int64_t n, const float *a, int64_t m, const float *b, int d, int k,
                          double *share) {
    double *radius = calloc((size_t)m, sizeof *radius);
    double *nearest = calloc((size_t)m * (size_t)k, sizeof *nearest);
    int64_t inside = 0;
    *share = 0;
    if (!radius || !nearest) {
        free(radius);
        free(nearest);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for precision and recall");
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m; i++) radius[i] = ball(m, b, i, d, k, nearest + i * k);
#pragma omp parallel for schedule(static) reduction(+ : inside)
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        while (at < m && square_distance(a + i * d, b + at * d, d) > radius[at]) at++;
        inside += at < m;
    }
    free(radius);
    free(nearest);
    *share = (double)inside / (double)n;
    return CHL_OK;
}

chl_status chl_precision_recall(int64_t n, const float *a, int64_t m, const float *b, int d, int k,
                                double *precision, double *recall) {
    CHL_TRY(covered(n, a, m, b, d, k, precision));
    return covered(m, b, n, a, d, k, recall);
}
