/* Retrieval by cosine: at which place of all candidates a query finds one that belongs to it. */
#ifndef CHL_EVAL_RECALL_H
#define CHL_EVAL_RECALL_H
#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>

/* Two items that belong together. */
typedef struct chl_pair {
    int from, to;
} chl_pair;
/* Sorts, and keeps each pair once; their number. */
int64_t chl_pairs_sort(int64_t count, chl_pair *pair);

typedef struct chl_recall {
    int width, queries, candidates;
    const float *query, *candidate; /* [queries][width], [candidates][width], rows of length 1 */
    int64_t pairs;
    const chl_pair *pair; /* [pairs] query and candidate, as chl_pairs_sort leaves them */
    bool each_pair;       /* a query asks once for each of its pairs, not once */
    const int *group;     /* [queries] those of one group are drawn together; NULL: each alone */
} chl_recall;

/* *out: {"queries", "candidates", "r1", "r5", "r10": {"share", "interval": [low, high], "chance"},
 * "median_rank"}. A query's rank is that of the best candidate that belongs to it: 1 + the number of
 * others whose cosine is not lower, so that equal cosines never help. chance: the share that a random
 * order finds. Items without a pair ask nothing, but are candidates. Without pairs *out is null. */
chl_status chl_recall_report(const chl_recall *task, json_t **out);
#endif
