/* Winograd's minimal filtering [Winograd 1980; Lavin & Gray 2016] on NHWC.
 *
 * Four outputs of a three-tap correlation are a product of polynomials, transposed, and so follow
 * from six multiplications (Toom and Cook): evaluate at six points, multiply, interpolate. In two
 * dimensions a 6x6 patch d of the input gives a 4x4 tile of the output,
 *
 *     Y = A^T [ (G g G^T) .* (B^T d B) ] A,
 *
 * with 36 multiplications instead of 144, and over channels each of the 36 is a matrix product.
 * With the points p = 0, a, -a, b, -b, infinity:
 *
 *     A^T  row i: p^i                                    (infinity: 1 in the last row only)
 *     G    row p: (1, p, p^2) / prod_{q != p} (p - q)    (infinity: (0, 0, 1))
 *     B^T  row p: coefficients of prod_{q != p} (x - q)  (infinity: of prod_q (x - q))
 *
 * a = 5/8, b = 3/2 instead of the textbook's 1, 2 reduce the maximum error to a quarter (to 1.3e-5
 * of the rms at 512 channels, direct: 2.7e-6), and every constant below is exact in float32.
 *
 * The rest of the design follows from the caches. Tiles are computed in blocks. Where the weights
 * of all 36 products fit the L3 cache, every thread has blocks of its own, so small that the
 * transformed input V [36, block, in_c] stays in the L2 cache; it is multiplied by GROUP output
 * channels at a time, so that the products M [36, block, GROUP] go from there through the output
 * transform and the epilogue into y. With larger weights (512 channels: 36 MiB) blocks are large
 * and shared by all threads, so that weights are read twice for a map instead of twenty times. The
 * style multiplies in the input transform. */
#include "cpu/conv/winograd.h"
#include <omp.h>

#define POINTS 6
#define TILE 4

static const float a1 = 5.0f / 8, a2 = 25.0f / 64, a3 = 125.0f / 512;
static const float b1 = 3.0f / 2, b2 = 9.0f / 4, b3 = 27.0f / 8;

/* B^T d. Rows p and -p share their even and odd halves:
 *     x (x + a)(x^2 - b^2) = (x^4 - b^2 x^2) + a (x^3 - b^2 x). */
static inline void input_transform(const chl_vec d[POINTS], chl_vec v[POINTS]) {
    chl_vec even_a = d[4] - b2 * d[2], odd_a = a1 * (d[3] - b2 * d[1]);
    chl_vec even_b = d[4] - a2 * d[2], odd_b = b1 * (d[3] - a2 * d[1]);
    v[0] = a2 * b2 * d[0] - (a2 + b2) * d[2] + d[4];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = a2 * b2 * d[1] - (a2 + b2) * d[3] + d[5];
}

/* A^T m */
static inline void output_transform(const chl_vec m[POINTS], chl_vec y[TILE]) {
    chl_vec sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    chl_vec sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] + sum_a + sum_b;
    y[1] = a1 * difference_a + b1 * difference_b;
    y[2] = a2 * sum_a + b2 * sum_b;
    y[3] = a3 * difference_a + b3 * difference_b + m[5];
}

/* --- weights --- */

void chl_winograd_weight_matrix(double g[POINTS][3]) {
    const double p[POINTS - 1] = {0, a1, -a1, b1, -b1};
    for (int j = 0; j < POINTS - 1; j++) {
        double scale = 1;
        for (int k = 0; k < POINTS - 1; k++)
            if (k != j) scale /= p[j] - p[k];
        g[j][0] = scale;
        g[j][1] = scale * p[j];
        g[j][2] = scale * p[j] * p[j];
    }
    g[POINTS - 1][0] = g[POINTS - 1][1] = 0;
    g[POINTS - 1][2] = 1;
}

int64_t chl_winograd_floats(int64_t in_c, int64_t out_c) {
    return POINTS * POINTS * chl_panel_floats(in_c, out_c);
}

#define PRIVATE_WEIGHTS                                                                            \
    (12 << 20)                    /* bytes of transformed weights up to which blocks are private   \
                                   */
#define PRIVATE_BLOCK (640 << 10) /* bytes of V in a private block */
#define PRIVATE_TILES 64          /* and the maximum of tiles in it */
#define PRIVATE_GROUP 128         /* output channels whose products exist at one time */
#define SHARED_TILES 128          /* 64 to 256 take the same time */

/* Rows of a tile and of a matrix are padded by a cache line: with powers of two the 36 streams of
 * one tile would share one set of the L1 cache. */
