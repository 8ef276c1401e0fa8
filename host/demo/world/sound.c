#include "demo/world/synth.h"

chl_status chl_sound_synthesise(const chl_sound_recipe *recipe, float *wave, int64_t samples) {
    CHL_TRY(chl_sound_dry(recipe, wave, samples));
    return recipe->recorded ? chl_recording_make(recipe, wave, samples) : CHL_OK;
}
