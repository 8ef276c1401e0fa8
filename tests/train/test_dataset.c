/* Folders of samples: reading, what is missing, batches, decoded pictures and sounds. */
#include "io/npy.h"
#include "io/picture.h"
#include "io/sound.h"
#include "sound/mel.h"
#include "train/dataset.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <math.h>
#include <unistd.h>
/* which needs cmocka's assertions */
#include "temporary.h"

static int set_up(void **state) {
    *state = make_temporary();
    return 0;
}

static int tear_down(void **state) {
    remove_folder(*state);
    free(*state);
    return 0;
}

static void put_pairs(const char *folder, const char *lines) {
    put_file(folder, "pairs.jsonl", lines, strlen(lines));
}

static void put_array(const char *folder, const char *name, chl_desc desc, const float *data) {
    char *path = in_folder(folder, name);
    assert_int_equal(chl_npy_write(path, &desc, data), CHL_OK);
    free(path);
}

static chl_dataset *open_data(const char *folder, unsigned need) {
    chl_dataset *data;
    if (chl_dataset_open(folder, need, &data) != CHL_OK) fail_msg("%s", chl_error());
    return data;
}

/* --- lines ------------------------------------------------------------------------------------ */
static void lines_become_samples(void **state) {
    const char *folder = *state;
    put_pairs(
        folder,
        "{\"sound\": \"sounds/a.wav\", \"picture\": \"/b.png\", \"label\": \"heavy rain\","
        " \"caption\": \"regen \\u00fcber h\\u00fcgeln\", \"kind\": \"rain\","
        " \"strength\": 0.8, \"level_db\": -20.5, \"algorithm\": 2, \"time\": 0, \"season\": 2, "
        "\"house\": 1}\n"
        "\n"
        "{\"label\": \"wind\", \"kind\": \"wind\", \"source\": \"mine\", \"unknown\": [1]}\r\n"
        "{\"label\": \"heavy rain\", \"kind\": null}");
    chl_dataset *data = open_data(folder, 0);
    assert_int_equal(data->count, 3);
    const chl_sample *s = data->sample;
    char *sound = in_folder(folder, "sounds/a.wav");
    assert_string_equal(s[0].sound, sound);
    assert_string_equal(s[0].picture, "/b.png");
    assert_string_equal(s[0].caption, "regen \xc3\xbc"
                                      "ber h\xc3\xbcgeln");
    assert_true(s[0].strength == 0.8f);
    assert_true(s[0].level_db == -20.5f && isnan(s[1].level_db));
    assert_null(s[1].sound);
    assert_null(s[1].caption);
    assert_true(s[1].strength == 1);
    assert_true(s[0].line == 1 && s[1].line == 3 && s[2].line == 4);
    assert_int_equal(data->labels, 2);
    assert_true(s[0].label_id == 0 && s[1].label_id == 1 && s[2].label_id == 0);
    assert_int_equal(data->kinds, 2);
    assert_true(s[0].kind_id == 0 && s[1].kind_id == 1 && s[2].kind_id == -1);
    assert_string_equal(data->kind_name[1], "wind");
    assert_int_equal(data->sources, 1);
    assert_true(s[0].source_id == -1 && s[1].source_id == 0 && s[2].source_id == -1);
    assert_int_equal(data->groups, 3); /* rain, wind, and the label heavy rain that has no kind */
    assert_true(s[0].group_id == 0 && s[1].group_id == 1 && s[2].group_id == 2);
    assert_true(s[0].strength_given && !s[1].strength_given);
    assert_null(data->latents);
    assert_null(data->texture);
    free(sound);
    chl_dataset_free(data);
}

static void assert_refused(const char *folder, unsigned need, chl_status code, const char *text) {
    chl_dataset *data;
    assert_int_equal(chl_dataset_open(folder, need, &data), code);
    assert_null(data);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" is not in: %s", text, chl_error());
}

