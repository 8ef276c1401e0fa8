/* Parts of `eval edits` that look at pictures with CLIP and a face encoder, and trials without a judge. */
#include "eval/small_world.h"

static chl_engine *with_face;

static int enter_with_face(void **state) {
    if (enter(state) != 0) return -1;
    MUST(chl_weights_random("face", 4, "f.safetensors"));
    chl_engine_options all = models;
    all.face = "f.safetensors";
    MUST(chl_engine_open(&all, &with_face));
    return 0;
}

static int leave_with_face(void **state) {
    chl_engine_close(with_face);
    return leave(state);
}

static void interval_holds(const json_t *row, const char *key, const char *interval) {
    const json_t *both = json_object_get(row, interval);
    const double x = json_number_value(json_object_get(row, key));
    assert_true(json_number_value(json_array_get(both, 0)) <= x + 1e-6);
    assert_true(json_number_value(json_array_get(both, 1)) >= x - 1e-6);
}

/* Edits that change nothing are named as the sources are, whatever is heard. */
static void a_linear_classifier_of_sounds_names_pictures(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    o.directions = 3;
    o.classifier = "folders";
    edit_options.rate = 1e-30f;
    json_t *report = try_edits(&o);
    const json_t *semantic = json_object_get(report, "semantic");
    near(number(semantic, "classifier", "sounds", NULL), SOUNDS, 0);
    double sum = 0, guides = 0;
    for (int k = 0; k < KINDS; k++) {
        const json_t *named =
            json_object_get(json_object_get(semantic, "sources_named"), kind_name[k]);
        const double share = named ? json_number_value(named) / 3 : 0;
        near(number(semantic, "by_sound", "per_kind", kind_name[k]), share, 1e-6);
        near(number(semantic, "by_text", "per_kind", kind_name[k]), share, 1e-6);
        guides += number(semantic, "guides", "per_kind", kind_name[k]) / KINDS;
        sum += share;
    }
    near(sum, 1, 1e-6);
    near(number(semantic, "by_sound", "accuracy", NULL), 1.0 / KINDS, 1e-6);
    near(number(semantic, "guides", "accuracy", NULL), guides, 1e-6);
    assert_true(guides > 0.5); /* it was trained on these sounds */
    interval_holds(json_object_get(semantic, "guides"), "accuracy", "interval");
    json_decref(report);
    char *text;
    o.directions = 0;
    assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "directions must be >= 1 with classifier, got 0"));
    o.directions = 1;
    o.classifier = "few";
    assert_int_equal(mkdir("few", 0777), 0);
    assert_int_equal(mkdir("few/hum", 0777), 0);
    make_sound(0, "few/hum/0.wav");
    assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "the kind \"hiss\" of pairs has no sound there"));
    report = parse(text); /* the edits before it */
    assert_non_null(json_object_get(report, "failed"));
    json_decref(report);
}

static void directions_have_places_and_intervals(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    o.directions = 2;
    json_t *report = try_edits(&o);
    const json_t *found = json_object_get(report, "directions"),
                 *points = json_object_get(found, "points");
    assert_int_equal(json_array_size(points), 2 * 2 * KINDS);
    const json_t *first = json_array_get(points, 0), *last = json_array_get(points, 4 * KINDS - 1);
    assert_string_equal(json_string_value(json_object_get(first, "by")), "sound");
    assert_string_equal(json_string_value(json_object_get(last, "by")), "text");
    assert_string_equal(json_string_value(json_object_get(last, "group")), kind_name[KINDS - 1]);
    near(json_number_value(json_object_get(last, "source")), 1, 0);
    assert_int_equal(json_array_size(json_object_get(last, "tsne")), 2);
    interval_holds(json_object_get(found, "sound_text"), "mean", "interval");
    interval_holds(report, "named_right", "named_right_interval");
    interval_holds(report, "both", "both_interval");
    json_decref(report);
}

static int end_at_directions(void *user, const char *what, int64_t done, int64_t all) {
    (void)user, (void)done, (void)all;
    return strcmp(what, "editing by sound") == 0;
}

static void a_late_failure_leaves_what_was_measured(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    o.directions = 2;
    o.progress = end_at_directions;
    char *text;
    assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_CANCELLED);
    char why[512];
    snprintf(why, sizeof why, "%s", chl_error());
    json_t *report = parse(text);
    interval_holds(report, "named_right", "named_right_interval");
    assert_null(json_object_get(report, "directions"));
    assert_string_equal(json_string_value(json_object_get(report, "failed")), why);
    json_decref(report);
}

