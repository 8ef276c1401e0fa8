/* Texts as the ids of a byte-level BPE: what the tokenizers of this room share.
 *
 *     chl_bpe bpe = {.word_ends = true};                  then merges and pattern
 *     CHL_TRY(chl_bpe_check(text, context));
 *     CHL_TRY(chl_bpe_encode(&bpe, text, context, ids, &count)); */
#ifndef CHL_TEXT_BPE_H
#define CHL_TEXT_BPE_H
#include "text/merges.h"
#include "text/pattern.h"

typedef struct chl_bpe {
    chl_merges merges;
    pcre2_code *pattern; /* of a word */
    bool word_ends;      /* a word's last byte is a symbol of its own */
    bool clean;          /* texts are known to be UTF-8 */
} chl_bpe;

/* CHL_ERR_ARGUMENT for a text of more than CHL_TEXT_MAX_BYTES. */
chl_status chl_bpe_check(const char *text, int context);
/* The words of `text` -> ids[1 ... count], at most context - 2: a warning tells how many are dropped.
 * ids[0] and ids[count + 1] are the caller's. */
chl_status chl_bpe_encode(const chl_bpe *bpe, const char *text, int context, int32_t *ids,
                          int *count);
void chl_bpe_free(chl_bpe *bpe);
#endif
