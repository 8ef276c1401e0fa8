/* The arithmetic of one attention head on tiles that fit the caches. Used by attention_head.c.
 *
 * A tile is a small dense matrix in a thread's workspace whose rows are padded to whole vectors.
 * All five products of attention (S = Q K^T, O = P V, dV = P^T dO, dQ = dS K, dK = dS^T Q) are one
 * kernel, chl_tile_product: A is read one number at a time, by any row and column step, so that
 * transposing A costs nothing; B must be row-major. On tiles of 49 x 49 x 32 calls of a general
 * matrix product would spend more time packing than multiplying. */
#ifndef CHL_CPU_ATTENTION_TILE_H
#define CHL_CPU_ATTENTION_TILE_H
#include "cpu/lib/transpose.h"
#include "cpu/lib/vmath.h"
#include <math.h>

#define CHL_TILE_ROWS 7 /* 7 x 4 accumulators and 4 vectors of B fill 32 registers; 49 = 7 * 7 */
#define CHL_TILE_VECS 4

#define CHL_INLINE static inline __attribute__((always_inline))

/* The memory that the next head will read, prefetched into the L2 cache in small portions while
 * this head is computed: a head's numbers are short pieces of rows far apart, which the hardware's
 * prefetcher does not follow. Swin-T's first stage, batch 8, one Zen 4 core: forward 14.4 ms
 * without, 10.2 with; backward 27.2 and 20.6. */
typedef struct chl_tile_ahead {
    const int64_t *row; /* NULL: nothing to prefetch */
    int64_t token, tokens, portion, width, channels;
    const float *qkv, *y, *dqkv; /* y is dy in the backward; dqkv NULL in the forward */
} chl_tile_ahead;

CHL_INLINE void chl_tile_fetch(chl_tile_ahead *a) {
    for (int64_t i = 0; i < a->portion && a->token < a->tokens; i++, a->token++) {
        int64_t at = a->row[a->token] * a->channels;
        for (int64_t c = 0; c < a->width; c += CHL_LANES) {
            for (int part = 0; part < 3; part++)
                __builtin_prefetch(a->qkv + 3 * at + part * a->channels + c, 0, 2);
            for (int part = 0; a->dqkv && part < 3; part++)
                __builtin_prefetch(a->dqkv + 3 * at + part * a->channels + c, 1, 2);
            __builtin_prefetch(a->y + at + c, 0, 2);
        }
    }
}

/* A [m,k] by steps, B [k,n], C [m,n]; `start` [m,n] is the initial value of C, NULL = 0 (it may be
 * C itself). */
typedef struct chl_tile_args {
    int64_t k, a_row, a_column, b_row, start_row, c_row;
    const float *a, *b, *start;
    float *c;
} chl_tile_args;

CHL_INLINE void chl_tile_block(const int rows, const int vecs, const chl_tile_args t) {
    chl_vec sum[CHL_TILE_ROWS][CHL_TILE_VECS];
    CHL_UNROLL
    for (int i = 0; i < rows; i++) CHL_UNROLL
    for (int v = 0; v < vecs; v++) {
        sum[i][v] = (chl_vec){0};
        if (t.start) sum[i][v] = chl_load(t.start + i * t.start_row + v * CHL_LANES);
    }
    for (int64_t k = 0; k < t.k; k++) {
        chl_vec b[CHL_TILE_VECS];
        CHL_UNROLL
        for (int v = 0; v < vecs; v++) b[v] = chl_load(t.b + k * t.b_row + v * CHL_LANES);
        CHL_UNROLL
        for (int i = 0; i < rows; i++) {
            float a = t.a[i * t.a_row + k * t.a_column];
            CHL_UNROLL
            for (int v = 0; v < vecs; v++) sum[i][v] += a * b[v];
        }
    }
    CHL_UNROLL
    for (int i = 0; i < rows; i++) CHL_UNROLL
    for (int v = 0; v < vecs; v++) chl_store(t.c + i * t.c_row + v * CHL_LANES, sum[i][v]);
}

CHL_INLINE void chl_tile_rows(const int rows, int vecs, const chl_tile_args t) {
    switch (vecs) {
    case 1:
        chl_tile_block(rows, 1, t);
        break;
    case 2:
        chl_tile_block(rows, 2, t);
        break;
    case 3:
        chl_tile_block(rows, 3, t);
        break;
    default:
        chl_tile_block(rows, 4, t);
        break;
    }
}

