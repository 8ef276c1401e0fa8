/* CLIP: texts and pictures to embeddings, with tokenizer and preprocessing. registry.h opens it.
 *
 *     chl_clip *clip;
 *     const chl_clip_settings settings = {0};
 *     CHL_TRY(chl_clip_open(&place, "ViT-B-32.pt", "merges.txt.gz", &settings, &clip));
 *     const char *const texts[] = {"rain", "a photo of a stormy sea"};
 *     CHL_TRY(chl_clip_embed_texts(clip, 2, 2, texts, embeddings));       [2][config.embed]
 *     chl_clip_close(clip);
 *
 * or as nodes of a larger graph, e.g. an edit's:
 *
 *     chl_net net = chl_model_net(&clip->model, g);
 *     chl_tensor view = chl_clip_embed_nodes(clip, &net, picture);
 *     chl_net_done(&net);
 *
 * Embeddings are rows of unit length. Calls for many take `batch` in one run each; the last run's
 * remaining rows are computed for nothing. A row's bits depend on the batch, not on its neighbours.
 */
#ifndef CHL_MODELS_CLIP_H
#define CHL_MODELS_CLIP_H
#include "models/clap_text.h"
#include "models/model.h"
#include "nets/clip.h"
#include "text/tokenizer.h"

/* The activation function. AUTO: as a settings file beside the weights says (clip_stated.h), else
 * QuickGELU, with a warning where the weights may be of another origin than OpenAI. */
typedef enum chl_clip_gelu {
    CHL_CLIP_GELU_AUTO,
    CHL_CLIP_GELU_EXACT,
    CHL_CLIP_GELU_QUICK
} chl_clip_gelu;

typedef struct chl_clip_settings {
    chl_clip_gelu gelu;
    chl_clip_resize resize;
    int image_heads, text_heads; /* 0: as the settings file says, else by the width */
} chl_clip_settings;

typedef struct chl_clip {
    chl_model model;
    chl_clip_config config;
    chl_clip_resize resize;
    chl_tokenizer *tokenizer; /* NULL without merges: texts are an error then */
    chl_clap_text
        *clap; /* CLAP's text encoder instead of a text tower, with a tokenizer of its own;
                            then there is no image tower */
} chl_clip;

/* Takes the model over, also when it fails. merges: CLIP's BPE merges, for a CLAP roberta-base's
 * tokenizer.json, or NULL. */
chl_status chl_clip_new(const chl_model *model, const char *merges,
                        const chl_clip_settings *settings, chl_clip **out);
void chl_clip_close(chl_clip *clip); /* NULL is fine */

/* Error unless there is a CLIP (NULL: none) that takes pictures; texts (a text tower, merges that
 * belong to it). `why` is who asks. */
chl_status chl_clip_need_pictures(const chl_clip *clip, const char *why);
chl_status chl_clip_need_texts(const chl_clip *clip, const char *why);
/* The same as a question, for what can do without. */
bool chl_clip_has_pictures(const chl_clip *clip);
bool chl_clip_has_texts(const chl_clip *clip);

/* picture [N,H,W,3] in [-1,1] -> [N,embed], preprocessing included */
chl_tensor chl_clip_embed_nodes(const chl_clip *clip, chl_net *net, chl_tensor picture);

/* texts [count] -> embeddings [count][embed] */
chl_status chl_clip_embed_texts(chl_clip *clip, int batch, int64_t count, const char *const *texts,
                                float *embeddings);
/* pixels [count][height][width][3] in [-1,1] -> embeddings [count][embed]; then for one */
chl_status chl_clip_embed_equal_pictures(chl_clip *clip, int batch, int64_t count, int height,
                                         int width, const float *pixels, float *embeddings);
chl_status chl_clip_embed_picture(chl_clip *clip, int height, int width, const float *pixels,
                                  float *embedding);
/* Pictures of any sizes, handed out one after another: `get` sets *pixels [height][width][3] in
 * [-1,1], to be valid until its next call. embeddings [count][embed]. */
typedef struct chl_pictures {
    int64_t count;
    chl_status (*get)(void *user, int64_t index, int *height, int *width, const float **pixels);
    void *user;
} chl_pictures;
chl_status chl_clip_embed_pictures(chl_clip *clip, int batch, const chl_pictures *pictures,
                                   float *embeddings);
/* The same for picture files. */
chl_status chl_clip_embed_picture_files(chl_clip *clip, int batch, int64_t count,
                                        const char *const *paths, float *embeddings);

extern const chl_model_kind chl_kind_clip;
#endif
