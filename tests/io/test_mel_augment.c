/* What a training draws of a sound's mel picture (sound/mel_augment.h). The waveforms' effects are
 * the reference: what is done in the picture is what they do, as far as bands can tell. */
#include "harness/parity.h"
#include "sound/effects.h"
#include "sound/mel_augment.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 44100
enum { SAMPLES = 3 * SECOND };
static float *noise, *mel;
static int64_t frames;
static float got[CHL_MEL_BANDS * CHL_MEL_FRAMES], again[CHL_MEL_BANDS * CHL_MEL_FRAMES];

static void picture_of(const float *wave, int64_t samples, float **out, int64_t *count) {
    MUST(chl_mel_whole(chl_device_cpu(), wave, samples, CHL_MEL_ABSOLUTE, out, count));
}

static int prepare(void **state) {
    (void)state;
    noise = parity_formula("noise", 0, 0.1, SAMPLES);
    picture_of(noise, SAMPLES, &mel, &frames);
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    free(noise);
    free(mel);
    return 0;
}

/* All chances 0, gain 0 dB */
static chl_sound_augment nothing(void) {
    return (chl_sound_augment){.gain_db = {0, 0}, .level_db = {0, 0}};
}

static void draw(const chl_sound_augment *s, int64_t step, const chl_mel_sources *sources,
                 float *out, int64_t *count) {
    MUST(chl_mel_augment(s, 7, step, 0, sources, out, count));
}

/* Mean level of a band in dB, of the frames that see no end of the sound */
static double band_db(const float *picture, int64_t count, int band) {
    double power = 0;
    for (int64_t i = 2; i < count - 2; i++)
        power += pow(10, 8 * ((double)picture[band * count + i] - 1));
    return 10 * log10(power / (double)(count - 4));
}

static void a_gain_moves_all_levels_and_silence_stays(void **state) {
    (void)state;
    chl_sound_augment s = nothing();
    s.gain_db = (chl_range){10, 10};
    int64_t count;
    draw(&s, 0, &(chl_mel_sources){.own = {mel, frames}}, got, &count);
    assert_int_equal(count, frames);
    for (int64_t i = 0; i < CHL_MEL_BANDS * frames; i++) /* -80 dB is silence, not noise */
        assert_true(mel[i] < 0.3f || fabsf(got[i] - fminf(1, mel[i] + 10 / 80.f)) < 1e-3f);
    static const float silent[CHL_MEL_BANDS * 50];
    draw(&s, 0, &(chl_mel_sources){.own = {silent, 50}}, got, &count);
    for (int i = 0; i < CHL_MEL_BANDS * 50; i++) assert_true(got[i] == 0);
}

/* Band limits, each band against the same limits of the waveform */
static void filters_are_those_of_waveforms(void **state) {
    (void)state;
    chl_sound_augment s = nothing();
    s.band = 1;
    s.low_hz = (chl_range){300, 300};
    s.high_hz = (chl_range){5000, 5000};
    int64_t count, want_count;
    draw(&s, 0, &(chl_mel_sources){.own = {mel, frames}}, got, &count);
    float *wave = malloc(SAMPLES * sizeof *wave), *want;
    memcpy(wave, noise, SAMPLES * sizeof *wave);
    chl_effect_band(wave, SAMPLES, 300, 5000);
    picture_of(wave, SAMPLES, &want, &want_count);
    double most = 0;
    for (int band = 8; band < 110; band++) { /* of what is left of the noise, at -49 dB */
        const double level = band_db(want, want_count, band);
        if (level > -58) most = fmax(most, fabs(band_db(got, count, band) - level));
    }
    print_message("band limits: within %.2f dB\n", most);
    assert_true(most < 1);
    free(wave);
    free(want);
}

/* A background 6 dB below adds 1 dB to a noise; an event of the same level 3 dB where it is. */
static void sounds_add_as_powers(void **state) {
    (void)state;
    float *other = parity_formula("another noise", 0, 0.02, SAMPLES), *other_mel;
    int64_t other_frames, count;
    picture_of(other, SAMPLES, &other_mel, &other_frames);
    chl_sound_augment s = nothing();
    s.background = 1;
    s.snr_db = (chl_range){6, 6};
    draw(&s, 0, &(chl_mel_sources){.own = {mel, frames}, .background = {other_mel, other_frames}},
         got, &count);
    assert_true(fabs(band_db(got, count, 100) - band_db(mel, frames, 100) - 0.97) < 0.2);
    s = nothing();
    s.event = 1;
    draw(&s, 0, &(chl_mel_sources){.own = {mel, frames}, .event = {mel, frames}}, got, &count);
    const double more = band_db(got, count, 100) - band_db(mel, frames, 100);
    assert_true(more > 0.1 && more < 3.5);
    free(other);
    free(other_mel);
}

