#include "sound/effects.h"
#include <math.h>

static const double mu = 255;

static double compress(double x) {
    return copysign(log1p(mu * fabs(x)) / log1p(mu), x);
}

static double expand(double y) {
    return copysign(expm1(fabs(y) * log1p(mu)) / mu, y);
}

/* x in [-1, 1] */
static float quantise(float x, double levels, bool mu_law) {
    if (!mu_law) return (float)(rint((double)x * levels) / levels);
    return (float)expand(rint(compress((double)x) * levels) / levels);
}

static float peak_of(const float *wave, int64_t samples) {
    float peak = 0;
    for (int64_t i = 0; i < samples; i++) peak = fmaxf(peak, fabsf(wave[i]));
    return peak;
}

static float between(const float *wave, int64_t samples, double at) {
    const int64_t left = (int64_t)at, right = left + 1 < samples ? left + 1 : left;
    const float share = (float)(at - (double)left);
    return wave[left] * (1 - share) + wave[right] * share;
}

/* The samples that are kept are drawn as lines: sample k of them lies at k * 44100 / rate. Goes from
 * left to right in place, for a line needs no sample before its start. */
static void keep_some(float *wave, int64_t samples, const chl_codec *codec, float peak) {
    const double step = CHL_EFFECT_RATE / (double)codec->rate;
    const double levels = ldexp(1, codec->bits - 1) - 1;
    float left = 0, right = quantise(wave[0] / peak, levels, codec->mu_law) * peak;
    double begins = -step, ends = 0; /* of the line */
    for (int64_t i = 0; i < samples; i++) {
        while ((double)i >= ends) {
            left = right;
            begins = ends;
            ends += step;
            const double next = fmin(ends, (double)(samples - 1));
            right = quantise(between(wave, samples, next) / peak, levels, codec->mu_law) * peak;
        }
        const float share = (float)(((double)i - begins) / step);
        wave[i] = left * (1 - share) + right * share;
    }
}

/* What the rate cannot hold is removed before, what the lines' corners add behind it. */
void chl_effect_codec(float *wave, int64_t samples, const chl_codec *codec) {
    const float limit = codec->rate < CHL_EFFECT_RATE ? 0.45f * codec->rate : 0;
    chl_effect_band(wave, samples, 0, limit);
    const float peak = peak_of(wave, samples);
    if (peak == 0) return;
    keep_some(wave, samples, codec, peak);
    chl_effect_band(wave, samples, 0, limit);
}
