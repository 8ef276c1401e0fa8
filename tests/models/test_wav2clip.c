/* Wav2CLIP against its released code on random weights, from sound files to embeddings
 * (tests/fixtures/make_wav2clip.py). */
#include "harness/parity.h"
#include "models/engine.h"
#include <math.h>
#include <string.h>

#define WEIGHTS CHLADNI_FIXTURES "/wav2clip/small.safetensors"
#define RAIN CHLADNI_FIXTURES "/sound/rain.wav"  /* 16 kHz, 2.5 s */
#define TONE CHLADNI_FIXTURES "/sound/tone.flac" /* 48 kHz, stereo, 0.25 s */
enum { EMBEDDING = 20 };

static chl_status open_engine(chl_mel_mode mel, chl_engine **out) {
    const chl_engine_options options = {
        .size = sizeof options, .audio = WEIGHTS, .mel = mel, .device = "cpu"};
    return chl_engine_open(&options, out);
}

static void sounds_of_any_rate_and_length_are_heard_as_by_the_original(void **state) {
    (void)state;
    chl_engine *engine;
    MUST(open_engine(CHL_MEL_AUTO, &engine));
    assert_int_equal(chl_engine_get_sizes(engine).embedding, EMBEDDING);
    float rain[EMBEDDING], tone[EMBEDDING];
    MUST(chl_embed_sound(engine, RAIN, rain));
    MUST(chl_embed_sound(engine, TONE, tone));
    float *want = parity_array("wav2clip/heard", 2 * EMBEDDING);
    assert_true(parity_error("wav2clip/heard, rain.wav", rain, want, EMBEDDING) <= 1e-4);
    assert_true(parity_error("wav2clip/heard, tone.flac", tone, want + EMBEDDING, EMBEDDING) <=
                1e-4);
    free(want);
    chl_engine_close(engine);
}

static void sounds_of_several_lengths_in_one_call_are_heard_as_alone(void **state) {
    (void)state;
    const char *const paths[] = {TONE, RAIN, RAIN, RAIN, TONE};
    enum { COUNT = sizeof paths / sizeof paths[0] };
    chl_engine *engine;
    MUST(open_engine(CHL_MEL_AUTO, &engine));
    float many[COUNT][EMBEDDING], alone[EMBEDDING];
    MUST(chl_embed_sounds(engine, COUNT, paths, NULL, many[0]));
    for (int i = 0; i < COUNT; i++) {
        MUST(chl_embed_sound(engine, paths[i], alone));
        assert_memory_equal(many[i], alone, sizeof alone);
    }
    chl_engine_close(engine);
}

static void of_a_long_sound_the_middle_half_minute_is_heard(void **state) {
    (void)state;
    enum { RATE = 16000, HEARD = 30 * RATE, BEFORE = 5001 };
    chl_engine *engine;
    MUST(open_engine(CHL_MEL_AUTO, &engine));
    float *noise = parity_formula("noise", 0, 0.1, HEARD + 2 * BEFORE);
    float whole[EMBEDDING], middle[EMBEDDING];
    MUST(chl_embed_sound_samples(engine, RATE, 1, HEARD + 2 * BEFORE, noise, 0, whole));
    MUST(chl_embed_sound_samples(engine, RATE, 1, HEARD, noise + BEFORE, 0, middle));
    assert_memory_equal(whole, middle, sizeof whole);
    free(noise);
    chl_engine_close(engine);
}

static void what_it_cannot_hear_is_an_error(void **state) {
    (void)state;
    chl_engine *engine;
    float embedding[EMBEDDING];
    assert_int_equal(open_engine(CHL_MEL_ABSOLUTE, &engine), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "mel must be auto"));
    MUST(open_engine(CHL_MEL_AUTO, &engine));
    assert_int_equal(chl_embed_sound_level(engine, RAIN, 6, embedding), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "a Wav2CLIP audio encoder"));
    chl_engine_close(engine);
}

static void a_sound_shorter_than_half_a_frame_is_heard(void **state) {
    (void)state;
    const float click[3] = {0, 1, 0};
    float embedding[EMBEDDING], square = 0;
    chl_engine *engine;
    MUST(open_engine(CHL_MEL_AUTO, &engine));
    MUST(chl_embed_sound_samples(engine, 16000, 1, 3, click, 0, embedding));
    for (int i = 0; i < EMBEDDING; i++) square += embedding[i] * embedding[i];
    assert_true(fabsf(square - 1) < 1e-5f);
    chl_engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sounds_of_any_rate_and_length_are_heard_as_by_the_original),
        cmocka_unit_test(sounds_of_several_lengths_in_one_call_are_heard_as_alone),
        cmocka_unit_test(of_a_long_sound_the_middle_half_minute_is_heard),
        cmocka_unit_test(what_it_cannot_hear_is_an_error),
        cmocka_unit_test(a_sound_shorter_than_half_a_frame_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
