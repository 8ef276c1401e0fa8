/* Training on several ranks: threads of one process, which meet in a file as processes do. */
#include "shared_runs.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *train(const char *name, int ranks) {
    return train_on(name, &chl_training_audio, audio_options(NULL), ranks);
}

/* A run that several tests look at and none changes: the first trains it. Ranks 0: one process. */
static char *kept_run(int ranks) {
    char name[32];
    snprintf(name, sizeof name, "ranks-%d", ranks);
    char *out = in_folder(root, name);
    if (access(out, F_OK) == 0) return out;
    if (ranks == 0) {
        const chl_train_options options = audio_options(out);
        MUST(chl_trainer_run(&chl_training_audio, &options));
    } else {
        free(train(name, ranks));
    }
    return out;
}

/* RUN steps with all four losses, SpecAugment, wordings and weak pairs. */
static void ranks_compute_what_one_computes(void **state) {
    (void)state;
    char *whole = kept_run(0);
    for (int ranks = 1; ranks <= MOST; ranks++) {
        char *shared = kept_run(ranks);
        compare(whole, shared, ranks);
        if (ranks == 1) assert_true(same_file(whole, shared, "model.safetensors"));
        free(shared);
    }
    free(whole);
}

/* The network that has drop path: one step of its loss. */
static void draws_of_drop_path_belong_to_samples(void **state) {
    (void)state;
    double loss[2];
    for (int i = 0; i < 2; i++) {
        char *out = in_folder(root, i ? "tiny-2" : "tiny-1");
        chl_train_options options = audio_options(out);
        rank all[MOST];
        options.sizes = "tiny";
        options.batch = 2;
        options.steps = 1;
        options.weight_image = options.weight_sound = options.weight_weak_pair = 0;
        run_ranks(&chl_training_audio, &options, 1 + i, NULL, all);
        for (int r = 0; r <= i; r++)
            if (all[r].status != CHL_OK) fail_msg("%s", all[r].error);
        loss[i] = loss_of(out, 1);
        free(out);
    }
    print_message("loss %.7f, of two ranks %.7f\n", loss[0], loss[1]);
    assert_true(fabs(loss[1] / loss[0] - 1) < 1e-5);
}

/* However many gradients are exchanged at a time. */
static void buckets_change_no_bit(void **state) {
    (void)state;
    chl_train_options options = audio_options(NULL);
    char *one = kept_run(2);
    options.bucket = 1;
    char *two = train_on("bucket-1", &chl_training_audio, options, 2);
    assert_true(same_file(one, two, "model.safetensors"));
    free(one);
    free(two);
}

static void the_same_ranks_give_the_same_bits(void **state) {
    (void)state;
    char *one = kept_run(3), *two = train("again", 3);
    assert_true(same_file(one, two, "model.safetensors"));
    assert_true(same_file(one, two, "checkpoint.safetensors"));
    free(one);
    free(two);
}

/* Rank 0 writes the run, every other rank its log. */
static void rank_0_writes(void **state) {
    (void)state;
    char *out = kept_run(3);
    static const char *const files[] = {"model.safetensors", "checkpoint.safetensors",
                                        "options.json",      "log.txt",
                                        "log-1.txt",         "log-2.txt"};
    size_t size;
    char *log;
    for (int i = 0; i < 6; i++) {
        log = get_file(out, files[i], &size);
        if (!log) fail_msg("%s is missing", files[i]);
        free(log);
    }
    log = get_file(out, "log-2.txt", &size);
    assert_non_null(strstr(log, "rank 2 of 3 (local), 4 of 12 samples a step"));
    assert_null(strstr(log, "saved after step"));
    free(log);
    assert_null(stats_line(out, RUN + 1));
    free(out);
}

/* --- stopping and going on -------------------------------------------------------------------- */
static int stop_at_5(void *user, const chl_train_progress *progress) {
    (void)user;
    return progress->step == 5;
}
static void only_rank_1_stops(chl_train_options *o, int r) {
    o->progress = r == 1 ? stop_at_5 : NULL;
}

static void all_stop_when_one_wants_and_another_number_goes_on(void **state) {
    (void)state;
    char *whole = kept_run(0), *out = in_folder(root, "stopped"), text[64];
    chl_train_options options = audio_options(out);
    rank all[MOST];
    snprintf(text, sizeof text, "stopped after step 6 of %d", RUN);
    run_ranks(&chl_training_audio, &options, 3, only_rank_1_stops, all);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(all[r].status, CHL_ERR_CANCELLED);
        assert_non_null(strstr(all[r].error, text));
        assert_true(all[r].saved); /* a launcher may end all when one ends */
    }
    options.resume = 1;
    run_ranks(&chl_training_audio, &options, 2, NULL, all);
    for (int r = 0; r < 2; r++)
        if (all[r].status != CHL_OK) fail_msg("rank %d: %s", r, all[r].error);
    compare(whole, out, 2);
    free(whole);
    free(out);
}

/* --- refusals --------------------------------------------------------------------------------- */
static void other_seed_of_rank_1(chl_train_options *o, int r) {
    o->seed += (uint64_t)(r == 1);
}
static void no_clip_of_rank_2(chl_train_options *o, int r) {
    if (r == 2) o->clip = "/nowhere/clip.safetensors";
}

static void what_cannot_be_shared_is_refused_by_name(void **state) {
    (void)state;
    char *out = in_folder(root, "refused");
    chl_train_options options = audio_options(out);
    options.batch = 10;
    refuse(&chl_training_audio, &options, 3, NULL, "a batch of 10 for 3 ranks");
    options = audio_options(out);
    refuse(&chl_training_audio, &options, 2, other_seed_of_rank_1,
           "rank 1 has other options or data than rank 0");
    refuse(&chl_training_audio, &options, 3, no_clip_of_rank_2, "/nowhere/clip.safetensors");
    options = options_of(&toy_training, NULL);
    options.out = out;
    refuse(&toy_training, &options, 2, NULL, "ranks must be 1, got 2");
    options = audio_options(out);
    options.rank = 1;
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "rank must be in [0, ranks - 1], got 1"));
    options = audio_options(out);
    options.ranks = 2;
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "meeting place of 2 ranks"));
    free(out);
}

/* A batch system that asks while the ranks still come together starts the job again. */
static int always(void *user) {
    (void)user;
    return 1;
}
static void told_to_stop_while_others_do_not_come_is_no_failure(void **state) {
    (void)state;
    char *out = in_folder(root, "alone");
    chl_train_options options = audio_options(out);
    options.ranks = 2;
    options.meeting = "file:/nowhere/at/all";
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_ARGUMENT);
    options.told_to_stop = always;
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_CANCELLED);
    assert_non_null(strstr(chl_error(), "/nowhere/at/all"));
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_compute_what_one_computes),
        cmocka_unit_test(draws_of_drop_path_belong_to_samples),
        cmocka_unit_test(buckets_change_no_bit),
        cmocka_unit_test(the_same_ranks_give_the_same_bits),
        cmocka_unit_test(rank_0_writes),
        cmocka_unit_test(all_stop_when_one_wants_and_another_number_goes_on),
        cmocka_unit_test(what_cannot_be_shared_is_refused_by_name),
        cmocka_unit_test(told_to_stop_while_others_do_not_come_is_no_failure),
    };
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
