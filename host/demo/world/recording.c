/* What a recording adds to a sound: a room, equalisation, a microphone, noise, other sources. */
#include "demo/world/synth.h"
#include <stdlib.h>
#include <string.h>

#define RECORDING_PURPOSE 0x7265636Fu
#define COMBS 4
#define ALLPASSES 2
#define LINE 4096

/* A small room [Schroeder, "Natural sounding artificial reverberation", 1962]: combs side by side,
 * then all-passes. */
typedef struct room {
    float line[COMBS + ALLPASSES][LINE];
    int length[COMBS + ALLPASSES], place[COMBS + ALLPASSES];
    float feedback[COMBS + ALLPASSES], damped[COMBS], damping;
} room;

static void room_build(room *r, chl_dice *d) {
    memset(r, 0, sizeof *r);
    double ring = chl_between_log(d, 0.15, 1.2);   /* seconds to -60 dB */
    double size = chl_between_log(d, 0.012, 0.05); /* seconds */
    r->damping = (float)chl_between(d, 0.1, 0.6);
    for (int i = 0; i < COMBS; i++) {
        double delay = size * (1 + 0.22 * i) * chl_between(d, 0.96, 1.04);
        r->length[i] = (int)(delay * CHL_WORLD_RATE);
        r->feedback[i] = (float)pow(0.001, delay / ring);
    }
    for (int i = COMBS; i < COMBS + ALLPASSES; i++) {
        r->length[i] = (int)(chl_between(d, 0.0015, 0.006) * CHL_WORLD_RATE);
        r->feedback[i] = 0.6f;
    }
}

static float room_step(room *r, float x) {
    float sum = 0;
    for (int i = 0; i < COMBS; i++) {
        float *cell = &r->line[i][r->place[i]], y = *cell;
        r->damped[i] = y + r->damping * (r->damped[i] - y);
        *cell = x + r->feedback[i] * r->damped[i];
        sum += y;
        if (++r->place[i] == r->length[i]) r->place[i] = 0;
    }
    for (int i = COMBS; i < COMBS + ALLPASSES; i++) {
        float *cell = &r->line[i][r->place[i]], late = *cell;
        *cell = sum + r->feedback[i] * late;
        sum = late - r->feedback[i] * *cell;
        if (++r->place[i] == r->length[i]) r->place[i] = 0;
    }
    return sum;
}

static chl_status reverberate(chl_dice *d, float *wave, int64_t samples) {
    float wet = (float)chl_between_log(d, 0.02, 0.2);
    room *r = malloc(sizeof *r);
    if (!r) return chl_fail(CHL_ERR_MEMORY, "out of memory for the room of a recording");
    room_build(r, d);
    for (int64_t i = 0; i < samples; i++) wave[i] += wet * room_step(r, wave[i]);
    free(r);
    return CHL_OK;
}

static void filter(float *wave, int64_t samples, chl_shape shape, double frequency, double q,
                   double gain_db) {
    chl_biquad f = chl_biquad_new(shape, frequency, q, gain_db);
    chl_biquad_run(&f, wave, samples);
}

static void equalise(chl_dice *d, float *wave, int64_t samples) {
    filter(wave, samples, CHL_LOW_SHELF, chl_between_log(d, 100, 400), 0.7, chl_between(d, -6, 6));
    filter(wave, samples, CHL_HIGH_SHELF, chl_between_log(d, 2500, 8000), 0.7,
           chl_between(d, -6, 6));
    int peaks = chl_between_int(d, 0, 2);
    for (int i = 0; i < peaks; i++)
        filter(wave, samples, CHL_PEAK, chl_between_log(d, 250, 7000), chl_between_log(d, 0.5, 2),
               chl_between(d, -6, 6));
}

/* The microphone's band; half of them are phones. */
static void limit_band(chl_dice *d, float *wave, int64_t samples) {
    bool phone = chl_chance(d, 0.5);
    double low = phone ? chl_between_log(d, 60, 160) : chl_between_log(d, 15, 50);
    double high = phone ? chl_between_log(d, 7000, 14000) : chl_between_log(d, 14000, 20000);
    filter(wave, samples, CHL_HIGHPASS, low, 0.7071, 0);
    filter(wave, samples, CHL_LOWPASS, high, 0.7071, 0);
}

