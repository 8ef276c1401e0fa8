/* What the sound encoder is trained towards, looked up by sample and step: CLIP's embeddings of the
 * labels in several wordings, of the pictures, and who is whose weak pair. */
#ifndef CHL_TRAIN_AUDIO_TARGETS_H
#define CHL_TRAIN_AUDIO_TARGETS_H
#include "train/trainer.h"
#include "train/weak_pairs.h"

/* Wordings of each label; a step draws one. The set is finite so that every text passes the frozen
 * tower once, at the start, instead of once a step. */
#define CHL_WORDINGS 16

typedef struct chl_audio_targets {
    int embed;             /* numbers in an embedding */
    float *text;           /* [different wordings][embed]; NULL where no loss looks at texts */
    int64_t *wording;      /* [labels][CHL_WORDINGS] -> row of text */
    float *picture;        /* [samples][embed]; NULL where no loss looks at pictures */
    chl_weak_pairs *pairs; /* NULL without the weak-pair loss */
} chl_audio_targets;

/* Reads the data set's texts and pictures through the frozen pair that the options name, as far as
 * the losses' weights ask for them. Without any of them embed is 512. */
chl_status chl_audio_targets_new(const chl_trainer *t, chl_audio_targets **out);
void chl_audio_targets_free(chl_audio_targets *targets);

/* The embedding of the wording that sample i of this step's batch has. */
const float *chl_audio_text(const chl_audio_targets *targets, uint64_t seed, int64_t step,
                            int64_t place, const chl_sample *sample);
static inline const float *chl_audio_picture(const chl_audio_targets *targets, int64_t sample) {
    return targets->picture + sample * targets->embed;
}
#endif
