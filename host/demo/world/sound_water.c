/* Ocean waves: noise that swells every 3 - 8 s, low while a wave rises, bright when it breaks, a
 * hiss as it runs out. Underwater bubbles: damped sines of rising pitch, over muffled water. */
#include "demo/world/synth.h"

/* Waves of a strong sea are slower and larger. */
static double wave_period(chl_synth *s) {
    return chl_between(s->dice, 2.8, 5.5) * (0.85 + 0.4 * s->strength);
}

/* Breakers in the curve; the first one has begun before the sound does. */
static void breakers(chl_synth *s, double period, double delay, double attack, double decay) {
    chl_dice *d = s->dice;
    chl_curve_set(s, 0);
    double at = delay - 0.6 * period;
    while (at < s->seconds) {
        chl_curve_pulse(s, at, attack * chl_between(d, 0.8, 1.25),
                        decay * chl_between(d, 0.8, 1.25), chl_between(d, 0.5, 1));
        at += period * chl_between(d, 0.75, 1.25);
    }
}

static void open_sea(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_bed(s, CHL_BROWN, 30, chl_between_log(d, 150, 500), 6, chl_between(d, -18, -6));
    chl_bed(s, CHL_PINK, 200, chl_between_log(d, 2000, 7000), 3, chl_between(d, -24, -12));
}

/* One noise through a low-pass filter whose frequency rises with each wave. */
static void waves_opening(chl_synth *s) {
    chl_dice *d = s->dice;
    double period = wave_period(s);
    breakers(s, period, chl_between(d, 0, period), period * chl_between(d, 0.2, 0.45),
             period * chl_between(d, 0.2, 0.4));
    chl_layer_noise(s, chl_any_colour(d), 60, 14000);
    chl_layer_sweep(s, CHL_LOWPASS, 0.6, chl_between_log(d, 180, 400),
                    chl_between_log(d, 2500, 7000) * (0.7 + 0.6 * s->strength));
    chl_curve_to_gain(s, chl_between(d, 12, 24));
    chl_layer_shape(s);
    chl_layer_mix(s, 0);
    open_sea(s);
}

/* The crash and, after it, the foam. */
static void waves_foam(chl_synth *s) {
    chl_dice *d = s->dice;
    double period = wave_period(s), delay = chl_between(d, 0, period);
    chl_dice schedule = *d;
    breakers(s, period, delay, period * 0.15, period * chl_between(d, 0.12, 0.25));
    chl_layer_noise(s, chl_any_colour(d), 50, chl_between_log(d, 500, 1500) * (1 + s->strength));
    chl_layer_shape(s);
    chl_layer_mix(s, 0);
    *d = schedule; /* the same breakers again, later and longer */
    breakers(s, period, delay + period * 0.12, period * 0.18, period * chl_between(d, 0.25, 0.45));
    chl_layer_noise(s, CHL_WHITE, chl_between_log(d, 800, 2000), chl_between_log(d, 6000, 13000));
    chl_layer_shape(s);
    chl_layer_mix(s, chl_between(d, -10, -1) + 2 * s->strength);
    open_sea(s);
}

/* Four bands that swell one after the other, with two incommensurable periods. */
static void waves_bands(chl_synth *s) {
    chl_dice *d = s->dice;
    double period = wave_period(s), other = period * chl_between(d, 1.3, 1.9);
    double start = chl_between(d, 0, 1), other_start = chl_between(d, 0, 1), edge = 80;
    double lag = chl_between(d, 0.02, 0.1), fall = chl_between(d, 2, 6) - 2 * s->strength;
    double depth = chl_between(d, 8, 18);
    for (int band = 0; band < 4; band++) {
        double turns = start - lag * band, slow = other_start - lag * band;
        for (int64_t i = 0; i < s->points; i++) {
            double time = (double)i * CHL_CURVE_STEP / CHL_WORLD_RATE;
            double swell =
                0.5 + 0.35 * chl_sine(turns + time / period) + 0.15 * chl_sine(slow + time / other);
            s->curve[i] = (float)(swell * swell);
        }
        chl_curve_to_gain(s, depth);
        double next = edge * chl_between(d, 2.8, 3.8);
        chl_layer_noise(s, CHL_PINK, edge, next);
        chl_layer_shape(s);
        chl_layer_mix(s, -fall * band);
        edge = next;
    }
    open_sea(s);
}

