#include "train/gan_augment.h"
#include "graph/ops/compose.h"
#include <math.h>

/* The low-pass filter of the wavelet sym6 [Daubechies 1992], of sum 1. */
enum { TAPS = 12, PAD = TAPS / 4 };
static const float sym6[TAPS] = {0.0108923502f,  0.0024683062f, -0.0834316077f, -0.0341615608f,
                                 0.3472289865f,  0.5569463920f, 0.2389521857f,  -0.0513624849f,
                                 -0.0148918756f, 0.0316252813f, 0.0012499610f,  -0.0055159338f};
#define PURPOSE_GRAIN 0x100 /* beside the purpose of the transformations */

/* The picture with its reflections is 3 side - 2 pixels wide: none of the edges twice. */
static int padded(int side) {
    return 3 * side - 2;
}
/* Pixels of the doubled map that are sampled, on a side. */
static int sampled(int side) {
    return 2 * (side + 2 * PAD);
}

/* --- building --------------------------------------------------------------------------------- */
void chl_gan_augment_build(chl_trainer *t, const chl_gan_pipe *pipe, int side, int n,
                           chl_gan_augment *out) {
    const int64_t places = (int64_t)sampled(side) * sampled(side);
    const chl_desc ids = chl_i32(2, n, (int)places), shares = chl_f32(1, (int)(n * places));
    *out = (chl_gan_augment){.pipe = *pipe, .n = n, .side = side};
    out->geometry = pipe->xflip > 0 || pipe->scale > 0;
    out->colour = pipe->brightness > 0;
    out->filter = pipe->filter > 0;
    out->noise = pipe->noise > 0;
    out->cutout = pipe->cutout > 0;
    const chl_desc pixels = chl_f32(4, n, side, side, 3);
    for (int i = 0; i < CHL_GAN_WEIGHTS && out->filter; i++)
        out->band[i] = chl_input(t->graph, "weights of octaves", chl_f32(1, n));
    if (out->noise) out->grain = chl_input(t->graph, "grain", pixels);
    if (out->cutout) out->mask = chl_input(t->graph, "mask", pixels);
    out->bands = chl_trainer_memory(t, (int64_t)CHL_GAN_WEIGHTS * n, sizeof *out->bands);
    out->grains = chl_trainer_memory(t, out->noise ? chl_count(&pixels) : 1, sizeof *out->grains);
    out->masks = chl_trainer_memory(t, out->cutout ? chl_count(&pixels) : 1, sizeof *out->masks);
    for (int i = 0; i < 4 && out->geometry; i++) {
        out->taps[i] = chl_input(t->graph, "sampled pixels", ids);
        out->share[i] = chl_input(t->graph, "their shares", shares);
    }
    for (int i = 0; i < 3 && out->colour; i++)
        out->factor[i] = chl_input(t->graph, "colours", chl_f32(2, n, 3));
    if (out->colour) out->shift = chl_input(t->graph, "shift of colours", chl_f32(2, n, 3));
    if (out->geometry) {
        out->tap_numbers = chl_trainer_memory(t, 4 * n * places, sizeof *out->tap_numbers);
        out->share_numbers = chl_trainer_memory(t, 4 * n * places, sizeof *out->share_numbers);
    }
    out->colours = chl_trainer_memory(t, (int64_t)12 * n, sizeof *out->colours);
    out->transform = chl_trainer_memory(t, n, sizeof *out->transform);
}

static chl_tensor resample(chl_graph *g, chl_tensor x, bool up) {
    float backwards[TAPS];
    for (int i = 0; i < TAPS; i++) backwards[i] = sym6[TAPS - 1 - i];
    const chl_tensor filter = chl_constant(g, "sym6", chl_f32(1, TAPS), up ? sym6 : backwards);
    const chl_tensor zero = chl_filled(g, chl_f32(1, 3), 0);
    const chl_filtered settings = {.up = up ? 2 : 1,
                                   .down = up ? 1 : 2,
                                   .before = up ? TAPS / 2 : -1,
                                   .after = up ? TAPS / 2 - 1 : -1,
                                   .gain = 1,
                                   .slope = 1};
    return chl_filtered_lrelu(g, x, zero, up ? filter : CHL_NONE, up ? CHL_NONE : filter,
                              &settings);
}

