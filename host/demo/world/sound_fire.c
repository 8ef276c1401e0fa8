/* Fire: a few to dozens of snaps a second, of very unequal loudness, over a low roar. Explosion: a
 * sudden onset in all bands, a decay in which the treble fades first, debris. */
#include "demo/world/synth.h"

/* Flames: low noise with a fluttering level. */
static void roar(chl_synth *s, double decibels) {
    chl_dice *d = s->dice;
    chl_curve_wander(s, chl_between_log(d, 0.12, 0.5));
    chl_curve_to_gain(s, chl_between(d, 4, 10));
    chl_layer_noise(s, chl_chance(d, 0.5) ? CHL_BROWN : CHL_PINK, 30,
                    chl_between_log(d, 180, 700) * (1 + s->strength));
    chl_layer_shape(s);
    chl_layer_mix(s, decibels);
    chl_bed(s, CHL_WHITE, 1500, chl_between_log(d, 5000, 12000), 5,
            decibels - chl_between(d, 14, 26));
}

static double roar_level(chl_synth *s) {
    return chl_between(s->dice, -16, -5) + 6 * s->strength;
}

static double snaps_a_second(chl_synth *s) {
    return chl_between_log(s->dice, 4, 14) * (1 + 4 * s->strength);
}

/* Each snap is a burst of noise. */
static void fire_bursts(chl_synth *s) {
    chl_dice *d = s->dice;
    double rate = snaps_a_second(s);
    double at = chl_wait(d, rate);
    while (at < s->seconds) {
        double low = chl_between_log(d, 500, 3000);
        chl_burst snap = {.at = at,
                          .low = low,
                          .high = low * chl_between_log(d, 2, 8),
                          .attack = 0.0001,
                          .decay = chl_between_log(d, 0.0004, 0.006),
                          .gain = chl_lognormal(d, 1)};
        chl_layer_burst(s, &snap);
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, 0);
    roar(s, roar_level(s));
}

/* Each snap is a quick group of damped sines. */
static void fire_rattles(chl_synth *s) {
    chl_dice *d = s->dice;
    double rate = snaps_a_second(s) / 3;
    double at = chl_wait(d, rate);
    while (at < s->seconds) {
        int snaps = chl_between_int(d, 1, 9);
        double snap = at, gain = chl_lognormal(d, 0.8), body = chl_between_log(d, 1200, 5000);
        for (int i = 0; i < snaps; i++) {
            chl_ping ping = {.at = snap,
                             .frequency = body * chl_between_log(d, 0.6, 1.7),
                             .attack = 0.00005,
                             .decay = chl_between_log(d, 0.0003, 0.002),
                             .gain = gain * chl_lognormal(d, 0.6)};
            chl_layer_ping(s, &ping);
            snap += chl_between_log(d, 0.003, 0.04);
        }
        at += chl_wait(d, rate);
    }
    chl_layer_mix(s, 0);
    roar(s, roar_level(s));
}

/* Impulses of heavy-tailed height through broad resonances: bursting wood. */
static void fire_wood(chl_synth *s) {
    chl_dice *d = s->dice;
    for (int log = 0; log < 2; log++) {
        chl_mode modes[5];
        for (int m = 0; m < 5; m++) {
            double frequency = chl_between_log(d, 600, 8000);
            modes[m] = (chl_mode){frequency, chl_between(d, 1, 4) / (3.14 * frequency),
                                  chl_between(d, 0.3, 1)};
        }
        chl_layer_dust(s, snaps_a_second(s) / 2, 1.1);
        chl_layer_resonate(s, modes, 5, chl_between(d, 0.1, 0.5));
        chl_layer_mix(s, log ? chl_between(d, -6, 0) : 0);
    }
    roar(s, roar_level(s));
}

/* N-shaped snaps that cause further snaps (a Hawkes process), with pops of hollow wood; the flames
 * are squared noise, which is turbulent: long quiet, sudden puffs. */
