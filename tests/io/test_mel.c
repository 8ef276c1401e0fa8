/* Sound to picture against librosa and OpenCV (tests/fixtures/make_sound.py), and cases without a
 * fixture: ten hours, sources of another length than they claim, waves that are not finite. */
#include "harness/parity.h"
#include "sound/mel.h"
#include <string.h>

#define BANDS CHL_MEL_BANDS
#define SIDE CHL_MEL_SIDE
static const chl_mel_size usual = {SIDE, SIDE};

typedef struct clip {
    const char *name;
    int64_t samples;
} clip;
static const clip clips[] = {{"storm", 3 * 44100}, {"sweep", 14 * 44100}, {"click", 700}};

/* The same three as in the script. */
static float *wave_of(const clip *c) {
    float *wave = parity_formula(c->name, 0, c->samples == 700 ? 0.01 : 0.5, c->samples);
    for (int64_t i = 0; i < c->samples && c->samples > 700; i++) {
        double t = (double)i / 44100, n = (double)c->samples;
        if (c->name[1] == 't')
            wave[i] = (float)((1 - fabs(2 * (double)i / n - 1)) * wave[i] +
                              0.2 * sin(2 * M_PI * 440 * t));
        else
            wave[i] = (float)(t / 14 * sin(2 * M_PI * (100 + 500 * t) * t));
    }
    return wave;
}

static double largest_difference(const float *a, const float *b, int64_t count) {
    double most = 0;
    for (int64_t i = 0; i < count; i++) {
        double difference = fabs((double)a[i] - b[i]);
        if (!(difference <= most)) most = difference;
    }
    return most;
}

static void check_whole(const clip *c, const float *wave, chl_mel_mode mode, const char *name) {
    float *mel;
    int64_t frames;
    MUST(chl_mel_whole(chl_device_cpu(), wave, c->samples, mode, &mel, &frames));
    assert_int_equal(frames, 1 + c->samples / 512);
    int64_t rows = (BANDS + 4) / 5, columns = (frames + 10) / 11;
    float *expected = parity_array(name, rows * columns);
    double most = 0;
    for (int64_t i = 0; i < rows * columns; i++)
        most = fmax(most, largest_difference(expected + i,
                                             mel + i / columns * 5 * frames + i % columns * 11, 1));
    print_message("%-32s largest difference %.1e\n", name, most);
    assert_true(most <= 1e-4);
    free(expected);
    free(mel);
}

static void check_picture(const clip *c, const float *wave, chl_mel_mode mode, const char *name) {
    static float picture[SIDE * SIDE];
    MUST(chl_mel_picture(chl_device_cpu(), wave, c->samples, mode, picture));
    const int64_t side = (SIDE + 5) / 6;
    float *expected = parity_array(name, side * side);
    double most = 0;
    for (int64_t i = 0; i < side * side; i++)
        most = fmax(most, largest_difference(expected + i,
                                             picture + i / side * 6 * SIDE + i % side * 6, 1));
    print_message("%-32s largest difference %.1e\n", name, most);
    assert_true(most <= 1e-4);
    free(expected);
}

static void mel_is_librosas_and_its_picture_opencvs(void **state) {
    (void)state;
    static const chl_mel_mode modes[] = {CHL_MEL_COMPATIBLE, CHL_MEL_ABSOLUTE};
    static const char *const mode_names[] = {"compatible", "absolute"};
    for (int i = 0; i < 3; i++) {
        float *wave = wave_of(&clips[i]);
        for (int m = 0; m < 2; m++) {
            char name[64];
            snprintf(name, sizeof name, "sound/%s_%s", clips[i].name, mode_names[m]);
            check_whole(&clips[i], wave, modes[m], name);
            strcat(name, "_picture");
            check_picture(&clips[i], wave, modes[m], name);
        }
        free(wave);
    }
}

/* The result does not depend on the segments: the op on the whole clip at once gives the same, at
 * every length around the segment's and the padding's. */
static void segments_give_what_the_whole_clip_gives(void **state) {
    (void)state;
    static const int lengths[] = {1,      2,      511,    512,    1024,   1025,   1026,
                                  131071, 131072, 131583, 131584, 132607, 132608, 264193};
    for (int m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            chl_mel_mode mode = m ? CHL_MEL_COMPATIBLE : CHL_MEL_ABSOLUTE;
            float *wave = parity_formula("segments", 0, 0.3, lengths[i]), *mel;
            int64_t frames;
            MUST(chl_mel_whole(chl_device_cpu(), wave, lengths[i], mode, &mel, &frames));
            chl_graph *g;
            MUST(chl_graph_new(chl_device_cpu(), &g));
            chl_mel_settings settings = chl_mel_settings_of(mode);
            chl_tensor x = chl_input(g, "wave", chl_f32(2, 1, lengths[i]));
            chl_tensor y = chl_keep(g, chl_log_mel(g, x, &settings));
            MUST(chl_compile(g));
            MUST(chl_write(g, x, wave));
            MUST(chl_run(g, CHL_FIRST_SEGMENT));
            int64_t count;
            float *whole = parity_read(g, y, 1, &count);
            assert_int_equal(count, frames * BANDS);
            double most = largest_difference(mel, whole, count);
            if (most > 1e-5) fail_msg("%d samples, mode %d: %.1e", lengths[i], m, most);
            chl_graph_free(g);
            free(whole);
            free(mel);
            free(wave);
        }
}

