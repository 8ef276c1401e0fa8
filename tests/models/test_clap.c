/* LAION-CLAP's audio encoder against its released code's parts on random weights, from samples to
 * embeddings (tests/fixtures/make_clap.py). */
#include "harness/parity.h"
#include "harness/small_models.h"
#include "models/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EMBEDDING = 16, RATE = 48000, CLIP = 480000, TAPS = 1024, BINS = 513, BANDS = 64 };

/* The Fourier transform with its window, as the checkpoint's convolutions have it. */
static void add_transform(chl_params *params) {
    void *re, *im;
    MUST(chl_params_add(params, "audio_branch.spectrogram_extractor.stft.conv_real.weight",
                        chl_f32(3, BINS, 1, TAPS), &re));
    MUST(chl_params_add(params, "audio_branch.spectrogram_extractor.stft.conv_imag.weight",
                        chl_f32(3, BINS, 1, TAPS), &im));
    for (int k = 0; k < BINS; k++)
        for (int i = 0; i < TAPS; i++) {
            const double turn = 2 * M_PI / TAPS, window = 0.5 - 0.5 * cos(turn * i);
            ((float *)re)[k * TAPS + i] = (float)(window * cos(turn * (k * i % TAPS)));
            ((float *)im)[k * TAPS + i] = (float)(window * -sin(turn * (k * i % TAPS)));
        }
}

/* mel.npy has the rows of the bins 2 to 298; the others are zeros. */
static void add_mel(chl_params *params) {
    enum { FIRST = 2, ROWS = 297 };
    void *mel;
    float *rows = parity_array("clap/mel", ROWS * BANDS);
    MUST(chl_params_add(params, "audio_branch.logmel_extractor.melW", chl_f32(2, BINS, BANDS),
                        &mel));
    memset(mel, 0, sizeof(float) * BINS * BANDS);
    memcpy((float *)mel + FIRST * BANDS, rows, sizeof(float) * ROWS * BANDS);
    free(rows);
}

static chl_params *weights(void) {
    chl_params *params = parity_weights("clap/small.safetensors");
    add_transform(params);
    add_mel(params);
    return params;
}

static void sounds_of_any_length_are_heard_as_by_the_original(void **state) {
    (void)state;
    enum { SHORT = 150001, LONG = CLIP + 2 * 777 };
    chl_model model = {.place = {.device = chl_device_cpu(), .precision = CHL_F32}};
    chl_audio_encoder *encoder;
    model.params = weights();
    MUST(chl_audio_encoder_new(&model, &chl_kind_clap, CHL_MEL_AUTO, &encoder));
    float *noise = parity_formula("noise", 0, 0.9, LONG), got[EMBEDDING];
    float *want = parity_array("clap/heard", 2 * EMBEDDING);
    for (int i = 0; i < 2; i++) {
        chl_sound *sound;
        MUST(chl_sound_open_samples(RATE, 1, i ? LONG : SHORT, noise, "noise", &sound));
        MUST(chl_audio_encoder_embed_sound(encoder, sound, 0, got));
        chl_sound_close(sound);
        assert_true(parity_error(i ? "clap/heard, the middle" : "clap/heard, three times", got,
                                 want + i * EMBEDDING, EMBEDDING) <= 1e-4);
    }
    free(noise);
    free(want);
    chl_audio_encoder_close(encoder);
}

static void it_is_refused_beside_a_clip(void **state) {
    (void)state;
    char folder[] = "/tmp/chladni-clap-XXXXXX", audio[64], clip[64];
    assert_non_null(mkdtemp(folder));
    snprintf(audio, sizeof audio, "%s/clap.safetensors", folder);
    snprintf(clip, sizeof clip, "%s/clip.safetensors", folder);
    const chl_engine_options options = {
        .size = sizeof options, .audio = audio, .clip = clip, .device = "cpu"};
    chl_engine *engine;
    save_model(weights(), audio);
    save_small_clip(2, EMBEDDING, 2, clip);
    assert_int_equal(chl_engine_open(&options, &engine), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "a space of their own"));
    assert_int_equal(remove(audio) | remove(clip) | remove(folder), 0);
}

static void hugging_faces_file_hears_and_reads_as_its_code(void **state) {
    (void)state;
    enum { SHORT = 150001, LONG = CLIP + 2 * 777 };
    static const char *const texts[2] = {"This is a sound of rain.", "rain"};
    const chl_engine_options options = {.size = sizeof options,
                                        .audio = CHLADNI_FIXTURES "/clap/hf.safetensors",
                                        .clip = CHLADNI_FIXTURES "/clap/hf.safetensors",
                                        .vocab = CHLADNI_FIXTURES "/clap/tokenizer.json",
                                        .device = "cpu"};
    chl_engine *engine;
    float *noise = parity_formula("noise", 0, 0.9, LONG), got[4 * EMBEDDING];
    float *want = parity_array("clap/hf", 4 * EMBEDDING);
    MUST(chl_engine_open(&options, &engine));
    for (int i = 0; i < 2; i++)
        MUST(chl_embed_sound_samples(engine, RATE, 1, i ? LONG : SHORT, noise, 0,
                                     got + i * EMBEDDING));
    for (int i = 0; i < 2; i++) MUST(chl_embed_text(engine, texts[i], got + (2 + i) * EMBEDDING));
    assert_true(parity_error("clap/hf, sounds", got, want, 2 * EMBEDDING) <= 1e-4);
    assert_true(parity_error("clap/hf, texts", got + 2 * EMBEDDING, want + 2 * EMBEDDING,
                             2 * EMBEDDING) <= 1e-5);
    free(noise);
    free(want);
    chl_engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sounds_of_any_length_are_heard_as_by_the_original),
        cmocka_unit_test(it_is_refused_beside_a_clip),
        cmocka_unit_test(hugging_faces_file_hears_and_reads_as_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
