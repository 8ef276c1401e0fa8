/* Synthesised sounds: what is promised of every kind and algorithm, and that kinds lie where their
 * kind lies in frequency. */
#include "demo/world/synth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS 2
#define SAMPLES (SECONDS * CHL_WORLD_RATE)

static float first[SAMPLES], second[SAMPLES];

static void synthesise(chl_sound_recipe recipe, float *wave, int64_t samples) {
    if (chl_sound_synthesise(&recipe, wave, samples) != CHL_OK) fail_msg("%s", chl_error());
}

/* dB RMS of the loudest half second, by sliding a window: not as the synthesis measures it. */
static double level(const float *wave, int64_t samples) {
    int64_t window = CHL_WORLD_RATE / 2;
    double sum = 0, loudest = 0;
    for (int64_t i = 0; i < samples; i++) {
        sum += (double)wave[i] * wave[i];
        if (i >= window) sum -= (double)wave[i - window] * wave[i - window];
        loudest = fmax(loudest, sum);
    }
    return 10 * log10(loudest / (double)window + 1e-12);
}

/* Energy per band of `bands` in equal parts of log frequency from 50 Hz to 16 kHz, by Goertzel's
 * recurrence on frames through the sound. */
#define BANDS 24
static double band_frequency(int band) {
    return 50 * pow(320, (double)band / (BANDS - 1));
}

static void spectrum(const float *wave, int64_t samples, double energy[BANDS]) {
    for (int band = 0; band < BANDS; band++) {
        /* short frames see a wide band: no frequency between two bands is missed */
        double frequency = band_frequency(band);
        double turn = 2 * cos(2 * M_PI * frequency / CHL_WORLD_RATE);
        int64_t frame = (int64_t)(4 * CHL_WORLD_RATE / frequency);
        energy[band] = 0;
        for (int64_t start = 0; start + frame <= samples; start += frame) {
            double y1 = 0, y2 = 0;
            for (int64_t i = 0; i < frame; i++) {
                double window = 1 - fabs(2 * ((double)i + 0.5) / (double)frame - 1);
                double y = window * wave[start + i] + turn * y1 - y2;
                y2 = y1;
                y1 = y;
            }
            energy[band] += (y1 * y1 + y2 * y2 - turn * y1 * y2) / (double)frame;
        }
    }
}

/* Mean frequency on a logarithmic scale. */
static double centroid(const float *wave, int64_t samples) {
    double energy[BANDS], sum = 0, total = 0;
    spectrum(wave, samples, energy);
    for (int band = 0; band < BANDS; band++) {
        sum += energy[band] * log(band_frequency(band));
        total += energy[band];
    }
    return exp(sum / total);
}

static void same_recipe_same_bits(void **state) {
    (void)state;
    for (int kind = 0; kind < CHL_KINDS; kind++)
        for (int algorithm = 0; algorithm < CHL_SOUND_ALGORITHMS; algorithm++) {
            chl_sound_recipe recipe = {(chl_kind)kind, algorithm, 0.6f, kind % 2 == 0, 11};
            synthesise(recipe, first, SAMPLES);
            synthesise(recipe, second, SAMPLES);
            assert_memory_equal(first, second, sizeof first);
            recipe.seed += (uint64_t)1 << 32; /* all 64 bits of a seed count */
            synthesise(recipe, second, SAMPLES);
            assert_memory_not_equal(first, second, sizeof first);
        }
}

/* In parallel as alone. */
static void threads_do_not_matter(void **state) {
    (void)state;
    enum { MANY = CHL_KINDS, SHORT = CHL_WORLD_RATE / 2 };
    float *together = malloc(sizeof(float) * MANY * SHORT);
    assert_non_null(together);
    int failures = 0;
#pragma omp parallel for num_threads(4) reduction(+ : failures)
    for (int kind = 0; kind < MANY; kind++) {
        chl_sound_recipe recipe = {(chl_kind)kind, kind % 4, 0.5f, true, 5};
        failures += chl_sound_synthesise(&recipe, together + kind * SHORT, SHORT) != CHL_OK;
    }
    assert_int_equal(failures, 0);
    for (int kind = 0; kind < MANY; kind++) {
        synthesise((chl_sound_recipe){(chl_kind)kind, kind % 4, 0.5f, true, 5}, first, SHORT);
        assert_memory_equal(first, together + kind * SHORT, SHORT * sizeof *first);
    }
    free(together);
}