/* Adds `other` at `decibels`. */
static void add(float *wave, const float *other, int64_t samples, double decibels) {
    double level = chl_level(other, samples);
    if (!(level > 0)) return;
    float gain = (float)(pow(10, decibels / 20) / level);
    for (int64_t i = 0; i < samples; i++) wave[i] += gain * other[i];
}

/* Noise of the room and of the electronics, half of the time with mains hum. */
static void background(chl_dice *d, float *noise, int64_t samples) {
    chl_biquad dull = chl_biquad_new(CHL_LOWPASS, chl_between_log(d, 150, 800), 0.5, 0);
    double hiss = chl_between_log(d, 0.02, 0.5), hum = 0;
    if (chl_chance(d, 0.5)) hum = chl_between_log(d, 0.005, 0.1);
    double mains = (chl_chance(d, 0.5) ? 50.0 : 60.0) / CHL_WORLD_RATE;
    for (int64_t i = 0; i < samples; i++) {
        double white = chl_noise(d), turns = mains * (double)i;
        noise[i] = (float)(2 * chl_biquad_step(&dull, white) + hiss * white +
                           hum * (chl_sine(turns) + 0.5 * chl_sine(2 * turns)));
    }
}

/* A quiet sound of another kind, by an algorithm that is trained on. */
static chl_status second_source(chl_dice *d, chl_kind kind, float *other, int64_t samples) {
    int offset = chl_between_int(d, 1, CHL_KINDS - 1);
    chl_sound_recipe recipe = {.kind = (chl_kind)(((int)kind + offset) % CHL_KINDS),
                               .algorithm = chl_between_int(d, 0, CHL_SOUND_HELD_OUT - 1),
                               .strength = (float)chl_between(d, 0, 1)};
    recipe.seed = (uint64_t)chl_dice_word(d) << 32;
    recipe.seed |= chl_dice_word(d);
    return chl_sound_dry(&recipe, other, samples);
}

/* Mixes in the same event by a second algorithm, so that a network cannot tell a kind by traits of
 * one algorithm. Training algorithms only: a held-out sound is by the held-out algorithm alone. */
static chl_status layer(chl_dice *d, const chl_sound_recipe *first, float *wave, float *other,
                        int64_t samples) {
    chl_sound_recipe second = *first;
    second.algorithm += chl_between_int(d, 1, CHL_SOUND_HELD_OUT - 1);
    second.algorithm %= CHL_SOUND_HELD_OUT;
    CHL_TRY(chl_sound_dry(&second, other, samples));
    add(wave, other, samples, chl_sound_decibels(first->strength) - chl_between(d, 0, 12));
    return CHL_OK;
}

chl_status chl_recording_make(const chl_sound_recipe *recipe, float *wave, int64_t samples) {
    chl_dice dice = chl_dice_new(recipe->seed, RECORDING_PURPOSE), *d = &dice;
    float *other = malloc((size_t)samples * sizeof *other);
    if (!other)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a sound of %lld samples",
                        (long long)samples);
    chl_status status = CHL_OK;
    double decibels = chl_sound_decibels(recipe->strength) + chl_between(d, -3, 3);

    if (recipe->algorithm != CHL_SOUND_HELD_OUT && chl_chance(d, 0.4))
        CHL_TRY_GOTO(layer(d, recipe, wave, other, samples));
    equalise(d, wave, samples);
    if (chl_chance(d, 0.7)) CHL_TRY_GOTO(reverberate(d, wave, samples));
    chl_set_level(wave, samples, decibels);
    if (chl_chance(d, 0.3)) {
        CHL_TRY_GOTO(second_source(d, recipe->kind, other, samples));
        add(wave, other, samples, decibels - chl_between(d, 15, 30));
    }
    background(d, other, samples);
    add(wave, other, samples, decibels - chl_between(d, 25, 45));
    limit_band(d, wave, samples);
    chl_set_level(wave, samples, decibels);
done:
    free(other);
    return status;
}
