/* Reverberation by a feedback delay network [Jot & Chaigne 1991]: eight delays, whose outputs are
 * mixed by an orthogonal matrix (Hadamard's) and fed back. Within some echoes it is exponentially
 * decaying noise, for some 60 operations a sample where a convolution with such noise would need
 * transforms of the whole clip. The gain of a delay of d seconds, 10^(-3 d / rt60), makes all decay
 * alike. */
#include "base/random.h"
#include "sound/effects.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LINES 8
#define PURPOSE 0x526f6f6du /* Philox key of the delays */

typedef struct line {
    float *memory; /* [length], a ring */
    int64_t length, at;
    float gain;
} line;

/* Delays spread evenly, on a scale of logarithms, from a fifth of the size to the size; each moved by
 * chance so that no two rooms ring alike. */
static int64_t delay_of(const chl_room *room, int i) {
    const chl_philox random = chl_random(room->seed, PURPOSE, 0, (uint64_t)i);
    const double place = (i + (double)chl_uniform(random.word[0])) / LINES;
    return (int64_t)((double)room->size * pow(5, place - 1) * CHL_EFFECT_RATE) | 1;
}

/* x = H x / sqrt(8): three rounds of sums and differences */
static void mix(float x[LINES]) {
    for (int half = 1; half < LINES; half *= 2)
        for (int i = 0; i < LINES; i++) {
            if (i & half) continue;
            const float a = x[i], b = x[i + half];
            x[i] = a + b;
            x[i + half] = a - b;
        }
    for (int i = 0; i < LINES; i++) x[i] *= 0.35355339f;
}

/* The constant keeps what decays above the numbers that processors are slow with. */
static void run(line lines[LINES], const float *wave, int64_t samples, float *out) {
    for (int64_t k = 0; k < samples; k++) {
        float x[LINES], sum = 0;
        for (int i = 0; i < LINES; i++) {
            x[i] = lines[i].memory[lines[i].at] * lines[i].gain;
            sum += i & 1 ? -x[i] : x[i];
        }
        out[k] = sum;
        mix(x);
        for (int i = 0; i < LINES; i++) {
            line *l = &lines[i];
            l->memory[l->at] = x[i] + wave[k] + 1e-20f;
            if (++l->at == l->length) l->at = 0;
        }
    }
}

bool chl_effect_reverb(float *wave, int64_t samples, const chl_room *room) {
    line lines[LINES] = {0};
    int64_t total = samples, used = samples;
    for (int i = 0; i < LINES; i++) {
        lines[i].length = delay_of(room, i);
        lines[i].gain = powf(10, -3 * (float)lines[i].length / CHL_EFFECT_RATE / room->rt60);
        total += lines[i].length;
    }
    float *memory = calloc((size_t)total, sizeof *memory);
    if (!memory) return false;
    for (int i = 0; i < LINES; i++) {
        lines[i].memory = memory + used;
        used += lines[i].length;
    }
    run(lines, wave, samples, memory);
    chl_effect_mix(wave, samples, memory, room->direct_db);
    free(memory);
    return true;
}
