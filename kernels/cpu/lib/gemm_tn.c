#include "cpu/lib/gemm_tn.h"

/* One register tile: `rows` x `vectors` accumulators over all runs; both are constants wherever
 * this is inlined. A's elements are broadcast: neither side is transposed or packed. */
static inline __attribute__((always_inline)) void tile(int rows, int vectors,
                                                       const chl_gemm_tn_operands *t, int64_t i,
                                                       int64_t o, float *restrict c, int64_t ldc,
                                                       bool add) {
    chl_vec sum[CHL_PANEL_ROWS][CHL_PANEL / CHL_LANES];
    int64_t lda = t->lda, ldb = t->ldb, length = t->length;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = (chl_vec){0};
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) __builtin_prefetch(c + r * ldc + v * CHL_LANES, 1);
    for (int64_t run = 0; run < t->runs; run++) {
        const float *restrict a = t->a + t->a_at[run] + i;
        const float *restrict b = t->b + t->b_at[run] + o;
        for (int64_t k = 0; k < length; k++, a += lda, b += ldb) {
            chl_vec right[CHL_PANEL / CHL_LANES];
            for (int v = 0; v < vectors; v++) right[v] = chl_load(b + v * CHL_LANES);
            for (int r = 0; r < rows; r++) {
                chl_vec left = chl_splat(a[r]);
                for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
            }
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            float *at = c + r * ldc + v * CHL_LANES;
            if (add) sum[r][v] += chl_load(at);
            chl_store(at, sum[r][v]);
        }
}

typedef void tile_function(const chl_gemm_tn_operands *t, int64_t i, int64_t o, float *c,
                           int64_t ldc, bool add);
#define TILE(rows, vectors)                                                                        \
    static void tile_##rows##_##vectors(const chl_gemm_tn_operands *t, int64_t i, int64_t o,       \
                                        float *c, int64_t ldc, bool add) {                         \
        tile(rows, vectors, t, i, o, c, ldc, add);                                                 \
    }
#include "cpu/lib/tile_table.h"

void chl_gemm_tn(const chl_gemm_tn_operands *t, int64_t m, int64_t n, float *c, int64_t ldc,
                 bool add) {
    /* 13 rows are 7 + 6, not 12 + 1 (panel.c) */
    int64_t parts = (m + CHL_PANEL_ROWS - 1) / CHL_PANEL_ROWS;
    for (int64_t part = 0; part < parts; part++) {
        int64_t row = part * m / parts, rows = (part + 1) * m / parts - row;
        for (int64_t panel = 0; panel < chl_panels(n); panel++) {
            int64_t vectors = chl_panel_width(n, panel) / CHL_LANES, column = panel * CHL_PANEL;
            tiles[vectors - 1][rows - 1](t, row, column, c + row * ldc + column, ldc, add);
        }
    }
}