static int64_t padded(int64_t channels) {
    return chl_round_up(channels, CHL_LANES) + CHL_LANES;
}

/* Blocks are shared where even the smallest private block, the rows of one register tile, would be
 * too large. */
static bool shares_blocks(int64_t in_c, int64_t out_c) {
    int64_t weights = chl_winograd_floats(in_c, out_c) * (int64_t)sizeof(float);
    int64_t block = POINTS * POINTS * CHL_PANEL_ROWS * padded(in_c) * (int64_t)sizeof(float);
    return weights > PRIVATE_WEIGHTS || block > PRIVATE_BLOCK;
}

/* Packed weights are stored group by group, in each the 36 matrices [in_c, width] one after
 * another. */
static int64_t group_of(int64_t in_c, int64_t out_c) {
    return shares_blocks(in_c, out_c) ? out_c : chl_min(out_c, PRIVATE_GROUP);
}
static int64_t group_at(int64_t in_c, int64_t out_c, int64_t c0, int64_t point) {
    int64_t width = chl_min(group_of(in_c, out_c), out_c - c0);
    return POINTS * POINTS * in_c * c0 + point * chl_panel_floats(in_c, width);
}

void chl_winograd_pack_vector(const double matrix[6][3], const double g[9][CHL_LANES],
                              float *packed, int64_t step) {
    double half[6][3][CHL_LANES];
    for (int i = 0; i < 6; i++)
        for (int kx = 0; kx < 3; kx++)
            for (int l = 0; l < CHL_LANES; l++)
                half[i][kx][l] = matrix[i][0] * g[kx][l] + matrix[i][1] * g[3 + kx][l] +
                                 matrix[i][2] * g[6 + kx][l];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            float *to = packed + (i * 6 + j) * step;
            for (int l = 0; l < CHL_LANES; l++)
                to[l] = (float)(matrix[j][0] * half[i][0][l] + matrix[j][1] * half[i][1][l] +
                                matrix[j][2] * half[i][2][l]);
        }
}

void chl_winograd_taps(const float *w, int64_t step, int64_t lanes, float gain, bool turned,
                       double g[9][CHL_LANES]) {
    for (int64_t l = 0; l < lanes; l++)
        for (int tap = 0; tap < 9; tap++)
            g[turned ? 8 - tap : tap][l] = gain * (double)w[l * step + tap];
}

void chl_winograd_pack(const float *w, int64_t o, int64_t i, float gain, bool backward,
                       float *packed) {
    double matrix[POINTS][3];
    chl_winograd_weight_matrix(matrix);
    int64_t rows = backward ? o : i, columns = backward ? i : o;
    int64_t row_step = backward ? i * 9 : 9, column_step = backward ? 9 : i * 9;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t c = 0; c < columns; c += CHL_LANES)
        for (int64_t r = 0; r < rows; r++) {
            double g[9][CHL_LANES] = {{0}};
            chl_winograd_taps(w + r * row_step + c * column_step, column_step,
                              chl_min(CHL_LANES, columns - c), gain, backward, g);
            int64_t group = group_of(rows, columns), c0 = c / group * group;
            int64_t width = chl_min(group, columns - c0);
            chl_winograd_pack_vector((const double(*)[3])matrix, (const double(*)[CHL_LANES])g,
                                     packed + group_at(rows, columns, c0, 0) +
                                         chl_panel_at(rows, width, r, c - c0),
                                     chl_panel_floats(rows, width));
        }
}

/* --- tiles --- */

typedef struct layout {
    int64_t across, down, tiles; /* tiles of one sample in a row, in a column; of all samples */
    bool shared;
    int64_t block, group; /* tiles of a block; output channels multiplied at a time */
    int64_t v_row, v_matrix, m_row, m_matrix, sum_row;
} layout;

static int64_t evenly(int64_t all, int64_t max_block) {
    int64_t blocks = (all + max_block - 1) / max_block;
    return (all + blocks - 1) / blocks;
}

static layout lay_out(const chl_conv_job *job) {
    layout l;
    l.across = (job->out_w + TILE - 1) / TILE;
    l.down = (job->out_h + TILE - 1) / TILE;
    l.tiles = job->n * l.down * l.across;
    l.shared = shares_blocks(job->in_c, job->out_c);
    l.group = group_of(job->in_c, job->out_c);
    l.v_row = padded(job->in_c);
    int64_t v_tile = POINTS * POINTS * l.v_row * (int64_t)sizeof(float);
    l.block =
        evenly(l.tiles, l.shared ? SHARED_TILES : chl_min(PRIVATE_TILES, PRIVATE_BLOCK / v_tile));
    l.v_matrix = l.block * l.v_row + CHL_LANES;
    l.m_row = padded(l.group);
    l.m_matrix = l.block * l.m_row + CHL_LANES;
    l.sum_row = chl_round_up(job->out_c, CHL_LANES);
    return l;
}

