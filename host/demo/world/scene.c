/* From latents to scenes, and latents for scenes that are wanted. */
#include "base/random.h"
#include "demo/world/kinds.h"
#include "demo/world/world.h"
#include <math.h>

const chl_kind_words chl_kind_table[CHL_KINDS] = {
    [CHL_RAIN] = {"rain",
                  {"rain", "rain falling", "a rain shower"},
                  {"light rain", "a little rain", "soft rain"},
                  {"heavy rain", "pouring rain", "a storm of rain"}},
    [CHL_THUNDER] = {"thunderstorm",
                     {"a thunderstorm", "thunder and lightning", "lightning"},
                     {"distant thunder", "a weak thunderstorm", "faint lightning"},
                     {"a heavy thunderstorm", "loud thunder and lightning",
                      "a violent thunderstorm"}},
    [CHL_WIND] = {"wind",
                  {"wind", "wind blowing", "blowing wind"},
                  {"a light wind", "a soft breeze", "a little wind"},
                  {"a storm of wind", "strong wind", "violent wind"}},
    [CHL_FIRE] = {"fire",
                  {"fire", "a fire burning", "flames"},
                  {"a small fire", "a little fire", "small flames"},
                  {"a large fire", "a violent fire", "large flames"}},
    [CHL_BIRDS] = {"birdsong",
                   {"birdsong", "birds singing", "birds"},
                   {"a few birds", "soft birdsong", "distant birds"},
                   {"many birds", "loud birdsong", "a large flock of birds"}},
    [CHL_WAVES] = {"ocean waves",
                   {"ocean waves", "waves of the sea", "sea waves"},
                   {"small ocean waves", "soft waves", "small sea waves"},
                   {"large ocean waves", "violent waves", "a storm of sea waves"}},
    [CHL_BUBBLES] = {"underwater bubbles",
                     {"underwater bubbles", "bubbles under water", "bubbles"},
                     {"a few bubbles", "a few underwater bubbles", "small bubbles"},
                     {"many bubbles", "many underwater bubbles", "large bubbles under water"}},
    [CHL_EXPLOSION] = {"explosion",
                       {"an explosion", "a blast", "an explosion of fire"},
                       {"a small explosion", "a small blast", "a distant explosion"},
                       {"a large explosion", "a violent explosion", "a large blast"}},
    [CHL_CRICKETS] = {"crickets",
                      {"crickets", "crickets singing", "crickets in the grass"},
                      {"a few crickets", "soft crickets", "distant crickets"},
                      {"many crickets", "loud crickets", "many crickets in the grass"}},
    [CHL_BELL] = {"church bell",
                  {"a church bell", "a bell ringing", "a church bell ringing"},
                  {"a distant bell", "a soft church bell", "a small bell"},
                  {"a loud bell", "a loud church bell", "a large bell ringing"}},
};

/* The meaning of each number of a latent; those from LATENT_USED on have none. */
enum {
    LATENT_TIME, /* the angle of the first two */
    LATENT_SEASON = 2,
    LATENT_HOUSE,
    LATENT_HILLS,
    LATENT_HOUSE_PLACE = LATENT_HILLS + 6,
    LATENT_PLACE,
    LATENT_STRENGTH,
    LATENT_USED = LATENT_STRENGTH + CHL_KINDS
};
_Static_assert(LATENT_USED <= CHL_SCENE_Z, "the latent is too short");

/* An event begins at two standard deviations: each of ten kinds has probability 2.3 %, so that 8 of
 * 10 scenes are calm. */
#define ONSET 2.0f
#define RANGE 1.4f
/* Where the curve from latent to strength changes from a parabola to a line. */
#define BEND 0.2f
/* Distance of unwanted kinds from the onset, so that rounding cannot start them. */
#define MARGIN 0.05f

/* Scale of what no sound determines, relative to a strength, in a scene's numbers and so in a
 * generator's measured W: an edit that stays near its source then keeps it. With scale 1 the class
 * of a season changes within a distance of 0.33 and that of a time within 0.77, which is less than
 * a strong event's distance from none. */
#define KEPT 2

