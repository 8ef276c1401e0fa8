/* The up-sampling convolution (see conv_up.c) with 81 products for a tile of 4x4 input pixels
 * instead of 144, by the method of winograd.c applied to each of the two phases of the transposed
 * convolution.
 *
 * In one dimension its even and odd outputs are
 *
 *     z[2m] = w2 x[m-1] + w0 x[m]        z[2m+1] = w1 x[m]
 *
 * and four even outputs, a two-tap correlation, need five products (points a, -a, b, -b, infinity)
 * instead of eight; the four odd ones need four. So a tile takes 5 + 4 = 9 units in each direction,
 * 81 in two, with 6x6 different weight matrices: the five points and "the middle tap unchanged".
 * Backwards dx[m] = w0 dz[2m] + w2 dz[2m+2] + w1 dz[2m+1] has the same form. With the points 3/8
 * and 5/4 the error is no larger than by direct summation (256 channels: maximum error 3.6e-6 of
 * the rms, direct 4.9e-6), and all their powers below are exact in float32.
 *
 * Tiles give rows and columns 0 .. 2h - 1 of z; the last row and the last column, beyond all tiles,
 * are two thin products with plain weights. */
#include "cpu/conv/conv_up_tiles.h"
#include "cpu/conv/conv_up.h"
#include "cpu/conv/winograd.h"

#define TILE 4
#define POINTS 5
#define UNITS 9   /* in one direction: the points, then the four pixels themselves */
#define WEIGHTS 6 /* in one direction: the points, then the middle tap */
#define BAND_BYTES                                                                                 \
    (4 << 20) /* of V and M; 2 to 8 MiB take the same time, more is slower below 256 channels */

static const float a1 = 3.0f / 8, a2 = 9.0f / 64, a3 = 27.0f / 512;
static const float b1 = 5.0f / 4, b2 = 25.0f / 16, b3 = 125.0f / 64;

/* B^T d: row p holds the coefficients of prod_{q != p} (x - q); p and -p share halves. */
static inline void input_transform(const chl_vec d[POINTS], chl_vec v[POINTS]) {
    chl_vec odd_a = d[3] - b2 * d[1], even_a = a1 * (d[2] - b2 * d[0]);
    chl_vec odd_b = d[3] - a2 * d[1], even_b = b1 * (d[2] - a2 * d[0]);
    v[0] = odd_a + even_a;
    v[1] = odd_a - even_a;
    v[2] = odd_b + even_b;
    v[3] = odd_b - even_b;
    v[4] = d[4] - (a2 + b2) * d[2] + a2 * b2 * d[0];
}

/* A^T m: row i holds p^i, and 1 for infinity in the last. */
static inline void output_transform(const chl_vec m[POINTS], chl_vec y[TILE]) {
    chl_vec sum_a = m[0] + m[1], difference_a = m[0] - m[1];
    chl_vec sum_b = m[2] + m[3], difference_b = m[2] - m[3];
    y[0] = sum_a + sum_b;
    y[1] = a1 * difference_a + b1 * difference_b;
    y[2] = a2 * sum_a + b2 * sum_b;
    y[3] = a3 * difference_a + b3 * difference_b + m[4];
}

/* --- weights --- */

/* G over (w0, w1, w2); the tap that multiplies the earlier pixel is w2 forwards, w0 backwards. */
static void weight_matrix(bool backward, double g[WEIGHTS][3]) {
    const double p[POINTS - 1] = {a1, -a1, b1, -b1};
    int early = backward ? 0 : 2, late = 2 - early;
    memset(g, 0, WEIGHTS * sizeof g[0]);
    for (int j = 0; j < POINTS - 1; j++) {
        double scale = 1;
        for (int k = 0; k < POINTS - 1; k++)
            if (k != j) scale /= p[j] - p[k];
        g[j][early] = scale;
        g[j][late] = scale * p[j];
    }
    g[POINTS - 1][late] = 1;
    g[POINTS][1] = 1;
}

static int64_t matrices_floats(int64_t in_c, int64_t out_c) {
    return WEIGHTS * WEIGHTS * chl_panel_floats(in_c, out_c);
}

int64_t chl_up_tiles_floats(int64_t in_c, int64_t out_c, bool backward) {
    return matrices_floats(in_c, out_c) + (backward ? 0 : 2 * chl_panel_floats(in_c, 3 * out_c));
}

