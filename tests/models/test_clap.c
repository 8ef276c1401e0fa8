/* LAION-CLAP's audio encoder against its released code's parts on random weights, from samples to
 * embeddings (tests/fixtures/make_clap.py). */
#include "harness/parity.h"
#include "harness/small_models.h"
#include "models/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- with feature fusion ---------------------------------------------------------------------- */
/* The arrays of `name` too. */
static void add_all(chl_params *params, const char *name) {
    chl_params *more = parity_weights(name);
    for (int64_t i = 0; i < more->count; i++) {
        const chl_array *from = &more->array[i];
        void *to;
        MUST(chl_params_add(params, from->name, from->desc, &to));
        memcpy(to, from->data, (size_t)chl_bytes(&from->desc));
    }
    chl_params_free(more);
}

static chl_audio_encoder *open_encoder(chl_params *params) {
    chl_model model = {.params = params,
                       .place = {.device = chl_device_cpu(), .precision = CHL_F32}};
    chl_audio_encoder *encoder;
    MUST(chl_audio_encoder_new(&model, &chl_kind_clap_fused, CHL_MEL_AUTO, &encoder));
    return encoder;
}

static chl_sound *open_samples(const float *wave, int64_t samples) {
    chl_sound *sound;
    MUST(chl_sound_open_samples(RATE, 1, samples, wave, "noise", &sound));
    return sound;
}

/* The front end that the released files have and do not use is there, too. */
static void a_released_file_with_fusion_hears_a_long_sound_as_a_whole(void **state) {
    (void)state;
    enum { SHORT = 150001, LONG = CLIP + 2 * 777 };
    chl_params *params = weights();
    add_all(params, "clap/fusion.safetensors");
    chl_audio_encoder *encoder = open_encoder(params);
    float *noise = parity_formula("noise", 0, 0.9, LONG), got[EMBEDDING];
    float *want = parity_array("clap/fused", 2 * EMBEDDING);
    for (int i = 0; i < 2; i++) {
        chl_sound *sound = open_samples(noise, i ? LONG : SHORT);
        MUST(chl_audio_encoder_embed_sound(encoder, sound, 0, got));
        chl_sound_close(sound);
        assert_true(parity_error(i ? "clap/fused, longer" : "clap/fused, three times", got,
                                 want + i * EMBEDDING, EMBEDDING) <= 1e-5);
    }
    free(noise);
    free(want);
    chl_audio_encoder_close(encoder);
}

enum { FUSED = 6, LONGEST = 3 * CLIP + 12345, BLOCK = 9600 };
static const int64_t fused_samples[FUSED] = {150001,      CLIP + 400, CLIP + 500,
                                             CLIP + 1000, 700001,     LONGEST};

/* Of changing loudness, so that parts of it differ. */
static float *changing_noise(void) {
    float *wave = parity_formula("noise", 0, 0.9, LONGEST);
    float *loudness = parity_formula("loudness", 0, 1, LONGEST / BLOCK + 1);
    for (int64_t i = 0; i < LONGEST; i++) wave[i] *= loudness[i / BLOCK];
    free(loudness);
    return wave;
}

static chl_params *hugging_faces_fused(void) {
    chl_params *params = parity_weights("clap/hf.safetensors");
    add_all(params, "clap/hf_fusion.safetensors");
    return params;
}

/* Through the public functions: the file says itself that it fuses. */
static void hugging_faces_file_with_fusion_hears_sounds_of_any_length(void **state) {
    (void)state;
    char path[] = "/tmp/chladni-clap-XXXXXX.safetensors";
    const int file = mkstemps(path, 12);
    const chl_engine_options options = {.size = sizeof options,
                                        .audio = path,
                                        .clip = path,
                                        .vocab = CHLADNI_FIXTURES "/clap/tokenizer.json",
                                        .device = "cpu"};
    chl_engine *engine;
    char models[512];
    float *noise = changing_noise(), got[FUSED * EMBEDDING], text[EMBEDDING];
    float *want = parity_array("clap/hf_fused", FUSED * EMBEDDING);
    float *said = parity_array("clap/hf", 4 * EMBEDDING);
    assert_true(file >= 0);
    save_model(hugging_faces_fused(), path);
    MUST(chl_weights_models(path, sizeof models, models));
    assert_non_null(strstr(models, "with feature fusion (hears ten seconds at 48 kHz"));
    MUST(chl_engine_open(&options, &engine));
    for (int i = 0; i < FUSED; i++) {
        char what[64];
        snprintf(what, sizeof what, "clap/hf_fused, %lld samples", (long long)fused_samples[i]);
        MUST(chl_embed_sound_samples(engine, RATE, 1, fused_samples[i], noise, 0,
                                     got + (int64_t)i * EMBEDDING));
        assert_true(parity_error(what, got + (int64_t)i * EMBEDDING, want + (int64_t)i * EMBEDDING,
                                 EMBEDDING) <= 1e-5);
    }
    MUST(chl_embed_text(engine, "rain", text));
    assert_true(parity_error("clap/hf_fused, text", text, said + (int64_t)3 * EMBEDDING,
                             EMBEDDING) <= 1e-5);
    chl_engine_close(engine);
    free(noise);
    free(want);
    free(said);
    assert_int_equal(close(file) | remove(path), 0);
}

static chl_status open_noise(void *user, int64_t index, chl_sound **sound) {
    *sound = open_samples(user, fused_samples[index]);
    return CHL_OK;
}

static void close_noise(void *user, chl_sound *sound) {
    (void)user;
    chl_sound_close(sound);
}

/* Sounds of one square and of four go into one run. */
static void short_and_long_sounds_in_one_batch_are_as_alone(void **state) {
    (void)state;
    float *noise = changing_noise();
    const chl_sound_files files = {
        .count = FUSED, .open = open_noise, .close = close_noise, .user = noise};
    chl_audio_encoder *encoder = open_encoder(hugging_faces_fused());
    float got[FUSED * EMBEDDING], *want = parity_array("clap/hf_fused", FUSED * EMBEDDING);
    MUST(chl_audio_encoder_embed_files(encoder, 3, &files, got));
    assert_true(parity_error("clap/hf_fused, in batches", got, want, FUSED * EMBEDDING) <= 1e-5);
    free(noise);
    free(want);
    chl_audio_encoder_close(encoder);
}

static void another_kind_of_fusion_is_refused(void **state) {
    (void)state;
    chl_model model = {.place = {.device = chl_device_cpu(), .precision = CHL_F32}};
    chl_audio_encoder *encoder;
    void *data;
    model.params = hugging_faces_fused();
    MUST(chl_params_add(
        model.params,
        "audio_model.audio_encoder.patch_embed.fusion_model.local_att2.0.weight", /* iAFF */
        chl_f32(4, 2, 8, 1, 1), &data));
    memset(data, 0, sizeof(float) * 2 * 8);
    assert_int_equal(chl_audio_encoder_new(&model, &chl_kind_clap_fused, CHL_MEL_AUTO, &encoder),
                     CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "local_att2"));
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
        cmocka_unit_test(a_released_file_with_fusion_hears_a_long_sound_as_a_whole),
        cmocka_unit_test(hugging_faces_file_with_fusion_hears_sounds_of_any_length),
        cmocka_unit_test(short_and_long_sounds_in_one_batch_are_as_alone),
        cmocka_unit_test(another_kind_of_fusion_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
