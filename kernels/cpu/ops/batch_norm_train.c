/* Batch normalisation in training, with the batch's own mean and biased variance.
 *
 * The statistics read x once: blocks small enough to stay in the cache give their mean and their
 * squared deviations from it, and two sets (n, mean, M2) are combined as in [Chan et al. 1979]
 *     M2 = M2a + M2b + (mean_b - mean_a)^2 * na * nb / (na + nb),
 * which does not cancel as sum(x^2) - n mean^2 does. */
#include "cpu/lib/batch_norm.h"

#define BLOCK_FLOATS 8192 /* 32 KiB of x */

typedef struct moments {
    float *mean, *m2; /* [C] each */
    int64_t rows;
} moments;

static void join(moments *a, const moments *b, int64_t channels) {
    const float share = (float)b->rows / (float)(a->rows + b->rows);
    const float weight = (float)a->rows * share;
    for (int64_t c = 0; c < channels; c++) {
        const float step = b->mean[c] - a->mean[c];
        a->mean[c] += share * step;
        a->m2[c] += b->m2[c] + step * step * weight;
    }
    a->rows += b->rows;
}

static void block_moments(moments *m, const float *x, int64_t rows, int64_t channels) {
    m->rows = rows;
    memset(m->mean, 0, (size_t)channels * sizeof(float));
    memset(m->m2, 0, (size_t)channels * sizeof(float));
    for (int64_t row = 0; row < rows; row++)
        for (int64_t c = 0; c < channels; c += CHL_LANES)
            chl_put_part(m->mean + c, chl_load_part(x + row * channels + c, channels - c),
                         channels - c, 1);
    for (int64_t c = 0; c < channels; c++) m->mean[c] /= (float)rows;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t c = 0; c < channels; c += CHL_LANES) {
            const chl_vec d = chl_load_part(x + row * channels + c, channels - c) -
                              chl_load_part(m->mean + c, channels - c);
            chl_put_part(m->m2 + c, d * d, channels - c, 1);
        }
}

/* Moments of a part's rows; scratch holds 2 * channels floats. */
static void part_moments(moments *m, const float *x, int64_t rows, int64_t channels,
                         float *scratch) {
    int64_t block = BLOCK_FLOATS / channels;
    if (block < 4) block = 4;
    moments next = {.mean = scratch, .m2 = scratch + channels};
    for (int64_t begin = 0; begin < rows; begin += block) {
        const int64_t count = rows - begin < block ? rows - begin : block;
        block_moments(begin ? &next : m, x + begin * channels, count, channels);
        if (begin) join(m, &next, channels);
    }
}

/* mean, rstd [C] each; per part mean, m2 and scratch [4,C] */
static size_t forward_workspace(const chl_call *call) {
    const chl_desc *x = &call->in_desc[0];
    return (size_t)((2 + 4 * chl_batch_norm_parts(x)) * chl_channels(x)) * sizeof(float);
}

