/* A church bell: inharmonic partials around the octaves hum, prime and nominal with a minor third
 * between them, struck every one to three seconds, each partial with a decay of its own. */
#include "demo/world/synth.h"

#include <string.h>

#define PARTIALS 12
/* Of a tuned bell, to the prime [Lehr, "Partial groups in the bell sound", JASA 1986]: hum, prime,
 * tierce, quint, nominal, deciem, undeciem, twelfth, ... double octave, and beyond. */
static const double ratios[PARTIALS] = {0.5,   1,     1.183, 1.506, 2,     2.514,
                                        2.662, 3.011, 4.166, 5.433, 6.796, 8.215};
static const double levels[PARTIALS] = {0.5, 0.6, 0.7, 0.3,  1,    0.35,
                                        0.3, 0.6, 0.4, 0.25, 0.15, 0.1};

typedef struct bell {
    double frequency[PARTIALS], decay[PARTIALS], level[PARTIALS];
} bell;

/* A strong bell is near and struck hard: more treble. */
static bell cast(chl_synth *s, double prime) {
    chl_dice *d = s->dice;
    bell b;
    double length = chl_between_log(d, 1.2, 4) * sqrt(400 / prime);
    double damping = chl_between(d, 0.6, 1.1), tilt = 0.75 + 0.35 * s->strength;
    for (int p = 0; p < PARTIALS; p++) {
        b.frequency[p] = prime * ratios[p] * chl_between(d, 0.985, 1.015);
        b.decay[p] = length * pow(ratios[p], -damping) * chl_between(d, 0.8, 1.2);
        b.level[p] = levels[p] * pow(tilt, p) * chl_lognormal(d, 0.3);
    }
    return b;
}

static double prime(chl_synth *s) {
    return chl_between_log(s->dice, 170, 750);
}

static double pause_between_strokes(chl_synth *s) {
    return chl_between(s->dice, 1, 2.6) * (1.2 - 0.4 * s->strength);
}

static void tower(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_bed(s, CHL_PINK, 50, chl_between_log(d, 500, 4000), 5, chl_between(d, -48, -28));
}

/* Sums the partials; the lowest ones in beating pairs, for a real bell is not exactly round. */
static void bell_partials(chl_synth *s) {
    chl_dice *d = s->dice;
    bell b = cast(s, prime(s));
    double beat = chl_between_log(d, 0.3, 3), pause = pause_between_strokes(s);
    double at = chl_first_event(s, 1);
    while (at < s->seconds) {
        double force = chl_between(d, 0.7, 1);
        for (int p = 0; p < PARTIALS; p++) {
            chl_ping ping = {at, b.frequency[p], 0, 0.001, b.decay[p], force * b.level[p]};
            chl_layer_ping(s, &ping);
            if (p > 4) continue;
            ping.frequency += beat;
            ping.gain *= 0.6;
            chl_layer_ping(s, &ping);
        }
        at += pause * chl_between(d, 0.97, 1.03);
    }
    chl_layer_mix(s, 0);
    tower(s);
}

/* Frequency modulation at an inharmonic ratio, with an index that decays with the sound [Chowning,
 * "The synthesis of complex audio spectra by means of frequency modulation", 1973]. */
static void modulated_stroke(chl_synth *s, double at, double carrier, double ratio, double index,
                             double decay, double gain) {
    int64_t first = (int64_t)(at * CHL_WORLD_RATE);
    double fall = exp(-1 / (decay * CHL_WORLD_RATE)), envelope = 1;
    double step = carrier / CHL_WORLD_RATE;
    for (int64_t i = 0; first + i < s->samples && envelope > 1e-3; i++) {
        double attack = fmin((double)i / 60, 1);
        double modulation = index * envelope * chl_sine((double)i * step * ratio) / 6.2832;
        s->layer[first + i] +=
            (float)(gain * attack * envelope * chl_sine((double)i * step + modulation));
        envelope *= fall;
    }
}

static void bell_modulation(chl_synth *s) {
    chl_dice *d = s->dice;
    double pitch = prime(s), decay = chl_between_log(d, 1, 3), ratio = chl_between(d, 1.38, 1.43);
    double index = chl_between(d, 2, 4) + 3 * s->strength, pause = pause_between_strokes(s);
    double at = chl_first_event(s, 1);
    while (at < s->seconds) {
        double force = chl_between(d, 0.7, 1);
        modulated_stroke(s, at, pitch, ratio, index * force, decay, force);
        modulated_stroke(s, at, pitch * 1.003, 2 * ratio, index * force / 2, decay / 2,
                         0.6 * force);
        modulated_stroke(s, at, pitch * 0.501, 1.2, 0.4, 1.6 * decay, 0.5 * force);
        at += pause * chl_between(d, 0.97, 1.03);
    }
    chl_layer_mix(s, 0);
    tower(s);
}