static void level_follows_strength(void **state) {
    (void)state;
    for (int kind = 0; kind < CHL_KINDS; kind++)
        for (int algorithm = 0; algorithm < CHL_SOUND_ALGORITHMS; algorithm++) {
            double levels[4];
            for (int i = 0; i < 4; i++) {
                chl_sound_recipe recipe = {(chl_kind)kind, algorithm, (float)i / 3, false, 3};
                synthesise(recipe, first, SAMPLES);
                levels[i] = level(first, SAMPLES);
                double want = -42 + 10 * i;
                if (fabs(levels[i] - want) > 2)
                    fail_msg("kind %d algorithm %d strength %d/3: %.1f dB, wanted %.1f", kind,
                             algorithm, i, levels[i], want);
            }
            assert_true(levels[3] - levels[0] > 27);
        }
}

static void recordings_stay_near_their_level(void **state) {
    (void)state;
    double lowest = 0, highest = 0;
    for (int kind = 0; kind < CHL_KINDS; kind++)
        for (int seed = 0; seed < 4; seed++) {
            chl_sound_recipe recipe = {(chl_kind)kind, seed % CHL_SOUND_ALGORITHMS, 0.5f, true,
                                       (uint64_t)(seed + 10 * kind)};
            synthesise(recipe, first, SAMPLES);
            double gain = level(first, SAMPLES) - (-27);
            lowest = fmin(lowest, gain);
            highest = fmax(highest, gain);
        }
    assert_true(lowest > -4.5 && highest < 4.5);
    assert_true(lowest < -1.5 && highest > 1.5); /* and do use the range */
}

static void waves_stay_below_1(void **state) {
    (void)state;
    for (int kind = 0; kind < CHL_KINDS; kind++)
        for (int i = 0; i < 2 * CHL_SOUND_ALGORITHMS; i++) {
            chl_sound_recipe recipe = {(chl_kind)kind, i / 2, 1, i % 2, 77};
            synthesise(recipe, first, SAMPLES);
            int64_t flat = 0;
            for (int64_t n = 0; n < SAMPLES; n++) {
                if (!(fabsf(first[n]) < 1))
                    fail_msg("kind %d algorithm %d: sample %g", kind, i / 2, (double)first[n]);
                flat += n && fabsf(first[n]) > 0.9f && first[n] == first[n - 1];
            }
            if (flat >= 10) fail_msg("kind %d algorithm %d: %d flat", kind, i / 2, (int)flat);
        }
}

/* Where each kind lies, on average over algorithms and seeds; bare and recorded. */
static void frequencies_of_the_kind(void **state) {
    (void)state;
    static const double range[CHL_KINDS][2] = {
        [CHL_RAIN] = {1200, 8000},   [CHL_THUNDER] = {50, 300},   [CHL_WIND] = {80, 1200},
        [CHL_FIRE] = {300, 5000},    [CHL_BIRDS] = {2000, 7000},  [CHL_WAVES] = {150, 2500},
        [CHL_BUBBLES] = {150, 1500}, [CHL_EXPLOSION] = {50, 600}, [CHL_CRICKETS] = {3000, 6500},
        [CHL_BELL] = {250, 2000},
    };
    for (int kind = 0; kind < CHL_KINDS; kind++)
        for (int algorithm = 0; algorithm < CHL_SOUND_ALGORITHMS; algorithm++) {
            double sum = 0;
            for (int seed = 0; seed < 4; seed++) {
                chl_sound_recipe recipe = {(chl_kind)kind, algorithm,
                                           0.25f + 0.25f * (float)(seed % 3), seed % 2,
                                           (uint64_t)seed};
                synthesise(recipe, first, SAMPLES);
                sum += log(centroid(first, SAMPLES));
            }
            double mean = exp(sum / 4);
            if (mean < range[kind][0] || mean > range[kind][1])
                fail_msg("kind %d algorithm %d: centroid %.0f Hz, wanted %.0f ... %.0f", kind,
                         algorithm, mean, range[kind][0], range[kind][1]);
        }
}

