/* What `chladni data` says of a set, and the shards that it writes. */
#include "io/sound.h"
#include "shared_runs.h"
#include <chladni/data.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIPS = 24 };
static const char *const labels[4] = {"heavy rain", "rain", "a bell", "church bells"};

static json_t *inspected(const char *source) {
    char *text, *picture = in_folder(root, "labels.png");
    struct stat about;
    const chl_inspect_options options = {
        .size = sizeof options, .data = source, .picture = picture};
    MUST(chl_data_inspect(&options, &text));
    assert_true(stat(picture, &about) == 0 && about.st_size > 500);
    unlink(picture);
    free(picture);
    json_t *report = json_loads(text, 0, NULL);
    assert_non_null(report);
    free(text);
    return report;
}

static long long number(const json_t *report, const char *key) {
    return (long long)json_integer_value(json_object_get(report, key));
}

/* A clip twice there, one of the same length that differs, one at another rate, one broken, one gone */
static char *write_odd(void) {
    static float wave[30000];
    char *folder = in_folder(root, "odd"), *path = in_folder(root, "odd/other.wav");
    mkdir(folder, 0777);
    for (int i = 0; i < 10; i++) wave[i] = 0.5f;
    MUST(chl_sound_write(path, wave, 30000));
    free(path);
    put_file(folder, "broken.wav", "no sound", 8);
    /* 8 samples a second and channel: a header by hand, stereo at 8000 Hz, 16 bits, 4 frames */
    static const char stereo[] =
        "RIFF4\0\0\0WAVEfmt \x10\0\0\0\1\0\2\0\x40\x1f\0\0\0\x7d\0\0\4\0\x10\0"
        "data\x10\0\0\0\1\0\2\0\1\0\2\0\1\0\2\0\1\0\2\0";
    put_file(folder, "stereo.wav", stereo, sizeof stereo - 1);
    char lines[2048];
    snprintf(lines, sizeof lines,
             "{\"sound\": \"%s/0.wav\", \"label\": \"a\", \"picture\": \"%s/0.png\"}\n"
             "{\"sound\": \"%s/1.wav\", \"label\": \"a\", \"caption\": \"x\"}\n"
             "{\"sound\": \"%s/0.wav\", \"label\": \"b\"}\n{\"sound\": \"other.wav\"}\n"
             "{\"sound\": \"stereo.wav\", \"label\": \"b\"}\n{\"sound\": \"broken.wav\"}\n"
             "{\"sound\": \"gone.wav\", \"label\": \"c\"}\n",
             data, data, data, data);
    put_file(folder, "pairs.jsonl", lines, strlen(lines));
    return folder;
}

static void an_inspection_counts_what_is_there(void **state) {
    (void)state;
    char *folder = write_odd();
    json_t *r = inspected(folder);
    const json_t *seconds = json_object_get(r, "seconds"), *rates = json_object_get(r, "rates");
    assert_string_equal(json_string_value(json_object_get(r, "layout")), "pairs.jsonl");
    assert_int_equal(number(r, "clips"), 6);
    assert_int_equal(number(r, "missing"), 1);
    assert_int_equal(number(r, "unreadable"), 1);
    assert_int_equal(number(r, "duplicates"), 1);
    assert_int_equal(number(r, "pictures"), 1);
    assert_int_equal(number(r, "captions"), 1);
    assert_int_equal(number(r, "unlabelled"), 2);
    assert_int_equal(number(json_object_get(r, "labels"), "a"), 2);
    assert_int_equal(number(json_object_get(r, "labels"), "b"), 2);
    assert_int_equal(number(rates, "44100"), 4);
    assert_int_equal(number(rates, "8000"), 1);
    assert_int_equal(number(json_object_get(r, "channels"), "2"), 1);
    assert_true(fabs(json_real_value(json_object_get(seconds, "max")) - 30000 / 44100.0) < 1e-9);
    assert_true(json_real_value(json_object_get(json_object_get(r, "epoch"), "seconds")) > 0);
    json_decref(r);
    free(folder);
}

