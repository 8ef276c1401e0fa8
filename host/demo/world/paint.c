/* Paints a scene: the day's light, the land, then the events. */
#include "demo/world/canvas.h"

static void set_day(chl_canvas *canvas, float time) {
    static const chl_colour ambient[4] = {
        {0.29f, 0.34f, 0.54f}, {0.90f, 0.76f, 0.78f}, {1, 1, 1}, {0.80f, 0.58f, 0.50f}};
    static const float daylight[4] = {0, 0.7f, 1, 0.45f};
    /* flat around the centre of each quarter: most scenes are clearly of one quarter */
    float turn = (time - floorf(time)) * 4;
    int quarter = (int)turn & 3;
    float next = chl_ramp(0.25f, 0.75f, turn - floorf(turn));
    for (int q = 0; q < 4; q++) canvas->quarter[q] = 0;
    canvas->quarter[quarter] = 1 - next;
    canvas->quarter[(quarter + 1) & 3] += next;
    canvas->ambient = (chl_colour){0, 0, 0};
    canvas->daylight = 0;
    for (int q = 0; q < 4; q++) {
        canvas->ambient.r += canvas->quarter[q] * ambient[q].r;
        canvas->ambient.g += canvas->quarter[q] * ambient[q].g;
        canvas->ambient.b += canvas->quarter[q] * ambient[q].b;
        canvas->daylight += canvas->quarter[q] * daylight[q];
    }
}

static bool in_unit(float x) {
    return x >= 0 && x <= 1;
}

static chl_status check(const chl_scene *scene) {
    bool good = in_unit(scene->time) && in_unit(scene->season) && in_unit(scene->house) &&
                in_unit(scene->house_place) && in_unit(scene->place);
    for (int i = 0; i < 6; i++) good = good && in_unit(scene->hills[i]);
    for (int k = 0; k < CHL_KINDS; k++) good = good && in_unit(scene->strength[k]);
    if (good) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "a scene's numbers must be 0 to 1: take it from "
                                      "chl_scene_of_latent, or clamp them");
}

chl_status chl_scene_paint(const chl_scene *scene, int side, float *pixels) {
    chl_canvas canvas = {.side = side, .pixels = pixels};
    const float *rank;
    CHL_TRY(check(scene));
    CHL_TRY(chl_textures_of(side, canvas.texture, &rank));
    canvas.step = 1.0f / (float)side;
    canvas.edge = 1.5f * canvas.step;
    set_day(&canvas, scene->time);
    chl_paint_land(&canvas, scene);
    const float *strength = scene->strength;
    /* back to front: sky, land, events at a place, events everywhere */
    if (strength[CHL_THUNDER] > 0) chl_paint_thunder(&canvas, strength[CHL_THUNDER], scene->place);
    if (strength[CHL_BELL] > 0) chl_paint_bell(&canvas, strength[CHL_BELL], scene->place);
    if (strength[CHL_BIRDS] > 0) chl_paint_birds(&canvas, strength[CHL_BIRDS]);
    if (strength[CHL_EXPLOSION] > 0)
        chl_paint_explosion(&canvas, strength[CHL_EXPLOSION], scene->place);
    if (strength[CHL_FIRE] > 0) chl_paint_fire(&canvas, strength[CHL_FIRE], scene->place);
    if (strength[CHL_WAVES] > 0) chl_paint_waves(&canvas, strength[CHL_WAVES]);
    if (strength[CHL_CRICKETS] > 0) chl_paint_crickets(&canvas, strength[CHL_CRICKETS]);
    if (strength[CHL_WIND] > 0) chl_paint_wind(&canvas, strength[CHL_WIND], scene->season);
    if (strength[CHL_RAIN] > 0) chl_paint_rain(&canvas, strength[CHL_RAIN], rank);
    if (strength[CHL_BUBBLES] > 0) chl_paint_bubbles(&canvas, strength[CHL_BUBBLES]);
    for (int64_t i = 0; i < (int64_t)side * side * 3; i++) pixels[i] = 2 * chl_unit(pixels[i]) - 1;
    return CHL_OK;
}