/* Seen as level over time and frequency, no two algorithms of a kind make the same sound, nor do
 * two seeds. */
static double distance(const float *a, const float *b) {
    double x[BANDS], y[BANDS], sum = 0;
    int64_t part = SAMPLES / 6;
    for (int64_t start = 0; start + part <= SAMPLES; start += part) {
        spectrum(a + start, part, x);
        spectrum(b + start, part, y);
        for (int band = 0; band < BANDS; band++) {
            double decibels = 10 * log10((x[band] + 1e-7) / (y[band] + 1e-7));
            sum += decibels * decibels;
        }
    }
    return sqrt(sum / (6 * BANDS));
}

static void algorithms_and_seeds_differ(void **state) {
    (void)state;
    for (int kind = 0; kind < CHL_KINDS; kind++)
        for (int algorithm = 0; algorithm < CHL_SOUND_ALGORITHMS; algorithm++) {
            chl_sound_recipe recipe = {(chl_kind)kind, algorithm, 0.7f, false, 21};
            synthesise(recipe, first, SAMPLES);
            recipe.algorithm = (algorithm + 1) % CHL_SOUND_ALGORITHMS;
            synthesise(recipe, second, SAMPLES);
            assert_true(distance(first, second) > 2);
            recipe.algorithm = algorithm;
            recipe.seed++;
            synthesise(recipe, second, SAMPLES);
            assert_true(distance(first, second) > 1);
        }
}

/* Deviation of the levels of 20 ms frames, in dB. */
static double unsteadiness(chl_kind kind, int algorithm) {
    chl_sound_recipe recipe = {kind, algorithm, 0.8f, false, 2};
    synthesise(recipe, first, SAMPLES);
    int64_t frame = CHL_WORLD_RATE / 50, frames = SAMPLES / frame;
    double sum = 0, squares = 0;
    for (int64_t f = 0; f < frames; f++) {
        double energy = 1e-9;
        for (int64_t i = 0; i < frame; i++) energy += first[f * frame + i] * first[f * frame + i];
        double decibels = 10 * log10(energy / (double)frame);
        sum += decibels / (double)frames;
        squares += decibels * decibels / (double)frames;
    }
    return sqrt(squares - sum * sum);
}

static void rain_is_steady_and_blasts_are_not(void **state) {
    (void)state;
    for (int algorithm = 0; algorithm < CHL_SOUND_ALGORITHMS; algorithm++) {
        assert_true(unsteadiness(CHL_RAIN, algorithm) < 3);
        assert_true(unsteadiness(CHL_EXPLOSION, algorithm) > 6);
        assert_true(unsteadiness(CHL_BIRDS, algorithm) > 4);
    }
}

/* That random numbers differ would hide an algorithm standing in the table twice. */
static void no_algorithm_twice(void **state) {
    (void)state;
    chl_sound_algorithm *const *families[CHL_KINDS] = {
        chl_sound_rain,     chl_sound_thunder, chl_sound_wind,    chl_sound_fire,
        chl_sound_birds,    chl_sound_waves,   chl_sound_bubbles, chl_sound_explosion,
        chl_sound_crickets, chl_sound_bell};
    for (int i = 0; i < CHL_KINDS * CHL_SOUND_ALGORITHMS; i++)
        for (int j = 0; j < i; j++)
            assert_true(families[i / CHL_SOUND_ALGORITHMS][i % CHL_SOUND_ALGORITHMS] !=
                        families[j / CHL_SOUND_ALGORITHMS][j % CHL_SOUND_ALGORITHMS]);
}