static chl_tensor move(chl_graph *g, const chl_gan_augment *a, chl_tensor x) {
    const int wide = padded(a->side), side = sampled(a->side);
    chl_tensor part[4];
    x = resample(g, chl_gan_reflect(g, x, a->side - 1), true);
    const chl_tensor table = chl_reshape(g, x, chl_f32(2, 4 * a->n * wide * wide, 3));
    for (int i = 0; i < 4; i++)
        part[i] = chl_scale_rows(g, chl_embedding(g, a->taps[i], table), a->share[i]);
    x = chl_sum(g, 0, 4, (const float[]){1, 1, 1, 1}, part);
    return resample(g, chl_reshape(g, x, chl_f32(4, a->n, side, side, 3)), false);
}

/* Channel c of `turn` is channel c + i of x. */
static chl_tensor paint_over(chl_graph *g, const chl_gan_augment *a, chl_tensor x) {
    const chl_desc desc = *chl_desc_of(g, x);
    chl_tensor part[4];
    for (int i = 0; i < 3; i++) {
        float turn[9] = {0};
        for (int c = 0; c < 3; c++) turn[3 * c + (c + i) % 3] = 1;
        const chl_tensor matrix = chl_constant(g, "turn", chl_f32(2, 3, 3), turn);
        part[i] = chl_channel_scale(g, chl_linear(g, x, matrix, CHL_NONE), a->factor[i]);
    }
    part[3] = chl_channel_scale(g, chl_filled(g, desc, 1), a->shift);
    return chl_sum(g, 0, 4, (const float[]){1, 1, 1, 1}, part);
}

chl_tensor chl_gan_augment_nodes(chl_graph *g, const chl_gan_augment *a, chl_tensor pictures) {
    if (pictures == CHL_NONE || chl_graph_status(g) != CHL_OK) return CHL_NONE;
    if (a->geometry) pictures = move(g, a, pictures);
    if (a->colour && pictures != CHL_NONE) pictures = paint_over(g, a, pictures);
    if (a->filter && pictures != CHL_NONE) pictures = chl_gan_filter(g, pictures, a->band);
    if (a->noise) pictures = chl_add(g, pictures, a->grain);
    return a->cutout ? chl_mul(g, pictures, a->mask) : pictures;
}

/* --- feeding ---------------------------------------------------------------------------------- */
/* Pixel (x, y) of the map that is sampled: four pixels of picture `i`'s doubled map around the place that
 * the transform has it from. Outside that map there is 0. */
static void sample_place(const chl_gan_augment *a, const double *m, int i, int x, int y) {
    const int wide = 2 * padded(a->side), side = sampled(a->side);
    const int64_t places = (int64_t)a->n * side * side, at = ((int64_t)i * side + y) * side + x;
    const double cx = (x - 0.5 * (side - 1) + 0.5) / 2, cy = (y - 0.5 * (side - 1) + 0.5) / 2;
    const double u = 2 * (m[0] * cx + m[1] * cy + m[2]) - 0.5 + 0.5 * (wide - 1);
    const double v = 2 * (m[3] * cx + m[4] * cy + m[5]) - 0.5 + 0.5 * (wide - 1);
    const double left = floor(u), top = floor(v);
    for (int k = 0; k < 4; k++) {
        const double px = left + (k & 1), py = top + (k >> 1);
        const bool inside = px >= 0 && py >= 0 && px < wide && py < wide;
        const double share = (1 - fabs(u - px)) * (1 - fabs(v - py));
        a->tap_numbers[k * places + at] =
            inside ? (int32_t)(((int64_t)i * wide + (int64_t)py) * wide + (int64_t)px) : 0;
        a->share_numbers[k * places + at] = inside ? (float)share : 0;
    }
}

