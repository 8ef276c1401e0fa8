/* The byte-level tokenizer of GPT-2 and RoBERTa [Radford et al. 2019; Liu et al. 2019], which CLAP's
 * text encoder reads.
 *
 *     chl_byte_tokenizer *t;
 *     CHL_TRY(chl_byte_tokenizer_open("tokenizer.json", &t));
 *     int32_t ids[77];
 *     int count;
 *     CHL_TRY(chl_byte_tokenizer_encode(t, "This is a sound of rain.", 77, ids, &count));
 *
 * It differs from CLIP's (tokenizer.h): capitals and runs of spaces count, a space belongs to the
 * word behind it, no symbol marks the end of a word, and the ids are those of a vocabulary, not of
 * the order of the merges. Special tokens cannot be typed: "<mask>" in a text is plain text, where
 * Hugging Face's tokenizer reads a token. A tokenizer may be used by several threads at once. */
#ifndef CHL_TEXT_BYTE_TOKENIZER_H
#define CHL_TEXT_BYTE_TOKENIZER_H
#include "base/status.h"
#include <stdint.h>

typedef struct chl_byte_tokenizer chl_byte_tokenizer;

/* `path`: Hugging Face's tokenizer.json of a byte-level BPE with the tokens <s> and </s>. */
chl_status chl_byte_tokenizer_open(const char *path, chl_byte_tokenizer **out);
void chl_byte_tokenizer_free(chl_byte_tokenizer *tokenizer); /* NULL is fine */
/* The highest id, plus one. */
int32_t chl_byte_tokenizer_vocabulary(const chl_byte_tokenizer *tokenizer);

/* ids [context], context >= 2: <s>, the text's tokens, </s>; *count of them. A longer text is
 * truncated, keeps its last token, and causes a warning in the log. CHL_ERR_ARGUMENT for a text that
 * is not UTF-8 or has more than CHL_TEXT_MAX_BYTES. */
chl_status chl_byte_tokenizer_encode(const chl_byte_tokenizer *tokenizer, const char *text,
                                     int context, int32_t *ids, int *count);
#endif
