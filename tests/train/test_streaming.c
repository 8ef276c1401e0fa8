/* The sound encoder's training on more data than fits into memory, some of which is missing or broken. */
#include "io/sound.h"
#include "shared_runs.h"
#include "sound/mel.h"
#include "train/left_out.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define BROKEN 5
#define GONE 9
enum { CLIPS = 24 };
static const char *const labels[4] = {"heavy rain", "rain", "a bell", "church bells"};
static char
    *torn; /* a folder like `data`, with a clip that is no sound and one that is not there */

static void add_line(char *lines, int i, const char *sound) {
    sprintf(lines + strlen(lines),
            "{\"sound\":\"%s\",\"label\":\"%s\",\"picture\":\"%s/%d.png\"}\n", sound, labels[i % 4],
            data, i);
}

static int write_torn(void **state) {
    if (write_all(state) != 0) return -1;
    char lines[CLIPS * 256] = "", sound[128];
    torn = in_folder(root, "torn");
    mkdir(torn, 0777);
    for (int i = 0; i < CLIPS; i++) {
        snprintf(sound, sizeof sound, "%s/%d.wav", data, i);
        if (i == BROKEN) strcpy(sound, "broken.wav");
        if (i == GONE) strcpy(sound, "gone.wav");
        add_line(lines, i, sound);
    }
    put_file(torn, "broken.wav", "RIFF but no sound", 17);
    put_file(torn, "pairs.jsonl", lines, strlen(lines));
    return 0;
}

static int remove_torn(void **state) {
    free(torn);
    return remove_all(state);
}

/* --- memory ----------------------------------------------------------------------------------- */
static chl_dataset *open_with(int64_t memory) {
    chl_dataset *set;
    MUST(chl_dataset_open_chosen(data, CHL_NEED_SOUND, &(chl_dataset_choice){.memory = memory},
                                 &set));
    return set;
}

static void what_does_not_fit_is_decoded_again_to_the_same_bits(void **state) {
    (void)state;
    enum { BATCH = 6, ROUNDS = 5 };
    chl_dataset *whole = open_with(0), *small = open_with(100000);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t index[BATCH], frames[2][BATCH];
        const float *mel[2][BATCH];
        const uint8_t *pixels[2];
        chl_dataset_next_batch(small);
        MUST(chl_dataset_batch(small, 3, round, BATCH, index));
        MUST(chl_dataset_mels(whole, BATCH, index, mel[0], frames[0]));
        MUST(chl_dataset_mels(small, BATCH, index, mel[1], frames[1]));
        for (int i = 0; i < BATCH; i++) {
            assert_int_equal(frames[0][i], frames[1][i]);
            assert_memory_equal(mel[0][i], mel[1][i],
                                sizeof(float) * CHL_MEL_BANDS * (size_t)frames[0][i]);
        }
        MUST(chl_dataset_picture(whole, index[0], 64, &pixels[0]));
        MUST(chl_dataset_picture(small, index[0], 64, &pixels[1]));
        assert_memory_equal(pixels[0], pixels[1], 3 * 64 * 64);
    }
    chl_dataset_free(whole);
    chl_dataset_free(small);
}

static void expect_same_losses(const char *a, const char *b, int steps) {
    for (int step = 1; step <= steps; step++) assert_true(loss_of(a, step) == loss_of(b, step));
}

static void a_training_is_the_same_with_any_memory(void **state) {
    (void)state;
    char *whole = in_folder(root, "whole"), *small = in_folder(root, "small");
    chl_train_options options = audio_options(whole);
    options.steps = 4;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options.out = small;
    options.memory = 1;
    options.ahead = 1;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    assert_true(same_file(whole, small, "model.safetensors"));
    expect_same_losses(whole, small, 4);
    free(whole);
    free(small);
}

/* --- clips that are left out ------------------------------------------------------------------ */
static void expect_left_out(const char *run, bool broken) {
    size_t size;
    char *text = get_file(run, "left-out.txt", &size);
    assert_non_null(text);
    assert_non_null(strstr(text, "/gone.wav\tNo such file"));
    assert_true(!broken == !strstr(text, "/broken.wav\t"));
    int lines = 0;
    for (const char *at = text; *at; at++) lines += *at == '\n';
    assert_int_equal(lines, 1 + broken);
    free(text);
}

