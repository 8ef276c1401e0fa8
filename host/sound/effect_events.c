#include "sound/effects.h"
#include <math.h>

#define FADE 441 /* 10 ms */

double chl_effect_power(const float *wave, int64_t samples) {
    double sum = 0;
    for (int64_t i = 0; i < samples; i++) sum += (double)wave[i] * (double)wave[i];
    return samples > 0 ? sum / (double)samples : 0;
}

void chl_effect_speed(const float *clip, int64_t samples, float speed, int64_t count, float *out) {
    for (int64_t i = 0; i < count; i++) {
        const double at = (double)i * (double)speed;
        const int64_t left = (int64_t)at;
        const float share = (float)(at - (double)left);
        out[i] = left + 1 < samples ? clip[left] * (1 - share) + clip[left + 1] * share
                                    : clip[samples - 1];
    }
}

/* The loop's period is samples - join: behind it the clip's end and its beginning sound together. */
void chl_effect_loop(const float *clip, int64_t samples, int64_t from, int64_t join, int64_t count,
                     float *out) {
    const int64_t period = samples - join;
    bool again = from >= period; /* the clip has begun again: its start is mixed with its end */
    int64_t at = again ? from - period : from;
    for (int64_t i = 0; i < count; i++) {
        if (again && at < join) {
            const float share = (float)(at + 1) / (float)(join + 1);
            out[i] = clip[at] * share + clip[period + at] * (1 - share);
        } else {
            out[i] = clip[at];
        }
        if (++at < period) continue;
        at = 0;
        again = true;
    }
}

/* 0 at the first and behind the last of `count` samples, 1 from FADE on; shorter pieces peak in
 * their middle. */
static float fade(int64_t at, int64_t count) {
    const int64_t edge = at < count - at ? at : count - at;
    return edge < FADE ? (float)edge / FADE : 1;
}

void chl_effect_add(float *wave, int64_t samples, const float *event, int64_t length, int64_t at,
                    float gain_db) {
    const float gain = powf(10, gain_db / 20);
    for (int64_t i = 0; i < length && at + i < samples; i++)
        wave[at + i] += gain * fade(i, length) * event[i];
}

void chl_effect_gap(float *wave, int64_t from, int64_t count) {
    for (int64_t i = 0; i < count; i++) wave[from + i] *= 1 - fade(i, count);
}

void chl_effect_mix(float *wave, int64_t samples, const float *other, float snr_db) {
    const double own = chl_effect_power(wave, samples), added = chl_effect_power(other, samples);
    if (own == 0 || added == 0) return;
    const float gain = (float)sqrt(own / added * pow(10, -(double)snr_db / 10));
    for (int64_t i = 0; i < samples; i++) wave[i] += gain * other[i];
}
