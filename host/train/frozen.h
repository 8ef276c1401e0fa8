/* Embeddings by the frozen CLIP pair of a training: computed at the first use, and with a cache once for
 * all runs and ranks that share it (io/number_cache.h). Who finds all of them there never reads the pair.
 *
 *     const chl_frozen_source source = {.device = device, .clip = "ViT-B-32.pt", .vocab = ..., .cache = "cache"};
 *     chl_frozen *frozen;
 *     CHL_TRY(chl_frozen_open(&source, &frozen));
 *     CHL_TRY(chl_frozen_texts(frozen, count, texts, rows));               [count][chl_frozen_embed]
 *     chl_frozen_close(frozen); */
#ifndef CHL_TRAIN_FROZEN_H
#define CHL_TRAIN_FROZEN_H
#include "data/media.h"
#include "runtime/backend.h"

typedef struct chl_frozen_source {
    chl_device *device;
    const char *clip, *vocab; /* vocab NULL: no texts */
    const char *cache;        /* a folder; NULL: none */
    int batch;                /* embeddings in one run, >= 1 */
} chl_frozen_source;

typedef struct chl_frozen chl_frozen;

/* The texts of `source` must stay. */
chl_status chl_frozen_open(const chl_frozen_source *source, chl_frozen **out);
void chl_frozen_close(chl_frozen *frozen); /* NULL is fine */
/* Numbers of an embedding. */
int chl_frozen_width(const chl_frozen *frozen);
/* Frees the pair until it is needed again. */
void chl_frozen_rest(chl_frozen *frozen);
/* rows [count][width] */
chl_status chl_frozen_texts(chl_frozen *frozen, int64_t count, const char *const *text,
                            float *rows);
/* why NULL: a picture that cannot be read is an error. Else why[i] of it is the reason, to be freed,
 * and its row is 0; of the others NULL. */
chl_status chl_frozen_pictures(chl_frozen *frozen, int64_t count, const chl_media *picture,
                               float *rows, char **why);
/* Of these, how many were found in the cache, and how many computed, so far. */
void chl_frozen_counts(const chl_frozen *frozen, int64_t *found, int64_t *made);
#endif
