/* The targets of the sound encoder's training, by sample and step: CLIP's embeddings of the labels
 * in several wordings, those of the pictures, and weak pairs. */
#ifndef CHL_TRAIN_AUDIO_TARGETS_H
#define CHL_TRAIN_AUDIO_TARGETS_H
#include "train/trainer.h"
#include "train/weak_pairs.h"

/* Wordings of each label; a step draws one. The set is finite so that CLIP embeds every text once,
 * at the start, and not in each step. */
#define CHL_WORDINGS 16

typedef struct chl_audio_targets {
    int embed;             /* numbers in an embedding */
    float *text;           /* [different wordings][embed]; NULL without a loss that uses texts */
    int64_t *wording;      /* [labels][CHL_WORDINGS] -> row of text */
    float *picture;        /* [pictures][embed]; NULL without a loss that uses pictures */
    int64_t *picture_row;  /* [samples] -> row of picture, of a sample that has one */
    chl_weak_pairs *pairs; /* NULL without a loss that uses pictures */
    bool some_left_out;    /* there are samples without a picture, and none to borrow */
} chl_audio_targets;

/* Embeds the data set's texts and pictures by the frozen pair that the options name, as far as
 * losses of a weight other than 0 use them. Where none does, embed is 512. */
chl_status chl_audio_targets_new(const chl_trainer *t, chl_audio_targets **out);
void chl_audio_targets_free(chl_audio_targets *targets);

/* The embedding of the wording that sample i of this step's batch has. */
const float *chl_audio_text(const chl_audio_targets *targets, uint64_t seed, int64_t step,
                            int64_t place, const chl_sample *sample);
/* The embedding of the picture of a sample that has one. */
static inline const float *chl_audio_picture(const chl_audio_targets *targets, int64_t sample) {
    return targets->picture + targets->picture_row[sample] * targets->embed;
}
#endif
