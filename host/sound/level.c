#include "sound/level.h"
#include "sound/mel.h"
#include <math.h>
#include <stddef.h>

#define BLOCK (CHL_MEL_RATE / 20) /* ten blocks are half a second */
#define BLOCKS 10
#define HALF_SECOND 43 /* frames of 512 samples */
#define FLOOR 1e-8     /* power of a mel level of 0 */
/* White noise of mean power 1 has the sum 1 over the bands of mel power times the band's width in Hz times
 * this: 1 / (1025 bins * 768, the Hann window's sum of squares), times the power of full scale
 * (chl_mel_settings), 512^2 times a band's largest share. Measured on noise (tests/io/test_level.c). */
#define NOISE 0.0126

static double decibels(double power) {
    return power > 0 ? fmax(10 * log10(power), CHL_SILENT_DB) : CHL_SILENT_DB;
}

double chl_loudest_power(const float *wave, int64_t samples, float gain, float (*bent)(float)) {
    double recent[BLOCKS] = {0}, loudest = 0;
    const int64_t length = samples < BLOCKS * BLOCK ? samples : BLOCKS * BLOCK;
    for (int64_t first = 0, block = 0; first < samples; first += BLOCK, block++) {
        double energy = 0, window = 0;
        for (int64_t i = first; i < samples && i < first + BLOCK; i++) {
            const float x = bent ? bent(gain * wave[i]) : wave[i];
            energy += x * x;
        }
        recent[block % BLOCKS] = energy;
        for (int i = 0; i < BLOCKS; i++) window += recent[i];
        loudest = fmax(loudest, window);
    }
    return length > 0 ? loudest / (double)length : 0;
}

double chl_wave_level(const float *wave, int64_t samples) {
    return decibels(chl_loudest_power(wave, samples, 1, NULL));
}

static double power_of(float level) {
    return pow(10, 8 * ((double)level - 1)) - FLOOR;
}

static double frame_power(const float *mel, int64_t frames, int64_t at, const double *width) {
    double power = 0;
    for (int band = 0; band < CHL_MEL_BANDS; band++)
        power += power_of(mel[band * frames + at]) * width[band];
    return NOISE * power;
}

double chl_mel_level(const float *mel, int64_t frames) {
    double width[CHL_MEL_BANDS], recent[HALF_SECOND] = {0}, window = 0, loudest = 0;
    const int64_t length = frames < HALF_SECOND ? frames : HALF_SECOND;
    for (int band = 0; band < CHL_MEL_BANDS; band++)
        width[band] = chl_mel_band_hz(band + 0.5) - chl_mel_band_hz(band - 0.5);
    for (int64_t i = 0; i < frames; i++) {
        const double power = frame_power(mel, frames, i, width);
        window += power - recent[i % HALF_SECOND];
        recent[i % HALF_SECOND] = power;
        loudest = fmax(loudest, window);
    }
    return decibels(loudest / (double)length);
}

void chl_wave_to_level(float *wave, int64_t samples, double db) {
    const double level = chl_wave_level(wave, samples);
    const float gain = level > CHL_SILENT_DB ? (float)pow(10, (db - level) / 20) : 1;
    for (int64_t i = 0; i < samples; i++) wave[i] = fminf(fmaxf(wave[i] * gain, -1), 1);
}

void chl_mel_to_level(float *mel, int64_t frames, double db) {
    const double level = chl_mel_level(mel, frames);
    const double gain = level > CHL_SILENT_DB ? pow(10, (db - level) / 10) : 1;
    for (int64_t i = 0; i < CHL_MEL_BANDS * frames; i++)
        mel[i] = (float)fmin(fmax(1 + log10(power_of(mel[i]) * gain + FLOOR) / 8, 0), 1);
}
