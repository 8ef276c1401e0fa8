/* A training's view of a sound, as another recorder in another place might have it: what recordings
 * do to sounds, drawn at random (docs/training.md has the list).
 *
 *     chl_sound_augment settings = chl_sound_augment_defaults();
 *     chl_augment_sources sources = {.own = {pcm, samples}, .background = {other, other_samples}};
 *     chl_sound_augment_wave(&settings, seed, step, element, &sources, wave, &count);
 *
 * In this order: a cut or a loop to ten seconds, or a shorter piece, at another speed; a further event of the same
 * label, a gap; a background of another label; equaliser; reverberation; band limits; codec; gain.
 * Nothing is kept between calls. */
#ifndef CHL_SOUND_AUGMENT_H
#define CHL_SOUND_AUGMENT_H
#include "base/status.h"
#include "sound/range.h"
#include <stdbool.h>
#include <stdint.h>

/* As long as the sound encoder's picture: 864 frames, 10.02 s */
#define CHL_AUGMENT_SAMPLES (863 * 512)

/* A chance is a probability, in [0, 1]. Values are uniform in their range; frequencies, times and
 * rates uniform on a scale of logarithms. */
typedef struct chl_sound_augment {
    float loop;        /* chance that a clip shorter than ten seconds is repeated: 0.5 */
    float shorter;     /* chance that a piece is cut from the result: 0.5 */
    chl_range seconds; /* of that piece, at most as long as what there is: 0.4 ... 10 */
    float speed; /* chance that it is played slower or faster, and with that lower or higher: 0.5 */
    chl_range speed_by;  /* 0.8 ... 1.25 */
    float event;         /* chance of a further event: 0.2 */
    chl_range event_db;  /* its gain: -12 ... 0 */
    float gap;           /* chance of a gap: 0.15 */
    chl_range gap_share; /* its length, of the whole: 0.05 ... 0.4 */
    float background;    /* chance of a background: 0.3 */
    chl_range snr_db;    /* power of the sound above it: 3 ... 30 */
    float equaliser;     /* chance: 0.6 */
    chl_range
        shelf_db; /* of a low (80 ... 800 Hz) and a high shelf (1500 ... 10 000 Hz): -9 ... 9 */
    chl_range peak_db;    /* of a peak (150 ... 8000 Hz, Q 0.5 ... 2): -9 ... 9 */
    float reverb;         /* chance: 0.3 */
    chl_range rt60;       /* seconds: 0.15 ... 2 */
    chl_range direct_db;  /* power of the sound above the reverberation: -3 ... 15 */
    float band;           /* chance of each limit, the low and the high one: 0.25 */
    chl_range low_hz;     /* 40 ... 400 */
    chl_range high_hz;    /* 3400 ... 16 000 */
    float codec;          /* chance: 0.15 */
    chl_range codec_rate; /* 8000 ... 32 000 samples a second */
    chl_range codec_bits; /* 6 ... 12; half of the codecs are mu-law's, of 8 */
    chl_range gain_db;    /* -30 ... 10 */
    chl_range level_db;   /* the gain where the level is meant (below): -2 ... 2 */
} chl_sound_augment;
/* The values above. */
chl_sound_augment chl_sound_augment_defaults(void);

/* 16-bit samples at 44 100 Hz, 32768 is full scale. No samples (NULL, 0): there is none. */
typedef struct chl_pcm {
    const int16_t *data;
    int64_t samples;
} chl_pcm;
typedef struct chl_augment_sources {
    chl_pcm own;        /* the sound, with samples */
    chl_pcm event;      /* another of the same label */
    chl_pcm background; /* one of another label */
    bool level_meant;   /* the label tells the level ("heavy rain"): it stays nearly the same */
} chl_augment_sources;
/* Whether the draw of this element uses an event, a background: sources that it does not use need
 * not be there. */
void chl_sound_augment_uses(const chl_sound_augment *settings, uint64_t seed, int64_t step,
                            int64_t element, bool *event, bool *background);
/* wave [CHL_AUGMENT_SAMPLES], of which the first *count are the sound. CHL_ERR_MEMORY. A pure
 * function of (seed, step, element) and the sources. */
chl_status chl_sound_augment_wave(const chl_sound_augment *settings, uint64_t seed, int64_t step,
                                  int64_t element, const chl_augment_sources *sources, float *wave,
                                  int64_t *count);
#endif