static void only_shards_get_an_index(void **state) {
    (void)state;
    const chl_inspect_options o = {.size = sizeof o, .data = data, .index = 1};
    char *text;
    assert_int_equal(chl_data_inspect(&o, &text), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "index must be 0 for "));
    assert_non_null(strstr(chl_error(), ": it has no shards"));
}

/* ESC-50's numbers of folds are splits of its shards. */
static void folds_of_a_table_are_packed(void **state) {
    (void)state;
    const char table[] = "filename,fold,target,category,esc10,src_file,take\n"
                         "0.wav,1,0,dog,True,1,A\n1.wav,5,0,dog,True,2,A\n";
    char *esc = in_folder(root, "esc"), *meta = in_folder(esc, "meta"), *text,
         *audio = in_folder(esc, "audio"), *out = in_folder(root, "esc-%d.tar"),
         *shard = in_folder(root, "esc-0.tar");
    assert_int_equal(mkdir(esc, 0777), 0);
    assert_int_equal(mkdir(meta, 0777), 0);
    assert_int_equal(symlink(data, audio), 0);
    put_file(meta, "esc50.csv", table, strlen(table));
    const chl_pack_options pack = {.size = sizeof pack, .data = esc, .out = out};
    const chl_status status = chl_data_pack(&pack, &text);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    free(text);
    const chl_inspect_options fold = {.size = sizeof fold, .data = shard, .split = "5"};
    MUST(chl_data_inspect(&fold, &text));
    assert_non_null(strstr(text, "\"clips\":1,"));
    free(text);
    free(esc);
    free(meta);
    free(audio);
    free(out);
    free(shard);
}

static void assert_folds(const char *shard) {
    const int two = 2;
    const chl_source_choice choice = {.folds = 1, .fold = &two};
    chl_source *source;
    MUST(chl_source_open(shard, &choice, &source));
    assert_int_equal(source->count, 1);
    assert_int_equal(source->entry[0].fold, 2);
    assert_string_equal(source->entry[0].split, "train");
    chl_source_free(source);
}

static void a_split_and_a_fold_are_both_packed(void **state) {
    (void)state;
    char lines[1024], *list = in_folder(root, "both.jsonl"), *text,
                      *out = in_folder(root, "both-%d.tar"), *shard = in_folder(root, "both-0.tar"),
                      *index = in_folder(root, "both-0.tar.index");
    const int size =
        snprintf(lines, sizeof lines,
                 "{\"sound\":\"%s/0.wav\",\"label\":\"a\",\"split\":\"train\",\"fold\":2}\n"
                 "{\"sound\":\"%s/1.wav\",\"label\":\"a\",\"split\":\"train\",\"fold\":\"3\"}\n",
                 data, data);
    put_file(root, "both.jsonl", lines, (size_t)size);
    const chl_pack_options pack = {.size = sizeof pack, .data = list, .out = out};
    const chl_status status = chl_data_pack(&pack, &text);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    free(text);
    assert_folds(shard); /* by its index, and without */
    assert_int_equal(unlink(index), 0);
    assert_folds(shard);
    free(list);
    free(out);
    free(shard);
    free(index);
}

