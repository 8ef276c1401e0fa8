/* CLIP's tokenizer: byte-level BPE over lower-cased text [Radford et al. 2021].
 *
 *     chl_tokenizer *t;
 *     CHL_TRY(chl_tokenizer_open("bpe_simple_vocab_16e6.txt.gz", &t));
 *     int32_t ids[77];
 *     int end;
 *     CHL_TRY(chl_tokenizer_encode(t, "a photo of a stormy sea", 77, ids, &end));
 *
 * The vocabulary is 256 bytes, 256 bytes that end a word, one token per merge, start, end: 49408
 * with the original file, of whose merges the first 48894 count. A shorter file gives a smaller
 * vocabulary with the same order. Special tokens cannot be typed: "<|endoftext|>" in a text is
 * text. */
#ifndef CHL_TEXT_TOKENIZER_H
#define CHL_TEXT_TOKENIZER_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

/* A prompt longer than this many bytes is refused: it would be cut to 77 tokens anyway. */
#define CHL_TEXT_MAX_BYTES 8192

typedef struct chl_tokenizer chl_tokenizer;

/* `path`: OpenAI's bpe_simple_vocab_16e6.txt.gz, the same unpacked, or Hugging Face's merges.txt;
 * gzip is told by content. */
chl_status chl_tokenizer_open(const char *path, chl_tokenizer **out);
/* The file's bytes in memory; `name` stands for the path in error texts. */
chl_status chl_tokenizer_open_memory(const void *data, size_t size, const char *name,
                                     chl_tokenizer **out);
void chl_tokenizer_free(chl_tokenizer *tokenizer);
/* Number of ids; start is the last but one, end the last. */
int32_t chl_tokenizer_vocabulary(const chl_tokenizer *tokenizer);

/* ids [context], context >= 2: start, the text's tokens, end, zeros. end_index (may be NULL): where
 * the end token is, which is where CLIP's text encoder reads its result. A text with more tokens is
 * cut, keeps its end token, and leaves a warning in the log. */
chl_status chl_tokenizer_encode(const chl_tokenizer *tokenizer, const char *text, int context,
                                int32_t *ids, int *end_index);
#endif
