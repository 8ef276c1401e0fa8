/* The merge table of a byte-level BPE [Sennrich et al. 2016; Radford et al. 2019]: the symbols,
 * their ids, and which pairs of symbols are merged into one.
 *
 * The file: a line with "#version", then one merge per line, "left right", by rank. The first two
 * lines of CLIP's merges are "i n" and "t h": in "thing" (i, n) is merged first, then (t, h). */
#ifndef CHL_TEXT_MERGES_H
#define CHL_TEXT_MERGES_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A symbol is a string of the file's alphabet, which writes every byte as a printable character;
 * "</w>" marks the end of a word. */
typedef struct chl_symbol {
    uint32_t text, length; /* in chl_merges.text */
    int32_t id;
} chl_symbol;

typedef struct chl_merge {
    int32_t left, right, joined; /* symbols; left -1: a free slot */
    int32_t rank;                /* a lower rank is merged first */
} chl_merge;

typedef struct chl_merges {
    char *text;
    size_t text_size, text_capacity;
    chl_symbol *symbol;
    int32_t symbols;
    int32_t *symbol_slot;              /* hash of text -> symbol, -1 = free */
    chl_merge *merge;                  /* hash of (left, right) */
    uint32_t slots;                    /* of both hashes, a power of two */
    int32_t count;                     /* of merges */
    uint64_t hash;                     /* of the merges in their order: FNV-1a of the lines */
    int32_t byte[256], last_byte[256]; /* symbols of a byte within and at the end of a word */
} chl_merges;

/* Reads the text of a merges file; `merges` must be zero. After an error too, chl_merges_free. The
 * merges of a tokenizer that keeps spaces (GPT-2, RoBERTa, BART) are CHL_ERR_FORMAT: CLIP's words
 * hold none. */
chl_status chl_merges_read(chl_merges *merges, const char *text, size_t size, const char *name);
/* The same from another container: `merges` must be zero and gets the bytes and room for `count`
 * merges; then each is added, "left right" by rank; then what has an id of its own gets it. A merge of
 * symbols that do not exist yet is CHL_ERR_FORMAT; false: there is no such symbol. */
chl_status chl_merges_begin(chl_merges *merges, size_t count, const char *name);
chl_status chl_merges_add(chl_merges *merges, const char *pair, const char *name);
bool chl_merges_set_id(chl_merges *merges, const char *symbol, int32_t id);
void chl_merges_free(chl_merges *merges);
/* The merge of two neighbouring symbols; NULL when there is none. */
const chl_merge *chl_merges_find(const chl_merges *merges, int32_t left, int32_t right);
/* word [length] symbols: merges all neighbours whose merge has the lowest rank, until no neighbours
 * have one; returns their new number. */
size_t chl_merges_join(const chl_merges *merges, int32_t *word, size_t length);
#endif
