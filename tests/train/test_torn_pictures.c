/* Trainings of pictures of which one is missing and one is no picture: others take their places, the
 * same on any number of ranks and after a pause. Where too many cannot be read, what was learned is
 * saved. */
#include "shared_runs.h"
#include <stdio.h>
#include <stdlib.h>

enum { CLIPS = 24, BROKEN = 5, GONE = 9 };
static char *torn;

/* A folder like `data`, of which picture BROKEN is `broken` and GONE is not there. */
static char *folder_of(const char *name, bool gone, const char *broken) {
    char *folder = in_folder(root, name), *lines = calloc(CLIPS, 256), picture[128];
    size_t size;
    assert_int_equal(mkdir(folder, 0777), 0);
    for (int i = 0; i < CLIPS; i++) {
        snprintf(picture, sizeof picture, "%s/%d.png", data, i);
        if (i == BROKEN) strcpy(picture, "broken.png");
        if (i == GONE && gone) strcpy(picture, "gone.png");
        sprintf(lines + strlen(lines),
                "{\"picture\":\"%s\",\"caption\":\"scene %d\",\"label\":\"class %d\"}\n", picture,
                i / 2, i % 3);
    }
    put_file(folder, "pairs.jsonl", lines, strlen(lines));
    free(lines);
    copy_file(data, folder, "latents.npy");
    char *bytes = broken ? get_file(data, broken, &size) : NULL;
    put_file(folder, "broken.png", broken ? bytes : "no picture", broken ? size : 10);
    free(bytes);
    return folder;
}

static int write_torn(void **state) {
    if (write_all(state) != 0) return -1;
    torn = folder_of("torn", true, NULL);
    return 0;
}

static int remove_torn(void **state) {
    free(torn);
    return remove_all(state);
}

static chl_train_options options_for(const chl_training *training) {
    const bool gan = training == &chl_training_gan, clip = training == &chl_training_clip;
    chl_train_options o =
        options_of(training, gan    ? "base=64,max=8,z=8,w=8,mapping=2"
                             : clip ? SMALL_CLIP
                                    : "resolution=16,base=128,max=8,w=8,mapping=2");
    o.data = torn;
    o.steps = STEPS;
    o.rate = 2e-4f;
    o.warm_up = 0;
    o.save_every = 0;
    if (!gan) return o;
    o.average = 0;
    o.resolution = 16;
    o.group = 2;
    o.mirror = 1;
    o.conditional = 1;
    return o;
}

static void expect_left_out(const char *run, bool broken) {
    size_t size;
    char *text = get_file(run, "left-out.txt", &size);
    assert_non_null(text);
    assert_non_null(strstr(text, "/gone.png\tNo such file"));
    assert_true(!broken == !strstr(text, "/broken.png\t"));
    free(text);
}

static void expect_others_in_their_places(const chl_training *training) {
    char name[32];
    chl_train_options o = options_for(training);
    snprintf(name, sizeof name, "%s-1", training->name);
    char *whole = train_on(name, training, o, 1);
    expect_left_out(whole, true);
    snprintf(name, sizeof name, "%s-2", training->name);
    char *shared = train_on(name, training, o, 2);
    for (int step = 1; step <= 6; step++) /* three epochs; rounding grows */
        if (fabs(loss_of(shared, step) - loss_of(whole, step)) > 2e-5)
            fail_msg("%s, step %d: %g on two ranks, %g on one", training->name, step,
                     loss_of(shared, step), loss_of(whole, step));
    snprintf(name, sizeof name, "%s-parts", training->name);
    char *parts = in_folder(root, name);
    o.out = parts;
    o.resume = 1;
    for (o.stop_after = 3; o.stop_after < o.steps + 3; o.stop_after += 3)
        MUST(chl_trainer_run(training, &o));
    assert_same_run(whole, parts);
    free(whole);
    free(shared);
    free(parts);
}

static void a_generator_trains_without_them(void **state) {
    (void)state;
    expect_others_in_their_places(&chl_training_generator);
}

/* Texts of all ranks' samples are compared: each knows who stands in on the others. */
static void a_clip_pair_trains_without_them(void **state) {
    (void)state;
    expect_others_in_their_places(&chl_training_clip);
}

static void networks_that_play_train_without_them(void **state) {
    (void)state;
    expect_others_in_their_places(&chl_training_gan);
}

/* One may be left out, two may not: found at a step, when one rank reads it. The others end too, and
 * with the picture in its place the run goes on from the step before. */
static void what_was_learned_is_saved(const chl_training *training, int ranks, int ahead) {
    rank all[MOST];
    char name[48];
    int failed = 0;
    chl_train_options o = options_for(training);
    snprintf(name, sizeof name, "ends-%d-%d", ranks, ahead);
    char *out = in_folder(root, name);
    snprintf(name, sizeof name, "data-%d-%d", ranks, ahead);
    char *own = folder_of(name, true, NULL);
    o.data = own;
    o.out = out;
    o.tolerate = 0.05f;
    o.batch = 4;
    o.ahead = ahead;
    run_ranks(training, &o, ranks, NULL, all);
    for (int r = 0; r < ranks; r++) {
        assert_int_not_equal(all[r].status, CHL_OK);
        assert_true(all[r].saved);
        failed +=
            strstr(all[r].error, "2 of 24 samples") && strstr(all[r].error, "; resume goes on");
    }
    assert_true(failed >= 1);
    int steps = 0;
    for (json_t *line; (line = stats_line(out, steps + 1)); steps++) json_decref(line);
    assert_in_range(steps, 1, 5); /* of the first epoch's six */
    size_t size;
    char *bytes = get_file(data, "3.png", &size);
    put_file(own, "broken.png", bytes, size);
    free(bytes);
    o.resume = 1;
    run_ranks(training, &o, ranks, NULL, all);
    for (int r = 0; r < ranks; r++)
        if (all[r].status != CHL_OK) fail_msg("rank %d: %s", r, all[r].error);
    snprintf(name, sizeof name, "never-%d-%d", ranks, ahead);
    o.resume = 0;
    char *never = train_on(name, training, o, ranks);
    assert_same_run(never, out);
    free(never);
    free(out);
    free(own);
}

static void a_run_that_ends_for_a_picture_loses_nothing(void **state) {
    (void)state;
    what_was_learned_is_saved(&chl_training_generator, 1, 0);
    what_was_learned_is_saved(&chl_training_generator, 1, 1);
    what_was_learned_is_saved(&chl_training_gan, 2, 0);
    what_was_learned_is_saved(&chl_training_generator, 2, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_generator_trains_without_them),
        cmocka_unit_test(a_clip_pair_trains_without_them),
        cmocka_unit_test(networks_that_play_train_without_them),
        cmocka_unit_test(a_run_that_ends_for_a_picture_loses_nothing),
    };
    return cmocka_run_group_tests(tests, write_torn, remove_torn);
}
