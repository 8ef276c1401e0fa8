/* Recipes: their options as fixtures hold them, and epochs in steps. */
#include "train/toy.h"
#include "train/trainer_private.h"
#include <chladni/train.h>

#define MUST_RUN(call) assert_int_equal(call, CHL_OK)

/* As the options' float32 reads: nine digits tell any two apart, six hide its rounding. */
static void assert_same_value(const char *key, const json_t *got, const json_t *want) {
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(6);
    char *a = got ? json_dumps(got, flags) : NULL, *b = json_dumps(want, flags);
    if (!a || strcmp(a, b) != 0) fail_msg("%s is %s, not %s", key, a ? a : "missing", b);
    free(a);
    free(b);
}

/* tests/fixtures/recipes/<name>.json is typed from the sources that docs/training.md names. */
static void every_recipe_is_its_fixture(void **state) {
    (void)state;
    const chl_train_recipe *recipe;
    int count = 0;
    for (; (recipe = chl_train_recipe_at(count)); count++) {
        chl_train_options options;
        char file[128];
        const char *key;
        json_t *got, *value;
        MUST_RUN(chl_train_defaults(recipe->model, &options));
        MUST_RUN(chl_train_options_recipe(recipe->name, sizeof options, &options));
        MUST_RUN(chl_train_options_json(&options, &got));
        snprintf(file, sizeof file, CHLADNI_FIXTURES "/recipes/%s.json", recipe->name);
        json_t *want = json_load_file(file, 0, NULL);
        assert_true(json_object_size(want) >= 20);
        json_object_foreach(want, key, value)
            assert_same_value(key, json_object_get(got, key), value);
        json_decref(want);
        json_decref(got);
        assert_non_null(recipe->about);
    }
    assert_int_equal(count, 11);
    assert_null(chl_train_recipe_at(-1));
}

static void what_a_recipe_does_not_name_stays_and_later_fields_count(void **state) {
    (void)state;
    chl_train_options options;
    MUST_RUN(chl_train_defaults("audio", &options));
    options.seed = 42;
    options.data = "somewhere";
    MUST_RUN(chl_train_options_recipe("paper", sizeof options, &options));
    assert_int_equal(options.seed, 42);
    assert_string_equal(options.data, "somewhere");
    assert_int_equal(options.size, sizeof options);
}

static void unknown_recipes_are_refused_with_the_list(void **state) {
    (void)state;
    chl_train_options options;
    MUST_RUN(chl_train_defaults("audio", &options));
    assert_int_equal(chl_train_options_recipe("soup", sizeof options, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "(paper, lee2022, wav2clip, demo), got \"soup\""));
    MUST_RUN(chl_train_defaults("clip", &options));
    assert_int_equal(chl_train_options_recipe("paper", sizeof options, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "training clip: recipe must be one of its recipes (none)"));
}

/* Every word of the tables is a field, every field is read by a training, and no recipe sets one that its
 * own does not read. */
static void trainings_say_which_options_they_read(void **state) {
    (void)state;
    static const chl_training *const trainings[] = {
        &chl_training_audio,   &chl_training_clip, &chl_training_generator,
        &chl_training_encoder, &chl_training_gan,  &chl_training_classifier};
    enum { TRAININGS = sizeof trainings / sizeof trainings[0] };
    chl_train_options usual, options;
    const char *key;
    json_t *all, *value;
    MUST_RUN(chl_train_defaults("audio", &usual));
    MUST_RUN(chl_train_options_json(&usual, &all));
    json_object_foreach(all, key, value) {
        bool read = false;
        for (int i = 0; i < TRAININGS; i++) read = read || chl_train_reads(trainings[i], key);
        if (!read) fail_msg("%s is read by no training", key);
    }
    for (int i = 0; i < TRAININGS; i++) {
        char *words = strdup(trainings[i]->reads), *rest = words;
        for (const char *word; (word = strsep(&rest, " "));)
            if (!json_object_get(all, word)) fail_msg("\"%s\" is no field", word);
        free(words);
        MUST_RUN(chl_train_defaults(trainings[i]->name, &usual));
        const chl_train_recipe *recipe;
        for (int k = 0; (recipe = chl_train_recipe_at(k)); k++) {
            if (strcmp(recipe->model, trainings[i]->name) != 0) continue;
            options = usual;
            MUST_RUN(chl_train_options_recipe(recipe->name, sizeof options, &options));
            MUST_RUN(chl_train_check_read(trainings[i], &usual, &options));
        }
    }
    json_decref(all);
}

#define REFUSED(training, field, value, text)                                                      \
    do {                                                                                           \
        chl_train_options o;                                                                       \
        MUST_RUN(chl_train_defaults(training, &o));                                                \
        o.data = "nowhere";                                                                        \
        o.out = "nowhere";                                                                         \
        o.field = value;                                                                           \
        assert_int_equal(chl_train(&o), CHL_ERR_ARGUMENT);                                         \
        assert_string_equal(chl_error(),                                                           \
                            "training " training ": " #field " must be left out: " text);          \
    } while (0)

static void an_option_of_another_training_is_refused(void **state) {
    (void)state;
    REFUSED("gan", weight_text, 2, "this training does not use it, got 2.0");
    REFUSED("gan", average, 0.5f, "this training does not use it, got 0.5");
    REFUSED("gan", optimizer, "sgd", "this training does not use it, got \"sgd\"");
    REFUSED("clip", clip, "x.pt", "this training does not use it, got \"x.pt\"");
    REFUSED("generator", resolution, 64, "this training does not use it, got 64");
    REFUSED("audio", conditional, 1, "this training does not use it, got 1");
    REFUSED("audio", momentum, 0.5f, "it is of optimizer sgd, got 0.5");
}

/* An epoch leaves out what fills no batch: 12 samples in batches of 5 are 2 steps. */
static void epochs_are_counted_in_steps(void **state) {
    const place *p = *state;
    chl_train_options options = toy_options(p, "epochs");
    char *folder = in_folder(p->root, "epochs");
    options.out = folder;
    options.batch = 5;
    options.epochs = 3;
    MUST_RUN(chl_trainer_run(&toy_training, &options));
    json_t *last = stats_line(folder, 6);
    assert_non_null(last);
    assert_null(stats_line(folder, 7));
    json_decref(last);
    char *path = in_folder(folder, "options.json");
    json_t *written = json_load_file(path, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(written, "steps")), 6);
    assert_int_equal(json_integer_value(json_object_get(written, "epochs")), 3);
    json_decref(written);
    free(path);
    options.batch = SAMPLES + 1;
    options.out = p->root; /* nothing is written there */
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "batch must be at most the number of samples, 12, got 13"));
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recipe_is_its_fixture),
        cmocka_unit_test(what_a_recipe_does_not_name_stays_and_later_fields_count),
        cmocka_unit_test(trainings_say_which_options_they_read),
        cmocka_unit_test(an_option_of_another_training_is_refused),
        cmocka_unit_test(unknown_recipes_are_refused_with_the_list),
        cmocka_unit_test_setup_teardown(epochs_are_counted_in_steps, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
