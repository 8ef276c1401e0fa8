/* A folder of labelled sounds: pairs.jsonl, or a folder per label. */
#ifndef CHL_EVAL_CORPUS_H
#define CHL_EVAL_CORPUS_H
#include "base/names.h"
#include "base/status.h"

typedef struct chl_corpus {
    int64_t count;
    char **path;
    int *truth; /* index into label */
    int labels;
    const char **label; /* [labels], those of `names` */
    chl_names names;
} chl_corpus;

/* With pairs.jsonl the label of a line is its `kind`, or its `label` where it has no kind.
 * Otherwise every folder inside is a label and every file in it, except hidden ones, a sound, in
 * the order of their names. limit: 0, or the maximum number of sounds, of all labels alike. */
chl_status chl_corpus_open(const char *folder, int64_t limit, chl_corpus *out);
void chl_corpus_free(chl_corpus *corpus);
#endif
