/* Exact attention on tiles: queries in blocks, all keys at once, so the workspace grows with T, not
 * with T^2, and scores never leave the caches. The backward recomputes the probabilities from the
 * saved log-sum-exp [Dao et al. 2022, "FlashAttention", section 3.1]. */
#include "cpu/lib/attention_head.h"
#include "cpu/lib/attention_tile.h"
#include <math.h>
#include <omp.h>

/* Queries per block: one block for windows and for CLIP (49, 50, 77 tokens), 64 for longer. */
static int64_t block_of(int64_t tokens) {
    return tokens <= 128 ? tokens : 64;
}

typedef struct tiles {
    int64_t block, keys, wide; /* B, padded T, padded D */
    float *q, *s, *o;          /* [B, wide], [B, keys], [B, wide] */
    float *k, *kt, *v;         /* [keys, wide], [wide, keys], [keys, wide] */
    float *vt, *dp, *dk, *dv;  /* backward: [wide, keys], [B, keys], [keys, wide] twice */
} tiles;

int64_t chl_head_floats(int64_t tokens, int64_t width, int backward) {
    int64_t block = block_of(tokens), keys = chl_padded(tokens), wide = chl_padded(width);
    int64_t forward = 2 * block * wide + block * keys + 3 * keys * wide;
    return backward ? forward + block * keys + 3 * keys * wide : forward;
}

static tiles lay_out(const chl_head *head, int backward) {
    tiles t = {.block = block_of(head->tokens),
               .keys = chl_padded(head->tokens),
               .wide = chl_padded(head->width)};
    t.q = head->workspace;
    t.o = t.q + t.block * t.wide;
    t.s = t.o + t.block * t.wide;
    t.k = t.s + t.block * t.keys;
    t.kt = t.k + t.keys * t.wide;
    t.v = t.kt + t.keys * t.wide;
    if (!backward) return t;
    t.vt = t.v + t.keys * t.wide;
    t.dk = t.vt + t.keys * t.wide;
    t.dv = t.dk + t.keys * t.wide;
    t.dp = t.dv + t.keys * t.wide;
    return t;
}

/* Portions such that the bands of all products (2 forward, 5 backward) together prefetch
 * everything. */
static chl_tile_ahead ahead_of(const chl_head *head, const float *y, const float *dqkv) {
    int64_t bands = (dqkv ? 5 : 2) * (head->tokens / CHL_TILE_ROWS);
    return (chl_tile_ahead){.row = y ? head->next_row : NULL,
                            .tokens = head->tokens,
                            .portion = bands ? (head->tokens + bands - 1) / bands : head->tokens,
                            .width = head->width,
                            .channels = head->channels,
                            .qkv = head->qkv + head->next_offset,
                            .y = y + head->next_offset,
                            .dqkv = dqkv ? dqkv + head->next_offset : NULL};
}

static inline int64_t row_of(const chl_head *head, int64_t token) {
    return head->row ? head->row[token] : token;
}

/* Loads tile[i] = scale * the head's numbers of token first + i, from an array with rows `step`
 * apart; zeros down to `padded` rows. */
static void gather(const chl_head *head, const float *from, int64_t step, int64_t first,
                   int64_t count, int64_t padded, float scale, float *tile) {
    int64_t wide = chl_padded(head->width);
    for (int64_t i = 0; i < count; i++) {
        const float *row = from + row_of(head, first + i) * step;
        for (int64_t c = 0; c < wide; c += CHL_LANES)
            chl_store(tile + i * wide + c,
                      scale * chl_load_part(row + c, chl_lanes_left(head->width - c)));
    }
    for (int64_t i = count * wide; i < padded * wide; i += CHL_LANES)
        chl_store(tile + i, (chl_vec){0});
}

/* Stores to[row][c] (+)= scale * tile[i][c]. */
static inline void scatter_row(const chl_head *head, const float *tile, float scale, float *to,
                               int acc) {
    for (int64_t c = 0; c < head->width; c += CHL_LANES)
        chl_put_part(to + c, scale * chl_load(tile + c), chl_lanes_left(head->width - c), acc);
}

static void scatter(const chl_head *head, const float *tile, int64_t first, int64_t count,
                    float scale, float *to, int acc) {
    for (int64_t i = 0; i < count; i++)
        scatter_row(head, tile + i * chl_padded(head->width), scale,
                    to + row_of(head, first + i) * 3 * head->channels, acc);
}

/* s [count, keys] = start + q k^T for the queries from `first` on */
static void scores(const chl_head *head, const tiles *t, int64_t first, int64_t count,
                   chl_tile_ahead *ahead) {
    gather(head, head->qkv, 3 * head->channels, first, count, count, head->scale, t->q);
    chl_tile_product(count, t->keys,
                     (chl_tile_args){.k = head->width,
                                     .a = t->q,
                                     .a_row = t->wide,
                                     .a_column = 1,
                                     .b = t->kt,
                                     .b_row = t->keys,
                                     .start = head->start + first * head->start_row,
                                     .start_row = head->start_row,
                                     .c = t->s,
                                     .c_row = t->keys},
                     ahead);
}

