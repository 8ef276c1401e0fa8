/* Thunder: seconds of low noise of varying level, sometimes a crack, often rain. Wind: band-passed
 * noise in gusts. */
#include "demo/world/synth.h"

/* Rain and wind in a thunderstorm. */
static void weather(chl_synth *s) {
    chl_dice *d = s->dice;
    if (chl_chance(d, 0.6))
        chl_bed(s, CHL_WHITE, chl_between_log(d, 400, 2000), chl_between_log(d, 5000, 13000), 3,
                chl_between(d, -34, -18));
    if (chl_chance(d, 0.4))
        chl_bed(s, CHL_PINK, 60, chl_between_log(d, 300, 900), 8, chl_between(d, -30, -16));
}

/* Time to the next flash. */
static double pause_between_strikes(chl_synth *s) {
    return chl_between(s->dice, 2.5, 7) * (1.3 - 0.6 * s->strength);
}

/* The near end of the lightning channel: a sharp crack, with more treble when near (strong). */
static void crack(chl_synth *s, double at, double gain) {
    chl_dice *d = s->dice;
    int tears = chl_between_int(d, 2, 7);
    for (int i = 0; i < tears; i++) {
        chl_burst tear = {.at = at,
                          .low = chl_between_log(d, 100, 500),
                          .high = chl_between_log(d, 1500, 3000) * (1 + 1.5 * s->strength),
                          .attack = 0.002,
                          .decay = chl_between_log(d, 0.02, 0.15),
                          .gain = gain * chl_lognormal(d, 0.5)};
        chl_layer_burst(s, &tear);
        at += chl_between_log(d, 0.015, 0.15);
    }
}

/* A rumble of overlapping peals. */
static void thunder_rolling(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_curve_set(s, 0);
    bool near = chl_chance(d, 0.25 + 0.5 * s->strength);
    double at = chl_first_event(s, 1);
    while (at < s->seconds) {
        if (near) crack(s, at, 1);
        int peals = chl_between_int(d, 3, 9);
        double peal = at, gain = 1;
        for (int i = 0; i < peals; i++) {
            chl_curve_pulse(s, peal, chl_between_log(d, 0.05, 0.4), chl_between_log(d, 0.25, 0.9),
                            gain * chl_lognormal(d, 0.5));
            peal += chl_between_log(d, 0.15, 0.9);
            gain *= 0.85;
        }
        at += pause_between_strikes(s);
    }
    chl_layer_mix(s, chl_between(d, -14, -4));
    chl_curve_gusts(s, 0.12, 6);
    chl_layer_noise(s, CHL_BROWN, 20, chl_between_log(d, 90, 350) * (1 + s->strength));
    chl_layer_shape(s);
    chl_layer_mix(s, 0);
    weather(s);
}

/* One N-wave: the shock of a piece of the channel [Few, "Power spectrum of thunder", 1969]. */
static void n_wave(chl_synth *s, double at, double duration, double gain) {
    int64_t first = (int64_t)(at * CHL_WORLD_RATE), count = (int64_t)(duration * CHL_WORLD_RATE);
    for (int64_t i = 0; i < count && first + i < s->samples; i++)
        s->layer[first + i] += (float)(gain * (1 - 2 * (double)i / (double)count));
}

