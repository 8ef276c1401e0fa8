/* What the synthesised sounds are built from: a wave, one layer above it and one slow curve. An
 * algorithm fills the layer (noise, impulses, pings, bursts), filters and shapes it, and mixes it
 * into the wave at a level in decibels:
 *
 *     chl_curve_wander(s, 2.0);                        gusts in [0,1], about every 2 s
 *     chl_layer_noise(s, CHL_WHITE, 20, 12000);
 *     chl_layer_sweep(s, CHL_BANDPASS, 1.0, 200, 900); centre follows the gusts
 *     chl_layer_mix(s, -6);
 *
 * Times are in seconds, frequencies in Hz. Filter state and phases are double: they drift. */
#ifndef CHL_WORLD_SYNTH_H
#define CHL_WORLD_SYNTH_H
#include "demo/world/world.h"
#include <math.h>

/* --- chance ----------------------------------------------------------------------------------- */
/* SplitMix64 [Steele, Lea & Flood, OOPSLA 2014], started by chl_random: several times faster than
 * Philox. It is sequential, which does no harm, for a whole sound is made by one thread. */
typedef struct chl_dice {
    uint64_t state;
} chl_dice;
chl_dice chl_dice_new(uint64_t seed, uint32_t purpose);

static inline uint32_t chl_dice_word(chl_dice *dice) {
    uint64_t z = dice->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}
static inline double chl_between(chl_dice *dice, double low, double high) {
    return low + (high - low) * (chl_dice_word(dice) * 0x1p-32);
}
/* White noise: uniform, mean square 1. */
static inline double chl_noise(chl_dice *dice) {
    return chl_between(dice, -1.7320508075688772, 1.7320508075688772);
}
double chl_between_log(chl_dice *dice, double low, double high);
int chl_between_int(chl_dice *dice, int low, int high); /* both included */
bool chl_chance(chl_dice *dice, double probability);
double chl_wait(chl_dice *dice, double rate);        /* to the next event of a Poisson process */
double chl_lognormal(chl_dice *dice, double spread); /* median 1 */

/* --- filters ---------------------------------------------------------------------------------- */
/* Second-order sections [Bristow-Johnson, "Cookbook formulae for audio EQ"], transposed form II. */
typedef struct chl_biquad {
    double b0, b1, b2, a1, a2, z1, z2;
} chl_biquad;
typedef enum chl_shape {
    CHL_LOWPASS,
    CHL_HIGHPASS,
    CHL_BANDPASS, /* 0 dB at the centre */
    CHL_PEAK,
    CHL_LOW_SHELF,
    CHL_HIGH_SHELF
} chl_shape;
/* The state starts at 0. gain_db: of peak and shelves. Frequencies are limited to 0.49 x the rate.
 */
chl_biquad chl_biquad_new(chl_shape shape, double frequency, double q, double gain_db);
static inline double chl_biquad_step(chl_biquad *f, double x) {
    double y = f->b0 * x + f->z1;
    f->z1 = f->b1 * x - f->a1 * y + f->z2;
    f->z2 = f->b2 * x - f->a2 * y;
    return y;
}
/* State-variable filter by trapezoidal integration [Zavalishin, "The Art of VA Filter Design"]: it
 * stays stable while its frequency changes. */
typedef struct chl_svf {
    double first, second, g, k, scale;
} chl_svf;
void chl_svf_tune(chl_svf *f, double frequency, double q);
static inline double chl_svf_step(chl_svf *f, chl_shape shape, double x) {
    double band = f->scale * (f->first + f->g * (x - f->second));
    double low = f->second + f->g * band;
    f->first = 2 * band - f->first;
    f->second = 2 * low - f->second;
    return shape == CHL_BANDPASS ? f->k * band : low;
}
void chl_biquad_run(chl_biquad *f, float *wave, int64_t samples);

/* sin(2 pi turns) to 1e-6, the same on every libm. */
static inline double chl_sine(double turns) {
    double x = turns - floor(turns + 0.5); /* [-1/2, 1/2) */
    double fold = 0.25 - fabs(fabs(x) - 0.25);
    double angle = 6.283185307179586 * copysign(fold, x), square = angle * angle;
    return angle *
           (0.9999966 + square * (-0.16664824 + square * (0.00830629 - square * 0.00018363)));
}

/* --- the state of a synthesis ----------------------------------------------------------------- */
#define CHL_CURVE_STEP 32 /* samples to a point of the curve: 0.7 ms */

