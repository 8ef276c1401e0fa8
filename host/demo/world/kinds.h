/* The table of kinds: all words for them, in one place. */
#ifndef CHL_WORLD_KINDS_H
#define CHL_WORLD_KINDS_H

#define CHL_KIND_WORDINGS 3
typedef struct chl_kind_words {
    const char *name;
    /* without strength, for strength below 0.4, for strength above 0.75 */
    const char *plain[CHL_KIND_WORDINGS];
    const char *weak[CHL_KIND_WORDINGS];
    const char *strong[CHL_KIND_WORDINGS];
} chl_kind_words;

extern const chl_kind_words chl_kind_table[]; /* [CHL_KINDS]; scene.c */
#endif
