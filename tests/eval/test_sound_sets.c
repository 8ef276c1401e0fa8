/* Sets of sounds as people have them, and what is counted on them: ESC-50's and UrbanSound8K's layouts, folds, the
 * probe. The models are small and random: they know nothing. */
#include "data/csv.h"
#include "eval/classified.h"
#include "eval/corpus.h"
#include "io/picture.h"
#include "io/sound.h"
#include "small_engine.h"
#include <jansson.h>
#include <sys/stat.h>

/* --- files ------------------------------------------------------------------------------------ */
static void folders(const char *const *path) {
    for (; *path; path++) assert_int_equal(mkdir(*path, 0777), 0);
}

/* Low or high tones, louder and softer ones: what a linear probe can tell apart. */
static void make_sound(const char *path, int kind, int number) {
    enum { SAMPLES = 11025 };
    static float wave[SAMPLES];
    const float pitch = kind ? 0.5f : 0.02f, level = 0.2f + 0.05f * (float)(number % 5);
    for (int i = 0; i < SAMPLES; i++) wave[i] = level * sinf((float)i * pitch);
    MUST(chl_sound_write(path, wave, SAMPLES));
}

/* ESC-50 with two of its classes: five folds of two sounds each, in a table with all that tables
 * have: a byte order mark, quotes, CR LF, an empty line, a sound that is not there. */
static void make_esc50(void) {
    static const char *const inside[] = {"esc", "esc/meta", "esc/audio", NULL};
    char name[64], path[96],
        table[4096] = "\xef\xbb\xbf"
                      "filename,fold,target,category,esc10,src_file,take\r\n";
    folders(inside);
    for (int i = 0; i < 10; i++) {
        const int fold = 1 + i / 2, kind = i % 2;
        snprintf(name, sizeof name, "%d-%d-A-%d.wav", fold, 100 + i, kind);
        snprintf(path, sizeof path, "esc/audio/%s", name);
        make_sound(path, kind, i);
        snprintf(table + strlen(table), sizeof table - strlen(table),
                 "%s,%d,%d,\"%s\",%s,%d,A\r\n%s", name, fold, kind, kind ? "low_hum" : "beep",
                 i < 4 ? "True" : "False", 100 + i, i == 3 ? "\r\n" : "");
    }
    strcat(table, "5-999-A-1.wav,5,1,beep,False,999,A\r\n");
    put("esc/meta/esc50.csv", table);
}

/* Two folds; the table has no column src_file but fsID, and its classes repeat. */
static void make_urban(void) {
    static const char *const inside[] = {
        "urban", "urban/metadata", "urban/audio", "urban/audio/fold1", "urban/audio/fold10", NULL};
    folders(inside);
    make_sound("urban/audio/fold1/7-0-0-0.wav", 0, 0);
    make_sound("urban/audio/fold1/7-0-0-1.wav", 0, 1);
    make_sound("urban/audio/fold10/9-1-0-0.wav", 1, 2);
    put("urban/metadata/UrbanSound8K.csv",
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
        "7-0-0-0.wav,7,0.0,4.0,1,1,0,air_conditioner\n"
        "7-0-0-1.wav,7,4.0,8.0,1,1,0,air_conditioner\n"
        "9-1-0-0.wav,9,0.0,4.0,1,10,1,car_horn");
}

static int enter(void **state) {
    (void)state;
    if (enter_folder()) return -1;
    make_esc50();
    make_urban();
    open_small_engine();
    return 0;
}

static void refused(chl_status status, chl_status want, const char *text) {
    assert_int_equal(status, want);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), text);
}

/* --- tables ----------------------------------------------------------------------------------- */
static void expect_rows(const char *text, const char *want) {
    chl_csv csv;
    char got[256] = "";
    bool more;
    put("t.csv", text);
    MUST(chl_csv_open("t.csv", &csv));
    for (;;) {
        MUST(chl_csv_next(&csv, &more));
        if (!more) break;
        for (int i = 0; i < csv.columns; i++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? "|" : "",
                     csv.field[i]);
        strcat(got, ";");
    }
    chl_csv_close(&csv);
    assert_string_equal(got, want);
}

