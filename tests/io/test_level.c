/* How loud a sound is, told by its waveform and by its mel picture; and sounds turned to a level. */
#include "harness/parity.h"
#include "sound/level.h"
#include "sound/mel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RATE CHL_MEL_RATE
#define SECONDS 4
#define SAMPLES (SECONDS * RATE)

static float *wave, *mel;
static int64_t frames;

static int allocate(void **state) {
    (void)state;
    wave = malloc(sizeof *wave * SAMPLES);
    return wave ? 0 : -1;
}

static int release(void **state) {
    (void)state;
    free(wave);
    return 0;
}

/* The sum of twelve uniform numbers has deviation 1. */
static void noise(float deviation) {
    uint32_t word = 1;
    for (int i = 0; i < SAMPLES; i++) {
        double sum = -6;
        for (int k = 0; k < 12; k++) sum += (word = word * 1664525u + 1013904223u) / 4294967296.0;
        wave[i] = deviation * (float)sum;
    }
}

static void see(int64_t samples) {
    free(mel);
    mel = NULL;
    MUST(chl_mel_whole(chl_device_cpu(), wave, samples, CHL_MEL_ABSOLUTE, &mel, &frames));
}

static void a_sine_of_amplitude_1_has_minus_3_decibels(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) wave[i] = sinf((float)i * 0.1f);
    assert_true(fabs(chl_wave_level(wave, SAMPLES) + 3.01) < 0.01);
    assert_true(chl_wave_level(wave, 0) == CHL_SILENT_DB);
    memset(wave, 0, sizeof *wave * SAMPLES);
    assert_true(chl_wave_level(wave, SAMPLES) == CHL_SILENT_DB);
}

/* A second of noise in three of silence, and half of it as loud elsewhere */
static void the_loudest_half_second_counts(void **state) {
    (void)state;
    noise(0.1f);
    for (int i = 0; i < SAMPLES; i++)
        if (i < RATE || i >= 2 * RATE) wave[i] *= 0.1f;
    const double level = chl_wave_level(wave, SAMPLES);
    assert_true(fabs(level + 20) < 0.3);
    see(SAMPLES);
    assert_true(fabs(chl_mel_level(mel, frames) - level) < 0.5);
}

/* White noise, as a low hum and as a hiss, from loud to what lies just above the picture's floor */
static void a_mel_picture_tells_the_level_of_the_waveform(void **state) {
    (void)state;
    for (int colour = 0; colour < 3; colour++)
        for (int db = -10; db >= -40; db -= 15) {
            noise(powf(10, (float)db / 20));
            float low = 0;
            for (int i = 0; i < SAMPLES; i++) {
                low += 0.05f * (wave[i] - low);
                if (colour) wave[i] = colour == 1 ? low : wave[i] - low;
            }
            see(SAMPLES);
            const double truth = chl_wave_level(wave, SAMPLES), told = chl_mel_level(mel, frames);
            print_message("%d, %d dB: %.2f, of the picture %.2f\n", colour, db, truth, told);
            assert_true(fabs(told - truth) < (colour ? 2 : 0.5));
        }
}

static void a_short_sound_is_measured_whole(void **state) {
    (void)state;
    noise(0.1f);
    const int64_t samples = RATE / 5;
    assert_true(fabs(chl_wave_level(wave, samples) + 20) < 0.3);
    see(samples);
    assert_true(fabs(chl_mel_level(mel, frames) + 20) < 1);
}

static void sounds_are_turned_to_a_level(void **state) {
    (void)state;
    for (int db = -15; db >= -45; db -= 15) {
        noise(0.02f);
        see(SAMPLES);
        chl_wave_to_level(wave, SAMPLES, db);
        chl_mel_to_level(mel, frames, db);
        assert_true(fabs(chl_wave_level(wave, SAMPLES) - db) < 0.1);
        assert_true(fabs(chl_mel_level(mel, frames) - db) < 0.1);
        for (int64_t i = 0; i < CHL_MEL_BANDS * frames; i++)
            assert_true(mel[i] >= 0 && mel[i] <= 1);
    }
}

static void silence_stays_silent(void **state) {
    (void)state;
    memset(wave, 0, sizeof *wave * SAMPLES);
    see(SAMPLES);
    chl_wave_to_level(wave, SAMPLES, -20);
    chl_mel_to_level(mel, frames, -20);
    for (int i = 0; i < SAMPLES; i++) assert_true(wave[i] == 0);
    for (int64_t i = 0; i < CHL_MEL_BANDS * frames; i++) assert_true(mel[i] == 0);
    assert_true(chl_mel_level(mel, frames) == CHL_SILENT_DB);
}

static void what_is_too_loud_is_cut_at_full_scale(void **state) {
    (void)state;
    noise(0.01f);
    see(SAMPLES);
    chl_wave_to_level(wave, SAMPLES, 0);
    chl_mel_to_level(mel, frames, 0);
    for (int i = 0; i < SAMPLES; i++) assert_true(fabsf(wave[i]) <= 1);
    for (int64_t i = 0; i < CHL_MEL_BANDS * frames; i++) assert_true(mel[i] <= 1);
    free(mel);
    mel = NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sine_of_amplitude_1_has_minus_3_decibels),
        cmocka_unit_test(the_loudest_half_second_counts),
        cmocka_unit_test(a_mel_picture_tells_the_level_of_the_waveform),
        cmocka_unit_test(a_short_sound_is_measured_whole),
        cmocka_unit_test(sounds_are_turned_to_a_level),
        cmocka_unit_test(silence_stays_silent),
        cmocka_unit_test(what_is_too_loud_is_cut_at_full_scale),
    };
    return cmocka_run_group_tests(tests, allocate, release);
}
