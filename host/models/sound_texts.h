/* A sound told by texts: its embedding is replaced by a mean of the texts' embeddings, each weighted by how
 * near it is to the sound [Li et al., "DeCap", ICLR 2023, Eq. 4, there for pictures].
 *
 *     chl_sound_texts *texts;
 *     CHL_TRY(chl_sound_texts_open(clip, "weather.txt", 0.02f, 0, &texts));
 *     CHL_TRY(chl_audio_encoder_embed_files(audio, 8, &files, embeddings));
 *     chl_sound_texts_apply(texts, files.count, embeddings);
 *
 * Idea: contrastive training brings a sound nearer to its own text than to others, and no nearer: the two
 * kinds of embeddings keep apart [Liang et al., "Mind the gap", NeurIPS 2022], the demo's by a cosine of
 * 0.4. What of a sound is near no text, microphone and room among it, is near no picture either, and an
 * edit towards it changes what nobody asked for. A mean of texts lies where CLIP's pictures were
 * trained to be, and between "light rain" and "heavy rain" it still tells how heavy.
 * Limits: what no text says is lost, so the texts must name all that sounds may be. */
#ifndef CHL_MODELS_SOUND_TEXTS_H
#define CHL_MODELS_SOUND_TEXTS_H
#include "models/clip.h"

#define CHL_SOUND_TEXTS_TEMPERATURE 0.02f

typedef struct chl_sound_texts {
    int64_t count;
    int embedding;
    float *text; /* [count][embedding] */
    float temperature, own_share;
} chl_sound_texts;

/* A text a line; empty lines count for nothing. temperature 0: the one above. CHL_ERR_FORMAT for a file
 * without a text; CHL_ERR_ARGUMENT for a temperature below 0, an own_share that is not in [0, 1), or a clip
 * without texts. */
chl_status chl_sound_texts_open(chl_clip *clip, const char *path, float temperature,
                                float own_share, chl_sound_texts **out);
void chl_sound_texts_close(chl_sound_texts *texts); /* NULL is fine */

/* embeddings [count][embedding], in place: each a becomes m = sum_k p_k t_k, scaled to length 1,
 * p = softmax(<a, t_k> / temperature), or own_share a + (1 - own_share) m, scaled so too. texts NULL:
 * they stay. */
void chl_sound_texts_apply(const chl_sound_texts *texts, int64_t count, float *embeddings);
#endif
