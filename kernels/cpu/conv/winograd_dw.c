/* The weight gradient of a 3x3 convolution by the method of winograd.c. A tile's result is
 * bilinear, Y = A^T [ (G g G^T) .* (B^T d B) ] A, so that for a gradient dY of every tile
 *
 *     dg = G^T [ sum over tiles of (B^T d B) .* (A dY A^T) ] G
 *
 * with 36 products for each tile of 4x4 pixels instead of 144, and the forward's points and input
 * transform. Over channels each of the 36 is a product S = V^T M (gemm_tn.h), V [tiles, in_c] and M
 * [tiles, out_c]; S [in_c, out_c] sums over all tiles.
 *
 * Where S is small, every thread sums tiles of its own, in blocks whose V and M stay in the L2
 * cache, and the threads' sums are added in their order at the end. Where it is large, threads
 * share V and M of a block and divide the 36 products, so that there is one S and each part of it
 * is read and written once a block. */
#include "cpu/conv/winograd.h"
#include "cpu/lib/gemm_tn.h"
#include <omp.h>

#define POINTS 6
#define SQUARE (POINTS * POINTS)
#define TILE 4

#define PRIVATE_SUM (256 << 10)   /* bytes of S up to which each thread has its own */
#define PRIVATE_BLOCK (512 << 10) /* bytes of V and M then; 256 to 768 KiB take the same time */
#define BLOCK_TILES 64            /* maximum; 64 to 192 take the same time */
#define PART 48                   /* input channels of one task where blocks are shared */

static const float a1 = 5.0f / 8, a2 = 25.0f / 64, a3 = 125.0f / 512;
static const float b1 = 3.0f / 2, b2 = 9.0f / 4, b3 = 27.0f / 8;

/* A d: row p is (1, p, p^2, p^3), infinity (0, 0, 0, 1). */
static inline void gradient_transform(const chl_vec d[TILE], chl_vec m[POINTS]) {
    chl_vec even_a = d[0] + a2 * d[2], odd_a = a1 * d[1] + a3 * d[3];
    chl_vec even_b = d[0] + b2 * d[2], odd_b = b1 * d[1] + b3 * d[3];
    m[0] = d[0];
    m[1] = even_a + odd_a;
    m[2] = even_a - odd_a;
    m[3] = even_b + odd_b;
    m[4] = even_b - odd_b;
    m[5] = d[3];
}

static void read_gradient(const chl_conv_job *job, const float *dy, int64_t tile, float *m,
                          int64_t step) {
    int64_t across = (job->out_w + TILE - 1) / TILE, down = (job->out_h + TILE - 1) / TILE;
    int64_t n = tile / (down * across), c_all = job->out_c;
    int64_t top = tile / across % down * TILE, left = tile % across * TILE;
    int64_t rows = chl_min(TILE, job->out_h - top), columns = chl_min(TILE, job->out_w - left);
    const float *from = dy + ((n * job->out_h + top) * job->out_w + left) * c_all;
    for (int64_t c = 0; c < c_all; c += CHL_LANES) {
        int64_t lanes = chl_min(CHL_LANES, c_all - c);
        chl_vec half[TILE][POINTS], d[TILE], column[POINTS];
        for (int i = 0; i < TILE; i++) {
            const float *row = from + i * job->out_w * c_all + c;
            /* dy comes from memory: fetches the next tile but one; 0.85 of the time at 16 channels
             */
            for (int j = 0; j < TILE; j++) __builtin_prefetch(row + (2 * TILE + j) * c_all);
            if (rows == TILE && columns == TILE && lanes == CHL_LANES)
                for (int j = 0; j < TILE; j++) d[j] = chl_load(row + j * c_all);
            else
                for (int j = 0; j < TILE; j++)
                    d[j] = i < rows && j < columns ? chl_load_part(row + j * c_all, lanes)
                                                   : chl_splat(0);
            gradient_transform(d, half[i]);
        }
        for (int j = 0; j < POINTS; j++) {
            for (int i = 0; i < TILE; i++) d[i] = half[i][j];
            gradient_transform(d, column);
            for (int i = 0; i < POINTS; i++) chl_store(m + (i * POINTS + j) * step + c, column[i]);
        }
    }
}

/* --- blocks of tiles --- */

typedef struct layout {
    bool shared;
    int64_t tiles, block; /* of all samples; in a block */
    int64_t v_row, v_matrix, m_row, m_matrix, s_row, s_matrix;
} layout;

/* an odd number of cache lines: otherwise rows that are read together would share few sets of the
 * cache */
static int64_t padded(int64_t channels) {
    return (chl_round_up(channels, CHL_LANES) / CHL_LANES | 1) * CHL_LANES;
}

static layout lay_out(const chl_conv_job *job) {
    layout l;
    l.tiles = job->n * ((job->out_h + TILE - 1) / TILE) * ((job->out_w + TILE - 1) / TILE);
    l.v_row = padded(job->in_c);
    l.m_row = padded(job->out_c);
    l.s_row = chl_round_up(job->out_c, CHL_LANES);
    l.s_matrix = job->in_c * l.s_row;
    l.shared = SQUARE * l.s_matrix * (int64_t)sizeof(float) > PRIVATE_SUM;
    int64_t tile = SQUARE * (l.v_row + l.m_row) * (int64_t)sizeof(float);
    int64_t max_block = l.shared ? BLOCK_TILES : chl_min(BLOCK_TILES, PRIVATE_BLOCK / tile);
    l.block = chl_min(l.tiles, chl_max(1, max_block));
    l.v_matrix = l.block * l.v_row + CHL_LANES;
    l.m_matrix = l.block * l.m_row + CHL_LANES;
    return l;
}