typedef struct chl_synth {
    float *wave;  /* [samples] the sound */
    float *layer; /* [samples] all 0 between mixes */
    float *curve; /* [points] one each CHL_CURVE_STEP samples, and one beyond the end */
    int64_t samples, points;
    double seconds;
    double strength;
    chl_dice *dice;
} chl_synth;

/* The curve, for amplitudes and for the cutoffs of filters. */
void chl_curve_set(chl_synth *s, double value);
/* A pulse: smooth attack, exponential decay (to 1/e). */
void chl_curve_pulse(chl_synth *s, double at, double attack, double decay, double gain);
/* Smooth and random in [0,1]: values drawn every `period`, plus half of values drawn every
 * `period` / 2.7. */
void chl_curve_wander(chl_synth *s, double period);
/* Times a random gain in a range of `decibels`, new each `period`. */
void chl_curve_gusts(chl_synth *s, double period, double decibels);
/* A curve in [0,1] becomes a gain: 1 -> 0 dB, 0 -> -decibels. */
void chl_curve_to_gain(chl_synth *s, double decibels);
double chl_curve_at(const chl_synth *s, double at);

/* The layer. */
typedef enum chl_colour { CHL_WHITE, CHL_PINK, CHL_BROWN } chl_colour;
static inline chl_colour chl_any_colour(chl_dice *dice) {
    return (chl_colour)chl_between_int(dice, CHL_WHITE, CHL_BROWN);
}
void chl_layer_noise(chl_synth *s, chl_colour colour, double low, double high); /* adds */
/* Impulses at random times, with log-normal heights of that spread and either sign. */
void chl_layer_dust(chl_synth *s, double rate, double spread);
void chl_layer_filter(chl_synth *s, chl_shape shape, double frequency, double q);
/* Low- or band-pass whose frequency is low x (high / low)^curve. */
void chl_layer_sweep(chl_synth *s, chl_shape shape, double q, double low, double high);
void chl_layer_shape(chl_synth *s); /* times the curve */
void chl_layer_saturate(chl_synth *s, double drive);
typedef struct chl_mode {
    double frequency, decay, gain;
} chl_mode;
/* Through at most CHL_MODES parallel two-pole resonators that ring for `decay`, plus `dry` times
 * itself. */
#define CHL_MODES 24
void chl_layer_resonate(chl_synth *s, const chl_mode *modes, int count, double dry);
/* Scales the layer to a level (chl_level) of `decibels`, adds it to the wave and clears it. */
void chl_layer_mix(chl_synth *s, double decibels);
/* Mixes in noise of a colour and band whose level varies by `swing` dB: air, water, a roar. */
void chl_bed(chl_synth *s, chl_colour colour, double low, double high, double swing,
             double decibels);

/* Events in the layer. */
typedef struct chl_ping {
    double at, frequency, sweep /* Hz per second */, attack, decay, gain;
} chl_ping;
void chl_layer_ping(chl_synth *s, const chl_ping *ping); /* a damped sine */
typedef struct chl_burst {
    double at, low, high /* band */, attack, decay, gain;
} chl_burst;
void chl_layer_burst(chl_synth *s, const chl_burst *burst); /* damped filtered noise */

/* RMS of the loudest half second: impulsive and steady sounds of one level seem equally loud. */
double chl_level(const float *wave, int64_t samples);
/* Scales the wave to a level of `decibels`. Peaks above 0.7 are compressed smoothly and stay below
 * 1. */
void chl_set_level(float *wave, int64_t samples, double decibels);

/* --- the algorithms --------------------------------------------------------------------------- */
typedef void chl_sound_algorithm(chl_synth *s);
typedef chl_sound_algorithm *const chl_sound_family[CHL_SOUND_ALGORITHMS];
extern chl_sound_family chl_sound_rain, chl_sound_thunder, chl_sound_wind, chl_sound_fire,
    chl_sound_birds, chl_sound_waves, chl_sound_bubbles, chl_sound_explosion, chl_sound_crickets,
    chl_sound_bell;

/* Time of the first event: in [0, latest], and early in the sound. */
double chl_first_event(chl_synth *s, double latest);

/* --- the recording ---------------------------------------------------------------------------- */
/* Makes of the dry wave a recording of it: at the level of the strength, within 3 dB. recording.c
 */
chl_status chl_recording_make(const chl_sound_recipe *recipe, float *wave, int64_t samples);
/* The algorithm's output, at the level of the strength. sound_dry.c */
chl_status chl_sound_dry(const chl_sound_recipe *recipe, float *wave, int64_t samples);
double chl_sound_decibels(double strength); /* -42 ... -12 dB */
#endif