static void sounds_of_any_length_are_made(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 2, 7, 31, 33, 2205, 44099, 44100, 44101};
    for (int kind = 0; kind < CHL_KINDS; kind++)
        for (int algorithm = 0; algorithm < CHL_SOUND_ALGORITHMS; algorithm++)
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                int64_t samples = lengths[i];
                float *wave = malloc((size_t)samples * sizeof *wave); /* for the sanitizer */
                assert_non_null(wave);
                for (int64_t n = 0; n < samples; n++) wave[n] = NAN;
                synthesise((chl_sound_recipe){(chl_kind)kind, algorithm, 0.9f, i % 2, i}, wave,
                           samples);
                for (int64_t n = 0; n < samples; n++) assert_true(fabsf(wave[n]) < 1);
                free(wave);
            }
}

static double correlation(const float *a, const float *b, int64_t samples) {
    double ab = 0, aa = 1e-12, bb = 1e-12;
    for (int64_t i = 0; i < samples; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return fabs(ab) / sqrt(aa * bb);
}

/* Recordings of silence that hold the same event by a trained algorithm, of 40. */
static int layered(int algorithm) {
    int found = 0;
    for (int seed = 0; seed < 40; seed++) {
        chl_sound_recipe recipe = {CHL_WIND, algorithm, 0.6f, true, (uint64_t)seed};
        memset(first, 0, sizeof first);
        assert_int_equal(chl_recording_make(&recipe, first, CHL_WORLD_RATE), CHL_OK);
        double most = 0;
        for (recipe.algorithm = 0; recipe.algorithm < CHL_SOUND_HELD_OUT; recipe.algorithm++) {
            assert_int_equal(chl_sound_dry(&recipe, second, CHL_WORLD_RATE), CHL_OK);
            most = fmax(most, correlation(first, second, CHL_WORLD_RATE));
        }
        found += most > 0.3;
    }
    return found;
}

/* Nothing that a network was trained on may be heard in what it is judged by. */
static void trained_sounds_have_layers_and_others_have_not(void **state) {
    (void)state;
    for (int algorithm = 0; algorithm < CHL_SOUND_HELD_OUT; algorithm++)
        assert_in_range(layered(algorithm), 8, 24); /* 0.4 of 40 */
    assert_int_equal(layered(CHL_SOUND_HELD_OUT), 0);
}

static void expect_error(chl_sound_recipe recipe, int64_t samples, const char *words) {
    assert_int_equal(chl_sound_synthesise(&recipe, first, samples), CHL_ERR_ARGUMENT);
    if (!strstr(chl_error(), words)) fail_msg("\"%s\" lacks \"%s\"", chl_error(), words);
}

static void errors_say_what_is_allowed(void **state) {
    (void)state;
    expect_error((chl_sound_recipe){CHL_NO_KIND, 0, 0.5f, false, 1}, 100, "CHL_NO_KIND");
    expect_error((chl_sound_recipe){(chl_kind)-1, 0, 0.5f, true, 1}, 100, "kind must be 0 to 9");
    expect_error((chl_sound_recipe){CHL_RAIN, 4, 0.5f, false, 1}, 100,
                 "algorithm must be 0 to 3, got 4");
    expect_error((chl_sound_recipe){CHL_RAIN, -1, 0.5f, false, 1}, 100, "got -1");
    expect_error((chl_sound_recipe){CHL_RAIN, 0, 1.01f, false, 1}, 100,
                 "strength must be 0 to 1, got 1.01");
    expect_error((chl_sound_recipe){CHL_RAIN, 0, NAN, true, 1}, 100, "strength must be 0 to 1");
    expect_error((chl_sound_recipe){CHL_RAIN, 0, 0.5f, false, 1}, 0, "samples must be >= 1, got 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_recipe_same_bits),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(level_follows_strength),
        cmocka_unit_test(recordings_stay_near_their_level),
        cmocka_unit_test(waves_stay_below_1),
        cmocka_unit_test(frequencies_of_the_kind),
        cmocka_unit_test(algorithms_and_seeds_differ),
        cmocka_unit_test(rain_is_steady_and_blasts_are_not),
        cmocka_unit_test(no_algorithm_twice),
        cmocka_unit_test(sounds_of_any_length_are_made),
        cmocka_unit_test(trained_sounds_have_layers_and_others_have_not),
        cmocka_unit_test(errors_say_what_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
