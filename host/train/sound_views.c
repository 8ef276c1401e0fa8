#include "train/sound_views.h"
#include "base/random.h"
#include <string.h>

#define PURPOSE 0x43726f70u /* Philox key of the draws of frames */

/* Of a longer clip any 864 frames, of a shorter one all, once or again and again. Returns how many
 * frames have sound. */
static int64_t choose_frames(bool repeat, uint32_t word, const float *mel, int64_t frames,
                             float *picture) {
    const bool shorter = frames < CHL_MEL_FRAMES, again = shorter && repeat;
    const int64_t kept = shorter && !repeat ? frames : CHL_MEL_FRAMES;
    const int64_t from = chl_random_below(word, again ? frames : frames - kept + 1);
    memset(picture, 0, sizeof(float) * CHL_VIEW_FLOATS);
    for (int64_t band = 0; band < CHL_MEL_BANDS; band++) {
        const float *row = mel + band * frames;
        float *to = picture + band * CHL_MEL_FRAMES;
        for (int64_t i = 0, at = from; i < kept; i++) {
            to[i] = row[at];
            if (++at == frames) at = 0;
        }
    }
    return kept;
}

void chl_sound_views(const chl_view_settings *settings, uint64_t seed, int64_t step, int64_t place,
                     const float *mel, int64_t frames, float *picture, float *view) {
    const uint32_t word = chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)place).word[0];
    const int64_t kept = choose_frames(settings->repeat, word, mel, frames, picture);
    const chl_spec_augment *spec = &settings->spec;
    if (view) {
        memset(view, 0, sizeof(float) * CHL_VIEW_FLOATS);
        chl_spec_augment_view(spec, seed, step, place, kept, CHL_MEL_FRAMES, picture, view);
    }
    /* draws of its own: of the view's step they would hide the same */
    if (settings->mask)
        chl_spec_augment_mask(spec, seed, ~step, place, kept, CHL_MEL_FRAMES, picture);
}
