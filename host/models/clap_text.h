/* CLAP's text encoder, RoBERTa with its tokenizer: texts to embeddings in CLAP's space. It takes the
 * place of CLIP's text tower (clip.h) where a file holds a CLAP. For host/models/clip.c, this room
 * only. */
#ifndef CHL_MODELS_CLAP_TEXT_H
#define CHL_MODELS_CLAP_TEXT_H
#include "models/model.h"
#include "nets/roberta.h"
#include "text/byte_tokenizer.h"

typedef struct chl_clap_text {
    chl_roberta_config config;
    chl_byte_tokenizer *tokenizer; /* NULL without a vocabulary: texts are an error then */
} chl_clap_text;

/* Whether the file holds one. */
bool chl_clap_text_is_in(const chl_params *params);
/* vocab: roberta-base's tokenizer.json, or NULL. CHL_ERR_SHAPE where it belongs to another encoder. */
chl_status chl_clap_text_open(chl_params *params, const char *vocab, chl_clap_text **out);
void chl_clap_text_close(chl_clap_text *text); /* NULL is fine */
/* As chl_clip_embed_texts; graphs are the model's, with the number `use`. */
chl_status chl_clap_text_embed(const chl_clap_text *text, chl_model *model, int use, int batch,
                               int64_t count, const char *const *texts, float *embeddings);
#endif
