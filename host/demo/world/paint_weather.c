/* Events of air and water: rain, thunder, wind, waves, bubbles. Each grows from nothing with its
 * strength, and at full strength land and time of day are still recognisable. */
#include "demo/world/canvas.h"

static float grey_of(const float *pixel) {
    return 0.3f * pixel[0] + 0.59f * pixel[1] + 0.11f * pixel[2];
}

/* Streaks whose rank lies above 1 - strength. */
void chl_paint_rain(const chl_canvas *canvas, float strength, const float *rank) {
    const float *cloud = canvas->texture[CHL_TEXTURE_CLOUD];
    float light = 0.55f + 0.45f * canvas->daylight;
    chl_colour drop = {0.86f * light, 0.92f * light, 1.0f * light};
    chl_colour wet = {0.50f, 0.56f, 0.66f};
    float wetness = strength * chl_lerp(0.25f, 0.62f, canvas->daylight);
    float threshold = 1.02f - 1.0f * strength;
    CHL_EACH(canvas) {
        float y = CHL_Y(canvas), *pixel = canvas->pixels + 3 * i;
        float grey = 0.10f + 0.72f * grey_of(pixel);
        chl_colour veil = {0.93f * grey, 0.98f * grey, 1.07f * grey};
        chl_lay(pixel, veil, 0.55f * strength);
        chl_dim(pixel, wet, wetness);
        float lid = (1 - chl_ramp(0.05f, 0.36f, y)) * (0.75f + 0.2f * cloud[i]);
        chl_colour lead = {0.33f * light, 0.36f * light, 0.43f * light};
        chl_lay(pixel, lead, chl_unit(0.85f * strength * lid));
        chl_lay(pixel, drop, 0.80f * chl_ramp(threshold, threshold + 0.36f, rank[i]));
    }
}

#define BOLT_POINTS 9
static const float bolt_main[BOLT_POINTS][2] = {{0.02f, 0.16f},  {-0.02f, 0.24f}, {0.045f, 0.30f},
                                                {0.005f, 0.37f}, {0.065f, 0.43f}, {0.025f, 0.50f},
                                                {0.07f, 0.56f},  {0.03f, 0.63f},  {0.05f, 0.72f}};
#define BRANCH_POINTS 4
static const float bolt_branch[BRANCH_POINTS][2] = {
    {0.045f, 0.30f}, {0.11f, 0.36f}, {0.10f, 0.43f}, {0.155f, 0.50f}};

static float from_path(const float path[][2], int points, float x, float y) {
    float least = 9;
    for (int p = 0; p + 1 < points; p++)
        least = fminf(
            least, chl_from_segment(x, y, path[p][0], path[p][1], path[p + 1][0], path[p + 1][1]));
    return least;
}

void chl_paint_thunder(const chl_canvas *canvas, float strength, float place) {
    const float *texture = canvas->texture[CHL_TEXTURE_CLOUD];
    const chl_colour dusk = {0.36f, 0.32f, 0.52f}, flash = {0.80f, 0.72f, 1};
    float middle = chl_place(place, 0.25f, 0.5f, 0.75f), onset = chl_ramp(0, 0.3f, strength);
    float width = 0.007f + 0.012f * strength;
    CHL_EACH(canvas) {
        float x = CHL_X(canvas), y = CHL_Y(canvas), *pixel = canvas->pixels + 3 * i;
        chl_dim(pixel, dusk, 0.85f * strength);
        float low = 0.10f + 0.24f * strength + 0.035f * texture[i];
        float inside = chl_ramp(-0.07f, 0.05f, low - y);
        float light = 0.55f + 0.17f * texture[i] + 0.9f * chl_unit(0.25f - (low - y));
        chl_colour cloud = {0.26f * light, 0.21f * light, 0.38f * light};
        chl_lay(pixel, cloud, inside * chl_unit(2.2f * strength) * 0.95f);
        float d = fminf(from_path(bolt_main, BOLT_POINTS, x - middle, y),
                        from_path(bolt_branch, BRANCH_POINTS, x - middle, y) + 0.4f * width);
        float halo = 0.75f / (1 + 900 * d * d) + 0.25f / (1 + 40 * d * d);
        chl_shine(pixel, flash, 0.9f * onset * halo * (0.35f + 0.65f * strength));
        chl_lay(pixel, (chl_colour){1, 0.98f, 0.92f}, onset * chl_cover(canvas, width - d));
    }
}

#define SWIRL_POINTS 18
typedef struct swirl {
    float x, y, length, curl;
} swirl;

/* A line along the wind that ends in a spiral. */
static void draw_swirl(const swirl *s, float path[SWIRL_POINTS][2]) {
    int straight = 8;
    for (int p = 0; p < SWIRL_POINTS; p++) {
        if (p < straight) {
            float t = (float)p / (float)(straight - 1);
            path[p][0] = s->x + t * s->length;
            path[p][1] = s->y + 0.022f * sinf(5.5f * t) - 0.022f * sinf(5.5f) * t;
        } else {
            float turn = 0.52f * (float)(p - straight + 1);
            float radius = s->curl * (1 - 0.045f * (float)(p - straight));
            path[p][0] = s->x + s->length + radius * sinf(turn);
            path[p][1] = s->y - s->curl + radius * cosf(turn);
        }
    }
}