/* Resumed, and on two ranks, of which one alone reads the broken clip. */
static void another_clip_takes_the_place_of_one_that_cannot_be_read(void **state) {
    (void)state;
    chl_train_options options = audio_options(NULL);
    options.data = torn;
    options.tolerate = 0.1f;
    options.rate = 2e-4f;
    char *whole = train_on("torn-1", &chl_training_audio, options, 1);
    char *shared = train_on("torn-2", &chl_training_audio, options, 2);
    compare(whole, shared, 2);
    expect_left_out(whole, true);
    char *parts = in_folder(root, "torn-parts");
    options.out = parts;
    options.steps = RUN;
    options.stop_after = RUN / 2;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options.stop_after = 0;
    options.resume = 1;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    expect_same_losses(whole, parts, RUN);
    options.out = in_folder(root, "torn-augmented");
    options.augment = "sound";
    options.resume = 0;
    options.steps = 3;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    expect_left_out(options.out, true);
    free((void *)options.out);
    free(whole);
    free(shared);
    free(parts);
}

/* At a step, before the steps, by one rank of two: the same stands in its place. */
static void another_picture_takes_the_place_of_one_that_cannot_be_read(void **state) {
    (void)state;
    size_t size;
    char *lines = get_file(torn, "pairs.jsonl", &size), *place = strstr(lines, "/3.png");
    assert_non_null(place);
    memcpy(place, "/3.wav", 6); /* a sound is no picture */
    char *wrong = in_folder(root, "wrong"), *run[2];
    mkdir(wrong, 0777);
    put_file(wrong, "pairs.jsonl", lines, size);
    copy_file(torn, wrong, "broken.wav");
    chl_train_options options = audio_options(NULL);
    options.data = wrong;
    options.steps = 4;
    for (int i = 0; i < 2; i++) {
        run[i] = in_folder(root, i ? "wrong-ahead" : "wrong-now");
        options.out = run[i];
        options.ahead = i;
        MUST(chl_trainer_run(&chl_training_audio, &options));
        char *text = get_file(run[i], "left-out.txt", &size);
        assert_non_null(strstr(text, "/3.wav\t"));
        free(text);
    }
    assert_true(same_file(run[0], run[1], "model.safetensors"));
    options.rate = 2e-4f;
    char *shared = train_on("wrong-2", &chl_training_audio, options, 2);
    free(shared);
    free(run[0]);
    free(run[1]);
    free(wrong);
    free(lines);
}

static void refuse_place(const char *from, const char *out, const char *text) {
    chl_train_options options = audio_options(out);
    options.data = from;
    options.tolerate = 0; /* so that what is not refused for its place is for a sound */
    assert_int_not_equal(chl_trainer_run(&chl_training_audio, &options), CHL_OK);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" is not in: %s", text, chl_error());
}

/* A list of files, a folder of files, and a link into that; below a list's folder is a fine place. */
static void a_run_in_its_own_data_is_refused(void **state) {
    (void)state;
    char *list = in_folder(torn, "pairs.jsonl"), *range = in_folder(torn, "x-{0..1}.tar");
    char *plain = in_folder(root, "plain"), *rain = in_folder(plain, "rain"),
         *link = in_folder(root, "link"), *log = in_folder(torn, "log.txt");
    char *inside[] = {in_folder(rain, "new/run"), in_folder(link, "run"), in_folder(torn, "run")};
    assert_int_equal(mkdir(plain, 0777), 0);
    assert_int_equal(mkdir(rain, 0777), 0);
    assert_int_equal(symlink("plain/rain", link), 0);
    put_file(rain, "1.wav", "x", 1);
    refuse_place(torn, torn, "out must be a folder of its own, got ");
    refuse_place(list, torn, ", which holds the data ");
    refuse_place(range, torn, ", which holds the data ");
    refuse_place(plain, plain, ", which is the data ");
    refuse_place(plain, inside[0], "out must be outside of ");
    refuse_place(plain, inside[1], "whose files are the data");
    assert_int_not_equal(access(log, F_OK), 0); /* nothing was written there */
    refuse_place(torn, inside[2], ".wav");
    refuse_place(list, inside[2], ".wav");
    refuse_place(plain, inside[2], "no sample has a \"picture\"");
    for (int i = 0; i < 3; i++) free(inside[i]);
    free(list);
    free(range);
    free(plain);
    free(rain);
    free(link);
    free(log);
}

