/* Rewordings of a label, for the audio-text loss (the paper's section on text augmentation):
 * synonym replacement, random insertion of words, random permutation of words.
 *
 *     chl_text_augment augment = chl_text_augment_defaults();
 *     augment.wordnet = wordnet;
 *     char other[CHL_TEXT_MAX_BYTES];
 *     CHL_TRY(chl_text_augment_draw(&augment, seed, label, variant, "heavy rain", other));
 *
 * A pure function of (seed, text number, variant): no state is kept between calls. */
#ifndef CHL_TEXT_AUGMENT_H
#define CHL_TEXT_AUGMENT_H
#include "text/tokenizer.h"
#include "text/wordnet.h"

#define CHL_AUGMENT_MAX_WORDS 64

/* The paper gives no probabilities. These leave about half of two-word labels as they are. */
typedef struct chl_text_augment {
    const chl_wordnet *wordnet; /* NULL: no synonyms */
    const char *const *words;   /* may be inserted: words that do not change the meaning */
    int count;
    float synonym; /* probability that a word is replaced, for each: 0.2 */
    float insert;  /* probability that one word is inserted: 0.2 */
    float permute; /* probability that the words are shuffled: 0.1 */
} chl_text_augment;
/* No WordNet; "a", "the", "sound", "sounds", "noise" to insert; the probabilities above. */
chl_text_augment chl_text_augment_defaults(void);

/* out: the words with single spaces between them. A text of more than CHL_AUGMENT_MAX_WORDS words,
 * or one that grows beyond CHL_TEXT_MAX_BYTES, is CHL_ERR_ARGUMENT. */
chl_status chl_text_augment_draw(const chl_text_augment *settings, uint64_t seed, uint64_t number,
                                 uint64_t variant, const char *text, char out[CHL_TEXT_MAX_BYTES]);
#endif
