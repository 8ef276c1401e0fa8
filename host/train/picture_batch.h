/* The pictures of a training's batches: which samples, and their pixels. What trainings on pictures share.
 *
 *     CHL_TRY(chl_picture_batch_new(t, side, &own->batch));     in build
 *     CHL_TRY(chl_picture_batch_read(t, &own->batch, index));   in feed
 *     ... own->batch.sample[t->first + i], own->batch.bytes[i] ...
 *     CHL_TRY(chl_picture_batch_write(t, &own->batch, own->picture)); */
#ifndef CHL_TRAIN_PICTURE_BATCH_H
#define CHL_TRAIN_PICTURE_BATCH_H
#include "train/trainer.h"

typedef struct chl_picture_batch {
    int side;
    int64_t *sample;       /* [options->batch]: this step's, of all ranks; own ones are readable */
    const uint8_t **bytes; /* [batch] of this rank: [side][side][3], until the next step */
    float *pixels;         /* [batch][side][side][3] */
} chl_picture_batch;

/* Its memory is the trainer's. */
chl_status chl_picture_batch_new(chl_trainer *t, int side, chl_picture_batch *out);
/* Draws the samples of a step, and reads own ones' pictures, or of others in the place of those that
 * cannot be read. */
chl_status chl_picture_batch_read(chl_trainer *t, chl_picture_batch *batch, int64_t step);
/* The bytes, from 0 ... 255 to [-1,1], as `input`. */
chl_status chl_picture_batch_write(chl_trainer *t, chl_picture_batch *batch, chl_tensor input);
#endif