/* The noise of the clapper's impact through resonators, two for each of the stronger partials. */
static void bell_modes(chl_synth *s) {
    chl_dice *d = s->dice;
    bell b = cast(s, prime(s));
    chl_mode modes[CHL_MODES];
    for (int m = 0; m < CHL_MODES; m++) {
        int p = m % PARTIALS;
        double split = m < PARTIALS ? 1 : chl_between(d, 1.001, 1.006);
        modes[m] = (chl_mode){b.frequency[p] * split, b.decay[p], b.level[p]};
    }
    double pause = pause_between_strokes(s),
           hard = chl_between_log(d, 2500, 5000) * (1 + s->strength);
    double at = chl_first_event(s, 1);
    while (at < s->seconds) {
        chl_burst clapper = {.at = at,
                             .low = 60,
                             .high = hard,
                             .attack = 0.0005,
                             .decay = chl_between_log(d, 0.0006, 0.003),
                             .gain = chl_between(d, 0.7, 1)};
        chl_layer_burst(s, &clapper);
        at += pause * chl_between(d, 0.97, 1.03);
    }
    chl_layer_resonate(s, modes, CHL_MODES, chl_between(d, 0, 0.3));
    chl_layer_mix(s, 0);
    tower(s);
}

/* A wave that travels round the rim once per period of a partial, through a filter that passes only
 * that partial: a banded waveguide [Essl & Cook, ICMC 1999]. */
#define RIM_LONGEST 1024
#define RIM_Q 12.0
static void rim(const float *struck, float *sound, int64_t samples, double frequency, double decay,
                double gain) {
    double line[RIM_LONGEST] = {0};
    int length = (int)(CHL_WORLD_RATE / frequency + 0.5), place = 0;
    if (length < 2 || length >= RIM_LONGEST) return;
    /* round the rim and through the filter, whose delay is q / pi periods */
    double feedback = exp(-(double)length * (1 + RIM_Q / 3.1416) / (decay * CHL_WORLD_RATE));
    chl_biquad band = chl_biquad_new(CHL_BANDPASS, CHL_WORLD_RATE / (double)length, RIM_Q, 0);
    for (int64_t i = 0; i < samples; i++) {
        double y = chl_biquad_step(&band, struck[i] + feedback * line[place]);
        line[place] = y;
        if (++place == length) place = 0;
        sound[i] += (float)(gain * y);
    }
}

/* A peal: up to three bells rung in turn, each a set of waveguides. */
static void bell_waveguides(chl_synth *s) {
    chl_dice *d = s->dice;
    static const double steps[3] = {1, 0.8909, 1.1892};
    int bells = chl_between_int(d, 1, 2) + (s->strength > 0.5);
    double pitch = prime(s), pause = pause_between_strokes(s), start = chl_first_event(s, 1);
    int contact = (int)(chl_between(d, 16, 30) *
                        (1.3 - 0.6 * s->strength)); /* duration of the hammer's contact */
    for (int i = 0; i < bells; i++) {
        bell b = cast(s, pitch * steps[i]);
        double struck = start + pause * i * 0.7, peal = pause * bells * 0.7;
        int strokes = (int)ceil((s->seconds - struck) / peal);
        for (int stroke = 0; stroke < strokes; stroke++) {
            int64_t first = (int64_t)((struck + stroke * peal) * CHL_WORLD_RATE);
            double force = chl_between(d, 0.7, 1);
            for (int64_t n = 0; n < contact && first + n < s->samples; n++)
                s->layer[first + n] += (float)(force * chl_sine(0.5 * (double)n / contact));
        }
        for (int p = 0; p < PARTIALS; p++)
            rim(s->layer, s->wave, s->samples, b.frequency[p], b.decay[p], b.level[p]);
        memset(s->layer, 0, (size_t)s->samples * sizeof *s->layer);
    }
    /* the bells were added to the wave: it becomes the layer, which is mixed at a level */
    memcpy(s->layer, s->wave, (size_t)s->samples * sizeof *s->wave);
    memset(s->wave, 0, (size_t)s->samples * sizeof *s->wave);
    chl_layer_mix(s, 0);
    tower(s);
}

chl_sound_family chl_sound_bell = {bell_partials, bell_modulation, bell_modes, bell_waveguides};
