/* Events of things and animals: fire, birds, explosion, crickets, a bell. */
#include "demo/world/canvas.h"

/* From dark red at 0 to white at 1. */
static chl_colour of_heat(float heat) {
    static const chl_colour scale[4] = {
        {0.55f, 0.06f, 0.02f}, {0.96f, 0.36f, 0.04f}, {1.0f, 0.76f, 0.16f}, {1.0f, 0.98f, 0.80f}};
    float at = chl_unit(heat) * 3;
    int low = at < 1 ? 0 : at < 2 ? 1 : 2;
    return chl_blend(scale[low], scale[low + 1], at - (float)low);
}

void chl_paint_fire(const chl_canvas *canvas, float strength, float place) {
    const float *flame = canvas->texture[CHL_TEXTURE_FLAME];
    const float *cloud = canvas->texture[CHL_TEXTURE_CLOUD];
    float middle = chl_place(place, 0.25f, 0.5f, 0.75f), base = 0.95f;
    float height = 0.08f + 0.50f * strength, half = 0.05f + 0.15f * strength;
    float onset = chl_ramp(0, 0.2f, strength);
    CHL_EACH(canvas) {
        float x = CHL_X(canvas) - middle, up = base - CHL_Y(canvas),
              *pixel = canvas->pixels + 3 * i;
        float rise = up / height;
        float smoke_half = half * (0.5f + 0.55f * chl_unit(rise));
        float smoke = 1 - fabsf(x + 0.03f * sinf(9 * up)) / smoke_half + 0.30f * cloud[i];
        float column = chl_ramp(0, 0.8f, smoke) * chl_ramp(0.45f, 0.95f, rise);
        chl_lay(pixel, (chl_colour){0.17f, 0.13f, 0.13f}, 0.72f * strength * column);
        float wide = x / (0.25f + half), tall = (up - 0.3f * height) / (0.25f + height);
        float glow = 1 / (1 + 4 * (wide * wide + tall * tall));
        chl_shine(pixel, (chl_colour){1, 0.42f, 0.05f}, 0.85f * strength * glow);
        /* an envelope that narrows upwards, with a round foot and tongues cut out of it */
        float across = x / (half * (1 - 0.38f * chl_unit(rise)));
        float foot = up - 0.25f * half * across * across;
        float body = 1 - across * across - 0.92f * rise * (0.35f + 0.65f * chl_unit(rise)) +
                     (0.08f + 0.32f * chl_unit(rise)) * flame[i];
        body = fminf(body, 12 * foot);
        float share = onset * chl_ramp(0, 0.22f, body);
        chl_lay(pixel, of_heat(0.10f + 0.95f * body), share);
    }
    for (int log = -1; log <= 1; log += 2) { /* two crossed logs */
        float reach = 1.15f * half, tilt = 0.012f * (float)log;
        CHL_EACH_PIXEL(canvas, chl_box_of(canvas, middle - reach - 0.02f, base - 0.04f,
                                          middle + reach + 0.02f, base + 0.04f)) {
            float d = chl_from_segment(CHL_X(canvas), CHL_Y(canvas), middle - reach, base - tilt,
                                       middle + reach, base + tilt);
            chl_lay(canvas->pixels + 3 * i, (chl_colour){0.30f, 0.16f, 0.08f},
                    onset * chl_cover(canvas, 0.013f - d));
        }
    }
}

typedef struct bird {
    float x, y, half;
} bird;

