/* CLIP's tokenizer: byte-level BPE over lower-cased text [Radford et al. 2021].
 *
 *     chl_tokenizer *t;
 *     CHL_TRY(chl_tokenizer_open("bpe_simple_vocab_16e6.txt.gz", &t));
 *     int32_t ids[77];
 *     int end;
 *     CHL_TRY(chl_tokenizer_encode(t, "a photo of a stormy sea", 77, ids, &end));
 *
 * Encoding: the text is cleaned (text/characters.h), split into words by a regular expression, and
 * each word starts as its bytes, the last one marked as the end of a word; then the pair of
 * neighbours whose merge has the lowest rank is merged until no pair has a merge. The tokens are
 * what is left.
 *
 * The vocabulary is 256 bytes, 256 bytes that end a word, one token per merge, start, end: 49408
 * with the original file, whose first 48894 merges are used. A shorter file gives a smaller
 * vocabulary in the same order. Special tokens cannot be typed: "<|endoftext|>" in a text is plain
 * text. A tokenizer may be used by several threads at once. */
#ifndef CHL_TEXT_TOKENIZER_H
#define CHL_TEXT_TOKENIZER_H
#include "text/characters.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct chl_tokenizer chl_tokenizer;

/* `path`: OpenAI's bpe_simple_vocab_16e6.txt.gz, the same unpacked, or Hugging Face's merges.txt;
 * gzip is recognised by content. */
chl_status chl_tokenizer_open(const char *path, chl_tokenizer **out);
/* The file's bytes in memory; `name` replaces the path in error texts. */
chl_status chl_tokenizer_open_memory(const void *data, size_t size, const char *name,
                                     chl_tokenizer **out);
void chl_tokenizer_free(chl_tokenizer *tokenizer);
/* The number of ids; start is the last but one, end the last. */
int32_t chl_tokenizer_vocabulary(const chl_tokenizer *tokenizer);
/* True for the merges of OpenAI's CLIP, in their order; every published CLIP with CHL_TEXT_OPENAI
 * tokens was trained with them. */
bool chl_tokenizer_is_openais(const chl_tokenizer *tokenizer);
#define CHL_TEXT_OPENAI 49408

/* ids [context], context >= 2: start, the text's tokens, end, zeros. end_index (may be NULL) is the
 * position of the end token, where CLIP's text encoder reads its result. A longer text is
 * truncated, keeps its end token, and causes a warning in the log. */
chl_status chl_tokenizer_encode(const chl_tokenizer *tokenizer, const char *text, int context,
                                int32_t *ids, int *end_index);
#endif
