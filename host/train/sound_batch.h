/* The sounds of a training's batches: which samples, and their mel pictures. What trainings on sounds
 * share.
 *
 *     CHL_TRY(chl_sound_batch_new(t, CHL_SOUNDS_MASKED, &batch));  in build
 *     CHL_TRY(chl_sound_batch_make(t, batch, NULL, index));        in feed
 *     ... batch->sample[t->first + i], batch->mels ...
 *     CHL_TRY(chl_sound_batch_mark(batch, out));                   in save
 *     chl_sound_batch_free(batch);                                 in release */
#ifndef CHL_TRAIN_SOUND_BATCH_H
#define CHL_TRAIN_SOUND_BATCH_H
#include "train/balance.h"
#include "train/sound_draws.h"
#include "train/sound_views.h"
#include "train/trainer.h"
#include "train/weak_pairs.h"

typedef struct chl_sound_batch {
    chl_balance *balance;   /* NULL: an epoch is a permutation */
    chl_sound_draws *draws; /* NULL without augmentation of waveforms or mel pictures */
    chl_view_settings settings;
    int64_t *sample; /* [options->batch]: this step's, of all ranks */
    /* [batch] of this rank: mel pictures, whole */
    const float **sound;
    int64_t *frames;
    float *mels, *views; /* [batch][128][864]; views NULL without */
} chl_sound_batch;

typedef enum chl_sound_use {
    CHL_SOUNDS_PLAIN,
    CHL_SOUNDS_VIEWED, /* of each sound also an augmented view */
    CHL_SOUNDS_MASKED  /* the pictures themselves are masked */
} chl_sound_use;
chl_status chl_sound_batch_new(chl_trainer *t, chl_sound_use use, chl_sound_batch **out);
void chl_sound_batch_free(chl_sound_batch *batch); /* NULL is fine */
/* Draws the samples of a step, puts others in the place of those that cannot be read (`pairs`: pictured
 * like them, NULL: any), and makes mels and views. */
chl_status chl_sound_batch_make(chl_trainer *t, chl_sound_batch *batch, const chl_weak_pairs *pairs,
                                int64_t step);
/* Adds the markers that tell an encoder's file on which pictures it was trained. */
chl_status chl_sound_batch_mark(const chl_sound_batch *batch, chl_params *out);
/* An input for each chunk of the pictures (chl_trainer_inputs); NULL without memory, which the graph
 * keeps as its error. */
chl_tensor *chl_sound_batch_input(chl_trainer *t, const char *name);
#endif
