/* Mersenne Twister MT19937 [Matsumoto & Nishimura 1998], 624 words of state, and numpy's legacy
 * Gaussian on top: Marsaglia's polar method, which makes two normals of two uniforms. numpy returns
 * the second uniform's normal first; the other one is the next. */
#include "base/numpy_random.h"
#include <math.h>

#define WORDS 624
#define SHIFT 397

typedef struct twister {
    uint32_t word[WORDS];
    int next;
} twister;

static void start(twister *t, uint32_t seed) {
    for (uint32_t i = 0; i < WORDS; i++) {
        t->word[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
    t->next = WORDS;
}

static void refill(twister *t) {
    for (int i = 0; i < WORDS; i++) {
        uint32_t y = (t->word[i] & 0x80000000u) | (t->word[(i + 1) % WORDS] & 0x7fffffffu);
        t->word[i] = t->word[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    t->next = 0;
}

static uint32_t draw(twister *t) {
    if (t->next == WORDS) refill(t);
    uint32_t y = t->word[t->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* 53 random bits in [0,1) */
static double draw_unit(twister *t) {
    uint32_t high = draw(t) >> 5, low = draw(t) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}

void chl_numpy_normals(uint32_t seed, int64_t count, float *z) {
    twister t;
    start(&t, seed);
    for (int64_t i = 0; i < count; i += 2) {
        double x, y, r;
        do {
            x = 2 * draw_unit(&t) - 1;
            y = 2 * draw_unit(&t) - 1;
            r = x * x + y * y;
        } while (r >= 1 || r == 0);
        double f = sqrt(-2 * log(r) / r);
        z[i] = (float)(f * y);
        if (i + 1 < count) z[i + 1] = (float)(f * x);
    }
}
