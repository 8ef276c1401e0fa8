/* The sound encoder's inputs in training: 864 frames of a mel picture, and a second, augmented view
 * of them.
 *
 * As in embedding (sound/mel.h) a picture has 864 frames, zeros on the right of a shorter clip, and
 * is then, in the graph, resized to 224 x 224. Of a longer clip training draws any frames,
 * embedding takes the middle ones. */
#ifndef CHL_TRAIN_SOUND_VIEWS_H
#define CHL_TRAIN_SOUND_VIEWS_H
#include "sound/spec_augment.h"
#include <stdbool.h>

#define CHL_VIEW_FLOATS (CHL_MEL_BANDS * CHL_MEL_FRAMES)

typedef struct chl_view_settings {
    chl_spec_augment spec;
    bool repeat; /* a shorter clip, from any of its frames on; else zeros follow it */
    bool mask;   /* the picture is masked too, as the view is */
} chl_view_settings;
/* mel [128][frames] -> picture, view [128][864]; view may be NULL. Warp and masks are applied to
 * the sound, not to the zeros beside it. A pure function of (seed, step, place in the batch). */
void chl_sound_views(const chl_view_settings *settings, uint64_t seed, int64_t step, int64_t place,
                     const float *mel, int64_t frames, float *picture, float *view);
#endif
