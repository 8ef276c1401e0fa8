#include "cpu/conv/conv_up.h"

/* Pixels that are fetched ahead from the row of g that nobody has read before. */
#define AHEAD 9

static const float filter[4] = {0.25f, 0.75f, 0.75f, 0.25f}; /* gain 2 in each direction */

chl_up_z chl_up_z_of(const chl_conv_job *job) {
    chl_up_z z = {.pixel = chl_round_up(job->out_c, CHL_LANES)};
    z.row = (2 * job->in_w + 3) * z.pixel + CHL_LANES;
    return z;
}

static inline chl_vec weighted(chl_vec v0, chl_vec v1, chl_vec v2, chl_vec v3) {
    return filter[0] * (v0 + v3) + filter[1] * (v1 + v2);
}
static inline chl_vec filtered(const float *const z[4], int64_t at) {
    return weighted(chl_load(z[0] + at), chl_load(z[1] + at), chl_load(z[2] + at),
                    chl_load(z[3] + at));
}

/* Computes one row of the output from the four rows of z around it: vertically, then horizontally
 * with a sliding window. */
static inline __attribute__((always_inline)) void
filter_row(chl_epilogue_kind kind, const chl_conv_job *job, const chl_epilogue *epilogue,
           const chl_up_z *l, int64_t n, int64_t y, const float *const z[4]) {
    int64_t width = 2 * job->in_w;
    for (int64_t c = 0; c < job->out_c; c += CHL_LANES) {
        chl_epilogue_lane lane = chl_epilogue_open(epilogue, n, c);
        chl_vec v0 = filtered(z, c), v1 = filtered(z, c + l->pixel);
        chl_vec v2 = filtered(z, c + 2 * l->pixel);
        for (int64_t x = 0; x < width; x++) {
            chl_vec v3 = filtered(z, c + (x + 3) * l->pixel);
            chl_epilogue_put(kind, epilogue, &lane, y * width + x, weighted(v0, v1, v2, v3));
            v0 = v1;
            v1 = v2;
            v2 = v3;
        }
    }
}

void chl_up_filter(const chl_conv_job *job, const chl_epilogue *epilogue, const chl_up_z *l,
                   int64_t n, int64_t first, int64_t end, float *z) {
    int64_t from = first ? 2 * first - 2 : 0;
    int64_t to = end == job->in_h ? 2 * job->in_h : 2 * end - 2;
#pragma omp for schedule(static)
    for (int64_t y = from; y < to; y++) {
        const float *rows[4];
        for (int k = 0; k < 4; k++) rows[k] = chl_up_z_row(l, z, first, y - 1 + k);
        if (epilogue->kind == CHL_EPILOGUE_ACTIVATE)
            filter_row(CHL_EPILOGUE_ACTIVATE, job, epilogue, l, n, y, rows);
        else
            filter_row(CHL_EPILOGUE_PLAIN, job, epilogue, l, n, y, rows);
    }
    /* divided by columns: with few rows in a band a row is both read and written here, in this
     * order */
    int64_t moved = 2 * (end - first) * l->row;
#pragma omp for schedule(static)
    for (int64_t x = 0; x < 2 * job->in_w + 3; x++)
        for (int64_t row = 0; row < CHL_UP_CARRIED; row++) {
            float *pixel = z + row * l->row + x * l->pixel;
            memcpy(pixel, pixel + moved, (size_t)l->pixel * sizeof *z);
        }
}

/* Column x of the four rows of g, summed vertically; zeros outside. `whole`: all four rows and a
 * full vector exist. */
static inline __attribute__((always_inline)) chl_vec gathered(bool whole, const float *const g[4],
                                                              int64_t at, int64_t lanes) {
    if (whole) return filtered(g, at);
    chl_vec v[4] = {{0}, {0}, {0}, {0}};
    for (int k = 0; k < 4; k++)
        if (g[k]) v[k] = chl_load_part(g[k] + at, lanes);
    return weighted(v[0], v[1], v[2], v[3]);
}

static inline __attribute__((always_inline)) void spread_vector(bool whole, const float *const g[4],
                                                                int64_t width, int64_t channels,
                                                                int64_t c, int64_t lanes, float *dz,
                                                                int64_t pixel) {
    chl_vec v0 = {0}, v1 = {0}, v2 = gathered(whole, g, c, lanes);
    for (int64_t x = 0; x <= width; x++) {
        chl_vec v3 = {0};
        if (whole) __builtin_prefetch(g[3] + (x + AHEAD) * channels + c);
        if (x + 1 < width) v3 = gathered(whole, g, (x + 1) * channels + c, lanes);
        chl_store_part(dz + x * pixel + c, weighted(v0, v1, v2, v3), lanes);
        v0 = v1;
        v1 = v2;
        v2 = v3;
    }
}

void chl_up_spread_row(const chl_conv_job *job, const float *g, int64_t row, float *dz,
                       int64_t pixel) {
    int64_t width = 2 * job->in_w, height = 2 * job->in_h, channels = job->out_c;
    const float *rows[4];
    bool inside = true;
    for (int k = 0; k < 4; k++) {
        int64_t y = row - 2 + k;
        rows[k] = y >= 0 && y < height ? g + y * width * channels : NULL;
        inside = inside && rows[k];
    }
    for (int64_t c = 0; c < channels; c += CHL_LANES) {
        int64_t lanes = chl_min(CHL_LANES, channels - c);
        if (inside && lanes == CHL_LANES)
            spread_vector(true, rows, width, channels, c, CHL_LANES, dz, pixel);
        else
            spread_vector(false, rows, width, channels, c, lanes, dz, pixel);
    }
}

void chl_up_spread(const chl_conv_job *job, const float *g, int64_t first, int64_t end, float *dz) {
    int64_t dz_row = (2 * job->in_w + 1) * job->out_c;
#pragma omp for schedule(static)
    for (int64_t row = 2 * first; row <= 2 * end; row++)
        chl_up_spread_row(job, g, row, dz + (row - 2 * first) * dz_row, job->out_c);
}
