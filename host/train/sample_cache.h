/* Decoded pictures and sounds of a data set, by sample: every epoch needs every one again, so each
 * is decoded at first use and kept. 3 side^2 bytes a picture, 512 bytes a mel frame. */
#ifndef CHL_TRAIN_SAMPLE_CACHE_H
#define CHL_TRAIN_SAMPLE_CACHE_H
#include "base/status.h"
#include <stdint.h>

typedef struct chl_sample_cache chl_sample_cache;

/* Of `count` samples; an `index` below is 0 ... count - 1. */
chl_status chl_sample_cache_new(int64_t count, chl_sample_cache **out);
void chl_sample_cache_free(chl_sample_cache *cache);

/* The picture in `path` as pixels [side][side][3], cropped to its centre square and resized where
 * it has another size. Valid until chl_sample_cache_free. */
chl_status chl_sample_cache_picture(chl_sample_cache *cache, int64_t index, const char *path,
                                    int side, const uint8_t **pixels);
/* Whole log-mel pictures of `count` sounds, mel[i] [128][frames[i]], of the sample index[i] in the
 * file path[i]. All threads read those that are not there yet. */
chl_status chl_sample_cache_mels(chl_sample_cache *cache, int count, const int64_t *index,
                                 const char *const *path, const float **mel, int64_t *frames);
#endif
