/* Decoded pictures and sounds of a data set, by sample: every epoch needs every one again, so each is
 * decoded at first use and kept, while there is memory for it: 3 side^2 bytes a picture, 512 bytes a
 * mel frame. Each is used once an epoch, in an order that is new in each: what was kept first is as
 * likely to be needed next as any other, so that nothing is ever replaced. */
#ifndef CHL_TRAIN_SAMPLE_CACHE_H
#define CHL_TRAIN_SAMPLE_CACHE_H
#include "data/media.h"
#include "train/left_out.h"
#include "train/mel_store.h"

typedef struct chl_sample_cache chl_sample_cache;

/* Of `count` samples; an `index` below is 0 ... count - 1. bytes: that are kept; 0: no limit. store: where
 * mel pictures are looked for before a sound is decoded, and kept; it is taken over, also when this
 * fails. NULL: none. */
chl_status chl_sample_cache_new(int64_t count, int64_t bytes, chl_mel_store *store,
                                chl_sample_cache **out);
void chl_sample_cache_free(chl_sample_cache *cache);
/* Frees what did not fit since the last call. */
void chl_sample_cache_pass(chl_sample_cache *cache);

/* The picture as pixels [side][side][3], cropped to its centre square and resized where it has
 * another size. Valid until chl_sample_cache_pass. */
chl_status chl_sample_cache_picture(chl_sample_cache *cache, int64_t index, const chl_media *media,
                                    int side, const uint8_t **pixels);
typedef struct chl_cached_sound {
    chl_media media;
    float level_db; /* to which it is turned; NAN: as it is. The store has it as it is */
} chl_cached_sound;
/* Whole log-mel pictures of `count` sounds, mel[i] [128][frames[i]], of the sample index[i] in
 * sound[i]. All threads read those that are not there yet. A sound that cannot be read goes to `left`,
 * where that allows any, and its mel[i] is NULL. Valid as above. */
chl_status chl_sample_cache_mels(chl_sample_cache *cache, chl_left_out *left, int count,
                                 const int64_t *index, const chl_cached_sound *sound,
                                 const float **mel, int64_t *frames);
#endif
