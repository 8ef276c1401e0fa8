/* Words for sounds and pictures, of a small vocabulary: a small text encoder learns it from some
 * ten thousand captions. A caption has fewer than 128 characters. */
#include "base/random.h"
#include "demo/world/kinds.h"
#include "demo/world/world.h"
#include <stdio.h>
#include <string.h>

#define PURPOSE_SOUND_CAPTION 0xCA9710A1u
#define PURPOSE_SCENE_CAPTION 0xCA9710A2u

/* An event below the first is weak, above the second strong. */
#define WEAK 0.4f
#define STRONG 0.75f

#define WORDINGS 2
static const char *const time_words[4][WORDINGS] = {{"at night", "under the moon"},
                                                    {"at dawn", "in the morning"},
                                                    {"at noon", "in the middle of the day"},
                                                    {"at dusk", "in the evening"}};
static const char *const season_words[3][WORDINGS] = {
    {"in summer", "on green land"}, {"in autumn", "on golden land"}, {"in winter", "in the snow"}};
static const char *const house_words[2][WORDINGS] = {{"without a house", "no house"},
                                                     {"with a house", "and a house"}};
static const char *const calm_words[] = {"a calm landscape", "a quiet landscape", "calm hills",
                                         "a landscape"};
static const char *const land_words[] = {"", "over hills", "in a landscape", ""};

/* Of all kinds but `but`. */
static chl_kind strongest(const chl_scene *scene, chl_kind but) {
    chl_kind best = CHL_NO_KIND;
    for (int k = 0; k < CHL_KINDS; k++)
        if (k != (int)but && scene->strength[k] > (best == CHL_NO_KIND ? 0 : scene->strength[best]))
            best = (chl_kind)k;
    return best;
}

static const char *event_words(const chl_scene *scene, chl_kind kind, chl_philox random) {
    const chl_kind_words *words = chl_kind_table + kind;
    float strength = scene->strength[kind];
    uint32_t wording = random.word[0] % CHL_KIND_WORDINGS;
    bool with_strength = random.word[1] >> 31;
    if (with_strength && strength < WEAK) return words->weak[wording];
    if (with_strength && strength > STRONG) return words->strong[wording];
    return words->plain[wording];
}

void chl_sound_caption(const chl_scene *scene, uint64_t seed, char *text, size_t size) {
    chl_kind kind = strongest(scene, CHL_NO_KIND);
    chl_philox random = chl_random(seed, PURPOSE_SOUND_CAPTION, 0, 0);
    snprintf(text, size, "%s",
             kind == CHL_NO_KIND ? chl_kind_name(kind) : event_words(scene, kind, random));
}

static void append(char *text, size_t size, const char *before, const char *words) {
    size_t length = strlen(text);
    if (*words && length < size) snprintf(text + length, size - length, "%s%s", before, words);
}

void chl_scene_caption(const chl_scene *scene, uint64_t seed, char *text, size_t size) {
    chl_kind kind = strongest(scene, CHL_NO_KIND);
    if (size == 0) return;
    chl_philox event = chl_random(seed, PURPOSE_SCENE_CAPTION, 0, 0);
    chl_philox random = chl_random(seed, PURPOSE_SCENE_CAPTION, 0, 1);
    chl_philox again = chl_random(seed, PURPOSE_SCENE_CAPTION, 0, 2);
    if (kind == CHL_NO_KIND) {
        snprintf(text, size, "%s", calm_words[event.word[0] % 4]);
    } else {
        snprintf(text, size, "%s", event_words(scene, kind, event));
        chl_kind second = strongest(scene, kind);
        if (second != CHL_NO_KIND) append(text, size, " and ", event_words(scene, second, again));
        append(text, size, " ", land_words[event.word[2] % 4]);
    }
    /* The top bit decides whether the words are there, the lowest one which. */
    if (random.word[0] >> 31)
        append(text, size, " ", time_words[chl_scene_time_class(scene)][random.word[0] & 1]);
    if (random.word[1] >> 31)
        append(text, size, " ", season_words[chl_scene_season_class(scene)][random.word[1] & 1]);
    if (random.word[2] >> 31)
        append(text, size, ", ", house_words[chl_scene_house_class(scene)][random.word[2] & 1]);
}
