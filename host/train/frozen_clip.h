/* The frozen CLIP pair of a training: what it says about the texts and pictures of the data set is
 * computed once at the start and looked up in every step.
 *
 *     chl_frozen_clip *clip;
 *     CHL_TRY(chl_frozen_clip_open(device, "ViT-B-32.pt", "merges.txt.gz", &clip));
 *     CHL_TRY(chl_frozen_clip_texts(clip, count, texts, embeddings));
 *     chl_frozen_clip_free(clip);
 *
 * Pictures are prepared as chl_embed_picture does: centre square, area resize. Embeddings are rows
 * of unit length. */
#ifndef CHL_TRAIN_FROZEN_CLIP_H
#define CHL_TRAIN_FROZEN_CLIP_H
#include "nets/clip.h"
#include "text/tokenizer.h"

typedef struct chl_frozen_clip {
    chl_device *device;
    chl_params *params;
    chl_clip_config config;
    chl_tokenizer *tokenizer; /* NULL without merges: texts are an error then */
} chl_frozen_clip;

chl_status chl_frozen_clip_open(chl_device *device, const char *weights, const char *merges,
                                chl_frozen_clip **out);
void chl_frozen_clip_free(chl_frozen_clip *clip);

/* embeddings [count][config.embed] */
chl_status chl_frozen_clip_texts(chl_frozen_clip *clip, int64_t count, const char *const *texts,
                                 float *embeddings);
/* paths of picture files of any size */
chl_status chl_frozen_clip_pictures(chl_frozen_clip *clip, int64_t count, const char *const *paths,
                                    float *embeddings);
#endif
