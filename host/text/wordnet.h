/* Synonyms from WordNet's data files [Miller 1995]: index.adj data.adj index.noun data.noun
 * index.verb data.verb of WordNet 3.x (Debian's wordnet-base, /usr/share/wordnet).
 *
 *     chl_wordnet *wordnet;
 *     CHL_TRY(chl_wordnet_open("/usr/share/wordnet", &wordnet));
 *     char other[CHL_WORDNET_MAX];
 *     int count;
 *     CHL_TRY(chl_wordnet_synonym(wordnet, "thunder", 0, other, &count));     "boom", of 3
 *
 * Only the first, most frequent sense is used: another one of "thunder" is heroin. A word none of
 * whose senses occurs in WordNet's tagged texts has no most frequent sense and therefore no
 * synonyms: the first listed one of "siren" is a nymph. A word that can be an adjective is read as
 * one ("light rain" has nothing to do with visible light), otherwise as a noun, otherwise as a
 * verb. Limit: words are looked up as written, so plurals and inflected forms have no synonyms. */
#ifndef CHL_TEXT_WORDNET_H
#define CHL_TEXT_WORDNET_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define CHL_WORDNET_MAX 128 /* bytes of a synonym, with its terminating 0 */

typedef struct chl_wordnet chl_wordnet;

/* Reads the six files (28 MB) into memory. */
chl_status chl_wordnet_open(const char *folder, chl_wordnet **out);
/* One part of speech from memory, which is copied; `name` replaces the folder in error texts. */
chl_status chl_wordnet_open_memory(const char *name, const char *index, size_t index_size,
                                   const char *data, size_t data_size, chl_wordnet **out);
void chl_wordnet_free(chl_wordnet *wordnet);

/* The synonyms of a word are the other words of its first sense's synset, in the file's order.
 * *count is their number; synonym number pick % *count is written, with spaces for underscores.
 * *count is 0 for an unknown word or one without synonyms. A damaged entry is CHL_ERR_FORMAT. The
 * word is compared in lower case. */
chl_status chl_wordnet_synonym(const chl_wordnet *wordnet, const char *word, uint32_t pick,
                               char synonym[CHL_WORDNET_MAX], int *count);
#endif
