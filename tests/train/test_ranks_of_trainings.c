/* The trainings beside the sound encoder's paper network on several ranks: as in one process. */
#include "shared_runs.h"
#include <stdio.h>
#include <stdlib.h>

static void compare_ranks(const char *what, const chl_training *training,
                          chl_train_options options) {
    char *whole = train_on(what, training, options, 1), name[64];
    for (int ranks = 2; ranks <= 3; ranks++) {
        snprintf(name, sizeof name, "%s-%d", what, ranks);
        char *shared = train_on(name, training, options, ranks);
        print_message("%s, ", what);
        compare(whole, shared, ranks);
        free(shared);
    }
    free(whole);
}

static void generators_train_on_ranks(void **state) {
    (void)state;
    compare_ranks(
        "generator", &chl_training_generator,
        options_of(&chl_training_generator, "resolution=16,base=128,max=8,w=8,mapping=2"));
}

/* Captions that repeat are no negatives, on whichever rank they are. */
static void clip_pairs_train_on_ranks(void **state) {
    (void)state;
    compare_ranks("clip", &chl_training_clip, options_of(&chl_training_clip, SMALL_CLIP));
}

/* Half of each batch are the generator's pictures; with an adversary each rank moves its codes. */
static void clip_pairs_train_with_a_generator_on_ranks(void **state) {
    (void)state;
    char *generator = in_folder(root, "generator/model.safetensors");
    char *nowhere = in_folder(root, "refused");
    chl_train_options options = options_of(&chl_training_clip, SMALL_CLIP);
    options.generator = generator;
    compare_ranks("pool", &chl_training_clip, options);
    options.adversary = 0.1f;
    compare_ranks("adversary", &chl_training_clip, options);
    options.batch = 6;
    options.out = nowhere;
    refuse(&chl_training_clip, &options, 2, NULL,
           "batch must be a multiple of twice the ranks with an adversary, got a batch of 6 for 2");
    free(nowhere);
    free(generator);
}

/* Batch statistics are those of all ranks' samples. Losses only, at a small rate: the bias of the
 * first convolution moves what the batch norm behind it subtracts, so that its gradient is rounding,
 * of which Adam makes steps of full size. */
static void networks_with_batch_norm_train_on_ranks(void **state) {
    (void)state;
    double apart = 0;
    chl_train_options options = audio_options(NULL);
    options.encoder = "resnet18";
    options.sizes = "width=4,depths=1-1-1-1";
    options.rate = 1e-5f;
    char *whole = train_on("resnet18", &chl_training_audio, options, 1);
    for (int ranks = 2; ranks <= 3; ranks++) {
        char name[32];
        snprintf(name, sizeof name, "resnet18-%d", ranks);
        char *shared = train_on(name, &chl_training_audio, options, ranks);
        for (int step = 1; step <= RUN; step++)
            apart = fmax(apart, fabs(loss_of(shared, step) / loss_of(whole, step) - 1));
        free(shared);
    }
    print_message("resnet18, losses differ by %.1e\n", apart);
    assert_true(apart < 1e-5);
    free(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generators_train_on_ranks),
        cmocka_unit_test(clip_pairs_train_on_ranks),
        cmocka_unit_test(clip_pairs_train_with_a_generator_on_ranks),
        cmocka_unit_test(networks_with_batch_norm_train_on_ranks),
    };
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
