/* Sounds told by texts: the softmax's mean against its formula, its limits, and the engine's three ways to embed a
 * sound. */
#include "harness/small_models.h"
#include "models/engine.h"
#include <chladni.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define EMBED 24
#define RAIN CHLADNI_FIXTURES "/sound/rain.wav"
static char work[] = "/tmp/chladni-sound-texts-XXXXXX";

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static chl_engine_options options_with(const char *texts) {
    return (chl_engine_options){.size = sizeof(chl_engine_options),
                                .clip = "c.safetensors",
                                .vocab = CHLADNI_FIXTURES "/text/merges.txt",
                                .audio = "a.safetensors",
                                .mel = CHL_MEL_ABSOLUTE,
                                .device = "cpu",
                                .sound_texts = texts};
}

static chl_engine *open_with(const char *texts, float temperature, float own_share) {
    chl_engine_options options = options_with(texts);
    chl_engine *engine;
    options.sound_texts_temperature = temperature;
    options.sound_own_share = own_share;
    MUST(chl_engine_open(&options, &engine));
    return engine;
}

static double difference(const float *x, const double *y, int count) {
    double most = 0;
    for (int i = 0; i < count; i++) most = fmax(most, fabs((double)x[i] - y[i]));
    return most;
}

/* --- the formula ------------------------------------------------------------------------------ */
/* Two texts at a right angle: p of the first is 1 / (1 + exp((a1 - a0) / temperature)). */
static float axes[] = {1, 0, 0, 0, 1, 0};

static void a_sound_becomes_the_mean_of_texts_weighted_by_the_softmax(void **state) {
    (void)state;
    const chl_sound_texts texts = {.count = 2, .embedding = 3, .text = axes, .temperature = 0.1f};
    float a[] = {0.6f, 0.48f, 0.64f, 0.48f, 0.6f, 0.64f};
    chl_sound_texts_apply(&texts, 2, a);
    const double p = 1 / (1 + exp((0.48 - 0.6) / 0.1)), length = hypot(p, 1 - p);
    const double want[] = {p / length, (1 - p) / length, 0, (1 - p) / length, p / length, 0};
    assert_true(difference(a, want, 6) <= 1e-6);
}

static void a_share_of_the_sound_itself_stays(void **state) {
    (void)state;
    const chl_sound_texts texts = {
        .count = 1, .embedding = 3, .text = axes, .temperature = 1, .own_share = 0.25f};
    float a[] = {0, 0.6f, 0.8f};
    chl_sound_texts_apply(&texts, 1, a);
    const double length = sqrt(0.75 * 0.75 + 0.25 * 0.25);
    const double want[] = {0.75 / length, 0.15 / length, 0.2 / length};
    assert_true(difference(a, want, 3) <= 1e-6);
}

static void the_smallest_temperature_gives_the_nearest_text(void **state) {
    (void)state;
    const chl_sound_texts texts = {.count = 2, .embedding = 3, .text = axes, .temperature = 1e-30f};
    float a[] = {-0.48f, -0.6f, 0.64f};
    chl_sound_texts_apply(&texts, 1, a);
    assert_memory_equal(a, axes, 3 * sizeof *a);
}

static void texts_that_cancel_out_leave_the_sound_as_it_is(void **state) {
    (void)state;
    float opposed[] = {1, 0, -1, 0}, a[] = {0, 1};
    const float before[] = {0, 1};
    const chl_sound_texts texts = {.count = 2, .embedding = 2, .text = opposed, .temperature = 1};
    chl_sound_texts_apply(&texts, 1, a);
    assert_memory_equal(a, before, sizeof a);
    chl_sound_texts_apply(NULL, 1, a);
    assert_memory_equal(a, before, sizeof a);
}

