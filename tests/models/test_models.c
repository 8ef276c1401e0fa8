/* Opened models: which kind a file is, graphs that are kept, one or many, from files or memory. On
 * small random models: they know nothing, but their bits can be compared. */
#include "harness/full_merges.h"
#include "harness/parity.h"
#include "io/weights.h"
#include "models/engine.h"
#include "nets/small_models.h"
#include <chladni/engine.h>
#include <string.h>
#include <unistd.h>

#define MERGES "m.txt"
#define SOUND CHLADNI_FIXTURES "/sound/rain.wav"
enum { EMBED = 128 };

static char folder[] = "/tmp/chladni-models-XXXXXX";
static chl_engine *engine;

static chl_model_place cpu(void) {
    return (chl_model_place){.device = chl_device_cpu(), .precision = CHL_F32};
}

static int open_models(void **state) {
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    MUST(chl_weights_random("generator", 1, "g.safetensors"));
    MUST(chl_weights_random("clip", 2, "c.safetensors"));
    MUST(chl_weights_random("audio", 3, "a.safetensors"));
    MUST(chl_weights_random("face", 4, "f.safetensors"));
    write_full_merges(CHLADNI_FIXTURES "/text/merges.txt", MERGES);
    const chl_engine_options options = {.size = sizeof options,
                                        .generator = "g.safetensors",
                                        .clip = "c.safetensors",
                                        .vocab = MERGES,
                                        .audio = "a.safetensors",
                                        .face = "f.safetensors",
                                        .mel = CHL_MEL_ABSOLUTE,
                                        .device = "cpu"};
    MUST(chl_engine_open(&options, &engine));
    return 0;
}

static int close_models(void **state) {
    (void)state;
    chl_engine_close(engine);
    static const char *const files[] = {"g.safetensors", "c.safetensors", "a.safetensors",
                                        "f.safetensors", "p.png",         "s.wav",
                                        MERGES};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) unlink(files[i]);
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

/* --- kinds ------------------------------------------------------------------------------------ */
static void a_file_of_another_role_is_named(void **state) {
    (void)state;
    const chl_model_place place = cpu();
    chl_generator *generator;
    chl_audio_encoder *encoder;
    chl_face *face;
    chl_clip *clip;
    const chl_generator_settings plain = {0};
    const chl_clip_settings settings = {0};
    assert_int_equal(chl_generator_open(&place, "c.safetensors", &plain, &generator), CHL_ERR_KEY);
    assert_string_equal(chl_error(),
                        "c.safetensors: holds a CLIP pair, where a generator is expected");
    assert_null(generator);
    assert_int_equal(chl_audio_encoder_open(&place, "f.safetensors", CHL_MEL_AUTO, &encoder),
                     CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "an ArcFace encoder, where an audio encoder"));
    assert_int_equal(chl_face_open(&place, "a.safetensors", &face), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "a Swin audio encoder, where a face encoder"));
    assert_int_equal(chl_clip_open(&place, "g.safetensors", NULL, &settings, &clip), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "a StyleGAN2 generator, where a CLIP pair"));
}

static void a_file_that_is_no_model_gets_the_readers_text(void **state) {
    (void)state;
    const chl_model_place place = cpu();
    const chl_generator_settings plain = {0};
    chl_generator *generator;
    const int64_t dim[] = {3};
    MUST(chl_array_write("p.npy", 1, dim, (float[]){1, 2, 3}));
    assert_int_equal(chl_generator_open(&place, "p.npy", &plain, &generator), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "synthesis.b4.const"));
    unlink("p.npy");
}

/* --- graphs that are kept --------------------------------------------------------------------- */
static void one_graph_serves_many_calls(void **state) {
    (void)state;
    const chl_model *clip = &engine->clip->model;
    float first[EMBED], again[EMBED], other[EMBED];
    const int64_t before = clip->compilations;
    MUST(chl_embed_text(engine, "rain", first));
    for (int i = 0; i < 5; i++) MUST(chl_embed_text(engine, i % 2 ? "fire" : "a storm", other));
    MUST(chl_embed_text(engine, "rain", again));
    assert_int_equal(clip->compilations, before + 1);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
}

/* More sizes than are kept: the tower stays, since every picture uses it; the preprocessing of the
 * first size made room and is compiled again, to the same bits. */
static void more_shapes_than_are_kept(void **state) {
    (void)state;
    enum { SHAPES = CHL_GRAPHS_KEPT + 2, PIXELS = 3 * (70 + SHAPES) * 90 };
    chl_model *clip = &engine->clip->model;
    float *pixels = parity_formula("picture", 0, 1, PIXELS), first[EMBED], again[EMBED];
    chl_model_forget_graphs(clip);
    const int64_t before = clip->compilations;
    for (int i = 0; i < SHAPES; i++)
        MUST(chl_embed_picture(engine, 70 + i, 90, pixels, i ? again : first));
    assert_int_equal(clip->compilations, before + 1 + SHAPES);
    MUST(chl_embed_picture(engine, 70, 90, pixels, again));
    assert_int_equal(clip->compilations, before + 2 + SHAPES);
    assert_memory_equal(first, again, sizeof first);
    int kept = 0;
    for (int i = 0; i < CHL_GRAPHS_KEPT; i++) kept += clip->kept[i].graph != NULL;
    assert_int_equal(kept, CHL_GRAPHS_KEPT);
    free(pixels);
}