/* Philox purpose of the scenes. */
#define PURPOSE_SCENE 0x5CE4E001u

const char *chl_kind_name(chl_kind kind) {
    return (unsigned)kind < CHL_KINDS ? chl_kind_table[kind].name : "nothing";
}

/* The normal distribution function. */
static float share_below(float x) {
    return 0.5f * erfcf(-x * 0.70710678f);
}

/* Its inverse by bisection, for shares of 1e-4 to 1 - 1e-4. */
static float normal_at(float share) {
    float low = -4, high = 4;
    for (int i = 0; i < 26; i++) {
        float middle = 0.5f * (low + high);
        if (share_below(middle) < share)
            low = middle;
        else
            high = middle;
    }
    return 0.5f * (low + high);
}

static float strength_of(float z) {
    float t = fminf(fmaxf((z - ONSET) / RANGE, 0), 1);
    float bent = t < BEND ? t * t / (2 * BEND) : t - BEND / 2;
    return bent / (1 - BEND / 2);
}

static float latent_of_strength(float strength) {
    float bent = strength * (1 - BEND / 2);
    float t = bent < BEND / 2 ? sqrtf(2 * BEND * bent) : bent + BEND / 2;
    return ONSET + RANGE * t;
}

/* Three plateaus with slopes of a fifth between them: most scenes are clearly of one season. */
static float season_of(float share) {
    float season = 0;
    for (int i = 1; i < 3; i++) {
        float t = fminf(fmaxf((share - i / 3.0f) / 0.2f + 0.5f, 0), 1);
        season += 0.5f * t * t * (3 - 2 * t);
    }
    return season;
}

static float norm_scale(const float *z) {
    float sum = 0;
    for (int i = 0; i < CHL_SCENE_Z; i++) sum += z[i] * z[i];
    return sqrtf(CHL_SCENE_Z / fmaxf(sum, 1e-12f));
}

void chl_scene_of_latent(const float z[CHL_SCENE_Z], chl_scene *scene) {
    float scale = norm_scale(z);
    float turn = atan2f(z[LATENT_TIME + 1], z[LATENT_TIME]) * 0.15915494f;
    scene->time = turn < 0 ? fminf(turn + 1, 0x1.fffffep-1f) : turn;
    scene->season = season_of(share_below(scale * z[LATENT_SEASON]));
    scene->house = 0.5f + 0.5f * tanhf(8 * scale * z[LATENT_HOUSE]);
    for (int i = 0; i < 6; i++) scene->hills[i] = share_below(scale * z[LATENT_HILLS + i]);
    scene->house_place = share_below(scale * z[LATENT_HOUSE_PLACE]);
    scene->place = share_below(scale * z[LATENT_PLACE]);
    for (int k = 0; k < CHL_KINDS; k++)
        scene->strength[k] = strength_of(scale * z[LATENT_STRENGTH + k]);
}

static void draw_normals(uint64_t seed, float *z) {
    for (int i = 0; i < CHL_SCENE_Z; i += 2) { /* Box and Muller */
        chl_philox random = chl_random(seed, PURPOSE_SCENE, 0, (uint64_t)i);
        float radius = sqrtf(-2 * logf(1 - chl_uniform(random.word[0])));
        float angle = 6.2831853f * chl_uniform(random.word[1]);
        z[i] = radius * cosf(angle);
        z[i + 1] = radius * sinf(angle);
    }
}

/* Scales the numbers that are not fixed so that the mean square is 1, and ends events that are not
 * fixed. */
static void rescale_others(float *z, const bool *fixed) {
    float fixed_sum = 0, other_sum = 0;
    for (int i = 0; i < CHL_SCENE_Z; i++) *(fixed[i] ? &fixed_sum : &other_sum) += z[i] * z[i];
    float scale = sqrtf((CHL_SCENE_Z - fixed_sum) / fmaxf(other_sum, 1e-12f));
    for (int i = 0; i < CHL_SCENE_Z; i++)
        if (!fixed[i]) z[i] *= scale;
    for (int k = 0; k < CHL_KINDS; k++) { /* mirrored, which keeps the sum of squares */
        float *other = z + LATENT_STRENGTH + k;
        if (*other > ONSET - MARGIN && !fixed[LATENT_STRENGTH + k]) *other = -*other;
    }
}