static void errors_name_file_line_and_key(void **state) {
    const char *folder = *state;
    assert_refused(folder, 0, CHL_ERR_FORMAT, "must be a folder with pairs.jsonl");
    put_pairs(folder, "\n \n");
    assert_refused(folder, 0, CHL_ERR_FORMAT, "no samples");
    static const struct {
        const char *line, *text;
        unsigned need;
        chl_status code;
    } cases[] = {
        {"{\"label\": ", "pairs.jsonl line 2", 0, CHL_ERR_FORMAT},
        {"[1]", "line 2 is not a JSON object", 0, CHL_ERR_FORMAT},
        {"{\"label\": 3}", "line 2: \"label\" is not a text", 0, CHL_ERR_FORMAT},
        {"{\"strength\": \"much\"}", "line 2: \"strength\"", 0, CHL_ERR_FORMAT},
        {"{\"level_db\": 3}", "line 2: \"level_db\" must be a number of decibels in [-200, 0]", 0,
         CHL_ERR_FORMAT},
        {"{\"level_db\": \"loud\"}", "line 2: \"level_db\"", 0, CHL_ERR_FORMAT},
        {"{\"kind\": \"a\", \"kind\": \"b\"}", "line 2", 0, CHL_ERR_FORMAT},
        {"{}", "line 2: \"label\" is missing", CHL_NEED_LABEL, CHL_ERR_KEY},
        {"{\"label\": \"x\"}", "line 2: \"caption\"", CHL_NEED_CAPTION, CHL_ERR_KEY},
        {"{\"label\": \"x\"}", "line 2: \"picture\"", CHL_NEED_PICTURE, CHL_ERR_KEY},
        {"{\"label\": \"x\"}", "line 2: \"kind\"", CHL_NEED_KIND, CHL_ERR_KEY},
        {"{\"sound\": \"gone.wav\"}", "gone.wav", CHL_NEED_SOUND, CHL_ERR_IO},
    };
    put_file(folder, "there.wav", "x", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char lines[600];
        snprintf(lines, sizeof lines,
                 "{\"label\": \"a\", \"caption\": \"b\", \"kind\": \"c\", \"picture\": "
                 "\"there.wav\", \"sound\": "
                 "\"there.wav\"}\n%s\n",
                 cases[i].line);
        put_pairs(folder, lines);
        assert_refused(folder, cases[i].need, cases[i].code, cases[i].text);
    }
}

/* --- classes ---------------------------------------------------------------------------------- */
static void classes_are_columns_by_key(void **state) {
    const char *folder = *state;
    enum { MANY = 3000 }; /* more than a column begins with */
    put_pairs(folder, "{\"time\": 2, \"house\": 0}\n\n{\"colour\": \"red\", \"time\": 3}\n"
                      "{\"time\": 0, \"late\": 7}\n");
    chl_dataset *data = open_data(folder, 0);
    const int *time = chl_dataset_classes(data, "time"), *late = chl_dataset_classes(data, "late");
    assert_true(time[0] == 2 && time[1] == 3 && time[2] == 0);
    assert_true(late[0] < 0 && late[1] < 0 && late[2] == 7);
    assert_true(chl_dataset_classes(data, "house")[2] < 0);
    assert_null(chl_dataset_classes(data, "colour"));
    assert_null(chl_dataset_classes(data, "none"));
    chl_dataset_free(data);
    char *lines = calloc(MANY, 16);
    for (int i = 0, at = 0; i < MANY; i++) at += sprintf(lines + at, "{\"n\": %d}\n", i);
    put_pairs(folder, lines);
    data = open_data(folder, 0);
    for (int i = 0; i < MANY; i++) assert_int_equal(chl_dataset_classes(data, "n")[i], i);
    chl_dataset_free(data);
    free(lines);
}