static void tables_are_read_as_spreadsheets_write_them(void **unused) {
    (void)unused;
    expect_rows("a,b\n1,2\n3,4\n", "1|2;3|4;");
    expect_rows("\xef\xbb\xbf"
                "a,b\r\n1,2\r\n\r\n3,4",
                "1|2;3|4;");
    expect_rows("a,b\r1,2\r", "1|2;");
    expect_rows("a, b\n\"x, \"\"y\"\"\",\"two\nlines\"\n,\n", "x, \"y\"|two\nlines;|;");
    expect_rows("a,b\n1,", "1|;");
    expect_rows("\"a\",\"b\"\n\"\",\"\"\n", "|;");
    expect_rows("a\n", "");
}

static void broken_tables_are_refused_with_their_line(void **unused) {
    (void)unused;
    chl_csv csv;
    bool more;
    int column, value;
    put("t.csv", "a,b\n\n1,2,3\n");
    MUST(chl_csv_open("t.csv", &csv));
    refused(chl_csv_next(&csv, &more), CHL_ERR_FORMAT,
            "t.csv line 3: 2 fields were expected, got 3");
    refused(chl_csv_column(&csv, "fold", &column), CHL_ERR_KEY, "got the columns \"a\", \"b\"");
    chl_csv_close(&csv);
    put("t.csv", "a,b\n\"1\n2\",x\n7,\"open\n");
    MUST(chl_csv_open("t.csv", &csv));
    MUST(chl_csv_next(&csv, &more));
    refused(chl_csv_int(&csv, 1, 1, 5, &value), CHL_ERR_FORMAT,
            "t.csv line 2: \"b\" must be a whole number from 1 to 5, got \"x\"");
    refused(chl_csv_next(&csv, &more), CHL_ERR_FORMAT, "line 4: a quote is not closed");
    chl_csv_close(&csv);
    put("t.csv", "a,b\r\n1,2\r\n\r\n1\r\n");
    MUST(chl_csv_open("t.csv", &csv));
    MUST(chl_csv_next(&csv, &more));
    refused(chl_csv_next(&csv, &more), CHL_ERR_FORMAT, "line 4: 2 fields were expected, got 1");
    chl_csv_close(&csv);
    put("t.csv", "a\n\"1\"2\n");
    MUST(chl_csv_open("t.csv", &csv));
    refused(chl_csv_next(&csv, &more), CHL_ERR_FORMAT, "closing quote");
    chl_csv_close(&csv);
    put("t.csv", "\n\n");
    refused(chl_csv_open("t.csv", &csv), CHL_ERR_FORMAT, "names of columns");
}

/* --- layouts ---------------------------------------------------------------------------------- */
static void official_tables_tell_label_fold_and_recording(void **unused) {
    (void)unused;
    chl_corpus c;
    MUST(chl_corpus_open("esc", NULL, &c));
    assert_string_equal(c.layout, "ESC-50");
    assert_int_equal(c.count, 10);
    assert_int_equal(c.missing, 1);
    assert_int_equal(c.labels, 2);
    assert_string_equal(c.sound[3].path, "esc/audio/2-103-A-1.wav");
    assert_string_equal(c.label[c.truth[3]], "low_hum");
    assert_int_equal(c.fold[3], 2);
    assert_string_equal(c.groups.name[c.group[3]], "103");
    chl_corpus_free(&c);
    const chl_corpus_choice ten = {.esc10 = true}, folds = {.folds = 2, .fold = (int[]){2, 5}};
    MUST(chl_corpus_open("esc", &ten, &c));
    assert_int_equal(c.count, 4);
    assert_int_equal(c.missing, 0);
    chl_corpus_free(&c);
    MUST(chl_corpus_open("esc", &folds, &c));
    assert_int_equal(c.count, 4);
    assert_true(c.fold[0] == 2 && c.fold[3] == 5);
    chl_corpus_free(&c);
    MUST(chl_corpus_open("urban", NULL, &c));
    assert_string_equal(c.layout, "UrbanSound8K");
    assert_string_equal(c.sound[2].path, "urban/audio/fold10/9-1-0-0.wav");
    assert_int_equal(c.fold[2], 10);
    assert_true(c.group[0] == c.group[1] && c.group[1] != c.group[2]);
    chl_corpus_free(&c);
}