void chl_head_forward(const chl_head *head, float *y, int acc_y, float *lse, int acc_lse) {
    tiles t = lay_out(head, 0);
    chl_tile_ahead ahead = ahead_of(head, y, NULL);
    int64_t step = 3 * head->channels;
    gather(head, head->qkv + head->channels, step, 0, head->tokens, t.keys, 1, t.k);
    chl_transpose(t.k, t.wide, t.keys, t.wide, t.kt, t.keys);
    gather(head, head->qkv + 2 * head->channels, step, 0, head->tokens, t.keys, 1, t.v);
    for (int64_t first = 0; first < head->tokens; first += t.block) {
        int64_t count = head->tokens - first < t.block ? head->tokens - first : t.block;
        scores(head, &t, first, count, &ahead);
        float *inverse = t.q; /* the queries are no longer needed */
        for (int64_t i = 0; i < count; i += CHL_LANES) {
            int64_t rows = chl_lanes_left(count - i);
            chl_vec shares, log_sums;
            chl_tile_softmax(t.s + i * t.keys, rows, t.keys, &shares, &log_sums);
            chl_put_part(inverse + i, shares, rows, 0);
            for (int64_t k = 0; lse && k < rows; k++)
                chl_put(lse + row_of(head, first + i + k), log_sums[k], acc_lse);
        }
        if (!y) continue;
        chl_tile_product(count, t.wide,
                         (chl_tile_args){.k = head->tokens,
                                         .a = t.s,
                                         .a_row = t.keys,
                                         .a_column = 1,
                                         .b = t.v,
                                         .b_row = t.wide,
                                         .c = t.o,
                                         .c_row = t.wide},
                         &ahead);
        for (int64_t i = 0; i < count; i++)
            scatter_row(head, t.o + i * t.wide, inverse[i],
                        y + row_of(head, first + i) * head->channels, acc_y);
    }
}

/* dk or dv [T, wide] (+)= a^T b over the queries of one block, a [count, keys], b [count, wide] */
static void add_keys(const chl_head *head, const tiles *t, int64_t count, const float *a,
                     const float *b, int first_block, float *out, chl_tile_ahead *ahead) {
    chl_tile_product(head->tokens, t->wide,
                     (chl_tile_args){.k = count,
                                     .a = a,
                                     .a_row = 1,
                                     .a_column = t->keys,
                                     .b = b,
                                     .b_row = t->wide,
                                     .start = first_block ? NULL : out,
                                     .start_row = t->wide,
                                     .c = out,
                                     .c_row = t->wide},
                     ahead);
}

/* Computes ds into t->dp and p into t->s. */
static void scores_backward(const chl_head *head, const tiles *t, int64_t first, int64_t count,
                            const float *lse, float *dstart, chl_tile_ahead *ahead) {
    chl_tile_product(count, t->keys,
                     (chl_tile_args){.k = head->width,
                                     .a = t->o,
                                     .a_row = t->wide,
                                     .a_column = 1,
                                     .b = t->vt,
                                     .b_row = t->keys,
                                     .c = t->dp,
                                     .c_row = t->keys},
                     ahead);
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        float log_sums[CHL_LANES];
        int64_t rows = chl_lanes_left(count - i);
        for (int64_t k = 0; k < rows; k++) log_sums[k] = lse[row_of(head, first + i + k)];
        chl_tile_softmax_backward(t->s + i * t->keys, t->dp + i * t->keys, rows, t->keys, log_sums);
    }
    if (!dstart) return;
    dstart += first * t->keys;
    for (int64_t i = 0; i < count * t->keys; i += CHL_LANES)
        chl_store(dstart + i, chl_load(dstart + i) + chl_load(t->dp + i));
}

void chl_head_backward(const chl_head *head, const float *dy, const float *lse, float *dqkv,
                       int acc, float *dstart) {
    tiles t = lay_out(head, 1);
    chl_tile_ahead ahead = ahead_of(head, dy, dqkv);
    int64_t step = 3 * head->channels;
    gather(head, head->qkv + head->channels, step, 0, head->tokens, t.keys, 1, t.k);
    chl_transpose(t.k, t.wide, t.keys, t.wide, t.kt, t.keys);
    gather(head, head->qkv + 2 * head->channels, step, 0, head->tokens, t.keys, 1, t.v);
    chl_transpose(t.v, t.wide, t.keys, t.wide, t.vt, t.keys);
    for (int64_t first = 0; first < head->tokens; first += t.block) {
        int64_t count = head->tokens - first < t.block ? head->tokens - first : t.block;
        scores(head, &t, first, count, &ahead);
        gather(head, dy, head->channels, first, count, count, 1, t.o);
        scores_backward(head, &t, first, count, lse, dstart, &ahead);
        if (!dqkv) continue;
        add_keys(head, &t, count, t.s, t.o, first == 0, t.dv, &ahead);
        add_keys(head, &t, count, t.dp, t.q, first == 0, t.dk, &ahead);
        chl_tile_product(count, t.wide,
                         (chl_tile_args){.k = head->tokens,
                                         .a = t.dp,
                                         .a_row = t.keys,
                                         .a_column = 1,
                                         .b = t.k,
                                         .b_row = t.wide,
                                         .c = t.o,
                                         .c_row = t.wide},
                         &ahead);
        scatter(head, t.o, first, count, head->scale, dqkv, acc);
    }
    if (!dqkv) return;
    scatter(head, t.dk, 0, head->tokens, 1, dqkv + head->channels, acc);
    scatter(head, t.dv, 0, head->tokens, 1, dqkv + 2 * head->channels, acc);
}

int chl_head_threads(void) {
    static int threads;
    int known;
#pragma omp atomic read
    known = threads;
    if (known) return known;
    known = omp_get_num_procs();
#pragma omp atomic write
    threads = known;
    return known;
}

int chl_head_team(void) {
    int max_team = chl_head_threads(), wanted = omp_get_max_threads();
    return wanted < max_team ? wanted : max_team;
}
