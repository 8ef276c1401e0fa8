#include "train/gan_draws.h"
#include "base/random.h"
#include "graph/build.h"
#include <math.h>

#define PURPOSE 0x67616e00u /* Philox purposes of 64 draws of each of 4 phases */
#define DRAWS 64
enum { DRAW_Z, DRAW_OTHER, DRAW_MIX, DRAW_PATTERN, DRAW_NOISE, DRAW_LABEL = DRAWS - 1 };

/* --- building --------------------------------------------------------------------------------- */
void chl_gan_draws_build(chl_trainer *t, const chl_gan_network *network, int classes,
                         uint32_t phase, int n, bool pattern, chl_gan_draws *out) {
    chl_graph *g = t->graph;
    const int side = network->resolution;
    int64_t largest = 3 * (int64_t)side * side;
    if (largest < network->z_dim) largest = network->z_dim;
    if (largest < classes) largest = classes;
    *out = (chl_gan_draws){.purpose = PURPOSE + DRAWS * phase,
                           .n = n,
                           .rows = network->rows,
                           .side = side,
                           .z_dim = network->z_dim,
                           .classes = classes,
                           .noises = network->noises,
                           .mixing = t->options->mixing};
    out->z = chl_input(g, "z", chl_f32(2, n, network->z_dim));
    if (out->mixing > 0) {
        out->other = chl_input(g, "other z", chl_f32(2, n, network->z_dim));
        out->mix = chl_input(g, "mix", chl_f32(2, n, network->rows));
    }
    if (classes > 0) out->label = chl_input(g, "label", chl_f32(2, n, classes));
    for (int row = 0; row < network->noises; row++) {
        const int r = network->noise_side[row];
        out->noise[row] = chl_input(g, "noise", chl_f32(3, n, r, r));
    }
    if (pattern) out->pattern = chl_input(g, "pattern", chl_f32(4, n, side, side, 3));
    out->buffer = chl_trainer_memory(t, n * largest, sizeof *out->buffer);
}

/* The mean over the batch, and over the ranks, moves the stored one. */
static void follow_centre(chl_trainer *t, chl_net *states, float decay, chl_tensor w) {
    chl_graph *g = t->graph;
    if (w == CHL_NONE || chl_graph_status(g) != CHL_OK) return;
    const chl_desc d = *chl_desc_of(g, w);
    const chl_tensor mean = chl_mean_pool(g, chl_reshape(g, w, chl_f32(3, 1, d.dim[0], d.dim[1])));
    chl_trainer_track(t, chl_weight(states, "mapping.w_avg"), mean, decay);
}

/* w where mix is 0, the other where it is 1 */
static chl_tensor mixed(chl_graph *g, const chl_gan_draws *d, chl_tensor w, chl_tensor other) {
    if (w == CHL_NONE || other == CHL_NONE) return CHL_NONE;
    const int width = (int)chl_desc_of(g, w)->dim[2];
    const chl_tensor ones = chl_filled(g, chl_f32(2, width, 1), 1);
    const chl_tensor mask =
        chl_linear(g, chl_reshape(g, d->mix, chl_f32(3, d->n, d->rows, 1)), ones, CHL_NONE);
    const chl_tensor ends[] = {other, w};
    const chl_tensor apart = chl_sum(g, 0, 2, (const float[]){1, -1}, ends);
    return chl_add(g, w, chl_mul(g, mask, apart));
}

chl_tensor chl_gan_paint(chl_trainer *t, chl_net *net, const chl_gan_network *network,
                         const chl_gan_draws *d, const chl_gan_follow *follow, chl_tensor *codes) {
    chl_graph *g = t->graph;
    const chl_tensor w = chl_gan_map(net, network, d->z, d->label);
    if (follow->centre) follow_centre(t, follow->states, network->centre_decay, w);
    *codes = chl_gan_rows(g, network, w);
    if (d->mixing > 0) {
        const chl_tensor other = chl_gan_map(net, network, d->other, d->label);
        *codes = mixed(g, d, *codes, chl_gan_rows(g, network, other));
    } else if (*codes != CHL_NONE) {
        *codes = chl_scale(g, *codes, 1); /* a tensor of its own */
    }
    return chl_gan_synthesize(net, network, *codes, d->noise, follow->magnitudes);
}

