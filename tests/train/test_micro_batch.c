/* Training in micro-batches: a step is that of the whole batch. */
#include "shared_runs.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static chl_train_options in_chunks(const char *out, int samples) {
    chl_train_options options = audio_options(out);
    options.micro_batch = samples;
    return options;
}

static void train_with(const char *out, int ranks, int samples) {
    const chl_train_options options = in_chunks(out, samples);
    rank all[MOST];
    run_ranks(&chl_training_audio, &options, ranks, NULL, all);
    for (int r = 0; r < ranks; r++)
        if (all[r].status != CHL_OK) fail_msg("rank %d of %d: %s", r, ranks, all[r].error);
}

static double megabytes_of_activations(const char *run) {
    size_t size;
    char *log = get_file(run, "log.txt", &size);
    assert_non_null(log);
    const char *at = strstr(log, "of constants, ");
    assert_non_null(at);
    const double megabytes = atof(at + strlen("of constants, "));
    free(log);
    return megabytes;
}

/* A run that several tests look at and none changes: the first trains it. */
static char *whole_batch(void) {
    char *out = in_folder(root, "whole");
    if (access(out, F_OK) != 0) train_with(out, 1, 0);
    return out;
}

/* RUN steps with all four losses, SpecAugment, wordings and weak pairs. */
static void micro_batches_compute_the_whole_batch(void **state) {
    (void)state;
    static const struct {
        int ranks, samples;
    } ways[] = {{1, 12}, {1, 6}, {1, 4}, {1, 1}, {2, 3}, {2, 2}, {3, 2}};
    char *whole = whole_batch(), name[32];
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        snprintf(name, sizeof name, "ranks-%d-%d", ways[i].ranks, ways[i].samples);
        char *shared = in_folder(root, name);
        train_with(shared, ways[i].ranks, ways[i].samples);
        print_message("micro-batches of %d, ", ways[i].samples);
        compare(whole, shared, ways[i].ranks);
        if (ways[i].samples == GLOBAL) assert_true(same_file(whole, shared, "model.safetensors"));
        free(shared);
    }
    free(whole);
}

static void activations_are_those_of_a_micro_batch(void **state) {
    (void)state;
    double megabytes[2];
    for (int i = 0; i < 2; i++) {
        char *out = in_folder(root, i ? "memory-2" : "memory-12");
        chl_train_options options = in_chunks(out, i ? 2 : 0);
        options.steps = 1;
        MUST(chl_trainer_run(&chl_training_audio, &options));
        megabytes[i] = megabytes_of_activations(out);
        free(out);
    }
    print_message("%.0f MB of activations, in chunks of a sixth %.0f MB\n", megabytes[0],
                  megabytes[1]);
    assert_true(megabytes[1] < 0.2 * megabytes[0]);
}

/* The network that has drop path: one step, with its update. */
static void draws_of_drop_path_belong_to_samples(void **state) {
    (void)state;
    double loss[2];
    for (int i = 0; i < 2; i++) {
        char *out = in_folder(root, i ? "tiny-1" : "tiny-2");
        chl_train_options options = in_chunks(out, i ? 1 : 0);
        options.sizes = "tiny";
        options.batch = 2;
        options.steps = 2;
        options.warm_up = 0;
        options.rate = 1e-4f;
        options.weight_image = options.weight_weak_pair = 0;
        MUST(chl_trainer_run(&chl_training_audio, &options));
        loss[i] = loss_of(out, 2);
        free(out);
    }
    print_message("loss of the second step %.7f, in chunks %.7f\n", loss[0], loss[1]);
    assert_true(fabs(loss[1] / loss[0] - 1) < 1e-4);
}

static void a_run_goes_on_with_other_micro_batches(void **state) {
    (void)state;
    char *whole = whole_batch(), *out = in_folder(root, "stopped");
    chl_train_options options = in_chunks(out, 3);
    options.stop_after = RUN / 2;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options = in_chunks(out, 6);
    options.resume = 1;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    compare(whole, out, 1);
    free(whole);
    free(out);
}

/* Both towers, captions that repeat. */
static void a_clip_pair_trains_in_micro_batches(void **state) {
    (void)state;
    chl_train_options options = options_of(&chl_training_clip, SMALL_CLIP);
    char *whole = train_on("clip", &chl_training_clip, options, 1);
    for (int ranks = 1; ranks <= 3; ranks++) {
        char name[32];
        snprintf(name, sizeof name, "clip-%d", ranks);
        options.micro_batch = 2;
        char *chunks = train_on(name, &chl_training_clip, options, ranks);
        compare(whole, chunks, ranks);
        free(chunks);
    }
    free(whole);
}

static void sgd_trains_on_ranks_and_in_micro_batches(void **state) {
    (void)state;
    chl_train_options options = audio_options(NULL);
    options.optimizer = "sgd";
    options.momentum = 0.9f;
    options.schedule = "triangle";
    options.rate = 0.03f;
    char *whole = train_on("sgd", &chl_training_audio, options, 1);
    for (int ranks = 1; ranks <= 3; ranks++) {
        char name[32];
        snprintf(name, sizeof name, "sgd-%d", ranks);
        options.micro_batch = ranks == 3 ? 0 : 2;
        char *shared = train_on(name, &chl_training_audio, options, ranks);
        compare(whole, shared, ranks);
        free(shared);
    }
    free(whole);
}

static void what_is_not_exact_is_refused_by_name(void **state) {
    (void)state;
    char *out = in_folder(root, "refused");
    chl_train_options options = in_chunks(out, 5);
    refuse(&chl_training_audio, &options, 1, NULL,
           "micro_batch must divide the batch of a rank, got 5 for 12 samples");
    options = in_chunks(out, 4);
    refuse(&chl_training_audio, &options, 2, NULL,
           "micro_batch must divide the batch of a rank, got 4 for 6 samples");
    options = in_chunks(out, 13);
    refuse(&chl_training_audio, &options, 1, NULL, "micro_batch must be in [0, batch], got 13");
    options = in_chunks(out, 2);
    options.encoder = "resnet18";
    options.sizes = NULL;
    refuse(&chl_training_audio, &options, 1, NULL, "micro_batch must be 0, got 2");
    options = options_of(&chl_training_generator, NULL);
    options.out = out;
    options.micro_batch = 2;
    refuse(&chl_training_generator, &options, 1, NULL, "micro_batch must be 0, got 2");
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(micro_batches_compute_the_whole_batch),
        cmocka_unit_test(activations_are_those_of_a_micro_batch),
        cmocka_unit_test(draws_of_drop_path_belong_to_samples),
        cmocka_unit_test(a_run_goes_on_with_other_micro_batches),
        cmocka_unit_test(a_clip_pair_trains_in_micro_batches),
        cmocka_unit_test(sgd_trains_on_ranks_and_in_micro_batches),
        cmocka_unit_test(what_is_not_exact_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
