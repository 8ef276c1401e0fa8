#include "base/symmetric_root.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A direction whose deviation is below a thousandth of the widest one's is not taken by mapped
 * codes; what is measured there is rounding of the mapping's float32. */
#define SMALLEST_SHARE 1e-6
/* Far below the share above: rows this small may stay as they are. */
#define NEGLIGIBLE_SHARE 1e-10
#define ORTHOGONAL 1e-12
#define MAX_SWEEPS 60

/* Makes rows a and b orthogonal by a rotation; false when they were. */
static bool rotate(int n, double *a, double *b, double least) {
    double aa = 0, bb = 0, ab = 0;
#pragma omp simd reduction(+ : aa, bb, ab)
    for (int i = 0; i < n; i++) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    if (aa < least || bb < least || fabs(ab) <= ORTHOGONAL * sqrt(aa * bb)) return false;
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
static chl_status orthogonalise(int n, double *matrix) {
    double most = 0;
    for (int i = 0; i < n; i++) most = fmax(most, length(n, matrix + (size_t)i * (size_t)n));
    const double least = NEGLIGIBLE_SHARE * most * NEGLIGIBLE_SHARE * most;
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        bool changed = false;
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                changed |= rotate(n, matrix + (size_t)i * (size_t)n, matrix + (size_t)j * (size_t)n,
                                  least);
        if (!changed) return CHL_OK;
    }
    return chl_fail(CHL_ERR_NUMERIC, "the eigenvalues of a matrix of %d rows do not converge", n);
}

/* sum_i sqrt(l_i) v_i v_i^T from rows l_i v_i */
static int gather_root(int n, const double *rows, double *factor, double *line, float *root) {
    double most = 0;
    int rank = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, factor[i] = length(n, rows + (size_t)i * (size_t)n));
    for (int i = 0; i < n; i++) {
        const bool kept = factor[i] > SMALLEST_SHARE * most;
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
    chl_status status = orthogonalise(n, rows);
    if (status == CHL_OK) *rank = gather_root(n, rows, rows + size, rows + size + n, root);
    free(rows);
    return status;
}
