/* A merge table of one's own, for a CLIP trained from scratch: byte-level BPE [Sennrich et al.
 * 2016] over the words of the training's captions, in the form chl_tokenizer_open reads.
 *
 *     char *file;
 *     size_t size;
 *     CHL_TRY(chl_learn_merges(captions, caption, 512, &file, &size));
 *     ... chl_tokenizer_open_memory(file, size, "merges.txt", &tokenizer) ... free(file); */
#ifndef CHL_TEXT_LEARN_MERGES_H
#define CHL_TEXT_LEARN_MERGES_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

/* At most `most` merges; stops earlier when no pair occurs twice. The same texts, in any order,
 * give the same bytes. Texts that are not UTF-8, or in which no pair occurs twice, are
 * CHL_ERR_FORMAT. */
chl_status chl_learn_merges(int64_t count, const char *const *texts, int most, char **file,
                            size_t *size);
#endif
