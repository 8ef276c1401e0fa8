/* What the painters share: a picture in [0,1] and soft shapes on it.
 *
 * Positions are in [0,1] of the picture's side, x to the right, y down. Every shape is given by a
 * signed distance, positive inside, and covers a pixel by chl_cover(): edges are soft over one and
 * a half pixels, which a generator learns more easily than hard ones. */
#ifndef CHL_WORLD_CANVAS_H
#define CHL_WORLD_CANVAS_H
#include "demo/world/world.h"
#include <math.h>

typedef struct chl_colour {
    float r, g, b;
} chl_colour;

enum { CHL_TEXTURE_STREAKS, CHL_TEXTURE_CLOUD, CHL_TEXTURE_DRIFT, CHL_TEXTURE_FLAME };

typedef struct chl_canvas {
    int side;
    float step;    /* 1 / side */
    float edge;    /* width of a soft edge */
    float *pixels; /* [side][side][3], in [0,1] */
    const float *texture[CHL_WORLD_TEXTURES];
    /* the day, from the scene's time */
    float quarter[4];   /* night, dawn, noon, dusk: weights of sum 1 */
    chl_colour ambient; /* factor of the light on a surface */
    float daylight;     /* 0 night ... 1 noon */
} chl_canvas;

/* rank: the streaks before they are standardised, in [0,1] (chl_paint_rain). The pointers stay
 * valid for the life of the process. texture.c */
chl_status chl_textures_of(int side, const float *texture[CHL_WORLD_TEXTURES], const float **rank);

static inline float chl_lerp(float a, float b, float t) {
    return a + (b - a) * t;
}
static inline float chl_unit(float t) {
    return t < 0 ? 0 : t > 1 ? 1 : t;
}
static inline float chl_ramp(float from, float to, float x) {
    float t = chl_unit((x - from) / (to - from));
    return t * t * (3 - 2 * t);
}
static inline float chl_cover(const chl_canvas *canvas, float inside) {
    return chl_unit(0.5f + inside / canvas->edge);
}
static inline chl_colour chl_blend(chl_colour a, chl_colour b, float t) {
    return (chl_colour){chl_lerp(a.r, b.r, t), chl_lerp(a.g, b.g, t), chl_lerp(a.b, b.b, t)};
}
static inline chl_colour chl_lit(const chl_canvas *canvas, chl_colour c) {
    return (chl_colour){c.r * canvas->ambient.r, c.g * canvas->ambient.g, c.b * canvas->ambient.b};
}
/* The same for a surface that has some light of its own. */
static inline chl_colour chl_half_lit(const chl_canvas *canvas, chl_colour c) {
    return chl_blend(chl_lit(canvas, c), c, 0.25f);
}
/* Covers the pixel by `share`. */
static inline void chl_lay(float *pixel, chl_colour c, float share) {
    pixel[0] = chl_lerp(pixel[0], c.r, share);
    pixel[1] = chl_lerp(pixel[1], c.g, share);
    pixel[2] = chl_lerp(pixel[2], c.b, share);
}
/* Adds light, as film does: never above white. */
static inline void chl_shine(float *pixel, chl_colour c, float share) {
    pixel[0] += (1 - pixel[0]) * c.r * share;
    pixel[1] += (1 - pixel[1]) * c.g * share;
    pixel[2] += (1 - pixel[2]) * c.b * share;
}
static inline void chl_dim(float *pixel, chl_colour c, float share) {
    pixel[0] *= chl_lerp(1, c.r, share);
    pixel[1] *= chl_lerp(1, c.g, share);
    pixel[2] *= chl_lerp(1, c.b, share);
}

/* How visible number `i` of `count` equal things is, which appear one after the other as the
 * strength rises: each within a rise of 0.3, the last fully at 1. */
static inline float chl_joining(float strength, int i, int count) {
    return chl_ramp(0, 0.3f, strength - 0.7f * (float)i / (float)(count - 1));
}

/* One of three places, for a number in [0,1]. */
static inline float chl_place(float place, float left, float middle, float right) {
    return place < 1 / 3.0f ? left : place < 2 / 3.0f ? middle : right;
}

/* The pixels whose centres may lie in a box. */
typedef struct chl_box {
    int x0, y0, x1, y1;
} chl_box;
static inline chl_box chl_box_of(const chl_canvas *canvas, float x0, float y0, float x1, float y1) {
    float side = (float)canvas->side, margin = canvas->edge * side;
    chl_box box = {(int)fmaxf(x0 * side - margin, 0), (int)fmaxf(y0 * side - margin, 0),
                   (int)fminf(x1 * side + margin + 1, side),
                   (int)fminf(y1 * side + margin + 1, side)};
    return box;
}
/* Loops over the pixels of `box`, or of the whole canvas: `row`, `column`, index `i`. */
#define CHL_EACH_PIXEL(canvas, box)                                                                \
    for (int row = (box).y0; row < (box).y1; row++)                                                \
        for (int column = (box).x0, i = row * (canvas)->side + column; column < (box).x1;          \
             column++, i++)
#define CHL_EACH(canvas)                                                                           \
    for (int row = 0, i = 0; row < (canvas)->side; row++)                                          \
        for (int column = 0; column < (canvas)->side; column++, i++)

#define CHL_X(canvas) (((float)column + 0.5f) * (canvas)->step)
#define CHL_Y(canvas) (((float)row + 0.5f) * (canvas)->step)

/* Distance from a segment. */
static inline float chl_from_segment(float x, float y, float ax, float ay, float bx, float by) {
    float ex = bx - ax, ey = by - ay, px = x - ax, py = y - ay;
    float t = chl_unit((px * ex + py * ey) / (ex * ex + ey * ey + 1e-12f));
    return sqrtf((px - t * ex) * (px - t * ex) + (py - t * ey) * (py - t * ey));
}

/* paint_land.c: sky, hills, trees, house */
void chl_paint_land(const chl_canvas *canvas, const chl_scene *scene);
/* The events, for strength > 0: paint_weather.c, paint_events.c. */
void chl_paint_rain(const chl_canvas *canvas, float strength, const float *rank);
void chl_paint_thunder(const chl_canvas *canvas, float strength, float place);
void chl_paint_wind(const chl_canvas *canvas, float strength, float season);
void chl_paint_waves(const chl_canvas *canvas, float strength);
void chl_paint_bubbles(const chl_canvas *canvas, float strength);
void chl_paint_fire(const chl_canvas *canvas, float strength, float place);
void chl_paint_birds(const chl_canvas *canvas, float strength);
void chl_paint_explosion(const chl_canvas *canvas, float strength, float place);
void chl_paint_crickets(const chl_canvas *canvas, float strength);
void chl_paint_bell(const chl_canvas *canvas, float strength, float place);
#endif