static void recordings_are_read_from_names_where_no_column_tells_them(void **unused) {
    (void)unused;
    static const char *const inside[] = {"bare", "bare/meta", "bare/audio", NULL};
    chl_corpus c;
    folders(inside);
    make_sound("bare/audio/1-17-A-3.wav", 0, 0);
    make_sound("bare/audio/1-17-B-3.wav", 0, 1);
    make_sound("bare/audio/mine.wav", 0, 2);
    put("bare/meta/esc50.csv", "filename,fold,category\n1-17-A-3.wav,1,cow\n1-17-B-3.wav,1,cow\n"
                               "mine.wav,1,cow\n");
    MUST(chl_corpus_open("bare", NULL, &c));
    assert_true(c.group[0] >= 0 && c.group[0] == c.group[1] && c.group[2] == -1);
    assert_string_equal(c.groups.name[c.group[0]], "17");
    chl_corpus_free(&c);
}

static void what_is_no_sound_is_counted_and_left_out(void **unused) {
    (void)unused;
    static const char *const inside[] = {"torn", "torn/meta", "torn/audio", NULL};
    chl_corpus c;
    folders(inside);
    make_sound("torn/audio/good.wav", 0, 0);
    put("torn/audio/empty.wav", "");
    put("torn/audio/text.wav", "<html>404</html>");
    put("torn/meta/esc50.csv", "filename,fold,category\nempty.wav,1,cow\ngood.wav,1,cow\n"
                               "text.wav,1,pig\n");
    MUST(chl_corpus_open("torn", NULL, &c));
    assert_int_equal(c.count, 1);
    assert_int_equal(c.missing, 2);
    assert_int_equal(c.labels, 1);
    chl_corpus_free(&c);
}

static void layouts_that_lack_something_say_what(void **unused) {
    (void)unused;
    static const char *const inside[] = {"half", "half/meta", "half/audio", NULL};
    const chl_corpus_choice ten = {.esc10 = true}, fold = {.folds = 1, .fold = (int[]){4}};
    chl_corpus c;
    folders(inside);
    refused(chl_corpus_open("half", NULL, &c), CHL_ERR_IO, "not its table meta/esc50.csv");
    put("half/meta/esc50.csv", "filename,fold,category\n1-1-A-1.wav,1,dog\n");
    refused(chl_corpus_open("half", NULL, &c), CHL_ERR_IO, "none of the 1 sounds");
    refused(chl_corpus_open("half", &ten, &c), CHL_ERR_KEY, "\"esc10\" was expected");
    refused(chl_corpus_open("half", &fold, &c), CHL_ERR_FORMAT, "no sound of the chosen ones");
    put("half/meta/esc50.csv", "filename,fold,category\n1-1-A-1.wav,6,dog\n");
    refused(chl_corpus_open("half", NULL, &c), CHL_ERR_FORMAT, "from 1 to 5, got \"6\"");
    put("half/meta/esc50.csv", "filename,fold,category\n1-1-A-1.wav,1,\n");
    refused(chl_corpus_open("half", NULL, &c), CHL_ERR_FORMAT, "\"category\" must not be empty");
    refused(chl_corpus_open("urban/audio", &fold, &c), CHL_ERR_ARGUMENT, "no official folds");
    refused(chl_corpus_open("urban/audio", &ten, &c), CHL_ERR_ARGUMENT,
            "esc10 must be left out for urban/audio");
}

/* --- reports ---------------------------------------------------------------------------------- */
static json_t *parse(char *text) {
    json_t *report = json_loads(text, 0, NULL);
    assert_non_null(report);
    chl_release(text);
    return report;
}

static double number(const json_t *object, const char *key) {
    const json_t *x = json_object_get(object, key);
    if (!json_is_number(x)) fail_msg("%s is no number", key);
    return json_number_value(x);
}

static void expect_picture(const char *path) {
    int height, width;
    float *pixels;
    MUST(chl_picture_read(path, &height, &width, &pixels));
    chl_release(pixels);
    assert_true(height > 100 && width > 100);
}

