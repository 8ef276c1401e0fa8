#include "sound/mel_augment.h"
#include "sound/augment_draws.h"
#include <stdlib.h>
#include <string.h>

#define BANDS CHL_MEL_BANDS
#define FLOOR 1e-8f /* power of level 0, -80 dB */
#define FRAMES_A_SECOND (CHL_MEL_RATE / 512.0f)

typedef struct work {
    const chl_sound_augment *settings;
    const chl_mel_sources *sources;
    draws d;
    float *power, *other; /* [128][count] */
    int64_t count;
} work;

/* 0 is silence: what is amplified must not begin to hiss. */
static float power_of(float level) {
    return expf((level - 1) * 80 * 0.23025851f) - FLOOR;
}

static float ratio(float db) {
    return powf(10, db / 10);
}

/* --- which frames ----------------------------------------------------------------------------- */
/* Frames from ... of a clip that begins again at its end, `speed` times as fast and as high, as
 * powers [128][count]. */
static void take(chl_mel_clip clip, int64_t from, float speed, int64_t count, float *power) {
    for (int band = 0; band < BANDS; band++) {
        const float at = speed == 1 ? (float)band
                                    : (float)chl_mel_band_at(chl_mel_band_hz(band) / (double)speed);
        const int low = at < 0 ? 0 : (int)at >= BANDS - 1 ? BANDS - 2 : (int)at;
        const float share = at < 0 ? 0 : at - (float)low;
        const bool above = at > BANDS - 1; /* nothing was there */
        const float *row = clip.mel + low * clip.frames, *next = row + clip.frames;
        for (int64_t i = 0; i < count; i++) {
            const int64_t k = (from + (int64_t)((float)i * speed)) % clip.frames;
            const float level = share == 0 ? row[k] : row[k] * (1 - share) + next[k] * share;
            power[band * count + i] = above ? 0 : power_of(level);
        }
    }
}

static void cut(work *w, float speed) {
    const uint32_t *word = w->d.random[DRAW_LENGTH].word;
    const chl_mel_clip own = w->sources->own;
    const int64_t there = (int64_t)((float)own.frames / speed);
    const bool fills = there >= CHL_MEL_FRAMES || happens(word[0], w->settings->loop);
    w->count = fills ? CHL_MEL_FRAMES : there < 1 ? 1 : there;
    const int64_t whole = w->count;
    if (happens(word[1], w->settings->shorter)) {
        const float seconds = logarithmic(word[2], w->settings->seconds);
        const int64_t piece = (int64_t)(seconds * FRAMES_A_SECOND);
        if (piece > 0 && piece < w->count) w->count = piece;
    }
    const int64_t spare = fills && there < CHL_MEL_FRAMES ? own.frames - 1
                          : whole > w->count || there > w->count
                              ? own.frames - (int64_t)((float)w->count * speed)
                              : 0;
    take(own, spare > 0 ? chl_random_below(word[3], spare + 1) : 0, speed, w->count, w->power);
}

/* Another clip's frames from anywhere, as many as the sound has */
static void take_other(work *w, chl_mel_clip clip, uint32_t word) {
    take(clip, chl_random_below(word, clip.frames), 1, w->count, w->other);
}

/* --- what else is heard ----------------------------------------------------------------------- */
static void add_event(work *w) {
    const uint32_t *word = w->d.random[DRAW_EVENT].word;
    const chl_mel_clip event = w->sources->event;
    if (event.frames == 0 || !happens(word[0], w->settings->event)) return;
    take_other(w, event, word[1]);
    const float gain = ratio(uniform(word[2], w->settings->event_db));
    const int64_t at = chl_random_below(w->d.random[DRAW_EVENT_PLACE].word[0], w->count);
    const int64_t length = event.frames < w->count - at ? event.frames : w->count - at;
    for (int band = 0; band < BANDS; band++)
        for (int64_t i = 0; i < length; i++)
            w->power[band * w->count + at + i] += gain * w->other[band * w->count + i];
}

static void add_gap(work *w) {
    const uint32_t *word = w->d.random[DRAW_GAP].word;
    if (!happens(word[0], w->settings->gap)) return;
    const int64_t length = (int64_t)(uniform(word[1], w->settings->gap_share) * (float)w->count);
    const int64_t from = chl_random_below(word[2], w->count - length + 1);
    for (int band = 0; band < BANDS; band++)
        memset(w->power + band * w->count + from, 0, sizeof(float) * (size_t)length);
}

static float total(const work *w, const float *power) {
    double sum = 0;
    for (int64_t i = 0; i < BANDS * w->count; i++) sum += (double)power[i];
    return (float)sum;
}

static void add_scaled(work *w, float db) {
    const float own = total(w, w->power), other = total(w, w->other);
    if (own <= 0 || other <= 0) return;
    const float gain = ratio(-db) * own / other;
    for (int64_t i = 0; i < BANDS * w->count; i++) w->power[i] += gain * w->other[i];
}

static void add_background(work *w) {
    const uint32_t *word = w->d.random[DRAW_BACKGROUND].word;
    const chl_mel_clip background = w->sources->background;
    if (background.frames == 0 || !happens(word[0], w->settings->background)) return;
    take_other(w, background, word[1]);
    add_scaled(w, uniform(word[2], w->settings->snr_db));
}

