/* SpecAugment [Park et al. 2019]: a second, altered view of a mel picture, for the audio-audio loss
 * (Eq. 7-8).
 *
 *     chl_spec_augment settings = chl_spec_augment_defaults();
 *     chl_spec_augment_view(&settings, seed, step, sample, frames, frames, mel, view);
 *
 * Time is warped, then two masks of bands and two of frames are set to 0, the picture's minimum. A
 * pure function of (seed, index, sample): no state is kept between calls. */
#ifndef CHL_SOUND_SPEC_AUGMENT_H
#define CHL_SOUND_SPEC_AUGMENT_H
#include "sound/mel.h"

#define CHL_SPEC_MASKS 2 /* of each kind */

typedef struct chl_spec_augment {
    float mask_bands;  /* a mask hides [0, mask_bands] of the bands: 0.15 */
    float mask_frames; /* and [0, mask_frames] of the frames: 0.3 */
    float warp;        /* a point in time moves by at most this share of the frames: 0.05 */
} chl_spec_augment;
/* The values above. The masks are docs/method.md's, section 1; the warp is half a second of ten:
 * Park et al. warp 80 of about a thousand frames. */
chl_spec_augment chl_spec_augment_defaults(void);

/* mel, view [CHL_MEL_BANDS][stride], not overlapping; the first `frames` of each row are read and
 * written. Values of the view lie between the minimum and the maximum of mel and 0. */
void chl_spec_augment_view(const chl_spec_augment *settings, uint64_t seed, int64_t index,
                           int64_t sample, int64_t frames, int64_t stride, const float *mel,
                           float *view);
/* The masks alone, in place. */
void chl_spec_augment_mask(const chl_spec_augment *settings, uint64_t seed, int64_t index,
                           int64_t sample, int64_t frames, int64_t stride, float *mel);
#endif