static void fire_cascade(chl_synth *s) {
    chl_dice *d = s->dice;
    double rate = 0.5 * snaps_a_second(s), excited = 0, now = 0;
    double pops = chl_between(d, 0.05, 0.3);
    while (now < s->seconds) {
        double wait = chl_wait(d, rate + excited);
        excited *= exp(-wait / 0.06);
        now += wait;
        double gain = chl_lognormal(d, 0.9), width = chl_between_log(d, 0.00008, 0.0006);
        excited += 10;
        int64_t first = (int64_t)(now * CHL_WORLD_RATE), count = (int64_t)(width * CHL_WORLD_RATE);
        for (int64_t i = 0; i <= count && first + i < s->samples; i++)
            s->layer[first + i] += (float)(gain * (1 - 2 * (double)i / (double)(count + 1)));
        if (!chl_chance(d, pops)) continue;
        chl_ping pop = {now,    chl_between_log(d, 400, 2500),   0,
                        0.0002, chl_between_log(d, 0.002, 0.01), gain};
        chl_layer_ping(s, &pop);
    }
    chl_layer_filter(s, CHL_HIGHPASS, 350, 0.7);
    chl_layer_mix(s, 0);
    chl_layer_noise(s, CHL_PINK, 10, 60);
    for (int64_t i = 0; i < s->samples; i++) s->layer[i] *= s->layer[i];
    chl_layer_filter(s, CHL_HIGHPASS, 35, 0.7);
    chl_layer_mix(s, roar_level(s));
    roar(s, roar_level(s));
}

chl_sound_family chl_sound_fire = {fire_bursts, fire_rattles, fire_wood, fire_cascade};

/* --- explosion -------------------------------------------------------------------------------- */
static double pause_between_blasts(chl_synth *s) {
    return chl_between(s->dice, 1.5, 6) * (1.3 - 0.6 * s->strength);
}

/* Falling stones and splinters, fewer as time goes on. */
static void debris(chl_synth *s, double at, double gain) {
    chl_dice *d = s->dice;
    int pieces = (int)(chl_between(d, 4, 30) * (0.4 + s->strength));
    double spread = chl_between(d, 0.4, 1.2);
    for (int i = 0; i < pieces; i++) {
        double late = 0.15 + chl_wait(d, 1 / spread), low = chl_between_log(d, 300, 2500);
        chl_burst piece = {.at = at + late,
                           .low = low,
                           .high = 3 * low,
                           .attack = 0.0005,
                           .decay = chl_between_log(d, 0.003, 0.03),
                           .gain = gain * chl_lognormal(d, 0.7) * exp(-late / spread)};
        chl_layer_burst(s, &piece);
    }
}

/* Noise through a low-pass filter whose frequency falls, and a sine that falls below the audible.
 */
static void explosion_closing(chl_synth *s) {
    chl_dice *d = s->dice;
    double high = chl_between_log(d, 2500, 5000) * (1 + s->strength);
    chl_curve_set(s, 0);
    double at = chl_first_event(s, 1.2);
    while (at < s->seconds) {
        double gain = chl_between(d, 0.6, 1), start = chl_between(d, 60, 120);
        double decay = chl_between_log(d, 0.15, 0.5);
        chl_curve_pulse(s, at, 0.003, decay, 0.8 * gain);
        chl_curve_pulse(s, at, 0.003, 2.5 * decay, 0.2 * gain);
        chl_ping thump = {at, start, -start / 1.2, 0.004, decay / 1.5, 2 * gain};
        chl_layer_ping(s, &thump);
        debris(s, at, 0.3 * gain);
        at += pause_between_blasts(s);
    }
    chl_layer_mix(s, chl_between(d, -8, 0));
    chl_layer_noise(s, CHL_WHITE, 20, 12000);
    chl_layer_sweep(s, CHL_LOWPASS, 0.7, 50, high);
    chl_layer_shape(s);
    chl_layer_mix(s, 0);
}

/* A Friedlander pulse p = (1 - t/T) e^(-t/T) [Baker, "Explosions in Air", 1973], its echoes, and
 * the rumble after it. */
static void friedlander(chl_synth *s, double at, double duration, double gain) {
    int64_t first = (int64_t)(at * CHL_WORLD_RATE),
            count = (int64_t)(duration * 8 * CHL_WORLD_RATE);
    for (int64_t i = 0; i < count && first + i < s->samples; i++) {
        double t = (double)i / (CHL_WORLD_RATE * duration);
        s->layer[first + i] += (float)(gain * (1 - t) * exp(-t));
    }
}

