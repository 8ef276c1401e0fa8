/* librosa's melspectrogram and power_to_db, written out: a plain sum per bin, a dense filter bank.
 */
#include "reference.h"
#include <stdlib.h>

static real sample_at(const real *wave, int64_t samples, int64_t i, bool reflect) {
    if (!reflect) return i < 0 || i >= samples ? 0 : wave[i];
    while (samples > 1 && (i < 0 || i >= samples)) i = i < 0 ? -i : 2 * (samples - 1) - i;
    return wave[samples > 1 ? i : 0];
}

static double hz_of_mel(double mel) {
    return mel < 15 ? mel * 200 / 3 : 1000 * pow(6.4, (mel - 15) / 27);
}

static double weight_of(const chl_mel_settings *m, int band, double hz) {
    double most = 15 + 27 * log(m->rate / 2.0 / 1000) / log(6.4), step = most / (m->bands + 1);
    double low = hz_of_mel(step * band), mid = hz_of_mel(step * (band + 1)),
           high = hz_of_mel(step * (band + 2));
    if (hz <= low || hz >= high) return 0;
    return (hz < mid ? (hz - low) / (mid - low) : (high - hz) / (high - mid)) * 2 / (high - low);
}

static real mel_power(const chl_mel_settings *m, const real *power, int band) {
    real sum = 0;
    for (int k = 0; k <= m->fft / 2; k++)
        sum += power[k] * weight_of(m, band, (double)m->rate * k / m->fft);
    return sum;
}

/* |X_k|^2 of the frame around sample `centre`. */
static void frame_power(const chl_mel_settings *m, const real *wave, int64_t samples,
                        int64_t centre, real *power) {
    const int64_t start = centre - m->fft / 2, end = samples - start;
    const int from = !m->reflect && start < 0 ? (int)-start : 0; /* no sum over silent ends */
    const int to = !m->reflect && end < m->fft ? (int)end : m->fft;
    for (int k = 0; k <= m->fft / 2; k++) {
        real re = 0, im = 0;
        for (int n = from; n < to; n++) {
            real x = sample_at(wave, samples, centre - m->fft / 2 + n, m->reflect) *
                     (0.5 - 0.5 * cos(2 * M_PI * n / m->fft));
            double turn = 2 * M_PI * ((int64_t)k * n % m->fft) / m->fft;
            re += x * cos(turn);
            im -= x * sin(turn);
        }
        power[k] = re * re + im * im;
    }
}

/* The most that a sine of amplitude 1 gives in any band, over the bins that it may lie on. */
static double full_scale(const chl_mel_settings *m) {
    double most = 0;
    for (int band = 0; band < m->bands; band++)
        for (int bin = 0; bin <= m->fft / 2; bin++) {
            double heard = 0;
            for (int k = bin - 1; k <= bin + 1; k++) {
                double amplitude = m->fft / (k == bin ? 4.0 : 8.0);
                heard += amplitude * amplitude * weight_of(m, band, (double)m->rate * k / m->fft);
            }
            most = fmax(most, heard);
        }
    return most;
}

REFERENCE(log_mel) {
    const chl_mel_settings *m = SETTINGS(chl_mel_settings);
    int64_t samples = call->in_desc[0].dim[1], frames = call->out_desc[0].dim[2];
    for (int64_t clip = 0; clip < call->in_desc[0].dim[0]; clip++) {
        real *mel = OUT(0) + clip * m->bands * frames, *power = NEW_REALS(m->fft / 2 + 1);
        double reference = 10 * log10(full_scale(m)), loudest = -1e30;
        for (int64_t f = 0; f < frames; f++) {
            frame_power(m, IN(0) + clip * samples, samples, f * m->hop, power);
            for (int band = 0; band < m->bands; band++) {
                real p = mel_power(m, power, band);
                if (RE(p) < m->min_power) p = m->min_power;
                mel[band * frames + f] = real_log(p) * (10 / log(10));
                loudest = fmax(loudest, RE(mel[band * frames + f]));
            }
        }
        free(power);
        if (!m->absolute) reference = loudest;
        for (int64_t i = 0; i < m->bands * frames; i++) {
            mel[i] -= reference;
            if (m->floor_db == 0) continue;
            mel[i] = mel[i] / m->floor_db + 1;
            if (RE(mel[i]) < 0) mel[i] = 0;
            if (RE(mel[i]) > 1) mel[i] = 1;
        }
    }
}
