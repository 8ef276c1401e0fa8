/* Evaluation on small random models: they know nothing, but what a report says about them can be
 * counted again by hand. */
#include "eval/small_world.h"

/* --- zero-shot -------------------------------------------------------------------------------- */
static const chl_zero_shot_options plain = {.size = sizeof(chl_zero_shot_options),
                                            .labels = KINDS,
                                            .label = (const char *const *)kind_name};

static void embed_label(const char *label, float *embedding) {
    float a[EMBED], b[EMBED];
    char text[64];
    snprintf(text, sizeof text, "a %s", label);
    MUST(chl_embed_text(engine, label, a));
    MUST(chl_embed_text(engine, text, b));
    double square = 0;
    for (int i = 0; i < EMBED; i++) square += (double)(a[i] + b[i]) * (double)(a[i] + b[i]);
    for (int i = 0; i < EMBED; i++) embedding[i] = (a[i] + b[i]) / (float)sqrt(square);
}

static double dot(const float *a, const float *b) {
    double total = 0;
    for (int i = 0; i < EMBED; i++) total += (double)a[i] * (double)b[i];
    return total;
}

/* The kind whose name is nearest, by the functions that embed one thing each. */
static int nearest(const char *path, double *score) {
    float sound[EMBED], label[EMBED];
    int best = 0;
    MUST(chl_embed_sound(engine, path, sound));
    for (int k = 0; k < KINDS; k++) {
        embed_label(kind_name[k], label);
        score[k] = dot(sound, label);
        if (score[k] > score[best]) best = k;
    }
    return best;
}

static void one_sound_gets_the_nearest_label(void **unused) {
    (void)unused;
    double score[KINDS];
    const int best = nearest("pairs/4.wav", score);
    chl_zero_shot_options o = plain;
    char *text;
    o.sound = "pairs/4.wav";
    MUST(chl_evaluate_zero_shot(engine, &o, &text));
    json_t *report = parse(text);
    assert_string_equal(json_string_value(json_object_get(report, "top1")), kind_name[best]);
    for (int k = 0; k < KINDS; k++)
        near(number(report, "scores", kind_name[k], NULL), score[k], 2e-6);
    json_decref(report);
}

static json_t *classify(const char *folder, int64_t limit, bool labels) {
    chl_zero_shot_options o = plain;
    char *text;
    o.data = folder;
    o.limit = limit;
    if (!labels) o.labels = 0;
    MUST(chl_evaluate_zero_shot(engine, &o, &text));
    return parse(text);
}

static void folders_are_counted_as_sound_by_sound(void **unused) {
    (void)unused;
    int right = 0, confusion[KINDS][KINDS] = {{0}};
    for (int i = 0; i < SOUNDS; i++) {
        char path[64];
        double score[KINDS];
        snprintf(path, sizeof path, "pairs/%d.wav", i);
        const int best = nearest(path, score);
        confusion[i % KINDS][best]++;
        right += best == i % KINDS;
    }
    json_t *report = classify("pairs", 0, true);
    near(number(report, "accuracy", NULL, NULL), (double)right / SOUNDS, 1e-6);
    for (int t = 0; t < KINDS; t++) {
        const json_t *row = json_array_get(json_object_get(report, "confusion"), (size_t)t);
        for (int k = 0; k < KINDS; k++)
            assert_int_equal(json_integer_value(json_array_get(row, (size_t)k)), confusion[t][k]);
        near(number(report, "per_label", kind_name[t], "accuracy"),
             (double)confusion[t][t] / (SOUNDS / KINDS), 1e-6);
    }
    /* a folder per label is the same test; its labels may come from the folders */
    json_t *same = classify("folders", 0, false);
    near(number(same, "accuracy", NULL, NULL), number(report, "accuracy", NULL, NULL), 0);
    json_decref(same);
    json_t *short_one = classify("folders", 3, true);
    for (int t = 0; t < KINDS; t++)
        near(number(short_one, "per_label", kind_name[t], "sounds"), 1, 0);
    json_decref(short_one);
    json_decref(report);
}

