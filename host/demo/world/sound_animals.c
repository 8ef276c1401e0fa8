/* Birds: syllables of 30 - 400 ms between 1.5 and 8 kHz with gliding pitch, in phrases with pauses.
 * Crickets: a pure tone of 3 - 6 kHz in pulses of 10 - 20 ms, 25 - 70 a second, without pauses. */
#include "demo/world/synth.h"

typedef struct syllable {
    double at, seconds, from, to, arc; /* Hz; arc: rise of the middle above the line */
    double vibrato, depth;             /* Hz, and as a fraction of the pitch */
    int harmonics;
    double tilt; /* gain of each harmonic relative to the one before */
    double gain;
} syllable;

/* Rises and falls like a sine; the pitch goes from `from` to `to` over an arc. */
static void sing(chl_synth *s, const syllable *y) {
    int64_t first = (int64_t)floor(y->at * CHL_WORLD_RATE);
    int64_t count = (int64_t)(y->seconds * CHL_WORLD_RATE);
    double turns = 0, step = 1.0 / (double)(count + 1), vibrato = y->vibrato / CHL_WORLD_RATE;
    if (first < 0) return;
    for (int64_t i = 0; i < count && first + i < s->samples; i++) {
        double u = (double)i * step, hill = 4 * u * (1 - u);
        double pitch = y->from + (y->to - y->from) * u * u * (3 - 2 * u) + y->arc * hill;
        pitch *= 1 + y->depth * chl_sine(vibrato * (double)i);
        turns += pitch / CHL_WORLD_RATE;
        double sum = 0, gain = y->gain * hill;
        for (int h = 1; h <= y->harmonics && h * pitch < 18000; h++) {
            sum += gain * chl_sine(h * turns);
            gain *= y->tilt;
        }
        s->layer[first + i] += (float)sum;
    }
}

static void outdoors(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_bed(s, CHL_PINK, 60, chl_between_log(d, 800, 6000), 6, chl_between(d, -42, -18));
}

static int birds(chl_synth *s) {
    return 1 + (int)(s->strength * 3.5) + chl_between_int(s->dice, 0, 1);
}

/* A pause between phrases, shorter when the sound is strong. */
static double rest(chl_synth *s) {
    return chl_between_log(s->dice, 0.25, 1.6) * (1.4 - 0.9 * s->strength);
}

/* Chirps: one sweep, repeated. */
static void birds_chirps(chl_synth *s) {
    chl_dice *d = s->dice;
    for (int bird = birds(s); bird > 0; bird--) {
        double pitch = chl_between_log(d, 2200, 6000), span = chl_between(d, -0.4, 0.5);
        double seconds = chl_between_log(d, 0.04, 0.16), gain = chl_lognormal(d, 0.5);
        double at = chl_first_event(s, 0.8);
        while (at < s->seconds) {
            int chirps = chl_between_int(d, 2, 8);
            for (int i = 0; i < chirps; i++) {
                double from = pitch * chl_between(d, 0.94, 1.06);
                syllable y = {
                    at, seconds, from, from * (1 + span), pitch * chl_between(d, -0.1, 0.2), 0, 0,
                    1,  0,       gain};
                sing(s, &y);
                at += seconds * chl_between(d, 1.3, 2.2);
            }
            at += rest(s);
        }
    }
    chl_layer_mix(s, 0);
    outdoors(s);
}

/* Trills: the same short sweep ten to thirty times a second. */
static void birds_trills(chl_synth *s) {
    chl_dice *d = s->dice;
    for (int bird = birds(s); bird > 0; bird--) {
        double gain = chl_lognormal(d, 0.5), at = chl_first_event(s, 0.8);
        while (at < s->seconds) {
            double pitch = chl_between_log(d, 2200, 5500), span = chl_between(d, 0.15, 0.5);
            double period = 1 / chl_between_log(d, 9, 26), seconds = chl_between(d, 0.4, 1.6);
            double drift = chl_between(d, -0.15, 0.15);
            int sweeps = (int)ceil(seconds / period);
            for (int i = 0; i < sweeps; i++) {
                double late = i * period, from = pitch * (1 + drift * late);
                syllable y = {.at = at + late,
                              .seconds = 0.75 * period,
                              .from = from * (1 + span),
                              .to = from,
                              .harmonics = 2,
                              .tilt = 0.1,
                              .gain = gain};
                sing(s, &y);
            }
            at += sweeps * period + 1.5 * rest(s);
        }
    }
    chl_layer_mix(s, 0);
    outdoors(s);
}