/* accuracy = sum of hits over folds, their mean and its interval by hand */
static void expect_folds(const json_t *report, size_t folds) {
    const json_t *list = json_object_get(report, "folds");
    double hits = 0, sum = 0, square = 0;
    json_t *fold;
    size_t i;
    assert_int_equal(json_array_size(list), folds);
    json_array_foreach(list, i, fold) {
        const double share = number(fold, "accuracy");
        hits += share * number(fold, "sounds");
        sum += share;
        square += share * share;
    }
    const double n = (double)folds, mean = sum / n;
    near(number(report, "accuracy"), hits / number(report, "sounds"), 1e-5);
    near(number(report, "fold_mean"), mean, 1e-5);
    if (folds == 5) /* t(0.975, 4) */
        near(number(report, "fold_interval"),
             2.7764 * sqrt(fmax(0, square - n * mean * mean) / (n - 1) / n), 1e-3);
}

/* Five folds of four sounds, of which 4, 3, 2, 1 and 0 are named right. */
static void reports_count_by_hand(void **unused) {
    (void)unused;
    enum { N = 20 };
    const char *const label[] = {"a", "b", "never"};
    int truth[N], named[N], fold[N];
    for (int i = 0; i < N; i++) {
        fold[i] = 1 + i / 4;
        truth[i] = i % 4 == 0;
        named[i] = i % 4 + fold[i] <= 4 ? truth[i] : !truth[i];
    }
    const chl_classified done = {N, truth, named, fold, NULL, 3, label};
    json_t *report = json_object();
    MUST(chl_classified_report(&done, report));
    expect_folds(report, 5);
    near(number(report, "accuracy"), 0.5, 1e-9);
    /* "b" is first of each fold: right in 4 of 5; "a" in 6 of 15 */
    near(number(report, "balanced"), (4 / 5.0 + 6 / 15.0) / 2, 1e-9);
    near(number(report, "fold_interval"), 2.7764 * sqrt(0.625 / 4 / 5), 1e-4);
    const json_t *row = json_array_get(json_object_get(report, "confusion"), 1);
    assert_int_equal(json_integer_value(json_array_get(row, 1)), 4);
    assert_int_equal(json_integer_value(json_array_get(row, 0)), 1);
    assert_true(json_is_null(json_object_get(
        json_object_get(json_object_get(report, "per_label"), "never"), "accuracy")));
    json_decref(report);
}

static json_t *zero_shot(const chl_zero_shot_options *o) {
    char *text;
    MUST(chl_evaluate_zero_shot(engine, o, &text));
    return parse(text);
}

static void zero_shot_counts_folds_of_official_sets(void **unused) {
    (void)unused;
    chl_zero_shot_options o = {.size = sizeof o, .data = "esc", .confusion = "z.png"};
    json_t *report = zero_shot(&o);
    near(number(report, "sounds"), 10, 0);
    near(number(report, "missing"), 1, 0);
    expect_folds(report, 5);
    expect_picture("z.png");
    json_decref(report);
    o.folds = 2;
    o.fold = (int[]){1, 3};
    report = zero_shot(&o);
    near(number(report, "sounds"), 4, 0);
    expect_folds(report, 2);
    json_decref(report);
}

/* A random model's labels decide by their texts alone: the same text gives the same verdicts,
 * whatever the label is called. */
static void prompts_say_spaces_for_underscores_or_what_they_are_told(void **unused) {
    (void)unused;
    const char *const names[] = {"beep", "low_hum"}, *const spaces[] = {"beep", "low hum"},
                      *const texts[] = {"low hum", "beep"};
    chl_zero_shot_options o = {.size = sizeof o, .data = "esc", .labels = 2, .label = names};
    json_t *a = zero_shot(&o);
    o.label = spaces;
    json_t *b = zero_shot(&o);
    assert_true(json_equal(json_object_get(a, "confusion"), json_object_get(b, "confusion")));
    json_decref(b);
    o.label_text = texts; /* swapped: so are the verdicts */
    b = zero_shot(&o);
    const json_t *x = json_object_get(a, "confusion"), *y = json_object_get(b, "confusion");
    for (size_t t = 0; t < 2; t++)
        for (size_t k = 0; k < 2; k++)
            assert_true(json_equal(json_array_get(json_array_get(x, t), k),
                                   json_array_get(json_array_get(y, t), 1 - k)));
    assert_false(json_equal(x, y));
    json_decref(a);
    json_decref(b);
}