static void impossible_zero_shot_options_are_refused(void **unused) {
    (void)unused;
    char *text;
    chl_zero_shot_options o = plain;
    assert_int_equal(chl_evaluate_zero_shot(engine, &o, &text), CHL_ERR_ARGUMENT);
    o.data = "pairs";
    o.labels = 2;
    assert_int_equal(chl_evaluate_zero_shot(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "beep"));
    o.data = "nowhere";
    assert_int_equal(chl_evaluate_zero_shot(engine, &o, &text), CHL_ERR_IO);
    o.data = "folders/hum";
    assert_int_equal(chl_evaluate_zero_shot(engine, &o, &text), CHL_ERR_FORMAT);
    o = plain;
    o.sound = "pairs/1.wav";
    o.prompts = 1;
    o.prompt = (const char *const[]){"no hole"};
    assert_int_equal(chl_evaluate_zero_shot(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_null(text);
}

/* A batch hears what one alone hears, at every level. */
static void batched_sounds_embed_as_single_ones(void **unused) {
    (void)unused;
    chl_media sound[SOUNDS];
    char name[SOUNDS][32];
    float gain[SOUNDS], many[SOUNDS][EMBED], one[EMBED];
    for (int i = 0; i < SOUNDS; i++) {
        snprintf(name[i], sizeof name[i], "pairs/%d.wav", i);
        sound[i] = (chl_media){.path = name[i]};
        gain[i] = -3 * (float)i;
    }
    MUST(chl_eval_embed_sounds(engine->audio, SOUNDS, sound, gain, NULL, many[0]));
    for (int i = 0; i < SOUNDS; i++) {
        MUST(chl_embed_sound_level(engine, name[i], gain[i], one));
        for (int k = 0; k < EMBED; k++) near((double)many[i][k], (double)one[k], 2e-6);
    }
}

/* --- edits ------------------------------------------------------------------------------------ */
/* The shares are those of the listed trials, and everything is a function of the options. */
static void shares_are_those_of_the_listed_trials(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    edit_options.rate = 1; /* far enough that answers change */
    o.sheet = "sheet.png";
    json_t *report = try_edits(&o), *trial;
    const json_t *trials = json_object_get(report, "trials");
    static const char *const questions[] = {"time", "season", "house"};
    int right = 0, same[3] = {0}, all_same = 0, both = 0, could = 0, leaked = 0;
    int wrong[KINDS] = {0}; /* edits by other sounds that were named so */
    size_t i;
    assert_int_equal(json_array_size(trials), 3 * KINDS);
    json_array_foreach(trials, i, trial) {
        bool all = true;
        const char *name = json_string_value(json_object_get(trial, "named"));
        const bool named = strcmp(json_string_value(json_object_get(trial, "kind")), name) == 0;
        for (int k = 0; k < KINDS; k++) wrong[k] += !named && strcmp(name, kind_name[k]) == 0;
        for (int q = 0; q < 3; q++) {
            const json_t *pair = json_object_get(trial, questions[q]);
            const json_int_t before = json_integer_value(json_array_get(pair, 0)),
                             after = json_integer_value(json_array_get(pair, 1)),
                             favourite = q == 1 ? 2 : 1;
            same[q] += before == after;
            all = all && before == after;
            could += before != favourite;
            leaked += before != favourite && after == favourite;
        }
        right += named;
        all_same += all;
        both += named && all;
    }
    const double n = 3 * KINDS;
    near(number(report, "named_right", NULL, NULL), right / n, 1e-6);
    near(number(report, "unchanged", "all", NULL), all_same / n, 1e-6);
    near(number(report, "both", NULL, NULL), both / n, 1e-6);
    for (int q = 0; q < 3; q++)
        near(number(report, "unchanged", questions[q], NULL), same[q] / n, 1e-6);
    near(number(report, "leakage", "all", "cases"), could, 0);
    if (could) near(number(report, "leakage", "all", "to_favourite"), (double)leaked / could, 1e-6);
    for (int k = 0; k < KINDS; k++)
        near(number(json_object_get(report, "per_kind"), kind_name[k], "wrong_sound", "mean"),
             wrong[k] / (3.0 * (KINDS - 1)), 1e-6);
    /* or this test sees nothing */
    assert_true(all_same < n && right > 0 && right < n && wrong[0] + wrong[1] + wrong[2] > 0);
    int height, width;
    float *pixels;
    MUST(chl_picture_read("sheet.png", &height, &width, &pixels));
    chl_release(pixels);
    assert_true(height >= 3 * SIDE && width >= (KINDS + 1) * SIDE);
    o.batch = 3;
    json_t *again = try_edits(&o);
    assert_int_equal(json_array_size(json_object_get(again, "trials")), 3 * KINDS);
    json_decref(again);
    o.batch = 4;
    again = try_edits(&o);
    assert_true(json_equal(report, again));
    json_decref(again);
    json_decref(report);
}

/* An edit that goes nowhere changes nothing. */
static void an_edit_of_rate_0_changes_no_answer(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    edit_options.rate = 1e-20f;
    json_t *report = try_edits(&o);
    near(number(report, "unchanged", "all", NULL), 1, 0);
    near(number(report, "leakage", "all", "to_favourite"), 0, 0);
    json_decref(report);
}

/* A judge that calls everything "hiss": right for hisses, and for all of the wrong sounds. */
static void a_judge_of_one_answer_fails_the_control(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    o.judge = "hiss.safetensors";
    json_t *report = try_edits(&o);
    near(number(report, "named_right", NULL, NULL), 1.0 / KINDS, 1e-6);
    near(number(report, "wrong_sound", "mean", NULL), 1.0 / KINDS, 1e-6);
    near(number(report, "wrong_sound", "worst", NULL), 1, 0);
    const json_t *kinds = json_object_get(report, "per_kind");
    near(number(kinds, "hiss", "named_right", NULL), 1, 0);
    near(number(kinds, "hiss", "wrong_sound", "mean"), 1, 0);
    near(number(kinds, "hum", "wrong_sound", "mean"), 0, 0);
    near(number(report, "sources_named", "hiss", NULL), 3, 0);
    near(number(report, "gate", "kind", NULL), 1.0 / KINDS, 1e-6);
    json_decref(report);
}

static void levels_and_directions_are_reported_as_asked(void **unused) {
    (void)unused;
    chl_trial_options o = trial_options();
    o.intensity = 2;
    o.levels = 3;
    o.louder = "hiss,beep";
    o.directions = 1;
    json_t *report = try_edits(&o);
    const json_t *louder = json_object_get(report, "intensity");
    assert_int_equal(json_object_size(louder), 2);
    const json_t *levels = json_object_get(json_object_get(louder, "beep"), "level_db");
    near(json_number_value(json_array_get(levels, 0)), -8, 1e-6);
    near(json_number_value(json_array_get(levels, 2)), 0, 0);
    const json_t *judged = json_object_get(json_object_get(louder, "beep"), "judged");
    double level[3], curve[3];
    for (size_t l = 0; l < 3; l++) {
        level[l] = json_number_value(json_array_get(levels, l));
        curve[l] = json_number_value(json_array_get(judged, l));
    }
    assert_true(curve[0] != curve[1] && curve[1] != curve[2] && curve[0] != curve[2]);
    double score[KINDS]; /* the strongest two of each */
    const int hisses = (nearest("pairs/7.wav", score) == 1) + (nearest("pairs/4.wav", score) == 1),
              beeps = (nearest("pairs/8.wav", score) == 2) + (nearest("pairs/5.wav", score) == 2);
    near(number(louder, "hiss", "heard", NULL), hisses / 2.0, 1e-6);
    near(number(louder, "beep", "heard", NULL), beeps / 2.0, 1e-6);
    const char *const all = hisses == 2 ? "hiss" : beeps == 2 ? "beep" : NULL;
    assert_non_null(all); /* of which one encoder of random weights hears everything as one kind */
    near(number(louder, all, "spearman_heard", NULL), number(louder, all, "spearman", NULL), 1e-6);
    near(number(louder, "beep", "spearman_of_mean", NULL), chl_spearman(3, level, curve), 1e-6);
    near(number(report, "directions", "edits", NULL), KINDS, 0);
    assert_true(number(report, "directions", "source_sound", "mean") < 1);
    json_decref(report);
}

/* By label: what the edit aims at is the label's text, and nobody listens. */
static void edits_by_label_aim_at_the_texts_of_labels(void **unused) {
    (void)unused;
    chl_engine_options deaf = models;
    deaf.audio = NULL;
    chl_engine *other;
    MUST(chl_engine_open(&deaf, &other));
    chl_trial_options o = trial_options();
    char *text;
    assert_int_equal(chl_evaluate_edits(other, &o, &text), CHL_ERR_ARGUMENT);
    o.by_label = 1;
    o.intensity = 2; /* of a text there is no louder one */
    MUST(chl_evaluate_edits(other, &o, &text));
    json_t *report = parse(text);
    assert_true(json_is_true(json_object_get(json_object_get(report, "settings"), "by_label")));
    assert_null(json_object_get(report, "intensity"));
    json_decref(report);
    chl_trials trials;
    MUST(chl_trials_open(other, &o, &trials));
    chl_trial trial[SOUNDS] = {{0}};
    float target[SOUNDS][EMBED], wanted[EMBED];
    for (int i = 0; i < SOUNDS; i++) trial[i].sound = i;
    assert_null(trials.sounds->sample[1].label);
    trials.sounds->sample[1].label = strdup("a loud hum");
    MUST(chl_trials_targets(&trials, SOUNDS, trial, target[0]));
    for (int i = 0; i < SOUNDS; i++) {
        const chl_sample *s = &trials.sounds->sample[i];
        MUST(chl_embed_text(other, s->label ? s->label : s->kind, wanted));
        assert_ptr_equal(trial[i].target, target[i]);
        assert_memory_equal(target[i], wanted, sizeof wanted);
    }
    chl_trials_close(&trials);
    chl_engine_close(other);
    o.directions = 1;
    assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "by_label"));
}

