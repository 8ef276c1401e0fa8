#include "train/groups.h"
#include <stdlib.h>

/* Counts are stored two places up and summed: filling a group moves its start, one place up, to its
 * end, which is the start of the next group. */
chl_status chl_groups_sort(int64_t samples, const int *number, int count, chl_groups *out) {
    out->count = count;
    out->first = calloc((size_t)count + 2, sizeof *out->first);
    out->member = malloc(sizeof *out->member * (size_t)(samples + 1));
    if (!out->first || !out->member) {
        chl_groups_free(out);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for groups of samples");
    }
    for (int64_t i = 0; i < samples; i++)
        if (number[i] >= 0) out->first[number[i] + 2]++;
    for (int k = 0; k < count; k++) out->first[k + 2] += out->first[k + 1];
    for (int64_t i = 0; i < samples; i++)
        if (number[i] >= 0) out->member[out->first[number[i] + 1]++] = i;
    return CHL_OK;
}

void chl_groups_free(chl_groups *groups) {
    free(groups->first);
    free(groups->member);
    *groups = (chl_groups){0};
}
