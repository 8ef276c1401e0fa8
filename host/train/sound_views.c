#include "train/sound_views.h"
#include "base/random.h"
#include <string.h>

#define PURPOSE 0x43726f70u /* Philox key of the draws of frames */

void chl_sound_views(const chl_spec_augment *settings, uint64_t seed, int64_t step, int64_t place,
                     const float *mel, int64_t frames, float *picture, float *view) {
    const int64_t kept = frames < CHL_MEL_FRAMES ? frames : CHL_MEL_FRAMES;
    const uint32_t word = chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)place).word[0];
    const int64_t from = chl_random_below(word, frames - kept + 1);
    memset(picture, 0, sizeof(float) * CHL_VIEW_FLOATS);
    for (int64_t band = 0; band < CHL_MEL_BANDS; band++)
        memcpy(picture + band * CHL_MEL_FRAMES, mel + band * frames + from,
               sizeof(float) * (size_t)kept);
    if (!view) return;
    memset(view, 0, sizeof(float) * CHL_VIEW_FLOATS);
    chl_spec_augment_view(settings, seed, step, place, kept, CHL_MEL_FRAMES, picture, view);
}