/* Loudness: 20 dB less is a quarter of the scale in absolute mode and nothing in compatible mode.
 */
static void twenty_decibels_less_are_a_quarter_of_the_scale_in_absolute_mode_only(void **state) {
    (void)state;
    const clip *c = &clips[0];
    float *wave = wave_of(c), *loud, *quiet;
    int64_t frames;
    for (int m = 0; m < 2; m++) {
        chl_mel_mode mode = m ? CHL_MEL_COMPATIBLE : CHL_MEL_ABSOLUTE;
        MUST(chl_mel_whole(chl_device_cpu(), wave, c->samples, mode, &loud, &frames));
        float *softer = malloc((size_t)c->samples * sizeof *softer);
        assert_non_null(softer);
        for (int64_t i = 0; i < c->samples; i++) softer[i] = wave[i] / 10;
        MUST(chl_mel_whole(chl_device_cpu(), softer, c->samples, mode, &quiet, &frames));
        for (int64_t i = 0; i < frames * BANDS; i++) {
            float expected = m ? loud[i] : fmaxf(loud[i] - 0.25f, 0);
            if (fabsf(quiet[i] - expected) > 1e-5f) fail_msg("mode %d: %g", m, quiet[i] - expected);
        }
        free(softer);
        free(loud);
        free(quiet);
    }
    free(wave);
}

static void silence_is_all_zero_in_absolute_mode(void **state) {
    (void)state;
    static const float wave[5000];
    static float picture[SIDE * SIDE];
    MUST(chl_mel_picture(chl_device_cpu(), wave, 5000, CHL_MEL_ABSOLUTE, picture));
    for (int i = 0; i < SIDE * SIDE; i++) assert_true(picture[i] == 0);
    /* its own maximum is everywhere; the padding on the right stays 0 */
    MUST(chl_mel_picture(chl_device_cpu(), wave, 5000, CHL_MEL_COMPATIBLE, picture));
    assert_true(picture[0] == 1 && picture[SIDE - 1] == 0);
}

/* A source that computes its samples: noise in the middle ten seconds, silence elsewhere. */
typedef struct made_up {
    int64_t samples, at, max_at_once;
    const float *noise; /* [441000] */
    int rewinds;
} made_up;

static chl_status made_up_read(void *user, float *out, int64_t want, int64_t *got) {
    made_up *m = user;
    int64_t left = m->samples - m->at, start = m->samples / 2 - 441000 / 2;
    *got = want < left ? want : left;
    for (int64_t i = 0; i < *got; i++, m->at++) {
        bool inside = m->at >= start && m->at < start + 441000;
        out[i] = inside ? m->noise[m->at - start] : 0;
    }
    if (*got > m->max_at_once) m->max_at_once = *got;
    return CHL_OK;
}

static chl_status made_up_rewind(void *user) {
    made_up *m = user;
    m->at = 0;
    m->rewinds++;
    return CHL_OK;
}

/* Half a second: behind its 44 frames they begin again, or there is silence. */
static void a_short_sound_is_repeated_where_the_mode_says_so(void **state) {
    (void)state;
    enum { FRAMES = 44 };
    static float padded[CHL_MEL_BANDS * CHL_MEL_FRAMES], repeated[CHL_MEL_BANDS * CHL_MEL_FRAMES];
    float *noise = parity_formula("short", 0, 0.3, 441000);
    const chl_mel_size whole = {CHL_MEL_BANDS, CHL_MEL_FRAMES};
    for (int again = 0; again < 2; again++) {
        made_up half = {.samples = 22050, .noise = noise};
        const chl_wave_source source = {half.samples, made_up_read, made_up_rewind, &half};
        MUST(chl_mel_picture_from(chl_device_cpu(), &source,
                                  again ? CHL_MEL_REPEATED : CHL_MEL_ABSOLUTE, whole,
                                  again ? repeated : padded));
    }
    for (int i = 0; i < CHL_MEL_BANDS * CHL_MEL_FRAMES; i++) {
        const int frame = i % CHL_MEL_FRAMES;
        assert_true(repeated[i] == padded[i - frame + frame % FRAMES]);
        assert_true(frame < FRAMES ? padded[i] > 0 : padded[i] == 0);
    }
    free(noise);
}

/* Twenty minutes; ten hours take thirty times as long and no more memory. The noise appears in the
 * right frames. */
