/* What a training draws of a sound (sound/augment.h). */
#include "harness/parity.h"
#include "sound/augment.h"
#include "sound/effects.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 44100
#define LONG (12 * SECOND)

static float wave[CHL_AUGMENT_SAMPLES], again[CHL_AUGMENT_SAMPLES];
static int16_t *own, *event, *background;

static int16_t *pcm(const char *name, double scale) {
    float *made = parity_formula(name, 0, scale, LONG);
    int16_t *out = malloc(LONG * sizeof *out);
    for (int i = 0; out && i < LONG; i++) out[i] = (int16_t)(made[i] * 32767);
    free(made);
    return out;
}

static int prepare(void **state) {
    (void)state;
    own = pcm("own", 0.1);
    event = pcm("event", 0.1);
    background = pcm("background", 0.1);
    return own && event && background ? 0 : -1;
}

static int clean_up(void **state) {
    (void)state;
    free(own);
    free(event);
    free(background);
    return 0;
}

/* All chances 0, gain 0 dB */
static chl_sound_augment nothing(void) {
    chl_sound_augment s = chl_sound_augment_defaults();
    s.loop = s.shorter = s.speed = s.event = s.gap = s.background = s.equaliser = s.reverb =
        s.band = s.codec = 0;
    s.gain_db = s.level_db = (chl_range){0, 0};
    return s;
}

static void without_effects_the_sound_stays_itself(void **state) {
    (void)state;
    const chl_sound_augment s = nothing();
    int64_t count;
    for (int step = 0; step < 3; step++) {
        MUST(chl_sound_augment_wave(&s, 1, step, 0, &(chl_augment_sources){.own = {own, SECOND}},
                                    wave, &count));
        assert_int_equal(count, SECOND);
        for (int i = 0; i < SECOND; i++) assert_true(wave[i] == (float)own[i] / 32768);
    }
}

/* Of twelve seconds any ten are taken, of one second, looped, ten are made. */
static void windows_are_cut_anywhere_or_filled(void **state) {
    (void)state;
    chl_sound_augment s = nothing();
    s.loop = 1;
    int64_t count, earliest = LONG, latest = 0;
    for (int step = 0; step < 20; step++) {
        MUST(chl_sound_augment_wave(&s, 1, step, 0, &(chl_augment_sources){.own = {own, LONG}},
                                    wave, &count));
        assert_int_equal(count, CHL_AUGMENT_SAMPLES);
        int64_t from = 0;
        while (from < LONG - count && memcmp(&(float){(float)own[from] / 32768}, wave, 4) != 0)
            from++;
        while (from < LONG - count &&
               (wave[1] != (float)own[from + 1] / 32768 || wave[0] != (float)own[from] / 32768))
            from++;
        if (from < earliest) earliest = from;
        if (from > latest) latest = from;
    }
    assert_true(earliest < SECOND / 2 && latest > SECOND);
    MUST(chl_sound_augment_wave(&s, 1, 0, 0, &(chl_augment_sources){.own = {own, SECOND}}, wave,
                                &count));
    assert_int_equal(count, CHL_AUGMENT_SAMPLES);
    s.shorter = 1;
    for (int step = 0; step < 20; step++) {
        MUST(chl_sound_augment_wave(&s, 1, step, 0, &(chl_augment_sources){.own = {own, SECOND}},
                                    wave, &count));
        assert_in_range(count, (int64_t)(s.seconds.min * SECOND), CHL_AUGMENT_SAMPLES);
    }
}

/* A tone of 1000 Hz becomes one of 800 to 1250 Hz, and the clip as much longer or shorter. */
static void another_speed_moves_pitch_and_length(void **state) {
    (void)state;
    chl_sound_augment s = nothing();
    s.speed = 1;
    static int16_t tone[SECOND];
    for (int i = 0; i < SECOND; i++)
        tone[i] = (int16_t)lrint(16000 * sin(2 * M_PI * 1000 * i / SECOND));
    double slowest = 9, fastest = 0;
    for (int step = 0; step < 40; step++) {
        int64_t count, crossings = 0;
        MUST(chl_sound_augment_wave(&s, 1, step, 0, &(chl_augment_sources){.own = {tone, SECOND}},
                                    wave, &count));
        for (int64_t i = 1; i < count; i++) crossings += wave[i - 1] < 0 && wave[i] >= 0;
        const double speed = (double)SECOND / (double)count;
        assert_true(fabs((double)crossings / (double)count * 44.1 - speed) < 0.005);
        slowest = fmin(slowest, speed);
        fastest = fmax(fastest, speed);
    }
    assert_true(slowest >= 0.8 && slowest < 0.86 && fastest > 1.17 && fastest <= 1.2501);
}

