/* Networks trained on labels alone, and their test on folds that they have not seen. */
#include "io/sound.h"
#include "models/engine.h"
#include "shared_runs.h"
#include <chladni/eval.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALL_SWIN "patch=16,embed=16,depths=2-1,heads=2-2,window=7"
#define SMALL_RESNET "width=4,depths=1-1-1-1"
enum { FOLDS = 3, LABELS = 3, PER_FOLD = 4 };

/* A folder of tones, as many of each label in each fold: fold 1, 2 and 4, as numbers and as texts, and a split
 * that is none of them. */
static char *folded;
static void write_folds(void) {
    enum { SAMPLES = 22050 };
    static const char *const label[LABELS] = {"low hum", "middle", "beep"};
    static const int number[FOLDS] = {1, 2, 4};
    static float wave[SAMPLES];
    char lines[FOLDS * LABELS * PER_FOLD * 112] = "", name[64];
    folded = make_temporary();
    for (int i = 0; i < FOLDS * LABELS * PER_FOLD; i++) {
        const int k = i % LABELS, fold = number[i / LABELS % FOLDS];
        const float pitch = (k == 0 ? 0.01f : k == 1 ? 0.08f : 0.6f) * (1 + 0.02f * (float)(i % 7));
        for (int n = 0; n < SAMPLES; n++) wave[n] = 0.3f * sinf(pitch * (float)n);
        snprintf(name, sizeof name, "%d.wav", i);
        char *path = in_folder(folded, name);
        MUST(chl_sound_write(path, wave, SAMPLES));
        free(path);
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
                 "{\"sound\":\"%s\",\"label\":\"%s\",\"fold\":%s%d%s,\"split\":\"train\"}\n", name,
                 label[k], k ? "" : "\"", fold, k ? "" : "\"");
    }
    put_file(folded, "pairs.jsonl", lines, strlen(lines));
}

static chl_train_options classifier(const char *sizes) {
    return options_of(&chl_training_classifier, sizes);
}

static char *train_folds(const char *name, const char *split) {
    chl_train_options options = classifier(SMALL_SWIN);
    options.data = folded;
    options.split = split;
    options.steps = 60;
    options.rate = 3e-3f;
    return train_on(name, &chl_training_classifier, options, 1);
}

static json_t *tested_on(const char *source, const char *const *model, int models,
                         const int *fold) {
    const chl_supervised_options o = {.size = sizeof o,
                                      .models = models,
                                      .model = model,
                                      .data = source,
                                      .folds = fold ? 1 : 0,
                                      .fold = fold};
    char *text;
    if (chl_evaluate_supervised(&o, &text) != CHL_OK) return NULL;
    json_t *report = json_loads(text, 0, NULL);
    chl_release(text);
    assert_non_null(report);
    return report;
}

static json_t *tested(const char *const *model, int models, const int *fold) {
    return tested_on(folded, model, models, fold);
}

/* A line without a fold is named, and one that the training chose by its split is seen. */
static void refuse_sounds_of_no_fold(const char *model) {
    char *source = in_folder(root, "no-fold"), line[1024];
    const chl_engine_options models = {.size = sizeof models, .audio = model};
    const chl_probe_options o = {.size = sizeof o, .data = source};
    chl_engine *engine;
    char *text;
    mkdir(source, 0777);
    snprintf(line, sizeof line,
             "{\"sound\":\"%s/0.wav\",\"label\":\"beep\",\"fold\":1}\n"
             "{\"sound\":\"%s/1.wav\",\"label\":\"middle\",\"fold\":\"a\"}\n",
             folded, folded);
    put_file(source, "pairs.jsonl", line, strlen(line));
    assert_null(tested_on(source, &model, 1, NULL));
    assert_non_null(strstr(chl_error(), "/1.wav has no fold, a whole number from 1 up"));
    MUST(chl_models_open(&models, &engine));
    assert_int_equal(chl_evaluate_probe(engine, &o, &text), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "1 of its 2 sounds are of no fold"));
    assert_non_null(strstr(chl_error(), "/1.wav"));
    chl_models_close(engine);
    snprintf(line, sizeof line,
             "{\"sound\":\"%s/0.wav\",\"label\":\"beep\",\"fold\":1,\"split\":\"4\"}\n", folded);
    put_file(source, "pairs.jsonl", line, strlen(line));
    assert_null(tested_on(source, &model, 1, NULL));
    assert_non_null(strstr(chl_error(), "was trained on 2,4: no sound of"));
    free(source);
}

