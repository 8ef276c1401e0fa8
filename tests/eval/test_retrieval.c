/* Retrieval: ranks counted by hand, sets as people have them, and a report on small random models that is counted
 * again from their embeddings. */
#include "eval/retrieval_set.h"
#include "io/picture.h"
#include "io/sound.h"
#include "small_engine.h"
#include <jansson.h>
#include <sys/stat.h>

#define CLIPS 6

static void make_clip(int number) {
    enum { SAMPLES = 22050, SIDE = 40 };
    static float wave[SAMPLES];
    char path[32];
    for (int i = 0; i < SAMPLES; i++)
        wave[i] = 0.4f * sinf((float)i * (0.01f + 0.07f * (float)number));
    snprintf(path, sizeof path, "%d.wav", number);
    MUST(chl_sound_write(path, wave, SAMPLES));
    uint8_t rgb[3 * SIDE * SIDE];
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        rgb[i] = (uint8_t)(40 * number + (i / (number + 1) * 7) % 90);
    snprintf(path, sizeof path, "%d.png", number);
    MUST(chl_raster_write_png(path, SIDE, SIDE, rgb));
}

static int enter(void **state) {
    (void)state;
    if (enter_folder()) return -1;
    for (int i = 0; i < CLIPS; i++) make_clip(i);
    open_small_engine();
    return 0;
}

/* --- ranks ------------------------------------------------------------------------------------ */
static double share(const json_t *way, const char *depth) {
    return json_number_value(json_object_get(json_object_get(way, depth), "share"));
}
static double number(const json_t *object, const char *key) {
    const json_t *x = json_object_get(object, key);
    if (!json_is_number(x)) fail_msg("%s is no number", key);
    return json_number_value(x);
}

/* Candidates on a quarter of a circle; queries at 0 and 90 degrees. */
static void ranks_are_counted_from_cosines(void **unused) {
    (void)unused;
    enum { N = 12 };
    float candidate[N][2], query[2][2] = {{1, 0}, {0, 1}};
    for (int i = 0; i < N; i++) {
        candidate[i][0] = cosf(0.1f * (float)i);
        candidate[i][1] = sinf(0.1f * (float)i);
    }
    chl_pair pair[] = {
        {1, 5}, {0, 0}, {1, 5}, {1, 1}}; /* ranks 1 and 7; the second of 5 and 1 is 5 */
    chl_recall task = {.width = 2,
                       .queries = 2,
                       .candidates = N,
                       .query = query[0],
                       .candidate = candidate[0],
                       .pairs = chl_pairs_sort(4, pair),
                       .pair = pair};
    assert_int_equal(task.pairs, 3);
    json_t *way;
    MUST(chl_recall_report(&task, &way));
    assert_int_equal(number(way, "queries"), 2);
    near(share(way, "r1"), 0.5, 0);
    near(share(way, "r5"), 0.5, 0);
    near(share(way, "r10"), 1, 0);
    near(number(way, "median_rank"), 4, 0);
    /* one of 12 and two of 12 among the first five: 5/12 and 1 - 7 6 / (12 11) */
    near(number(json_object_get(way, "r5"), "chance"), (5.0 / 12 + 1 - 42.0 / 132) / 2, 1e-9);
    json_decref(way);
    task.each_pair = true; /* the second query asks twice */
    MUST(chl_recall_report(&task, &way));
    assert_int_equal(number(way, "queries"), 3);
    near(share(way, "r5"), 1.0 / 3, 1e-9);
    near(number(way, "median_rank"), 7, 0);
    json_decref(way);
}

/* An encoder that gives every sound one embedding finds nothing. */
static void equal_cosines_never_help(void **unused) {
    (void)unused;
    enum { N = 20 };
    float one[N][2];
    chl_pair pair[N];
    for (int i = 0; i < N; i++) {
        one[i][0] = 1;
        one[i][1] = 0;
        pair[i] = (chl_pair){i, i};
    }
    const chl_recall task = {.width = 2,
                             .queries = N,
                             .candidates = N,
                             .query = one[0],
                             .candidate = one[0],
                             .pairs = N,
                             .pair = pair};
    json_t *way;
    MUST(chl_recall_report(&task, &way));
    near(share(way, "r10"), 0, 0);
    near(number(way, "median_rank"), N, 0);
    json_decref(way);
}

