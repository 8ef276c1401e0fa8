/* The product of two tall matrices, C = A^T B: what a weight gradient sums over pixels or tiles. */
#ifndef CHL_CPU_GEMM_TN_H
#define CHL_CPU_GEMM_TN_H
#include "cpu/lib/panel.h"

/* Rows of A and B lie in runs: row k of run r of A is at a + a_at[r] + k * lda, of B likewise. A
 * run is a row of pixels, so that an image and its shifted copies need no column matrix. */
typedef struct chl_gemm_tn_operands {
    int64_t runs, length;
    const float *a;
    const int64_t *a_at; /* [runs], floats */
    int64_t lda;
    const float *b;
    const int64_t *b_at;
    int64_t ldb;
} chl_gemm_tn_operands;

/* c [m, n] (+)= sum over all rows of a[0..m) b[0..n). Whole vectors of B are read and of C written:
 * rows of c have room for n rounded up, and behind the last row of B is a vector's room. One
 * thread. */
void chl_gemm_tn(const chl_gemm_tn_operands *t, int64_t m, int64_t n, float *c, int64_t ldc,
                 bool add);
#endif