/* The loss that the ablation leaves out is the only difference between the two sides. */
static void the_identity_loss_keeps_faces(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    o.judge = NULL;
    o.identity = 2;
    edit_options.identity_weight = 30;
    edit_options.rate = 0.1f;
    char *text;
    MUST(chl_evaluate_edits(with_face, &o, &text));
    json_t *report = parse(text);
    const json_t *found = json_object_get(report, "identity");
    near(number(found, "edits", NULL, NULL), 2 * KINDS, 0);
    const double with = number(found, "with", "identity", "mean"),
                 without = number(found, "without", "identity", "mean");
    if (!(with > without && with < 1)) fail_msg("faces: %g with, %g without", with, without);
    near(number(found, "difference", "identity", "mean"), with - without, 2e-6);
    interval_holds(json_object_get(json_object_get(found, "with"), "identity"), "mean", "interval");
    json_decref(report);
    edit_options.rate = 1e-30f;
    MUST(chl_evaluate_edits(with_face, &o, &text));
    report = parse(text);
    found = json_object_get(report, "identity");
    near(number(found, "without", "identity", "mean"), 1, 1e-6);
    near(number(found, "difference", "similarity", "mean"), 0, 0);
    json_decref(report);
    assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "face"));
    edit_options.identity_weight = 0;
    assert_int_equal(chl_evaluate_edits(with_face, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "identity_weight must be > 0"));
}

static void without_a_judge_directions_are_measured_all_the_same(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    o.directions = 1;
    json_t *judged = try_edits(&o);
    o.judge = NULL;
    json_t *report = try_edits(&o);
    assert_null(json_object_get(report, "named_right"));
    assert_null(json_object_get(report, "gate"));
    assert_true(
        json_equal(json_object_get(report, "directions"), json_object_get(judged, "directions")));
    json_decref(report);
    json_decref(judged);
    char *text;
    o.directions = 0;
    assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "judge must name a file, got NULL"));
}

/* --- sources as codes --------------------------------------------------------------------------- */
static void write_codes(const char *path, int rank, const int64_t *dim, const float *codes) {
    MUST(chl_array_write(path, rank, dim, codes));
}

/* What calm's first three scenes are in W+, as codes.npy [3][rows][latent]. */
static void write_calm_codes(const chl_trial_options *o, float *codes) {
    chl_trials trials;
    MUST(chl_trials_open(engine, o, &trials));
    assert_int_equal(trials.sources, 3);
    const int64_t dim[] = {3, trials.size.rows, Z};
    memcpy(codes, trials.source_code, sizeof(float) * (size_t)(3 * chl_trials_code(&trials)));
    write_codes("codes.npy", 3, dim, codes);
    write_codes("one.npy", 2, dim + 1, codes);
    chl_trials_close(&trials);
}

enum { ROWS = 8 }; /* of a generator of 32 pixels */

static void codes_are_edited_as_the_scenes_that_they_are_of(void **unused) {
    (void)unused;
    float codes[3 * ROWS * Z];
    chl_trial_options o = trial_options();
    o.directions = 1;
    write_calm_codes(&o, codes);
    json_t *scenes = try_edits(&o);
    o.sources = "codes.npy";
    json_t *report = try_edits(&o);
    assert_true(json_equal(report, scenes));
    json_decref(report);
    json_decref(scenes);
    o.sources = "one.npy";
    report = try_edits(&o);
    near(number(report, "settings", "sources", NULL), 1, 0);
    near(number(report, "edits", NULL, NULL), KINDS, 0);
    json_decref(report);
    /* rows that differ, as of an inversion: the source is the picture of all of them */
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < Z; i++) codes[r * Z + i] += 0.5f * (float)r;
    write_codes("codes.npy", 3, (const int64_t[]){3, ROWS, Z}, codes);
    o.sources = "codes.npy";
    chl_trials trials;
    MUST(chl_trials_open(engine, &o, &trials));
    float pixels[SIDE * SIDE * 3];
    assert_memory_equal(trials.source_code, codes, sizeof codes);
    for (int i = 0; i < 3; i++) {
        MUST(chl_generate(engine, 1, codes + (ptrdiff_t)i * ROWS * Z, pixels));
        assert_memory_equal(trials.source_pixels + i * chl_trials_picture(&trials), pixels,
                            sizeof pixels);
    }
    chl_trials_close(&trials);
}

static void refused(const chl_trial_options *o, chl_status status, const char *what) {
    char *text;
    const chl_status got = chl_evaluate_edits(engine, o, &text);
    if (got != status || !strstr(chl_error(), what))
        fail_msg("\"%s\" is not in \"%s\"", what, chl_error());
    assert_null(text);
}

