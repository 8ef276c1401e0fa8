#include "base/random.h"

void chl_random_permutation(uint64_t seed, uint32_t purpose, uint64_t step, int64_t count,
                            int64_t *order) {
    for (int64_t i = 0; i < count; i++) order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        const chl_philox random = chl_random(seed, purpose, step, (uint64_t)i);
        /* 64 bits here: the bias of 32 grows with the count, and a data set may be large */
        const uint64_t bits = (uint64_t)random.word[0] << 32 | random.word[1];
        const int64_t j = (int64_t)((unsigned __int128)bits * (uint64_t)(i + 1) >> 64);
        const int64_t held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}
