#include "demo/world/synth.h"
#include "base/random.h"
#include "sound/level.h"

#include <string.h>

#define TURN 6.283185307179586

chl_dice chl_dice_new(uint64_t seed, uint32_t purpose) {
    chl_philox start = chl_random(seed, purpose, 0, 0);
    return (chl_dice){(uint64_t)start.word[0] << 32 | start.word[1]};
}

double chl_between_log(chl_dice *dice, double low, double high) {
    return low * pow(high / low, chl_between(dice, 0, 1));
}

int chl_between_int(chl_dice *dice, int low, int high) {
    return low + (int)chl_random_below(chl_dice_word(dice), high - low + 1);
}

bool chl_chance(chl_dice *dice, double probability) {
    return chl_between(dice, 0, 1) < probability;
}

double chl_wait(chl_dice *dice, double rate) {
    return -log(1 - chl_between(dice, 0, 1)) / rate;
}

double chl_lognormal(chl_dice *dice, double spread) {
    /* four uniforms: normal to beyond two deviations, and bounded */
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += chl_noise(dice);
    return exp(spread * sum / 2);
}

double chl_first_event(chl_synth *s, double latest) {
    return chl_between(s->dice, 0, fmin(latest, 0.2 * s->seconds));
}

/* --- filters ---------------------------------------------------------------------------------- */
static chl_biquad normalised(double b0, double b1, double b2, double a0, double a1, double a2) {
    return (chl_biquad){b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0, 0, 0};
}

chl_biquad chl_biquad_new(chl_shape shape, double frequency, double q, double gain_db) {
    double w = TURN * fmin(frequency / CHL_WORLD_RATE, 0.49), c = cos(w), alpha = sin(w) / (2 * q);
    double a = pow(10, gain_db / 40), r = 2 * sqrt(a) * alpha;
    switch (shape) {
    case CHL_LOWPASS:
        return normalised((1 - c) / 2, 1 - c, (1 - c) / 2, 1 + alpha, -2 * c, 1 - alpha);
    case CHL_HIGHPASS:
        return normalised((1 + c) / 2, -1 - c, (1 + c) / 2, 1 + alpha, -2 * c, 1 - alpha);
    case CHL_BANDPASS:
        return normalised(alpha, 0, -alpha, 1 + alpha, -2 * c, 1 - alpha);
    case CHL_PEAK:
        return normalised(1 + alpha * a, -2 * c, 1 - alpha * a, 1 + alpha / a, -2 * c,
                          1 - alpha / a);
    case CHL_LOW_SHELF:
        return normalised(a * (a + 1 - (a - 1) * c + r), 2 * a * (a - 1 - (a + 1) * c),
                          a * (a + 1 - (a - 1) * c - r), a + 1 + (a - 1) * c + r,
                          -2 * (a - 1 + (a + 1) * c), a + 1 + (a - 1) * c - r);
    case CHL_HIGH_SHELF:
        return normalised(a * (a + 1 + (a - 1) * c + r), -2 * a * (a - 1 + (a + 1) * c),
                          a * (a + 1 + (a - 1) * c - r), a + 1 - (a - 1) * c + r,
                          2 * (a - 1 - (a + 1) * c), a + 1 - (a - 1) * c - r);
    }
    return normalised(1, 0, 0, 1, 0, 0);
}

void chl_biquad_run(chl_biquad *f, float *wave, int64_t samples) {
    chl_biquad local = *f;
    for (int64_t i = 0; i < samples; i++) wave[i] = (float)chl_biquad_step(&local, wave[i]);
    *f = local;
}

void chl_svf_tune(chl_svf *f, double frequency, double q) {
    f->g = tan(TURN / 2 * fmin(frequency / CHL_WORLD_RATE, 0.45));
    f->k = 1 / q;
    f->scale = 1 / (1 + f->g * (f->g + f->k));
}

/* --- the curve -------------------------------------------------------------------------------- */
static const double point_seconds = (double)CHL_CURVE_STEP / CHL_WORLD_RATE;

