/* The inputs of the steps, in order, each for one copy to the device; this room only.
 *
 *     chl_feeder *feeder;
 *     CHL_TRY(chl_feeder_new(t, first, last, &feeder));
 *     for (int64_t index = first; index < last; index++) {
 *         CHL_TRY(chl_feeder_take(feeder, index, copies, &waited));
 *         ... queue the step, wait for it ...
 *         chl_feeder_give_back(feeder, index);
 *     }
 *     chl_feeder_free(feeder);
 *
 * With `ahead` a thread calls the training's feed for steps to come and keeps what it writes
 * (chl_trainer_write) in pinned memory, at most ahead + 2 batches; without, chl_feeder_take calls
 * feed, which writes into the graph. The numbers are the same: a batch is a function of the seed
 * and the index. */
#ifndef CHL_TRAIN_FEEDER_H
#define CHL_TRAIN_FEEDER_H
#include "train/trainer.h"

typedef struct chl_feeder chl_feeder;

/* For the steps of index first ... last - 1 of a compiled graph. Sets t->inside->feeder. */
chl_status chl_feeder_new(chl_trainer *t, int64_t first, int64_t last, chl_feeder **out);
/* Ends the thread. Copies from the memory must be done. NULL is allowed. */
void chl_feeder_free(chl_feeder *feeder);
/* Queues the copies of a step's inputs on `copies`, or makes them; *waited: seconds for which they
 * were not ready. What feed returned for this step, with its text. */
chl_status chl_feeder_take(chl_feeder *feeder, int64_t index, chl_queue *copies, double *waited);
/* The copies of this step and of those before are done: their memory is used again. */
void chl_feeder_give_back(chl_feeder *feeder, int64_t index);
/* Is there a thread? */
bool chl_feeder_runs_ahead(const chl_feeder *feeder);
#endif
