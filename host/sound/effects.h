/* What recording does to a sound: effects on a mono wave at 44 100 Hz, each a pure function of its
 * arguments. Levels are in dB, frequencies in Hz, places and lengths in samples. All but
 * chl_effect_loop and chl_effect_speed work in place. sound/augment.h draws their parameters.
 *
 *     chl_effect_loop(clip, samples, from, CHL_EFFECT_JOIN, count, wave);
 *     chl_effect_mix(wave, count, rain, 12);                 rain 12 dB below
 *     const chl_biquad shelf = chl_biquad_shelf(200, -6, false);
 *     chl_effect_filter(wave, count, &shelf);                200 Hz and below by 6 dB lower
 *     chl_effect_gain(wave, count, -20); */
#ifndef CHL_SOUND_EFFECTS_H
#define CHL_SOUND_EFFECTS_H
#include <stdbool.h>
#include <stdint.h>

#define CHL_EFFECT_RATE 44100
#define CHL_EFFECT_JOIN 2205 /* 50 ms: no click, and shorter than most events */

/* Mean square, 0 without samples. */
double chl_effect_power(const float *wave, int64_t samples);

/* --- effect_events.c: what is heard, and when -------------------------------------------------- */
/* out [count] = clip [samples] played `speed` times as fast, speed > 0, between samples on the line
 * from one to the next; behind the clip's end its last sample. */
void chl_effect_speed(const float *clip, int64_t samples, float speed, int64_t count, float *out);
/* out [count] = clip [samples] from sample `from` on, begun again where it ends: there its last
 * `join` samples fade into its first. 0 <= from < samples, 0 <= join <= samples / 2, samples >= 1.
 * With count <= samples - join - from it is a plain cut. */
void chl_effect_loop(const float *clip, int64_t samples, int64_t from, int64_t join, int64_t count,
                     float *out);
/* wave [samples] += gain_db * event [length] from sample `at` on, 0 <= at, as far as the wave
 * reaches. The event's first and last 10 ms fade. */
void chl_effect_add(float *wave, int64_t samples, const float *event, int64_t length, int64_t at,
                    float gain_db);
/* Silence in samples from ... from + count - 1, which lie inside the wave; the first and the last
 * 10 ms of it fade. */
void chl_effect_gap(float *wave, int64_t from, int64_t count);
/* wave += other, scaled so that the wave's power is snr_db above the other's. Where one of the two
 * is silent nothing changes. */
void chl_effect_mix(float *wave, int64_t samples, const float *other, float snr_db);

/* --- effect_filter.c: microphones, loudspeakers, telephones ------------------------------------ */
/* y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2] */
typedef struct chl_biquad {
    double b0, b1, b2, a1, a2;
} chl_biquad;
/* From R. Bristow-Johnson's "Audio EQ Cookbook"; 0 < hz < 22 050. A shelf: gain_db below (`high`:
 * above) hz, half of it at hz, slope 1. */
chl_biquad chl_biquad_shelf(double hz, double gain_db, bool high);
/* gain_db at hz, half of it at the edges of a band hz / q wide; q > 0. */
chl_biquad chl_biquad_peak(double hz, double q, double gain_db);
/* A low pass (`high`: a high pass) of second order; q 0.7071 is Butterworth's, -3 dB at hz. */
chl_biquad chl_biquad_pass(double hz, double q, bool high);
/* Starts from silence. */
void chl_effect_filter(float *wave, int64_t samples, const chl_biquad *filter);
/* Butterworth filters of fourth order: -3 dB at low_hz and at high_hz, 24 dB an octave outside.
 * low_hz 0, or high_hz 0 or 20 000 and more: no limit on that side. */
void chl_effect_band(float *wave, int64_t samples, float low_hz, float high_hz);

/* --- effect_reverb.c: rooms -------------------------------------------------------------------- */
typedef struct chl_room {
    float rt60;      /* seconds until the reverberation has fallen by 60 dB, (0, 10] */
    float size;      /* longest of the delays between echoes, seconds, [0.01, 0.1] */
    float direct_db; /* power of the sound above that of its reverberation */
    uint64_t seed;   /* of the delays: equal seeds are equal rooms */
} chl_room;
/* Adds the reverberation, of which what falls behind the wave's end is lost. Returns false, and
 * changes nothing, where memory is out. */
bool chl_effect_reverb(float *wave, int64_t samples, const chl_room *room);

/* --- effect_codec.c: converters and codecs ----------------------------------------------------- */
typedef struct chl_codec {
    float rate; /* samples a second that are kept, [4000, 44100]; below 44100: -6 dB at 0.45 rate */
    int bits;   /* of a sample, [2, 16], of the wave's peak */
    bool mu_law; /* steps that grow with the level (ITU-T G.711's curve), else equal ones */
} chl_codec;
void chl_effect_codec(float *wave, int64_t samples, const chl_codec *codec);

/* --- effect_gain.c ----------------------------------------------------------------------------- */
/* Scales by gain_db, then cuts at full scale, -1 and 1, as a recorder does. */
void chl_effect_gain(float *wave, int64_t samples, float gain_db);
#endif