static void impossible_trial_options_are_refused(void **unused) {
    (void)unused;
    char *text;
    chl_trial_options o = trial_options();
    o.judge = "c.safetensors";
    assert_int_not_equal(chl_evaluate_edits(engine, &o, &text), CHL_OK);
    o = trial_options();
    o.min_strength = 0.95f; /* no sound of one of the kinds is as strong */
    assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_ARGUMENT);
    o = trial_options();
    o.sources = "folders";
    assert_int_not_equal(chl_evaluate_edits(engine, &o, &text), CHL_OK);
    assert_null(text);
}

static void counts_and_kinds_are_checked_before_anything_is_edited(void **unused) {
    (void)unused;
    static const char *const wrong[] = {"bark", "", ",", "hiss,", "hiss,bark", "his"};
    char *text;
    chl_trial_options o = trial_options(), bad = o;
    o.intensity = 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        o.louder = wrong[i];
        assert_int_equal(chl_evaluate_edits(engine, &o, &text), CHL_ERR_ARGUMENT);
        if (!strstr(chl_error(), "kinds of the sounds")) fail_msg("\"%s\"", chl_error());
    }
    o.louder = "rain,fire,wind"; /* the usual ones: none is here */
    json_t *report = try_edits(&o);
    assert_null(json_object_get(report, "intensity"));
    json_decref(report);
    int *const count[] = {&bad.intensity, &bad.directions, &bad.gate};
    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        *count[i] = -1;
        assert_int_equal(chl_evaluate_edits(engine, &bad, &text), CHL_ERR_ARGUMENT);
        if (!strstr(chl_error(), "must be >= 0, got -1")) fail_msg("\"%s\"", chl_error());
        *count[i] = 0;
    }
    bad.identity = -1;
    assert_int_equal(chl_evaluate_edits(engine, &bad, &text), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "identity must be >= 0, got -1");
    const chl_zero_shot_options zero = {.size = sizeof zero, .data = "sounds", .limit = -1};
    assert_int_equal(chl_evaluate_zero_shot(engine, &zero, &text), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "limit must be >= 0, got -1");
}

