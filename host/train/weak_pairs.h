/* Weak pairs: the samples whose pictures may take the place of a sample's own in L_kl (Eq. 9-12),
 * which are those of the same label.
 *
 *     chl_weak_pairs *pairs;
 *     CHL_TRY(chl_weak_pairs_new(dataset, &pairs));
 *     partner = chl_weak_pairs_draw(pairs, seed, step, i, sample);
 *
 * A sample that is the only one of its label is paired with others of its kind ("heavy rain" with
 * "rain"), and the log says so once. If it is the only one of its kind too, that is an error. */
#ifndef CHL_TRAIN_WEAK_PAIRS_H
#define CHL_TRAIN_WEAK_PAIRS_H
#include "train/dataset.h"

typedef struct chl_weak_pairs chl_weak_pairs;

chl_status chl_weak_pairs_new(const chl_dataset *dataset, chl_weak_pairs **out);
void chl_weak_pairs_free(chl_weak_pairs *pairs);
/* Another sample of the same label, each equally likely; never `sample` itself. A pure function of
 * (seed, step, place in the batch). */
int64_t chl_weak_pairs_draw(const chl_weak_pairs *pairs, uint64_t seed, int64_t step, int64_t place,
                            int64_t sample);
#endif