static void long_sounds_are_read_in_small_portions_whatever_their_header_claims(void **state) {
    (void)state;
    float *noise = parity_formula("hour", 0, 0.3, 441000);
    static float picture[SIDE * SIDE], honest[SIDE * SIDE];
    made_up twenty = {.samples = (int64_t)1200 * 44100, .noise = noise};
    chl_wave_source source = {twenty.samples, made_up_read, made_up_rewind, &twenty};
    MUST(chl_mel_picture_from(chl_device_cpu(), &source, CHL_MEL_COMPATIBLE, usual, honest));
    assert_int_equal(twenty.rewinds, 0);
    assert_true(twenty.max_at_once <= 65536);
    double mean = 0;
    for (int i = 0; i < SIDE * SIDE; i++) mean += honest[i] / (SIDE * SIDE);
    assert_true(mean > 0.7);

    /* a header that lies costs a second reading and changes nothing */
    static const int64_t lies[] = {0, -5, 1000, INT64_MAX / 65536};
    made_up half = {.samples = (int64_t)30 * 44100, .noise = noise};
    source = (chl_wave_source){half.samples, made_up_read, made_up_rewind, &half};
    MUST(chl_mel_picture_from(chl_device_cpu(), &source, CHL_MEL_COMPATIBLE, usual, honest));
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        float *mel;
        int64_t frames;
        half.at = half.rewinds = 0;
        source.samples = lies[i];
        MUST(chl_mel_picture_from(chl_device_cpu(), &source, CHL_MEL_COMPATIBLE, usual, picture));
        assert_int_equal(half.rewinds, 1);
        assert_memory_equal(picture, honest, sizeof picture);
        half.at = half.rewinds = 0;
        MUST(chl_mel_whole_from(chl_device_cpu(), &source, CHL_MEL_COMPATIBLE, &mel, &frames));
        assert_int_equal(half.rewinds, 1);
        assert_int_equal(frames, 1 + half.samples / 512);
        free(mel);
    }
    free(noise);
}

/* The graph of a sound before waits for the next, also behind one that was refused. */
static void a_sound_leaves_nothing_to_the_next(void **state) {
    (void)state;
    enum { SAMPLES = 140000, SOUNDS = 8 };
    float *wave = malloc(sizeof *wave * SAMPLES), *first, *mel[SOUNDS];
    int64_t frames, each[SOUNDS];
    for (int i = 0; i < SAMPLES; i++) wave[i] = 0.3f * sinf(1e-6f * (float)i * (float)i);
    MUST(chl_mel_whole(chl_device_cpu(), wave, SAMPLES, CHL_MEL_ABSOLUTE, &first, &frames));
    wave[70000] = NAN;
    assert_int_equal(
        chl_mel_whole(chl_device_cpu(), wave, SAMPLES, CHL_MEL_COMPATIBLE, &mel[0], &each[0]),
        CHL_ERR_NUMERIC);
    wave[70000] = 0.3f * sinf(1e-6f * 70000.0f * 70000.0f);
#pragma omp parallel for num_threads(4)
    for (int k = 0; k < SOUNDS; k++)
        if (chl_mel_whole(chl_device_cpu(), wave, SAMPLES, CHL_MEL_ABSOLUTE, &mel[k], &each[k]) !=
            CHL_OK)
            mel[k] = NULL;
    for (int k = 0; k < SOUNDS; k++) {
        assert_non_null(mel[k]);
        assert_int_equal(each[k], frames);
        assert_memory_equal(mel[k], first, sizeof *first * CHL_MEL_BANDS * (size_t)frames);
        free(mel[k]);
    }
    free(first);
    free(wave);
}

static void samples_that_are_no_sound_are_refused_and_placed(void **state) {
    (void)state;
    static float wave[3000], picture[SIDE * SIDE];
    chl_device *cpu = chl_device_cpu();
    assert_int_equal(chl_mel_picture(cpu, wave, 0, CHL_MEL_ABSOLUTE, picture), CHL_ERR_ARGUMENT);
    wave[2205] = NAN;
    assert_int_equal(chl_mel_picture(cpu, wave, 3000, CHL_MEL_ABSOLUTE, picture), CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "2205"));
    assert_non_null(strstr(chl_error(), "0.05"));
    wave[2205] = -INFINITY;
    assert_int_equal(chl_mel_picture(cpu, wave, 3000, CHL_MEL_ABSOLUTE, picture), CHL_ERR_NUMERIC);
    wave[2205] = 1e30f; /* its power overflows */
    assert_int_equal(chl_mel_picture(cpu, wave, 3000, CHL_MEL_ABSOLUTE, picture), CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "too loud"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mel_is_librosas_and_its_picture_opencvs),
        cmocka_unit_test(segments_give_what_the_whole_clip_gives),
        cmocka_unit_test(twenty_decibels_less_are_a_quarter_of_the_scale_in_absolute_mode_only),
        cmocka_unit_test(silence_is_all_zero_in_absolute_mode),
        cmocka_unit_test(a_short_sound_is_repeated_where_the_mode_says_so),
        cmocka_unit_test(long_sounds_are_read_in_small_portions_whatever_their_header_claims),
        cmocka_unit_test(a_sound_leaves_nothing_to_the_next),
        cmocka_unit_test(samples_that_are_no_sound_are_refused_and_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
