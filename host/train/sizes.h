/* The `sizes` option of a training: "embed=48,depths=2-2-2". Keys that it does not name keep their
 * values.
 *
 *     int embed = 48, depth[4] = {2, 2, 2}, stages = 3;
 *     const chl_size_key keys[] = {{"embed", &embed, .min = 1, .max = 4096},
 *                                  {"depths", depth, .room = 4, .given = &stages, .min = 1,
 *                                   .max = 64}};
 *     CHL_TRY(chl_sizes_read(options->sizes, keys, 2)); */
#ifndef CHL_TRAIN_SIZES_H
#define CHL_TRAIN_SIZES_H
#include "base/status.h"

typedef struct chl_size_key {
    const char *name;
    int *value;   /* [room] */
    int room;     /* 0 or 1: one number; more: a list, numbers with dashes between */
    int *given;   /* set to the length of the list, if it is named; may be NULL */
    int min, max; /* of each number */
} chl_size_key;

/* NULL and "" name nothing. CHL_ERR_ARGUMENT, with the key and the known ones, for a text of
 * another form. */
chl_status chl_sizes_read(const char *text, const chl_size_key *keys, int count);
#endif
