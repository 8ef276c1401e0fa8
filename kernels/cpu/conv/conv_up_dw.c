/* The weight gradient of the up-sampling convolution (see conv_up.c):
 *
 *     dw[o,i,ky,kx] = gain * sum over samples and pixels (y,x) of (x s)[y,x,i] dz[2y+ky, 2x+kx, o]
 *
 * where dz is the filter's transpose over g. For one tap this is a product A^T B (gemm_tn.h), whose
 * rows are the pixels of x and every second pixel of every second row of dz, read where they are:
 * there is no column matrix, and a chunk of rows of x and the rows of dz under it stay in the cache
 * for all nine taps. Threads and sums are divided as in winograd_dw.c.
 *
 * The 81 products of conv_up_tiles.c in place of these 144 took 0.96 to 1.04 times as long with 16
 * to 128 channels: computing and rereading 81 units of both factors costs what they save. */
#include "cpu/conv/conv_up.h"
#include "cpu/lib/gemm_tn.h"
#include <omp.h>

#define TAPS 9
#define PRIVATE_SUM (128 << 10) /* bytes of sums up to which each thread has its own */
#define CHUNK_BYTES (256 << 10) /* 256 and 512 KiB take the same time, less is slower */
#define CHUNK_ROWS 64
#define PART 48 /* input channels of one task where the sums are shared */

typedef struct layout {
    bool shared;
    int64_t all, rows; /* rows of x: of all samples, of a chunk */
    int64_t x_pixel, x_row, z_pixel, z_row, s_row, s_tap;
} layout;

/* an odd number of cache lines: otherwise pixels read together would share few sets of the cache */
static int64_t padded(int64_t channels) {
    return (chl_round_up(channels, CHL_LANES) / CHL_LANES | 1) * CHL_LANES;
}

static layout lay_out(const chl_conv_job *job) {
    layout l = {.all = job->n * job->in_h};
    l.x_pixel = padded(job->in_c);
    l.x_row = job->in_w * l.x_pixel;
    l.z_pixel = padded(job->out_c);
    l.z_row = (2 * job->in_w + 1) * l.z_pixel;
    l.s_row = chl_round_up(job->out_c, CHL_LANES);
    l.s_tap = job->in_c * l.s_row;
    l.shared = TAPS * l.s_tap * (int64_t)sizeof(float) > PRIVATE_SUM;
    int64_t row = (l.x_row + 2 * l.z_row) * (int64_t)sizeof(float);
    l.rows = chl_max(1, chl_min(chl_min(CHUNK_ROWS, l.all), CHUNK_BYTES / row));
    return l;
}

/* Two rows of dz for a row of x, and one more at the end of a sample and of the chunk. */
static int64_t z_rows(const chl_conv_job *job, const layout *l) {
    return 2 * l->rows + l->rows / job->in_h + 2;
}

static int64_t copy_floats(const chl_conv_job *job, const layout *l) {
    return TAPS * l->s_tap + l->rows * l->x_row + z_rows(job, l) * l->z_row + CHL_LANES;
}

size_t chl_up_weight_gradient_workspace(const chl_conv_job *job) {
    layout l = lay_out(job);
    return (size_t)((l.shared ? 1 : chl_workers()) * copy_floats(job, &l)) * sizeof(float);
}

/* One row of x, times the style. */
static void read_row(const chl_conv_job *job, const layout *l, int64_t row, float *to) {
    const float *from = job->x + row * job->in_w * job->in_c;
    const float *style = job->style ? job->style + row / job->in_h * job->in_c : NULL;
    for (int64_t x = 0; x < job->in_w; x++, to += l->x_pixel, from += job->in_c)
        for (int64_t c = 0; c < job->in_c; c += CHL_LANES) {
            int64_t lanes = chl_min(CHL_LANES, job->in_c - c);
            chl_vec v = chl_load_part(from + c, lanes);
            if (style) v *= chl_load_part(style + c, lanes);
            chl_store(to + c, v);
        }
}

typedef struct chunk {
    int64_t rows, x_at[CHUNK_ROWS], z_at[CHUNK_ROWS];
    int64_t begins[CHUNK_ROWS]; /* rows of dz computed before: 0, or 1 with the row of x before */
} chunk;

static chunk place(const chl_conv_job *job, const layout *l, int64_t first, int64_t rows) {
    chunk c;
    c.rows = rows;
    for (int64_t r = 0; r < rows; r++) {
        c.begins[r] = r > 0 && (first + r) % job->in_h > 0;
        c.x_at[r] = r * l->x_row;
        c.z_at[r] = r == 0 ? 0 : c.z_at[r - 1] + (c.begins[r] ? 2 : 3) * l->z_row;
    }
    return c;
}

