/* The draws of an augmentation, as matrices. */
#include "base/random.h"
#include "train/gan_augment.h"
#include <math.h>
#include <string.h>

/* upstream's constants */
#define XINT_MAX 0.125
#define SCALE_STD 0.2
#define ANISO_STD 0.2
#define XFRAC_STD 0.125
#define BRIGHTNESS_STD 0.2
#define CONTRAST_STD 0.5
#define SATURATION_STD 1.0
#define FILTER_STD 1.0
#define NOISE_STD 0.1
#define CUTOUT_SIDE 0.5
/* Of a usual picture's bands; most is in the lowest. */
static const double expected_power[CHL_GAN_BANDS] = {10.0 / 13, 1.0 / 13, 1.0 / 13, 1.0 / 13};

/* --- pipes ------------------------------------------------------------------------------------ */
static const struct {
    const char *name;
    chl_gan_pipe pipe;
} pipes[] = {
    {"none", {.xflip = 0}},
    {"blit", {.xflip = 1, .rotate90 = 1, .xint = 1}},
    {"geom", {.scale = 1, .rotate = 1, .aniso = 1, .xfrac = 1}},
    {"color", {.brightness = 1, .contrast = 1, .lumaflip = 1, .hue = 1, .saturation = 1}},
    {"filter", {.filter = 1}},
    {"noise", {.noise = 1}},
    {"cutout", {.cutout = 1}},
    {"bg", {1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"bgc", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}},
    {"bgcf", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}},
    {"bgcfn", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0}},
    {"bgcfnc", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
};

chl_status chl_gan_pipe_find(const char *name, chl_gan_pipe *out) {
    for (size_t i = 0; i < sizeof pipes / sizeof pipes[0]; i++)
        if (!name || strcmp(pipes[i].name, name) == 0) {
            *out = pipes[i].pipe;
            return CHL_OK;
        }
    return chl_fail(
        CHL_ERR_ARGUMENT,
        "augment must be none, blit, geom, color, filter, noise, cutout, bg, bgc, bgcf, "
        "bgcfn or bgcfnc, got \"%s\"",
        name);
}

/* --- draws ------------------------------------------------------------------------------------ */
typedef struct dice {
    uint64_t seed, step, element;
    uint32_t purpose;
    double p;
    double uniform[2], normal[2]; /* of the last throw */
} dice;

/* One block of words each: two for the values, one for the chance. Returns whether it is applied. */
static bool throw_dice(dice *d, double probability) {
    const chl_philox r = chl_random(d->seed, d->purpose, d->step, d->element++);
    for (int i = 0; i < 2; i++) d->uniform[i] = ((double)r.word[i] + 0.5) * 0x1p-32;
    const double radius = sqrt(-2 * log(d->uniform[0])), angle = 2 * M_PI * d->uniform[1];
    d->normal[0] = radius * cos(angle);
    d->normal[1] = radius * sin(angle);
    return ((double)r.word[2] + 0.5) * 0x1p-32 < probability;
}

/* m = left right, each [n][n], in place of `left` or of `right` */
static void multiply(int n, const double *left, const double *right, double *m) {
    double out[16] = {0};
    for (int r = 0; r < n; r++)
        for (int c = 0; c < n; c++)
            for (int k = 0; k < n; k++) out[r * n + c] += left[r * n + k] * right[k * n + c];
    memcpy(m, out, sizeof(double) * (size_t)(n * n));
}

/* --- geometry: each map is multiplied from the right, and is the inverse of what it does -------- */
static void then_linear(double *g, double a, double b, double c, double d) {
    multiply(3, g, (const double[]){a, b, 0, c, d, 0, 0, 0, 1}, g);
}
static void then_scale(double *g, double x, double y) {
    then_linear(g, 1 / x, 0, 0, 1 / y);
}
/* rotate2d_inv(-theta) */
static void then_rotate(double *g, double theta) {
    then_linear(g, cos(theta), -sin(theta), sin(theta), cos(theta));
}
static void then_translate(double *g, double x, double y) {
    multiply(3, g, (const double[]){1, 0, -x, 0, 1, -y, 0, 0, 1}, g);
}