void chl_scene_draw(uint64_t seed, const chl_scene_wish *wish, float z[CHL_SCENE_Z]) {
    draw_normals(seed, z);
    float back = 1 / norm_scale(z);
    for (int i = 0; i < CHL_SCENE_Z; i++) z[i] /= back;
    chl_philox random = chl_random(seed, PURPOSE_SCENE, 1, 0);
    float draw[4];
    for (int i = 0; i < 4; i++) draw[i] = chl_uniform(random.word[i]);
    bool event = (unsigned)wish->kind < CHL_KINDS;
    bool fixed[CHL_SCENE_Z] = {0};
    if (event) {
        float strength = isnan(wish->strength) ? 0.25f + 0.75f * draw[0] : wish->strength;
        z[LATENT_STRENGTH + wish->kind] = latent_of_strength(fminf(fmaxf(strength, 0), 1));
        fixed[LATENT_STRENGTH + wish->kind] = true;
    }
    if (!isnan(wish->time)) {
        float angle = 6.2831853f * (wish->time + 0.19f * (draw[1] - 0.5f));
        float radius = hypotf(z[LATENT_TIME], z[LATENT_TIME + 1]);
        z[LATENT_TIME] = radius * cosf(angle);
        z[LATENT_TIME + 1] = radius * sinf(angle);
    }
    if (!isnan(wish->season)) {
        int third = wish->season < 1 / 3.0f ? 0 : wish->season < 2 / 3.0f ? 1 : 2;
        z[LATENT_SEASON] = normal_at((third + 0.1f + 0.8f * draw[2]) / 3);
        fixed[LATENT_SEASON] = true;
    }
    if (!isnan(wish->house)) {
        float size = fmaxf(fabsf(z[LATENT_HOUSE]), 0.2f);
        z[LATENT_HOUSE] = wish->house < 0.5f ? -size : size;
        fixed[LATENT_HOUSE] = true;
    }
    rescale_others(z, fixed);
    for (int i = 0; i < CHL_SCENE_Z; i++) z[i] *= back;
}

void chl_scene_add_event(float z[CHL_SCENE_Z], chl_kind kind, float strength) {
    const float scale = norm_scale(z);
    bool fixed[CHL_SCENE_Z] = {0};
    for (int i = 0; i < CHL_SCENE_Z; i++) z[i] *= scale;
    z[LATENT_STRENGTH + kind] = latent_of_strength(fminf(fmaxf(strength, 0), 1));
    fixed[LATENT_STRENGTH + kind] = true;
    for (int i = LATENT_STRENGTH; i < LATENT_USED; i++) fixed[i] = fixed[i] || z[i] > ONSET;
    rescale_others(z, fixed);
}

int chl_scene_time_class(const chl_scene *scene) {
    return (int)(scene->time * 4 + 0.5f) & 3;
}

int chl_scene_season_class(const chl_scene *scene) {
    return scene->season < 1 / 3.0f ? 0 : scene->season < 2 / 3.0f ? 1 : 2;
}

int chl_scene_house_class(const chl_scene *scene) {
    return scene->house >= 0.5f;
}

/* One of three places, as chl_place (canvas.h) divides them. */
static float *put_place(float place, float *values) {
    for (int i = 0; i < 3; i++) *values++ = (int)fminf(3 * place, 2) == i ? KEPT : 0;
    return values;
}

void chl_scene_values(const chl_scene *scene, float values[CHL_SCENE_VALUES]) {
    *values++ = KEPT * cosf(6.2831853f * scene->time);
    *values++ = KEPT * sinf(6.2831853f * scene->time);
    *values++ = KEPT * (2 * scene->season - 1);
    for (int i = 0; i < 6; i++) *values++ = KEPT * (2 * scene->hills[i] - 1);
    *values++ = KEPT * (2 * scene->house - 1);
    values = put_place(scene->house_place, values);
    values = put_place(scene->place, values);
    for (int k = 0; k < CHL_KINDS; k++) *values++ = scene->strength[k];
}