static void missing_and_impossible_classes_are_refused_by_line(void **state) {
    const char *folder = *state;
    static const struct {
        const char *line, *text;
        int classes;
        chl_status code;
    } cases[] = {
        {"{\"time\": 3}", NULL, 4, CHL_OK},
        {"{\"time\": 2147483647}", NULL, 0, CHL_OK},
        {"{}", "line 3: the whole number \"time\" is missing", 4, CHL_ERR_KEY},
        {"{\"time\": null}", "\"time\" is missing", 4, CHL_ERR_KEY},
        {"{\"time\": -1}", "line 3: \"time\" must be a whole number", 0, CHL_ERR_FORMAT},
        {"{\"time\": 1.5}", "\"time\" must be a whole number", 0, CHL_ERR_FORMAT},
        {"{\"time\": 3000000000}", "\"time\" must be a whole number", 0, CHL_ERR_FORMAT},
        {"{\"time\": 4}", "line 3: \"time\" must be 0 to 3, got 4", 4, CHL_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char lines[100];
        snprintf(lines, sizeof lines, "{\"time\": 0}\n\n%s\n", cases[i].line);
        put_pairs(folder, lines);
        chl_dataset *data = open_data(folder, 0);
        const int *time;
        assert_int_equal(chl_dataset_require_classes(data, "time", cases[i].classes, &time),
                         cases[i].code);
        if (cases[i].text && !strstr(chl_error(), cases[i].text))
            fail_msg("\"%s\" is not in: %s", cases[i].text, chl_error());
        assert_int_equal(time[0], 0);
        chl_dataset_free(data);
    }
}

/* --- splits ----------------------------------------------------------------------------------- */
static void expect_split(const char *path, const char *split, const char *labels) {
    chl_dataset *data;
    char got[16] = "";
    if (chl_dataset_open_chosen(path, 0, &(chl_dataset_choice){.split = split}, &data) != CHL_OK)
        fail_msg("%s", chl_error());
    for (int64_t i = 0; i < data->count; i++) {
        strcat(got, data->sample[i].label);
        if (data->latents) assert_true(data->latents[2 * i] == (float)(got[i] - 'a'));
        if (data->latents) assert_true(data->latents[2 * i + 1] == (float)(got[i] - 'a') / 2);
    }
    assert_string_equal(got, labels);
    chl_dataset_free(data);
}

static void refuse_split(const char *path, const char *split, chl_status code, const char *text) {
    chl_dataset *data;
    const chl_dataset_choice choice = {.split = split};
    assert_int_equal(chl_dataset_open_chosen(path, 0, &choice, &data), code);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" is not in: %s", text, chl_error());
}

/* Of the folder and of a manifest; the arrays' rows stay with their lines. */
static void lines_of_chosen_splits_are_the_samples(void **state) {
    const char *folder = *state;
    const float rows[] = {0, 0, 1, 0.5f, 2, 1, 3, 1.5f, 4, 2};
    const char lines[] = "{\"label\": \"a\", \"split\": \"train\"}\n\n"
                         "{\"label\": \"b\", \"fold\": 1}\n{\"label\": \"c\"}\n"
                         "{\"label\": \"d\", \"split\": \"test\"}\n"
                         "{\"label\": \"e\", \"fold\": \"2\"}\n";
    char *manifest = in_folder(folder, "list.jsonl");
    put_pairs(folder, lines);
    put_file(folder, "list.jsonl", lines, strlen(lines));
    for (int with = 0; with < 2; with++) {
        expect_split(manifest, NULL, "abcde");
        expect_split(folder, "test", "d");
        expect_split(manifest, "train,test", "ad");
        expect_split(folder, "1,2", "be");
        put_array(folder, "latents.npy", chl_f32(2, 5, 2), rows);
    }
    put_pairs(folder, "{\"label\": \"a\", \"split\": \"train\", \"fold\": 1}\n"
                      "{\"label\": \"b\", \"split\": \"train\", \"fold\": \"2\"}\n"
                      "{\"label\": \"c\", \"split\": null, \"fold\": 2}\n"
                      "{\"label\": \"d\", \"split\": \"test\"}\n{\"label\": \"e\"}\n");
    expect_split(folder, "train", "ab");
    expect_split(folder, "2", "bc");
    expect_split(folder, "1,test", "ad");
    refuse_split(folder, "valid", CHL_ERR_FORMAT, "names no sound of the chosen ones");
    put_array(folder, "latents.npy", chl_f32(2, 1, 2), rows);
    refuse_split(folder, "test", CHL_ERR_SHAPE, "1 rows for the 5 samples");
    put_file(folder, "list.jsonl", "{}\n{}\n", 6);
    refuse_split(manifest, "test", CHL_ERR_ARGUMENT, "split must be left out for ");
    refuse_split(manifest, "test", CHL_ERR_ARGUMENT,
                 ", got \"test\": none of its lines has \"split\"");
    put_file(folder, "list.jsonl", "{\"fold\": 1.5}\n", 14);
    refuse_split(manifest, NULL, CHL_ERR_FORMAT, "line 1: \"fold\" is neither a text nor a whole");
    free(manifest);
}

