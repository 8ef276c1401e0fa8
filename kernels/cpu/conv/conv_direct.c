/* Convolution of any kernel, stride and padding: im2col and a matrix product, one band of output
 * pixels at a time. A band's columns fit the cache, so the column matrix never exists as a whole.
 */
#include "cpu/conv/conv_engine.h"
#include "cpu/lib/gemm.h"

#define BAND_FLOATS (1 << 20)
#define BAND_MIN 48
#define BAND_MAX 768

static int64_t band_rows(int64_t pixels, int64_t floats_of_row) {
    int64_t rows = chl_max(BAND_MIN, chl_min(BAND_MAX, BAND_FLOATS / floats_of_row));
    int64_t bands = (pixels + rows - 1) / rows;
    return (pixels + bands - 1) / bands;
}

/* Whole samples, or parts of one: the gradient of a sample's style is a sum over its pixels, band by band, and must not
 * depend on the samples beside it. */
static int64_t band_of_samples(const chl_conv_job *job, int64_t floats_of_row) {
    int64_t pixels = job->out_h * job->out_w, rows = band_rows(job->n * pixels, floats_of_row);
    return rows < pixels ? band_rows(pixels, floats_of_row) : rows / pixels * pixels;
}

/* Row strides are a cache line more than a power of two: the product reads many rows at once, which
 * must not share a cache set. */
static int64_t padded(int64_t floats) {
    return chl_round_up(floats, CHL_LANES) + CHL_LANES;
}

/* --- forward --- */

typedef struct direct_layout {
    /* K*K*in_c; output pixels of all samples, of a band; row strides */
    int64_t depth, pixels, band, column, product;
    bool plain; /* the rows of x are the column matrix */
} direct_layout;

static direct_layout lay_out(const chl_conv_job *job) {
    direct_layout l = {0};
    l.depth = job->kernel * job->kernel * job->in_c;
    l.pixels = job->n * job->out_h * job->out_w;
    l.plain = job->kernel == 1 && job->stride == 1 && job->pad == 0 && !job->style;
    l.column = l.plain ? job->in_c : padded(l.depth);
    l.product = padded(job->out_c);
    return l;
}

static direct_layout lay_out_direct(const chl_conv_job *job) {
    direct_layout l = lay_out(job);
    l.band = band_of_samples(job, l.depth + l.product);
    return l;
}

size_t chl_direct_workspace(const chl_conv_job *job) {
    direct_layout l = lay_out_direct(job);
    return (size_t)(l.band * (padded(l.depth) + l.product)) * sizeof(float);
}

void chl_direct(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace) {
    direct_layout l = lay_out_direct(job);
    float *product = workspace, *column = workspace + l.band * l.product;
    const int64_t sample = job->out_h * job->out_w, unit = chl_max(l.band, sample);
    chl_epilogue_begin(epilogue, job->n);
#pragma omp parallel
    for (int64_t first = 0, rows; first < l.pixels; first += rows) {
        /* up to the end of the sample, or of the last whole sample that a band holds */
        rows = chl_min(chl_min(l.band, unit - first % unit), l.pixels - first);
        if (!l.plain) chl_im2col(job, first, rows, column, l.column);
        chl_rows_product(rows, job->out_c, l.depth, l.plain ? job->x + first * l.column : column,
                         l.column, job->packed, product, l.product);
        chl_rows_epilogue(epilogue, first, rows, product, l.product);
    }
}

/* --- data gradient with a stride --- */

/* A band is whole rows of dy of one sample. Each product [pixel, K*K*in_c] is added to the input
 * pixel under its tap. A band sets the rows of dx that it reaches first and adds to the others. */
typedef struct scatter_layout {
    int64_t width, rows, product; /* K*K*in_c; rows of dy in a band; row stride */
} scatter_layout;

static scatter_layout lay_out_scatter(const chl_conv_job *job) {
    scatter_layout l;
    l.width = job->kernel * job->kernel * job->in_c;
    l.product = padded(l.width);
    l.rows = chl_max(1, chl_min(job->out_h, BAND_FLOATS / (l.product * job->out_w)));
    return l;
}

