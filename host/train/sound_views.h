/* What the encoder sees of a sound while it is trained: 864 frames of the mel, and another view of
 * them.
 *
 * The way from mel to picture is sound/mel.h's, as embedding does it: 864 frames, zeros on the
 * right, then (in the graph) a bilinear resize to 224 x 224. Only which frames of a longer clip
 * differs: any here, the middle ones there. */
#ifndef CHL_TRAIN_SOUND_VIEWS_H
#define CHL_TRAIN_SOUND_VIEWS_H
#include "sound/spec_augment.h"

#define CHL_VIEW_FLOATS (CHL_MEL_BANDS * CHL_MEL_FRAMES)

/* mel [128][frames] -> picture, view [128][864]; view may be NULL. Warp and masks act on the sound,
 * not on the zeros beside it. A pure function of (seed, step, place in the batch). */
void chl_sound_views(const chl_spec_augment *settings, uint64_t seed, int64_t step, int64_t place,
                     const float *mel, int64_t frames, float *picture, float *view);
#endif
