/* The `sizes` option of a training: "embed=48,depths=2-2-2". What is not named keeps its value.
 *
 *     int embed = 48, depth[4] = {2, 2, 2}, stages = 3;
 *     const chl_size_key keys[] = {{"embed", &embed, .least = 1, .most = 4096},
 *                                  {"depths", depth, .room = 4, .given = &stages, .least = 1,
 *                                   .most = 64}};
 *     CHL_TRY(chl_sizes_read(options->sizes, keys, 2)); */
#ifndef CHL_TRAIN_SIZES_H
#define CHL_TRAIN_SIZES_H
#include "base/status.h"

typedef struct chl_size_key {
    const char *name;
    int *value;      /* one number, or as many as there is room for */
    int room;        /* 0 or 1: one number; more: a list, numbers with dashes between */
    int *given;      /* becomes the length of a list that is named; may be NULL */
    int least, most; /* bounds of each number */
} chl_size_key;

/* NULL and "" name nothing. CHL_ERR_ARGUMENT, with the key and what is known, for anything else
 * that is no such list. */
chl_status chl_sizes_read(const char *text, const chl_size_key *keys, int count);
#endif