/* Each model is tested on the fold that it has not seen, and only there; the numbers of folds have a gap. */
static void models_are_tested_on_folds_that_they_have_not_seen(void **state) {
    (void)state;
    static const char *const splits[FOLDS] = {"2,4", "1,4", "1,2"};
    char *run[FOLDS], *model[FOLDS], name[16];
    for (int i = 0; i < FOLDS; i++) {
        snprintf(name, sizeof name, "fold-%d", i);
        run[i] = train_folds(name, splits[i]);
        model[i] = in_folder(run[i], "model.safetensors");
    }
    json_t *report = tested((const char *const *)model, FOLDS, NULL);
    if (!report) fail_msg("%s", chl_error());
    assert_int_equal(json_integer_value(json_object_get(report, "sounds")),
                     FOLDS * LABELS * PER_FOLD);
    assert_int_equal(json_array_size(json_object_get(report, "folds")), FOLDS);
    assert_true(json_number_value(json_object_get(report, "accuracy")) > 0.9);
    const json_t *last = json_array_get(json_object_get(report, "models"), 2);
    assert_string_equal(json_string_value(json_object_get(last, "trained_on")), "1,2");
    assert_int_equal(json_integer_value(json_object_get(last, "sounds")), LABELS * PER_FOLD);
    json_decref(report);

    const int seen = 2;
    assert_null(tested((const char *const *)model, 1, &seen));
    assert_non_null(strstr(chl_error(), "was trained on 2,4: no sound of"));
    const char *const twice[] = {model[0], model[0]};
    assert_null(tested(twice, 2, NULL));
    assert_non_null(strstr(chl_error(), "would both be tested on"));
    refuse_sounds_of_no_fold(model[0]);

    const chl_engine_options beside = {.size = sizeof beside, .audio = model[0], .clip = clip_path};
    chl_engine *engine;
    assert_int_equal(chl_models_open(&beside, &engine), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "is a classifier, trained on labels"));
    for (int i = 0; i < FOLDS; i++) {
        free(run[i]);
        free(model[i]);
    }
}

/* Of lines with folds that have a gap, a linear probe takes those that there are. */
static void folds_with_a_gap_are_probed(void **state) {
    (void)state;
    char *model = in_folder(root, "fold-0/model.safetensors");
    const chl_engine_options models = {.size = sizeof models, .audio = model};
    chl_probe_options o = {.size = sizeof o, .data = folded};
    chl_engine *engine;
    char *text;
    MUST(chl_models_open(&models, &engine));
    MUST(chl_evaluate_probe(engine, &o, &text));
    json_t *report = json_loads(text, 0, NULL);
    const json_t *fits = json_object_get(report, "fits");
    assert_int_equal(json_array_size(fits), FOLDS);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(fits, 2), "fold")), 4);
    json_decref(report);
    chl_release(text);
    const int absent = 3;
    o.folds = 1;
    o.fold = &absent;
    assert_int_equal(chl_evaluate_probe(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "has no sound in fold 3"));
    o.test = folded;
    assert_int_equal(chl_evaluate_probe(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "folds must be left out with test"));
    o.test = NULL;
    const char *const one = model;
    assert_null(tested_on(data, &one, 1, &absent));
    assert_non_null(strstr(chl_error(), "folds must be left out for"));
    o.data = data;
    o.folds = 0;
    assert_int_equal(chl_evaluate_probe(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "has no folds"));
    chl_models_close(engine);
    free(model);
}