/* --- sets ------------------------------------------------------------------------------------- */
static void expect_set(const char *path, int sounds, int pictures, const char *texts,
                       const char *told) {
    chl_retrieval_set s;
    char got[512] = "";
    MUST(chl_retrieval_set_open(path, NULL, 0, false, &s));
    assert_int_equal(s.sounds, sounds);
    assert_int_equal(s.pictures, pictures);
    for (int i = 0; i < s.texts; i++) {
        strcat(got, i ? "|" : "");
        strcat(got, s.text[i]);
    }
    assert_string_equal(got, texts);
    got[0] = 0;
    for (int64_t i = 0; i < s.told; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%d-%d ", s.with_text[i].from,
                 s.with_text[i].to);
    assert_string_equal(got, told);
    chl_retrieval_set_free(&s);
}

/* Lists, numbered columns, a line per caption; equal captions are one text. */
static void a_clip_may_have_several_captions(void **unused) {
    (void)unused;
    put("list.jsonl", "{\"sound\": \"0.wav\", \"picture\": \"0.png\", \"caption\": [\"rain\", "
                      "\"rain on\\na roof\"]}\n"
                      "{\"sound\": \"1.wav\", \"caption\": \"rain\", \"label\": \"x\"}\n"
                      "{\"sound\": \"2.wav\", \"label\": \"no caption\"}\n");
    expect_set("list.jsonl", 3, 1, "rain|rain on a roof", "0-0 0-1 1-0 ");
    put("clotho.csv", "file_name,caption_1,caption_2\n0.wav,a dog,\"a dog, far\"\n1.wav,a cat,\n");
    expect_set("clotho.csv", 2, 0, "a dog|a dog, far|a cat", "0-0 0-1 1-2 ");
    put("lines.csv",
        "sound,picture,caption\n0.wav,0.png,one\n1.wav,1.png,two\n0.wav,0.png,three\n");
    expect_set("lines.csv", 2, 2, "one|two|three", "0-0 0-2 1-1 ");
    put("labels.csv", "sound,label\n0.wav,dog_bark\n1.wav,rain\n2.wav,rain\n");
    expect_set("labels.csv", 3, 0, "dog_bark|rain", "0-0 1-1 2-1 ");
    chl_retrieval_set s;
    put("list.jsonl", "{\"sound\": \"0.wav\", \"caption\": [\"rain\", 7]}\n");
    assert_int_equal(chl_retrieval_set_open("list.jsonl", NULL, 0, false, &s), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "line 1: number 2 of \"caption\" is not a text"));
}

static void captions_survive_packing(void **unused) {
    (void)unused;
    put("pack.jsonl", "{\"sound\": \"0.wav\", \"caption\": [\"one\", \"two\"]}\n"
                      "{\"sound\": \"1.wav\", \"caption\": \"three\"}\n");
    const chl_pack_options pack = {.size = sizeof pack, .data = "pack.jsonl", .out = "p-%d.tar"};
    char *text;
    const chl_status status = chl_data_pack(&pack, &text);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    chl_release(text);
    expect_set("p-0.tar", 2, 0, "one|two|three", "0-0 0-1 1-2 ");
}

/* --- reports ---------------------------------------------------------------------------------- */
static json_t *retrieve(const chl_retrieval_options *o) {
    char *text;
    MUST(chl_evaluate_retrieval(engine, o, &text));
    json_t *report = json_loads(text, 0, NULL);
    assert_non_null(report);
    chl_release(text);
    return report;
}