/* Surge and foam as grains of noise, a bursting bubble of some ten milliseconds each; most, and the
 * brightest, at the crest. */
static void waves_grains(chl_synth *s) {
    chl_dice *d = s->dice;
    double period = wave_period(s), rate = chl_between(d, 900, 1600) * (0.7 + 0.6 * s->strength);
    breakers(s, period, chl_between(d, 0, period), period * chl_between(d, 0.25, 0.4),
             period * chl_between(d, 0.25, 0.4));
    double low = chl_between_log(d, 150, 300), high = chl_between_log(d, 3500, 8000);
    double at = 0;
    while ((at += chl_wait(d, rate)) < s->seconds) {
        double swell = fmin(chl_curve_at(s, at), 1);
        if (!chl_chance(d, 0.15 + swell)) continue;
        double centre = chl_between_log(d, low, low * 3 * pow(high / (low * 3), swell));
        chl_burst grain = {.at = at,
                           .low = centre / 1.6,
                           .high = centre * 1.6,
                           .attack = chl_between_log(d, 0.006, 0.015),
                           .decay = chl_between_log(d, 0.004, 0.008),
                           .gain = (0.3 + swell) * sqrt(300 / centre)};
        chl_layer_burst(s, &grain);
    }
    chl_layer_mix(s, 0);
    chl_curve_to_gain(s, chl_between(d, 10, 18));
    chl_layer_noise(s, CHL_BROWN, 50, chl_between_log(d, 400, 900));
    chl_layer_shape(s);
    chl_layer_mix(s, chl_between(d, -8, 0));
    open_sea(s);
}

chl_sound_family chl_sound_waves = {waves_opening, waves_foam, waves_bands, waves_grains};

/* --- bubbles ---------------------------------------------------------------------------------- */
static void water(chl_synth *s, double decibels) {
    chl_bed(s, CHL_BROWN, 25, chl_between_log(s->dice, 120, 600), 8, decibels);
}

/* Minnaert: f = 3.26 / r; damping and rise in pitch after van den Doel 2005, damped less, because
 * the bubble is under water, not at the surface. */
static void bubble(chl_synth *s, double at, double frequency, double rise, double gain) {
    double radius = 3.26 / frequency, damping = 0.13 / radius + 0.0072 * pow(radius, -1.5);
    double decay = chl_between(s->dice, 1, 3) / damping;
    chl_ping ping = {at,    frequency, rise * frequency / decay, 0.0015 + 0.3 / frequency,
                     decay, gain};
    chl_layer_ping(s, &ping);
}

static double bubbles_a_second(chl_synth *s) {
    return chl_between_log(s->dice, 6, 14) * pow(6, s->strength);
}

/* Single bubbles of all sizes. */
static void bubbles_single(chl_synth *s) {
    chl_dice *d = s->dice;
    double rate = bubbles_a_second(s), low = chl_between_log(d, 180, 450);
    double high = low * chl_between(d, 3, 6);
    double at = chl_wait(d, 2 * rate);
    while (at < s->seconds) {
        bubble(s, at, chl_between_log(d, low, high), chl_between(d, 0, 0.15),
               chl_lognormal(d, 0.6));
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, 0);
    water(s, chl_between(d, -24, -6));
}