/* A click of one frame falls by 60 dB in rt60. */
static void a_room_decays(void **state) {
    (void)state;
    enum { FRAMES = 200 };
    static float click[CHL_MEL_BANDS * FRAMES];
    for (int band = 0; band < CHL_MEL_BANDS; band++) click[band * FRAMES + 10] = 1;
    chl_sound_augment s = nothing();
    s.reverb = 1;
    s.rt60 = (chl_range){1, 1};
    s.direct_db = (chl_range){0, 0};
    int64_t count;
    draw(&s, 0, &(chl_mel_sources){.own = {click, FRAMES}}, got, &count);
    const float *row = got + 50 * FRAMES; /* 43 frames are half a second: 30 dB */
    assert_true(row[9] < 1e-6f);
    assert_true(fabsf((row[20] - row[63]) * 80 - 30) < 0.5f);
}

/* A tone's band moves by the speed, and the clip becomes longer or shorter. */
static void another_speed_moves_bands_and_frames(void **state) {
    (void)state;
    float *tone = malloc(SAMPLES * sizeof *tone), *tone_mel;
    for (int i = 0; i < SAMPLES; i++) tone[i] = 0.5f * sinf(2 * (float)M_PI * 3000 * i / SECOND);
    int64_t tone_frames, count;
    picture_of(tone, SAMPLES, &tone_mel, &tone_frames);
    chl_sound_augment s = nothing();
    s.speed = 1;
    s.speed_by = (chl_range){1.25f, 1.25f};
    draw(&s, 0, &(chl_mel_sources){.own = {tone_mel, tone_frames}}, got, &count);
    assert_in_range(count, tone_frames * 4 / 5 - 1, tone_frames * 4 / 5 + 1);
    int loudest = 0, was = 0;
    for (int band = 0; band < CHL_MEL_BANDS; band++) {
        if (got[band * count + 50] > got[loudest * count + 50]) loudest = band;
        if (tone_mel[band * tone_frames + 50] > tone_mel[was * tone_frames + 50]) was = band;
    }
    /* 27 ln 1.25 / ln 6.4 = 3.2 mel of 60.2 in 129 steps: 7 bands */
    assert_in_range(loudest - was, 6, 8);
    free(tone);
    free(tone_mel);
}

/* Each effect alone changes the picture, which stays in [0, 1]; a draw is a function of seed, step
 * and element. */
static void every_effect_is_drawn_and_repeats(void **state) {
    (void)state;
    for (int effect = 0; effect < 10; effect++) {
        chl_sound_augment s = chl_sound_augment_defaults();
        s.gain_db = (chl_range){0, 0};
        s.seconds = (chl_range){0.4f, 2};
        float *const chance[10] = {&s.loop,       &s.shorter,   &s.speed,  &s.event, &s.gap,
                                   &s.background, &s.equaliser, &s.reverb, &s.band,  &s.codec};
        for (int i = 0; i < 10; i++) *chance[i] = i == effect;
        const chl_mel_sources sources = {{mel, frames}, {mel, 100}, {mel, frames}, false};
        int64_t count, count_again;
        draw(&s, 3, &sources, got, &count);
        draw(&s, 3, &sources, again, &count_again);
        assert_int_equal(count, count_again);
        assert_memory_equal(got, again, (size_t)(CHL_MEL_BANDS * count) * sizeof *got);
        bool same = count == frames;
        for (int64_t i = 0; i < CHL_MEL_BANDS * count; i++) {
            assert_true(got[i] >= 0 && got[i] <= 1);
            same = same && fabsf(got[i] - mel[i]) < 1e-3f;
        }
        assert_false(same);
        draw(&s, 4, &sources, again, &count_again);
        assert_true(count != count_again ||
                    memcmp(got, again, (size_t)(CHL_MEL_BANDS * count) * sizeof *got) != 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gain_moves_all_levels_and_silence_stays),
        cmocka_unit_test(filters_are_those_of_waveforms),
        cmocka_unit_test(sounds_add_as_powers),
        cmocka_unit_test(a_room_decays),
        cmocka_unit_test(another_speed_moves_bands_and_frames),
        cmocka_unit_test(every_effect_is_drawn_and_repeats),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