static void a_classifier_trains_on_ranks(void **state) {
    (void)state;
    chl_train_options options = classifier(SMALL_SWIN);
    options.rate = 1e-4f; /* of a larger one Adam's steps on rounding show in the smallest biases */
    char *whole = train_on("whole", &chl_training_classifier, options, 1), name[32];
    for (int ranks = 2; ranks <= 3; ranks++) {
        snprintf(name, sizeof name, "swin-%d", ranks);
        char *shared = train_on(name, &chl_training_classifier, options, ranks);
        compare(whole, shared, ranks);
        free(shared);
    }
    free(whole);
}

/* Losses only, at a small rate, as of the other networks with batch norm (test_ranks_of_trainings.c). */
static void a_resnet50_trains_on_ranks(void **state) {
    (void)state;
    chl_train_options options = classifier(SMALL_RESNET);
    double apart = 0;
    options.encoder = "resnet50";
    options.rate = 1e-5f;
    options.steps = 4;
    char *whole = train_on("resnet50", &chl_training_classifier, options, 1);
    char *shared = train_on("resnet50-2", &chl_training_classifier, options, 2);
    for (int step = 1; step <= options.steps; step++)
        apart = fmax(apart, fabs(loss_of(shared, step) / loss_of(whole, step) - 1));
    print_message("resnet50, losses differ by %.1e\n", apart);
    assert_true(apart < 1e-5);
    free(whole);
    free(shared);
}

/* Stopped after 7 steps and resumed: the same bits. */
static void a_resumed_classifier_has_the_same_bits(void **state) {
    (void)state;
    static const char *const files[] = {"model.safetensors", "checkpoint.safetensors"};
    chl_train_options options = classifier(SMALL_SWIN);
    options.augment = "mel";
    options.balance = "label";
    char *whole = train_on("unbroken", &chl_training_classifier, options, 1);
    options.stop_after = 7;
    char *parts = train_on("broken", &chl_training_classifier, options, 1);
    options.stop_after = 0;
    options.resume = 1;
    free(train_on("broken", &chl_training_classifier, options, 1));
    for (int i = 0; i < 2; i++) assert_true(same_file(whole, parts, files[i]));
    free(whole);
    free(parts);
}

static void impossible_classifiers_are_refused(void **state) {
    (void)state;
    char *out = in_folder(root, "refused"), *bare = in_folder(root, "bare");
    chl_train_options options = classifier(SMALL_SWIN);
    options.out = out;
    options.encoder = "vgg";
    refuse(&chl_training_classifier, &options, 1, NULL,
           "encoder must be swin, resnet18 or resnet50, got \"vgg\"");
    options.encoder = NULL;
    options.mask_bands = 2;
    refuse(&chl_training_classifier, &options, 1, NULL, "mask_bands must be in [0, 1], got 2");
    options.mask_bands = 0;
    options.data = bare;
    mkdir(bare, 0777);
    char line[512];
    snprintf(line, sizeof line, "{\"sound\":\"%s/0.wav\"}\n", folded);
    put_file(bare, "pairs.jsonl", line, strlen(line));
    refuse(&chl_training_classifier, &options, 1, NULL, "a classifier needs a \"label\"");
    snprintf(line, sizeof line, "{\"sound\":\"%s/0.wav\",\"label\":\"a\"}\n", folded);
    put_file(bare, "pairs.jsonl", line, strlen(line));
    refuse(&chl_training_classifier, &options, 1, NULL, "needs 2 to 4096 different labels, got 1");
    free(out);
    free(bare);
}

static int prepare(void **state) {
    write_folds();
    return write_all(state);
}

static int clean_up(void **state) {
    remove_folder(folded);
    free(folded);
    return remove_all(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_tested_on_folds_that_they_have_not_seen),
        cmocka_unit_test(folds_with_a_gap_are_probed),
        cmocka_unit_test(a_classifier_trains_on_ranks),
        cmocka_unit_test(a_resnet50_trains_on_ranks),
        cmocka_unit_test(a_resumed_classifier_has_the_same_bits),
        cmocka_unit_test(impossible_classifiers_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