/* --- rooms, filters, noise -------------------------------------------------------------------- */
/* Each band's power decays by 60 dB in rt60. */
static void add_room(work *w) {
    const uint32_t *word = w->d.random[DRAW_REVERB].word;
    if (!happens(word[0], w->settings->reverb)) return;
    const float rt60 = logarithmic(word[1], w->settings->rt60);
    const float decay = powf(10, -6 / (rt60 * FRAMES_A_SECOND));
    for (int band = 0; band < BANDS; band++) {
        const float *row = w->power + band * w->count;
        float *tail = w->other + band * w->count;
        float now = 0;
        for (int64_t i = 0; i < w->count; i++) tail[i] = now = now * decay + row[i];
    }
    add_scaled(w, uniform(word[3], w->settings->direct_db));
}

typedef struct filters {
    float low_hz, low_db, high_hz, high_db, peak_hz, peak_q, peak_db; /* 0 dB: none */
    float from_hz, to_hz;                                             /* 0: no limit */
} filters;

static filters draw_filters(const work *w) {
    const chl_sound_augment *s = w->settings;
    const uint32_t *word = w->d.random[DRAW_SHELVES].word, *hz = w->d.random[DRAW_SHELVES_HZ].word,
                   *peak = w->d.random[DRAW_PEAK].word, *band = w->d.random[DRAW_BAND].word;
    filters f = {0};
    if (happens(word[0], s->equaliser))
        f = (filters){.low_hz = logarithmic(hz[0], (chl_range){80, 800}),
                      .low_db = uniform(word[1], s->shelf_db),
                      .high_hz = logarithmic(hz[1], (chl_range){1500, 10000}),
                      .high_db = uniform(word[2], s->shelf_db),
                      .peak_hz = logarithmic(peak[0], (chl_range){150, 8000}),
                      .peak_q = logarithmic(peak[1], (chl_range){0.5f, 2}),
                      .peak_db = uniform(peak[2], s->peak_db)};
    if (happens(band[0], s->band)) f.from_hz = logarithmic(band[1], s->low_hz);
    if (happens(band[2], s->band)) f.to_hz = logarithmic(band[3], s->high_hz);
    return f;
}

/* Butterworth's fourth order at the limits; shelves and peak have the width of the second order's. */
static float gain_at(const filters *f, float hz) {
    float db = 0;
    if (f->low_db != 0) db += f->low_db / (1 + powf(hz / f->low_hz, 2));
    if (f->high_db != 0) db += f->high_db / (1 + powf(f->high_hz / hz, 2));
    if (f->peak_db != 0) {
        const float off = f->peak_q * (hz / f->peak_hz - f->peak_hz / hz);
        db += f->peak_db / (1 + off * off);
    }
    float gain = ratio(db);
    if (f->from_hz > 0) gain /= 1 + powf(f->from_hz / hz, 8);
    if (f->to_hz > 0) gain /= 1 + powf(hz / f->to_hz, 8);
    return gain;
}

static void filter(work *w) {
    const filters f = draw_filters(w);
    for (int band = 0; band < BANDS; band++) {
        const float gain = gain_at(&f, (float)chl_mel_band_hz(band));
        for (int64_t i = 0; i < w->count; i++) w->power[band * w->count + i] *= gain;
    }
}

/* Nothing above half the rate; steps of 2^(1 - bits) of the peak are a noise 6 dB a bit below it,
 * as loud in every frame and everywhere in the spectrum (a mel band of Slaney's has the mean power
 * of its bins). */
static void add_codec(work *w) {
    const uint32_t *word = w->d.random[DRAW_CODEC].word;
    if (!happens(word[0], w->settings->codec)) return;
    const float rate = logarithmic(word[2], w->settings->codec_rate);
    const float bits = uniform(word[3], w->settings->codec_bits);
    float peak = 0;
    for (int64_t i = 0; i < BANDS * w->count; i++)
        if (w->power[i] > peak) peak = w->power[i];
    const float noise = peak * ratio(-6.02f * bits);
    for (int band = 0; band < BANDS; band++) {
        const bool kept = (float)chl_mel_band_hz(band) < rate / 2;
        for (int64_t i = 0; i < w->count; i++) {
            float *at = &w->power[band * w->count + i];
            *at = kept ? *at + noise : 0;
        }
    }
}

/* --- all of it -------------------------------------------------------------------------------- */
static void shade(const work *w, float gain) {
    for (int64_t i = 0; i < BANDS * w->count; i++) {
        const float level = 1 + 4.3429448f / 80 * logf(w->power[i] * gain + FLOOR);
        w->power[i] = fminf(fmaxf(level, 0), 1);
    }
}

chl_status chl_mel_augment(const chl_sound_augment *settings, uint64_t seed, int64_t step,
                           int64_t element, const chl_mel_sources *sources, float *mel,
                           int64_t *frames) {
    *frames = 0;
    if (sources->own.frames < 1) return chl_fail(CHL_ERR_ARGUMENT, "the sound has no frames");
    work w = {.settings = settings,
              .sources = sources,
              .d = draw_all(seed, step, element),
              .power = mel,
              .other = malloc(sizeof(float) * BANDS * CHL_MEL_FRAMES)};
    if (!w.other) return chl_fail(CHL_ERR_MEMORY, "out of memory for a mel picture");
    const uint32_t *by = w.d.random[DRAW_SPEED].word;
    cut(&w, happens(by[0], settings->speed) ? logarithmic(by[1], settings->speed_by) : 1);
    add_event(&w);
    add_gap(&w);
    add_background(&w);
    filter(&w);
    add_room(&w);
    add_codec(&w);
    shade(&w, ratio(uniform(w.d.random[DRAW_GAIN].word[0],
                            sources->level_meant ? settings->level_db : settings->gain_db)));
    free(w.other);
    *frames = w.count;
    return CHL_OK;
}
