#include "sound/augment.h"
#include "sound/augment_draws.h"
#include "sound/effects.h"
#include <stdlib.h>
#include <string.h>

chl_sound_augment chl_sound_augment_defaults(void) {
    return (chl_sound_augment){.loop = 0.5f,
                               .shorter = 0.5f,
                               .seconds = {0.4f, 10},
                               .speed = 0.5f,
                               .speed_by = {0.8f, 1.25f},
                               .event = 0.2f,
                               .event_db = {-12, 0},
                               .gap = 0.15f,
                               .gap_share = {0.05f, 0.4f},
                               .background = 0.3f,
                               .snr_db = {3, 30},
                               .equaliser = 0.6f,
                               .shelf_db = {-9, 9},
                               .peak_db = {-9, 9},
                               .reverb = 0.3f,
                               .rt60 = {0.15f, 2},
                               .direct_db = {-3, 15},
                               .band = 0.25f,
                               .low_hz = {40, 400},
                               .high_hz = {3400, 16000},
                               .codec = 0.15f,
                               .codec_rate = {8000, 32000},
                               .codec_bits = {6, 12},
                               .gain_db = {-30, 10},
                               .level_db = {-2, 2}};
}

/* --- the effects, in order -------------------------------------------------------------------- */
typedef struct work {
    const chl_sound_augment *settings;
    const chl_augment_sources *sources;
    draws d;
    float *wave, *other; /* [CHL_AUGMENT_SAMPLES] */
    int64_t count;       /* of the wave's samples */
} work;

/* `count` samples of a clip, cut from it or repeated, from anywhere. The part that is needed is
 * converted, not the hour around it. */
static chl_status take(chl_pcm clip, uint32_t word, int64_t count, float *out) {
    const int64_t spare = clip.samples - count;
    const int64_t used = spare >= 0 ? count : clip.samples;
    const int64_t first = spare > 0 ? chl_random_below(word, spare + 1) : 0;
    float *part = spare >= 0 ? out : malloc((size_t)used * sizeof *part);
    if (!part) return chl_fail(CHL_ERR_MEMORY, "out of memory for a sound");
    for (int64_t i = 0; i < used; i++) part[i] = (float)clip.data[first + i] / 32768;
    if (spare >= 0) return CHL_OK;
    const int64_t join = used / 4 < CHL_EFFECT_JOIN ? used / 4 : CHL_EFFECT_JOIN;
    chl_effect_loop(part, used, chl_random_below(word, used), join, count, out);
    free(part);
    return CHL_OK;
}

/* `count` samples of a clip that is played `speed` times as fast. */
static chl_status take_at_speed(chl_pcm clip, uint32_t word, float speed, int64_t count,
                                float *out) {
    if (speed == 1) return take(clip, word, count, out);
    const int64_t used = (int64_t)((float)count * speed) + 1;
    float *part = malloc((size_t)used * sizeof *part);
    if (!part) return chl_fail(CHL_ERR_MEMORY, "out of memory for a sound");
    const chl_status status = take(clip, word, used, part);
    if (status == CHL_OK) chl_effect_speed(part, used, speed, count, out);
    free(part);
    return status;
}

static chl_status cut(work *w) {
    const uint32_t *word = w->d.random[DRAW_LENGTH].word, *by = w->d.random[DRAW_SPEED].word;
    const float speed =
        happens(by[0], w->settings->speed) ? logarithmic(by[1], w->settings->speed_by) : 1;
    /* of the clip at this speed; rounded down so far that it has them all */
    const int64_t own = w->sources->own.samples,
                  samples = speed == 1 ? own : (int64_t)((float)(own - 1) / speed);
    const bool fills = samples >= CHL_AUGMENT_SAMPLES || happens(word[0], w->settings->loop);
    w->count = fills ? CHL_AUGMENT_SAMPLES : samples;
    if (happens(word[1], w->settings->shorter)) {
        const float seconds = logarithmic(word[2], w->settings->seconds);
        const int64_t piece = (int64_t)(seconds * CHL_EFFECT_RATE);
        if (piece > 0 && piece < w->count) w->count = piece;
    }
    if (w->count < 1) w->count = 1; /* a clip of one sample */
    return take_at_speed(w->sources->own, word[3], speed, w->count, w->wave);
}

static chl_status add_events(work *w) {
    const chl_sound_augment *s = w->settings;
    const uint32_t *word = w->d.random[DRAW_EVENT].word;
    const chl_pcm event = w->sources->event;
    if (event.samples > 0 && happens(word[0], s->event)) {
        const int64_t length = event.samples < w->count ? event.samples : w->count;
        CHL_TRY(take(event, word[1], length, w->other));
        const uint32_t place = w->d.random[DRAW_EVENT_PLACE].word[0];
        chl_effect_add(w->wave, w->count, w->other, length, chl_random_below(place, w->count),
                       uniform(word[2], s->event_db));
    }
    word = w->d.random[DRAW_GAP].word;
    if (happens(word[0], s->gap)) {
        const int64_t length = (int64_t)(uniform(word[1], s->gap_share) * (float)w->count);
        chl_effect_gap(w->wave, chl_random_below(word[2], w->count - length + 1), length);
    }
    return CHL_OK;
}