/* --- arrays ----------------------------------------------------------------------------------- */
static void arrays_belong_to_the_lines(void **state) {
    const char *folder = *state;
    float numbers[12];
    for (int i = 0; i < 12; i++) numbers[i] = (float)i / 7;
    put_pairs(folder, "{}\n{}\n{}\n");
    assert_refused(folder, CHL_NEED_LATENT, CHL_ERR_IO, "latents.npy is missing");
    put_array(folder, "latents.npy", chl_f32(2, 3, 4), numbers);
    put_array(folder, "textures.npy", chl_f32(3, 3, 2, 2), numbers);
    chl_dataset *data = open_data(folder, CHL_NEED_LATENT);
    assert_int_equal(data->latent, 4);
    assert_int_equal(data->textures, 3);
    assert_int_equal(data->texture_side, 2);
    assert_memory_equal(data->latents, numbers, sizeof numbers);
    assert_memory_equal(data->texture, numbers, sizeof numbers);
    chl_dataset_free(data);
    put_array(folder, "textures.npy", chl_f32(3, 3, 4, 1), numbers);
    assert_refused(folder, 0, CHL_ERR_SHAPE, "textures.npy");
    put_array(folder, "textures.npy", chl_f32(2, 3, 4), numbers);
    assert_refused(folder, 0, CHL_ERR_SHAPE, "[3,4]");
    put_array(folder, "latents.npy", chl_f32(2, 4, 3), numbers);
    assert_refused(folder, 0, CHL_ERR_SHAPE, "4 rows for the 3 samples");
    numbers[5] = NAN;
    put_array(folder, "latents.npy", chl_f32(2, 3, 4), numbers);
    assert_refused(folder, 0, CHL_ERR_NUMERIC, "element 5");
    put_file(folder, "latents.npy", "no array", 8);
    assert_refused(folder, 0, CHL_ERR_FORMAT, "latents.npy");
}

/* --- batches ---------------------------------------------------------------------------------- */
enum { COUNT = 23, BATCH = 5, AN_EPOCH = COUNT / BATCH };

static void read_epoch(chl_dataset *data, uint64_t seed, int64_t epoch,
                       int64_t order[AN_EPOCH * BATCH]) {
    for (int i = 0; i < AN_EPOCH; i++)
        assert_int_equal(
            chl_dataset_batch(data, seed, epoch * AN_EPOCH + i, BATCH, order + i * BATCH), CHL_OK);
}

static void batches_are_permutations(void **state) {
    const char *folder = *state;
    char lines[COUNT * 3 + 1] = "";
    for (int i = 0; i < COUNT; i++) strcat(lines, "{}\n");
    put_pairs(folder, lines);
    chl_dataset *data = open_data(folder, 0);
    int64_t order[AN_EPOCH * BATCH], other[AN_EPOCH * BATCH];
    int seen[COUNT] = {0}, first[COUNT] = {0};
    for (int64_t epoch = 0; epoch < 400; epoch++) {
        bool in[COUNT] = {false};
        read_epoch(data, 9, epoch, order);
        for (int i = 0; i < AN_EPOCH * BATCH; i++) {
            assert_true(order[i] >= 0 && order[i] < COUNT && !in[order[i]]);
            in[order[i]] = true;
            seen[order[i]]++;
        }
        first[order[0]]++;
    }
    /* each is left out of 3/23 of the epochs: 348 of 400, deviation 6.8; first in 17.4, dev. 4.1 */
    for (int i = 0; i < COUNT; i++) {
        assert_true(abs(seen[i] - 348) < 35);
        assert_true(first[i] > 0 && first[i] < 40);
    }
    read_epoch(data, 9, 0, order);
    read_epoch(data, 9, 0, other);
    assert_memory_equal(order, other, sizeof order);
    read_epoch(data, 9, 1, other);
    assert_memory_not_equal(order, other, sizeof order);
    read_epoch(data, 10, 0, other);
    assert_memory_not_equal(order, other, sizeof order);
    read_epoch(data, 9, 0, other); /* back, after an epoch of another seed */
    assert_memory_equal(order, other, sizeof order);
    int64_t all[COUNT];
    assert_int_equal(chl_dataset_batch(data, 1, 0, COUNT, all), CHL_OK);
    assert_int_equal(chl_dataset_batch(data, 1, 0, COUNT + 1, all), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "24"));
    assert_int_equal(chl_dataset_batch(data, 1, 0, 0, all), CHL_ERR_ARGUMENT);
    chl_dataset_free(data);
}

