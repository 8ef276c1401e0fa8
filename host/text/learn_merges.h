/* Learns a merge table for a CLIP that is trained from scratch: byte-level BPE [Sennrich et al.
 * 2016] over the words of the training's captions, written in the form chl_tokenizer_open reads.
 *
 * The most frequent pair of neighbouring symbols becomes a symbol of its own, again and again. With
 * "low low lower" the first merge is "l o" (3 times; of equally frequent pairs the one that comes
 * first in the alphabet), the next "lo w</w>" (twice), which is
 * "low" as a whole word.
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

/* *file [*size]: at most `max_merges` merges, fewer when no pair occurs twice any more; the caller
 * frees it. The same texts in any order give the same bytes. Texts that are not UTF-8, or in which
 * no pair occurs twice, are CHL_ERR_FORMAT. Time: max_merges sorts of all pairs of all different
 * words, meant for thousands of captions, not for millions. */
chl_status chl_learn_merges(int64_t count, const char *const *texts, int max_merges, char **file,
                            size_t *size);
#endif
