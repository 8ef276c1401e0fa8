/* Pictures of a generator for an encoder to learn from, made once and kept in memory.
 *
 * An edit shows the encoder pictures of codes that no seed maps to, and the optimisation finds what
 * the encoder overrates there: one that is trained on painted pictures alone takes a destroyed
 * landscape for rain. So it learns from such pictures too: at codes near mapped ones, which still
 * show what their sample says, and at distant codes, whose pictures are labelled as broken. */
#ifndef CHL_TRAIN_GENERATOR_POOL_H
#define CHL_TRAIN_GENERATOR_POOL_H
#include "models/generator.h"
#include "train/dataset.h"

#define CHL_POOL_BROKEN (-1)

typedef struct chl_generator_pool {
    int64_t count;
    int side;
    uint8_t *pixels; /* [count][side][side][3]; NULL with side 0 */
    int64_t *sample; /* [count] the sample whose latent it is from, or CHL_POOL_BROKEN */
    float *codes;    /* [count][rows][W] */
    float spread;    /* root of the mean squared distance of a mapped code from their mean */
    chl_generator *generator;
} chl_generator_pool;

/* Maps the latents of all samples and paints `count` pictures at jittered W+ codes: of every
 * picture one in ten is broken, of the others each third has codes as mapped, each row jittered by
 * a tenth, and by three tenths of the mapped codes' deviation. 3 side^2 bytes a picture; side 0:
 * codes only. A pure function of the generator, the latents and the seed. */
chl_status chl_generator_pool_make(chl_device *device, const char *generator,
                                   const chl_dataset *data, uint64_t seed, int64_t count, int side,
                                   chl_generator_pool *out);
void chl_generator_pool_free(chl_generator_pool *pool);
#endif