static void prompt_sets_name_as_their_prompts_alone(void **unused) {
    (void)unused;
    static const char *const prompts[] = {"a {}", "{} far off"};
    const chl_prompt_set set[] = {{1, prompts}, {2, prompts}};
    chl_zero_shot_options o = {
        .size = sizeof o, .data = "esc", .prompt_sets = 2, .prompt_set = set};
    json_t *report = zero_shot(&o);
    const json_t *sets = json_object_get(report, "prompt_sets");
    assert_int_equal(json_array_size(sets), 2);
    o.prompt_sets = 0;
    o.prompt = prompts;
    for (int i = 0; i < 2; i++) {
        o.prompts = i + 1;
        json_t *alone = zero_shot(&o);
        static const char *const keys[] = {"accuracy", "balanced", "interval"};
        for (int k = 0; k < 3; k++)
            assert_true(json_equal(json_object_get(json_array_get(sets, (size_t)i), keys[k]),
                                   json_object_get(alone, keys[k])));
        json_decref(alone);
    }
    json_decref(report);
    char *text;
    o.prompt_sets = 1;
    o.prompt_set = &(chl_prompt_set){0, prompts};
    refused(chl_evaluate_zero_shot(engine, &o, &text), CHL_ERR_ARGUMENT, "prompt_set.prompts");
}

static void sounds_of_none_of_the_labels_are_counted_by_the_threshold(void **unused) {
    (void)unused;
    chl_zero_shot_options o = {.size = sizeof o, .data = "esc", .others = "urban", .threshold = -2};
    json_t *report = zero_shot(&o);
    const json_t *others = json_object_get(report, "others");
    near(number(others, "sounds"), 3, 0);
    near(number(others, "accepted"), 1, 0);
    near(number(others, "refused"), 0, 0);
    json_decref(report);
    o.threshold = 2;
    report = zero_shot(&o);
    others = json_object_get(report, "others");
    near(number(others, "accepted"), 0, 0);
    near(number(others, "refused"), 1, 0);
    json_decref(report);
}

static void a_probe_learns_what_can_be_told_apart(void **unused) {
    (void)unused;
    char *text;
    chl_probe_options o = {.size = sizeof o, .data = "esc", .confusion = "p.png"};
    MUST(chl_evaluate_probe(engine, &o, &text));
    json_t *report = parse(text), *again;
    near(number(report, "accuracy"), 1, 0);
    near(number(report, "sounds"), 10, 0);
    expect_folds(report, 5);
    expect_picture("p.png");
    MUST(chl_evaluate_probe(engine, &o, &text));
    again = parse(text);
    assert_true(json_equal(report, again));
    json_decref(again);
    json_decref(report);
    o.folds = 1;
    o.fold = (int[]){4};
    MUST(chl_evaluate_probe(engine, &o, &text));
    report = parse(text);
    near(number(report, "sounds"), 2, 0);
    near(number(json_array_get(json_object_get(report, "fits"), 0), "trained"), 8, 0);
    json_decref(report);
}

/* An encoder whose last layer gives every sound the same embedding: its trunk still hears. */
static void open_deaf_head(chl_engine **deaf) {
    chl_params *params;
    MUST(chl_weights_read("a.safetensors", &params));
    chl_array *head = chl_params_find(params, "head.weight");
    assert_non_null(head);
    memset(head->data, 0, (size_t)chl_bytes(&head->desc));
    chl_array *bias = chl_params_find(params, "head.bias");
    for (int i = 0; i < EMBED; i++) ((float *)bias->data)[i] = 1;
    save_model(params, "deaf.safetensors");
    const chl_engine_options models = {
        .size = sizeof models, .audio = "deaf.safetensors", .mel = CHL_MEL_ABSOLUTE};
    MUST(chl_engine_open(&models, deaf));
}

static void a_probe_of_the_trunk_hears_what_the_head_drops(void **unused) {
    (void)unused;
    chl_engine *deaf;
    char *text;
    open_deaf_head(&deaf);
    chl_probe_options o = {.size = sizeof o, .data = "esc"};
    for (int of_trunk = 0; of_trunk < 2; of_trunk++) {
        o.of_trunk = of_trunk;
        MUST(chl_evaluate_probe(deaf, &o, &text));
        json_t *report = parse(text);
        near(number(report, "accuracy"), of_trunk ? 1 : 0.5, 0);
        assert_string_equal(json_string_value(json_object_get(report, "features")),
                            of_trunk ? "trunk" : "embedding");
        json_decref(report);
    }
    o.of_trunk = 2;
    refused(chl_evaluate_probe(deaf, &o, &text), CHL_ERR_ARGUMENT, "of_trunk must be 0 or 1");
    chl_engine_close(deaf);
}