/* Packed with two clips in a shard: the same order, the same losses, bit for bit. */
static void shards_train_as_what_they_are_packed_from(void **state) {
    (void)state;
    char *lines = calloc(CLIPS, 256), *list = in_folder(root, "list.jsonl"), *text;
    for (int i = 0; i < CLIPS; i++)
        sprintf(lines + strlen(lines),
                "{\"sound\":\"%s/%d.wav\",\"label\":\"%s\",\"kind\":\"%s\",\"picture\":\"%s/"
                "%d.png\",\"fold\":%d%s}\n",
                data, i, labels[i % 4], labels[i % 4], data, i, i % 3,
                i % 5 ? "" : ",\"strength\":0.5,\"level_db\":-31.5");
    put_file(root, "list.jsonl", lines, strlen(lines));
    free(lines);
    char *out = in_folder(root, "clips-%03d.tar"),
         *shards = in_folder(root, "clips-{000..011}.tar");
    const chl_pack_options pack = {.size = sizeof pack, .data = list, .out = out, .clips = 2};
    const chl_status status = chl_data_pack(&pack, &text);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    assert_string_equal(text, "{\"clips\":24,\"shards\":12,\"left_out\":0}");
    free(text);
    const char *const sources[] = {list, shards};
    char *run[2], *index = in_folder(root, "clips-011.tar.index");
    assert_int_equal(access(index, R_OK), 0); /* of which the training reads where clips lie */
    free(index);
    for (int i = 0; i < 2; i++) {
        run[i] = in_folder(root, i ? "of-shards" : "of-list");
        chl_train_options options = audio_options(run[i]);
        options.data = sources[i];
        options.augment = "sound";
        options.steps = 3;
        MUST(chl_trainer_run(&chl_training_audio, &options));
    }
    assert_true(same_file(run[0], run[1], "model.safetensors"));
    for (int step = 1; step <= 3; step++)
        assert_true(loss_of(run[0], step) == loss_of(run[1], step));
    json_t *r = inspected(shards);
    assert_string_equal(json_string_value(json_object_get(r, "layout")), "WebDataset");
    assert_int_equal(number(r, "clips"), CLIPS);
    json_decref(r);
    for (int i = 0; i < 2; i++) {
        const chl_inspect_options of_a_fold = {
            .size = sizeof of_a_fold, .data = sources[i], .split = "2"};
        MUST(chl_data_inspect(&of_a_fold, &text));
        assert_non_null(strstr(text, "\"clips\":8,"));
        free(text);
    }
    free(run[0]);
    free(run[1]);
    free(out);
    free(shards);
    free(list);
}

/* A training behind it adds nothing, and computes what it would without. */
static void a_training_finds_what_was_embedded_ahead(void **state) {
    (void)state;
    char *cache = in_folder(root, "cache"), *first = in_folder(root, "first"), *text;
    const chl_embed_ahead_options ahead = {.size = sizeof ahead,
                                           .data = data,
                                           .clip = clip_path,
                                           .vocab = VOCAB,
                                           .cache = cache,
                                           .device = "cpu",
                                           .seed = audio_options(NULL).seed};
    MUST(chl_data_embed(&ahead, &text));
    assert_non_null(strstr(text, "\"found\":0,\"unreadable\":0}"));
    free(text);
    MUST(chl_data_embed(&ahead, &text));
    assert_non_null(strstr(text, "{\"embedded\":0,"));
    free(text);
    chl_train_options options = audio_options(first);
    options.steps = 2;
    options.cache = cache;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    MUST(chl_data_embed(&ahead, &text));
    int files = 0;
    DIR *list = opendir(cache);
    for (struct dirent *entry; (entry = readdir(list));) files += entry->d_name[0] != '.';
    closedir(list);
    assert_int_equal(files, 1);
    free(text);
    free(cache);
    free(first);
}

static void impossible_shards_are_refused(void **state) {
    (void)state;
    static const char *const outs[] = {"x.tar", "x-%s.tar", "%d-%d.tar", "x-%"};
    char *text;
    for (size_t i = 0; i < sizeof outs / sizeof outs[0]; i++) {
        const chl_pack_options pack = {.size = sizeof pack, .data = data, .out = outs[i]};
        const chl_status status = chl_data_pack(&pack, &text);
        if (status == CHL_ERR_UNSUPPORTED) skip();
        assert_int_equal(status, CHL_ERR_ARGUMENT);
        assert_non_null(strstr(chl_error(), "out must hold one number"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inspection_counts_what_is_there),
        cmocka_unit_test(only_shards_get_an_index),
        cmocka_unit_test(folds_of_a_table_are_packed),
        cmocka_unit_test(a_split_and_a_fold_are_both_packed),
        cmocka_unit_test(shards_train_as_what_they_are_packed_from),
        cmocka_unit_test(a_training_finds_what_was_embedded_ahead),
        cmocka_unit_test(impossible_shards_are_refused),
    };
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