/* --- feeding ---------------------------------------------------------------------------------- */
static double uniform(uint32_t word) {
    return ((double)word + 0.5) * 0x1p-32;
}

/* Box and Muller, two at a time */
static void two_normals(uint32_t a, uint32_t b, float *out, int64_t count) {
    const double radius = sqrt(-2 * log(uniform(a))), angle = 2 * M_PI * uniform(b);
    if (count > 0) out[0] = (float)(radius * cos(angle));
    if (count > 1) out[1] = (float)(radius * sin(angle));
}

void chl_gan_normals(const chl_trainer *t, int n, uint32_t purpose, int64_t index, int64_t count,
                     chl_gan_place *place, float *out) {
    const uint64_t seed = t->options->seed;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        const uint64_t of_sample = (uint64_t)place(t, i) << 32;
        float *own = out + i * count;
        for (int64_t k = 0; k < count; k += 4) {
            const chl_philox r =
                chl_random(seed, purpose, (uint64_t)index, of_sample | (uint64_t)(k / 4));
            two_normals(r.word[0], r.word[1], own + k, count - k);
            two_normals(r.word[2], r.word[3], own + k + 2, count - k - 2);
        }
    }
}

static chl_status feed_normals(chl_trainer *t, const chl_gan_draws *d, uint32_t draw, int64_t index,
                               chl_tensor input, chl_gan_place *place) {
    const int64_t count = chl_count(chl_desc_of(t->graph, input)) / d->n;
    chl_gan_normals(t, d->n, d->purpose + draw, index, count, place, d->buffer);
    return chl_trainer_write(t, input, d->buffer);
}

/* From one row on, the same for the whole batch, all are the other's: with probability `mixing`. */
static chl_status feed_mix(chl_trainer *t, const chl_gan_draws *d, int64_t index) {
    const chl_philox r = chl_random(t->options->seed, d->purpose + DRAW_MIX, (uint64_t)index, 0);
    const bool mixes = chl_uniform(r.word[0]) < d->mixing;
    const int64_t from = mixes ? 1 + chl_random_below(r.word[1], d->rows - 1) : d->rows;
    for (int i = 0; i < d->n * d->rows; i++) d->buffer[i] = i % d->rows >= from;
    return chl_trainer_write(t, d->mix, d->buffer);
}

/* As often as the data set has them. */
static chl_status feed_labels(chl_trainer *t, const chl_gan_draws *d, int64_t index,
                              chl_gan_place *place) {
    for (int i = 0; i < d->n; i++) {
        const chl_philox r = chl_random(t->options->seed, d->purpose + DRAW_LABEL, (uint64_t)index,
                                        (uint64_t)place(t, i));
        const int64_t sample = chl_random_below(r.word[0], t->data->count);
        for (int k = 0; k < d->classes; k++)
            d->buffer[i * d->classes + k] = k == t->data->sample[sample].label_id;
    }
    return chl_trainer_write(t, d->label, d->buffer);
}

chl_status chl_gan_draws_feed(chl_trainer *t, const chl_gan_draws *d, int64_t index,
                              chl_gan_place *place) {
    if (d->classes > 0) CHL_TRY(feed_labels(t, d, index, place));
    CHL_TRY(feed_normals(t, d, DRAW_Z, index, d->z, place));
    if (d->mixing > 0) {
        CHL_TRY(feed_normals(t, d, DRAW_OTHER, index, d->other, place));
        CHL_TRY(feed_mix(t, d, index));
    }
    for (int row = 0; row < d->noises; row++)
        CHL_TRY(feed_normals(t, d, DRAW_NOISE + (uint32_t)row, index, d->noise[row], place));
    return d->pattern == CHL_NONE ? CHL_OK
                                  : feed_normals(t, d, DRAW_PATTERN, index, d->pattern, place);
}
