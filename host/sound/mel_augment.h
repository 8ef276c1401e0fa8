/* The draws of sound/augment.h made in a mel picture instead of the waveform: a hundredth of the
 * work, and what a picture does not hold (phases, what lies between two bands) is left out.
 *
 *     chl_mel_sources sources = {.own = {mel, frames}, .background = {other, other_frames}};
 *     CHL_TRY(chl_mel_augment(&settings, seed, step, element, &sources, picture, &count));
 *
 * All is done in powers, where sounds add: filters are gains of bands, a room lets each band decay,
 * a codec adds a floor of noise, another speed moves bands and frames. */
#ifndef CHL_SOUND_MEL_AUGMENT_H
#define CHL_SOUND_MEL_AUGMENT_H
#include "sound/augment.h"
#include "sound/mel.h"

/* An absolute log-mel picture [128][frames] (chl_mel_whole). No picture (NULL, 0): there is none. */
typedef struct chl_mel_clip {
    const float *mel;
    int64_t frames;
} chl_mel_clip;
typedef struct chl_mel_sources { /* as chl_augment_sources */
    chl_mel_clip own, event, background;
    bool level_meant;
} chl_mel_sources;
/* mel [128][864], of whose rows the first *frames are the sound, at stride *frames: [128][*frames].
 * CHL_ERR_MEMORY. A pure function of (seed, step, element) and the sources. */
chl_status chl_mel_augment(const chl_sound_augment *settings, uint64_t seed, int64_t step,
                           int64_t element, const chl_mel_sources *sources, float *mel,
                           int64_t *frames);
#endif
