/* A sound as its algorithm makes it, before anything that a recording adds. */
#include "demo/world/synth.h"
#include <stdlib.h>

#define MIN_DB (-42.0)
#define MAX_DB (-12.0)
#define SOUND_PURPOSE 0x736F756Eu

static chl_sound_family *const families[CHL_KINDS] = {
    [CHL_RAIN] = &chl_sound_rain,         [CHL_THUNDER] = &chl_sound_thunder,
    [CHL_WIND] = &chl_sound_wind,         [CHL_FIRE] = &chl_sound_fire,
    [CHL_BIRDS] = &chl_sound_birds,       [CHL_WAVES] = &chl_sound_waves,
    [CHL_BUBBLES] = &chl_sound_bubbles,   [CHL_EXPLOSION] = &chl_sound_explosion,
    [CHL_CRICKETS] = &chl_sound_crickets, [CHL_BELL] = &chl_sound_bell,
};

double chl_sound_decibels(double strength) {
    return MIN_DB + (MAX_DB - MIN_DB) * strength;
}

static chl_status check(const chl_sound_recipe *recipe, int64_t samples) {
    if (samples < 1)
        return chl_fail(CHL_ERR_ARGUMENT, "samples must be >= 1, got %lld", (long long)samples);
    if ((int)recipe->kind < 0 || recipe->kind >= CHL_KINDS)
        return chl_fail(CHL_ERR_ARGUMENT, "kind must be 0 to %d (CHL_NO_KIND has no sound), got %d",
                        CHL_KINDS - 1, (int)recipe->kind);
    if (recipe->algorithm < 0 || recipe->algorithm >= CHL_SOUND_ALGORITHMS)
        return chl_fail(CHL_ERR_ARGUMENT, "algorithm must be 0 to %d, got %d",
                        CHL_SOUND_ALGORITHMS - 1, recipe->algorithm);
    if (!(recipe->strength >= 0 && recipe->strength <= 1))
        return chl_fail(CHL_ERR_ARGUMENT, "strength must be 0 to 1, got %g",
                        (double)recipe->strength);
    return CHL_OK;
}

chl_status chl_sound_dry(const chl_sound_recipe *recipe, float *wave, int64_t samples) {
    CHL_TRY(check(recipe, samples));
    /* Algorithms get at least a second to place events in: a short sound is the beginning of it. */
    int64_t length = samples > CHL_WORLD_RATE ? samples : CHL_WORLD_RATE;
    int64_t points = length / CHL_CURVE_STEP + 2;
    float *memory = calloc((size_t)(2 * length + points), sizeof *memory);
    if (!memory)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a sound of %lld samples",
                        (long long)samples);

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
