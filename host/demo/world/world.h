/* A small procedural world: scenes that can be painted and sounds that can be synthesised, from
 * seeds, so that models can be trained, shown and measured without a download.
 *
 *     float z[CHL_SCENE_Z];
 *     chl_scene scene;
 *     chl_scene_draw(seed, &wish, z);               a latent with one kind of event, or none
 *     chl_scene_of_latent(z, &scene);               what the latent means
 *     chl_scene_paint(&scene, 128, pixels);
 *     chl_sound_synthesise(&recipe, wave, samples); what the event sounds like
 *
 * Only `chladni world` uses this folder: training, editing and evaluation read the files it writes,
 * so that nothing of an edit depends on how a scene is made. CHLADNI_WORLD=OFF leaves it out.
 *
 * The sound determines kind and strength. Land, time of day, season, the house and where things
 * stand are independent of it: an edit should leave them alone. */
#ifndef CHL_WORLD_H
#define CHL_WORLD_H
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum chl_kind {
    CHL_RAIN,
    CHL_THUNDER,
    CHL_WIND,
    CHL_FIRE,
    CHL_BIRDS,
    CHL_WAVES,
    CHL_BUBBLES,
    CHL_EXPLOSION,
    CHL_CRICKETS,
    CHL_BELL,
    CHL_KINDS,
    CHL_NO_KIND = CHL_KINDS
} chl_kind;
/* "rain", "thunderstorm", "wind", "fire", "birdsong", "ocean waves", "underwater bubbles",
 * "explosion", "crickets", "church bell"; CHL_NO_KIND: "nothing". scene.c */
const char *chl_kind_name(chl_kind kind);

/* --- scenes: scene.c, paint*.c ---------------------------------------------------------------- */
typedef struct chl_scene {
    float time;                /* of day, [0,1): 0 night, .25 dawn, .5 noon, .75 dusk; a circle */
    float season;              /* [0,1]: 0 green summer, .5 dry autumn, 1 winter with snow */
    float hills[6];            /* shape of the land, each [0,1] */
    float house;               /* 0 none ... 1 there; mostly near the ends */
    float house_place;         /* [0,1], painted at one of three places */
    float place;               /* [0,1], of the event, painted at one of three places */
    float strength[CHL_KINDS]; /* of each kind's event, [0,1]; mostly one or none above 0 */
} chl_scene;

#define CHL_SCENE_Z 32
/* The meaning of a latent. z is first scaled to mean square 1, as StyleGAN2's mapping network does
 * itself, so a scene is a function of what that network can see, and any normal z is a scene:
 * mostly one without an event. Smooth wherever it can be, for a network has to learn it. */
void chl_scene_of_latent(const float z[CHL_SCENE_Z], chl_scene *scene);

/* What a latent shall mean. NAN in a float: drawn at random. */
typedef struct chl_scene_wish {
    chl_kind kind;  /* exactly this kind, or CHL_NO_KIND: no event at all */
    float strength; /* [0,1]; drawn from [0.25,1] */
    float time;     /* centre of a quarter of the day: 0, .25, .5, .75 */
    float season, house;
} chl_scene_wish;
/* A normal z with the minimum change that fulfils the wish (time, season and house: the class). */
void chl_scene_draw(uint64_t seed, const chl_scene_wish *wish, float z[CHL_SCENE_Z]);

/* Adds a second event to the scene that z means. z is scaled to mean square 1; the numbers of
 * neither event are scaled down for that. */
void chl_scene_add_event(float z[CHL_SCENE_Z], chl_kind kind, float strength);

/* Classes of the attributes, for captions and for judging: quarter of the day 0..3, third of the
 * season 0..2, house 0..1. */
int chl_scene_time_class(const chl_scene *scene);
int chl_scene_season_class(const chl_scene *scene);
int chl_scene_house_class(const chl_scene *scene);

/* A scene as numbers that determine its picture by simple functions: cosine and sine of the
 * time, season, hills, house, one of three places for it and for the event, about -2 ... 2; and the
 * strengths, 0 ... 1. */
#define CHL_SCENE_VALUES (2 + 1 + 6 + 1 + 3 + 3 + CHL_KINDS)
void chl_scene_values(const chl_scene *scene, float values[CHL_SCENE_VALUES]);

/* pixels [side][side][3] in [-1,1], RGB, row 0 the top. side 32 ... 1024; nothing thinner than two
 * pixels of a 128 x 128 picture. Pure: the same scene gives the same pixels. */
chl_status chl_scene_paint(const chl_scene *scene, int side, float *pixels);

/* The fixed textures that the painters use (rain streaks, turbulence, ...): [4][side][side], mean 0
 * and deviation 1 each. A generator carries them as noise maps. texture.c */
#define CHL_WORLD_TEXTURES 4
chl_status chl_world_textures(int side, float *textures);

/* --- words: caption.c ------------------------------------------------------------------------- */
/* The sound's label, as VGGSound labels a clip: kind and, in about half of the draws, strength:
 * "rain", "light rain", "heavy rain", "a storm of wind". Several wordings per kind. */
void chl_sound_caption(const chl_scene *scene, uint64_t seed, char *text, size_t size);
/* The picture's caption: the event, or both where there are two, the stronger first, and a random
 * part of the attributes: "heavy rain over hills at night in winter, with a house", "birds and wind
 * in summer". CHL_NO_KIND scenes: "a calm landscape at dawn" and the like. */
void chl_scene_caption(const chl_scene *scene, uint64_t seed, char *text, size_t size);

/* --- sounds: sound*.c, recording.c ------------------------------------------------------------ */
#define CHL_WORLD_RATE 44100
/* Different ways to synthesise each kind. The last is held out: never trained on. */
#define CHL_SOUND_ALGORITHMS 4
#define CHL_SOUND_HELD_OUT (CHL_SOUND_ALGORITHMS - 1)

typedef struct chl_sound_recipe {
    chl_kind kind;  /* not CHL_NO_KIND */
    int algorithm;  /* 0 ... CHL_SOUND_ALGORITHMS - 1 */
    float strength; /* [0,1]: level over a range of 30 dB, density, texture */
    bool recorded;  /* as people record it: EQ, reverb, band limits, background noise, a quiet
                       second source, gain within 3 dB */
    uint64_t seed;
} chl_sound_recipe;
/* wave [samples] at 44 100 Hz, mono, within [-1,1]. Deterministic. */
chl_status chl_sound_synthesise(const chl_sound_recipe *recipe, float *wave, int64_t samples);
#endif