/* The plain weights [i, (k,o)] of three taps: first_tap, first_tap + step, first_tap + 2 step. */
static void pack_edge(const float *w, int64_t o, int64_t i, float gain, int first_tap, int step,
                      float *packed) {
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < 3 * o; c += CHL_LANES)
        for (int64_t r = 0; r < i; r++) {
            float *to = packed + chl_panel_at(i, 3 * o, r, c);
            for (int64_t l = 0; l < CHL_LANES; l++)
                to[l] = c + l < 3 * o
                            ? gain * w[((c + l) % o * i + r) * 9 + first_tap + (c + l) / o * step]
                            : 0;
        }
}

void chl_up_tiles_pack(const float *w, int64_t o, int64_t i, float gain, bool backward,
                       float *packed) {
    double matrix[WEIGHTS][3];
    weight_matrix(backward, matrix);
    int64_t rows = backward ? o : i, columns = backward ? i : o;
    int64_t row_step = backward ? i * 9 : 9, column_step = backward ? 9 : i * 9;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t c = 0; c < columns; c += CHL_LANES)
        for (int64_t r = 0; r < rows; r++) {
            double g[9][CHL_LANES] = {{0}};
            chl_winograd_taps(w + r * row_step + c * column_step, column_step,
                              chl_min(CHL_LANES, columns - c), gain, false, g);
            chl_winograd_pack_vector((const double(*)[3])matrix, (const double(*)[CHL_LANES])g,
                                     packed + chl_panel_at(rows, columns, r, c),
                                     chl_panel_floats(rows, columns));
        }
    if (backward) return;
    float *edges = packed + matrices_floats(i, o);
    pack_edge(w, o, i, gain, 6, 1, edges);
    pack_edge(w, o, i, gain, 2, 3, edges + chl_panel_floats(i, 3 * o));
}

/* --- bands of tiles --- */

/* `from` and `to` are the numbers of channels read and written: in_c and out_c, in the backward
 * out_c and in_c. */
typedef struct layout {
    int64_t from, to, across, down, rows; /* tiles in a row, in a column; rows of tiles in a band */
    int64_t v_row, v_matrix, m_row, m_matrix;
} layout;

/* a cache line more than a power of two, as in winograd.c */
static int64_t padded(int64_t channels) {
    return chl_round_up(channels, CHL_LANES) + CHL_LANES;
}

static layout lay_out(const chl_conv_job *job, bool backward) {
    layout l = {.from = backward ? job->out_c : job->in_c, .to = backward ? job->in_c : job->out_c};
    l.across = (job->in_w + TILE - 1) / TILE;
    l.down = (job->in_h + TILE - 1) / TILE;
    l.v_row = padded(l.from);
    l.m_row = padded(l.to);
    int64_t tile = UNITS * UNITS * (l.v_row + l.m_row) * (int64_t)sizeof(float);
    int64_t bands = (l.down * l.across * tile + BAND_BYTES - 1) / BAND_BYTES;
    l.rows = (l.down + bands - 1) / bands;
    l.v_matrix = l.rows * l.across * l.v_row + CHL_LANES;
    l.m_matrix = l.rows * l.across * l.m_row + CHL_LANES;
    return l;
}

static int64_t band_floats(const layout *l) {
    return UNITS * UNITS * (l->v_matrix + l->m_matrix);
}

/* The picture from which tiles are read; zeros outside. */
typedef struct source {
    const float *pixel;
    int64_t rows, columns, channels;
    const float *style;
} source;

static inline chl_vec source_at(const source *s, int64_t y, int64_t x, int64_t c, int64_t lanes) {
    if (y < 0 || x < 0 || y >= s->rows || x >= s->columns) return chl_splat(0);
    return chl_load_part(s->pixel + (y * s->columns + x) * s->channels + c, lanes);
}

/* In the forward 5 pixels become 9 units, in the backward 9 pixels of dz do. */
static inline __attribute__((always_inline)) void units_of(bool backward, const chl_vec *d,
                                                           chl_vec v[UNITS]) {
    chl_vec even[POINTS];
    for (int i = 0; i < POINTS; i++) even[i] = d[backward ? 2 * i : i];
    input_transform(even, v);
    for (int i = 0; i < TILE; i++) v[POINTS + i] = d[backward ? 2 * i + 1 : i + 1];
}