/* 0 in the square, 1 around it */
static void cut(const chl_gan_augment *a, const double *c, float *mask) {
    for (int k = 0; k < 3 * a->side * a->side; k++) {
        const int column = k / 3 % a->side, row = k / 3 / a->side;
        const double x = (column + 0.5) / a->side, y = (row + 0.5) / a->side;
        mask[k] = fabs(x - c[1]) >= c[0] / 2 || fabs(y - c[2]) >= c[0] / 2;
    }
}

static void corrupt(const chl_gan_augment *a, const chl_gan_transform *t, int i) {
    const int64_t count = 3 * (int64_t)a->side * a->side;
    double weight[CHL_GAN_WEIGHTS];
    chl_gan_band_weights(t->band, weight);
    for (int k = 0; k < CHL_GAN_WEIGHTS; k++) a->bands[k * a->n + i] = (float)weight[k];
    for (int64_t k = 0; k < count && a->noise; k++)
        a->grains[i * count + k] = (float)(t->noise * (double)a->grains[i * count + k]);
    if (a->cutout) cut(a, t->cut, a->masks + i * count);
}

void chl_gan_augment_numbers(const chl_gan_augment *a, const chl_gan_transform *transform) {
    const int side = sampled(a->side);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < a->n; i++) {
        const chl_gan_transform *t = &transform[i];
        for (int k = 0; k < side * side && a->geometry; k++)
            sample_place(a, t->geometry, i, k % side, k / side);
        for (int c = 0; c < 3; c++) {
            for (int k = 0; k < 3; k++)
                a->colours[(k * a->n + i) * 3 + c] = (float)t->colour[4 * c + (c + k) % 3];
            a->colours[(3 * a->n + i) * 3 + c] = (float)t->colour[4 * c + 3];
        }
        corrupt(a, t, i);
    }
}

chl_status chl_gan_augment_write(chl_trainer *t, const chl_gan_augment *a, chl_gan_write *write) {
    const int64_t places = (int64_t)a->n * sampled(a->side) * sampled(a->side);
    for (int k = 0; k < 4 && a->geometry; k++) {
        CHL_TRY(write(t, a->taps[k], a->tap_numbers + k * places));
        CHL_TRY(write(t, a->share[k], a->share_numbers + k * places));
    }
    for (int k = 0; k < 3 && a->colour; k++)
        CHL_TRY(write(t, a->factor[k], a->colours + (int64_t)3 * a->n * k));
    if (a->colour) CHL_TRY(write(t, a->shift, a->colours + (int64_t)9 * a->n));
    for (int k = 0; k < CHL_GAN_WEIGHTS && a->filter; k++)
        CHL_TRY(write(t, a->band[k], a->bands + (int64_t)k * a->n));
    if (a->noise) CHL_TRY(write(t, a->grain, a->grains));
    return a->cutout ? write(t, a->mask, a->masks) : CHL_OK;
}

chl_status chl_gan_augment_feed(chl_trainer *t, const chl_gan_augment *a, float p, uint32_t purpose,
                                int64_t index, chl_gan_place *place) {
    const uint64_t seed = t->options->seed;
    for (int i = 0; i < a->n; i++)
        chl_gan_transform_draw(&a->pipe, p, a->side, seed, purpose, (uint64_t)index,
                               (uint64_t)place(t, i), &a->transform[i]);
    if (a->noise)
        chl_gan_normals(t, a->n, purpose + PURPOSE_GRAIN, index, 3 * (int64_t)a->side * a->side,
                        place, a->grains);
    chl_gan_augment_numbers(a, a->transform);
    return chl_gan_augment_write(t, a, chl_trainer_write);
}