/* C = start + A B; n is a whole number of vectors. */
static void chl_tile_product(int64_t m, int64_t n, chl_tile_args t, chl_tile_ahead *ahead) {
    int64_t bands = (m + CHL_TILE_ROWS - 1) / CHL_TILE_ROWS;
    for (int64_t column = 0; column < n; column += CHL_TILE_VECS * CHL_LANES)
        for (int64_t band = 0; band < bands; band++) {
            int64_t row = band * m / bands, rows = (band + 1) * m / bands - row;
            int64_t vecs = (n - column) / CHL_LANES;
            if (ahead->row) chl_tile_fetch(ahead);
            chl_tile_args u = t;
            u.a += row * t.a_row;
            u.b += column;
            u.c += row * t.c_row + column;
            if (t.start) u.start += row * t.start_row + column;
            switch (rows) {
            case 1:
                chl_tile_rows(1, (int)vecs, u);
                break;
            case 2:
                chl_tile_rows(2, (int)vecs, u);
                break;
            case 3:
                chl_tile_rows(3, (int)vecs, u);
                break;
            case 4:
                chl_tile_rows(4, (int)vecs, u);
                break;
            case 5:
                chl_tile_rows(5, (int)vecs, u);
                break;
            case 6:
                chl_tile_rows(6, (int)vecs, u);
                break;
            default:
                chl_tile_rows(7, (int)vecs, u);
                break;
            }
        }
}

/* Softmax of up to 16 rows at once, so that the maxima and sums of all rows are folded together. s
 * = exp(s - max), not yet divided; *inverse = 1 / sum and *lse = max + log(sum), lane i for row i.
 * `columns` is a whole number of vectors. */
static inline void chl_tile_softmax(float *s, int64_t rows, int64_t columns, chl_vec *inverse,
                                    chl_vec *lse) {
    chl_vec part[CHL_LANES];
    for (int64_t i = 0; i < CHL_LANES; i++) {
        const float *row = s + (i < rows ? i : 0) * columns;
        part[i] = chl_load(row);
        for (int64_t c = CHL_LANES; c < columns; c += CHL_LANES)
            part[i] = chl_vmax(part[i], chl_load(row + c));
    }
    chl_vec top = chl_max_rows(part);
    for (int64_t i = 0; i < CHL_LANES; i++) {
        part[i] = (chl_vec){0};
        float *row = s + i * columns;
        for (int64_t c = 0; i < rows && c < columns; c += CHL_LANES) {
            chl_vec e = chl_vexp(chl_load(row + c) - top[i]);
            part[i] += e;
            chl_store(row + c, e);
        }
    }
    chl_vec sum = chl_sum_rows(part);
    *inverse = 1.0f / sum;
    *lse = top + chl_vlog(sum);
}

/* p = exp(s - lse), ds = p (dp - p . dp), at most 16 rows: the softmax's gradient from its
 * recomputed output [Dao et al. 2022, Eq. 4-6]. p . dp equals dO . O, which would have to be read
 * from memory. p replaces s, ds replaces dp. */
static inline void chl_tile_softmax_backward(float *s, float *dp, int64_t rows, int64_t columns,
                                             const float *lse) {
    chl_vec part[CHL_LANES];
    for (int64_t i = 0; i < CHL_LANES; i++) {
        part[i] = (chl_vec){0};
        float *row = s + i * columns;
        const float *drow = dp + i * columns;
        for (int64_t c = 0; i < rows && c < columns; c += CHL_LANES) {
            chl_vec p = chl_vexp(chl_load(row + c) - lse[i]);
            part[i] += p * chl_load(drow + c);
            chl_store(row + c, p);
        }
    }
    chl_vec delta = chl_sum_rows(part);
    for (int64_t i = 0; i < rows; i++) {
        const float *row = s + i * columns;
        float *drow = dp + i * columns;
        for (int64_t c = 0; c < columns; c += CHL_LANES)
            chl_store(drow + c, chl_load(row + c) * (chl_load(drow + c) - delta[i]));
    }
}
#endif
