/* Rain: a steady hiss, mostly 1 - 12 kHz, of drops that become more with the strength; single drops
 * in light rain. */
#include "demo/world/synth.h"

static void hiss(chl_synth *s, double decibels) {
    chl_dice *d = s->dice;
    chl_bed(s, chl_chance(d, 0.5) ? CHL_WHITE : CHL_PINK, chl_between_log(d, 250, 1500),
            chl_between_log(d, 6000, 16000), chl_between(d, 1, 4), decibels);
    if (chl_chance(d, 0.6)) /* distant rain, with less treble */
        chl_bed(s, CHL_PINK, 80, chl_between_log(d, 500, 2000), 3,
                decibels + chl_between(d, -22, -8) + 4 * s->strength);
}

static void drops(chl_synth *s, double rate, double decibels) {
    chl_dice *d = s->dice;
    double low = chl_between_log(d, 900, 3000);
    double at = chl_wait(d, rate);
    while (at < s->seconds) {
        double from = low * chl_between_log(d, 0.7, 1.6);
        chl_burst drop = {.at = at,
                          .low = from,
                          .high = from * chl_between_log(d, 2, 6),
                          .attack = 0.0003,
                          .decay = chl_between_log(d, 0.0006, 0.004),
                          .gain = chl_lognormal(d, 0.6)};
        chl_layer_burst(s, &drop);
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, decibels);
}

/* Filtered noise, with near drops over it. */
static void rain_hiss(chl_synth *s) {
    hiss(s, 0);
    double rate = chl_between_log(s->dice, 6, 30) * pow(8, s->strength);
    drops(s, rate, chl_between(s->dice, -16, -4) - 3 * s->strength);
}

/* Each drop is a short damped sine [as van den Doel, "Physically based models for liquid sounds",
 * 2005, but above the water]. */
static void rain_drops(chl_synth *s) {
    chl_dice *d = s->dice;
    double rate = 60 * chl_between_log(d, 0.6, 1.6) * pow(22, s->strength);
    double low = chl_between_log(d, 900, 2500), high = chl_between_log(d, 6000, 12000);
    double at = chl_wait(d, rate);
    while (at < s->seconds) {
        chl_ping drop = {.at = at,
                         .frequency = chl_between_log(d, low, high),
                         .attack = 0.0002,
                         .decay = chl_between_log(d, 0.0005, 0.004),
                         .gain = chl_lognormal(d, 0.8)};
        chl_layer_ping(s, &drop);
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, 0);
    hiss(s, chl_between(d, -18, -6) + 8 * s->strength);
}

/* Drops on a roof, a tent, a window: impulses through a few modes of a plate. */
static void rain_roof(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_mode modes[9];
    int count = chl_between_int(d, 5, 9);
    double low = chl_between_log(d, 200, 900);
    for (int m = 0; m < count; m++) {
        double frequency = chl_between_log(d, low, 7000);
        modes[m] = (chl_mode){frequency, chl_between(d, 2, 9) / (3.14 * frequency),
                              chl_between(d, 0.4, 1)};
    }
    chl_layer_dust(s, 50 * chl_between_log(d, 0.6, 1.6) * pow(30, s->strength), 0.8);
    chl_layer_resonate(s, modes, count, chl_between(d, 0.1, 0.6));
    chl_layer_filter(s, CHL_HIGHPASS, low, 0.7);
    chl_layer_mix(s, 0);
    hiss(s, chl_between(d, -14, -4) + 4 * s->strength);
}

/* Granular: thousands of short noise grains, and a trickling gutter. */
static void rain_grains(chl_synth *s) {
    chl_dice *d = s->dice;
    double rate = 120 * chl_between_log(d, 0.6, 1.6) * pow(9, s->strength);
    double low = chl_between_log(d, 800, 1800), high = chl_between_log(d, 7000, 12000);
    double at = chl_wait(d, rate);
    while (at < s->seconds) {
        double centre = chl_between_log(d, low, high);
        chl_burst grain = {.at = at,
                           .low = centre / 1.5,
                           .high = centre * 1.5,
                           .attack = chl_between_log(d, 0.0005, 0.004),
                           .decay = chl_between_log(d, 0.001, 0.006),
                           .gain = chl_lognormal(d, 0.5)};
        chl_layer_burst(s, &grain);
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, 0);
    hiss(s, chl_between(d, -12, -3));
    if (chl_chance(d, 0.5)) return;
    rate = chl_between(d, 4, 15) * (1 + s->strength);
    at = chl_wait(d, rate);
    while (at < s->seconds) {
        double frequency = chl_between_log(d, 700, 2200);
        chl_ping trickle = {at,
                            frequency,
                            8 * frequency,
                            0.001,
                            chl_between(d, 0.004, 0.012),
                            chl_lognormal(d, 0.4)};
        chl_layer_ping(s, &trickle);
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, chl_between(d, -20, -10));
}

chl_sound_family chl_sound_rain = {rain_hiss, rain_drops, rain_roof, rain_grains};
