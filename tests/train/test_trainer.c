/* The loop of all trainings: what it computes, what it refuses. */
#include "io/weights.h"
#include "toy.h"

static double mean_loss(const char *folder, int first) {
    double total = 0;
    for (int i = 0; i < 10; i++) total += loss_of(folder, first + i) / 10;
    return total;
}

static void loss_falls_and_files_appear(void **state) {
    const place *p = *state;
    char *out = in_folder(p->root, "deep/er/run");
    chl_train_options options = toy_options(p, out);
    options.steps = 300;
    options.decay = 0;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    const double first = mean_loss(out, 1), last = mean_loss(out, 291);
    if (last > 0.5 * first) fail_msg("the loss went from %g to %g", first, last);
    json_t *line = stats_line(out, 1), *terms = json_object_get(line, "terms");
    assert_int_equal(json_object_size(terms), 2);
    const double fit = json_number_value(json_object_get(terms, "fit"));
    const double rough = json_number_value(json_object_get(terms, "rough"));
    assert_true(fabs(0.75 * fit + 0.25 * rough - loss_of(out, 1)) < 1e-6);
    json_decref(line);
    size_t size;
    char *noted = get_file(out, "options.json", &size), *log = get_file(out, "log.txt", &size);
    assert_non_null(strstr(noted, "\"batch\": 4"));
    assert_non_null(strstr(log, "saved after step 300"));
    free(noted);
    free(log);
    free(out);
}

static void averages_and_tracked_states_are_right(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "run"), *path = in_folder(out, "model.safetensors");
    chl_params *model;
    assert_int_equal(chl_weights_read(path, &model), CHL_OK);
    const float *saved = chl_params_find(model, "body.weight")->data;
    for (int i = 0; i < HIDDEN * LATENT; i++) {
        assert_true(fabs(seen.average[i] - (double)seen.last_average[i]) < 1e-5);
        assert_true(saved[i] == seen.last_average[i]);
    }
    assert_true(fabs(seen.mean - (double)seen.last_mean) < 1e-6);
    assert_true(*(float *)chl_params_find(model, "running_mean")->data == seen.last_mean);
    assert_non_null(chl_params_find(model, "constant"));
    assert_int_equal(model->count, 8);
    chl_params_free(model);
    free(path);
    free(out);
}

static void weight_decay_and_rates_are_by_name(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "run");
    assert_true(seen.of_body.decay == 0.125f && seen.of_body.scale == 1);
    assert_true(seen.of_head.decay == 0.125f && seen.of_head.scale == 0.5f);
    assert_true(seen.of_bias.decay == 0 && seen.of_position.decay == 0);
    assert_false(seen.has_still);
    free(out);
}

/* spare.weight of the model minus its initial value, largest */
static float spare_moved(const char *out) {
    char *path = in_folder(out, "model.safetensors");
    chl_params *model, *initial;
    assert_int_equal(chl_weights_read(path, &model), CHL_OK);
    assert_int_equal(chl_params_new("initial", &initial), CHL_OK);
    fill(initial, "spare.weight", chl_f32(2, 1, HIDDEN), 5);
    const float *a = chl_params_find(model, "spare.weight")->data;
    const float *b = chl_params_find(initial, "spare.weight")->data;
    float most = 0;
    for (int i = 0; i < HIDDEN; i++) most = fmaxf(most, fabsf(a[i] - b[i]));
    chl_params_free(model);
    chl_params_free(initial);
    free(path);
    return most;
}

static void terms_without_weight_train_nothing(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "without");
    assert_true(spare_moved(out) == 0);
    free(out);
    seen.weight_spare = 1;
    out = whole_run(p, "with");
    assert_true(spare_moved(out) > 0.01f);
    free(out);
}

static int run_again(void *user, const chl_train_progress *progress) {
    chl_train_options *options = user;
    if (progress->step != 2) return 0;
    chl_train_options second = *options;
    second.progress = NULL;
    second.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &second), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "another process"));
    return 1;
}

static void folder_belongs_to_one_run(void **state) {
    const place *p = *state;
    char *out = in_folder(p->root, "run");
    chl_train_options options = toy_options(p, out);
    options.progress = run_again;
    options.user = &options;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_CANCELLED);
    free(out);
}

static void nonsense_is_refused(void **state) {
    const place *p = *state;
    char *out = in_folder(p->root, "run");
    const chl_train_options right = toy_options(p, out);
    chl_train_options wrong;
#define NONSENSE(field, value, what)                                                               \
    do {                                                                                           \
        wrong = right;                                                                             \
        wrong.field = value;                                                                       \
        assert_int_equal(chl_trainer_run(&toy_training, &wrong), CHL_ERR_ARGUMENT);                \
        assert_non_null(strstr(chl_error(), what));                                                \
        assert_int_not_equal(access(out, F_OK), 0);                                                \
    } while (0)
    NONSENSE(size, 0, "size is 0");
    NONSENSE(out, NULL, "out");
    NONSENSE(data, NULL, "data");
    NONSENSE(steps, 0, "steps");
    NONSENSE(batch, 0, "batch");
    NONSENSE(rate, NAN, "rate");
    NONSENSE(beta2, 1, "beta2");
    NONSENSE(average, 1, "average");
    NONSENSE(cycles, -1, "cycles");
    NONSENSE(warm_up, 1, "warm_up");
    NONSENSE(momentum, 1, "momentum must be in [0, 1), got 1");
    NONSENSE(lowest_rate, 0.06f, "lowest_rate must be in [0, rate], got 0.06");
    NONSENSE(optimizer, "lion", "optimizer must be adamw or sgd, got \"lion\"");
    NONSENSE(schedule, "step", "schedule must be cosine or triangle, got \"step\"");
    assert_int_equal(chl_train_defaults("painter", &wrong), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "painter"));
    wrong = right;
    wrong.batch = BATCH; /* more than the data has */
    write_data(p->data, 1);
    put_file(p->data, "pairs.jsonl", "{}\n", 3);
    assert_int_not_equal(chl_trainer_run(&toy_training, &wrong), CHL_OK);
    assert_non_null(strstr(chl_error(), "latents.npy"));
    free(out);
}

/* More epochs than data for one batch: what only the opened data tells. */
static void assert_refused_at(const place *p, const char *out) {
    chl_train_options wrong = toy_options(p, out);
    wrong.epochs = 1;
    wrong.batch = SAMPLES + 1;
    assert_int_equal(chl_trainer_run(&toy_training, &wrong), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "batch must be at most the number of samples"));
}

static void a_refused_training_leaves_nothing_that_was_not_there(void **state) {
    const place *p = *state;
    char *above = in_folder(p->root, "new"), *out = in_folder(above, "deeper//run/");
    assert_refused_at(p, out);
    assert_int_not_equal(access(above, F_OK), 0);
    assert_int_equal(access(p->root, F_OK), 0);
    mkdir(above, 0777);
    assert_refused_at(p, above);
    assert_int_equal(rmdir(above), 0); /* it was there, and is empty as it was */
    mkdir(above, 0777);
    put_file(above, "log.txt", "before\n", 7);
    assert_refused_at(p, above);
    size_t size;
    char *log = get_file(above, "log.txt", &size);
    assert_memory_equal(log, "before\n", 7);
    free(log);
    free(out);
    free(above);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loss_falls_and_files_appear, set_up, tear_down),
        cmocka_unit_test_setup_teardown(averages_and_tracked_states_are_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(weight_decay_and_rates_are_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(terms_without_weight_train_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_belongs_to_one_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_training_leaves_nothing_that_was_not_there,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
