/* Explained edits: what the tables sum to, said by other means. On random models. */
#include "harness/random_engine.h"
#include <jansson.h>

#define PARTS 16
#define PATCHES 64
#define RAIN CHLADNI_FIXTURES "/sound/rain.wav"

static float *edited, *before, *after;
static size_t pixels;
static json_t *report;

static void explain_it(void) {
    const chl_explain_options options = {.size = sizeof options,
                                         .sound = RAIN,
                                         .source = source,
                                         .edited = edited,
                                         .points = 8,
                                         .picture = "e.png"};
    char *text;
    MUST(chl_explain_edit(engine, &options, &text));
    report = json_loads(text, 0, NULL);
    chl_release(text);
    assert_non_null(report);
}

static int open_models(void **state) {
    (void)state;
    random_engine_folder();
    random_engine_open("generator clip audio", 1);
    const size_t code = (size_t)numbers;
    pixels = 3 * (size_t)size.picture * (size_t)size.picture;
    edited = malloc(sizeof *edited * code);
    before = malloc(sizeof *before * pixels);
    after = malloc(sizeof *after * pixels);
    MUST(chl_seed_latent(engine, 1, 0.7f, source));
    MUST(chl_seed_latent(engine, 2, 0.7f, edited));
    for (size_t i = 0; i < code; i++) edited[i] = source[i] + 0.3f * (edited[i] - source[i]);
    MUST(chl_generate(engine, 1, source, before));
    MUST(chl_generate(engine, 1, edited, after));
    explain_it();
    return 0;
}

static int close_models(void **state) {
    (void)state;
    json_decref(report);
    free(edited);
    free(before);
    free(after);
    return random_engine_close();
}

static bool is_in(size_t pixel, int part) {
    const int y = (int)pixel / size.picture, x = (int)pixel % size.picture;
    return y * 4 / size.picture == part / 4 && x * 4 / size.picture == part % 4;
}

static double column_sum(const char *table, int rows, int part) {
    double sum = 0;
    for (int i = 0; i < rows; i++)
        sum += json_number_value(json_array_get(
            json_array_get(json_object_get(report, table), (size_t)i), (size_t)part));
    return sum;
}

static double agreement(const char *what) {
    return json_number_value(json_object_get(json_object_get(report, "agreement"), what));
}

static void rows_add_up_to_the_squared_change_of_each_part(void **state) {
    (void)state;
    for (int part = 0; part < PARTS; part++) {
        double square = 0, mean = 0;
        for (size_t i = 0; i < pixels; i++) {
            if (!is_in(i / 3, part)) continue;
            square += pow((double)after[i] - (double)before[i], 2);
            mean += fabs((double)after[i] - (double)before[i]) * PARTS / (double)pixels;
        }
        const double sum = column_sum("rows", size.rows, part);
        if (!(fabs(sum - square) < 0.02 * square)) fail_msg("part %d: %g of %g", part, sum, square);
        assert_true(fabs(json_number_value(
                             json_array_get(json_object_get(report, "change"), (size_t)part)) -
                         mean) < 1e-6);
    }
}

/* A sound 3 dB softer has a mel picture that is 3 dB lower wherever it is not silent. */
static void patches_add_up_to_what_a_softer_sound_loses(void **state) {
    (void)state;
    const size_t embed = sizeof(float) * (size_t)size.embedding;
    float *whole = malloc(embed), *part_seen = malloc(embed), *loud = malloc(embed),
          *soft = malloc(embed), *picture = malloc(sizeof(float) * pixels);
    MUST(chl_embed_sound(engine, RAIN, loud));
    MUST(chl_embed_sound_level(engine, RAIN, -3, soft));
    MUST(chl_embed_picture(engine, size.picture, size.picture, after, whole));
    double largest = 0, error = 0;
    for (int part = 0; part < PARTS; part++) {
        double lost = 0;
        for (size_t i = 0; i < pixels; i++) picture[i] = is_in(i / 3, part) ? before[i] : after[i];
        MUST(chl_embed_picture(engine, size.picture, size.picture, picture, part_seen));
        for (int i = 0; i < size.embedding; i++)
            lost += ((double)loud[i] - (double)soft[i]) * ((double)whole[i] - (double)part_seen[i]);
        largest = fmax(largest, fabs(lost));
        error = fmax(error, fabs(column_sum("sound", PATCHES, part) - lost));
    }
    if (!(error < 0.1 * largest)) fail_msg("off by %g of %g", error, largest);
    free(whole);
    free(part_seen);
    free(loud);
    free(soft);
    free(picture);
}

static void gradients_and_occlusion_agree(void **state) {
    (void)state;
    if (!(agreement("rows") > 0.6 && agreement("sound") > 0.6))
        fail_msg("rows %g, sound %g", agreement("rows"), agreement("sound"));
}

static void the_figure_is_drawn(void **state) {
    (void)state;
    int height, width;
    float *figure;
    MUST(chl_picture_read("e.png", &height, &width, &figure));
    assert_true(width > 600 && height > 600);
    chl_release(figure);
}

static void what_cannot_be_explained_is_refused(void **state) {
    (void)state;
    char *text;
    chl_explain_options options = {
        .size = sizeof options, .sound = RAIN, .source = source, .edited = NULL};
    assert_int_equal(chl_explain_edit(engine, &options, &text), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "edited must not be NULL");
    options.edited = edited;
    options.points = -1;
    assert_int_equal(chl_explain_edit(engine, &options, &text), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "points must be >= 1, got -1");
    options.points = 1;
    options.sound = "nothing.wav";
    assert_int_equal(chl_explain_edit(engine, &options, &text), CHL_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_add_up_to_the_squared_change_of_each_part),
        cmocka_unit_test(patches_add_up_to_what_a_softer_sound_loses),
        cmocka_unit_test(gradients_and_occlusion_agree),
        cmocka_unit_test(the_figure_is_drawn),
        cmocka_unit_test(what_cannot_be_explained_is_refused),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