void chl_curve_set(chl_synth *s, double value) {
    for (int64_t i = 0; i < s->points; i++) s->curve[i] = (float)value;
}

void chl_curve_pulse(chl_synth *s, double at, double attack, double decay, double gain) {
    int64_t first = at < 0 ? 0 : (int64_t)(at / point_seconds);
    double fall = exp(-point_seconds / decay), tail = gain;
    for (int64_t i = first; i < s->points; i++) {
        double since = (double)i * point_seconds - at;
        double rise = since / attack;
        if (rise < 1) {
            if (rise > 0) s->curve[i] += (float)(gain * rise * rise * (3 - 2 * rise));
        } else {
            s->curve[i] += (float)tail;
            tail *= fall;
            if (fabs(tail) < 1e-4 * fabs(gain)) break;
        }
    }
}

/* Random values in [0,1] each `period`, joined smoothly. */
typedef struct wander {
    chl_dice *dice;
    double from, to, phase, step;
} wander;

static wander wander_new(chl_dice *dice, double period) {
    wander w = {dice, chl_between(dice, 0, 1), chl_between(dice, 0, 1), chl_between(dice, 0, 1),
                point_seconds / period};
    return w;
}

static double wander_step(wander *w) {
    w->phase += w->step;
    if (w->phase >= 1) {
        w->phase -= floor(w->phase);
        w->from = w->to;
        w->to = chl_between(w->dice, 0, 1);
    }
    return w->from + (w->to - w->from) * w->phase * w->phase * (3 - 2 * w->phase);
}

void chl_curve_wander(chl_synth *s, double period) {
    wander slow = wander_new(s->dice, period), fast = wander_new(s->dice, period / 2.7);
    for (int64_t i = 0; i < s->points; i++)
        s->curve[i] = (float)((2 * wander_step(&slow) + wander_step(&fast)) / 3);
}

void chl_curve_gusts(chl_synth *s, double period, double decibels) {
    wander gust = wander_new(s->dice, period);
    for (int64_t i = 0; i < s->points; i++)
        s->curve[i] *= (float)pow(10, decibels * (wander_step(&gust) - 0.5) / 20);
}

void chl_curve_to_gain(chl_synth *s, double decibels) {
    for (int64_t i = 0; i < s->points; i++)
        s->curve[i] = (float)pow(10, decibels * (s->curve[i] - 1) / 20);
}

double chl_curve_at(const chl_synth *s, double at) {
    int64_t point = (int64_t)(at / point_seconds);
    if (point < 0) point = 0;
    return s->curve[point < s->points ? point : s->points - 1];
}

/* --- the layer: noise and filters ------------------------------------------------------------- */
/* Kellet's "economy" pink filter and a leaky integrator; white is left as it is. Roughly RMS 1. */
typedef struct colourer {
    double a, b, c;
} colourer;

static inline double colour_step(colourer *state, chl_colour colour, double white) {
    if (colour == CHL_WHITE) return white;
    if (colour == CHL_BROWN) {
        state->a = 0.998 * state->a + 0.06 * white;
        return state->a;
    }
    state->a = 0.99765 * state->a + white * 0.0990460;
    state->b = 0.96300 * state->b + white * 0.2965164;
    state->c = 0.57000 * state->c + white * 1.0526913;
    return 0.5 * (state->a + state->b + state->c + white * 0.1848);
}

void chl_layer_noise(chl_synth *s, chl_colour colour, double low, double high) {
    chl_dice dice = *s->dice;
    colourer state = {0};
    chl_biquad bottom = chl_biquad_new(CHL_HIGHPASS, low, 0.7071, 0);
    chl_biquad top = chl_biquad_new(CHL_LOWPASS, high, 0.7071, 0);
    for (int64_t i = 0; i < s->samples; i++) {
        double x = colour_step(&state, colour, chl_noise(&dice));
        s->layer[i] += (float)chl_biquad_step(&top, chl_biquad_step(&bottom, x));
    }
    *s->dice = dice;
}

