#include "train/stand_in.h"
#include "base/random.h"
#include "train/left_out.h"
#include <stdlib.h>

#define PURPOSE 0x5374616eu /* Philox key of these draws */
#define TRIES 1024

chl_status chl_stand_in(const chl_dataset *data, const chl_weak_pairs *pairs,
                        const chl_balance *balance, uint64_t seed, int64_t step, int64_t place,
                        int64_t *sample) {
    const int64_t own = *sample;
    if (!chl_left_out_has(data->left_out, own)) return CHL_OK;
    for (int64_t i = 0; i < TRIES; i++) {
        const chl_philox random =
            chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)(place * TRIES + i));
        const int64_t other = balance ? chl_balance_pick(balance, &random)
                                      : chl_random_below(random.word[0], data->count);
        const bool fits =
            !pairs || chl_weak_pairs_pictured(pairs, other) == chl_weak_pairs_pictured(pairs, own);
        if (!fits || chl_left_out_has(data->left_out, other)) continue;
        *sample = other;
        return CHL_OK;
    }
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: no readable sample is found that could take the place of %s", data->list,
                    data->sample[own].sound ? data->sample[own].sound : data->sample[own].picture);
}

chl_status chl_stand_in_picture(chl_dataset *data, uint64_t seed, int64_t step, int64_t place,
                                int side, int64_t *sample, const uint8_t **pixels) {
    for (;;) { /* each time around another sample is known to be unreadable */
        CHL_TRY(chl_stand_in(data, NULL, NULL, seed, step, place, sample));
        const chl_status status = chl_dataset_picture(data, *sample, side, pixels);
        if (status == CHL_OK || !chl_left_out_allows(data->left_out) ||
            !chl_left_out_blames(status))
            return status;
        CHL_TRY(
            chl_left_out_add(data->left_out, *sample, data->sample[*sample].picture, chl_error()));
    }
}

/* Numbers of `unreadable`, as floats, which ranks exchange. */
static chl_status look_at_share(const chl_trainer *t, int side, float *unreadable) {
    int64_t first;
    const int64_t n = chl_ranks_rows(t, t->data->count, &first);
    for (int64_t i = first; i < first + n; i++) {
        const uint8_t *pixels;
        chl_dataset_next_batch(t->data);
        const chl_status status = chl_dataset_picture(t->data, i, side, &pixels);
        if (status == CHL_OK) continue;
        if (!chl_left_out_blames(status)) return status;
        unreadable[i] = 1;
        CHL_TRY(chl_left_out_add(t->data->left_out, i, t->data->sample[i].picture, chl_error()));
    }
    return CHL_OK;
}

chl_status chl_stand_in_agree(const chl_trainer *t, int side) {
    const chl_dataset *data = t->data;
    if (t->ranks == 1 || !chl_left_out_allows(data->left_out)) return CHL_OK;
    float *unreadable = calloc((size_t)data->count + 1, sizeof *unreadable);
    if (!unreadable) return chl_fail(CHL_ERR_MEMORY, "out of memory for a list of pictures");
    chl_status status = look_at_share(t, side, unreadable);
    if (status == CHL_OK) status = chl_ranks_gather(t, data->count, 1, unreadable);
    for (int64_t i = 0; i < data->count && status == CHL_OK; i++)
        if (unreadable[i] != 0)
            status = chl_left_out_add(data->left_out, i, data->sample[i].picture,
                                      "another rank could not read it");
    free(unreadable);
    return status;
}
