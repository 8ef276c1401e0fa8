#include "sound/effects.h"
#include <math.h>

void chl_effect_gain(float *wave, int64_t samples, float gain_db) {
    const float gain = powf(10, gain_db / 20);
    for (int64_t i = 0; i < samples; i++) wave[i] = fminf(fmaxf(gain * wave[i], -1), 1);
}
