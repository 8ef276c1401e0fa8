/* Work on many samples by all threads, each sample by one: a sound is too short to divide. */
#ifndef CHL_TRAIN_IN_PARALLEL_H
#define CHL_TRAIN_IN_PARALLEL_H
#include "base/status.h"

/* work(user, i) for i = 0 ... count - 1, in any order. Returns the status of one that failed, with its
 * text, which this thread then has too. */
chl_status chl_in_parallel(int count, chl_status (*work)(void *user, int i), void *user);
#endif