/* Whistled phrases: long notes in steps and glides, some with a vibrato. */
static void birds_phrases(chl_synth *s) {
    chl_dice *d = s->dice;
    for (int bird = birds(s); bird > 0; bird--) {
        double pitch = chl_between_log(d, 1900, 4200), gain = chl_lognormal(d, 0.5);
        double at = chl_first_event(s, 0.8);
        while (at < s->seconds) {
            int notes = chl_between_int(d, 2, 6);
            for (int i = 0; i < notes; i++) {
                double from = pitch * chl_between_log(d, 0.75, 1.35);
                double seconds = chl_between_log(d, 0.08, 0.35);
                syllable y = {.at = at,
                              .seconds = seconds,
                              .from = from,
                              .to = from * chl_between_log(d, 0.8, 1.25),
                              .arc = from * chl_between(d, -0.1, 0.1),
                              .vibrato = chl_between(d, 15, 45),
                              .depth = chl_chance(d, 0.4) ? chl_between(d, 0.01, 0.06) : 0,
                              .harmonics = 2,
                              .tilt = chl_between(d, 0.02, 0.2),
                              .gain = gain};
                sing(s, &y);
                at += seconds + chl_between_log(d, 0.02, 0.15);
            }
            at += 1.3 * rest(s);
        }
    }
    chl_layer_mix(s, 0);
    outdoors(s);
}

/* Calls with harmonics: tweets and squeaks of a low pitch with strong overtones and vibrato. */
static void birds_calls(chl_synth *s) {
    chl_dice *d = s->dice;
    for (int bird = birds(s); bird > 0; bird--) {
        double pitch = chl_between_log(d, 1300, 3200), gain = chl_lognormal(d, 0.5);
        double seconds = chl_between_log(d, 0.06, 0.22), at = chl_first_event(s, 0.8);
        double tremor = chl_between(d, 30, 90), depth = chl_between(d, 0, 0.08);
        double tilt = chl_between(d, 0.4, 0.9);
        while (at < s->seconds) {
            int calls = chl_between_int(d, 1, 5);
            for (int i = 0; i < calls; i++) {
                double from = pitch * chl_between(d, 0.9, 1.1);
                syllable y = {at,          seconds, from,  from * chl_between(d, 0.75, 1.1),
                              0.25 * from, tremor,  depth, 4,
                              tilt,        gain};
                sing(s, &y);
                at += seconds * chl_between(d, 1.2, 2.5);
            }
            at += rest(s);
        }
    }
    chl_layer_filter(s, CHL_HIGHPASS, chl_between_log(d, 1200, 2500), 0.7);
    chl_layer_mix(s, 0);
    outdoors(s);
}

chl_sound_family chl_sound_birds = {birds_chirps, birds_trills, birds_phrases, birds_calls};

/* --- crickets --------------------------------------------------------------------------------- */
static int crickets(chl_synth *s) {
    return 1 + (int)(s->strength * 4) + chl_between_int(s->dice, 0, 1);
}

/* In warm nights both pitch and rate are higher, as with the animals. */
static double warmth(chl_synth *s) {
    return chl_between(s->dice, 0.8, 1.25);
}

/* Chirps of two to six pulses, one to four a second. */
static void crickets_chirps(chl_synth *s) {
    chl_dice *d = s->dice;
    double warm = warmth(s);
    for (int cricket = crickets(s); cricket > 0; cricket--) {
        double pitch = warm * chl_between(d, 3800, 4900), gain = chl_lognormal(d, 0.5);
        double pulse = 1 / (warm * chl_between(d, 24, 36)),
               chirp = 1 / (warm * chl_between(d, 1.2, 3.5));
        int pulses = chl_between_int(d, 2, 6);
        double at = chl_first_event(s, 0.5);
        while (at < s->seconds) {
            for (int i = 0; i < pulses; i++) {
                syllable y = {at + i * pulse,
                              0.6 * pulse,
                              pitch * 1.01,
                              pitch * 0.98,
                              0,
                              0,
                              0,
                              2,
                              0.05,
                              gain * (0.5 + 0.5 * (i + 1) / pulses)};
                sing(s, &y);
            }
            at += pulses * pulse + chirp * chl_between(d, 0.5, 0.6);
        }
    }
    chl_layer_mix(s, 0);
    outdoors(s);
}

