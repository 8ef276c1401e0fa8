/* One head of self-attention over one sequence, shared by attention and window_attention: they say
 * where the tokens are stored and what is added to the scores. */
#ifndef CHL_CPU_ATTENTION_HEAD_H
#define CHL_CPU_ATTENTION_HEAD_H
#include "cpu/lib/cpu.h"

/* Stands for minus infinity in scores, which would give NaN in differences. */
#define CHL_MASKED (-1e30f)

/* Rounded up to whole vectors. */
static inline int64_t chl_padded(int64_t n) {
    return (n + CHL_LANES - 1) / CHL_LANES * CHL_LANES;
}

typedef struct chl_head {
    int64_t tokens, width; /* T, D */
    int64_t channels;      /* C: row length of y and dy; 3C that of qkv and dqkv */
    const int64_t *row;    /* [T]: the row of token t; NULL = row t */
    const float *qkv;      /* this head's first query number, row 0; keys C further, values 2C */
    float scale;           /* on the scores: 1 / sqrt(D) */
    /* [T, padded T] added to the scaled scores; CHL_MASKED in the padding. start_row is the step
     * from row to row: 0 gives all queries the same row. */
    const float *start;
    int64_t start_row;
    /* The next head, whose memory is prefetched: its rows (NULL = none is known) and the distance
     * of its numbers from this one's within a row. */
    const int64_t *next_row;
    int64_t next_offset;
    float *workspace; /* chl_head_floats numbers */
} chl_head;

int64_t chl_head_floats(int64_t tokens, int64_t width, int backward);

/* y [row, C] and lse [row], this head's numbers only */
void chl_head_forward(const chl_head *head, float *y, int acc_y, float *lse, int acc_lse);

/* dqkv [row, 3C]; the gradient of `start` is added to dstart [T, padded T] (NULL = not wanted) */
void chl_head_backward(const chl_head *head, const float *dy, const float *lse, float *dqkv,
                       int acc, float *dstart);

/* The number of threads for which a body has workspace: one per processor, read once per process,
 * since workspace is sized before a run and omp_set_num_threads may be called in between. The team
 * is never larger. */
int chl_head_threads(void);
int chl_head_team(void);
#endif