static void a_run_ends_where_too_many_cannot_be_read(void **state) {
    (void)state;
    char *out = in_folder(root, "too-many");
    chl_train_options options = audio_options(out);
    options.data = torn;
    options.tolerate = 0;
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "pairs.jsonl line 10: \"sound\": "));
    options.tolerate = 0.04f; /* 1 of 24 is more */
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "1 of 24 samples are missing or cannot be read"));
    options.tolerate = 0.05f; /* one is not, two are: found in the first epoch */
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "2 of 24 samples are missing or cannot be read"));
    expect_left_out(out, true);
    options.tolerate = 1;
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "tolerate must be in [0, 1), got 1"));
    free(out);
}

/* --- embeddings that are kept ----------------------------------------------------------------- */
static long bytes_kept(const char *cache) {
    long bytes = 0;
    struct stat about;
    DIR *list = opendir(cache);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));) {
        char *path = in_folder(cache, entry->d_name);
        if (stat(path, &about) == 0 && S_ISREG(about.st_mode)) bytes += about.st_size;
        free(path);
    }
    closedir(list);
    return bytes;
}

/* At a step, ahead of all steps, on ranks; with an empty cache, and from a full one to which nothing is
 * added. */
static void embeddings_are_kept_for_other_runs(void **state) {
    (void)state;
    char *cache = in_folder(root, "cache"), *plain = in_folder(root, "no-cache");
    chl_train_options options = audio_options(plain);
    options.steps = 4;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options.cache = cache;
    long kept = 0;
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"cache-1", "cache-2", "cache-ahead"};
        char *run = in_folder(root, names[i]);
        options.out = run;
        options.ahead = i == 2;
        MUST(chl_trainer_run(&chl_training_audio, &options));
        assert_true(same_file(plain, run, "model.safetensors"));
        expect_same_losses(plain, run, 4);
        if (i == 0) kept = bytes_kept(cache);
        assert_true(kept > 24 * 16 * 4 && (i == 2 || bytes_kept(cache) == kept));
        free(run);
    }
    kept = bytes_kept(cache);
    char *shared = train_on("cache-ranks", &chl_training_audio, options, 2);
    assert_int_equal(bytes_kept(cache), kept);
    free(shared);
    free(cache);
    free(plain);
}

/* A copy of the clip, whose numbers are then damaged behind the cache's back: same size, same times. */
static void mel_pictures_are_kept_as_bytes_and_not_decoded_again(void **state) {
    (void)state;
    char *kept = in_folder(root, "kept-mels"), *folder = in_folder(root, "one"), *path;
    const int64_t index = 0;
    int64_t frames[4];
    const float *mel[4];
    chl_dataset *set[4];
    struct stat about;
    size_t size;
    char *bytes = get_file(data, "3.wav", &size);
    mkdir(folder, 0777);
    put_file(folder, "a.wav", bytes, size);
    put_file(folder, "pairs.jsonl", "{\"sound\":\"a.wav\"}\n", 18);
    path = in_folder(folder, "a.wav");
    assert_int_equal(stat(path, &about), 0);
    for (int i = 0; i < 4; i++) {
        const chl_dataset_choice choice = {.mels = i ? kept : NULL};
        if (i == 2) { /* found as it was */
            memset(bytes + size / 2, 0, size / 2);
            put_file(folder, "a.wav", bytes, size);
            assert_int_equal(
                utimensat(AT_FDCWD, path, (struct timespec[]){about.st_atim, about.st_mtim}, 0), 0);
        }
        if (i == 3) assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0); /* has changed */
        MUST(chl_dataset_open_chosen(folder, CHL_NEED_SOUND, &choice, &set[i]));
        MUST(chl_dataset_mels(set[i], 1, &index, &mel[i], &frames[i]));
        assert_int_equal(frames[i], frames[0]);
    }
    double most = 0, changed = 0;
    for (int64_t i = 0; i < CHL_MEL_BANDS * frames[0]; i++) {
        most = fmax(most, fabs((double)mel[1][i] - (double)mel[0][i]));
        changed = fmax(changed, fabs((double)mel[3][i] - (double)mel[1][i]));
    }
    assert_true(most > 0 && most <= 1.0 / 510 + 1e-7);
    assert_memory_equal(mel[1], mel[2], sizeof(float) * CHL_MEL_BANDS * (size_t)frames[0]);
    assert_true(changed > 0.1);
    for (int i = 0; i < 4; i++) chl_dataset_free(set[i]);
    free(bytes);
    free(path);
    free(folder);
    free(kept);
}

