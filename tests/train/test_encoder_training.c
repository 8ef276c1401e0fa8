/* The training of an encoder for inversion: it learns, its model is one that an engine takes, it resumes bit
 * by bit, and ranks share its batches. */
#include "io/weights.h"
#include "nets/small_models.h"
#include "nets/stylegan2.h"
#include "shared_runs.h"
#include <chladni/edit.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZES "width=8,depths=1-1-1-1"
enum { SIDE = 32, LEARN = 40 };

static char *generator;

static int write_models(void **state) {
    const chl_stylegan2_shape shape = {.resolution = SIDE,
                                       .channel_base = 256,
                                       .channel_max = 8,
                                       .z_dim = 8,
                                       .w_dim = 8,
                                       .mapping_layers = 2};
    chl_params *params;
    if (write_all(state) != 0) return -1;
    generator = in_folder(root, "g.safetensors");
    MUST(chl_stylegan2_random(&shape, 1, &params));
    MUST(chl_weights_write_safetensors(params, generator));
    chl_params_free(params);
    return 0;
}

static int remove_models(void **state) {
    free(generator);
    return remove_all(state);
}

static chl_train_options encoder_options(void) {
    chl_train_options o = options_of(&chl_training_encoder, SIZES);
    o.generator = generator;
    o.clip = clip_path;
    return o;
}

/* Mean square of what the engine's inversion of a sample's picture differs from it. */
static double error_of(const char *encoder, int sample) {
    const chl_engine_options models = {
        .size = sizeof models, .generator = generator, .encoder = encoder, .device = "cpu"};
    chl_engine *engine;
    char name[32];
    snprintf(name, sizeof name, "%d.png", sample);
    char *path = in_folder(data, name);
    float code[8 * 8], made[3 * SIDE * SIDE], *pixels;
    double sum = 0;
    MUST(chl_engine_open(&models, &engine));
    MUST(chl_picture_read_square(path, SIDE, &pixels));
    if (encoder)
        MUST(chl_invert(engine, NULL, pixels, code));
    else
        MUST(chl_seed_latent(engine, 1, 0, code)); /* truncated to the mean of W */
    MUST(chl_generate(engine, 1, code, made));
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        sum += ((double)made[i] - pixels[i]) * ((double)made[i] - pixels[i]);
    chl_release(pixels);
    chl_engine_close(engine);
    free(path);
    return sum / (3 * SIDE * SIDE);
}

static void its_codes_show_more_of_a_picture_than_the_mean(void **state) {
    (void)state;
    chl_train_options options = encoder_options();
    options.steps = LEARN;
    options.rate = 1e-2f;
    char *run = train_on("learn", &chl_training_encoder, options, 1);
    char *model = in_folder(run, "model.safetensors");
    double found = 0, mean = 0;
    for (int sample = 0; sample < 4; sample++) {
        found += error_of(model, sample);
        mean += error_of(NULL, sample);
    }
    print_message("    squares: mean code %g, encoder %g\n", mean / 4, found / 4);
    assert_true(found < 0.9 * mean);
    assert_true(loss_of(run, LEARN) < loss_of(run, 1));
    free(model);
    free(run);
}

static void a_run_that_was_stopped_ends_in_the_same_bits(void **state) {
    (void)state;
    chl_train_options options = encoder_options();
    options.steps = 6;
    char *whole = train_on("whole", &chl_training_encoder, options, 1), *parts;
    options.stop_after = 3;
    parts = train_on("parts", &chl_training_encoder, options, 1);
    options.stop_after = 0;
    options.resume = 1;
    free(parts);
    parts = train_on("parts", &chl_training_encoder, options, 1);
    size_t size, other;
    char *a = get_file(whole, "model.safetensors", &size),
         *b = get_file(parts, "model.safetensors", &other);
    assert_int_equal(size, other);
    assert_memory_equal(a, b, size);
    options.out = parts;
    options.weight_delta = 1;
    refuse(&chl_training_encoder, &options, 1, NULL, "the run began with weight_delta");
    free(a), free(b), free(whole), free(parts);
}

/* Losses only, for the reason in test_ranks_of_trainings.c; the mean of all ranks' samples. */
static void losses_do_not_depend_on_the_ranks(void **state) {
    (void)state;
    chl_train_options options = encoder_options();
    options.rate = 1e-5f;
    double apart = 0;
    char *whole = train_on("one", &chl_training_encoder, options, 1);
    for (int ranks = 2; ranks <= 3; ranks++) {
        char name[32];
        snprintf(name, sizeof name, "of-%d", ranks);
        char *shared = train_on(name, &chl_training_encoder, options, ranks);
        for (int step = 1; step <= RUN; step++)
            apart = fmax(apart, fabs(loss_of(shared, step) / loss_of(whole, step) - 1));
        free(shared);
    }
    print_message("    losses differ by %.1e\n", apart);
    assert_true(apart < 1e-5);
    free(whole);
}

static void with_a_face_encoder_the_identity_is_a_loss(void **state) {
    (void)state;
    chl_params *params;
    char *face = in_folder(root, "face.safetensors");
    MUST(chl_small_model("face", 3, &params));
    MUST(chl_weights_write_safetensors(params, face));
    chl_params_free(params);
    chl_train_options options = encoder_options();
    options.face = face;
    options.steps = 1;
    options.batch = 2;
    char *run = train_on("face", &chl_training_encoder, options, 1);
    size_t size;
    char *stats = get_file(run, "stats.jsonl", &size);
    for (const char *const *term =
             (const char *const[]){"pixels", "clip", "identity", "delta", NULL};
         *term; term++)
        if (!strstr(stats, *term)) fail_msg("%s is not among %s", *term, stats);
    free(stats), free(run), free(face);
}

static void what_it_cannot_learn_is_refused(void **state) {
    (void)state;
    char *out = in_folder(root, "refused");
    chl_train_options options = encoder_options();
    options.out = out;
    options.generator = NULL;
    refuse(&chl_training_encoder, &options, 1, NULL, "training encoder needs generator");
    options.generator = clip_path;
    refuse(&chl_training_encoder, &options, 1, NULL, "holds a CLIP pair, where a generator is");
    options = encoder_options();
    options.out = out;
    options.weight_delta = -1;
    refuse(&chl_training_encoder, &options, 1, NULL, "weight_delta must be >= 0, got -1");
    options = encoder_options();
    options.out = out;
    options.clip = NULL;
    options.weight_clip = 0.5f;
    refuse(&chl_training_encoder, &options, 1, NULL,
           "weight_clip must be left out, got 0.5: it needs clip");
    options = encoder_options();
    options.out = out;
    options.sizes = "embed=4";
    refuse(&chl_training_encoder, &options, 1, NULL, "width");
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_codes_show_more_of_a_picture_than_the_mean),
        cmocka_unit_test(a_run_that_was_stopped_ends_in_the_same_bits),
        cmocka_unit_test(losses_do_not_depend_on_the_ranks),
        cmocka_unit_test(with_a_face_encoder_the_identity_is_a_loss),
        cmocka_unit_test(what_it_cannot_learn_is_refused),
    };
    return cmocka_run_group_tests(tests, write_models, remove_models);
}