static int64_t block_floats(const layout *l) {
    return SQUARE * (l->v_matrix + l->m_matrix + l->s_matrix);
}

size_t chl_winograd_dw_workspace(const chl_conv_job *job) {
    layout l = lay_out(job);
    return (size_t)((l.shared ? 1 : chl_workers()) * block_floats(&l)) * sizeof(float);
}

/* Input channels from..end of one of the 36 products. */
static void add_point(const chl_conv_job *job, const layout *l, int64_t point, int64_t from,
                      int64_t end, int64_t tiles, const float *v, const float *m, float *s,
                      bool add) {
    static const int64_t start[1] = {0};
    chl_gemm_tn_operands t = {.runs = 1, .length = tiles, .a_at = start, .b_at = start};
    t.a = v + point * l->v_matrix + from;
    t.lda = l->v_row;
    t.b = m + point * l->m_matrix;
    t.ldb = l->m_row;
    chl_gemm_tn(&t, end - from, job->out_c, s + point * l->s_matrix + from * l->s_row, l->s_row,
                add);
}

static void sum_private(const chl_conv_job *job, const float *dy, const layout *l, float *v,
                        float *m, float *s) {
    int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    int64_t end = (thread + 1) * l->tiles / threads;
    memset(s, 0, (size_t)(SQUARE * l->s_matrix) * sizeof *s);
    for (int64_t first = thread * l->tiles / threads; first < end; first += l->block) {
        int64_t tiles = chl_min(l->block, end - first);
        for (int64_t t = 0; t < tiles; t++) {
            chl_winograd_read(job, first + t, v + t * l->v_row, l->v_matrix);
            read_gradient(job, dy, first + t, m + t * l->m_row, l->m_matrix);
        }
        for (int64_t point = 0; point < SQUARE; point++)
            add_point(job, l, point, 0, job->in_c, tiles, v, m, s, true);
    }
#pragma omp barrier
}

static void sum_shared(const chl_conv_job *job, const float *dy, const layout *l, float *v,
                       float *m, float *s) {
    for (int64_t first = 0; first < l->tiles; first += l->block) {
        int64_t tiles = chl_min(l->block, l->tiles - first);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tiles; t++) {
            chl_winograd_read(job, first + t, v + t * l->v_row, l->v_matrix);
            read_gradient(job, dy, first + t, m + t * l->m_row, l->m_matrix);
        }
#pragma omp for collapse(2) schedule(dynamic)
        for (int64_t point = 0; point < SQUARE; point++)
            for (int64_t from = 0; from < job->in_c; from += PART)
                add_point(job, l, point, from, chl_min(from + PART, job->in_c), tiles, v, m, s,
                          first > 0);
    }
}

/* dw[o,i] (+)= gain G^T S G, summed over `copies` of S that are `step` floats apart. */
static void write_weights(const chl_conv_job *job, const layout *l, const float *s, int64_t copies,
                          int64_t step, float gain, float *dw, bool accumulate) {
    double exact[POINTS][3];
    float g[POINTS][3];
    chl_winograd_weight_matrix(exact);
    for (int p = 0; p < POINTS; p++)
        for (int k = 0; k < 3; k++) g[p][k] = (float)exact[p][k];
#pragma omp for collapse(2) schedule(static)
    for (int64_t o = 0; o < job->out_c; o += CHL_LANES)
        for (int64_t i = 0; i < job->in_c; i++) {
            chl_vec half[3][POINTS] = {{{0}}}, tap[9] = {{0}};
            for (int p = 0; p < POINTS; p++)
                for (int q = 0; q < POINTS; q++) {
                    const float *from = s + (p * POINTS + q) * l->s_matrix + i * l->s_row + o;
                    chl_vec sum = chl_load(from);
                    for (int64_t k = 1; k < copies; k++) sum += chl_load(from + k * step);
                    for (int k = 0; k < 3; k++) half[k][q] += g[p][k] * sum;
                }
            for (int k = 0; k < 9; k++)
                for (int q = 0; q < POINTS; q++) tap[k] += g[q][k % 3] * half[k / 3][q];
            for (int64_t c = 0; c < chl_min(CHL_LANES, job->out_c - o); c++)
                for (int k = 0; k < 9; k++)
                    chl_put(dw + ((o + c) * job->in_c + i) * 9 + k, gain * tap[k][c], accumulate);
        }
}

void chl_winograd_dw(const chl_conv_job *job, const float *dy, float gain, float *dw,
                     bool accumulate, float *workspace) {
    layout l = lay_out(job);
#pragma omp parallel num_threads(chl_workers())
    {
        int64_t copies = l.shared ? 1 : omp_get_num_threads();
        float *s = workspace + (l.shared ? 0 : omp_get_thread_num() * block_floats(&l));
        float *v = s + SQUARE * l.s_matrix, *m = v + SQUARE * l.v_matrix;
        if (l.shared)
            sum_shared(job, dy, &l, v, m, s);
        else
            sum_private(job, dy, &l, v, m, s);
        write_weights(job, &l, workspace, copies, block_floats(&l), gain, dw, accumulate);
    }
}
