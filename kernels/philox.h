/* Philox4x32-10 [Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011]: random
 * numbers as a pure function of (key, counter). The same numbers come out on every backend, thread
 * count and split of the batch, and nothing needs to be saved but the step index. Header only, C11
 * and C++17, host and device. */
#ifndef CHL_PHILOX_H
#define CHL_PHILOX_H
#include <stdint.h>

#ifdef __CUDACC__
#define CHL_PHILOX_FN static inline __host__ __device__
#else
#define CHL_PHILOX_FN static inline
#endif

typedef struct chl_philox {
    uint32_t word[4];
} chl_philox;

CHL_PHILOX_FN chl_philox chl_philox_block(uint32_t key0, uint32_t key1, chl_philox counter) {
    for (int round = 0; round < 10; round++) {
        uint64_t left = (uint64_t)0xD2511F53u * counter.word[0];
        uint64_t right = (uint64_t)0xCD9E8D57u * counter.word[2];
        chl_philox next;
        next.word[0] = (uint32_t)(right >> 32) ^ counter.word[1] ^ key0;
        next.word[1] = (uint32_t)right;
        next.word[2] = (uint32_t)(left >> 32) ^ counter.word[3] ^ key1;
        next.word[3] = (uint32_t)left;
        counter = next;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

/* The engine's random numbers: key (seed, purpose), counter (step, element). The upper half of the
 * seed shares the second key word with the purpose, so seeds below 2^32 give the key as written. */
CHL_PHILOX_FN chl_philox chl_random(uint64_t seed, uint32_t purpose, uint64_t step,
                                    uint64_t element) {
    chl_philox counter;
    counter.word[0] = (uint32_t)step;
    counter.word[1] = (uint32_t)(step >> 32);
    counter.word[2] = (uint32_t)element;
    counter.word[3] = (uint32_t)(element >> 32);
    return chl_philox_block((uint32_t)seed, purpose ^ (uint32_t)(seed >> 32), counter);
}

/* [0, 1) in steps of 2^-24: every value is exact in float32. */
CHL_PHILOX_FN float chl_uniform(uint32_t word) {
    return (float)(word >> 8) * 5.9604644775390625e-8f;
}
#endif
