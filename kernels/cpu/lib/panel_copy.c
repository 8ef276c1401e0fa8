/* The product of panel.c for a B that was not packed: while the first rows are multiplied, B is read
 * where it lies and copied for the others. The copy waits for memory, and so costs next to nothing
 * beside the products. */
#include "cpu/lib/panel.h"

/* Rows of B that are fetched ahead, into the L2 cache: in the L1 cache rows a power of two apart
 * would share a set. */
#define AHEAD 32

static inline __attribute__((always_inline)) void
tile_copying(int rows, int vectors, int64_t k, const float *restrict a, int64_t lda,
             const float *restrict b, int64_t ldb, float *restrict panel, float *restrict c,
             int64_t ldc, bool add) {
    chl_vec sum[CHL_PANEL_ROWS][CHL_PANEL / CHL_LANES];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = (chl_vec){0};
    for (int64_t p = 0; p < k; p++) {
        chl_vec right[CHL_PANEL / CHL_LANES];
        for (int v = 0; v < vectors; v++) right[v] = chl_load(b + v * CHL_LANES);
        for (int v = 0; v < vectors; v++) __builtin_prefetch(b + AHEAD * ldb + v * CHL_LANES, 0, 2);
        for (int v = 0; v < vectors; v++) chl_store(panel + v * CHL_LANES, right[v]);
        for (int r = 0; r < rows; r++) {
            chl_vec left = chl_splat(a[r * lda + p]);
            for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
        }
        b += ldb;
        panel += vectors * CHL_LANES;
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            float *at = c + r * ldc + v * CHL_LANES;
            if (add) sum[r][v] += chl_load(at);
            chl_store(at, sum[r][v]);
        }
}

typedef void tile_function(int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                           float *panel, float *c, int64_t ldc, bool add);
#define TILE(rows, vectors)                                                                        \
    static void tile_##rows##_##vectors(int64_t k, const float *a, int64_t lda, const float *b,    \
                                        int64_t ldb, float *panel, float *c, int64_t ldc,          \
                                        bool add) {                                                \
        tile_copying(rows, vectors, k, a, lda, b, ldb, panel, c, ldc, add);                        \
    }
#include "cpu/lib/tile_table.h"

void chl_panel_gemm_copying(int64_t m, int64_t width, int64_t k, const float *a, int64_t lda,
                            const float *b, int64_t ldb, float *panel, float *c, int64_t ldc,
                            bool add) {
    const int64_t parts = (m + CHL_PANEL_ROWS - 1) / CHL_PANEL_ROWS, rows = m / parts;
    tiles[width / CHL_LANES - 1][rows - 1](k, a, lda, b, ldb, panel, c, ldc, add);
    if (rows < m)
        chl_panel_gemm(m - rows, width, k, a + rows * lda, lda, panel, 0, 1, c + rows * ldc, ldc,
                       add);
}