static chl_status add_background(work *w) {
    const uint32_t *word = w->d.random[DRAW_BACKGROUND].word;
    if (w->sources->background.samples == 0 || !happens(word[0], w->settings->background))
        return CHL_OK;
    CHL_TRY(take(w->sources->background, word[1], w->count, w->other));
    chl_effect_mix(w->wave, w->count, w->other, uniform(word[2], w->settings->snr_db));
    return CHL_OK;
}

static void equalise(work *w) {
    const chl_sound_augment *s = w->settings;
    const uint32_t *word = w->d.random[DRAW_SHELVES].word, *hz = w->d.random[DRAW_SHELVES_HZ].word,
                   *peak = w->d.random[DRAW_PEAK].word;
    if (!happens(word[0], s->equaliser)) return;
    const chl_biquad filter[3] = {
        chl_biquad_shelf((double)logarithmic(hz[0], (chl_range){80, 800}),
                         (double)uniform(word[1], s->shelf_db), false),
        chl_biquad_shelf((double)logarithmic(hz[1], (chl_range){1500, 10000}),
                         (double)uniform(word[2], s->shelf_db), true),
        chl_biquad_peak((double)logarithmic(peak[0], (chl_range){150, 8000}),
                        (double)logarithmic(peak[1], (chl_range){0.5f, 2}),
                        (double)uniform(peak[2], s->peak_db))};
    for (int i = 0; i < 3; i++) chl_effect_filter(w->wave, w->count, &filter[i]);
}

static chl_status reverberate(work *w) {
    const uint32_t *word = w->d.random[DRAW_REVERB].word, *of_room = w->d.random[DRAW_ROOM].word;
    if (!happens(word[0], w->settings->reverb)) return CHL_OK;
    const chl_room room = {.rt60 = logarithmic(word[1], w->settings->rt60),
                           .size = logarithmic(word[2], (chl_range){0.02f, 0.1f}),
                           .direct_db = uniform(word[3], w->settings->direct_db),
                           .seed = of_room[0]};
    if (chl_effect_reverb(w->wave, w->count, &room)) return CHL_OK;
    return chl_fail(CHL_ERR_MEMORY, "out of memory for a reverberation");
}

static void limit(work *w) {
    const chl_sound_augment *s = w->settings;
    const uint32_t *band = w->d.random[DRAW_BAND].word, *word = w->d.random[DRAW_CODEC].word;
    chl_effect_band(w->wave, w->count,
                    happens(band[0], s->band) ? logarithmic(band[1], s->low_hz) : 0,
                    happens(band[2], s->band) ? logarithmic(band[3], s->high_hz) : 0);
    if (!happens(word[0], s->codec)) return;
    const bool mu_law = happens(word[1], 0.5f);
    const chl_codec codec = {.rate = logarithmic(word[2], s->codec_rate),
                             .bits = mu_law ? 8 : (int)uniform(word[3], s->codec_bits),
                             .mu_law = mu_law};
    chl_effect_codec(w->wave, w->count, &codec);
}

void chl_sound_augment_uses(const chl_sound_augment *settings, uint64_t seed, int64_t step,
                            int64_t element, bool *event, bool *background) {
    const draws d = draw_all(seed, step, element);
    *event = happens(d.random[DRAW_EVENT].word[0], settings->event);
    *background = happens(d.random[DRAW_BACKGROUND].word[0], settings->background);
}

chl_status chl_sound_augment_wave(const chl_sound_augment *settings, uint64_t seed, int64_t step,
                                  int64_t element, const chl_augment_sources *sources, float *wave,
                                  int64_t *count) {
    *count = 0;
    if (sources->own.samples < 1) return chl_fail(CHL_ERR_ARGUMENT, "the sound has no samples");
    work w = {settings,
              sources,
              draw_all(seed, step, element),
              wave,
              malloc(CHL_AUGMENT_SAMPLES * sizeof(float)),
              0};
    chl_status status = CHL_OK;
    if (!w.other) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for a sound"));
    CHL_TRY_GOTO(cut(&w));
    CHL_TRY_GOTO(add_events(&w));
    CHL_TRY_GOTO(add_background(&w));
    equalise(&w);
    CHL_TRY_GOTO(reverberate(&w));
    limit(&w);
    chl_effect_gain(wave, w.count,
                    uniform(w.d.random[DRAW_GAIN].word[0],
                            sources->level_meant ? settings->level_db : settings->gain_db));
    *count = w.count;
done:
    free(w.other);
    return status;
}