void chl_paint_birds(const chl_canvas *canvas, float strength) {
    static const bird birds[] = {
        {0.50f, 0.20f, 0.125f}, {0.20f, 0.28f, 0.100f}, {0.80f, 0.30f, 0.105f},
        {0.35f, 0.42f, 0.085f}, {0.66f, 0.11f, 0.080f}, {0.28f, 0.10f, 0.075f},
        {0.62f, 0.45f, 0.075f}, {0.09f, 0.14f, 0.065f}, {0.92f, 0.16f, 0.065f}};
    int count = (int)(sizeof birds / sizeof *birds);
    /* dark against the day, pale against the night */
    float night = canvas->quarter[0];
    chl_colour plume =
        chl_blend((chl_colour){0.06f, 0.06f, 0.10f}, (chl_colour){0.88f, 0.90f, 1.0f}, night);
    /* a pale haze behind them */
    chl_colour air =
        chl_blend((chl_colour){1, 0.95f, 0.86f}, (chl_colour){0.36f, 0.44f, 0.74f}, night);
    CHL_EACH(canvas) {
        float x = (CHL_X(canvas) - 0.5f) / 0.62f, y = (CHL_Y(canvas) - 0.25f) / 0.34f;
        float near = chl_ramp(0, 1, 1 - sqrtf(x * x + y * y));
        chl_lay(canvas->pixels + 3 * i, air, 0.45f * strength * near);
    }
    for (int b = 0; b < count; b++) {
        float there = chl_joining(strength, b, count);
        if (there <= 0) continue;
        float half = 1.18f * birds[b].half * (0.45f + 0.55f * there);
        chl_box box = chl_box_of(canvas, birds[b].x - half, birds[b].y - half, birds[b].x + half,
                                 birds[b].y + half);
        CHL_EACH_PIXEL(canvas, box) {
            float x = (CHL_X(canvas) - birds[b].x) / half, y = (CHL_Y(canvas) - birds[b].y) / half;
            float out = fabsf(x);
            /* a wing rises from the body and falls to its tip */
            float middle = 0.10f - 1.05f * out * (1 - out) - 0.10f * out;
            float thick = 0.155f * (1 - out * out * out) + 0.02f;
            float wing = fminf(thick - fabsf(y - middle), 1 - out);
            float torso = 0.20f - sqrtf(x * x * 1.7f + (y - 0.12f) * (y - 0.12f) * 0.55f);
            chl_lay(canvas->pixels + 3 * i, plume,
                    chl_unit(1.6f * there) * chl_cover(canvas, half * fmaxf(wing, torso)));
        }
    }
}

void chl_paint_explosion(const chl_canvas *canvas, float strength, float place) {
    const float *cloud = canvas->texture[CHL_TEXTURE_CLOUD];
    float middle = chl_place(place, 0.25f, 0.5f, 0.75f), height = 0.36f;
    float radius = 0.045f + 0.235f * strength, onset = chl_ramp(0, 0.2f, strength);
    CHL_EACH(canvas) {
        float x = CHL_X(canvas) - middle, y = CHL_Y(canvas) - height;
        float d = sqrtf(x * x + y * y) / radius, *pixel = canvas->pixels + 3 * i;
        chl_dim(pixel, (chl_colour){0.72f, 0.60f, 0.52f}, 0.6f * strength);
        chl_shine(pixel, (chl_colour){1, 0.5f, 0.12f}, 0.9f * strength / (1 + 0.9f * d * d * d));
        float ray = chl_ramp(0.35f, 0.95f, cosf(9 * atan2f(y, x) + 0.7f));
        float reach = chl_ramp(0.8f, 1.1f, d) * (1 - chl_ramp(1.15f, 1.75f, d));
        chl_lay(pixel, (chl_colour){1, 0.88f, 0.45f}, 0.8f * onset * ray * reach);
        float ball = 1 - d + 0.15f * cloud[i];
        float smoke = onset * chl_ramp(-0.10f, 0.10f, ball);
        float light = 0.16f + 0.06f * cloud[i];
        chl_lay(pixel, (chl_colour){light * 1.1f, light, light}, 0.92f * smoke);
        float heat = 1.5f * (ball - 0.20f) + 0.12f * cloud[i];
        chl_lay(pixel, of_heat(heat + 0.05f), onset * chl_ramp(-0.05f, 0.25f, heat));
    }
}

static void paint_blade(const chl_canvas *canvas, chl_colour colour, float x, float height,
                        float bend) {
    float root = 1.02f, top = root - height, reach = fabsf(bend) + 0.02f;
    CHL_EACH_PIXEL(canvas, chl_box_of(canvas, x - reach, top, x + reach, 1)) {
        float up = (root - CHL_Y(canvas)) / height;
        if (up > 1.05f) continue;
        float middle = x + bend * up * up, half = 0.019f * (1 - up * up) + 0.003f;
        float inside = fminf(half - fabsf(CHL_X(canvas) - middle), (1 - up) * height);
        float light = 0.7f + 0.5f * up;
        chl_lay(canvas->pixels + 3 * i,
                (chl_colour){colour.r * light, colour.g * light, colour.b * light},
                chl_cover(canvas, inside));
    }
}