static double cosine(const float *a, const float *b) {
    double sum = 0;
    for (int i = 0; i < EMBED; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Clip i belongs to i alone: ranks from query [CLIPS] among candidates [CLIPS]. */
static void expect_way(const json_t *way, float query[CLIPS][EMBED],
                       float candidate[CLIPS][EMBED]) {
    int first = 0, total[CLIPS + 1] = {0}, seen = 0, median = 0;
    for (int i = 0; i < CLIPS; i++) {
        int rank = 0;
        for (int j = 0; j < CLIPS; j++)
            rank += cosine(query[i], candidate[j]) >= cosine(query[i], candidate[i]);
        first += rank == 1;
        total[rank]++;
    }
    for (int rank = 1; rank <= CLIPS; rank++)
        for (int i = 0; i < total[rank]; i++, seen++)
            median += seen == (CLIPS - 1) / 2 || seen == CLIPS / 2 ? rank : 0;
    near(share(way, "r1"), first / (double)CLIPS, 1e-6);
    near(share(way, "r5"), 1 - total[CLIPS] / (double)CLIPS, 1e-6);
    near(share(way, "r10"), 1, 0);
    near(number(way, "median_rank"), median / 2.0, 0);
    near(number(json_object_get(way, "r1"), "chance"), 1.0 / CLIPS, 1e-6);
}

static void embed_picture(const char *path, float *embedding) {
    int height, width;
    float *pixels;
    MUST(chl_picture_read(path, &height, &width, &pixels));
    MUST(chl_embed_picture(engine, height, width, pixels, embedding));
    chl_release(pixels);
}

static void a_report_is_what_the_embeddings_say(void **unused) {
    (void)unused;
    static const char *const text[CLIPS] = {"rain",  "a dog",         "wind in trees",
                                            "a car", "bells far off", "the sea"};
    float sound[CLIPS][EMBED], picture[CLIPS][EMBED], caption[CLIPS][EMBED];
    char lines[1024] = "", path[16];
    for (int i = 0; i < CLIPS; i++) {
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
                 "{\"sound\": \"%d.wav\", \"picture\": \"%d.png\", \"caption\": \"%s\"}\n", i, i,
                 text[i]);
        snprintf(path, sizeof path, "%d.wav", i);
        MUST(chl_embed_sound(engine, path, sound[i]));
        snprintf(path, sizeof path, "%d.png", i);
        embed_picture(path, picture[i]);
        MUST(chl_embed_text(engine, text[i], caption[i]));
    }
    put("all.jsonl", lines);
    json_t *report = retrieve(
        &(chl_retrieval_options){.size = sizeof(chl_retrieval_options), .data = "all.jsonl"});
    const json_t *shown = json_object_get(report, "audio_image"),
                 *told = json_object_get(report, "audio_text");
    assert_string_equal(json_string_value(json_object_get(told, "texts")), "captions");
    expect_way(json_object_get(shown, "audio_to_image"), sound, picture);
    expect_way(json_object_get(shown, "image_to_audio"), picture, sound);
    expect_way(json_object_get(told, "audio_to_text"), sound, caption);
    expect_way(json_object_get(told, "text_to_audio"), caption, sound);
    json_decref(report);
}

static void what_cannot_be_read_is_counted_and_no_candidate(void **unused) {
    (void)unused;
    put("broken.png", "no picture");
    put("broken.wav", "no sound");
    put("some.jsonl", "{\"sound\": \"broken.wav\", \"picture\": \"0.png\", \"caption\": \"a\"}\n"
                      "{\"sound\": \"1.wav\", \"picture\": \"broken.png\", \"caption\": \"b\"}\n"
                      "{\"sound\": \"2.wav\", \"picture\": \"2.png\", \"caption\": \"c\"}\n"
                      "{\"sound\": \"3.wav\", \"picture\": \"3.png\", \"caption\": \"d\"}\n"
                      "{\"sound\": \"gone.wav\", \"picture\": \"3.png\", \"caption\": \"e\"}\n");
    json_t *report = retrieve(
        &(chl_retrieval_options){.size = sizeof(chl_retrieval_options), .data = "some.jsonl"});
    const json_t *way = json_object_get(json_object_get(report, "audio_image"), "audio_to_image");
    assert_int_equal(number(report, "missing"), 2);
    assert_int_equal(number(report, "unreadable_pictures"), 1);
    assert_int_equal(number(way, "queries"), 2);
    assert_int_equal(number(way, "candidates"), 2);
    assert_int_equal(
        number(json_object_get(json_object_get(report, "audio_text"), "audio_to_text"), "queries"),
        3);
    json_decref(report);
}

static void refused(const chl_retrieval_options *o, chl_status want, const char *text) {
    char *report;
    assert_int_equal(chl_evaluate_retrieval(engine, o, &report), want);
    assert_null(report);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), text);
}

