/* The product C = A^T B of two matrices with many more rows than columns, as in a weight gradient,
 * whose sum runs over pixels or tiles. ("tn": A transposed, B not.) */
#ifndef CHL_CPU_GEMM_TN_H
#define CHL_CPU_GEMM_TN_H
#include "cpu/lib/panel.h"

/* The operands. Rows of A and B are stored in runs: row k of run r of A begins at a + a_at[r] + k *
 * lda, of B likewise. A run is a row of pixels, so that an image and its shifted copies need no
 * column matrix. */
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
 * rows of c hold n rounded up to whole vectors, and a vector after the last row of B must be
 * readable. One thread. */
void chl_gemm_tn(const chl_gemm_tn_operands *t, int64_t m, int64_t n, float *c, int64_t ldc,
                 bool add);
#endif
