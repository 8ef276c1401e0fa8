/* The sound encoder's inputs in training from augmented sounds (sound/augment.h): which other
 * sounds are heard in a sample's, and the mel pictures of the result.
 *
 *     chl_sound_draws *draws;
 *     CHL_TRY(chl_sound_draws_new(data, &augment, false, bytes, &draws));
 *     CHL_TRY(chl_sound_draws_make(draws, &settings, seed, step, first, count, sample, mels, views,
 *                                  &made));
 *
 * Both inputs of L_aa are draws of their own, the second one masked by SpecAugment too. */
#ifndef CHL_TRAIN_SOUND_DRAWS_H
#define CHL_TRAIN_SOUND_DRAWS_H
#include "sound/augment.h"
#include "train/dataset.h"
#include "train/sound_views.h"

typedef struct chl_sound_draws chl_sound_draws;

/* in_mel: what is drawn changes mel pictures (sound/mel_augment.h), which the dataset keeps; else
 * waveforms, of which `bytes` are kept. */
chl_status chl_sound_draws_new(chl_dataset *dataset, const chl_sound_augment *augment, bool in_mel,
                               int64_t bytes, chl_sound_draws **out);
void chl_sound_draws_free(chl_sound_draws *draws);
/* mels, views [count][128][864] of the samples sample[count], which are those from place `first` on
 * of the step's; views may be NULL. A pure function of (seed, step, place). *made false: one of these
 * samples turned out to be unreadable (left_out.h), and nothing is made; another that should be heard
 * with one and is unreadable is not heard. All threads work. Not thread safe. */
chl_status chl_sound_draws_make(chl_sound_draws *draws, const chl_view_settings *settings,
                                uint64_t seed, int64_t step, int64_t first, int count,
                                const int64_t *sample, float *mels, float *views, bool *made);
#endif
