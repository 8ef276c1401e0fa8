/* Sky, hills, trees and the house: what no sound determines. */
#include "demo/world/canvas.h"

#define MAX_SIDE 1024

typedef struct disc {
    float x, y, radius;
    chl_colour colour;
    float halo;
} disc;

/* The moon, and the sun at dawn, noon and dusk: each at its place, as visible as its quarter's
 * weight. */
static const disc discs[4] = {{0.27f, 0.17f, 0.070f, {0.95f, 0.95f, 0.86f}, 0.30f},
                              {0.17f, 0.37f, 0.075f, {1.00f, 0.95f, 0.80f}, 0.55f},
                              {0.76f, 0.15f, 0.070f, {1.00f, 0.98f, 0.85f}, 0.50f},
                              {0.83f, 0.38f, 0.095f, {1.00f, 0.80f, 0.40f}, 0.65f}};

static const chl_colour zenith[4] = {
    {0.03f, 0.04f, 0.15f}, {0.45f, 0.55f, 0.82f}, {0.16f, 0.46f, 0.90f}, {0.26f, 0.15f, 0.44f}};
static const chl_colour horizon[4] = {
    {0.17f, 0.21f, 0.43f}, {1.00f, 0.80f, 0.72f}, {0.78f, 0.91f, 1.00f}, {1.00f, 0.47f, 0.18f}};

static chl_colour by_quarter(const chl_canvas *canvas, const chl_colour colours[4]) {
    chl_colour sum = {0, 0, 0};
    for (int q = 0; q < 4; q++) {
        sum.r += canvas->quarter[q] * colours[q].r;
        sum.g += canvas->quarter[q] * colours[q].g;
        sum.b += canvas->quarter[q] * colours[q].b;
    }
    return sum;
}

static chl_colour by_season(float season, const chl_colour colours[3]) {
    return season < 0.5f ? chl_blend(colours[0], colours[1], 2 * season)
                         : chl_blend(colours[1], colours[2], 2 * season - 1);
}

static void paint_stars(const chl_canvas *canvas) {
    static const float star[][2] = {{0.08f, 0.09f}, {0.15f, 0.30f}, {0.42f, 0.07f}, {0.47f, 0.27f},
                                    {0.58f, 0.14f}, {0.66f, 0.31f}, {0.73f, 0.06f}, {0.80f, 0.22f},
                                    {0.91f, 0.11f}, {0.93f, 0.33f}};
    float night = canvas->quarter[0];
    if (night <= 0) return;
    for (size_t s = 0; s < sizeof star / sizeof *star; s++) {
        float radius = 0.017f;
        chl_box box = chl_box_of(canvas, star[s][0] - radius, star[s][1] - radius,
                                 star[s][0] + radius, star[s][1] + radius);
        CHL_EACH_PIXEL(canvas, box) {
            float dx = CHL_X(canvas) - star[s][0], dy = CHL_Y(canvas) - star[s][1];
            float near = chl_unit(1.15f - sqrtf(dx * dx + dy * dy) / radius);
            chl_shine(canvas->pixels + 3 * i, (chl_colour){1, 1, 0.9f}, 0.9f * night * near);
        }
    }
}