/* --- the engine ------------------------------------------------------------------------------- */
static void every_way_to_embed_a_sound_gives_the_mean(void **state) {
    (void)state;
    float text[2][EMBED], sound[EMBED], got[EMBED];
    double want[EMBED], cosine[2] = {0}, square = 0;
    const char *const both[] = {"rain", "a storm of wind"};
    if (!reads_sounds()) skip();
    chl_engine *engine = open_with(NULL, 0, 0);
    MUST(chl_embed_texts(engine, 2, both, text[0]));
    MUST(chl_embed_sound_level(engine, RAIN, -6, sound));
    chl_engine_close(engine);
    for (int i = 0; i < EMBED; i++)
        for (int k = 0; k < 2; k++) cosine[k] += (double)text[k][i] * (double)sound[i];
    const double p = 1 / (1 + exp((cosine[1] - cosine[0]) / 0.5));
    for (int i = 0; i < EMBED; i++) {
        want[i] = p * (double)text[0][i] + (1 - p) * (double)text[1][i];
        square += want[i] * want[i];
    }
    for (int i = 0; i < EMBED; i++) want[i] /= sqrt(square);

    engine = open_with("two.txt", 0.5f, 0);
    MUST(chl_embed_sound_level(engine, RAIN, -6, got));
    assert_true(difference(got, want, EMBED) <= 1e-5);
    const char *const path[] = {RAIN};
    const float gain[] = {-6};
    memset(got, 0, sizeof got);
    MUST(chl_embed_sounds(engine, 1, path, gain, got));
    assert_true(difference(got, want, EMBED) <= 1e-5);
    chl_engine_close(engine);
    engine = open_with("one.txt", 0, 0);
    const float click[] = {0, 1, 0};
    MUST(chl_embed_sound_samples(engine, 44100, 1, 3, click, 0, got));
    for (int i = 0; i < EMBED; i++) want[i] = (double)text[0][i];
    assert_true(difference(got, want, EMBED) <= 1e-6);
    chl_engine_close(engine);
}

static void refused(const chl_engine_options *options, chl_status code, const char *says) {
    chl_engine *engine;
    assert_int_equal(chl_engine_open(options, &engine), code);
    if (!strstr(chl_error(), says)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), says);
    assert_null(engine);
}

static void what_tells_nothing_is_an_error(void **state) {
    (void)state;
    chl_engine_options o = options_with("empty.txt");
    refused(&o, CHL_ERR_FORMAT, "empty.txt: expected a text a line, got empty lines only");
    o = options_with("bytes.txt");
    refused(&o, CHL_ERR_FORMAT, "bytes.txt, line 3: the text is not UTF-8");
    o = options_with("none.txt");
    refused(&o, CHL_ERR_IO, "none.txt");
    o = options_with("two.txt");
    o.vocab = NULL;
    refused(&o, CHL_ERR_ARGUMENT, "telling sounds by texts needs vocab");
    o = options_with("two.txt");
    o.audio = NULL;
    refused(&o, CHL_ERR_ARGUMENT, "telling sounds by texts needs audio");
    o = options_with("two.txt");
    o.sound_texts_temperature = -1;
    refused(&o, CHL_ERR_ARGUMENT, "sound_texts_temperature must be >= 0, got -1");
    o = options_with("two.txt");
    o.sound_own_share = 1;
    refused(&o, CHL_ERR_ARGUMENT, "sound_own_share must be in [0, 1), got 1");
    o = options_with(NULL);
    o.sound_own_share = 0.5f;
    refused(&o, CHL_ERR_ARGUMENT,
            "sound_own_share must be 0 without texts (set sound_texts), got 0.5");
}

static int enter(void **state) {
    (void)state;
    if (!mkdtemp(work) || chdir(work) != 0) return -1;
    save_small_clip(1, EMBED, 2, "c.safetensors");
    save_small_audio(EMBED, 3, "a.safetensors");
    put("two.txt", "\xEF\xBB\xBFrain\r\n  \r\na storm of wind"); /* as Windows writes it */
    put("one.txt", "rain\n");
    put("empty.txt", "\n \n");
    put("bytes.txt", "rain\n\nwind \xFF\n");
    return 0;
}

static int leave(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", work);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_becomes_the_mean_of_texts_weighted_by_the_softmax),
        cmocka_unit_test(a_share_of_the_sound_itself_stays),
        cmocka_unit_test(the_smallest_temperature_gives_the_nearest_text),
        cmocka_unit_test(texts_that_cancel_out_leave_the_sound_as_it_is),
        cmocka_unit_test(every_way_to_embed_a_sound_gives_the_mean),
        cmocka_unit_test(what_tells_nothing_is_an_error),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