static inline __attribute__((always_inline)) void
read_tile(bool backward, const source *s, int64_t top, int64_t left, const layout *l, float *v) {
    const int extent = backward ? UNITS : POINTS;
    bool inside = top >= 0 && left >= 0 && top + extent <= s->rows && left + extent <= s->columns;
    for (int64_t c = 0; c < s->channels; c += CHL_LANES) {
        int64_t lanes = chl_min(CHL_LANES, s->channels - c);
        chl_vec half[UNITS][UNITS], d[UNITS], column[UNITS];
        for (int i = 0; i < extent; i++) {
            const float *row = s->pixel + ((top + i) * s->columns + left) * s->channels + c;
            if (inside && lanes == CHL_LANES)
                for (int j = 0; j < extent; j++) d[j] = chl_load(row + j * s->channels);
            else
                for (int j = 0; j < extent; j++) d[j] = source_at(s, top + i, left + j, c, lanes);
            units_of(backward, d, half[i]);
        }
        chl_vec style = s->style ? chl_load_part(s->style + c, lanes) : chl_splat(1);
        for (int j = 0; j < UNITS; j++) {
            for (int i = 0; i < extent; i++) d[i] = half[i][j] * style;
            units_of(backward, d, column);
            for (int i = 0; i < UNITS; i++)
                chl_store(v + (i * UNITS + j) * l->v_matrix + c, column[i]);
        }
    }
}

/* All threads: the 81 products of a band of `tiles`. */
static void multiply(const float *packed, const layout *l, int64_t tiles, const float *v,
                     float *m) {
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t i = 0; i < UNITS; i++)
        for (int64_t j = 0; j < UNITS; j++) {
            int64_t weight = chl_min(i, POINTS) * WEIGHTS + chl_min(j, POINTS);
            chl_panel_gemm(tiles, l->to, l->from, v + (i * UNITS + j) * l->v_matrix, l->v_row,
                           packed + weight * chl_panel_floats(l->from, l->to), 0, chl_panels(l->to),
                           m + (i * UNITS + j) * l->m_matrix, l->m_row, false);
        }
}

/* --- forward --- */

/* The row and the column of z beyond the tiles: products of x's last row and last column with the
 * taps that reach there, [pixel, (k,o)]. */
typedef struct edges {
    int64_t styled, product;     /* row strides */
    float *column, *row, *below; /* styled pixels; products of the last row; of the last column */
} edges;

static edges edges_of(const chl_conv_job *job) {
    return (edges){.styled = padded(job->in_c), .product = padded(3 * job->out_c)};
}
static edges edges_at(const chl_conv_job *job, float *memory) {
    edges e = edges_of(job);
    e.column = memory;
    e.row = e.column + chl_max(job->in_h, job->in_w) * e.styled;
    e.below = e.row + job->in_w * e.product;
    return e;
}
static int64_t edges_floats(const chl_conv_job *job) {
    edges e = edges_of(job);
    return chl_max(job->in_h, job->in_w) * e.styled + (job->in_h + job->in_w) * e.product;
}

size_t chl_up_tiles_workspace(const chl_conv_job *job) {
    layout l = lay_out(job, false);
    int64_t z = chl_up_z_rows(l.rows * TILE) * chl_up_z_of(job).row;
    return (size_t)(band_floats(&l) + edges_floats(job) + z) * sizeof(float);
}

static void edge_products(const chl_conv_job *job, int64_t n, const edges *e) {
    const float *weights = job->packed + matrices_floats(job->in_c, job->out_c);
    chl_conv_job line = *job;
    line.n = line.kernel = line.stride = 1;
    line.pad = 0;
    line.style = job->style ? job->style + n * job->in_c : NULL;
    const float *sample = job->x + n * job->in_h * job->in_w * job->in_c;
    line.x = sample + (job->in_h - 1) * job->in_w * job->in_c;
    line.in_h = line.out_h = 1;
    line.out_w = job->in_w;
    chl_im2col(&line, 0, job->in_w, e->column, e->styled);
    chl_rows_product(job->in_w, 3 * job->out_c, job->in_c, e->column, e->styled, weights, e->row,
                     e->product);
    line.x = sample + (job->in_w - 1) * job->in_c;
    line.in_h = line.out_h = job->in_h;
    line.out_w = 1;
    chl_im2col(&line, 0, job->in_h, e->column, e->styled);
    chl_rows_product(job->in_h, 3 * job->out_c, job->in_c, e->column, e->styled,
                     weights + chl_panel_floats(job->in_c, 3 * job->out_c), e->below, e->product);
}

/* z at place 2k + odd of an edge of `count` pixels: tap 1, or tap 0 of pixel k plus tap 2 of k - 1.
 */
