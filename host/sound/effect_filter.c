#include "sound/effects.h"
#include <math.h>

static double angle(double hz) {
    return 2 * M_PI * hz / CHL_EFFECT_RATE;
}

static chl_biquad divided(double b0, double b1, double b2, double a0, double a1, double a2) {
    return (chl_biquad){b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0};
}

/* A high shelf is a low one with the frequency axis turned round: the signs of cos alternate. */
chl_biquad chl_biquad_shelf(double hz, double gain_db, bool high) {
    const double a = pow(10, gain_db / 40), w = angle(hz), c = high ? -cos(w) : cos(w);
    const double alpha = sin(w) / 2 * sqrt(2), root = 2 * sqrt(a) * alpha, sign = high ? -1 : 1;
    return divided(a * (a + 1 - (a - 1) * c + root), sign * 2 * a * (a - 1 - (a + 1) * c),
                   a * (a + 1 - (a - 1) * c - root), a + 1 + (a - 1) * c + root,
                   sign * -2 * (a - 1 + (a + 1) * c), a + 1 + (a - 1) * c - root);
}

chl_biquad chl_biquad_peak(double hz, double q, double gain_db) {
    const double a = pow(10, gain_db / 40), w = angle(hz), alpha = sin(w) / (2 * q);
    return divided(1 + alpha * a, -2 * cos(w), 1 - alpha * a, 1 + alpha / a, -2 * cos(w),
                   1 - alpha / a);
}

chl_biquad chl_biquad_pass(double hz, double q, bool high) {
    const double w = angle(hz), alpha = sin(w) / (2 * q), sign = high ? -1 : 1;
    const double b1 = sign * (1 - sign * cos(w)), b0 = fabs(b1) / 2;
    return divided(b0, b1, b0, 1 + alpha, -2 * cos(w), 1 - alpha);
}

/* Of a state that decays to silence nothing is kept below -600 dB: processors are slow with numbers
 * near the smallest. */
static double audible(double state) {
    return fabs(state) < 1e-30 ? 0 : state;
}

/* Transposed direct form II */
void chl_effect_filter(float *wave, int64_t samples, const chl_biquad *f) {
    double s1 = 0, s2 = 0;
    for (int64_t i = 0; i < samples; i++) {
        const double x = (double)wave[i], y = f->b0 * x + s1;
        s1 = f->b1 * x - f->a1 * y + s2;
        s2 = f->b2 * x - f->a2 * y;
        wave[i] = (float)y;
        if (i % 512 == 0) {
            s1 = audible(s1);
            s2 = audible(s2);
        }
    }
}

/* Q of the two sections of Butterworth's fourth order: 1 / (2 cos(pi/8)), 1 / (2 cos(3 pi/8)) */
static void pass_fourth(float *wave, int64_t samples, float hz, bool high) {
    static const double q[2] = {0.54119610014619698, 1.3065629648763766};
    for (int i = 0; i < 2; i++) {
        const chl_biquad section = chl_biquad_pass((double)hz, q[i], high);
        chl_effect_filter(wave, samples, &section);
    }
}

void chl_effect_band(float *wave, int64_t samples, float low_hz, float high_hz) {
    if (low_hz > 0) pass_fourth(wave, samples, low_hz, true);
    if (high_hz > 0 && high_hz < 20000) pass_fourth(wave, samples, high_hz, false);
}
