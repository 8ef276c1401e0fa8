/* Pictures of other samples: those that may take the place of a sample's own in L_kl (Eq. 9-12), and
 * those that a sample without a picture borrows. They are pictures of the same label.
 *
 *     chl_weak_pairs *pairs;
 *     CHL_TRY(chl_weak_pairs_new(dataset, &pairs));
 *     CHL_TRY(chl_weak_pairs_check(pairs));                          for L_kl
 *     partner = chl_weak_pairs_draw(pairs, seed, step, i, sample);
 *     picture = chl_weak_pairs_borrow(pairs, seed, step, i, sample);
 *
 * Where a label has no other picture, it is one of the kind ("heavy rain" of "rain"). */
#ifndef CHL_TRAIN_WEAK_PAIRS_H
#define CHL_TRAIN_WEAK_PAIRS_H
#include "train/dataset.h"

typedef struct chl_weak_pairs chl_weak_pairs;

chl_status chl_weak_pairs_new(const chl_dataset *dataset, chl_weak_pairs **out);
void chl_weak_pairs_free(chl_weak_pairs *pairs);
/* Whether L_kl can be computed. CHL_ERR_FORMAT names a sample without a label, and one with a picture
 * that is the only one of its label and of its kind. The log says once how many are paired by kind. */
chl_status chl_weak_pairs_check(const chl_weak_pairs *pairs);
/* Is there a picture for this sample, its own or one that it borrows? */
bool chl_weak_pairs_pictured(const chl_weak_pairs *pairs, int64_t sample);
/* Another sample, with a picture, of the same label, each equally likely; never `sample` itself. -1
 * where there is none. A pure function of (seed, step, place in the batch). */
int64_t chl_weak_pairs_draw(const chl_weak_pairs *pairs, uint64_t seed, int64_t step, int64_t place,
                            int64_t sample);
/* The sample itself where it has a picture; else one that has, drawn as above but independently of
 * it. -1 where there is none. */
int64_t chl_weak_pairs_borrow(const chl_weak_pairs *pairs, uint64_t seed, int64_t step,
                              int64_t place, int64_t sample);
#endif
