#include "tall.h"

/* One register tile: `rows` x `vectors` accumulators over all runs; both are constants wherever
 * this is inlined. A's elements are broadcast: neither side is transposed or packed. */
static inline __attribute__((always_inline)) void tile(int rows, int vectors, const chl_tall *t,
                                                       int64_t i, int64_t o, float *restrict c,
                                                       int64_t ldc, bool add) {
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

typedef void tile_function(const chl_tall *t, int64_t i, int64_t o, float *c, int64_t ldc,
                           bool add);
#define TILE(rows, vectors)                                                                        \
    static void tile_##rows##_##vectors(const chl_tall *t, int64_t i, int64_t o, float *c,         \
                                        int64_t ldc, bool add) {                                   \
        tile(rows, vectors, t, i, o, c, ldc, add);                                                 \
    }
#define TILES(vectors)                                                                             \
    TILE(1, vectors)                                                                               \
    TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors) TILE(6, vectors)
#define LISTED(vectors)                                                                            \
    tile_1_##vectors, tile_2_##vectors, tile_3_##vectors, tile_4_##vectors, tile_5_##vectors,      \
        tile_6_##vectors
TILES(1)
#ifdef __AVX512F__
#define MORE_TILES(vectors)                                                                        \
    TILE(7, vectors)                                                                               \
    TILE(8, vectors) TILE(9, vectors) TILE(10, vectors) TILE(11, vectors) TILE(12, vectors)
#define MORE_LISTED(vectors)                                                                       \
    LISTED(vectors), tile_7_##vectors, tile_8_##vectors, tile_9_##vectors, tile_10_##vectors,      \
        tile_11_##vectors, tile_12_##vectors
MORE_TILES(1)
TILES(2)
MORE_TILES(2)
static tile_function *const tiles[2][CHL_PANEL_ROWS] = {{MORE_LISTED(1)}, {MORE_LISTED(2)}};
#else
static tile_function *const tiles[1][CHL_PANEL_ROWS] = {{LISTED(1)}};
#endif

void chl_tall_product(const chl_tall *t, int64_t m, int64_t n, float *c, int64_t ldc, bool add) {
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