static void paint_leaves(const chl_canvas *canvas, float strength, float season) {
    static const float leaf[][2] = {{0.14f, 0.52f}, {0.31f, 0.24f}, {0.45f, 0.66f}, {0.57f, 0.40f},
                                    {0.70f, 0.75f}, {0.74f, 0.22f}, {0.88f, 0.56f}, {0.22f, 0.80f},
                                    {0.50f, 0.87f}, {0.90f, 0.90f}};
    chl_colour colour = chl_blend((chl_colour){0.45f, 0.70f, 0.12f},
                                  (chl_colour){0.93f, 0.42f, 0.06f}, chl_ramp(0, 0.5f, season));
    int count = (int)(sizeof leaf / sizeof *leaf);
    for (int l = 0; l < count; l++) {
        float there = chl_joining(strength, l, count);
        float across = 0.031f * there, along = 0.015f * there;
        float c = l & 1 ? 0.88f : 0.80f, s = l & 1 ? 0.47f : -0.6f;
        chl_box box = chl_box_of(canvas, leaf[l][0] - 0.04f, leaf[l][1] - 0.04f, leaf[l][0] + 0.04f,
                                 leaf[l][1] + 0.04f);
        if (there <= 0) continue;
        CHL_EACH_PIXEL(canvas, box) {
            float x = CHL_X(canvas) - leaf[l][0], y = CHL_Y(canvas) - leaf[l][1];
            float u = (c * x + s * y) / across, v = (c * y - s * x) / along;
            float inside = (1 - sqrtf(u * u + v * v)) * along;
            chl_lay(canvas->pixels + 3 * i, colour, there * chl_cover(canvas, inside));
        }
    }
}

void chl_paint_wind(const chl_canvas *canvas, float strength, float season) {
    static const swirl swirls[] = {{0.05f, 0.36f, 0.40f, 0.055f}, {0.42f, 0.58f, 0.36f, 0.050f},
                                   {0.48f, 0.21f, 0.32f, 0.048f}, {0.02f, 0.70f, 0.36f, 0.050f},
                                   {0.50f, 0.82f, 0.34f, 0.045f}, {0.10f, 0.15f, 0.26f, 0.040f}};
    int count = (int)(sizeof swirls / sizeof *swirls);
    const float *texture = canvas->texture[CHL_TEXTURE_DRIFT];
    float light = 0.45f + 0.55f * canvas->daylight;
    chl_colour dust = {0.84f * light, 0.72f * light, 0.50f * light};
    float bright = 0.5f + 0.5f * light;
    chl_colour air = {0.98f * bright, 0.99f * bright, fminf(1.06f * bright, 1)};
    CHL_EACH(canvas) {
        float low = 0.30f + 0.25f * chl_ramp(0.2f, 0.7f, CHL_Y(canvas));
        float share = strength * chl_unit(low + 0.22f * texture[i]);
        chl_lay(canvas->pixels + 3 * i, dust, share);
    }
    for (int s = 0; s < count; s++) {
        float there = chl_joining(strength, s, count);
        if (there <= 0) continue;
        float path[SWIRL_POINTS][2], half = 0.004f + 0.009f * there;
        draw_swirl(swirls + s, path);
        chl_box box = chl_box_of(
            canvas, swirls[s].x - 0.03f, swirls[s].y - 2 * swirls[s].curl - 0.03f,
            swirls[s].x + swirls[s].length + swirls[s].curl + 0.03f, swirls[s].y + 0.06f);
        CHL_EACH_PIXEL(canvas, box) {
            float x = CHL_X(canvas), d = from_path(path, SWIRL_POINTS, x, CHL_Y(canvas));
            float taper = chl_ramp(0, 0.12f, x - swirls[s].x);
            chl_lay(canvas->pixels + 3 * i, air,
                    0.9f * there * taper * chl_cover(canvas, half * taper - d));
        }
    }
    paint_leaves(canvas, strength, season);
}

/* Rows of trochoid-like waves with foam along the crests. Each appears in
 * its own place, the nearest first: one front that moves across the picture would be harder for a
 * generator to learn. */