static void what_is_missing_is_said(void **unused) {
    (void)unused;
    chl_retrieval_options o = {.size = sizeof o};
    refused(&o, CHL_ERR_ARGUMENT, "data");
    put("bare.csv", "sound\n0.wav\n");
    o.data = "bare.csv";
    refused(&o, CHL_ERR_KEY, "needs pictures, captions or labels, got none");
    o.data = "nowhere";
    refused(&o, CHL_ERR_IO, "nowhere");
    o.data = "all.jsonl";
    o.limit = -1;
    refused(&o, CHL_ERR_ARGUMENT, "limit must be >= 0, got -1");
}

/* A CLAP has texts and no image tower: sounds and texts search each other, and pictures are named
 * as absent. */
static void a_clap_searches_texts_alone(void **unused) {
    (void)unused;
    chl_engine *clip = engine;
    chl_engine_options models = {.size = sizeof models,
                                 .audio = CHLADNI_FIXTURES "/clap/hf.safetensors",
                                 .clip = CHLADNI_FIXTURES "/clap/hf.safetensors",
                                 .vocab = CHLADNI_FIXTURES "/clap/tokenizer.json"};
    chl_retrieval_options o = {.size = sizeof o, .data = "all.jsonl"};
    MUST(chl_engine_open(&models, &engine));
    json_t *report = retrieve(&o);
    const json_t *told = json_object_get(report, "audio_text");
    assert_int_equal(number(json_object_get(told, "audio_to_text"), "queries"), CLIPS);
    assert_int_equal(number(json_object_get(told, "text_to_audio"), "candidates"), CLIPS);
    assert_null(json_object_get(report, "audio_image"));
    const json_t *absent = json_object_get(report, "absent");
    assert_int_equal(json_array_size(absent), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(absent, 0), "part")),
                        "audio_image");
    json_decref(report);
    put("pictures.jsonl", "{\"sound\": \"0.wav\", \"picture\": \"0.png\"}\n");
    o.data = "pictures.jsonl";
    refused(&o, CHL_ERR_ARGUMENT, "retrieval of pictures needs clip with an image tower");
    chl_engine_close(engine);
    models.vocab = NULL;
    o.data = "all.jsonl";
    MUST(chl_engine_open(&models, &engine));
    refused(&o, CHL_ERR_ARGUMENT, "retrieval of texts needs vocab");
    chl_engine_close(engine);
    engine = clip;
}

/* A CLIP without its merges searches pictures alone, and says so. */
static void without_merges_texts_are_absent(void **unused) {
    (void)unused;
    chl_engine *whole = engine;
    const chl_engine_options models = {.size = sizeof models,
                                       .audio = "a.safetensors",
                                       .clip = "c.safetensors",
                                       .mel = CHL_MEL_ABSOLUTE};
    MUST(chl_engine_open(&models, &engine));
    json_t *report = retrieve(
        &(chl_retrieval_options){.size = sizeof(chl_retrieval_options), .data = "all.jsonl"});
    const json_t *absent = json_object_get(report, "absent");
    assert_non_null(json_object_get(report, "audio_image"));
    assert_int_equal(json_array_size(absent), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(absent, 0), "part")),
                        "audio_text");
    json_decref(report);
    chl_engine_close(engine);
    engine = whole;
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(skipped_without_files_of_sounds)};
    if (!reads_sounds()) return cmocka_run_group_tests(without, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_counted_from_cosines),
        cmocka_unit_test(equal_cosines_never_help),
        cmocka_unit_test(a_clip_may_have_several_captions),
        cmocka_unit_test(captions_survive_packing),
        cmocka_unit_test(a_report_is_what_the_embeddings_say),
        cmocka_unit_test(what_cannot_be_read_is_counted_and_no_candidate),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(a_clap_searches_texts_alone),
        cmocka_unit_test(without_merges_texts_are_absent)};
    return cmocka_run_group_tests(tests, enter, leave);
}
