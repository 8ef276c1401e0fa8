/* The targets of the sound encoder's training, by sample and step: CLIP's embeddings of the labels
 * in several wordings, those of the pictures, and weak pairs. */
#ifndef CHL_TRAIN_AUDIO_TARGETS_H
#define CHL_TRAIN_AUDIO_TARGETS_H
#include "train/frozen.h"
#include "train/trainer.h"
#include "train/weak_pairs.h"
#include "train/wordings.h"

typedef struct chl_audio_targets {
    int embed;             /* numbers in an embedding */
    float *text;           /* [different wordings][embed]; NULL without a loss that uses texts */
    int64_t *wording;      /* [labels][CHL_WORDINGS] -> row of text */
    float *picture;        /* [pictures][embed]; NULL without a loss that uses pictures */
    int64_t *picture_row;  /* [samples] -> row of picture, of a sample that has one */
    chl_weak_pairs *pairs; /* NULL without a loss that uses pictures */
    bool some_left_out;    /* there are samples without a picture, and none to borrow */
    /* private */
    const chl_dataset *data;
    chl_frozen *frozen; /* NULL without a loss that uses texts or pictures */
    uint8_t *made;      /* [pictures] */
    int64_t left;       /* pictures that are not embedded yet */
} chl_audio_targets;

/* Embeds the data set's texts and pictures by the frozen pair that the options name, as far as
 * losses of a weight other than 0 use them. Where none does, embed is 512. */
chl_status chl_audio_targets_new(const chl_trainer *t, chl_audio_targets **out);
void chl_audio_targets_free(chl_audio_targets *targets);

/* The embedding of the wording that sample i of this step's batch has. */
const float *chl_audio_text(const chl_audio_targets *targets, uint64_t seed, int64_t step,
                            int64_t place, const chl_sample *sample);
/* Embeds the pictures of these samples, as far as that was not done before; -1 is none. In the place of
 * one that cannot be read stands another's of the same label. */
chl_status chl_audio_need_pictures(chl_audio_targets *targets, int64_t count,
                                   const int64_t *sample);
/* The embedding of the picture of a sample that has one, and was needed. */
static inline const float *chl_audio_picture(const chl_audio_targets *targets, int64_t sample) {
    return targets->picture + targets->picture_row[sample] * targets->embed;
}
#endif
