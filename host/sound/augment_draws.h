/* The random numbers of an augmented sound, the same whether its waveform or its mel picture is
 * changed: augment.c, mel_augment.c. */
#ifndef CHL_SOUND_AUGMENT_DRAWS_H
#define CHL_SOUND_AUGMENT_DRAWS_H
#include "base/random.h"
#include "sound/range.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define CHL_AUGMENT_PURPOSE 0x5761766du /* Philox key of these draws */
enum {                                  /* of an element, four words each */
       DRAW_LENGTH,
       DRAW_EVENT,
       DRAW_EVENT_PLACE,
       DRAW_GAP,
       DRAW_BACKGROUND,
       DRAW_SHELVES,
       DRAW_SHELVES_HZ,
       DRAW_PEAK,
       DRAW_REVERB,
       DRAW_ROOM,
       DRAW_BAND,
       DRAW_CODEC,
       DRAW_GAIN,
       DRAW_SPEED,
       DRAWS
};

typedef struct draws {
    chl_philox random[DRAWS];
} draws;

static inline draws draw_all(uint64_t seed, int64_t step, int64_t element) {
    draws d;
    for (int i = 0; i < DRAWS; i++)
        d.random[i] = chl_random(seed, CHL_AUGMENT_PURPOSE, (uint64_t)step,
                                 (uint64_t)element * DRAWS + (uint64_t)i);
    return d;
}

static inline bool happens(uint32_t word, float chance) {
    return chl_uniform(word) < chance;
}

static inline float uniform(uint32_t word, chl_range range) {
    return range.min + chl_uniform(word) * (range.max - range.min);
}

static inline float logarithmic(uint32_t word, chl_range range) {
    return range.min * powf(range.max / range.min, chl_uniform(word));
}
#endif
