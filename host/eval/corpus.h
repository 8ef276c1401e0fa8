/* A folder of sounds and what each of them is: pairs.jsonl, or a folder per label. */
#ifndef CHL_EVAL_CORPUS_H
#define CHL_EVAL_CORPUS_H
#include "base/status.h"

typedef struct chl_corpus {
    int64_t count;
    char **path;
    int *truth; /* index into label */
    int labels;
    char **label;
} chl_corpus;

/* pairs.jsonl: `kind`, or where there is none `label`. Otherwise every folder inside is a label and
 * every file in it (hidden ones apart) a sound, in the order of their names. limit: 0, or this
 * many, evenly spread over all. */
chl_status chl_corpus_open(const char *folder, int64_t limit, chl_corpus *out);
void chl_corpus_free(chl_corpus *corpus);
#endif