/* --- ablation --------------------------------------------------------------------------------- */
/* A row per group: the source and an edit per kind, as in the sheet of the group alone. */
static void expect_rows(const char *sheet, int rows, chl_trial_options alone) {
    chl_raster all, single;
    MUST(chl_raster_read(sheet, &all));
    alone.sheet = "single.png";
    json_decref(try_edits(&alone));
    MUST(chl_raster_read("single.png", &single));
    assert_int_equal(all.width, single.width);
    assert_int_equal(all.height, rows * single.height);
    /* models.audio is the first group's first encoder */
    assert_memory_equal(all.rgb, single.rgb, 3 * (size_t)single.width * (size_t)single.height);
    chl_raster_free(&all);
    chl_raster_free(&single);
}

static void an_encoder_of_another_space_is_refused_before_any_work(void **unused) {
    (void)unused;
    const char *const fine[] = {"a.safetensors"};
    const char *const other[] = {CHLADNI_FIXTURES "/resnet18/small.safetensors"};
    const chl_ablation_group group[] = {{"fine", 1, fine, 0}, {"other", 1, other, 0}};
    chl_zero_shot_options zero_shot = plain;
    zero_shot.data = "there is no such folder";
    const chl_ablation_options o = {
        .size = sizeof o, .models = &models, .groups = 2, .group = group, .zero_shot = &zero_shot};
    char *text;
    assert_int_equal(chl_evaluate_ablation(&o, &text), CHL_ERR_SHAPE);
    assert_non_null(strstr(chl_error(), "they were not trained together"));
    assert_null(text);
}