/* --- one or many ------------------------------------------------------------------------------ */
static void expect_equal_rows(const char *what, const float *many, int row, const float *one) {
    const float *got = many + (size_t)row * EMBED;
    if (memcmp(got, one, EMBED * sizeof *one) != 0)
        fail_msg("%s %d has other bits than alone", what, row);
}

static void many_texts_are_as_one_each(void **state) {
    (void)state;
    enum { MANY = 35 }; /* a whole run and the beginning of another */
    static float many[MANY * EMBED];
    const char *text[MANY];
    char word[MANY][16];
    for (int i = 0; i < MANY; i++) {
        snprintf(word[i], sizeof word[i], "rain %d", i);
        text[i] = word[i];
    }
    MUST(chl_embed_texts(engine, MANY, text, many));
    for (int i = 0; i < MANY; i++) {
        float one[EMBED];
        MUST(chl_embed_text(engine, text[i], one));
        expect_equal_rows("text", many, i, one);
    }
    assert_memory_not_equal(many, many + EMBED, sizeof(float) * EMBED);
    MUST(chl_embed_texts(engine, 0, text, many));
    assert_int_equal(chl_embed_texts(engine, -1, text, many), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_embed_texts(engine, 1, NULL, many), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "chl_embed_texts: argument `utf8` must not be NULL");
}

static void many_pictures_are_as_one_each(void **state) {
    (void)state;
    enum { MANY = 3, HEIGHT = 40, WIDTH = 50, PICTURE = 3 * HEIGHT * WIDTH };
    float many[MANY * EMBED];
    float *pixels = parity_formula("pictures", 0, 1, MANY * PICTURE);
    MUST(chl_embed_pictures(engine, MANY, HEIGHT, WIDTH, pixels, many));
    for (int i = 0; i < MANY; i++) {
        float one[EMBED];
        MUST(chl_embed_picture(engine, HEIGHT, WIDTH, pixels + i * PICTURE, one));
        expect_equal_rows("picture", many, i, one);
    }
    assert_memory_not_equal(many, many + EMBED, sizeof(float) * EMBED);
    assert_int_equal(chl_embed_pictures(engine, MANY, 0, WIDTH, pixels, many), CHL_ERR_ARGUMENT);
    free(pixels);
}

/* --- files or memory -------------------------------------------------------------------------- */
static void *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    void *data = malloc(*size);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

/* PCM of 32-bit floats, two channels, 48 000 a second: to be mixed and resampled */
static void write_float_wave(const char *path, const float *samples, uint32_t frames) {
    const uint32_t bytes = 8 * frames;
    const uint32_t header[] = {0x46464952, 36 + bytes, 0x45564157, 0x20746d66, 16,   0x00020003,
                               48000,      8 * 48000,  0x00200008, 0x61746164, bytes};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, sizeof header, 1, file), 1);
    assert_int_equal(fwrite(samples, bytes, 1, file), 1);
    fclose(file);
}

static bool built_without_media(chl_status status) {
    return status == CHL_ERR_UNSUPPORTED;
}

static void samples_are_heard_as_the_file_is(void **state) {
    (void)state;
    enum { FRAMES = 60000 };
    float *samples = parity_formula("wave", 0, 0.2, 2 * FRAMES);
    float file[EMBED], memory[EMBED];
    write_float_wave("s.wav", samples, FRAMES);
    const chl_status status = chl_embed_sound_level(engine, "s.wav", -6, file);
    if (built_without_media(status)) skip();
    MUST(status);
    MUST(chl_embed_sound_samples(engine, 48000, 2, FRAMES, samples, -6, memory));
    assert_memory_equal(file, memory, sizeof file);
    MUST(chl_embed_sound_samples(engine, 44100, 2, FRAMES, samples, -6, memory));
    assert_memory_not_equal(file, memory, sizeof file);

    float one[EMBED];
    assert_int_equal(chl_embed_sound_samples(engine, 44100, 0, 1, samples, 0, one),
                     CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "channels must be >= 1, got 0");
    assert_int_equal(chl_embed_sound_samples(engine, 10, 1, 1, samples, 0, one), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "rate must be 1000 to 768000, got 10");
    assert_int_equal(chl_embed_sound_samples(engine, 44100, 1, 0, samples, 0, one),
                     CHL_ERR_ARGUMENT);
    samples[7] = NAN;
    assert_int_equal(chl_embed_sound_samples(engine, 44100, 2, FRAMES, samples, 0, one),
                     CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "frame 3, channel 2"));
    free(samples);
}