/* Streams, as from a pump or a leak: bubbles of one size in a steady rhythm. */
static void bubbles_streams(chl_synth *s) {
    chl_dice *d = s->dice;
    int streams = 1 + (int)(s->strength * 3) + chl_between_int(d, 0, 1);
    for (int stream = 0; stream < streams; stream++) {
        double rate = chl_between(d, 5, 14) * (0.7 + s->strength), loud = chl_lognormal(d, 0.4);
        double frequency = chl_between_log(d, 200, 1000), until = chl_between(d, 0.5, 3);
        double at = chl_first_event(s, 0.5);
        while (at < s->seconds) {
            if (at > until) {
                at += chl_between(d, 0.1, 0.6);
                until = at + chl_between(d, 0.5, 3);
            }
            bubble(s, at, frequency * chl_between(d, 0.85, 1.2), chl_between(d, 0.03, 0.18),
                   loud * chl_lognormal(d, 0.3));
            at += chl_between(d, 0.7, 1.3) / rate;
        }
    }
    chl_layer_mix(s, 0);
    water(s, chl_between(d, -24, -6));
}

/* A diver breathes out: groups of a second or two, with a rumble. */
static void bubbles_swarms(chl_synth *s) {
    chl_dice *d = s->dice;
    double low = chl_between_log(d, 110, 250), rate = 4 * bubbles_a_second(s);
    chl_curve_set(s, 0);
    double at = chl_first_event(s, 0.7);
    while (at < s->seconds) {
        double seconds = chl_between(d, 0.6, 1.8);
        chl_curve_pulse(s, at, 0.1, 0.6 * seconds, 1);
        double late = chl_wait(d, rate);
        while (late < seconds) {
            bubble(s, at + late, chl_between_log(d, low, 8 * low), chl_between(d, 0, 0.12),
                   chl_lognormal(d, 0.5) * (1 - 0.7 * late / seconds));
            late += chl_wait(d, rate);
        }
        at += seconds;
        at += chl_between(d, 1.5, 3.5);
    }
    chl_layer_mix(s, 0);
    chl_layer_noise(s, CHL_BROWN, 30, chl_between_log(d, 200, 700));
    chl_layer_shape(s);
    chl_layer_mix(s, chl_between(d, -14, -5));
    water(s, chl_between(d, -26, -10));
}

/* Noise through a resonance whose frequency rises as the gas leaves. */
static void gurgle(chl_synth *s, double at, double from, double to, double decay, double gain) {
    chl_dice *d = s->dice;
    int64_t first = (int64_t)(at * CHL_WORLD_RATE), count = (int64_t)(6 * decay * CHL_WORLD_RATE);
    double attack = 0.5 * decay * CHL_WORLD_RATE, q = chl_between_log(d, 8, 25);
    double fall = exp(-1 / (decay * CHL_WORLD_RATE));
    chl_svf once = {0}, twice = {0}; /* one filter alone passes too much of the noise's treble */
    for (int64_t i = 0; i < count && first + i < s->samples; i++) {
        if (i % CHL_CURVE_STEP == 0) {
            double frequency = from + (to - from) * (double)i / (double)count;
            chl_svf_tune(&once, frequency, q);
            chl_svf_tune(&twice, frequency, 0.5 * q);
        }
        double y = chl_svf_step(&once, CHL_BANDPASS, chl_noise(d));
        y = chl_svf_step(&twice, CHL_BANDPASS, y);
        s->layer[first + i] += (float)(gain * fmin((double)i / attack, 1) * y);
        gain *= fall;
    }
}

/* No sines: noise through resonances, in coupled pairs. */
static void bubbles_gurgles(chl_synth *s) {
    chl_dice *d = s->dice;
    double rate = bubbles_a_second(s), low = chl_between_log(d, 180, 400);
    double high = low * chl_between(d, 3, 5.5);
    double at = chl_wait(d, 2 * rate);
    while (at < s->seconds) {
        double from = chl_between_log(d, low, high), to = from * chl_between(d, 1.1, 1.8);
        double decay = chl_between(d, 4, 14) / (3.14 * from) + 0.004, gain = chl_lognormal(d, 0.5);
        gurgle(s, at, from, to, decay, gain);
        if (chl_chance(d, 0.5)) gurgle(s, at, 1.2 * from, 1.2 * to, decay, 0.7 * gain);
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, 0);
    water(s, chl_between(d, -24, -6));
}

chl_sound_family chl_sound_bubbles = {bubbles_single, bubbles_streams, bubbles_swarms,
                                      bubbles_gurgles};
