/* How loud a sound is: the root mean square of its loudest half second, or of all of a shorter one, in
 * decibels of full scale. A sine of amplitude 1 has -3 dB. Silence has CHL_SILENT_DB. */
#ifndef CHL_SOUND_LEVEL_H
#define CHL_SOUND_LEVEL_H
#include "base/decibels.h"
#include <stdint.h>

/* The mean square of that half second, to a twentieth of a second. wave [samples] at CHL_MEL_RATE; bent
 * NULL, or what becomes of each sample times `gain` first. */
double chl_loudest_power(const float *wave, int64_t samples, float gain, float (*bent)(float));
/* wave [samples] */
double chl_wave_level(const float *wave, int64_t samples);
/* The same of an absolute log-mel picture [128][frames] (chl_mel_whole): within 2 dB for sounds of many
 * frequencies; what lies below the picture's floor is not counted. */
double chl_mel_level(const float *mel, int64_t frames);
/* Turned to this level where they lie; silence stays silent. wave [samples], cut at full scale; mel
 * [128][frames], between its floor and full scale. */
void chl_wave_to_level(float *wave, int64_t samples, double db);
void chl_mel_to_level(float *mel, int64_t frames, double db);
#endif