static void edge_pixel(const chl_conv_job *job, const edges *e, const float *products,
                       int64_t count, int64_t place, float *z) {
    int64_t k = place / 2, o = job->out_c;
    const float *here = products + k * e->product, *before = here - e->product + 2 * o;
    for (int64_t c = 0; c < o; c++) {
        float v = 0;
        if (place & 1)
            v = here[o + c];
        else {
            if (k < count) v += here[c];
            if (k > 0) v += before[c];
        }
        z[c] = v;
    }
}

static void write_tile(const chl_conv_job *job, const layout *l, const chl_up_z *layout_z,
                       int64_t rows, int64_t columns, const float *m, float *z) {
    for (int64_t c = 0; c < job->out_c; c += CHL_LANES) {
        chl_vec half[2 * TILE][UNITS], d[UNITS], y[TILE];
        for (int j = 0; j < UNITS; j++) {
            for (int i = 0; i < UNITS; i++) d[i] = chl_load(m + (i * UNITS + j) * l->m_matrix + c);
            output_transform(d, y);
            for (int i = 0; i < TILE; i++) {
                half[2 * i][j] = y[i];
                half[2 * i + 1][j] = d[POINTS + i];
            }
        }
        for (int i = 0; i < rows; i++) {
            output_transform(half[i], y);
            float *to = z + i * layout_z->row + c;
            for (int j = 0; j < columns; j++) {
                chl_store(to + 2 * j * layout_z->pixel, y[j]);
                chl_store(to + (2 * j + 1) * layout_z->pixel, half[i][POINTS + j]);
            }
        }
    }
}

/* One band: tile rows top..bottom of sample n. */
static void forward_band(const chl_conv_job *job, const chl_epilogue *epilogue, const layout *l,
                         int64_t n, int64_t top, int64_t bottom, const edges *e, float *v,
                         float *z) {
    const chl_up_z layout_z = chl_up_z_of(job);
    float *m = v + UNITS * UNITS * l->v_matrix;
    const source s = {.pixel = job->x + n * job->in_h * job->in_w * job->in_c,
                      .rows = job->in_h,
                      .columns = job->in_w,
                      .channels = job->in_c,
                      .style = job->style ? job->style + n * job->in_c : NULL};
    int64_t tiles = (bottom - top) * l->across, first = top * TILE;
    int64_t end = chl_min(job->in_h, bottom * TILE);
#pragma omp for schedule(static)
    for (int64_t t = 0; t < tiles; t++)
        read_tile(false, &s, first + t / l->across * TILE - 1, t % l->across * TILE - 1, l,
                  v + t * l->v_row);
    multiply(job->packed, l, tiles, v, m);
#pragma omp for schedule(static)
    for (int64_t t = 0; t < tiles; t++) {
        int64_t y = first + t / l->across * TILE, x = t % l->across * TILE;
        write_tile(job, l, &layout_z, 2 * chl_min(TILE, job->in_h - y),
                   chl_min(TILE, job->in_w - x), m + t * l->m_row,
                   chl_up_z_row(&layout_z, z, first, 2 * y) + (2 * x + 1) * layout_z.pixel);
    }
    int64_t width = 2 * job->in_w, height = 2 * job->in_h;
#pragma omp for schedule(static)
    for (int64_t row = 2 * first; row < 2 * end; row++)
        edge_pixel(job, e, e->below, job->in_h, row,
                   chl_up_z_row(&layout_z, z, first, row) + (width + 1) * layout_z.pixel);
    if (end == job->in_h) {
        float *over = chl_up_z_row(&layout_z, z, first, height);
#pragma omp for schedule(static)
        for (int64_t x = 0; x <= width; x++) {
            edge_pixel(job, e, e->row, job->in_w, x, over + (x + 1) * layout_z.pixel);
            memset(over + layout_z.row + (x + 1) * layout_z.pixel, 0,
                   (size_t)layout_z.pixel * sizeof *over);
        }
    }
    chl_up_filter(job, epilogue, &layout_z, n, first, end, z);
}