static void draw_geometry(const chl_gan_pipe *pipe, dice *d, double side, double *g) {
    const double rotation = 1 - sqrt(fmin(fmax(1 - (double)pipe->rotate * d->p, 0), 1));
    if (throw_dice(d, (double)pipe->xflip * d->p))
        then_scale(g, 1 - 2 * floor(2 * d->uniform[0]), 1);
    if (throw_dice(d, (double)pipe->rotate90 * d->p))
        then_rotate(g, M_PI / 2 * floor(4 * d->uniform[0]));
    if (throw_dice(d, (double)pipe->xint * d->p))
        then_translate(g, nearbyint((2 * d->uniform[0] - 1) * XINT_MAX * side),
                       nearbyint((2 * d->uniform[1] - 1) * XINT_MAX * side));
    if (throw_dice(d, (double)pipe->scale * d->p)) {
        const double s = exp2(SCALE_STD * d->normal[0]);
        then_scale(g, s, s);
    }
    if (throw_dice(d, rotation)) then_rotate(g, M_PI * (2 * d->uniform[0] - 1));
    if (throw_dice(d, (double)pipe->aniso * d->p)) {
        const double s = exp2(ANISO_STD * d->normal[0]);
        then_scale(g, s, 1 / s);
    }
    if (throw_dice(d, rotation)) then_rotate(g, M_PI * (2 * d->uniform[0] - 1));
    if (throw_dice(d, (double)pipe->xfrac * d->p))
        then_translate(g, XFRAC_STD * d->normal[0] * side, XFRAC_STD * d->normal[1] * side);
}

/* --- colours: each map is multiplied from the left ---------------------------------------------- */
/* a I + b v v^T on colours, v = (1,1,1)/sqrt(3), and `turn` times the turn by 90 degrees about v */
static void then_about_grey(double *c, double a, double b, double turn) {
    const double m = b / 3, t = turn / sqrt(3);
    const double matrix[16] = {a + m, m - t, m + t, 0, m + t, a + m, m - t, 0,
                               m - t, m + t, a + m, 0, 0,     0,     0,     1};
    multiply(4, matrix, c, c);
}

static void draw_colour(const chl_gan_pipe *pipe, dice *d, double *c) {
    if (throw_dice(d, (double)pipe->brightness * d->p))
        for (int i = 0; i < 3; i++) c[4 * i + 3] += BRIGHTNESS_STD * d->normal[0];
    if (throw_dice(d, (double)pipe->contrast * d->p))
        then_about_grey(c, exp2(CONTRAST_STD * d->normal[0]), 0, 0);
    if (throw_dice(d, (double)pipe->lumaflip * d->p))
        then_about_grey(c, 1, -2 * floor(2 * d->uniform[0]), 0);
    if (throw_dice(d, (double)pipe->hue * d->p)) {
        const double theta = M_PI * (2 * d->uniform[0] - 1);
        then_about_grey(c, cos(theta), 1 - cos(theta), sin(theta));
    }
    if (throw_dice(d, (double)pipe->saturation * d->p)) {
        const double s = exp2(SATURATION_STD * d->normal[0]);
        then_about_grey(c, s, 1 - s, 0);
    }
}

/* --- filters and corruptions ------------------------------------------------------------------- */
static void draw_bands(const chl_gan_pipe *pipe, dice *d, double *gain) {
    for (int i = 0; i < CHL_GAN_BANDS; i++) gain[i] = 1;
    for (int i = 0; i < CHL_GAN_BANDS; i++) {
        const bool happens = throw_dice(d, (double)pipe->filter * d->p);
        const double own = happens ? exp2(FILTER_STD * d->normal[0]) : 1;
        double power = 0;
        for (int k = 0; k < CHL_GAN_BANDS; k++)
            power += expected_power[k] * (k == i ? own * own : 1);
        for (int k = 0; k < CHL_GAN_BANDS; k++) gain[k] *= (k == i ? own : 1) / sqrt(power);
    }
}

static void draw_corruptions(const chl_gan_pipe *pipe, dice *d, chl_gan_transform *out) {
    out->noise = throw_dice(d, (double)pipe->noise * d->p) ? NOISE_STD * fabs(d->normal[0]) : 0;
    out->cut[0] = throw_dice(d, (double)pipe->cutout * d->p) ? CUTOUT_SIDE : 0;
    out->cut[1] = d->uniform[0];
    out->cut[2] = d->uniform[1];
}

void chl_gan_transform_draw(const chl_gan_pipe *pipe, float p, int side, uint64_t seed,
                            uint32_t purpose, uint64_t step, uint64_t place,
                            chl_gan_transform *out) {
    dice d = {
        .seed = seed, .step = step, .element = place << 32, .purpose = purpose, .p = (double)p};
    double g[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, c[16] = {0};
    for (int i = 0; i < 4; i++) c[5 * i] = 1;
    draw_geometry(pipe, &d, side, g);
    draw_colour(pipe, &d, c);
    draw_bands(pipe, &d, out->band);
    draw_corruptions(pipe, &d, out);
    memcpy(out->geometry, g, sizeof out->geometry);
    memcpy(out->colour, c, sizeof out->colour);
}
