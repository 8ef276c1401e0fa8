/* Decoded sounds of a data set as 16-bit samples at 44 100 Hz, 88 KB a second (5.3 MB a minute): what
 * an augmentation of waveforms begins with in every epoch. What does not fit into the cache's memory
 * is decoded at each use. */
#ifndef CHL_TRAIN_WAVE_CACHE_H
#define CHL_TRAIN_WAVE_CACHE_H
#include "sound/augment.h"
#include "train/dataset.h"

typedef struct chl_wave_cache chl_wave_cache;

/* Of a data set that lives longer and whose samples all have sounds. */
chl_status chl_wave_cache_new(const chl_dataset *dataset, int64_t bytes, chl_wave_cache **out);
void chl_wave_cache_free(chl_wave_cache *cache);
/* out [count]: the sounds of the samples index[count], which may repeat, whole; valid until the next
 * call. All threads decode those that are not there yet. Samples beyond [-1, 1] are cut there.
 * CHL_ERR_FORMAT names a file without samples. Where the data set allows unreadable clips, data of one
 * is NULL. Not thread safe. */
chl_status chl_wave_cache_take(chl_wave_cache *cache, int count, const int64_t *index,
                               chl_pcm *out);
#endif