/* The pieces of a winding channel, heard one after the other in order of distance. */
static void thunder_pearls(chl_synth *s) {
    chl_dice *d = s->dice;
    double cutoff = chl_between_log(d, 150, 500) * (1 + 2 * s->strength);
    double at = chl_first_event(s, 1);
    while (at < s->seconds) {
        int branches = chl_between_int(d, 2, 6);
        double slope = chl_between(d, 0.4, 1.2);
        for (int branch = 0; branch < branches; branch++) {
            int pearls = chl_between_int(d, 15, 50);
            double delay = branch ? chl_between(d, 0, 2.5) : 0;
            double spread = chl_between_log(d, 0.2, 1.2);
            for (int i = 0; i < pearls; i++) {
                double late = delay + fabs(log(chl_lognormal(d, spread)));
                n_wave(s, at + late, chl_between_log(d, 0.006, 0.02) * (1 + 0.6 * late),
                       chl_lognormal(d, 0.6) * exp(-slope * late));
            }
        }
        at += pause_between_strikes(s);
    }
    chl_layer_filter(s, CHL_LOWPASS, cutoff, 0.7);
    chl_layer_filter(s, CHL_LOWPASS, 3 * cutoff, 0.7);
    chl_layer_filter(s, CHL_HIGHPASS, 18, 0.7);
    chl_layer_mix(s, 0);
    chl_bed(s, CHL_BROWN, 20, 120, 12, chl_between(d, -20, -9));
    weather(s);
}

/* Noise whose treble fades first: air absorbs the high frequencies of sound from farther along the
 * channel. */
static void thunder_fading(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_curve_set(s, 0);
    double at = chl_first_event(s, 1);
    while (at < s->seconds) {
        int peals = chl_between_int(d, 2, 5);
        double peal = at, gain = 0.7;
        for (int i = 0; i < peals; i++) {
            chl_curve_pulse(s, peal, chl_between_log(d, 0.02, 0.5), chl_between(d, 0.4, 1.2),
                            gain * chl_between(d, 0.5, 1.2));
            peal += chl_between(d, 0.2, 0.9);
            gain *= 0.75;
        }
        at += pause_between_strikes(s);
    }
    chl_layer_noise(s, chl_any_colour(d), 20, 6000);
    double high = chl_between_log(d, 400, 1000) * pow(3, s->strength);
    chl_layer_sweep(s, CHL_LOWPASS, 0.7, 45, high);
    chl_layer_sweep(s, CHL_LOWPASS, 0.7, 90, high);
    chl_curve_gusts(s, chl_between_log(d, 0.12, 0.5), chl_between(d, 8, 20));
    chl_layer_shape(s);
    chl_layer_mix(s, 0);
    weather(s);
}

/* One sharp crack and its echoes from clouds and hills, over the resonances of the valley. */
static void thunder_echoes(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_mode valley[10];
    for (int m = 0; m < 10; m++) {
        double frequency = chl_between_log(d, 28, 170);
        valley[m] = (chl_mode){frequency, chl_between(d, 0.08, 0.3), 60 / frequency};
    }
    chl_curve_set(s, 0);
    double at = chl_first_event(s, 1);
    while (at < s->seconds) {
        chl_curve_pulse(s, at, chl_between(d, 0.05, 0.4), chl_between(d, 0.8, 2), 1);
        chl_curve_pulse(s, at + chl_between(d, 0.5, 2), 0.4, chl_between(d, 0.6, 2), 0.8);
        int echoes = chl_between_int(d, 20, 40);
        double loudest = chl_between(d, 0, 1.5), roll = chl_between(d, 1, 2.5);
        for (int i = 0; i < echoes; i++) {
            double late = chl_between(d, 0, 4.5), distance = fabs(late - loudest) / roll;
            chl_burst echo = {.at = at + late,
                              .low = 25,
                              .high = (150 + 500 * s->strength) * exp(-distance) + 80,
                              .attack = chl_between_log(d, 0.01, 0.15),
                              .decay = chl_between(d, 0.05, 0.25),
                              .gain = chl_lognormal(d, 0.4) * exp(-distance)};
            chl_layer_burst(s, &echo);
        }
        at += pause_between_strikes(s);
    }
    chl_layer_mix(s, 0);
    chl_layer_dust(s, chl_between(d, 25, 80), 0.8);
    chl_layer_shape(s);
    chl_layer_resonate(s, valley, 10, 0);
    chl_layer_mix(s, chl_between(d, -4, 3));
    weather(s);
}

chl_sound_family chl_sound_thunder = {thunder_rolling, thunder_pearls, thunder_fading,
                                      thunder_echoes};

