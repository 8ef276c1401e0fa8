/* Listening to recordings of any length. The models are small and random: they know nothing, but each window's cosines
 * can be found again by the functions that embed one thing. */
#include "io/picture.h"
#include "io/sound.h"
#include "small_engine.h"
#include <jansson.h>

#define RATE 44100
#define WINDOW (864 * 512 - 1) /* samples that make 864 frames */
#define HOP (864 * 512 / 2)
#define LONG (25 * RATE)

static float *wave; /* [LONG]: a hum, nothing, a beep */
static const char *const label[] = {"hum", "a_beep", "fly"}, *const text[] = {NULL, NULL, "hiss"},
                         *const said[] = {"hum", "a beep", "hiss"};

static void make_sounds(void) {
    wave = calloc(LONG, sizeof *wave);
    assert_non_null(wave);
    MUST(chl_sound_write("silent.wav", wave, RATE));
    for (int i = 0; i < LONG; i++) {
        /* as a file of 16 bits holds it */
        const float x = i < 8 * RATE    ? sinf((float)i * 0.02f)
                        : i < 20 * RATE ? 0
                                        : sinf((float)i * 0.4f);
        wave[i] = rintf(x * 12000) / 32768;
    }
    float *loud = malloc(sizeof *loud * LONG);
    assert_non_null(loud);
    for (int i = 0; i < LONG; i++) loud[i] = wave[i] * 32768 / 32767;
    MUST(chl_sound_write("long.wav", loud, LONG));
    MUST(chl_sound_write("short.wav", loud, RATE));
    MUST(chl_sound_write("one-window.wav", loud, WINDOW));
    MUST(chl_sound_write("one-more.wav", loud, WINDOW + 1));
    free(loud);
}

static int enter(void **state) {
    (void)state;
    if (enter_folder()) return -1;
    make_sounds();
    open_small_engine();
    return 0;
}

static int leave_sounds(void **state) {
    free(wave);
    return leave(state);
}

static json_t *listen(const char *sound, double threshold, const char *picture) {
    const chl_listen_options o = {.size = sizeof o,
                                  .labels = 3,
                                  .label = label,
                                  .label_text = text,
                                  .sound = sound,
                                  .threshold = threshold,
                                  .picture = picture};
    char *report;
    MUST(chl_listen(engine, &o, &report));
    json_t *root = json_loads(report, 0, NULL);
    assert_non_null(root);
    chl_release(report);
    return root;
}

static double number(const json_t *object, const char *key) {
    const json_t *x = json_object_get(object, key);
    if (!json_is_number(x)) fail_msg("%s is no number", key);
    return json_number_value(x);
}

static const json_t *item(const json_t *object, const char *key, size_t at) {
    const json_t *x = json_array_get(json_object_get(object, key), at);
    assert_non_null(x);
    return x;
}

/* The cosine of samples with what is said for label k. */
static double cosine(int64_t from, int64_t samples, int k) {
    float sound[EMBED], plain[EMBED], with[EMBED];
    char prompt[64];
    double dot = 0, square = 0;
    MUST(chl_embed_sound_samples(engine, RATE, 1, samples, wave + from, 0, sound));
    snprintf(prompt, sizeof prompt, "a %s", said[k]);
    MUST(chl_embed_text(engine, said[k], plain));
    MUST(chl_embed_text(engine, prompt, with));
    for (int i = 0; i < EMBED; i++) {
        const double x = (double)plain[i] + (double)with[i];
        dot += (double)sound[i] * x;
        square += x * x;
    }
    return dot / sqrt(square);
}

static void a_short_recording_is_one_window(void **unused) {
    (void)unused;
    json_t *report = listen("short.wav", 0, NULL);
    double most = -2, mean = 2;
    assert_int_equal(json_array_size(json_object_get(report, "windows")), 1);
    for (size_t k = 0; k < 3; k++) {
        const double want = cosine(0, RATE, (int)k);
        const json_t *scores = json_object_get(item(report, "windows", 0), "scores");
        near(json_number_value(json_array_get(scores, k)), want, 1e-5);
        if (want > most) most = want;
        assert_true(number(item(report, "ranking", k), "mean") <= mean);
        mean = number(item(report, "ranking", k), "mean");
    }
    near(number(item(report, "windows", 0), "score"), most, 1e-5);
    near(number(item(report, "ranking", 0), "max"), most, 1e-5);
    near(number(report, "seconds"), 1, 1e-6);
    assert_true(json_is_null(json_object_get(report, "threshold")));
    assert_string_equal(json_string_value(json_object_get(report, "best")),
                        json_string_value(json_object_get(item(report, "ranking", 0), "label")));
    json_decref(report);
}

