#include "cpu/lib/gemm.h"
#include "cpu/lib/panel.h"
#ifdef CHLADNI_ONEDNN
#include <dnnl.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Enough for 2.6.3 on two threads: no limit of the address space from 60 to 300 MB ends an edit or
 * a training by a signal (tests/crash/crash.py, "limit"); without a reserve some do. */
#define RESERVE ((size_t)16 << 20)
#define RESERVE_PER_THREAD ((size_t)8 << 20)
#define SIDE 64 /* of the largest matrix by which its code is made */

size_t chl_gemm_reserve(void) {
    return RESERVE + RESERVE_PER_THREAD * (size_t)omp_get_max_threads();
}

/* A thread's first allocation takes 64 MB of the address space (malloc's arenas). */
static void start_threads(void) {
#pragma omp parallel
    {
        void *volatile first = malloc(1);
        free(first);
    }
}

/* Small products of many shapes: oneDNN chooses by them whether it copies blocks, and multiplies a
 * matrix and a vector by code of its own. */
static bool make_code(void) {
    static const int64_t sizes[] = {1, 2, 16, SIDE};
    float *zeros = calloc(3 * SIDE * SIDE, sizeof *zeros);
    bool ok = zeros != NULL;
    for (int way = 0; ok && way < 4 * 4 * 4 * 4; way++)
        ok = dnnl_sgemm(way & 1 ? 'T' : 'N', way & 2 ? 'T' : 'N', sizes[way >> 2 & 3],
                        sizes[way >> 4 & 3], sizes[way >> 6], 1, zeros, SIDE, zeros + SIDE * SIDE,
                        SIDE, 0, zeros + 2 * SIDE * SIDE, SIDE) == dnnl_success;
    free(zeros);
    return ok;
}

/* oneDNN makes the code of its kernels when they are first called for, and writes through a NULL
 * pointer where there is no memory for it. Between the check of who allocates (chl_gemm_reserve) and
 * that call the threads have taken theirs. So they do before a second check, and all code is made
 * at once. */
static bool has_code(void) {
    static atomic_bool made;
    if (atomic_load_explicit(&made, memory_order_acquire)) return true;
    start_threads();
    const size_t bytes = chl_gemm_reserve();
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    munmap(room, bytes);
    const bool ok = make_code();
    if (ok) atomic_store_explicit(&made, true, memory_order_release);
    return ok;
}

bool chl_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
              const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
              int64_t ldc) {
    if (m <= 0 || n <= 0) return true;
    if (!has_code()) return false;
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
