/* A matrix product whose right factor B was packed beforehand, and the register kernel that
 * computes it.
 *
 * Convolution weights are constant while editing, so the copy that a general product makes of B on
 * every call is made once, by conv_pack. B [K,N] is stored in panels of CHL_PANEL columns, each
 * panel K rows of its width; N is rounded up to whole vectors with zeros, the last panel may be
 * narrower:
 *
 *     element (k, n)  at  (n / P) * P * K + k * width(n / P) + n % P
 *
 * A needs no packing: the kernel broadcasts its elements from plain rows. */
#ifndef CHL_CPU_PANEL_H
#define CHL_CPU_PANEL_H
#include "cpu/lib/cpu.h"
#include <stdbool.h>

/* 12 x 32 accumulators fill 24 of AVX-512's 32 registers, 6 x 16 fill 12 of AVX2's 16. */
#ifdef __AVX512F__
#define CHL_PANEL 32
#define CHL_PANEL_ROWS 12
#else
#define CHL_PANEL 16
#define CHL_PANEL_ROWS 6
#endif

/* Rows of B that one pass multiplies: an element of C is the sum over each run of so many products,
 * one run after another, whatever m and n are. */
#define CHL_PANEL_DEPTH 512

static inline int64_t chl_round_up(int64_t x, int64_t unit) {
    return (x + unit - 1) / unit * unit;
}
static inline int64_t chl_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t chl_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline int64_t chl_panels(int64_t n) {
    return (n + CHL_PANEL - 1) / CHL_PANEL;
}
static inline int64_t chl_panel_width(int64_t n, int64_t panel) {
    return chl_min(CHL_PANEL, chl_round_up(n, CHL_LANES) - panel * CHL_PANEL);
}
static inline int64_t chl_panel_floats(int64_t k, int64_t n) {
    return k * chl_round_up(n, CHL_LANES);
}
/* The offset of row k of the vector that holds column n; n is a multiple of CHL_LANES. */
static inline int64_t chl_panel_at(int64_t rows, int64_t n_all, int64_t k, int64_t n) {
    int64_t panel = n / CHL_PANEL;
    return panel * CHL_PANEL * rows + k * chl_panel_width(n_all, panel) + n % CHL_PANEL;
}

/* C[m, columns of panels first..last) (+)= A[m,K] * B. Row r of A begins at a + r * lda; rows of C
 * hold whole vectors (ldc >= N rounded up). One thread: callers divide panels and rows. */
void chl_panel_gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                    const float *packed, int64_t first, int64_t last, float *c, int64_t ldc,
                    bool add);

/* C[m, width] (+)= A[m,k] * B for one panel of a plain row-major B, its whole width, k at most
 * CHL_PANEL_DEPTH: the same sums. panel [k, width] is memory for a packed copy. */
void chl_panel_gemm_copying(int64_t m, int64_t width, int64_t k, const float *a, int64_t lda,
                            const float *b, int64_t ldb, float *panel, float *c, int64_t ldc,
                            bool add);

/* Packs columns of a plain row-major B [K,N] (transposed: B [N,K]), times alpha. One thread. */
void chl_panel_pack(bool transposed, int64_t k, int64_t n, float alpha, const float *b, int64_t ldb,
                    float *packed);
#endif