/* --- wind ------------------------------------------------------------------------------------- */
static double gust_period(chl_synth *s) {
    return chl_between_log(s->dice, 0.8, 3.5) * (1.3 - 0.6 * s->strength);
}

/* A band of noise whose pitch and level rise with each gust. */
static void wind_gusts(chl_synth *s) {
    chl_dice *d = s->dice;
    double low = chl_between_log(d, 120, 260);
    chl_curve_wander(s, gust_period(s));
    chl_layer_noise(s, CHL_WHITE, 20, 8000);
    chl_layer_sweep(s, CHL_BANDPASS, chl_between_log(d, 0.6, 1.8), low,
                    low * chl_between(d, 2, 3.5) * (1 + 0.7 * s->strength));
    chl_curve_to_gain(s, chl_between(d, 8, 16) + 4 * s->strength);
    chl_layer_shape(s);
    chl_layer_mix(s, 0);
    chl_bed(s, CHL_BROWN, 20, chl_between_log(d, 90, 250), 6, chl_between(d, -16, -4));
}

/* Wind that whistles at an edge: narrow resonances over a dull roar. */
static void wind_whistle(chl_synth *s) {
    chl_dice *d = s->dice;
    int whistles = chl_between_int(d, 1, 3);
    double low = chl_between_log(d, 300, 700);
    for (int i = 0; i < whistles; i++) {
        chl_curve_wander(s, gust_period(s));
        chl_layer_noise(s, CHL_WHITE, 50, 8000);
        chl_layer_sweep(s, CHL_BANDPASS, chl_between_log(d, 10, 40), low,
                        low * chl_between(d, 1.5, 2.5));
        chl_curve_to_gain(s, chl_between(d, 14, 24));
        chl_layer_shape(s);
        chl_layer_mix(s, chl_between(d, -12, -3) + 4 * s->strength);
        low *= chl_between(d, 1.2, 1.7);
    }
    chl_bed(s, CHL_PINK, 50, chl_between_log(d, 400, 1000), chl_between(d, 6, 14), 0);
}

/* Wind in the microphone and in the leaves. */
static void wind_buffets(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_curve_wander(s, gust_period(s));
    chl_curve_to_gain(s, chl_between(d, 8, 18));
    chl_layer_noise(s, CHL_PINK, chl_between_log(d, 700, 2000), chl_between_log(d, 3500, 7000));
    chl_layer_shape(s);
    chl_layer_mix(s, chl_between(d, -24, -10) + 4 * s->strength);
    chl_curve_gusts(s, chl_between_log(d, 0.1, 0.4), 6 + 10 * s->strength);
    chl_layer_noise(s, CHL_BROWN, 25, chl_between_log(d, 120, 400));
    chl_layer_shape(s);
    chl_layer_mix(s, 0);
    chl_bed(s, CHL_PINK, 100, chl_between_log(d, 500, 1200), 9, chl_between(d, -10, 0));
}

/* Turbulence: octave bands, each with gusts of its own, faster the higher the band. */
static void wind_turbulence(chl_synth *s) {
    chl_dice *d = s->dice;
    double period = gust_period(s), centre = chl_between_log(d, 50, 75);
    double fall = chl_between(d, 4.5, 8) - 1.5 * s->strength;
    for (int band = 0; band < 6; band++) {
        chl_curve_wander(s, period);
        chl_curve_to_gain(s, chl_between(d, 8, 18));
        chl_layer_noise(s, CHL_WHITE, centre * 0.8, centre * 1.7);
        chl_layer_filter(s, CHL_BANDPASS, centre * 1.2, 0.9);
        chl_layer_shape(s);
        chl_layer_mix(s, -fall * (band > 2 ? band - 2 : 0) - (band < 2 ? 3 : 0));
        period /= 1.2;
        centre *= 2;
    }
}

chl_sound_family chl_sound_wind = {wind_gusts, wind_whistle, wind_buffets, wind_turbulence};