static void paint_sky(const chl_canvas *canvas) {
    chl_colour top = by_quarter(canvas, zenith), bottom = by_quarter(canvas, horizon);
    static const chl_colour fleece[4] = {
        {0.22f, 0.25f, 0.42f}, {1.00f, 0.86f, 0.84f}, {1, 1, 1}, {0.95f, 0.42f, 0.40f}};
    chl_colour cloud = by_quarter(canvas, fleece);
    const float *texture = canvas->texture[CHL_TEXTURE_DRIFT];
    CHL_EACH(canvas) {
        float y = CHL_Y(canvas), *pixel = canvas->pixels + 3 * i;
        chl_colour sky = chl_blend(top, bottom, chl_ramp(-0.05f, 0.58f, y));
        pixel[0] = sky.r;
        pixel[1] = sky.g;
        pixel[2] = sky.b;
        float band = chl_ramp(0, 0.2f, y) * (1 - chl_ramp(0.3f, 0.55f, y));
        chl_lay(pixel, cloud, 0.55f * band * chl_ramp(0.2f, 1.8f, texture[i]));
        for (int q = 0; q < 4; q++) {
            if (canvas->quarter[q] <= 0) continue;
            const disc *d = discs + q;
            float dx = CHL_X(canvas) - d->x, dy = y - d->y;
            float distance = sqrtf(dx * dx + dy * dy), weight = canvas->quarter[q];
            float far = fmaxf(distance - d->radius, 0) * 7;
            chl_shine(pixel, d->colour, weight * d->halo / (1 + far * far * (2 + far)));
            chl_lay(pixel, d->colour,
                    weight * chl_unit(0.5f + (d->radius - distance) / (1.5f * canvas->edge)));
        }
    }
    paint_stars(canvas);
}

/* Height of a ridge, from two numbers of the scene. */
static float ridge(int layer, const float hills[6], float x) {
    static const float base[3] = {0.535f, 0.635f, 0.80f}, rise[3] = {0.13f, 0.09f, 0.07f};
    static const float waves[3] = {1.35f, 0.95f, 0.7f}, shift[3] = {0.1f, 0.55f, 0.3f};
    float turn = 6.2831853f * (waves[layer] * x + shift[layer] + 0.5f * hills[2 * layer + 1]);
    float shape = 0.5f + 0.38f * sinf(turn) + 0.12f * sinf(2 * turn + 1);
    return base[layer] - rise[layer] * (0.3f + 0.9f * hills[2 * layer]) * shape;
}

static void paint_ridge(const chl_canvas *canvas, const chl_scene *scene, int layer) {
    static const chl_colour grass[3] = {
        {0.30f, 0.60f, 0.17f}, {0.82f, 0.60f, 0.20f}, {0.93f, 0.96f, 1.0f}};
    static const float haze[3] = {0.42f, 0.08f, 0}, shade[3] = {0.72f, 0.88f, 1.0f};
    chl_colour base = chl_lit(canvas, by_season(scene->season, grass));
    /* snow is brightest, at night too: otherwise it looks like other land at dusk */
    base =
        chl_blend(base, by_season(scene->season, grass), 0.36f * chl_ramp(0.5f, 1, scene->season));
    chl_colour air = by_quarter(canvas, horizon);
    const float *texture = canvas->texture[layer == 1 ? CHL_TEXTURE_DRIFT : CHL_TEXTURE_CLOUD];
    float line[MAX_SIDE] = {0}, top = 1;
    for (int column = 0; column < canvas->side; column++) {
        line[column] = ridge(layer, scene->hills, CHL_X(canvas));
        top = fminf(top, line[column]);
    }
    CHL_EACH_PIXEL(canvas, chl_box_of(canvas, 0, top, 1, 1)) {
        float depth = CHL_Y(canvas) - line[column];
        float share = chl_cover(canvas, depth);
        if (share <= 0) continue;
        float light = shade[layer] * (1.08f - 0.9f * chl_unit(depth) + 0.05f * texture[i]);
        chl_colour land = {base.r * light, base.g * light, base.b * light};
        chl_lay(canvas->pixels + 3 * i, chl_blend(land, air, haze[layer]), share);
    }
}

typedef struct tree {
    float x, height, crown;
} tree;