void chl_layer_dust(chl_synth *s, double rate, double spread) {
    double at = chl_wait(s->dice, rate);
    while (at < s->seconds) {
        double height = chl_lognormal(s->dice, spread);
        int64_t i = (int64_t)(at * CHL_WORLD_RATE);
        if (i < s->samples) s->layer[i] += (float)(chl_chance(s->dice, 0.5) ? height : -height);
        at += chl_wait(s->dice, rate);
    }
}

void chl_layer_filter(chl_synth *s, chl_shape shape, double frequency, double q) {
    chl_biquad filter = chl_biquad_new(shape, frequency, q, 0);
    chl_biquad_run(&filter, s->layer, s->samples);
}

void chl_layer_sweep(chl_synth *s, chl_shape shape, double q, double low, double high) {
    chl_svf filter = {0};
    for (int64_t i = 0; i < s->samples; i++) {
        if (i % CHL_CURVE_STEP == 0)
            chl_svf_tune(&filter, low * pow(high / low, s->curve[i / CHL_CURVE_STEP]), q);
        s->layer[i] = (float)chl_svf_step(&filter, shape, s->layer[i]);
    }
}

void chl_layer_shape(chl_synth *s) {
    for (int64_t i = 0; i < s->samples; i++) {
        const float *point = s->curve + i / CHL_CURVE_STEP;
        float along = (float)(i % CHL_CURVE_STEP) / CHL_CURVE_STEP;
        s->layer[i] *= point[0] + (point[1] - point[0]) * along;
    }
}

void chl_layer_saturate(chl_synth *s, double drive) {
    for (int64_t i = 0; i < s->samples; i++) {
        double x = drive * s->layer[i];
        s->layer[i] = (float)(x / sqrt(1 + x * x));
    }
}

void chl_layer_resonate(chl_synth *s, const chl_mode *modes, int count, double dry) {
    double a1[CHL_MODES], a2[CHL_MODES], gain[CHL_MODES], y1[CHL_MODES] = {0}, y2[CHL_MODES] = {0};
    if (count > CHL_MODES) count = CHL_MODES;
    for (int m = 0; m < count; m++) {
        double w = TURN * fmin(modes[m].frequency / CHL_WORLD_RATE, 0.49);
        double radius = exp(-1 / (modes[m].decay * CHL_WORLD_RATE));
        a1[m] = 2 * radius * cos(w);
        a2[m] = -radius * radius;
        gain[m] = modes[m].gain * sin(w); /* an impulse of 1 rings with amplitude `gain` */
    }
    for (int64_t i = 0; i < s->samples; i++) {
        double x = s->layer[i], sum = dry * x;
        for (int m = 0; m < count; m++) {
            double y = gain[m] * x + a1[m] * y1[m] + a2[m] * y2[m];
            y2[m] = y1[m];
            y1[m] = y;
            sum += y;
        }
        s->layer[i] = (float)sum;
    }
}

void chl_layer_mix(chl_synth *s, double decibels) {
    double level = chl_level(s->layer, s->samples);
    float gain = level > 0 ? (float)(pow(10, decibels / 20) / level) : 0;
    for (int64_t i = 0; i < s->samples; i++) s->wave[i] += gain * s->layer[i];
    memset(s->layer, 0, (size_t)s->samples * sizeof *s->layer);
}

void chl_bed(chl_synth *s, chl_colour colour, double low, double high, double swing,
             double decibels) {
    chl_curve_wander(s, chl_between_log(s->dice, 0.4, 3));
    chl_curve_to_gain(s, swing);
    chl_layer_noise(s, colour, low, high);
    chl_layer_shape(s);
    chl_layer_mix(s, decibels);
}

/* --- the layer: events ------------------------------------------------------------------------ */
/* 60 dB in nepers: where a decay is left. */
#define INAUDIBLE 6.9

