/* Synonyms from WordNet's data files [Miller 1995]: index.adj data.adj index.noun data.noun
 * index.verb data.verb of WordNet 3.x (Debian's wordnet-base, /usr/share/wordnet).
 *
 *     chl_wordnet *wordnet;
 *     CHL_TRY(chl_wordnet_open("/usr/share/wordnet", &wordnet));
 *     char other[CHL_WORDNET_MAX];
 *     int count;
 *     CHL_TRY(chl_wordnet_synonym(wordnet, "thunder", 0, other, &count));     "boom", of 3
 *
 * Only the first, most frequent sense counts: the others of "thunder" include heroin. Where no
 * sense was met in the texts that were counted, none is first and there are no synonyms: that of
 * "siren" would be a nymph. A word that is an adjective is taken for one ("light rain" has nothing
 * to do with visible light), then for a noun, then for a verb. Words are looked up as they are:
 * plurals have no synonyms. */
#ifndef CHL_TEXT_WORDNET_H
#define CHL_TEXT_WORDNET_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define CHL_WORDNET_MAX 128 /* bytes of a synonym, with its end */

typedef struct chl_wordnet chl_wordnet;

/* Reads the six files (28 MB) into memory. */
chl_status chl_wordnet_open(const char *folder, chl_wordnet **out);
/* One part of speech from memory, which is copied; `name` stands for the file in error texts. */
chl_status chl_wordnet_open_memory(const char *name, const char *index, size_t index_size,
                                   const char *data, size_t data_size, chl_wordnet **out);
void chl_wordnet_free(chl_wordnet *wordnet);

/* The other words of the first sense's synset, in the file's order. *count of them; synonym number
 * pick % *count is written with blanks for underscores. No synonyms or an unknown word: *count 0.
 * A damaged entry is CHL_ERR_FORMAT. The word is compared in lower case. */
chl_status chl_wordnet_synonym(const chl_wordnet *wordnet, const char *word, uint32_t pick,
                               char synonym[CHL_WORDNET_MAX], int *count);
#endif