static void a_decoded_sound_is_heard_as_the_file_is(void **state) {
    (void)state;
    size_t size;
    void *data = read_file(SOUND, &size);
    float file[EMBED], memory[EMBED], *wave;
    int64_t samples;
    const chl_status status = chl_sound_decode(data, size, &samples, &wave);
    if (built_without_media(status)) skip();
    MUST(status);
    MUST(chl_embed_sound(engine, SOUND, file));
    MUST(chl_embed_sound_samples(engine, 44100, 1, samples, wave, 0, memory));
    assert_memory_equal(file, memory, sizeof file);
    chl_release(wave);
    assert_int_equal(chl_sound_decode(data, 7, &samples, &wave), CHL_ERR_FORMAT);
    assert_null(wave);
    free(data);
}

static void many_sounds_are_as_one_each(void **state) {
    (void)state;
    enum { MANY = 11 }; /* a whole run and the beginning of another */
    static float many[MANY * EMBED];
    const char *path[MANY];
    float gain[MANY], one[EMBED];
    for (int i = 0; i < MANY; i++) {
        path[i] = SOUND;
        gain[i] = -3 * (float)i;
    }
    const chl_status status = chl_embed_sounds(engine, MANY, path, gain, many);
    if (built_without_media(status)) skip();
    MUST(status);
    for (int i = 0; i < MANY; i++) {
        MUST(chl_embed_sound_level(engine, path[i], gain[i], one));
        expect_equal_rows("sound", many, i, one);
    }
    assert_memory_not_equal(many, many + EMBED, sizeof(float) * EMBED);
}

static void a_decoded_picture_is_the_file(void **state) {
    (void)state;
    enum { HEIGHT = 5, WIDTH = 7, COUNT = 3 * HEIGHT * WIDTH };
    float *pixels = parity_formula("picture", 0, 1, COUNT), *file, *memory, *none;
    const chl_status status = chl_picture_write("p.png", HEIGHT, WIDTH, pixels);
    free(pixels);
    if (built_without_media(status)) skip();
    MUST(status);
    int height, width;
    size_t size;
    void *data = read_file("p.png", &size);
    MUST(chl_picture_read("p.png", &height, &width, &file));
    MUST(chl_picture_decode(data, size, &height, &width, &memory));
    assert_int_equal(height, HEIGHT);
    assert_int_equal(width, WIDTH);
    assert_memory_equal(file, memory, sizeof(float) * COUNT);
    assert_int_equal(chl_picture_decode(data, 20, &height, &width, &none), CHL_ERR_FORMAT);
    chl_release(file);
    chl_release(memory);
    free(data);
}

/* --- the log ---------------------------------------------------------------------------------- */
typedef struct heard {
    int lines;
    char last[512];
} heard;

static void listen(void *user, chl_log_level level, const char *line) {
    heard *h = user;
    (void)level;
    h->lines++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

/* A text of more tokens than fit leaves a warning: with the engine that has a sink there, with the
 * other one where the process has its own. */
static void an_engine_has_a_log_of_its_own(void **state) {
    (void)state;
    heard own = {0}, everywhere = {0};
    const chl_engine_options options = {.size = sizeof options,
                                        .clip = "c.safetensors",
                                        .vocab = MERGES,
                                        .device = "cpu",
                                        .log = listen,
                                        .log_user = &own};
    chl_engine *second;
    char text[1000];
    float embedding[EMBED];
    memset(text, 'x', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2) text[i] = ' ';
    text[sizeof text - 1] = 0;
    MUST(chl_engine_open(&options, &second));
    chl_log_to(listen, &everywhere);
    MUST(chl_embed_text(second, text, embedding));
    assert_int_equal(own.lines, 1);
    assert_int_equal(everywhere.lines, 0);
    assert_non_null(strstr(own.last, "token"));
    MUST(chl_embed_text(engine, text, embedding));
    assert_int_equal(own.lines, 1);
    assert_int_equal(everywhere.lines, 1);
    chl_log_to(NULL, NULL);
    chl_engine_close(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_another_role_is_named),
        cmocka_unit_test(a_file_that_is_no_model_gets_the_readers_text),
        cmocka_unit_test(one_graph_serves_many_calls),
        cmocka_unit_test(more_shapes_than_are_kept),
        cmocka_unit_test(many_texts_are_as_one_each),
        cmocka_unit_test(many_pictures_are_as_one_each),
        cmocka_unit_test(many_sounds_are_as_one_each),
        cmocka_unit_test(samples_are_heard_as_the_file_is),
        cmocka_unit_test(a_decoded_sound_is_heard_as_the_file_is),
        cmocka_unit_test(a_decoded_picture_is_the_file),
        cmocka_unit_test(an_engine_has_a_log_of_its_own),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
