/* Samples sorted by a number that each has: its label's, its kind's.
 *
 *     chl_groups groups;
 *     CHL_TRY(chl_groups_sort(samples, number, numbers, &groups));
 *     for (int64_t i = 0; i < chl_groups_size(&groups, k); i++) use(chl_groups_of(&groups, k)[i]);
 *     chl_groups_free(&groups); */
#ifndef CHL_TRAIN_GROUPS_H
#define CHL_TRAIN_GROUPS_H
#include "base/status.h"
#include <stdint.h>

/* Group k is member[first[k]] ... member[first[k + 1] - 1], in the order of the samples. */
typedef struct chl_groups {
    int count;
    int64_t *first, *member;
} chl_groups;

/* number [samples]: 0 ... count - 1, or negative for a sample of no group. */
chl_status chl_groups_sort(int64_t samples, const int *number, int count, chl_groups *out);
void chl_groups_free(chl_groups *groups);

static inline const int64_t *chl_groups_of(const chl_groups *groups, int k) {
    return groups->member + groups->first[k];
}
/* 0 for a negative k. */
static inline int64_t chl_groups_size(const chl_groups *groups, int k) {
    return k < 0 ? 0 : groups->first[k + 1] - groups->first[k];
}
#endif
