/* Small changes to training pictures that keep what they show, so that an encoder learns the
 * content and not single pixels: an edit optimises pixels and would find any tiny change that an
 * encoder overrates. A pure function of its arguments. */
#ifndef CHL_TRAIN_AUGMENT_PICTURE_H
#define CHL_TRAIN_AUGMENT_PICTURE_H
#include <stdint.h>

typedef struct chl_picture_augment {
    float zoom;       /* largest share of the side that is cropped away; the rest is stretched */
    float brightness; /* largest shift, of pixels in [-1,1] */
    float contrast;   /* largest share by which distances from mid-grey grow or shrink */
    float noise;      /* largest deviation of the white noise; each picture draws its own */
    float blur;       /* probability of a 3 x 3 blur of a random strength */
} chl_picture_augment;

/* The settings of the engine's trainings. */
#define CHL_PICTURE_AUGMENT                                                                        \
    ((chl_picture_augment){                                                                        \
        .zoom = 0.25f, .brightness = 0.1f, .contrast = 0.2f, .noise = 0.12f, .blur = 0.3f})

/* pixels [side][side][3] bytes -> out [side][side][3] in [-1,1]; drawn with
 * chl_random(seed, purpose, index, element). All of `how` zero: the pixels as they are. */
void chl_augment_picture(const chl_picture_augment *how, uint64_t seed, uint32_t purpose,
                         int64_t index, int64_t element, int side, const uint8_t *pixels,
                         float *out);
#endif