void chl_paint_waves(const chl_canvas *canvas, float strength) {
    enum { ROWS = 4 };
    static const float place[ROWS] = {0.705f, 0.775f, 0.86f, 0.955f};
    static const float waves[ROWS] = {4.1f, 3.2f, 2.3f, 1.6f};
    static const float shift[ROWS] = {0.4f, 0.15f, 0.62f, 0.3f};
    static const float height[ROWS] = {0.055f, 0.065f, 0.08f, 0.10f};
    const float *texture = canvas->texture[CHL_TEXTURE_FLAME];
    float light = 0.42f + 0.58f * canvas->daylight;
    chl_colour shallow = {0.16f * light, 0.60f * light, 0.68f * light};
    chl_colour deep = {0.02f * light, 0.20f * light, 0.42f * light};
    float white = chl_lerp(0.6f, 1, light);
    chl_colour foam = {0.96f * white, white, fminf(1, 1.1f * white)};
    for (int w = 0; w < ROWS; w++) {
        float there = chl_joining(strength, ROWS - 1 - w, ROWS);
        if (there <= 0) continue;
        float level = place[w] + 0.07f * (1 - there), rise = height[w] * (0.5f + 0.5f * there);
        CHL_EACH_PIXEL(canvas, chl_box_of(canvas, 0, level - height[w], 1, 1)) {
            float turn = sinf(3.14159265f * (waves[w] * CHL_X(canvas) + shift[w]));
            float crest = 1 - sqrtf(turn * turn + 0.012f);
            float depth = CHL_Y(canvas) - level + rise * crest, *pixel = canvas->pixels + 3 * i;
            float share = chl_unit(3 * there) * chl_cover(canvas, depth);
            if (share <= 0) continue;
            chl_lay(pixel, chl_blend(shallow, deep, chl_ramp(0, 0.16f, depth)), share);
            float cap = 0.018f + 0.030f * there * crest + 0.005f * texture[i];
            float fade = 1 - chl_ramp(0.02f, 0.14f, depth);
            float lace = 0.5f * chl_ramp(0.25f, 1.1f, texture[i]) * fade;
            chl_lay(pixel, foam, share * fmaxf(chl_cover(canvas, cap - depth), lace));
        }
    }
}

void chl_paint_bubbles(const chl_canvas *canvas, float strength) {
    static const float bubble[][3] = {
        {0.20f, 0.68f, 0.075f}, {0.62f, 0.34f, 0.090f}, {0.83f, 0.72f, 0.062f},
        {0.38f, 0.24f, 0.055f}, {0.46f, 0.80f, 0.050f}, {0.12f, 0.34f, 0.048f},
        {0.86f, 0.18f, 0.050f}, {0.66f, 0.60f, 0.040f}, {0.32f, 0.50f, 0.038f},
        {0.93f, 0.46f, 0.036f}, {0.24f, 0.10f, 0.036f}, {0.56f, 0.10f, 0.034f}};
    const float *texture = canvas->texture[CHL_TEXTURE_DRIFT];
    int count = (int)(sizeof bubble / sizeof *bubble);
    float light = 0.5f + 0.5f * canvas->daylight;
    CHL_EACH(canvas) {
        float x = CHL_X(canvas), y = CHL_Y(canvas), *pixel = canvas->pixels + 3 * i;
        float dark = light * (1 - 0.5f * y);
        chl_colour water = {0.04f * dark, 0.62f * dark, 0.78f * dark};
        chl_dim(pixel, (chl_colour){0.46f, 0.88f, 0.95f}, strength);
        chl_lay(pixel, water, 0.45f * strength);
        float fan = (x - 0.42f) / (0.35f + y);
        float beam = chl_ramp(0.1f, 1, sinf(15 * fan + 0.6f)) * (1 - chl_ramp(0.1f, 0.95f, y));
        chl_shine(pixel, (chl_colour){0.55f, 0.95f, 0.95f}, 0.42f * strength * light * beam);
        float net = chl_ramp(0.6f, 1.6f, texture[i]) * (1 - chl_ramp(0, 0.35f, y));
        chl_shine(pixel, (chl_colour){0.6f, 1, 1}, 0.35f * strength * light * net);
    }
    for (int b = 0; b < count; b++) {
        float there = chl_joining(strength, b, count);
        if (there <= 0) continue;
        float radius = bubble[b][2] * there;
        chl_box box = chl_box_of(canvas, bubble[b][0] - radius, bubble[b][1] - radius,
                                 bubble[b][0] + radius, bubble[b][1] + radius);
        CHL_EACH_PIXEL(canvas, box) {
            float x = CHL_X(canvas) - bubble[b][0], y = CHL_Y(canvas) - bubble[b][1];
            float d = sqrtf(x * x + y * y), *pixel = canvas->pixels + 3 * i;
            float body = chl_cover(canvas, radius - d);
            float rim = body * chl_ramp(0.72f, 0.95f, d / radius);
            chl_shine(pixel, (chl_colour){0.6f, 0.95f, 1}, there * (0.22f * body + 0.75f * rim));
            float hx = x + 0.36f * radius, hy = y + 0.38f * radius;
            float spot = chl_cover(canvas, 0.26f * radius - sqrtf(hx * hx + hy * hy));
            chl_lay(pixel, (chl_colour){1, 1, 1}, 0.9f * there * spot);
        }
    }
}