/* Writes mean and variance of all rows to partial[0 .. 2C). */
static void batch_moments(float *partial, const float *x, const chl_desc *desc) {
    const int64_t channels = chl_channels(desc), rows = chl_count(desc) / channels;
    const int64_t parts = chl_batch_norm_parts(desc);
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t part = 0; part < parts; part++) {
        const int64_t begin = chl_part_begin(rows, part, parts);
        float *own = partial + part * 4 * channels;
        moments m = {.mean = own, .m2 = own + channels};
        part_moments(&m, x + begin * channels, chl_part_begin(rows, part + 1, parts) - begin,
                     channels, own + 2 * channels);
    }
    moments all = {partial, partial + channels, chl_part_begin(rows, 1, parts)};
    for (int64_t part = 1; part < parts; part++) {
        float *own = partial + part * 4 * channels;
        const moments m = {own, own + channels,
                           chl_part_begin(rows, part + 1, parts) -
                               chl_part_begin(rows, part, parts)};
        join(&all, &m, channels);
    }
    for (int64_t c = 0; c < channels; c++) all.m2[c] /= (float)rows;
}

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0], *gamma = call->in[1], *beta = call->in[2];
    float *y = call->out[0], *mean_out = call->out[1], *var_out = call->out[2];
    const chl_desc *desc = &call->in_desc[0];
    const int64_t channels = chl_channels(desc), rows = chl_count(desc) / channels;
    float *scale = call->workspace, *mean = scale + 2 * channels, *var = mean + channels;
    const int accumulate = chl_accumulates(call, 0);
    batch_moments(mean, x, desc);
    if (mean_out) chl_add_parts(mean_out, mean, 1, 0, channels, chl_accumulates(call, 1));
    if (var_out) chl_add_parts(var_out, var, 1, 0, channels, chl_accumulates(call, 2));
    if (!y) return CHL_KERNEL_OK;
    chl_rstd(scale, var, channels, call->attr.norm.eps);
    for (int64_t c = 0; c < channels; c++) scale[c] *= gamma[c];
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t row = 0; row < rows; row++)
        for (int64_t c = 0; c < channels; c += CHL_LANES) {
            const int64_t n = channels - c, at = row * channels + c;
            const chl_vec centred = chl_load_part(x + at, n) - chl_load_part(mean + c, n);
            chl_put_part(y + at, centred * chl_load_part(scale + c, n) + chl_load_part(beta + c, n),
                         n, accumulate);
        }
    return CHL_KERNEL_OK;
}

/* dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)) = scale dy + shift + slope (x - mean) */
static void backward_dx(float *dx, const float *dy, const float *x, const float *mean,
                        const float *scale, const float *shift, const float *slope, int64_t rows,
                        int64_t channels, int accumulate) {
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * channels))
    for (int64_t row = 0; row < rows; row++)
        for (int64_t c = 0; c < channels; c += CHL_LANES) {
            const int64_t n = channels - c, at = row * channels + c;
            const chl_vec centred = chl_load_part(x + at, n) - chl_load_part(mean + c, n);
            chl_put_part(dx + at,
                         chl_load_part(dy + at, n) * chl_load_part(scale + c, n) +
                             centred * chl_load_part(slope + c, n) + chl_load_part(shift + c, n),
                         n, accumulate);
        }
}

/* rstd, scale, shift, slope [C] each, the two sums [2,C], their parts */
static size_t backward_workspace(const chl_call *call) {
    const chl_desc *x = &call->in_desc[1];
    return (size_t)((6 + 2 * chl_batch_norm_parts(x)) * chl_channels(x)) * sizeof(float);
}

static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0], *x = call->in[1], *gamma = call->in[2], *mean = call->in[3];
    float *dx = call->out[0], *dgamma = call->out[1], *dbeta = call->out[2];
    const chl_desc *desc = &call->in_desc[1];
    const int64_t channels = chl_channels(desc), rows = chl_count(desc) / channels;
    float *rstd = call->workspace, *scale = rstd + channels, *shift = scale + channels;
    float *slope = shift + channels, *sums = slope + channels, *partial = sums + 2 * channels;
    chl_rstd(rstd, call->in[4], channels, call->attr.norm.eps);
    chl_batch_norm_sums(sums, partial, dy, x, mean, rstd, desc);
    if (dgamma) chl_add_parts(dgamma, sums, 1, 0, channels, chl_accumulates(call, 1));
    if (dbeta) chl_add_parts(dbeta, sums + channels, 1, 0, channels, chl_accumulates(call, 2));
    if (!dx) return CHL_KERNEL_OK;
    for (int64_t c = 0; c < channels; c++) {
        scale[c] = gamma[c] * rstd[c];
        slope[c] = -scale[c] * rstd[c] * sums[c] / (float)rows;
        shift[c] = -scale[c] * sums[channels + c] / (float)rows;
    }
    backward_dx(dx, dy, x, mean, scale, shift, slope, rows, channels, chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_batch_norm_train = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_batch_norm_train_backward = {.run = backward,
                                                    .workspace = backward_workspace};