static void fill_row(const chl_conv_job *job, const layout *l, const float *g, const chunk *c,
                     int64_t first, int64_t r, float *x, float *z) {
    int64_t row = first + r, n = row / job->in_h, y = row % job->in_h;
    read_row(job, l, row, x + c->x_at[r]);
    for (int64_t k = c->begins[r]; k < 3; k++)
        chl_up_spread_row(job, g + n * 4 * job->in_h * job->in_w * job->out_c, 2 * y + k,
                          z + c->z_at[r] + k * l->z_row, l->z_pixel);
}

/* Input channels from..end of one tap. */
static void add_tap(const chl_conv_job *job, const layout *l, const chunk *c, int64_t tap,
                    int64_t from, int64_t end, const float *x, const float *z, float *sum,
                    bool add) {
    chl_gemm_tn_operands t = {
        .runs = c->rows, .length = job->in_w, .a_at = c->x_at, .b_at = c->z_at};
    t.a = x + from;
    t.lda = l->x_pixel;
    t.b = z + tap / 3 * l->z_row + tap % 3 * l->z_pixel;
    t.ldb = 2 * l->z_pixel;
    chl_gemm_tn(&t, end - from, job->out_c, sum + tap * l->s_tap + from * l->s_row, l->s_row, add);
}

static void sum_private(const chl_conv_job *job, const layout *l, const float *g, float *sum,
                        float *x, float *z) {
    int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    int64_t end = (thread + 1) * l->all / threads;
    memset(sum, 0, (size_t)(TAPS * l->s_tap) * sizeof *sum);
    for (int64_t first = thread * l->all / threads; first < end; first += l->rows) {
        chunk c = place(job, l, first, chl_min(l->rows, end - first));
        for (int64_t r = 0; r < c.rows; r++) fill_row(job, l, g, &c, first, r, x, z);
        for (int64_t tap = 0; tap < TAPS; tap++)
            add_tap(job, l, &c, tap, 0, job->in_c, x, z, sum, true);
    }
#pragma omp barrier
}

static void sum_shared(const chl_conv_job *job, const layout *l, const float *g, float *sum,
                       float *x, float *z) {
    for (int64_t first = 0; first < l->all; first += l->rows) {
        chunk c = place(job, l, first, chl_min(l->rows, l->all - first));
#pragma omp for schedule(static)
        for (int64_t r = 0; r < c.rows; r++) fill_row(job, l, g, &c, first, r, x, z);
#pragma omp for collapse(2) schedule(dynamic)
        for (int64_t tap = 0; tap < TAPS; tap++)
            for (int64_t from = 0; from < job->in_c; from += PART)
                add_tap(job, l, &c, tap, from, chl_min(from + PART, job->in_c), x, z, sum,
                        first > 0);
    }
}

/* dw[o,i,tap] (+)= gain times the sum over `copies`, which lie `step` floats apart. */
static void write_weights(const chl_conv_job *job, const layout *l, const float *sum,
                          int64_t copies, int64_t step, float gain, float *dw, bool accumulate) {
#pragma omp for collapse(2) schedule(static)
    for (int64_t o = 0; o < job->out_c; o += CHL_LANES)
        for (int64_t i = 0; i < job->in_c; i++) {
            chl_vec taps[TAPS];
            for (int tap = 0; tap < TAPS; tap++) {
                const float *from = sum + tap * l->s_tap + i * l->s_row + o;
                taps[tap] = chl_load(from);
                for (int64_t k = 1; k < copies; k++) taps[tap] += chl_load(from + k * step);
            }
            for (int64_t c = 0; c < chl_min(CHL_LANES, job->out_c - o); c++)
                for (int tap = 0; tap < TAPS; tap++)
                    chl_put(dw + ((o + c) * job->in_c + i) * TAPS + tap, gain * taps[tap][c],
                            accumulate);
        }
}

void chl_up_weight_gradient(const chl_conv_job *job, const float *g, float gain, float *dw,
                            bool accumulate, float *workspace) {
    layout l = lay_out(job);
#pragma omp parallel num_threads(chl_workers())
    {
        int64_t copies = l.shared ? 1 : omp_get_num_threads(), step = copy_floats(job, &l);
        float *sum = workspace + (l.shared ? 0 : omp_get_thread_num() * step);
        float *x = sum + TAPS * l.s_tap, *z = x + l.rows * l.x_row;
        if (l.shared)
            sum_shared(job, &l, g, sum, x, z);
        else
            sum_private(job, &l, g, sum, x, z);
        write_weights(job, &l, workspace, copies, step, gain, dw, accumulate);
    }
}