/* With what an earlier run has kept, with bounded memory and on ranks. */
static void a_training_on_kept_mels_is_the_same(void **state) {
    (void)state;
    char *first = in_folder(root, "mels-1"), *second = in_folder(root, "mels-2");
    char *cache = in_folder(root, "mels-cache");
    chl_train_options options = audio_options(first);
    options.steps = 4;
    options.cache = cache;
    options.cache_mels = 1;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options.out = second;
    options.memory = 1;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    assert_true(same_file(first, second, "model.safetensors"));
    expect_same_losses(first, second, 4);
    options.cache = NULL;
    refuse(&chl_training_audio, &options, 1, NULL, "cache_mels needs cache");
    options.cache = cache;
    options.augment = "sound";
    refuse(&chl_training_audio, &options, 1, NULL, "which augment sound changes at each use");
    free(first);
    free(second);
    free(cache);
}

/* --- other sources ---------------------------------------------------------------------------- */
static void a_manifest_trains_as_the_folder_does(void **state) {
    (void)state;
    char *lines = calloc(CLIPS, 256), *table = calloc(CLIPS, 256), sound[128];
    strcpy(table, "sound,picture,label\n");
    for (int i = 0; i < CLIPS; i++) {
        snprintf(sound, sizeof sound, "%s/%d.wav", data, i);
        add_line(lines, i, sound);
        sprintf(table + strlen(table), "%s,%s/%d.png,%s\n", sound, data, i, labels[i % 4]);
    }
    put_file(root, "list.jsonl", lines, strlen(lines));
    put_file(root, "list.csv", table, strlen(table));
    static const char *const names[] = {"list.jsonl", "list.csv"};
    char *run[2];
    for (int i = 0; i < 2; i++) {
        run[i] = in_folder(root, i ? "from-csv" : "from-jsonl");
        char *list = in_folder(root, names[i]);
        chl_train_options options = audio_options(run[i]);
        options.data = list;
        options.steps = 2;
        MUST(chl_trainer_run(&chl_training_audio, &options));
        free(list);
    }
    assert_true(same_file(run[0], run[1], "model.safetensors"));
    expect_same_losses(run[0], run[1], 2);
    free(run[0]);
    free(run[1]);
    free(lines);
    free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_decoded_again_to_the_same_bits),
        cmocka_unit_test(a_training_is_the_same_with_any_memory),
        cmocka_unit_test(another_clip_takes_the_place_of_one_that_cannot_be_read),
        cmocka_unit_test(another_picture_takes_the_place_of_one_that_cannot_be_read),
        cmocka_unit_test(a_run_in_its_own_data_is_refused),
        cmocka_unit_test(a_run_ends_where_too_many_cannot_be_read),
        cmocka_unit_test(embeddings_are_kept_for_other_runs),
        cmocka_unit_test(mel_pictures_are_kept_as_bytes_and_not_decoded_again),
        cmocka_unit_test(a_training_on_kept_mels_is_the_same),
        cmocka_unit_test(a_manifest_trains_as_the_folder_does),
    };
    return cmocka_run_group_tests(tests, write_torn, remove_torn);
}
