/* bf16 and float in place: `data` has room for `count` floats. */
#ifndef CHL_BENCH_BF16_H
#define CHL_BENCH_BF16_H
#include <stdint.h>
#include <string.h>

static inline void bench_widen_bf16(float *data, int64_t count) {
    for (int64_t i = count - 1; i >= 0; i--) {
        uint16_t half;
        memcpy(&half, (const char *)data + 2 * i, sizeof half);
        const uint32_t bits = (uint32_t)half << 16;
        memcpy(&data[i], &bits, sizeof bits);
    }
}
/* To the nearest, ties to even. */
static inline void bench_round_bf16(float *data, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &data[i], sizeof bits);
        const uint16_t half = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
        memcpy((char *)data + 2 * i, &half, sizeof half);
    }
}
#endif