/* Of equally good penalties the largest; a fold's other sounds decide, not those that are tested. */
static void a_probe_chooses_its_penalty(void **unused) {
    (void)unused;
    char *text;
    size_t i;
    json_t *fit;
    chl_probe_options o = {.size = sizeof o, .data = "esc", .choose_l2 = 1};
    MUST(chl_evaluate_probe(engine, &o, &text));
    json_t *report = parse(text);
    near(number(report, "accuracy"), 1, 0);
    near(number(report, "sounds"), 10, 0);
    assert_string_equal(json_string_value(json_object_get(report, "l2")), "chosen");
    json_array_foreach(json_object_get(report, "fits"), i, fit) {
        near(number(fit, "l2"), 1e4, 1e-3);
        near(number(fit, "trained"), 8, 0);
    }
    json_decref(report);
}

/* With nothing to choose a penalty by it is the usual one, and the report says why. */
static void expect_no_choice(const chl_probe_options *o, const char *why) {
    char *text;
    MUST(chl_evaluate_probe(engine, o, &text));
    json_t *report = parse(text);
    near(number(report, "l2"), 1, 0);
    near(number(json_array_get(json_object_get(report, "fits"), 0), "l2"), 1, 0);
    const char *said = json_string_value(json_object_get(report, "l2_why"));
    if (!said || !strstr(said, why)) fail_msg("%s does not say %s", said, why);
    json_decref(report);
}

static void a_penalty_needs_sounds_to_be_chosen_by(void **unused) {
    (void)unused;
    static const char *const inside[] = {"two",           "two/low_hum", "two/beep", "apart",
                                         "apart/low_hum", "apart/beep",  NULL};
    chl_probe_options o = {
        .size = sizeof o, .data = "urban", .choose_l2 = 1, .folds = 2, .fold = (int[]){1, 10}};
    expect_no_choice(&o, "needs three folds");
    o.folds = 0;
    folders(inside);
    make_sound("two/low_hum/a.wav", 1, 1);
    make_sound("two/beep/a.wav", 0, 2);
    make_sound("apart/low_hum/b.wav", 1, 3);
    make_sound("apart/beep/b.wav", 0, 4);
    o.data = "two";
    o.test = "apart";
    expect_no_choice(&o, "needs 5 sounds to train on, there are 2");
    for (int i = 0; i < 3; i++) {
        char path[32], *text;
        snprintf(path, sizeof path, "two/beep/%d.wav", i);
        make_sound(path, 0, 5 + i);
        if (i < 2) continue;
        MUST(chl_evaluate_probe(engine, &o, &text));
        json_t *report = parse(text);
        assert_string_equal(json_string_value(json_object_get(report, "l2")), "chosen");
        assert_null(json_object_get(report, "l2_why"));
        json_decref(report);
    }
}

static void a_probe_takes_a_folder_to_test_on(void **unused) {
    (void)unused;
    static const char *const inside[] = {"mine",  "mine/low_hum", "mine/beep",
                                         "wrong", "wrong/cow",    NULL};
    char *text;
    folders(inside);
    make_sound("mine/low_hum/a.wav", 1, 1);
    make_sound("mine/beep/a.wav", 0, 2);
    make_sound("wrong/cow/a.wav", 0, 2);
    chl_probe_options o = {.size = sizeof o, .data = "esc", .test = "mine"};
    MUST(chl_evaluate_probe(engine, &o, &text));
    json_t *report = parse(text);
    near(number(report, "sounds"), 2, 0);
    near(number(report, "accuracy"), 1, 0);
    assert_null(json_object_get(report, "folds"));
    json_decref(report);
    o.test = "wrong";
    refused(chl_evaluate_probe(engine, &o, &text), CHL_ERR_ARGUMENT, "\"cow\" has no sound");
    o.test = NULL;
    o.data = "mine";
    refused(chl_evaluate_probe(engine, &o, &text), CHL_ERR_ARGUMENT, "set test to a folder");
    o.data = "esc";
    o.folds = 1;
    o.fold = (int[]){9};
    refused(chl_evaluate_probe(engine, &o, &text), CHL_ERR_ARGUMENT, "no sound in fold 9");
    o.l2 = -1;
    refused(chl_evaluate_probe(engine, &o, &text), CHL_ERR_ARGUMENT, "l2 must be > 0");
}

