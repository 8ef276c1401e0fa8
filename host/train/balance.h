/* Which samples make a batch where not all kinds of sounds, or not all sources of recordings, are
 * there equally often.
 *
 *     chl_balance *balance;                                   NULL for "none"
 *     CHL_TRY(chl_balance_new(dataset, "source", &balance));
 *     chl_balance_draw(balance, seed, step, batch, sample);
 *
 * "label" draws a group (the kind of a line that has one, else its label), then a sample of it;
 * "source" a group, then one of its sources, then a sample. Each step is uniform and with
 * replacement: there are no epochs. Samples without a source count as of one source. */
#ifndef CHL_TRAIN_BALANCE_H
#define CHL_TRAIN_BALANCE_H
#include "base/random.h"
#include "train/dataset.h"

typedef struct chl_balance chl_balance;

/* *out is NULL for "none" and for NULL. CHL_ERR_ARGUMENT for an unknown name, CHL_ERR_KEY where a
 * sample has neither kind nor label. */
chl_status chl_balance_new(const chl_dataset *dataset, const char *name, chl_balance **out);
void chl_balance_free(chl_balance *balance);
/* sample [batch], a pure function of (seed, step, place in the batch) */
void chl_balance_draw(const chl_balance *balance, uint64_t seed, int64_t step, int batch,
                      int64_t *sample);
/* One sample, by three words of `random`. */
int64_t chl_balance_pick(const chl_balance *balance, const chl_philox *random);
#endif