static void paint_tree(const chl_canvas *canvas, const chl_scene *scene, const tree *t) {
    static const chl_colour leaves[3] = {
        {0.13f, 0.40f, 0.12f}, {0.88f, 0.38f, 0.08f}, {0.78f, 0.84f, 0.92f}};
    static const chl_colour bark = {0.34f, 0.22f, 0.14f};
    chl_colour leaf = chl_lit(canvas, by_season(scene->season, leaves));
    float base = ridge(2, scene->hills, t->x) + 0.035f, lean = 0.11f * scene->strength[CHL_WIND];
    const float *texture = canvas->texture[CHL_TEXTURE_CLOUD];
    chl_box box = chl_box_of(canvas, t->x - t->crown - 0.03f, base - t->height - t->crown - 0.03f,
                             t->x + t->crown + 0.03f + 1.6f * lean, base);
    CHL_EACH_PIXEL(canvas, box) {
        float y = CHL_Y(canvas), up = fmaxf(base - y, 0) / t->height;
        float x = CHL_X(canvas) - t->x - lean * up * up, *pixel = canvas->pixels + 3 * i;
        float trunk = fminf(0.012f - fabsf(x), fminf(base - y, t->height - (base - y)));
        chl_lay(pixel, chl_lit(canvas, bark), chl_cover(canvas, trunk));
        float dy = (base - y - t->height) * 0.85f;
        float inside = t->crown - sqrtf(x * x + dy * dy) + 0.006f * texture[i];
        float light = 0.95f + 2.6f * (dy - 0.6f * x) + 0.07f * texture[i];
        chl_lay(pixel, (chl_colour){leaf.r * light, leaf.g * light, leaf.b * light},
                chl_cover(canvas, inside));
    }
}

static float in_rectangle(float x, float y, float half_x, float half_y) {
    return fminf(half_x - fabsf(x), half_y - fabsf(y));
}

static void paint_house(const chl_canvas *canvas, const chl_scene *scene) {
    float there = chl_ramp(0.2f, 0.8f, scene->house);
    if (there <= 0) return;
    float middle = chl_place(scene->house_place, 0.22f, 0.5f, 0.78f);
    float ground = ridge(1, scene->hills, middle) + 0.10f;
    /* the house's own light keeps it visible at night; red and ochre, in the snow */
    chl_colour wall = chl_half_lit(canvas, (chl_colour){0.95f, 0.82f, 0.60f});
    chl_colour roof = chl_half_lit(canvas, (chl_colour){0.74f, 0.18f, 0.13f});
    chl_colour brick = chl_half_lit(canvas, (chl_colour){0.48f, 0.22f, 0.18f});
    chl_colour lamp = chl_blend((chl_colour){1, 0.85f, 0.35f}, (chl_colour){0.30f, 0.40f, 0.55f},
                                chl_ramp(0.5f, 1, canvas->daylight));
    chl_box box =
        chl_box_of(canvas, middle - 0.14f, ground - 0.25f, middle + 0.14f, ground + 0.02f);
    CHL_EACH_PIXEL(canvas, box) {
        float x = CHL_X(canvas) - middle, up = ground - CHL_Y(canvas);
        float *pixel = canvas->pixels + 3 * i;
        float chimney = in_rectangle(x - 0.055f, up - 0.175f, 0.014f, 0.045f);
        chl_lay(pixel, brick, there * chl_cover(canvas, chimney));
        float front = in_rectangle(x, up - 0.055f, 0.088f, 0.055f);
        chl_lay(pixel, wall, there * chl_cover(canvas, front));
        float slope = fminf(up - 0.105f, (0.12f - fabsf(x)) * 0.62f - (up - 0.105f) * 0.72f);
        chl_lay(pixel, roof, there * chl_cover(canvas, slope));
        float window = in_rectangle(fabsf(x) - 0.048f, up - 0.062f, 0.017f, 0.019f);
        chl_lay(pixel, lamp, there * chl_cover(canvas, window));
        float door = in_rectangle(x, up - 0.032f, 0.015f, 0.032f);
        chl_lay(pixel, brick, there * chl_cover(canvas, door));
    }
}

void chl_paint_land(const chl_canvas *canvas, const chl_scene *scene) {
    static const tree trees[] = {
        {0.065f, 0.19f, 0.070f}, {0.37f, 0.11f, 0.042f}, {0.94f, 0.21f, 0.075f}};
    paint_sky(canvas);
    paint_ridge(canvas, scene, 0);
    paint_ridge(canvas, scene, 1);
    paint_house(canvas, scene);
    paint_ridge(canvas, scene, 2);
    for (size_t t = 0; t < sizeof trees / sizeof *trees; t++) paint_tree(canvas, scene, trees + t);
}
