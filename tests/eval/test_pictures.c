/* Sets of pictures beside each other: a generator's seeds are the pictures of its files; equal sets are no distance apart; a
 * judge's answers are counted by what folders say. */
#include "io/picture.h"
#include "nets/stylegan2.h"
#include "small_engine.h"
#include "train/feature_distance.h"
#include <jansson.h>
#include <sys/stat.h>

enum { PICTURES = 12, SIDE = 32, JUDGED = 16, Z = 16 };

/* --- a judge that tells light from dark, and how certain it is by how much -------------------------- */
static const char *const kinds[] = {"dark", "light"};

static chl_status judge_open(chl_engine *of, const char *weights, void **judge,
                             chl_judge_sizes *sizes) {
    static int opened;
    (void)of;
    assert_string_equal(weights, "eyes");
    *judge = &opened;
    *sizes = (chl_judge_sizes){.side = JUDGED, .kinds = 2, .kind = kinds};
    return CHL_OK;
}

static chl_status judge_classify(void *judge, int64_t n, const float *pixels, chl_judgement *out) {
    (void)judge;
    for (int64_t i = 0; i < n; i++) {
        double mean = 0;
        for (int p = 0; p < 3 * JUDGED * JUDGED; p++)
            mean += (double)pixels[i * 3 * JUDGED * JUDGED + p] / (3 * JUDGED * JUDGED);
        out[i] = (chl_judgement){.kind = mean > 0};
        out[i].probability[out[i].kind] = mean > 0 ? 0.9f : 0.7f;
    }
    return CHL_OK;
}

static void judge_close(void *judge) {
    (void)judge;
}

static const chl_judge eyes = {
    .size = sizeof eyes, .open = judge_open, .classify = judge_classify, .close = judge_close};

/* --- pictures --------------------------------------------------------------------------------- */
static void make_picture(const char *path, int brightness, int number) {
    uint8_t rgb[3 * 40 * SIDE];
    for (int i = 0; i < 3 * 40 * SIDE; i++)
        rgb[i] = (uint8_t)(brightness + (i / (number + 1) * 7 + number) % 30);
    MUST(chl_raster_write_png(path, 40, SIDE, rgb));
}

/* `files`: 12 of the generator's, as files; `real`: 6 in `dark`, 6 in `light` of which one is dark; `torn`: the
 * same, and one that ends too early. */
static void make_pictures(void) {
    char path[64];
    const char *const folders[] = {"files", "real",       "real/dark", "real/light",
                                   "torn",  "torn/light", "six"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(folders[i], 0777), 0);
    float w[8 * Z], pixels[3 * SIDE * SIDE];
    for (int i = 0; i < PICTURES; i++) {
        MUST(chl_seed_latent(engine, (uint64_t)i + 5, 1, w));
        MUST(chl_generate(engine, 1, w, pixels));
        snprintf(path, sizeof path, "files/%02d.png", i);
        MUST(chl_raster_write_float(path, SIDE, SIDE, pixels, NULL));
        snprintf(path, sizeof path, "real/%s/%d.png", kinds[i / 6], i);
        make_picture(path, i > 6 ? 200 : 20, i);
        snprintf(path, sizeof path, "torn/light/%d.png", i);
        make_picture(path, i > 6 ? 200 : 20, i);
    }
    put("torn/light/3x.png", "\x89PNG\r\n\x1a\n");
}

static int enter(void **state) {
    (void)state;
    const chl_stylegan2_shape shape = {SIDE, 256, 16, Z, Z, 2};
    const chl_engine_options models = {
        .size = sizeof models, .clip = "c.safetensors", .generator = "g.safetensors"};
    chl_params *params;
    if (enter_folder()) return -1;
    save_small_clip(1, EMBED, 2, "c.safetensors");
    MUST(chl_stylegan2_random(&shape, 1, &params));
    save_model(params, "g.safetensors");
    MUST(chl_engine_open(&models, &engine));
    make_pictures();
    return 0;
}

/* --- reports, six digits a number --------------------------------------------------------------- */
static json_t *evaluate(const chl_pictures_options *o) {
    char *text;
    MUST(chl_evaluate_pictures(engine, o, &text));
    json_t *report = json_loads(text, 0, NULL);
    assert_non_null(report);
    chl_release(text);
    return report;
}

static double at(const json_t *report, const char *part, const char *key, const char *inner) {
    const json_t *x = json_object_get(json_object_get(report, part), key);
    if (inner) x = json_object_get(x, inner);
    if (!json_is_number(x)) fail_msg("%s %s %s is no number", part, key, inner ? inner : "");
    return json_number_value(x);
}

