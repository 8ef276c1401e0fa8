#include "cpu/lib/gemm.h"
#include "cpu/lib/panel.h"
#ifdef CHLADNI_ONEDNN
#include <dnnl.h>
#include <omp.h>

/* Enough for 2.6.3 on two threads: no limit of the address space from 60 to 300 MB ends an edit or
 * a training by a signal (tests/crash/crash.py, "limit"); without a reserve some do. */
#define RESERVE ((size_t)16 << 20)
#define RESERVE_PER_THREAD ((size_t)8 << 20)

size_t chl_gemm_reserve(void) {
    return RESERVE + RESERVE_PER_THREAD * (size_t)omp_get_max_threads();
}

bool chl_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
              const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
              int64_t ldc) {
    if (m <= 0 || n <= 0) return true;
    /* row-major, as here; inside a parallel region it runs on the calling thread alone */
    return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b,
                      ldb, beta, c, ldc) == dnnl_success;
}
#else

size_t chl_gemm_reserve(void) {
    return 0;
}

/* One block of C is computed from a packed block of B [DEPTH, COLUMNS] and, where A is transposed,
 * a copied block of A [ROWS, DEPTH]; all three fit a second-level cache of 512 KiB. */
#define ROWS 96
#define COLUMNS 128
#define DEPTH 256

typedef struct operands {
    bool transpose_a, transpose_b;
    int64_t m, n, k;
    float alpha;
    const float *a;
    int64_t lda;
    const float *b;
    int64_t ldb;
    float beta;
    float *c;
    int64_t ldc;
} operands;

static void combine(const operands *o, int64_t row, int64_t rows, int64_t column, int64_t columns,
                    bool first, const float *product) {
    for (int64_t r = 0; r < rows; r++) {
        float *c = o->c + (row + r) * o->ldc + column;
        const float *p = product + r * COLUMNS;
        if (!first || o->beta == 1)
            for (int64_t j = 0; j < columns; j++) c[j] += p[j];
        else if (o->beta == 0)
            for (int64_t j = 0; j < columns; j++) c[j] = p[j];
        else
            for (int64_t j = 0; j < columns; j++) c[j] = o->beta * c[j] + p[j];
    }
}

static void block(const operands *o, int64_t row, int64_t column) {
    float right[DEPTH * COLUMNS] __attribute__((aligned(64)));
    float left[ROWS * DEPTH] __attribute__((aligned(64)));
    float product[ROWS * COLUMNS] __attribute__((aligned(64)));
    int64_t rows = chl_min(ROWS, o->m - row), columns = chl_min(COLUMNS, o->n - column);
    for (int64_t k0 = 0; k0 < o->k; k0 += DEPTH) {
        int64_t depth = chl_min(DEPTH, o->k - k0);
        chl_panel_pack(o->transpose_b, depth, columns, o->alpha,
                       o->b + (o->transpose_b ? column * o->ldb + k0 : k0 * o->ldb + column),
                       o->ldb, right);
        const float *a = o->a + row * o->lda + k0;
        int64_t lda = o->lda;
        if (o->transpose_a) {
            a = left;
            lda = DEPTH;
            for (int64_t p = 0; p < depth; p++)
                for (int64_t r = 0; r < rows; r++)
                    left[r * DEPTH + p] = o->a[(k0 + p) * o->lda + row + r];
        }
        chl_panel_gemm(rows, columns, depth, a, lda, right, 0, chl_panels(columns), product,
                       COLUMNS, false);
        combine(o, row, rows, column, columns, k0 == 0, product);
    }
}

bool chl_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
              const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
              int64_t ldc) {
    if (m <= 0 || n <= 0) return true;
    operands o = {transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc};
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t row = 0; row < m; row += ROWS)
        for (int64_t column = 0; column < n; column += COLUMNS) block(&o, row, column);
    return true;
}
#endif