static void ablations_are_means_and_intervals_of_single_reports(void **unused) {
    (void)unused;
    const char *const twice[] = {"a.safetensors", "a.safetensors"};
    const char *const two[] = {"a.safetensors", "b.safetensors"};
    const chl_ablation_group group[] = {{"same", 2, twice, 0}, {"two", 2, two, 0}};
    chl_zero_shot_options zero_shot = plain;
    chl_trial_options trial = trial_options();
    zero_shot.data = "pairs";
    trial.scenes = 1;
    trial.intensity = 1;
    trial.louder = "hum,beep";
    trial.levels = 3;
    const chl_retrieval_options retrieval = {.size = sizeof retrieval, .data = "pairs"};
    const char *const clip[] = {NULL, models.clip};
    const chl_ablation_options o = {.size = sizeof o,
                                    .models = &models,
                                    .groups = 2,
                                    .group = group,
                                    .zero_shot = &zero_shot,
                                    .trial = &trial,
                                    .clip = clip,
                                    .sheet = "groups.png",
                                    .published = 1,
                                    .retrieval = &retrieval,
                                    .intensity = 1};
    edit_options.rate = 0.3f; /* some answers change, others do not */
    char *text;
    MUST(chl_evaluate_ablation(&o, &text));
    json_t *report = parse(text), *single = classify("pairs", 0, true), *edits = try_edits(&trial);
    const json_t *groups = json_object_get(report, "groups");
    const json_t *same = json_object_get(json_array_get(groups, 0), "figures"),
                 *pair = json_object_get(json_array_get(groups, 1), "figures");
    near(number(same, "zero_shot", "mean", NULL), number(single, "accuracy", NULL, NULL), 1e-6);
    near(number(same, "zero_shot", "interval", NULL), 0, 1e-12);
    near(number(same, "unchanged_all", "mean", NULL), number(edits, "unchanged", "all", NULL),
         1e-6);
    near(number(same, "named_right", "mean", NULL), number(edits, "named_right", NULL, NULL), 1e-6);
    near(number(same, "unchanged_all", "interval", NULL), 0, 1e-12);
    near(number(same, "louder_spearman", "mean", NULL),
         number(edits, "intensity_spearman", NULL, NULL), 1e-6);
    char *searched;
    MUST(chl_evaluate_retrieval(engine, &retrieval, &searched));
    json_t *found = parse(searched);
    const json_t *way = json_object_get(json_object_get(found, "audio_text"), "text_to_audio");
    near(number(same, "text_to_audio_r10", "mean", NULL), number(way, "r10", "share", NULL), 1e-6);
    json_decref(found);
    const json_t *each = json_object_get(json_object_get(pair, "zero_shot"), "each");
    const double a = json_number_value(json_array_get(each, 0)),
                 b = json_number_value(json_array_get(each, 1));
    near(number(pair, "zero_shot", "mean", NULL), (a + b) / 2, 1e-6);
    expect_rows("groups.png", 2, trial);
    near(number(json_array_get(json_object_get(report, "published"), 0), "esc50_zero_shot", NULL,
                NULL),
         0.744, 1e-12);
    /* t(0.975, 1) |a - b| / sqrt 2 / sqrt 2 */
    near(number(pair, "zero_shot", "interval", NULL), 12.7062 * fabs(a - b) / 2, 1e-4);
    json_decref(single);
    json_decref(edits);
    json_decref(report);
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(skipped_without_files_of_sounds)};
    if (!reads_sounds()) return cmocka_run_group_tests(without, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_sound_gets_the_nearest_label),
        cmocka_unit_test(folders_are_counted_as_sound_by_sound),
        cmocka_unit_test(batched_sounds_embed_as_single_ones),
        cmocka_unit_test(impossible_zero_shot_options_are_refused),
        cmocka_unit_test(shares_are_those_of_the_listed_trials),
        cmocka_unit_test(an_edit_of_rate_0_changes_no_answer),
        cmocka_unit_test(a_judge_of_one_answer_fails_the_control),
        cmocka_unit_test(levels_and_directions_are_reported_as_asked),
        cmocka_unit_test(counts_and_kinds_are_checked_before_anything_is_edited),
        cmocka_unit_test(edits_by_label_aim_at_the_texts_of_labels),
        cmocka_unit_test(impossible_trial_options_are_refused),
        cmocka_unit_test(an_encoder_of_another_space_is_refused_before_any_work),
        cmocka_unit_test(ablations_are_means_and_intervals_of_single_reports)};
    return cmocka_run_group_tests(tests, enter, leave);
}