size_t chl_scatter_workspace(const chl_conv_job *job) {
    scatter_layout l = lay_out_scatter(job);
    return (size_t)(l.rows * job->out_w * l.product) * sizeof(float);
}

static void scatter_row(const chl_conv_job *job, const scatter_layout *l, int64_t first,
                        int64_t end, const float *product, int64_t y, float *dx_row) {
    for (int64_t ky = 0; ky < job->kernel; ky++) {
        int64_t from = y + job->pad - ky, row = from / job->stride;
        if (from < 0 || from % job->stride || row < first || row >= end) continue;
        for (int64_t x = 0; x < job->out_w; x++)
            for (int64_t kx = 0; kx < job->kernel; kx++) {
                int64_t column = x * job->stride - job->pad + kx;
                if (column < 0 || column >= job->in_w) continue;
                const float *p = product + ((row - first) * job->out_w + x) * l->product +
                                 (ky * job->kernel + kx) * job->in_c;
                float *to = dx_row + column * job->in_c;
                for (int64_t c = 0; c < job->in_c; c++) to[c] += p[c];
            }
    }
}

void chl_scatter(const chl_conv_job *job, float *dx, bool accumulate, float *workspace) {
    scatter_layout l = lay_out_scatter(job);
    int64_t in_row = job->in_w * job->in_c;
#pragma omp parallel
    for (int64_t n = 0; n < job->n; n++)
        for (int64_t first = 0; first < job->out_h; first += l.rows) {
            int64_t end = chl_min(job->out_h, first + l.rows);
            int64_t pixel = (n * job->out_h + first) * job->out_w;
            chl_rows_product((end - first) * job->out_w, l.width, job->out_c,
                             job->x + pixel * job->out_c, job->out_c, job->packed, workspace,
                             l.product);
            int64_t top = chl_max(0, first * job->stride - job->pad);
            int64_t begun = (first - 1) * job->stride - job->pad + job->kernel;
            int64_t bottom = (end - 1) * job->stride - job->pad + job->kernel;
            if (first == 0) begun = top = 0;
            if (end == job->out_h) bottom = job->in_h;
            /* with a stride larger than the kernel, no band reaches some rows: they are set here */
            top = chl_min(top, chl_max(0, begun));
#pragma omp for schedule(static)
            for (int64_t y = top; y < chl_min(bottom, job->in_h); y++) {
                float *row = dx + (n * job->in_h + y) * in_row;
                if (y >= begun && !accumulate) memset(row, 0, (size_t)in_row * sizeof *row);
                scatter_row(job, &l, first, end, workspace, y, row);
            }
        }
}

/* --- weight gradient --- */

/* The sum over the batch takes bands of all samples. */
static direct_layout lay_out_weight_gradient(const chl_conv_job *job) {
    direct_layout l = lay_out(job);
    l.band = band_rows(l.pixels, l.depth + l.product);
    return l;
}

size_t chl_weight_gradient_workspace(const chl_conv_job *job) {
    direct_layout l = lay_out_weight_gradient(job);
    return (size_t)(l.band * padded(l.depth) + job->out_c * l.depth) * sizeof(float);
}

bool chl_weight_gradient(const chl_conv_job *job, const float *dy, float gain, float *dw,
                         bool accumulate, float *workspace) {
    direct_layout l = lay_out_weight_gradient(job);
    float *sum = workspace, *column = workspace + job->out_c * l.depth;
    for (int64_t first = 0; first < l.pixels; first += l.band) {
        int64_t rows = chl_min(l.band, l.pixels - first);
        if (!l.plain) {
#pragma omp parallel
            chl_im2col(job, first, rows, column, l.column);
        }
        if (!chl_gemm(true, false, job->out_c, l.depth, rows, gain, dy + first * job->out_c,
                      job->out_c, l.plain ? job->x + first * l.column : column, l.column,
                      first ? 1 : 0, sum, l.depth))
            return false;
    }
    int64_t taps = job->kernel * job->kernel;
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < job->out_c; o++)
        for (int64_t i = 0; i < job->in_c; i++)
            for (int64_t tap = 0; tap < taps; tap++)
                chl_put(dw + (o * job->in_c + i) * taps + tap,
                        sum[o * l.depth + tap * job->in_c + i], accumulate);
    return true;
}