static void a_set_is_no_distance_from_itself(void **unused) {
    (void)unused;
    json_t *report = evaluate(&(chl_pictures_options){
        .size = sizeof(chl_pictures_options), .data = "real", .pictures = "real"});
    near(at(report, "distances", "fid", NULL), 0, 1e-4);
    near(at(report, "distances", "precision", NULL), 1, 0);
    near(at(report, "distances", "recall", NULL), 1, 0);
    near(at(report, "distances", "neighbours", NULL), 3, 0);
    near(at(report, "distances", "embedding", NULL), EMBED, 0);
    near(at(report, "pictures", "count", NULL), PICTURES, 0);
    assert_int_equal(json_integer_value(json_object_get(report, "side")), SIDE);
    assert_null(json_object_get(report, "judge"));
    json_decref(report);
}

/* The distances are those of the embeddings that chl_embed_picture gives. */
static void seeds_are_measured_as_their_files_are(void **unused) {
    (void)unused;
    chl_pictures_options o = {.size = sizeof o, .data = "real", .seed = 5, .neighbours = 2};
    json_t *seeds = evaluate(&o);
    o.pictures = "files";
    o.seed = 0;
    json_t *files = evaluate(&o);
    assert_true(
        json_equal(json_object_get(seeds, "distances"), json_object_get(files, "distances")));
    float have[PICTURES][EMBED], want[PICTURES][EMBED], w[8 * Z], pixels[3 * SIDE * SIDE];
    for (int i = 0; i < PICTURES; i++) {
        char path[64];
        MUST(chl_seed_latent(engine, (uint64_t)i + 5, 1, w));
        MUST(chl_generate(engine, 1, w, pixels));
        uint8_t bytes[3 * SIDE * SIDE];
        MUST(chl_raster_from_float(3 * SIDE * SIDE, pixels, bytes));
        chl_raster_to_float(3 * SIDE * SIDE, bytes, pixels);
        MUST(chl_embed_picture(engine, SIDE, SIDE, pixels, have[i]));
        chl_raster raster;
        float square[3 * SIDE * SIDE];
        snprintf(path, sizeof path, "real/%s/%d.png", kinds[i / 6], i);
        MUST(chl_raster_read(path, &raster)); /* 40 rows: the middle 32 */
        chl_raster_to_float(3 * SIDE * SIDE, raster.rgb + 3 * 4 * SIDE, square);
        chl_raster_free(&raster);
        MUST(chl_embed_picture(engine, SIDE, SIDE, square, want[i]));
    }
    double fid, precision, recall;
    MUST(chl_frechet_distance(PICTURES, have[0], PICTURES, want[0], EMBED, &fid));
    MUST(chl_precision_recall(PICTURES, have[0], PICTURES, want[0], EMBED, 2, &precision, &recall));
    near(at(seeds, "distances", "fid", NULL), fid, 2e-6);
    near(at(seeds, "distances", "kid", NULL),
         chl_kernel_distance(PICTURES, have[0], PICTURES, want[0], EMBED), 1e-6);
    near(at(seeds, "distances", "precision", NULL), precision, 1e-6);
    near(at(seeds, "distances", "recall", NULL), recall, 1e-6);
    json_decref(seeds);
    json_decref(files);
}

static void a_judges_answers_are_counted_by_what_folders_say(void **unused) {
    (void)unused;
    json_t *report = evaluate(&(chl_pictures_options){.size = sizeof(chl_pictures_options),
                                                      .data = "real",
                                                      .pictures = "files",
                                                      .judge = "eyes",
                                                      .judged_by = &eyes});
    near(at(report, "data", "named", "light"), 5.0 / 12, 1e-6);
    near(at(report, "data", "named", "dark"), 7.0 / 12, 1e-6);
    near(at(report, "data", "certainty", NULL), (5 * 0.9 + 7 * 0.7) / 12, 1e-6);
    near(at(report, "data", "labelled", NULL), PICTURES, 0);
    near(at(report, "data", "named_right", NULL), 11.0 / 12, 1e-6);
    near(at(report, "data", "right_per_kind", "light"), 5.0 / 6, 1e-6);
    near(at(report, "data", "right_per_kind", "dark"), 1, 0);
    near(at(report, "pictures", "labelled", NULL), 0, 0); /* no folder in it names a kind */
    assert_true(json_is_null(json_object_get(json_object_get(report, "pictures"), "named_right")));
    near(at(report, "pictures", "named", "light") + at(report, "pictures", "named", "dark"), 1,
         1e-6);
    assert_string_equal(json_string_value(json_object_get(report, "judge")), "eyes");
    json_decref(report);
}

