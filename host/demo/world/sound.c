#include "demo/world/synth.h"

#include <stdlib.h>

#define QUIETEST_DB (-42.0)
#define LOUDEST_DB (-12.0)
#define SOUND_PURPOSE 0x736F756Eu

static chl_sound_family *const families[CHL_KINDS] = {
    [CHL_RAIN] = &chl_sound_rain,         [CHL_THUNDER] = &chl_sound_thunder,
    [CHL_WIND] = &chl_sound_wind,         [CHL_FIRE] = &chl_sound_fire,
    [CHL_BIRDS] = &chl_sound_birds,       [CHL_WAVES] = &chl_sound_waves,
    [CHL_BUBBLES] = &chl_sound_bubbles,   [CHL_EXPLOSION] = &chl_sound_explosion,
    [CHL_CRICKETS] = &chl_sound_crickets, [CHL_BELL] = &chl_sound_bell,
};

double chl_sound_decibels(double strength) {
    return QUIETEST_DB + (LOUDEST_DB - QUIETEST_DB) * strength;
}

static chl_status check(const chl_sound_recipe *recipe, int64_t samples) {
    if (samples < 1)
        return chl_fail(CHL_ERR_ARGUMENT, "sound: %lld samples: at least 1", (long long)samples);
    if ((int)recipe->kind < 0 || recipe->kind >= CHL_KINDS)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "sound: kind %d makes no sound: 0 ... %d do, CHL_NO_KIND does not",
                        (int)recipe->kind, CHL_KINDS - 1);
    if (recipe->algorithm < 0 || recipe->algorithm >= CHL_SOUND_ALGORITHMS)
        return chl_fail(CHL_ERR_ARGUMENT, "sound: algorithm %d: 0 ... %d", recipe->algorithm,
                        CHL_SOUND_ALGORITHMS - 1);
    if (!(recipe->strength >= 0 && recipe->strength <= 1))
        return chl_fail(CHL_ERR_ARGUMENT, "sound: strength %g: 0 ... 1", (double)recipe->strength);
    return CHL_OK;
}

chl_status chl_sound_bare(const chl_sound_recipe *recipe, float *wave, int64_t samples) {
    CHL_TRY(check(recipe, samples));
    /* algorithms lay out at least a second, so that the first instant of a sound is not silence */
    int64_t length = samples > CHL_WORLD_RATE ? samples : CHL_WORLD_RATE;
    int64_t points = length / CHL_CURVE_STEP + 2;
    float *memory = calloc((size_t)(2 * length + points), sizeof *memory);
    if (!memory) return chl_fail(CHL_ERR_MEMORY, "sound of %lld samples", (long long)samples);

    chl_dice dice =
        chl_dice_new(recipe->seed, SOUND_PURPOSE + (uint32_t)recipe->kind * CHL_SOUND_ALGORITHMS +
                                       (uint32_t)recipe->algorithm);
    chl_synth synth = {.wave = memory,
                       .layer = memory + length,
                       .curve = memory + 2 * length,
                       .samples = length,
                       .points = points,
                       .seconds = (double)length / CHL_WORLD_RATE,
                       .strength = recipe->strength,
                       .dice = &dice};
    (*families[recipe->kind])[recipe->algorithm](&synth);
    for (int64_t i = 0; i < samples; i++) wave[i] = memory[i];
    free(memory);
    chl_set_level(wave, samples, chl_sound_decibels(recipe->strength));
    return CHL_OK;
}

chl_status chl_sound_synthesise(const chl_sound_recipe *recipe, float *wave, int64_t samples) {
    CHL_TRY(chl_sound_bare(recipe, wave, samples));
    return recipe->recorded ? chl_recording_make(recipe, wave, samples) : CHL_OK;
}