/* Endless trills of many animals that are not synchronous. */
static void crickets_trills(chl_synth *s) {
    chl_dice *d = s->dice;
    double warm = warmth(s);
    for (int cricket = crickets(s); cricket > 0; cricket--) {
        double pitch = warm * chl_between(d, 3400, 4800), gain = chl_lognormal(d, 0.5);
        double rate = warm * chl_between(d, 32, 62), until = chl_between_log(d, 1, 12);
        double at = chl_first_event(s, 0.3);
        while (at < s->seconds) {
            if (at > until) {
                at += chl_between(d, 0.1, 0.5);
                until = at + chl_between_log(d, 1, 12);
            }
            syllable y = {at, 0.7 / rate, pitch * 1.005, pitch * 0.99, 0, 0, 0, 2, 0.04, gain};
            sing(s, &y);
            at += chl_between(d, 0.97, 1.03) / rate;
        }
    }
    chl_layer_mix(s, 0);
    outdoors(s);
}

/* A distant chorus: pulsing narrow-band noise, in which single animals are not distinguishable. */
static void crickets_chorus(chl_synth *s) {
    chl_dice *d = s->dice;
    double warm = warmth(s);
    int choirs = 2 + (int)(2 * s->strength);
    for (int choir = 0; choir < choirs; choir++) {
        double pulse = 1 / (warm * chl_between(d, 24, 50)), chirp = chl_between(d, 0.1, 0.5);
        int pulses = chl_between_int(d, 3, 12);
        double pitch = warm * chl_between(d, 3500, 4900), q = chl_between_log(d, 25, 70);
        chl_curve_set(s, chl_between(d, 0, 0.15));
        double at = chl_first_event(s, 0.5);
        while (at < s->seconds) {
            for (int i = 0; i < pulses; i++, at += pulse)
                chl_curve_pulse(s, at, 0.35 * pulse, 0.12 * pulse, chl_between(d, 0.8, 1));
            at += chirp * chl_between(d, 0.8, 1.2);
        }
        chl_layer_noise(s, CHL_WHITE, 1500, 12000);
        chl_layer_filter(s, CHL_BANDPASS, pitch, q);
        chl_layer_filter(s, CHL_BANDPASS, pitch, q / 2);
        chl_layer_shape(s);
        chl_layer_mix(s, -3 * choir);
    }
    outdoors(s);
}

/* The animal's mechanism: the teeth of one wing strike the plectrum of the other, some four
 * thousand a second and slowing, and excite the resonance of the wing. */
static void crickets_stridulation(chl_synth *s) {
    chl_dice *d = s->dice;
    double warm = warmth(s);
    for (int cricket = crickets(s); cricket > 0; cricket--) {
        double pitch = warm * chl_between(d, 3600, 4900),
               stroke = chl_between(d, 0.012, 0.02) / warm;
        double pulse = stroke / chl_between(d, 0.4, 0.6), chirp = chl_between(d, 0.15, 0.6);
        int strokes = chl_chance(d, 0.3) ? 1000 : chl_between_int(d, 2, 7);
        chl_mode harp[3] = {{pitch, chl_between(d, 12, 30) / (3.14 * pitch), 1},
                            {2 * pitch, 6 / (6.28 * pitch), chl_between(d, 0.02, 0.1)},
                            {3 * pitch, 6 / (9.42 * pitch), chl_between(d, 0.01, 0.05)}};
        double at = chl_first_event(s, 0.5);
        while (at < s->seconds) {
            for (int i = 0; i < strokes && at < s->seconds; i++, at += pulse)
                for (double tooth = 0; tooth < stroke;) {
                    double along = tooth / stroke;
                    int64_t n = (int64_t)((at + tooth) * CHL_WORLD_RATE);
                    if (n < s->samples)
                        s->layer[n] += (float)(4 * along * (1 - along) * chl_between(d, 0.9, 1));
                    tooth += 1 / (pitch * (1.02 - 0.04 * along));
                }
            at += chirp;
        }
        chl_layer_resonate(s, harp, 3, 0);
        chl_layer_filter(s, CHL_HIGHPASS, 0.6 * pitch, 0.7);
        chl_layer_mix(s, chl_between(d, -9, 0));
    }
    outdoors(s);
}

chl_sound_family chl_sound_crickets = {crickets_chirps, crickets_trills, crickets_chorus,
                                       crickets_stridulation};