static void explosion_shock(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_curve_set(s, 0);
    double at = chl_first_event(s, 1.2);
    while (at < s->seconds) {
        double duration = chl_between_log(d, 0.003, 0.015), gain = chl_between(d, 0.6, 1);
        friedlander(s, at, duration, gain);
        int echoes = chl_between_int(d, 4, 20);
        for (int i = 0; i < echoes; i++) {
            double late = chl_between_log(d, 0.02, 1);
            friedlander(s, at + late, duration * (1 + 2 * late),
                        gain * chl_between(d, 0.1, 0.7) * exp(-2 * late));
        }
        chl_curve_pulse(s, at, 0.005, chl_between_log(d, 0.3, 0.9), gain);
        at += pause_between_blasts(s);
    }
    chl_layer_mix(s, 0);
    chl_layer_noise(s, CHL_PINK, 25, 2500 + 3000 * s->strength);
    chl_layer_sweep(s, CHL_LOWPASS, 0.7, 80, chl_between_log(d, 1500, 4000));
    chl_layer_shape(s);
    chl_layer_mix(s, chl_between(d, -8, 2));
}

/* Saturated, as a microphone near a blast is, with debris. */
static void explosion_saturated(chl_synth *s) {
    chl_dice *d = s->dice;
    double drive = chl_between_log(d, 2, 8) * (1 + s->strength);
    chl_curve_set(s, 0);
    double at = chl_first_event(s, 1.2);
    while (at < s->seconds) {
        double gain = chl_between(d, 0.5, 1);
        chl_curve_pulse(s, at, 0.002, chl_between_log(d, 0.1, 0.35), gain);
        chl_curve_pulse(s, at + 0.03, 0.05, chl_between_log(d, 0.4, 1), 0.25 * gain);
        debris(s, at, gain);
        at += pause_between_blasts(s);
    }
    chl_layer_mix(s, chl_between(d, -20, -9));
    chl_layer_noise(s, CHL_BROWN, 25, chl_between_log(d, 1500, 5000));
    chl_layer_shape(s);
    chl_layer_saturate(s, drive);
    chl_layer_mix(s, 0);
}

/* The response of the ground and the room, as resonances at low frequencies, to a group of blasts
 * in a third of a second, with a long tail. */
static void explosion_modes(chl_synth *s) {
    chl_dice *d = s->dice;
    chl_mode ground[12];
    for (int m = 0; m < 12; m++) {
        double frequency = chl_between_log(d, 30, 220);
        ground[m] = (chl_mode){frequency, chl_between_log(d, 0.06, 0.4), 60 / frequency};
    }
    double tail = chl_between_log(d, 0.25, 0.7);
    chl_curve_set(s, 0);
    double at = chl_first_event(s, 1.2);
    while (at < s->seconds) {
        int blasts = chl_between_int(d, 3, 10);
        double blast = at, gain = 1;
        for (int i = 0; i < blasts; i++) {
            chl_burst burst = {.at = blast,
                               .low = 30,
                               .high = chl_between_log(d, 800, 3000) * (1 + 2 * s->strength),
                               .attack = 0.001,
                               .decay = chl_between_log(d, 0.03, 0.2),
                               .gain = gain * chl_lognormal(d, 0.3)};
            chl_layer_burst(s, &burst);
            blast += chl_between_log(d, 0.01, 0.12);
            gain *= 0.75;
        }
        chl_curve_pulse(s, at, 0.01, tail, 1);
        at += pause_between_blasts(s);
    }
    chl_layer_resonate(s, ground, 12, chl_between(d, 1, 4));
    chl_layer_mix(s, 0);
    chl_layer_noise(s, CHL_PINK, 30, chl_between_log(d, 600, 2500));
    chl_layer_shape(s);
    chl_layer_mix(s, chl_between(d, -16, -8));
}

chl_sound_family chl_sound_explosion = {explosion_closing, explosion_shock, explosion_saturated,
                                        explosion_modes};
