/* Who takes the place of a sample that cannot be read. */
#ifndef CHL_TRAIN_STAND_IN_H
#define CHL_TRAIN_STAND_IN_H
#include "train/balance.h"
#include "train/weak_pairs.h"

/* `sample`, or where it is left out another, each as likely as `balance` draws it (NULL: all alike). With
 * `pairs` one that is pictured like it: other ranks, which do not read it, count on that. A pure
 * function of (seed, step, place) and of which samples are unreadable, whenever that is found.
 * CHL_ERR_FORMAT: none was found. */
chl_status chl_stand_in(const chl_dataset *data, const chl_weak_pairs *pairs,
                        const chl_balance *balance, uint64_t seed, int64_t step, int64_t place,
                        int64_t *sample);
#endif
