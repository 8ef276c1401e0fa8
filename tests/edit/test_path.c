/* Edits over time: beginning at another code, the path through codes, motion by loudness. */
#include "harness/random_engine.h"

#define KEYS 5
#define NUMBERS 3

static const float key[KEYS][NUMBERS] = {
    {0, 1, -2}, {1, 1, 3}, {3, 0.5f, 2}, {2, 0.5f, 2.5f}, {2, 4, -1}};

static float *keys, *code; /* [KEYS] codes, whose numbers repeat those above; one code */

static float at(double place, int number) {
    const int from = place < KEYS - 1 ? (int)place : KEYS - 1;
    MUST(chl_path_at(engine, KEYS, keys, from, (float)(place - from), code));
    assert_true(code[number] == code[number + NUMBERS]);
    return code[number];
}

static void a_path_goes_through_its_codes(void **state) {
    (void)state;
    for (int k = 0; k < KEYS; k++)
        for (int i = 0; i < NUMBERS; i++) assert_true(at(k, i) == key[k][i]);
}

static void a_path_does_not_overshoot_and_has_no_corner(void **state) {
    (void)state;
    const double h = 1e-3;
    for (int i = 0; i < NUMBERS; i++) {
        for (double t = 0; t <= KEYS - 1; t += 0.01) {
            const int k = (int)t < KEYS - 2 ? (int)t : KEYS - 2;
            const float low = fminf(key[k][i], key[k + 1][i]),
                        high = fmaxf(key[k][i], key[k + 1][i]);
            assert_true(at(t, i) >= low - 1e-6f && at(t, i) <= high + 1e-6f);
        }
        for (int k = 1; k < KEYS - 1; k++) {
            const double before = ((double)at(k, i) - (double)at(k - h, i)) / h,
                         after = ((double)at(k + h, i) - (double)at(k, i)) / h;
            assert_true(fabs(before - after) < 0.03);
        }
    }
}

static void places_beyond_the_path_are_refused(void **state) {
    (void)state;
    assert_int_equal(chl_path_at(engine, KEYS, keys, KEYS, 0, code), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "from must be in [0, keys - 1], got 5");
    assert_int_equal(chl_path_at(engine, KEYS, keys, KEYS - 1, 0.5f, code), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "share must be 0 at the last key, got 0.5");
    assert_int_equal(chl_path_at(engine, KEYS, keys, 0, NAN, code), CHL_ERR_ARGUMENT);
}

static void motion_follows_a_beat_and_rests_in_a_steady_sound(void **state) {
    (void)state;
    enum { SECONDS = 6, FPS = 20, FRAMES = SECONDS * FPS, SAMPLES = SECONDS * 44100 };
    float *wave = malloc(sizeof *wave * SAMPLES), motion[FRAMES];
    for (int i = 0; i < SAMPLES; i++) {
        const bool beat = i % 44100 < 4410 && i >= 2 * 44100;
        wave[i] = sinf(0.05f * (float)i) * (beat ? 0.8f : 0.1f);
    }
    MUST(chl_sound_motion(SAMPLES, wave, FPS, FRAMES, motion));
    assert_true(fabsf(motion[10]) < 0.1f);
    for (int beat = 2; beat < SECONDS; beat++) {
        assert_true(motion[beat * FPS + 1] > 0.9f);       /* at once */
        assert_true(motion[beat * FPS + FPS - 2] < 0.2f); /* and over before the next */
        for (int f = beat * FPS + 3; f < beat * FPS + FPS - 1; f++)
            assert_true(motion[f] <= motion[f - 1] + 0.05f);
    }
    memset(wave, 0, sizeof *wave * SAMPLES);
    MUST(chl_sound_motion(SAMPLES, wave, FPS, FRAMES, motion));
    for (int f = 0; f < FRAMES; f++) assert_true(motion[f] == 0);
    free(wave);
}

/* --- beginning at another code ---------------------------------------------------------------- */
static int open_models(void **state) {
    (void)state;
    random_engine_folder();
    random_engine_open("generator clip", 1);
    keys = malloc(sizeof *keys * KEYS * (size_t)numbers);
    code = malloc(sizeof *code * (size_t)numbers);
    for (int64_t i = 0; i < KEYS * numbers; i++) keys[i] = key[i / numbers][i % numbers % NUMBERS];
    return 0;
}

static int close_models(void **state) {
    (void)state;
    free(keys);
    free(code);
    return random_engine_close();
}

static double distance(int64_t count, const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum);
}

static void an_edit_begins_at_the_code_that_it_is_given(void **state) {
    (void)state;
    const size_t bytes = sizeof(float) * (size_t)numbers;
    float *from = malloc(bytes), *plain = malloc(bytes), *edited = malloc(bytes);
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = 1;
    options.rate = 1e-6f;
    for (int space = 0; space < 3; space++) {
        options.space = (chl_space)space;
        for (int64_t i = 0; i < numbers; i++)
            from[i] = source[i] + 0.01f * (float)(i % size.latent);
        if (space == CHL_SPACE_WHITENED) {
            assert_int_equal(chl_edit_from(engine, &options, source, target, from, edited),
                             CHL_ERR_UNSUPPORTED);
            continue;
        }
        MUST(chl_edit_from(engine, &options, source, target, from, edited));
        assert_true(distance(numbers, edited, from) < 1e-3);
        MUST(chl_edit_from(engine, &options, source, target, source, edited));
        MUST(chl_edit(engine, &options, source, target, plain, NULL));
        assert_memory_equal(edited, plain, bytes);
    }
    free(from);
    free(plain);
    free(edited);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_goes_through_its_codes),
        cmocka_unit_test(a_path_does_not_overshoot_and_has_no_corner),
        cmocka_unit_test(places_beyond_the_path_are_refused),
        cmocka_unit_test(motion_follows_a_beat_and_rests_in_a_steady_sound),
        cmocka_unit_test(an_edit_begins_at_the_code_that_it_is_given),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