static void codes_of_another_generator_are_refused(void **unused) {
    (void)unused;
    float codes[2 * 9 * Z] = {0};
    chl_trial_options o = trial_options();
    o.sources = "wrong.npy";
    static const struct {
        int rank;
        int64_t dim[3];
        const char *got;
    } wrong[] = {{3, {2, 9, Z}, "got float32 [2,9,16]"},
                 {3, {2, ROWS, Z - 1}, "got float32 [2,8,15]"},
                 {2, {4, Z}, "got float32 [4,16]"},
                 {1, {Z}, "got float32 [16]"},
                 {3, {0, ROWS, Z}, "got float32 [0,8,16]"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_codes(o.sources, wrong[i].rank, wrong[i].dim, codes);
        refused(&o, CHL_ERR_SHAPE, wrong[i].got);
        refused(&o, CHL_ERR_SHAPE, "wrong.npy: expected W+ codes of 8 x 16, one or several");
    }
    codes[ROWS * Z + 3] = NAN;
    write_codes(o.sources, 3, (const int64_t[]){2, ROWS, Z}, codes);
    refused(&o, CHL_ERR_NUMERIC, "wrong.npy: element 131 is not finite");
    o.sources = "absent.npy";
    refused(&o, CHL_ERR_IO, "absent.npy");
    o.sources = "calm/latents.npy";
    refused(&o, CHL_ERR_SHAPE, "of scenes of chladni world give the folder");
    assert_int_equal(mkdir("folder.npy", 0777), 0); /* its name makes it no array */
    o.sources = "folder.npy";
    refused(&o, CHL_ERR_FORMAT, "folder.npy must be a folder with pairs.jsonl");
}

/* As e4e's files may be: what a seed would need is not there. */
static void codes_need_no_mapping_network(void **unused) {
    (void)unused;
    float codes[3 * ROWS * Z];
    chl_trial_options o = trial_options();
    write_calm_codes(&o, codes);
    chl_params *params;
    MUST(chl_weights_read("g.safetensors", &params));
    static const char *const mapping[] = {"mapping.fc0.weight", "mapping.fc0.bias",
                                          "mapping.fc1.weight", "mapping.fc1.bias"};
    for (int i = 0; i < 4; i++) chl_params_drop(params, mapping[i]);
    save_model(params, "synthesis.safetensors");
    chl_engine_options bare = models;
    bare.generator = "synthesis.safetensors";
    chl_engine *other;
    MUST(chl_engine_open(&bare, &other));
    char *text;
    edit_options = chl_edit_defaults(other);
    edit_options.steps = 5;
    assert_int_equal(chl_evaluate_edits(other, &o, &text), CHL_ERR_UNSUPPORTED);
    o.sources = "codes.npy"; /* the gate is of scenes */
    assert_int_equal(chl_evaluate_edits(other, &o, &text), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "gate must be 0: synthesis.safetensors has no mapping"));
    o.gate = 0;
    MUST(chl_evaluate_edits(other, &o, &text));
    chl_release(text);
    chl_engine_close(other);
}

/* Of a single text every sound is told to be that one. */
static void sounds_told_by_a_text_guide_as_it_does(void **unused) {
    (void)unused;
    FILE *file = fopen("texts.txt", "w");
    assert_non_null(file);
    fputs("rain\n", file);
    fclose(file);
    chl_engine_options told = models;
    told.sound_texts = "texts.txt";
    chl_engine *by_text;
    MUST(chl_engine_open(&told, &by_text));

    chl_trial_options o = trial_options();
    chl_trials trials;
    chl_trial trial[2] = {{.kind = 0}, {.kind = 1}};
    float target[2][EMBED], rain[EMBED];
    MUST(chl_trials_open(by_text, &o, &trials));
    for (int k = 0; k < 2; k++) trial[k].sound = chl_trials_sound(&trials, 0, k);
    MUST(chl_trials_targets(&trials, 2, trial, target[0]));
    MUST(chl_embed_text(by_text, "rain", rain));
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < EMBED; i++) near(target[k][i], rain[i], 1e-6);
    chl_trials_close(&trials);

    o.gate = o.intensity = 0;
    o.scenes = 1;
    char *text;
    MUST(chl_evaluate_edits(by_text, &o, &text));
    json_t *report = parse(text);
    near(number(report, "settings", "sound_texts", "texts"), 1, 0);
    near(number(report, "settings", "sound_texts", "temperature"), 0.02, 1e-6);
    json_decref(report);

    const chl_explain_options explain = {.size = sizeof explain, .sound = "a.wav"};
    assert_int_equal(chl_explain_edit(by_text, &explain, &text), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "without sound_texts"));
    chl_engine_close(by_text);
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(skipped_without_files_of_sounds)};
    if (!reads_sounds()) return cmocka_run_group_tests(without, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_classifier_of_sounds_names_pictures),
        cmocka_unit_test(directions_have_places_and_intervals),
        cmocka_unit_test(a_late_failure_leaves_what_was_measured),
        cmocka_unit_test(the_identity_loss_keeps_faces),
        cmocka_unit_test(without_a_judge_directions_are_measured_all_the_same),
        cmocka_unit_test(codes_are_edited_as_the_scenes_that_they_are_of),
        cmocka_unit_test(codes_of_another_generator_are_refused),
        cmocka_unit_test(codes_need_no_mapping_network),
        cmocka_unit_test(sounds_told_by_a_text_guide_as_it_does)};
    return cmocka_run_group_tests(tests, enter_with_face, leave_with_face);
}