/* Of a folder per kind as many of each. */
static void a_limit_takes_pictures_from_all_over_a_set(void **unused) {
    (void)unused;
    json_t *report = evaluate(&(chl_pictures_options){.size = sizeof(chl_pictures_options),
                                                      .data = "real",
                                                      .pictures = "real",
                                                      .limit = 6,
                                                      .judge = "eyes",
                                                      .judged_by = &eyes});
    near(at(report, "data", "count", NULL), 6, 0);
    const json_t *right = json_object_get(json_object_get(report, "data"), "right_per_kind");
    assert_int_equal(json_object_size(right), 2);
    const double named = at(report, "data", "named", "light");
    assert_true(named > 0.3 && named < 0.7);
    json_decref(report);
}

/* At the judge's own size, without distances. */
static void a_judge_needs_no_clip(void **unused) {
    (void)unused;
    chl_engine *whole = engine;
    const chl_engine_options none = {.size = sizeof none};
    MUST(chl_engine_open(&none, &engine));
    json_t *report = evaluate(&(chl_pictures_options){.size = sizeof(chl_pictures_options),
                                                      .data = "real",
                                                      .pictures = "torn",
                                                      .judge = "eyes",
                                                      .judged_by = &eyes});
    assert_int_equal(json_integer_value(json_object_get(report, "side")), JUDGED);
    assert_null(json_object_get(report, "distances"));
    near(at(report, "pictures", "named_right", NULL), 5.0 / 12, 1e-6); /* all in `light` */
    json_decref(report);
    chl_engine_close(engine);
    engine = whole;
}

static void a_picture_that_cannot_be_read_is_counted_and_left_out(void **unused) {
    (void)unused;
    chl_pictures_options o = {.size = sizeof o, .data = "torn", .pictures = "real", .limit = 8};
    json_t *report = evaluate(&o);
    near(at(report, "data", "count", NULL), 8, 0); /* the next one took its place */
    near(at(report, "data", "unreadable", NULL), 1, 0);
    o.limit = 0;
    json_t *whole = evaluate(&o);
    near(at(whole, "data", "count", NULL), PICTURES, 0);
    near(at(whole, "distances", "precision", NULL), 1, 0); /* the same pictures otherwise */
    near(at(whole, "distances", "fid", NULL), 0, 1e-4);
    json_decref(report);
    json_decref(whole);
}

static void refused(const chl_pictures_options *o, chl_status want, const char *text) {
    char *report;
    assert_int_equal(chl_evaluate_pictures(engine, o, &report), want);
    assert_null(report);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), text);
}

static void what_cannot_be_measured_is_refused(void **unused) {
    (void)unused;
    chl_pictures_options o = {.size = sizeof o};
    refused(&o, CHL_ERR_ARGUMENT, "data must not be NULL");
    o.data = "nowhere";
    refused(&o, CHL_ERR_IO, "nowhere");
    o.data = "real";
    o.limit = 3;
    refused(&o, CHL_ERR_ARGUMENT, "more than 3 pictures are needed, got 3");
    o.limit = -1;
    refused(&o, CHL_ERR_ARGUMENT, "limit must be >= 0, got -1");
    o.limit = 0;
    o.seed = UINT32_MAX;
    refused(&o, CHL_ERR_ARGUMENT, "seed must be <= 4294967284 for 12 pictures, got 4294967295");
    o.seed = 0;
    o.truncation = -0.5;
    refused(&o, CHL_ERR_ARGUMENT, "truncation must be >= 0");
    o.truncation = 0;
    o.judge = "eyes";
    refused(&o, CHL_ERR_ARGUMENT, "judged_by must not be NULL");
    chl_engine *whole = engine;
    const chl_engine_options bare = {.size = sizeof bare, .clip = "c.safetensors"};
    MUST(chl_engine_open(&bare, &engine));
    o.judge = NULL;
    refused(&o, CHL_ERR_ARGUMENT, "generator");
    chl_engine_close(engine);
    const chl_engine_options none = {.size = sizeof none};
    MUST(chl_engine_open(&none, &engine));
    o.pictures = "files";
    refused(&o, CHL_ERR_ARGUMENT, "clip");
    chl_engine_close(engine);
    engine = whole;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_no_distance_from_itself),
        cmocka_unit_test(seeds_are_measured_as_their_files_are),
        cmocka_unit_test(a_judges_answers_are_counted_by_what_folders_say),
        cmocka_unit_test(a_limit_takes_pictures_from_all_over_a_set),
        cmocka_unit_test(a_judge_needs_no_clip),
        cmocka_unit_test(a_picture_that_cannot_be_read_is_counted_and_left_out),
        cmocka_unit_test(what_cannot_be_measured_is_refused),
    };
    if (!chl_raster_can_write()) { /* a build without CHLADNI_MEDIA */
        const struct CMUnitTest none[] = {cmocka_unit_test(skipped_without_files_of_sounds)};
        return cmocka_run_group_tests(none, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, enter, leave);
}
