/* Log-mel pictures of a data set's sounds on disk, a byte a number, for all runs and ranks that share a
 * folder (io/number_cache.h): what is there need not be decoded again.
 *
 *     chl_mel_store *store;
 *     CHL_TRY(chl_mel_store_open("cache", &store));
 *     if (!chl_mel_store_find(store, &media, &mel, &frames)) { compute; chl_mel_store_add(store, &media, mel, frames); }
 *     chl_mel_store_close(store);
 *
 * A number in [0, 1] becomes the nearest of 256: by at most 1/510, of 80 dB 0.16. A sound is known by its
 * file's path, size and time of change, and by its place in a shard. */
#ifndef CHL_TRAIN_MEL_STORE_H
#define CHL_TRAIN_MEL_STORE_H
#include "data/media.h"
#include <stdbool.h>

typedef struct chl_mel_store chl_mel_store;

/* The folder "mels" in `folder`; both are made where they are not there. */
chl_status chl_mel_store_open(const char *folder, chl_mel_store **out);
void chl_mel_store_close(chl_mel_store *store); /* NULL is fine */
/* *mel [CHL_MEL_BANDS][*frames], to be freed; false: it is not there, or there is no memory. Not thread
 * safe, as is the next. */
bool chl_mel_store_find(chl_mel_store *store, const chl_media *media, float **mel, int64_t *frames);
/* Rounds the numbers where they lie to what the next run will find, and keeps them. A folder that cannot
 * be written costs time, not the run: the log says so once. */
void chl_mel_store_add(chl_mel_store *store, const chl_media *media, float *mel, int64_t frames);
#endif