/* Each effect alone changes the sound; a draw is a function of seed, step and element. */
static void every_effect_is_drawn_and_repeats(void **state) {
    (void)state;
    for (int effect = 0; effect < 10; effect++) {
        chl_sound_augment s = nothing();
        float *const chance[10] = {&s.loop,       &s.shorter,   &s.speed,  &s.event, &s.gap,
                                   &s.background, &s.equaliser, &s.reverb, &s.band,  &s.codec};
        *chance[effect] = 1;
        const chl_augment_sources sources = {
            {own, 5 * SECOND}, {event, SECOND}, {background, LONG}, false};
        int64_t count, count_again;
        MUST(chl_sound_augment_wave(&s, 9, 4, 2, &sources, wave, &count));
        MUST(chl_sound_augment_wave(&s, 9, 4, 2, &sources, again, &count_again));
        assert_int_equal(count, count_again);
        assert_memory_equal(wave, again, (size_t)count * sizeof *wave);
        bool same = count == 5 * SECOND;
        for (int i = 0; same && i < 5 * SECOND; i++) same = wave[i] == (float)own[i] / 32768;
        assert_false(same);
        for (int other = 0; other < 3; other++) {
            MUST(chl_sound_augment_wave(&s, 9 + (other == 0), 4 + (other == 1), 2 + (other == 2),
                                        &sources, again, &count_again));
            assert_true(count != count_again ||
                        memcmp(wave, again, (size_t)count * sizeof *wave) != 0);
        }
    }
}

static void gains_span_forty_db_unless_the_level_is_meant(void **state) {
    (void)state;
    chl_sound_augment s = nothing();
    const chl_sound_augment defaults = chl_sound_augment_defaults();
    s.gain_db = defaults.gain_db;
    s.level_db = defaults.level_db;
    for (int meant = 0; meant < 2; meant++) {
        const chl_augment_sources sources = {.own = {own, 1000}, .level_meant = meant};
        double lowest = 100, highest = -100;
        for (int step = 0; step < 300; step++) {
            int64_t count;
            MUST(chl_sound_augment_wave(&s, 2, step, 0, &sources, wave, &count));
            double power = 0;
            for (int i = 0; i < 1000; i++) power += pow(own[i] / 32768., 2) / 1000;
            const double gain = 10 * log10(chl_effect_power(wave, count) / power);
            lowest = fmin(lowest, gain);
            highest = fmax(highest, gain);
        }
        print_message("level %s: %.1f to %.1f dB\n", meant ? "meant" : "free", lowest, highest);
        if (meant)
            assert_true(lowest >= -2.01 && highest <= 2.01 && highest - lowest > 3);
        else
            assert_true(lowest >= -30.01 && highest <= 10.01 && highest - lowest > 38);
    }
}

/* What a caller need not load has no effect. */
static void sources_are_used_where_the_draw_says_so(void **state) {
    (void)state;
    const chl_sound_augment s = chl_sound_augment_defaults();
    int events = 0, backgrounds = 0;
    for (int step = 0; step < 60; step++) {
        bool uses_event, uses_background;
        int64_t count, count_again;
        chl_sound_augment_uses(&s, 3, step, 0, &uses_event, &uses_background);
        chl_augment_sources all = {{own, 1000}, {event, 1000}, {background, 1000}, false},
                            needed = all;
        if (!uses_event) needed.event = (chl_pcm){NULL, 0};
        if (!uses_background) needed.background = (chl_pcm){NULL, 0};
        MUST(chl_sound_augment_wave(&s, 3, step, 0, &all, wave, &count));
        MUST(chl_sound_augment_wave(&s, 3, step, 0, &needed, again, &count_again));
        assert_int_equal(count, count_again);
        assert_memory_equal(wave, again, (size_t)count * sizeof *wave);
        events += uses_event;
        backgrounds += uses_background;
    }
    assert_in_range(events, 4, 24);
    assert_in_range(backgrounds, 8, 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_effects_the_sound_stays_itself),
        cmocka_unit_test(windows_are_cut_anywhere_or_filled),
        cmocka_unit_test(another_speed_moves_pitch_and_length),
        cmocka_unit_test(every_effect_is_drawn_and_repeats),
        cmocka_unit_test(gains_span_forty_db_unless_the_level_is_meant),
        cmocka_unit_test(sources_are_used_where_the_draw_says_so),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
