/* Random numbers for everything above the kernels.
 *
 * The generator is Philox (kernels/philox.h), a pure function of four numbers:
 *
 *     chl_philox random = chl_random(seed, purpose, step, element);    four words of 32 bits
 *     float chance = chl_uniform(random.word[0]);                      [0, 1)
 *     int64_t which = chl_random_below(random.word[1], count);         0 ... count - 1
 *
 * `purpose` separates the uses that share a seed: each file that draws has a constant of its own.
 * `step` and `element` count what repeats: the training step or epoch, and the sample in it.
 * Nothing is stored between calls, so a resumed run, another thread count or another batch split
 * draws the same numbers. Files above host/base include this header, not the kernels'. */
#ifndef CHL_BASE_RANDOM_H
#define CHL_BASE_RANDOM_H
#include "philox.h"

/* An integer in [0, count), 1 <= count <= 2^32: the high half of word * count. Each value has the
 * same probability up to count / 2^32, relative [Lemire 2019, without the rejection]. */
static inline int64_t chl_random_below(uint32_t word, int64_t count) {
    return (int64_t)((uint64_t)word * (uint64_t)count >> 32);
}

/* order [count]: the numbers 0 ... count - 1 shuffled (Fisher and Yates), each order equally
 * likely. The same (seed, purpose, step, count) gives the same order. */
void chl_random_permutation(uint64_t seed, uint32_t purpose, uint64_t step, int64_t count,
                            int64_t *order);
#endif
