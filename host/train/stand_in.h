/* Who takes the place of a sample that cannot be read. */
#ifndef CHL_TRAIN_STAND_IN_H
#define CHL_TRAIN_STAND_IN_H
#include "train/balance.h"
#include "train/trainer.h"
#include "train/weak_pairs.h"

/* `sample`, or where it is left out another, each as likely as `balance` draws it (NULL: all alike). With
 * `pairs` one that is pictured like it: other ranks, which do not read it, count on that. A pure
 * function of (seed, step, place) and of which samples are unreadable, whenever that is found.
 * CHL_ERR_FORMAT: none was found. */
chl_status chl_stand_in(const chl_dataset *data, const chl_weak_pairs *pairs,
                        const chl_balance *balance, uint64_t seed, int64_t step, int64_t place,
                        int64_t *sample);
/* chl_dataset_picture of *sample, or where that cannot be read, and some may not be, of one that stands
 * in for it, which *sample is then; each as likely. */
chl_status chl_stand_in_picture(chl_dataset *data, uint64_t seed, int64_t step, int64_t place,
                                int side, int64_t *sample, const uint8_t **pixels);
/* For trainings whose ranks use each other's samples without reading them: every rank looks at a share of
 * all pictures, and all know from then on which cannot be read. Called in a build. */
chl_status chl_stand_in_agree(const chl_trainer *t, int side);
#endif
