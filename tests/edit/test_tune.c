/* Pivotal tuning: the generator's picture of a code comes much nearer to the photo, the tuned generator
 * can be written and read, and gone back on. */
#include "harness/parity.h"
#include <chladni.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static chl_engine *engine;
static const char *kind;
static int64_t numbers; /* of a picture */
static float *photo, *w;

static chl_status open_file(const char *path, chl_engine **out) {
    const chl_engine_options options = {
        .size = sizeof options, .generator = path, .clip = "c.safetensors", .device = "cpu"};
    return chl_engine_open(&options, out);
}

static int open_models(const char *of) {
    kind = of;
    strcpy(folder, "/tmp/chladni-tune-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    MUST(chl_weights_random("clip", 2, "c.safetensors"));
    const char *path = of;
    if (strchr(of, '/') == NULL) MUST(chl_weights_random(of, 1, path = "g.safetensors"));
    MUST(open_file(path, &engine));
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    numbers = (int64_t)3 * size.picture * size.picture;
    photo = malloc(sizeof *photo * (size_t)numbers);
    w = malloc(sizeof *w * (size_t)size.rows * (size_t)size.latent);
    for (int64_t i = 0; i < numbers; i++) /* waves, which no random generator makes */
        photo[i] = 0.8f * sinf(0.37f * (float)(i / 3 % size.picture) + (float)(i % 3)) *
                   cosf(0.11f * (float)(i / 3 / size.picture));
    MUST(chl_seed_latent(engine, 3, 1, w));
    return 0;
}

static int open_stylegan2(void **state) {
    (void)state;
    return open_models("generator");
}
static int open_rosinality(void **state) {
    (void)state;
    return open_models(CHLADNI_FIXTURES "/stylegan2/small-rosinality.pt");
}
static int open_stylegan3(void **state) {
    (void)state;
    return open_models(CHLADNI_FIXTURES "/stylegan3/small-t.pkl");
}

static int close_models(void **state) {
    (void)state;
    chl_engine_close(engine);
    free(photo);
    free(w);
    unlink("c.safetensors");
    unlink("g.safetensors");
    unlink("tuned.safetensors");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

/* To be freed. */
static float *picture_of(chl_engine *from) {
    float *pixels = malloc(sizeof *pixels * (size_t)numbers);
    assert_non_null(pixels);
    MUST(chl_generate(from, 1, w, pixels));
    return pixels;
}

static double distance(const float *pixels) {
    double sum = 0;
    for (int64_t i = 0; i < numbers; i++)
        sum += ((double)pixels[i] - (double)photo[i]) * ((double)pixels[i] - (double)photo[i]);
    return sum / (double)numbers;
}

static bool same(const float *a, const float *b) {
    return memcmp(a, b, sizeof *a * (size_t)numbers) == 0;
}

static void a_tuned_generator_shows_the_photo_and_lives_in_a_file(void **state) {
    (void)state;
    chl_engine *other;
    chl_tune_options options = chl_tune_defaults(engine);
    float *before = picture_of(engine);
    options.steps = 0;
    MUST(chl_tune(engine, &options, photo, w));
    float *untouched = picture_of(engine);
    assert_true(same(before, untouched));
    options.steps = 25;
    options.rate = 0.02f;
    MUST(chl_tune(engine, &options, photo, w));
    float *tuned = picture_of(engine);
    print_message("%s: %.4f, tuned %.4f\n", kind, distance(before), distance(tuned));
    assert_true(distance(tuned) < 0.4 * distance(before));

    MUST(chl_write_generator(engine, "tuned.safetensors"));
    MUST(open_file("tuned.safetensors", &other));
    float *again = picture_of(other);
    assert_true(same(tuned, again));
    chl_engine_close(other);

    MUST(chl_untune(engine));
    float *restored = picture_of(engine);
    assert_true(same(before, restored));
    MUST(chl_untune(engine)); /* of nothing */
    free(before);
    free(untouched);
    free(tuned);
    free(again);
    free(restored);
}

static int stop_at_second(void *user, const chl_edit_progress *progress) {
    *(float *)user = progress->latent_loss;
    return progress->step == 2;
}

/* Twice tuned: the file's weights come back, too. */
static void tuning_stops_goes_on_and_fails_cleanly(void **state) {
    (void)state;
    chl_tune_options options = chl_tune_defaults(engine);
    float loss = 0, *before = picture_of(engine);
    options.progress = stop_at_second;
    options.user = &loss;
    options.rate = 0.01f;
    assert_int_equal(chl_tune(engine, &options, photo, w), CHL_ERR_CANCELLED);
    assert_true(loss > 0);
    float *stopped = picture_of(engine);
    assert_false(same(before, stopped));
    options.progress = NULL;
    options.rate = 1e30f;
    options.steps = 3;
    assert_int_equal(chl_tune(engine, &options, photo, w), CHL_ERR_NUMERIC);
    float *still = picture_of(engine);
    assert_true(same(stopped, still));
    options.rate = 0.01f;
    MUST(chl_tune(engine, &options, photo, w));
    MUST(chl_untune(engine));
    float *restored = picture_of(engine);
    assert_true(same(before, restored));
    options.rate = -1;
    assert_int_equal(chl_tune(engine, &options, photo, w), CHL_ERR_ARGUMENT);
    free(before);
    free(stopped);
    free(still);
    free(restored);
}

/* What an edit sees is the tuned generator. */
static void edits_are_of_the_tuned_generator(void **state) {
    (void)state;
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    const size_t code = (size_t)size.rows * (size_t)size.latent;
    float *target = parity_target(1, size.embedding);
    float *plain = malloc(sizeof *plain * code), *tuned = malloc(sizeof *tuned * code);
    chl_edit_options edit = chl_edit_defaults(engine);
    chl_tune_options options = chl_tune_defaults(engine);
    edit.steps = options.steps = 3;
    MUST(chl_edit(engine, &edit, w, target, plain, NULL));
    MUST(chl_tune(engine, &options, photo, w));
    MUST(chl_edit(engine, &edit, w, target, tuned, NULL));
    assert_true(memcmp(plain, tuned, sizeof *plain * code) != 0);
    MUST(chl_untune(engine));
    MUST(chl_edit(engine, &edit, w, target, tuned, NULL));
    assert_true(memcmp(plain, tuned, sizeof *plain * code) == 0);
    chl_cost cost;
    MUST(chl_tune_cost(engine, &options, &cost));
    assert_true(cost.state_bytes > 0 && cost.flops_step > 0);
    free(target);
    free(plain);
    free(tuned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tuned_generator_shows_the_photo_and_lives_in_a_file,
                                        open_stylegan2, close_models),
        cmocka_unit_test_setup_teardown(a_tuned_generator_shows_the_photo_and_lives_in_a_file,
                                        open_rosinality, close_models),
        cmocka_unit_test_setup_teardown(a_tuned_generator_shows_the_photo_and_lives_in_a_file,
                                        open_stylegan3, close_models),
        cmocka_unit_test_setup_teardown(tuning_stops_goes_on_and_fails_cleanly, open_stylegan2,
                                        close_models),
        cmocka_unit_test_setup_teardown(edits_are_of_the_tuned_generator, open_stylegan2,
                                        close_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
