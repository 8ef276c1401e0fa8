/* The predecessor's audio encoder through the engine: its own picture of a sound, against librosa,
 * OpenCV and timm (tests/fixtures/make_resnet18.py). */
#include "eval/embed.h"
#include "harness/parity.h"
#include "models/engine.h"
#include <string.h>

#define WEIGHTS CHLADNI_FIXTURES "/resnet18/small.safetensors"
#define SOUND CHLADNI_FIXTURES "/sound/rain.wav"
enum { EMBEDDING = 12 };

static chl_engine *open_engine(chl_mel_mode mode) {
    const chl_engine_options options = {
        .size = sizeof options, .audio = WEIGHTS, .mel = mode, .device = "cpu"};
    chl_engine *engine;
    MUST(chl_engine_open(&options, &engine));
    return engine;
}

static void the_predecessors_encoder_hears_as_the_originals(void **state) {
    (void)state;
    chl_engine *engine = open_engine(CHL_MEL_AUTO);
    assert_int_equal(engine->audio->mel, CHL_MEL_COMPATIBLE);
    assert_int_equal(chl_engine_get_sizes(engine).embedding, EMBEDDING);
    float alone[EMBEDDING], many[2 * EMBEDDING];
    MUST(chl_embed_sound(engine, SOUND, alone));
    const chl_media sounds[] = {{.path = SOUND}, {.path = SOUND}};
    MUST(chl_eval_embed_sounds(engine->audio, 2, sounds, NULL, NULL, many));
    float *want = parity_array("resnet18/heard", EMBEDDING);
    assert_true(parity_error("resnet18/heard", alone, want, EMBEDDING) <= 1e-4);
    assert_true(parity_error("the second of two", many + EMBEDDING, want, EMBEDDING) <= 1e-4);
    free(want);
    chl_engine_close(engine);
}

static void a_level_needs_absolute_mel_and_changes_what_is_heard(void **state) {
    (void)state;
    chl_engine *engine = open_engine(CHL_MEL_AUTO);
    float embedding[EMBEDDING];
    assert_int_equal(chl_embed_sound_level(engine, SOUND, 6, embedding), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "its own maximum"));
    assert_int_equal(chl_embed_sound_level(engine, SOUND, NAN, embedding), CHL_ERR_ARGUMENT);
    chl_engine_close(engine);
    engine = open_engine(CHL_MEL_ABSOLUTE);
    float plain[EMBEDDING], louder[EMBEDDING];
    MUST(chl_embed_sound(engine, SOUND, plain));
    MUST(chl_embed_sound_level(engine, SOUND, 0, embedding));
    assert_memory_equal(embedding, plain, sizeof plain); /* 0 dB are no change */
    MUST(chl_embed_sound_level(engine, SOUND, 6, louder));
    assert_true(parity_error("6 dB louder", louder, plain, EMBEDDING) > 1e-3);
    chl_engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_predecessors_encoder_hears_as_the_originals),
        cmocka_unit_test(a_level_needs_absolute_mel_and_changes_what_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