/* --- what has no lines ------------------------------------------------------------------------ */
static void a_folder_of_files_is_told_by_the_file(void **state) {
    const char *folder = *state;
    char *link = in_folder(folder, "a.png");
    chl_dataset *data;
    put_file(folder, "b.png", "x", 1);
    assert_refused(folder, CHL_NEED_LABEL, CHL_ERR_KEY,
                   "/b.png: a label is missing, which is needed here");
    assert_int_equal(symlink("gone.png", link), 0);
    assert_refused(folder, CHL_NEED_PICTURE, CHL_ERR_FORMAT, "1 of 2 samples are missing");
    assert_non_null(strstr(chl_error(), link));
    assert_refused(folder, CHL_NEED_LABEL, CHL_ERR_KEY, ": a label is missing");
    const chl_dataset_choice half = {.tolerate = 0.5};
    assert_int_equal(chl_dataset_open_chosen(folder, CHL_NEED_PICTURE, &half, &data), CHL_OK);
    assert_int_equal(data->count, 1);
    chl_dataset_free(data);
    free(link);
}

/* --- pictures and sounds ---------------------------------------------------------------------- */
/* 6 x 10: a red square of side 6 between blue borders of 2 */
static void put_picture(const char *folder) {
    uint8_t rgb[6 * 10 * 3] = {0};
    for (int i = 0; i < 60; i++) rgb[3 * i + (i % 10 >= 2 && i % 10 < 8 ? 0 : 2)] = 200;
    char *path = in_folder(folder, "p.png");
    chl_status status = chl_raster_write_png(path, 6, 10, rgb);
    free(path);
    if (status == CHL_ERR_UNSUPPORTED) skip();
    assert_int_equal(status, CHL_OK);
}

static void pictures_are_cropped_resized_and_kept(void **state) {
    const char *folder = *state;
    put_picture(folder);
    put_pairs(folder, "{\"picture\": \"p.png\"}\n{\"picture\": \"broken.png\"}\n{}\n");
    chl_dataset *data = open_data(folder, 0);
    const uint8_t *six, *three, *again;
    assert_int_equal(chl_dataset_picture(data, 0, 6, &six), CHL_OK);
    assert_int_equal(chl_dataset_picture(data, 0, 3, &three), CHL_OK);
    for (int i = 0; i < 36; i++)
        assert_true(six[3 * i] == 200 && six[3 * i + 1] == 0 && six[3 * i + 2] == 0);
    assert_ptr_not_equal(six, three);
    for (int i = 0; i < 9; i++)
        assert_true(three[3 * i] == 200 && three[3 * i + 1] == 0 && three[3 * i + 2] == 0);
    assert_int_equal(chl_dataset_picture(data, 0, 6, &again), CHL_OK);
    assert_ptr_equal(six, again);
    put_file(folder, "broken.png", "PNG?", 4);
    assert_int_not_equal(chl_dataset_picture(data, 1, 6, &again), CHL_OK);
    assert_non_null(strstr(chl_error(), "broken.png"));
    assert_int_equal(chl_dataset_picture(data, 2, 6, &again), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "sample 2"));
    assert_int_equal(chl_dataset_picture(data, 3, 6, &again), CHL_ERR_ARGUMENT);
    chl_dataset_free(data);
}