void chl_paint_crickets(const chl_canvas *canvas, float strength) {
    static const float fly[][2] = {{0.30f, 0.60f}, {0.72f, 0.66f}, {0.52f, 0.76f}, {0.14f, 0.74f},
                                   {0.88f, 0.54f}, {0.42f, 0.48f}, {0.62f, 0.55f}, {0.20f, 0.50f},
                                   {0.80f, 0.78f}, {0.34f, 0.80f}, {0.06f, 0.60f}, {0.95f, 0.70f}};
    int blades = 16, flies = (int)(sizeof fly / sizeof *fly);
    float light = 0.45f + 0.55f * canvas->daylight;
    chl_colour grass = {0.10f * light, 0.34f * light, 0.08f * light};
    CHL_EACH(canvas) /* the meadow is darkened, so that lights show by day */
    chl_dim(canvas->pixels + 3 * i, (chl_colour){0.38f, 0.52f, 0.42f},
            strength * chl_lerp(0.45f, 0.85f, canvas->daylight) *
                chl_ramp(0.35f, 0.8f, CHL_Y(canvas)));
    for (int b = 0; b < blades; b++) {
        float at = ((float)b + 0.5f) / (float)blades;
        float tall = 0.62f + 0.38f * cosf(2.4f * (float)b);
        paint_blade(canvas, grass, at,
                    chl_unit(strength * (1.6f - 0.6f * strength)) * (0.12f + 0.30f * tall) + 0.001f,
                    0.075f * sinf(1.9f * (float)b + 0.5f));
    }
    for (int f = 0; f < flies; f++) {
        float there = chl_joining(strength, f, flies);
        if (there <= 0) continue;
        float radius = 0.020f * (0.4f + 0.6f * there), halo = 0.085f;
        chl_box box = chl_box_of(canvas, fly[f][0] - halo, fly[f][1] - halo, fly[f][0] + halo,
                                 fly[f][1] + halo);
        CHL_EACH_PIXEL(canvas, box) {
            float x = CHL_X(canvas) - fly[f][0], y = CHL_Y(canvas) - fly[f][1];
            float d = sqrtf(x * x + y * y), *pixel = canvas->pixels + 3 * i;
            float near = chl_unit(1 - d / halo);
            chl_lay(pixel, (chl_colour){0.72f, 0.92f, 0.10f}, 0.75f * there * near * near);
            chl_lay(pixel, (chl_colour){1, 1, 0.55f}, there * chl_cover(canvas, radius - d));
        }
    }
}

void chl_paint_bell(const chl_canvas *canvas, float strength, float place) {
    float middle = chl_place(place, 0.25f, 0.5f, 0.75f), height = 0.27f;
    float onset = chl_ramp(0, 0.25f, strength), size = 0.07f + 0.075f * strength;
    float light = 0.62f + 0.38f * canvas->daylight;
    float reach = 0.10f + 0.40f * strength;
    chl_colour wave = {1, 0.93f, 0.62f};
    CHL_EACH(canvas) {
        float x = CHL_X(canvas) - middle, y = CHL_Y(canvas) - height,
              *pixel = canvas->pixels + 3 * i;
        float d = sqrtf(x * x + y * y);
        chl_lay(pixel, wave, 0.45f * strength / (1 + 60 * d * d));
        /* rings 0.075 apart, out to `reach`, thinner outwards */
        float ring = 0.5f - fabsf(d / 0.075f - floorf(d / 0.075f) - 0.5f);
        float line = chl_cover(canvas, 0.011f - 0.075f * ring);
        float far = (1 - chl_ramp(0.55f * reach, reach, d)) * chl_ramp(0.10f, 0.15f, d);
        chl_lay(pixel, wave, 0.9f * onset * line * far);
        float u = x / size, v = y / size; /* the bell within |u| <= 1, -1 <= v <= 1 */
        float down = chl_unit(0.5f * (v + 1));
        float half = 0.42f + 0.16f * down + 0.42f * down * down * down * down;
        if (v < -0.55f) half = 0.44f * sqrtf(chl_unit(1 - (v + 0.55f) * (v + 0.55f) / 0.2025f));
        float body = fminf(half - fabsf(u), fminf(0.85f - v, v + 1));
        float clapper = 0.17f - sqrtf(u * u + (v - 0.92f) * (v - 0.92f));
        float loop = 0.16f - sqrtf(u * u + (v + 1.08f) * (v + 1.08f));
        float dark = fmaxf(clapper, loop);
        chl_lay(pixel, (chl_colour){0.45f * light, 0.28f * light, 0.08f * light},
                onset * chl_cover(canvas, size * dark));
        float shade = light * (0.82f + 0.42f * expf(-8 * (u + 0.22f) * (u + 0.22f)) - 0.35f * u);
        if (v > 0.58f) shade *= 0.78f;
        chl_lay(
            pixel,
            (chl_colour){chl_unit(0.98f * shade), chl_unit(0.74f * shade), chl_unit(0.20f * shade)},
            onset * chl_cover(canvas, size * body));
    }
}
