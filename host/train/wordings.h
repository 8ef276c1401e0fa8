/* The labels of a data set in several wordings each, of which a step draws one. The set is finite so that
 * CLIP embeds every text once, and not in each step. */
#ifndef CHL_TRAIN_WORDINGS_H
#define CHL_TRAIN_WORDINGS_H
#include "train/dataset.h"

#define CHL_WORDINGS 16 /* of each label */

typedef struct chl_wordings {
    char **text; /* [count], different ones of each label */
    int64_t count;
    int64_t *row; /* [labels][CHL_WORDINGS] -> text */
} chl_wordings;

/* A function of labels, seed and wordnet, WordNet's folder or NULL. */
chl_status chl_wordings_make(const chl_dataset *data, uint64_t seed, const char *wordnet,
                             chl_wordings *out);
void chl_wordings_free(chl_wordings *wordings);
#endif