static void windows_are_half_a_window_apart_and_end_with_the_recording(void **unused) {
    (void)unused;
    static const int64_t start[] = {0, HOP, 2 * (int64_t)HOP, LONG - WINDOW};
    json_t *report = listen("long.wav", 0, NULL);
    assert_int_equal(json_array_size(json_object_get(report, "windows")), 4);
    for (size_t w = 0; w < 4; w++) {
        const json_t *window = item(report, "windows", w),
                     *scores = json_object_get(window, "scores");
        near(number(window, "start"), (double)start[w] / RATE, 1e-4);
        near(number(window, "end"), (double)(start[w] + WINDOW) / RATE, 1e-4);
        for (size_t k = 0; k < 3; k++)
            near(json_number_value(json_array_get(scores, k)), cosine(start[w], WINDOW, (int)k),
                 1e-5);
        /* from 10.03 to 20 s all is silent; no window lies in that */
        assert_true(json_is_false(json_object_get(window, "silent")));
    }
    near(number(report, "seconds"), 25, 1e-4);
    json_decref(report);
    report = listen("one-window.wav", 0, NULL);
    assert_int_equal(json_array_size(json_object_get(report, "windows")), 1);
    json_decref(report);
    report = listen("one-more.wav", 0, NULL);
    assert_int_equal(json_array_size(json_object_get(report, "windows")), 2);
    json_decref(report);
}

static void nothing_fits_below_the_threshold_and_in_silence(void **unused) {
    (void)unused;
    json_t *report = listen("short.wav", 0, NULL);
    const double score = number(item(report, "windows", 0), "score");
    json_decref(report);
    report = listen("short.wav", score + 1e-3, NULL);
    assert_true(json_is_null(json_object_get(report, "best")));
    assert_true(json_is_null(json_object_get(item(report, "windows", 0), "best")));
    assert_true(json_is_string(json_object_get(item(report, "windows", 0), "nearest")));
    json_decref(report);
    report = listen("short.wav", score - 1e-3, NULL);
    assert_true(json_is_string(json_object_get(report, "best")));
    json_decref(report);
    report = listen("silent.wav", 0, "silent.png");
    assert_true(json_is_null(json_object_get(report, "best")));
    assert_true(json_is_true(json_object_get(item(report, "windows", 0), "silent")));
    assert_true(json_is_null(json_object_get(item(report, "ranking", 0), "mean")));
    json_decref(report);
}

/* The hum is low on the left, the beep high on the right, nothing between. */
static void the_picture_shows_the_sound_over_its_time(void **unused) {
    (void)unused;
    int height, width;
    float *p, sum[3] = {0};
    json_decref(listen("long.wav", 0.1, "long.png"));
    MUST(chl_picture_read("long.png", &height, &width, &p));
    assert_true(width == 1000 && height > 600);
    int left = 0;
    while (p[(100 * width + left) * 3] > 0.9f) left++; /* white until the mel picture begins */
    int right = left;
    while (p[(100 * width + right) * 3] < 0.9f) right++;
    assert_true(left > 40 && right - left > 400);
    for (int third = 0; third < 3; third++) {
        static const double second[] = {4, 14, 23};
        const int x = left + (int)(second[third] / 25 * (right - left));
        for (int y = 40; y < 280; y++) sum[third] += p[(y * width + x) * 3] + 1;
    }
    assert_true(sum[1] < 1 && sum[0] > 10 && sum[2] > 10);
    chl_release(p);
}

static void impossible_options_are_refused(void **unused) {
    (void)unused;
    chl_listen_options o = {.size = sizeof o, .labels = 3, .label = label, .sound = "no.wav"};
    char *report;
    assert_int_equal(chl_listen(engine, &o, &report), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "no.wav"));
    o.sound = "short.wav";
    o.picture = "nowhere/p.png";
    assert_int_not_equal(chl_listen(engine, &o, &report), CHL_OK);
    o.picture = NULL;
    o.threshold = (double)NAN;
    assert_int_equal(chl_listen(engine, &o, &report), CHL_ERR_ARGUMENT);
    o.threshold = 0;
    o.labels = 0;
    assert_int_equal(chl_listen(engine, &o, &report), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "labels must be >= 1"));
    assert_null(report);
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(skipped_without_files_of_sounds)};
    if (!reads_sounds()) return cmocka_run_group_tests(without, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_recording_is_one_window),
        cmocka_unit_test(windows_are_half_a_window_apart_and_end_with_the_recording),
        cmocka_unit_test(nothing_fits_below_the_threshold_and_in_silence),
        cmocka_unit_test(the_picture_shows_the_sound_over_its_time),
        cmocka_unit_test(impossible_options_are_refused)};
    return cmocka_run_group_tests(tests, enter, leave_sounds);
}