/* Floats of V and M, once or for each thread; after them come the epilogue's sums of each tile. */
static int64_t block_floats(const layout *l) {
    return POINTS * POINTS * (l->v_matrix + l->m_matrix);
}

size_t chl_winograd_workspace(const chl_conv_job *job) {
    layout l = lay_out(job);
    int64_t copies = l.shared ? 1 : chl_workers();
    return (size_t)(copies * block_floats(&l) + l.tiles * l.sum_row) * sizeof(float);
}

void chl_winograd_read(const chl_conv_job *job, int64_t tile, float *v, int64_t step) {
    int64_t across = (job->out_w + TILE - 1) / TILE, down = (job->out_h + TILE - 1) / TILE;
    int64_t n = tile / (down * across), c_all = job->in_c;
    int64_t top = tile / across % down * TILE - job->pad;
    int64_t left = tile % across * TILE - job->pad;
    bool inside = top >= 0 && left >= 0 && top + POINTS <= job->in_h && left + POINTS <= job->in_w;
    const float *x = job->x + ((n * job->in_h + top) * job->in_w + left) * c_all;
    for (int64_t c = 0; c < c_all; c += CHL_LANES) {
        int64_t lanes = chl_min(CHL_LANES, c_all - c);
        chl_vec half[POINTS][POINTS], d[POINTS], column[POINTS];
        for (int i = 0; i < POINTS; i++) {
            const float *row = x + i * job->in_w * c_all + c;
            if (inside) chl_fetch_pixels(row + POINTS * c_all, c_all, TILE);
            if (inside && lanes == CHL_LANES)
                for (int j = 0; j < POINTS; j++) d[j] = chl_load(row + j * c_all);
            else
                for (int j = 0; j < POINTS; j++)
                    d[j] =
                        top + i >= 0 && top + i < job->in_h && left + j >= 0 && left + j < job->in_w
                            ? chl_load_part(row + j * c_all, lanes)
                            : chl_splat(0);
            input_transform(d, half[i]);
        }
        chl_vec style =
            job->style ? chl_load_part(job->style + n * c_all + c, lanes) : chl_splat(1);
        for (int j = 0; j < POINTS; j++) {
            for (int i = 0; i < POINTS; i++) d[i] = half[i][j] * style;
            input_transform(d, column);
            for (int i = 0; i < POINTS; i++) chl_store(v + (i * POINTS + j) * step + c, column[i]);
        }
    }
}

/* Channels c0.. of one group; the epilogue's sums over the tile's pixels go to `sums`. */
static inline __attribute__((always_inline)) void
write_tile(chl_epilogue_kind kind, const chl_conv_job *job, const chl_epilogue *epilogue,
           const layout *l, int64_t tile, int64_t c0, int64_t channels, const float *m,
           float *sums) {
    int64_t n = tile / (l->down * l->across);
    int64_t top = tile / l->across % l->down * TILE, left = tile % l->across * TILE;
    int64_t rows = chl_min(TILE, job->out_h - top), columns = chl_min(TILE, job->out_w - left);
    for (int64_t c = 0; c < channels; c += CHL_LANES) {
        chl_vec half[TILE][POINTS], d[POINTS], y[TILE], sum = {0};
        for (int j = 0; j < POINTS; j++) {
            for (int i = 0; i < POINTS; i++)
                d[i] = chl_load(m + (i * POINTS + j) * l->m_matrix + c);
            output_transform(d, y);
            for (int i = 0; i < TILE; i++) half[i][j] = y[i];
        }
        chl_epilogue_lane lane = chl_epilogue_open(epilogue, n, c0 + c);
        for (int i = 0; i < rows; i++) {
            output_transform(half[i], y);
            int64_t pixel = (top + i) * job->out_w + left;
            chl_epilogue_fetch(epilogue, &lane, pixel + TILE, TILE);
            if (columns == TILE)
                for (int j = 0; j < TILE; j++)
                    sum += chl_epilogue_put(kind, epilogue, &lane, pixel + j, y[j]);
            else
                for (int j = 0; j < columns; j++)
                    sum += chl_epilogue_put(kind, epilogue, &lane, pixel + j, y[j]);
        }
        if (kind == CHL_EPILOGUE_GRADIENT && epilogue->dscale) chl_store(sums + c0 + c, sum);
    }
}

