/* StyleGAN2's up-sampling convolution: a stride-2 transposed 3x3 convolution z [2h+1, 2w+1] and the
 * FIR filter [1,3,3,1] x [1,3,3,1] / 16 over it, padded by one:
 *
 *     z[2y + ky, 2x + kx] += sum_i x[y,x,i] w[o,i,ky,kx]
 *     Y[p,q] = sum_jk f_j f_k z[p - 1 + j, q - 1 + k]
 *
 * Folding the filter into the weights would need four 3x3 convolutions, four times the products.
 * Here only a band of rows of z exists at a time and moves down the sample; the filter and the
 * epilogue read it while it is in the cache. This file computes z by one product [pixels, in_c] x
 * [in_c, 9*out_c], which suits small maps; conv_up_tiles.c needs fewer products on larger ones. */
#include "cpu/conv/conv_up.h"

#define BAND_FLOATS (1 << 20)

static int64_t padded(int64_t floats) {
    return chl_round_up(floats, CHL_LANES) + CHL_LANES;
}

/* --- forward --- */

typedef struct up_layout {
    int64_t rows;            /* rows of x in a band */
    int64_t column, product; /* row strides of the styled x and of the products [pixel, 9*out_c] */
    chl_up_z z;
} up_layout;

static up_layout lay_out(const chl_conv_job *job) {
    up_layout l;
    l.column = padded(job->in_c);
    l.product = padded(9 * job->out_c);
    l.z = chl_up_z_of(job);
    l.rows = chl_max(1, chl_min(job->in_h, BAND_FLOATS / (l.product * job->in_w)));
    return l;
}

size_t chl_up_workspace(const chl_conv_job *job) {
    up_layout l = lay_out(job);
    int64_t pixels = l.rows * job->in_w;
    return (size_t)(pixels * (l.column + l.product) + chl_up_z_rows(l.rows) * l.z.row) *
           sizeof(float);
}

/* Computes row `row` of z from the products of x rows first..end, or continues it where it is
 * begun. */
static void gather_row(const chl_conv_job *job, const up_layout *l, int64_t first, int64_t end,
                       const float *product, int64_t row, bool begun, float *z) {
    int64_t c_all = job->out_c;
    if (!begun) memset(z, 0, (size_t)l->z.row * sizeof *z);
    for (int64_t ky = row & 1; ky < 3; ky += 2) {
        int64_t y = (row - ky) / 2;
        if (row < ky || y < first || y >= end) continue;
        for (int64_t x = 0; x < job->in_w; x++)
            for (int64_t kx = 0; kx < 3; kx++) {
                const float *p =
                    product + ((y - first) * job->in_w + x) * l->product + (ky * 3 + kx) * c_all;
                float *to = z + (2 * x + kx + 1) * l->z.pixel;
                for (int64_t c = 0; c < c_all; c++) to[c] += p[c];
            }
    }
}

/* One band: the products of x rows first..end, the rows of z they reach, and the output rows that
 * these complete. */
static void up_band(const chl_conv_job *job, const chl_epilogue *epilogue, const up_layout *l,
                    int64_t n, int64_t first, int64_t end, float *column, float *product,
                    float *z) {
    chl_conv_job styled = *job;
    styled.out_h = job->in_h;
    styled.out_w = job->in_w;
    styled.kernel = styled.stride = 1;
    styled.pad = 0;
    int64_t pixels = (end - first) * job->in_w;
    chl_im2col(&styled, (n * job->in_h + first) * job->in_w, pixels, column, l->column);
    chl_rows_product(pixels, 9 * job->out_c, job->in_c, column, l->column, job->packed, product,
                     l->product);
    bool last = end == job->in_h;
    /* row 2h + 1 does not exist: the filter reads zeros */
#pragma omp for schedule(static)
    for (int64_t row = 2 * first; row <= 2 * end + last; row++)
        gather_row(job, l, first, end, product, row, row == 2 * first && first > 0,
                   chl_up_z_row(&l->z, z, first, row));
    chl_up_filter(job, epilogue, &l->z, n, first, end, z);
}

void chl_up(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace) {
    up_layout l = lay_out(job);
    float *column = workspace, *product = column + l.rows * job->in_w * l.column;
    float *z = product + l.rows * job->in_w * l.product;
#pragma omp parallel
    for (int64_t n = 0; n < job->n; n++) {
#pragma omp single
        memset(z, 0, (size_t)(CHL_UP_CARRIED * l.z.row) * sizeof *z);
        for (int64_t first = 0; first < job->in_h; first += l.rows)
            up_band(job, epilogue, &l, n, first, chl_min(job->in_h, first + l.rows), column,
                    product, z);
    }
}

/* --- backward --- */

/* dz [2h+1, 2w+1] = the filter over g (it is symmetric), dz[r] = sum_k f_k g[r - 2 + k], followed
 * by an ordinary stride-2 convolution of dz. A band holds rows 2 first .. 2 end of dz. */
typedef struct down_layout {
    int64_t rows, column, product, z_row;
} down_layout;

static down_layout lay_out_down(const chl_conv_job *job) {
    down_layout l;
    l.column = padded(9 * job->out_c);
    l.product = padded(job->in_c);
    l.z_row = (2 * job->in_w + 1) * job->out_c;
    l.rows = chl_max(1, chl_min(job->in_h, BAND_FLOATS / (l.column * job->in_w)));
    return l;
}

static int64_t down_floats(const chl_conv_job *job, const down_layout *l) {
    return l->rows * job->in_w * l->column + (2 * l->rows + 1) * l->z_row;
}

/* The column matrix [pixel, 9*out_c] of dz for x rows first..end of sample n; all threads. */
static void down_columns(const chl_conv_job *job, const down_layout *l, const float *g, int64_t n,
                         int64_t first, int64_t end, float *dz, float *column) {
    const float *sample = g + n * 4 * job->in_h * job->in_w * job->out_c;
    chl_up_spread(job, sample, first, end, dz);
    chl_conv_job strided = {.n = 1, .in_h = 2 * (end - first) + 1, .in_w = 2 * job->in_w + 1};
    strided.in_c = job->out_c;
    strided.out_h = end - first;
    strided.out_w = job->in_w;
    strided.kernel = 3;
    strided.stride = 2;
    strided.x = dz;
    chl_im2col(&strided, 0, (end - first) * job->in_w, column, l->column);
}

size_t chl_up_backward_workspace(const chl_conv_job *job) {
    down_layout l = lay_out_down(job);
    return (size_t)(down_floats(job, &l) + l.rows * job->in_w * l.product) * sizeof(float);
}

void chl_up_backward(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace) {
    down_layout l = lay_out_down(job);
    float *column = workspace, *product = column + l.rows * job->in_w * l.column;
    float *dz = product + l.rows * job->in_w * l.product;
    chl_epilogue_begin(epilogue, job->n);
#pragma omp parallel
    for (int64_t n = 0; n < job->n; n++)
        for (int64_t first = 0; first < job->in_h; first += l.rows) {
            int64_t end = chl_min(job->in_h, first + l.rows), pixels = (end - first) * job->in_w;
            down_columns(job, &l, job->x, n, first, end, dz, column);
            chl_rows_product(pixels, job->in_c, 9 * job->out_c, column, l.column, job->packed,
                             product, l.product);
            chl_rows_epilogue(epilogue, (n * job->in_h + first) * job->in_w, pixels, product,
                              l.product);
        }
}
