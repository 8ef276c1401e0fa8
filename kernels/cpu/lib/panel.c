#include "cpu/lib/panel.h"

#define DEPTH CHL_PANEL_DEPTH
/* The number of panels that one pass multiplies. */
#define GROUP 8
/* How far ahead the panel is prefetched into the L1 cache, in floats; +5 % on a Zen 4. */
#define AHEAD 1024

/* One register tile: `rows` x `vectors` accumulators over all of k. Both are constants wherever
 * this is inlined, so that the accumulators live in registers. */
static inline __attribute__((always_inline)) void tile(int rows, int vectors, int64_t k,
                                                       const float *restrict a, int64_t lda,
                                                       const float *restrict b, float *restrict c,
                                                       int64_t ldc, bool add) {
    chl_vec sum[CHL_PANEL_ROWS][CHL_PANEL / CHL_LANES];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = (chl_vec){0};
    /* C is written at the end: prefetched now, it has arrived by then; +10 % at k = 256 */
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) __builtin_prefetch(c + r * ldc + v * CHL_LANES, 1);
    for (int64_t p = 0; p < k; p++) {
        chl_vec right[CHL_PANEL / CHL_LANES];
        for (int v = 0; v < vectors; v++) right[v] = chl_load(b + v * CHL_LANES);
        for (int r = 0; r < rows; r++) {
            chl_vec left = chl_splat(a[r * lda + p]);
            for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
        }
        for (int v = 0; v < vectors; v++) __builtin_prefetch(b + AHEAD + v * CHL_LANES);
        b += vectors * CHL_LANES;
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            float *at = c + r * ldc + v * CHL_LANES;
            if (add) sum[r][v] += chl_load(at);
            chl_store(at, sum[r][v]);
        }
}

typedef void tile_function(int64_t k, const float *a, int64_t lda, const float *b, float *c,
                           int64_t ldc, bool add);
#define TILE(rows, vectors)                                                                        \
    static void tile_##rows##_##vectors(int64_t k, const float *a, int64_t lda, const float *b,    \
                                        float *c, int64_t ldc, bool add) {                         \
        tile(rows, vectors, k, a, lda, b, c, ldc, add);                                            \
    }
#include "cpu/lib/tile_table.h"

/* The outer loop is over rows of A, the inner over panels: a tile's rows (24 KiB) are read once and
 * stay in the L1 cache while a group of panels (512 KiB) is read from the L2 cache. */
static void group(int64_t m, int64_t n, int64_t k, int64_t k0, const float *a, int64_t lda,
                  const float *packed, int64_t first, int64_t last, float *c, int64_t ldc,
                  bool add) {
    int64_t depth = chl_min(DEPTH, k - k0);
    /* 13 rows are 7 + 6, not 12 + 1: a register tile of one row runs at a fraction of the speed */
    int64_t parts = (m + CHL_PANEL_ROWS - 1) / CHL_PANEL_ROWS;
    for (int64_t part = 0; part < parts; part++) {
        int64_t row = part * m / parts, rows = (part + 1) * m / parts - row;
        for (int64_t panel = first; panel < last; panel++) {
            int64_t width = chl_panel_width(n, panel);
            const float *b = packed + panel * CHL_PANEL * k + k0 * width;
            tiles[width / CHL_LANES - 1][rows - 1](depth, a + row * lda + k0, lda, b,
                                                   c + row * ldc + panel * CHL_PANEL, ldc, add);
        }
    }
}

void chl_panel_gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                    const float *packed, int64_t first, int64_t last, float *c, int64_t ldc,
                    bool add) {
    for (int64_t k0 = 0; k0 < k; k0 += DEPTH)
        for (int64_t panel = first; panel < last; panel += GROUP)
            group(m, n, k, k0, a, lda, packed, panel, chl_min(last, panel + GROUP), c, ldc,
                  add || k0 > 0);
}

void chl_panel_pack(bool transposed, int64_t k, int64_t n, float alpha, const float *b, int64_t ldb,
                    float *packed) {
    for (int64_t panel = 0; panel < chl_panels(n); panel++) {
        int64_t width = chl_panel_width(n, panel), column = panel * CHL_PANEL;
        int64_t real = chl_min(width, n - column);
        float *to = packed + column * k;
        if (real < width) memset(to, 0, (size_t)(k * width) * sizeof *to);
        if (transposed)
            for (int64_t j = 0; j < real; j++)
                for (int64_t p = 0; p < k; p++)
                    to[p * width + j] = alpha * b[(column + j) * ldb + p];
        else
            for (int64_t p = 0; p < k; p++)
                for (int64_t j = 0; j < real; j++)
                    to[p * width + j] = alpha * b[p * ldb + column + j];
    }
}