/* Without a sweep: a two-pole resonator left to itself, for bells ring long. */
static void steady_ping(float *wave, int64_t count, double turns, double fall, double gain,
                        double rise) {
    double w = TURN * fmin(turns, 0.49), a1 = 2 * fall * cos(w), a2 = -fall * fall;
    double y1 = 0, y2 = -gain * sin(w) / fall;
    for (int64_t i = 0; i < count; i++) {
        wave[i] += (float)(y1 * fmin((double)i * rise, 1));
        double y = a1 * y1 + a2 * y2;
        y2 = y1;
        y1 = y;
    }
}

void chl_layer_ping(chl_synth *s, const chl_ping *ping) {
    int64_t first = (int64_t)floor(ping->at * CHL_WORLD_RATE);
    int64_t count = (int64_t)((ping->attack + INAUDIBLE * ping->decay) * CHL_WORLD_RATE) + 1;
    if (first < 0 || first >= s->samples) return;
    if (count > s->samples - first) count = s->samples - first;
    double fall = exp(-1 / (ping->decay * CHL_WORLD_RATE)), envelope = ping->gain;
    double rise = 1 / (ping->attack * CHL_WORLD_RATE + 1);
    double step = ping->frequency / CHL_WORLD_RATE, turns = 0;
    float *wave = s->layer + first;
    if (ping->sweep == 0) {
        steady_ping(wave, count, step, fall, ping->gain, rise);
        return;
    }
    double sweep = ping->sweep / ((double)CHL_WORLD_RATE * CHL_WORLD_RATE);
    for (int64_t i = 0; i < count; i++) {
        wave[i] += (float)(envelope * fmin((double)i * rise, 1) * chl_sine(turns));
        envelope *= fall;
        turns += step;
        step = fmax(step + sweep, 0);
    }
}

void chl_layer_burst(chl_synth *s, const chl_burst *burst) {
    int64_t first = (int64_t)floor(burst->at * CHL_WORLD_RATE);
    int64_t count = (int64_t)((burst->attack + INAUDIBLE * burst->decay) * CHL_WORLD_RATE) + 1;
    if (first < 0 || first >= s->samples) return;
    if (count > s->samples - first) count = s->samples - first;
    chl_dice dice = *s->dice;
    chl_biquad bottom = chl_biquad_new(CHL_HIGHPASS, burst->low, 0.7071, 0);
    chl_biquad top = chl_biquad_new(CHL_LOWPASS, burst->high, 0.7071, 0);
    double fall = exp(-1 / (burst->decay * CHL_WORLD_RATE)), envelope = burst->gain;
    int64_t attack = (int64_t)(burst->attack * CHL_WORLD_RATE);
    float *wave = s->layer + first;
    for (int64_t i = 0; i < count; i++) {
        double x = chl_biquad_step(&top, chl_biquad_step(&bottom, chl_noise(&dice)));
        if (i < attack) {
            wave[i] += (float)(burst->gain * x * (double)i / (double)attack);
        } else {
            wave[i] += (float)(envelope * x);
            envelope *= fall;
        }
    }
    *s->dice = dice;
}

/* --- level ------------------------------------------------------------------------------------ */
static float bend(float x) {
    float size = fabsf(x), over = (size - 0.7f) / 0.28f;
    return size < 0.7f ? x : copysignf(0.7f + 0.28f * over / sqrtf(1 + over * over), x);
}

double chl_level(const float *wave, int64_t samples) {
    return sqrt(chl_loudest_power(wave, samples, 1, NULL));
}

void chl_set_level(float *wave, int64_t samples, double decibels) {
    double level = chl_level(wave, samples), goal = pow(10, decibels / 20);
    if (!(level > 0)) return;
    float gain = (float)(goal / level);
    /* bending peaks costs level: each round wins back what the one before lost */
    for (int round = 0; round < 3; round++) {
        level = sqrt(chl_loudest_power(wave, samples, gain, bend));
        if (level > 0.97 * goal) break;
        gain *= (float)(goal / level);
    }
    for (int64_t i = 0; i < samples; i++) wave[i] = bend(gain * wave[i]);
}
