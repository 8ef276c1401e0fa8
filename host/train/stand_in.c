#include "train/stand_in.h"
#include "base/random.h"
#include "train/left_out.h"

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
    return chl_fail(CHL_ERR_FORMAT, "%s: no readable clip is found that could take the place of %s",
                    data->list, data->sample[own].sound);
}