void chl_up_tiles(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace) {
    layout l = lay_out(job, false);
    float *z = workspace + band_floats(&l) + edges_floats(job);
    const edges e = edges_at(job, workspace + band_floats(&l));
    size_t z_bytes = (size_t)(chl_up_z_rows(l.rows * TILE) * chl_up_z_of(job).row) * sizeof *z;
#pragma omp parallel
    for (int64_t n = 0; n < job->n; n++) {
        /* the zeros around z; everything else is overwritten */
#pragma omp single
        memset(z, 0, z_bytes);
        edge_products(job, n, &e);
        for (int64_t top = 0; top < l.down; top += l.rows)
            forward_band(job, epilogue, &l, n, top, chl_min(l.down, top + l.rows), &e, workspace,
                         z);
    }
}

/* --- backward --- */

static int64_t dz_floats(const chl_conv_job *job, const layout *l) {
    return (2 * l->rows * TILE + 1) * (2 * job->in_w + 1) * job->out_c;
}

size_t chl_up_tiles_backward_workspace(const chl_conv_job *job) {
    layout l = lay_out(job, true);
    int64_t sums = l.rows * l.across * chl_round_up(l.to, CHL_LANES);
    return (size_t)(band_floats(&l) + dz_floats(job, &l) + sums) * sizeof(float);
}

/* One tile of dx; the epilogue's sums over its pixels go to `sums`. */
static void epilogue_tile(const chl_conv_job *job, const chl_epilogue *epilogue, const layout *l,
                          int64_t n, int64_t y0, int64_t x0, const float *m, float *sums) {
    int64_t rows = chl_min(TILE, job->in_h - y0), columns = chl_min(TILE, job->in_w - x0);
    for (int64_t c = 0; c < l->to; c += CHL_LANES) {
        chl_vec half[TILE][UNITS], d[UNITS], y[TILE], sum = {0};
        for (int j = 0; j < UNITS; j++) {
            for (int i = 0; i < UNITS; i++) d[i] = chl_load(m + (i * UNITS + j) * l->m_matrix + c);
            output_transform(d, y);
            for (int i = 0; i < TILE; i++) half[i][j] = y[i] + d[POINTS + i];
        }
        chl_epilogue_lane lane = chl_epilogue_open(epilogue, n, c);
        for (int i = 0; i < rows; i++) {
            output_transform(half[i], y);
            chl_epilogue_fetch(epilogue, &lane, (y0 + i) * job->in_w + x0 + TILE, TILE);
            for (int j = 0; j < columns; j++)
                sum += chl_epilogue_put(CHL_EPILOGUE_GRADIENT, epilogue, &lane,
                                        (y0 + i) * job->in_w + x0 + j, y[j] + half[i][POINTS + j]);
        }
        if (epilogue->dscale) chl_store(sums + c, sum);
    }
}

static void backward_band(const chl_conv_job *job, const chl_epilogue *epilogue, const layout *l,
                          int64_t n, int64_t top, int64_t bottom, float *v, float *dz) {
    float *m = v + UNITS * UNITS * l->v_matrix, *sums = dz + dz_floats(job, l);
    int64_t tiles = (bottom - top) * l->across, first = top * TILE;
    int64_t end = chl_min(job->in_h, bottom * TILE), sum_row = chl_round_up(l->to, CHL_LANES);
    const source s = {.pixel = dz,
                      .rows = 2 * (end - first) + 1,
                      .columns = 2 * job->in_w + 1,
                      .channels = job->out_c};
    chl_up_spread(job, job->x + n * 4 * job->in_h * job->in_w * job->out_c, first, end, dz);
#pragma omp for schedule(static)
    for (int64_t t = 0; t < tiles; t++)
        read_tile(true, &s, t / l->across * 2 * TILE, t % l->across * 2 * TILE, l,
                  v + t * l->v_row);
    multiply(job->packed, l, tiles, v, m);
#pragma omp for schedule(static)
    for (int64_t t = 0; t < tiles; t++)
        epilogue_tile(job, epilogue, l, n, first + t / l->across * TILE, t % l->across * TILE,
                      m + t * l->m_row, sums + t * sum_row);
    if (epilogue->dscale)
        chl_epilogue_sum(epilogue, (n * l->down + top) * l->across, tiles, l->down * l->across,
                         sums, sum_row);
}

void chl_up_tiles_backward(const chl_conv_job *job, const chl_epilogue *epilogue,
                           float *workspace) {
    layout l = lay_out(job, true);
    chl_epilogue_begin(epilogue, job->n);
#pragma omp parallel
    for (int64_t n = 0; n < job->n; n++)
        for (int64_t top = 0; top < l.down; top += l.rows)
            backward_band(job, epilogue, &l, n, top, chl_min(l.down, top + l.rows), workspace,
                          workspace + band_floats(&l));
}