static float *tone(int samples, float pitch) {
    float *wave = malloc(sizeof *wave * (size_t)samples);
    for (int i = 0; i < samples; i++) wave[i] = 0.5f * sinf(pitch * (float)i);
    return wave;
}

/* as a sound's file gives it, read alone */
static void expect_mel(const char *path, const float *mel, int64_t frames) {
    float *wave, *want;
    int64_t samples, want_frames;
    assert_int_equal(chl_sound_load(path, &wave, &samples), CHL_OK);
    assert_int_equal(
        chl_mel_whole(chl_device_cpu(), wave, samples, CHL_MEL_ABSOLUTE, &want, &want_frames),
        CHL_OK);
    assert_int_equal(frames, want_frames);
    assert_memory_equal(mel, want, (size_t)frames * CHL_MEL_BANDS * sizeof(float));
    free(wave);
    free(want);
}

static void sounds_become_mels_and_are_kept(void **state) {
    const char *folder = *state;
    enum { SOUNDS = 5 };
    char *path[SOUNDS], lines[512] = "";
    for (int i = 0; i < SOUNDS; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d.wav", i);
        path[i] = in_folder(folder, name);
        float *wave = tone(30000 + 7000 * i, 0.06f * (float)(i + 1));
        const chl_status status = chl_sound_write(path[i], wave, 30000 + 7000 * i);
        free(wave);
        if (status == CHL_ERR_UNSUPPORTED) skip();
        assert_int_equal(status, CHL_OK);
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "{\"sound\": \"%s\"}\n",
                 name);
    }
    strcat(lines, "{}\n{\"sound\": \"none.wav\"}\n");
    put_pairs(folder, lines);
    chl_dataset *data = open_data(folder, 0);
    const int64_t index[] = {3, 0, 2, 3, 1, 4}; /* one twice */
    const float *mel[6], *again[6];
    int64_t frames[6];
    assert_int_equal(chl_dataset_mels(data, 6, index, mel, frames), CHL_OK);
    for (int i = 0; i < 6; i++) expect_mel(path[index[i]], mel[i], frames[i]);
    assert_int_equal(frames[1], chl_mel_frames_of(30000));
    assert_int_equal(chl_dataset_mels(data, 6, index, again, frames), CHL_OK);
    assert_memory_equal(mel, again, sizeof mel);
    const int64_t silent[] = {0, SOUNDS}, lost[] = {1, SOUNDS + 1};
    assert_int_equal(chl_dataset_mels(data, 2, silent, again, frames), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_dataset_mels(data, 2, lost, again, frames), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "none.wav"));
    for (int i = 0; i < SOUNDS; i++) free(path[i]);
    chl_dataset_free(data);
}

/* Of each tenth of the list a tenth of any first part, but for eight; the whole visits each once. */
static void any_first_part_of_a_spread_lies_all_over_the_list(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 2, 10, 97, 1000, 8000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const int64_t count = counts[c];
        char seen[8000] = {0};
        int64_t tenth[10] = {0};
        for (int64_t k = 0; k < count; k++) {
            const int64_t at = chl_dataset_spread(count, k);
            assert_in_range(at, 0, count - 1);
            assert_false(seen[at]);
            seen[at] = 1;
            tenth[at * 10 / count]++;
            for (int i = 0; count >= 1000 && i < 10; i++)
                assert_true(llabs(10 * tenth[i] - k - 1) <= 80);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(lines_become_samples),
        TEST(errors_name_file_line_and_key),
        TEST(classes_are_columns_by_key),
        TEST(missing_and_impossible_classes_are_refused_by_line),
        TEST(lines_of_chosen_splits_are_the_samples),
        TEST(arrays_belong_to_the_lines),
        TEST(batches_are_permutations),
        TEST(any_first_part_of_a_spread_lies_all_over_the_list),
        TEST(a_folder_of_files_is_told_by_the_file),
        TEST(pictures_are_cropped_resized_and_kept),
        TEST(sounds_become_mels_and_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
