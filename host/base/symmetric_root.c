/* One-sided Jacobi, then sum_i sqrt(l_i) v_i v_i^T over the eigenvalues and eigenvectors it found.
 */
#include "base/symmetric_root.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Eigenvalues below this share of the largest count as 0: in a covariance of mapped codes a
 * deviation below a thousandth of the largest one's is the rounding of the mapping's float32. */
#define MIN_SHARE 1e-6
/* Rows shorter than this share of the longest, far below the share above, are not rotated. */
#define NEGLIGIBLE_SHARE 1e-10
#define ORTHOGONAL 1e-12
#define MAX_SWEEPS 60

/* Makes rows a and b orthogonal by a rotation; false when they are already, or when the square of
 * one's length is below `min_square`. */
static bool rotate(int n, double *a, double *b, double min_square) {
    double aa = 0, bb = 0, ab = 0;
#pragma omp simd reduction(+ : aa, bb, ab)
    for (int i = 0; i < n; i++) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    if (aa < min_square || bb < min_square || fabs(ab) <= ORTHOGONAL * sqrt(aa * bb)) return false;
    const double zeta = (bb - aa) / (2 * ab);
    const double t = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    const double c = 1 / sqrt(1 + t * t), s = c * t;
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const double x = a[i], y = b[i];
        a[i] = c * x - s * y;
        b[i] = s * x + c * y;
    }
    return true;
}

static double length(int n, const double *row) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += row[i] * row[i];
    return sqrt(sum);
}

/* One-sided Jacobi [Hestenes 1958]: rotations V^T from the left make the rows of M = V L V^T
 * orthogonal, and V^T M = L V^T: row i ends as eigenvalue times eigenvector. 512 rows: 0.4 s. */
chl_status chl_symmetric_eigen(int n, double *matrix) {
    double max = 0;
    for (int i = 0; i < n; i++) max = fmax(max, length(n, matrix + (size_t)i * (size_t)n));
    const double min_square = NEGLIGIBLE_SHARE * max * NEGLIGIBLE_SHARE * max;
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        bool changed = false;
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                changed |= rotate(n, matrix + (size_t)i * (size_t)n, matrix + (size_t)j * (size_t)n,
                                  min_square);
        if (!changed) return CHL_OK;
    }
    return chl_fail(CHL_ERR_NUMERIC,
                    "the eigenvalues of a matrix of %d rows do not converge in %d sweeps", n,
                    MAX_SWEEPS);
}

/* sum_i sqrt(l_i) v_i v_i^T from rows l_i v_i */
static int gather_root(int n, const double *rows, double *factor, double *line, float *root) {
    double max = 0;
    int rank = 0;
    for (int i = 0; i < n; i++)
        max = fmax(max, factor[i] = length(n, rows + (size_t)i * (size_t)n));
    for (int i = 0; i < n; i++) {
        const bool kept = factor[i] > MIN_SHARE * max;
        factor[i] = kept ? pow(factor[i], -1.5) : 0;
        rank += kept;
    }
    for (int p = 0; p < n; p++) {
        for (int q = 0; q < n; q++) line[q] = 0;
        for (int i = 0; i < n; i++) {
            const double *row = rows + (size_t)i * (size_t)n, weight = factor[i] * row[p];
#pragma omp simd
            for (int q = 0; q < n; q++) line[q] += weight * row[q];
        }
        for (int q = 0; q < n; q++) root[(size_t)p * (size_t)n + (size_t)q] = (float)line[q];
    }
    return rank;
}

chl_status chl_symmetric_root(int n, const double *matrix, float *root, int *rank) {
    const size_t size = (size_t)n * (size_t)n;
    double *rows = malloc(sizeof(double) * (size + 2 * (size_t)n));
    if (!rows) return chl_fail(CHL_ERR_MEMORY, "out of memory for a square root");
    memcpy(rows, matrix, sizeof(double) * size);
    chl_status status = chl_symmetric_eigen(n, rows);
    if (status == CHL_OK) *rank = gather_root(n, rows, rows + size, rows + size + n, root);
    free(rows);
    return status;
}
