/* What people are shown of an adversarial training while it runs: a sheet of pictures, and with a CLIP two
 * distances of its pictures from the data set's. */
#ifndef CHL_TRAIN_GAN_LOOK_H
#define CHL_TRAIN_GAN_LOOK_H
#include "models/clip.h"
#include "train/gan_network.h"

/* Zeros before it starts. */
typedef struct chl_gan_measure {
    chl_clip *clip;
    int64_t count; /* pictures of each set; below 2: no distances */
    float *real;   /* their embeddings [count][embed] */
} chl_gan_measure;
/* With options->clip, on rank 0: embeds the data's pictures, of `side`, before the first step, for later
 * another thread reads the data. CHL_ERR_ARGUMENT for a CLIP without an image tower. */
chl_status chl_gan_measure_start(chl_trainer *t, int side, chl_gan_measure *measure);
void chl_gan_measure_free(chl_gan_measure *measure);

/* Writes fakes-STEP.png, seeds 0 to 35 as `chladni generate --truncation 1` has them; with options->clip a
 * line of the log has FID and KID of up to 2000 pictures, with what `measure` has.
 * With classes, seed i is painted of class i modulo `classes`. */
chl_status chl_gan_look(chl_trainer *t, const chl_gan_network *network, int classes,
                        const chl_gan_measure *measure, int64_t step, chl_params *model);
#endif
