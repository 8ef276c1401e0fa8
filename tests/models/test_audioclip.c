/* AudioCLIP against its released code on random weights, from samples to embeddings
 * (tests/fixtures/make_audioclip.py). */
#include "harness/parity.h"
#include "models/engine.h"
#include <string.h>

#define WEIGHTS CHLADNI_FIXTURES "/audioclip/small.safetensors"
enum { EMBEDDING = 24 };

static void sounds_of_any_length_are_heard_as_by_the_original(void **state) {
    (void)state;
    enum { RATE = 44100, LONG = 30001, SHORT = 1000 }; /* SHORT: less than a frame */
    const chl_engine_options options = {.size = sizeof options, .audio = WEIGHTS, .device = "cpu"};
    chl_engine *engine;
    MUST(chl_engine_open(&options, &engine));
    assert_int_equal(chl_engine_get_sizes(engine).embedding, EMBEDDING);
    float *noise = parity_formula("noise", 0, 0.5, LONG), got[EMBEDDING], louder[EMBEDDING];
    float *want = parity_array("audioclip/heard", 2 * EMBEDDING);
    MUST(chl_embed_sound_samples(engine, RATE, 1, SHORT, noise, 0, got));
    assert_true(parity_error("audioclip/heard, 0.02 s", got, want + EMBEDDING, EMBEDDING) <= 1e-4);
    MUST(chl_embed_sound_samples(engine, RATE, 1, LONG, noise, 0, got));
    assert_true(parity_error("audioclip/heard, 0.7 s", got, want, EMBEDDING) <= 1e-4);
    MUST(chl_embed_sound_samples(engine, RATE, 1, LONG, noise, 6, louder));
    assert_true(parity_error("6 dB louder", louder, got, EMBEDDING) > 1e-3);
    free(noise);
    free(want);
    chl_engine_close(engine);
}

static void one_file_is_the_audio_encoder_and_the_clip(void **state) {
    (void)state;
    const chl_engine_options options = {.size = sizeof options,
                                        .audio = WEIGHTS,
                                        .clip = WEIGHTS,
                                        .clip_image_heads = 1,
                                        .clip_text_heads = 2,
                                        .device = "cpu"};
    chl_engine *engine;
    MUST(chl_engine_open(&options, &engine));
    float *pixels = parity_formula("picture", 0, 1, 32 * 32 * 3), embedding[EMBEDDING];
    MUST(chl_embed_picture(engine, 32, 32, pixels, embedding));
    free(pixels);
    chl_engine_close(engine);
}

static void a_missing_array_is_named(void **state) {
    (void)state;
    static const char *const names[] = {"audio.layer2.1.conv2.weight", "audio.att3.conv_point.bias",
                                        "audio.fbsp.fc", "audio.fc.weight"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        chl_model model = {.place = {.device = chl_device_cpu(), .precision = CHL_F32}};
        chl_audio_encoder *encoder;
        model.params = parity_weights("audioclip/small.safetensors");
        chl_params_drop(model.params, names[i]);
        assert_int_equal(chl_audio_encoder_new(&model, &chl_kind_audioclip, CHL_MEL_AUTO, &encoder),
                         CHL_ERR_KEY);
        assert_non_null(strstr(chl_error(), names[i] + strlen("audio.")));
        assert_null(encoder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sounds_of_any_length_are_heard_as_by_the_original),
        cmocka_unit_test(one_file_is_the_audio_encoder_and_the_clip),
        cmocka_unit_test(a_missing_array_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
