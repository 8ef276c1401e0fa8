/* Row-major single-precision matrix product. The only file that knows which library computes it
 * (oneDNN, or plain C where built without it). */
#ifndef CHL_CPU_GEMM_H
#define CHL_CPU_GEMM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* C[M,N] = alpha * op(A)[M,K] * op(B)[K,N] + beta * C. op(A) is A [M,K] or, transposed, the
 * transpose of A [K,M]; lda, ldb, ldc are row lengths in memory. beta = 0 does not read C. Uses all
 * threads, or the calling one when inside a parallel region. False when the library fails (its
 * working memory, an argument out of range): C is then undefined. */
bool chl_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
              const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
              int64_t ldc) __attribute__((warn_unused_result));
/* chl_cpu_reserve (cpu.h): its code, and copies of blocks for each thread. */
size_t chl_gemm_reserve(void);
#endif