static void sounds_in_shards_are_named_as_the_files_that_they_are_copies_of(void **unused) {
    (void)unused;
    const chl_pack_options pack = {
        .size = sizeof pack, .data = "esc", .out = "esc-%03d.tar", .clips = 4};
    char *text;
    const chl_status status = chl_data_pack(&pack, &text);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    chl_release(text);
    chl_zero_shot_options o = {.size = sizeof o, .data = "esc"};
    json_t *files = zero_shot(&o);
    o.data = "esc-{000..002}.tar";
    json_t *shards = zero_shot(&o);
    assert_int_equal(json_integer_value(json_object_get(shards, "sounds")), 10);
    assert_true(
        json_equal(json_object_get(files, "confusion"), json_object_get(shards, "confusion")));
    json_decref(files);
    json_decref(shards);
    chl_probe_options probe = {.size = sizeof probe, .data = "esc-000.tar", .test = "esc-001.tar"};
    MUST(chl_evaluate_probe(engine, &probe, &text));
    chl_release(text);
    probe.test = "esc-000.tar";
    refused(chl_evaluate_probe(engine, &probe, &text), CHL_ERR_FORMAT,
            "both sides of a split: esc-000.tar: 000000000.wav and esc-000.tar: 000000000.wav");
}

static void a_recording_on_both_sides_of_a_split_is_refused(void **unused) {
    (void)unused;
    static const char *const inside[] = {"leak", "leak/meta", "leak/audio", NULL};
    char *text;
    folders(inside);
    make_sound("leak/audio/1-17-A-3.wav", 0, 0);
    make_sound("leak/audio/2-17-B-3.wav", 0, 1);
    put("leak/meta/esc50.csv", "filename,fold,category\n1-17-A-3.wav,1,cow\n2-17-B-3.wav,2,cow\n");
    chl_probe_options o = {.size = sizeof o, .data = "leak"};
    refused(chl_evaluate_probe(engine, &o, &text), CHL_ERR_FORMAT,
            "the recording 17 is on both sides of a split: leak/audio/1-17-A-3.wav and "
            "leak/audio/2-17-B-3.wav");
    o.data = "esc";
    o.test = "esc";
    refused(chl_evaluate_probe(engine, &o, &text), CHL_ERR_FORMAT, "both sides");
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(skipped_without_files_of_sounds)};
    if (!reads_sounds()) return cmocka_run_group_tests(without, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read_as_spreadsheets_write_them),
        cmocka_unit_test(broken_tables_are_refused_with_their_line),
        cmocka_unit_test(official_tables_tell_label_fold_and_recording),
        cmocka_unit_test(recordings_are_read_from_names_where_no_column_tells_them),
        cmocka_unit_test(what_is_no_sound_is_counted_and_left_out),
        cmocka_unit_test(layouts_that_lack_something_say_what),
        cmocka_unit_test(reports_count_by_hand),
        cmocka_unit_test(zero_shot_counts_folds_of_official_sets),
        cmocka_unit_test(prompts_say_spaces_for_underscores_or_what_they_are_told),
        cmocka_unit_test(sounds_of_none_of_the_labels_are_counted_by_the_threshold),
        cmocka_unit_test(a_probe_learns_what_can_be_told_apart),
        cmocka_unit_test(prompt_sets_name_as_their_prompts_alone),
        cmocka_unit_test(a_probe_of_the_trunk_hears_what_the_head_drops),
        cmocka_unit_test(a_probe_chooses_its_penalty),
        cmocka_unit_test(a_penalty_needs_sounds_to_be_chosen_by),
        cmocka_unit_test(a_probe_takes_a_folder_to_test_on),
        cmocka_unit_test(sounds_in_shards_are_named_as_the_files_that_they_are_copies_of),
        cmocka_unit_test(a_recording_on_both_sides_of_a_split_is_refused)};
    return cmocka_run_group_tests(tests, enter, leave);
}