static void write_tile_of_kind(const chl_conv_job *job, const chl_epilogue *epilogue,
                               const layout *l, int64_t tile, int64_t c0, int64_t channels,
                               const float *m, float *sums) {
    switch (epilogue->kind) {
    case CHL_EPILOGUE_PLAIN:
        write_tile(CHL_EPILOGUE_PLAIN, job, epilogue, l, tile, c0, channels, m, sums);
        break;
    case CHL_EPILOGUE_ACTIVATE:
        write_tile(CHL_EPILOGUE_ACTIVATE, job, epilogue, l, tile, c0, channels, m, sums);
        break;
    case CHL_EPILOGUE_GRADIENT:
        write_tile(CHL_EPILOGUE_GRADIENT, job, epilogue, l, tile, c0, channels, m, sums);
        break;
    }
}

/* Private blocks: every thread computes blocks of its own. */
static void run_private(const chl_conv_job *job, const chl_epilogue *epilogue, const layout *l,
                        float *v, float *m, float *sums) {
#pragma omp for schedule(dynamic)
    for (int64_t first = 0; first < l->tiles; first += l->block) {
        int64_t tiles = chl_min(l->block, l->tiles - first);
        for (int64_t t = 0; t < tiles; t++)
            chl_winograd_read(job, first + t, v + t * l->v_row, l->v_matrix);
        for (int64_t c0 = 0; c0 < job->out_c; c0 += l->group) {
            int64_t width = chl_min(l->group, job->out_c - c0);
            for (int64_t point = 0; point < POINTS * POINTS; point++)
                chl_panel_gemm(tiles, width, job->in_c, v + point * l->v_matrix, l->v_row,
                               job->packed + group_at(job->in_c, job->out_c, c0, point), 0,
                               chl_panels(width), m + point * l->m_matrix, l->m_row, false);
            for (int64_t t = 0; t < tiles; t++)
                write_tile_of_kind(job, epilogue, l, first + t, c0, width, m + t * l->m_row,
                                   sums + (first + t) * l->sum_row);
        }
    }
}

/* Shared blocks: all threads share every step, which are the input transform, the 36 products
 * (divided by columns too where threads are many) and the output transform. */
static void run_shared(const chl_conv_job *job, const chl_epilogue *epilogue, const layout *l,
                       float *v, float *m, float *sums) {
    int64_t panels = chl_panels(job->out_c), tasks = 4 * omp_get_num_threads();
    int64_t cuts = chl_min(panels, (tasks + POINTS * POINTS - 1) / (POINTS * POINTS));
    for (int64_t first = 0; first < l->tiles; first += l->block) {
        int64_t tiles = chl_min(l->block, l->tiles - first);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tiles; t++)
            chl_winograd_read(job, first + t, v + t * l->v_row, l->v_matrix);
#pragma omp for collapse(2) schedule(dynamic)
        for (int64_t point = 0; point < POINTS * POINTS; point++)
            for (int64_t cut = 0; cut < cuts; cut++)
                chl_panel_gemm(tiles, job->out_c, job->in_c, v + point * l->v_matrix, l->v_row,
                               job->packed + group_at(job->in_c, job->out_c, 0, point),
                               cut * panels / cuts, (cut + 1) * panels / cuts,
                               m + point * l->m_matrix, l->m_row, false);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tiles; t++)
            write_tile_of_kind(job, epilogue, l, first + t, 0, job->out_c, m + t * l->m_row,
                               sums + (first + t) * l->sum_row);
    }
}

void chl_winograd(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace) {
    layout l = lay_out(job);
    int workers = chl_workers();
    int64_t copies = l.shared ? 1 : workers;
    float *sums = workspace + copies * block_floats(&l);
    chl_epilogue_begin(epilogue, job->n);
#pragma omp parallel num_threads(workers)
    {
        float *v = workspace + (l.shared ? 0 : omp_get_thread_num() * block_floats(&l));
        float *m = v + POINTS * POINTS * l.v_matrix;
        if (l.shared)
            run_shared(job, epilogue, &l, v, m, sums);
        else
            run_private(job, epilogue, &l, v, m, sums);
        if (epilogue->dscale)
            chl_epilogue_sum(epilogue, 0, l.tiles, l.down * l.across, sums, l.sum_row);
    }
}
