/* Every container gives the same names and numbers. The fixtures are made by
 * tests/fixtures/make_weights.py; the numbers here are written independently, by hand. */
#include "io/safetensors.h"
#include "io/weights.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE(name) CHLADNI_FIXTURES "/weights/" name
#define DIMS(...)                                                                                  \
    (const int64_t[]) {                                                                            \
        __VA_ARGS__                                                                                \
    }
#define FLOATS(...)                                                                                \
    (const float[]) {                                                                              \
        __VA_ARGS__                                                                                \
    }
#define INTS(...)                                                                                  \
    (const int32_t[]) {                                                                            \
        __VA_ARGS__                                                                                \
    }

static chl_params *read_fixture(const char *path) {
    chl_params *params;
    if (chl_weights_read(path, &params) != CHL_OK) fail_msg("%s", chl_error());
    return params;
}

static const void *expect(const chl_params *params, const char *name, chl_dtype dtype, int rank,
                          const int64_t *dim) {
    const chl_array *array = chl_params_find(params, name);
    if (!array) fail_msg("%s lacks \"%s\"", params->source, name);
    assert_int_equal(array->desc.dtype, dtype);
    assert_int_equal(array->desc.rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(array->desc.dim[i], dim[i]);
    assert_int_equal((uintptr_t)array->data % 64, 0);
    assert_false(array->used);
    return array->data;
}

static void expect_floats(const chl_params *params, const char *name, int rank, const int64_t *dim,
                          const float *wanted) {
    const float *data = expect(params, name, CHL_F32, rank, dim);
    int64_t count = chl_count(&chl_params_find(params, name)->desc);
    for (int64_t i = 0; i < count; i++)
        if (data[i] != wanted[i])
            fail_msg("%s: \"%s\"[%lld] is %.9g, not %.9g", params->source, name, (long long)i,
                     (double)data[i], (double)wanted[i]);
}

static void expect_integers(const chl_params *params, const char *name, int rank,
                            const int64_t *dim, const int32_t *wanted) {
    const int32_t *data = expect(params, name, CHL_I32, rank, dim);
    int64_t count = chl_count(&chl_params_find(params, name)->desc);
    for (int64_t i = 0; i < count; i++) assert_int_equal(data[i], wanted[i]);
}

static void expect_state(const chl_params *p) {
    assert_int_equal(p->count, 12);
    expect_floats(p, "layer.weight", 2, DIMS(2, 3), FLOATS(-1, -0.5f, 0, 0.5f, 1, 1.5f));
    expect_floats(p, "layer.bias", 1, DIMS(3), FLOATS(0.25f, -0.5f, 1e-3f));
    expect_floats(p, "half", 1, DIMS(5), FLOATS(1, -2, 0x1p-14f, 0x1p-24f, -INFINITY));
    expect_floats(p, "brain", 1, DIMS(2), FLOATS(1.5f, -3.140625f));
    expect_floats(p, "double", 1, DIMS(1), FLOATS(0.1f));
    expect_integers(p, "index", 2, DIMS(2, 2), INTS(1, -2, 3, 2147483647));
    expect_integers(p, "short", 1, DIMS(2), INTS(-300, 300));
    expect_integers(p, "count", 0, NULL, INTS(7));
    expect_integers(p, "mask", 1, DIMS(3), INTS(1, 0, 1));
    expect_integers(p, "bytes", 1, DIMS(2), INTS(0, 255));
    expect_integers(p, "signed", 1, DIMS(2), INTS(-128, 127));
    expect_floats(p, "empty", 2, DIMS(0, 3), NULL);
}

static void every_container_gives_the_same_arrays(void **unused) {
    (void)unused;
    static const char *const files[] = {FIXTURE("state.safetensors"), FIXTURE("state_zip.pt"),
                                        FIXTURE("state_zip64.pt"), FIXTURE("state_legacy.pt")};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        chl_params *p = read_fixture(files[i]);
        expect_state(p);
        chl_params_free(p);
    }
}

/* Transposed, offset and shared tensors become row-major arrays. */
static void strided_and_shared_tensors_come_out_row_major(void **unused) {
    (void)unused;
    static const char *const files[] = {FIXTURE("strided_zip.pt"), FIXTURE("strided_legacy.pt")};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        chl_params *p = read_fixture(files[i]);
        assert_int_equal(p->count, 6);
        expect_floats(p, "transposed", 2, DIMS(3, 2), FLOATS(0, 3, 1, 4, 2, 5));
        expect_floats(p, "window", 2, DIMS(2, 2), FLOATS(17, 18, 21, 22));
        float permuted[24];
        for (int a = 0; a < 4; a++)
            for (int b = 0; b < 6; b++) permuted[6 * a + b] = (float)(4 * b + a);
        expect_floats(p, "permuted", 3, DIMS(4, 2, 3), permuted);
        expect_floats(p, "column", 1, DIMS(3), FLOATS(2, 6, 10));
        expect_floats(p, "tied", 1, DIMS(2), FLOATS(4, 5));
        expect_floats(p, "parameter", 1, DIMS(2), FLOATS(1, 2));
        chl_params_free(p);
    }
}

static void expect_net(const chl_params *p) {
    expect_floats(p, "scale", 0, NULL, FLOATS(2.5f));
    expect_integers(p, "input_resolution", 0, NULL, INTS(224));
    expect_floats(p, "fc.weight", 2, DIMS(2, 3), FLOATS(0, 1, 2, 3, 4, 5));
    expect_floats(p, "fc.bias", 1, DIMS(2), FLOATS(-1, -2));
    expect_floats(p, "blocks.0.weight", 2, DIMS(1, 2), FLOATS(0.5f, 0.75f));
}

/* A TorchScript archive lists every tensor of its objects; a pickled module only what it would
 * save. */
static void archives_list_every_tensor_and_modules_what_they_save(void **unused) {
    (void)unused;
    chl_params *p = read_fixture(FIXTURE("script.pt"));
    assert_int_equal(p->count, 6);
    expect_net(p);
    expect_floats(p, "scratch", 1, DIMS(3), FLOATS(1, 1, 1));
    chl_params_free(p);
    p = read_fixture(FIXTURE("module.pt"));
    assert_int_equal(p->count, 5);
    expect_net(p);
    chl_params_free(p);
}

static void nvidia_pickles_give_the_averaged_generator(void **unused) {
    (void)unused;
    /* protocol 2 has no byte strings: people save pickles again with it */
    static const char *const files[] = {FIXTURE("nvidia_2.pkl"), FIXTURE("nvidia_3.pkl"),
                                        FIXTURE("nvidia_4.pkl")};
    float ramp[36];
    for (int i = 0; i < 36; i++) ramp[i] = (float)i;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        chl_params *p = read_fixture(files[i]);
        assert_int_equal(p->count, 10);
        expect_floats(p, "mapping.fc0.weight", 2, DIMS(3, 3), ramp);
        expect_floats(p, "mapping.fc0.bias", 1, DIMS(3), FLOATS(1, 2, 3));
        expect_floats(p, "mapping.w_avg", 1, DIMS(3), FLOATS(-1, 0, 1));
        expect_floats(p, "synthesis.b4.const", 3, DIMS(2, 4, 4), ramp);
        expect_floats(p, "synthesis.b4.conv1.weight", 4, DIMS(2, 2, 3, 3), ramp);
        expect_floats(p, "synthesis.b4.conv1.noise_const", 2, DIMS(4, 4), ramp);
        expect_floats(p, "synthesis.b4.conv1.noise_strength", 0, NULL, FLOATS(0));
        expect_floats(p, "synthesis.b4.conv1.affine.bias", 1, DIMS(2), FLOATS(1, 1));
        expect_floats(p, "synthesis.b4.conv1.resample_filter", 1, DIMS(4),
                      FLOATS(0.125f, 0.375f, 0.375f, 0.125f));
        chl_params_free(p);
    }
}

static void wrapped_state_is_unwrapped(void **unused) {
    (void)unused;
    chl_params *p = read_fixture(FIXTURE("training.pt"));
    assert_int_equal(p->count, 3);
    expect_floats(p, "w", 1, DIMS(4), FLOATS(0, 1, 2, 3));
    expect_floats(p, "noises.noise_0", 1, DIMS(1), FLOATS(0));
    expect_floats(p, "latent_avg", 1, DIMS(2), FLOATS(9, 8));
    chl_params_free(p);

    p = read_fixture(FIXTURE("e4e.pt"));
    assert_int_equal(p->count, 3);
    expect_floats(p, "encoder.w", 1, DIMS(4), FLOATS(0, 1, 2, 3));
    expect_floats(p, "decoder.w", 1, DIMS(4), FLOATS(1, 2, 3, 4));
    expect_floats(p, "latent_avg", 2, DIMS(3, 2), FLOATS(0, 1, 2, 3, 4, 5));
    chl_params_free(p);

    p = read_fixture(FIXTURE("numbers.pt"));
    assert_int_equal(p->count, 4);
    expect_integers(p, "steps", 0, NULL, INTS(12));
    expect_floats(p, "rate", 0, NULL, FLOATS(0.5f));
    expect_integers(p, "on", 0, NULL, INTS(1));
    chl_params_free(p);

    p = read_fixture(FIXTURE("bare.pt"));
    assert_int_equal(p->count, 1);
    expect_floats(p, "array", 2, DIMS(2, 3), FLOATS(0, 1, 2, 3, 4, 5));
    chl_params_free(p);
}

/* Numbers in the short forms of protocol 2, and a safetensors header whose length, 640, starts with
 * the two bytes of a protocol 2 pickle. */
static void short_forms_of_pickle_numbers_are_read(void **unused) {
    (void)unused;
    static const char pickle[] = "\x80\x02}(U\1a\x8a\x02\0\xffU\1bJ\xfe\xff\xff\xffU\1cI-7\n"
                                 "U\1d\x8a\0U\1eG\xbf\xf8\0\0\0\0\0\0U\1fF0.25\nU\1gI01\nu.";
    chl_params *p;
    assert_int_equal(chl_params_new("memory", &p), CHL_OK);
    if (chl_weights_parse((const uint8_t *)pickle, sizeof pickle - 1, "memory", p) != CHL_OK)
        fail_msg("%s", chl_error());
    expect_integers(p, "a", 0, NULL, INTS(-256));
    expect_integers(p, "b", 0, NULL, INTS(-2));
    expect_integers(p, "c", 0, NULL, INTS(-7));
    expect_integers(p, "d", 0, NULL, INTS(0));
    expect_floats(p, "e", 0, NULL, FLOATS(-1.5f));
    expect_floats(p, "f", 0, NULL, FLOATS(0.25f));
    expect_integers(p, "g", 0, NULL, INTS(1));
    chl_params_free(p);

    uint8_t file[8 + 640 + 4] = {0x80, 0x02};
    static const char header[] = "{\"x\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    memset(file + 8, ' ', 640);
    memcpy(file + 8, header, sizeof header - 1);
    file[8 + 640] = 5;
    assert_int_equal(chl_params_new("memory", &p), CHL_OK);
    if (chl_weights_parse(file, sizeof file, "memory", p) != CHL_OK) fail_msg("%s", chl_error());
    expect_integers(p, "x", 1, DIMS(1), INTS(5));
    chl_params_free(p);
}

/* Arrays of types that no network here uses stop nobody who does not need them. */
static void an_array_that_cannot_be_read_stops_only_who_needs_it(void **unused) {
    (void)unused;
    static const struct {
        const char *name, *why;
    } problems[] = {{"step", "integers beyond 32 bits"},
                    {"mask", "expanded view"},
                    {"spectrum", "ComplexFloatStorage"},
                    {"deep", "has rank 7"},
                    {"quantised", "quantised, sparse or otherwise special"}};
    chl_params *p = read_fixture(FIXTURE("unreadable.pt"));
    assert_int_equal(p->count, 6);
    expect_floats(p, "w", 1, DIMS(3), FLOATS(0, 1, 2));
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        assert_null(chl_params_find(p, problems[i].name));
        assert_non_null(strstr(chl_params_problem(p, problems[i].name), problems[i].why));
        assert_int_equal(chl_params_missing(p, problems[i].name), CHL_ERR_UNSUPPORTED);
        assert_non_null(strstr(chl_error(), problems[i].name));
    }
    assert_null(chl_params_problem(p, "w"));
    assert_int_equal(chl_params_missing(p, "v"), CHL_ERR_KEY);
    /* what is written must be whole */
    assert_int_equal(chl_safetensors_write(p, CHL_ELEMENT_F32, "/tmp/never"), CHL_ERR_UNSUPPORTED);
    chl_params_free(p);

    static const char header[] = "{\"a\":{\"dtype\":\"U16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                                 "\"b\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[4,8]},"
                                 "\"c\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1],"
                                 "\"data_offsets\":[8,9]}}";
    uint8_t file[8 + sizeof header - 1 + 9] = {sizeof header - 1};
    memcpy(file + 8, header, sizeof header - 1);
    assert_int_equal(chl_params_new("memory", &p), CHL_OK);
    if (chl_weights_parse(file, sizeof file, "memory", p) != CHL_OK) fail_msg("%s", chl_error());
    expect_integers(p, "b", 1, DIMS(1), INTS(0));
    assert_non_null(strstr(chl_params_problem(p, "a"), "element type"));
    assert_non_null(strstr(chl_params_problem(p, "c"), "more than 6 dimensions"));
    chl_params_free(p);
}

static void numbers_that_are_not_finite_are_found(void **unused) {
    (void)unused;
    static const float wrong[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (int length = 1; length < 70; length += 17)
        for (size_t i = 0; i < 4 * (size_t)length; i++) {
            chl_params *p;
            float *data;
            assert_int_equal(chl_params_new("w.pt", &p), CHL_OK);
            assert_int_equal(
                chl_params_add(p, "fc.bias",
                               (chl_desc){.dtype = CHL_F32, .rank = 1, .dim = {length}},
                               (void **)&data),
                CHL_OK);
            for (int k = 0; k < length; k++) data[k] = k % 2 ? FLT_MAX : -FLT_MIN / 2;
            assert_int_equal(chl_params_check_finite(p), CHL_OK);
            data[i / 4] = wrong[i % 4];
            assert_int_equal(chl_params_check_finite(p), CHL_ERR_NUMERIC);
            char place[64];
            snprintf(place, sizeof place, "number %zu of %d", i / 4 + 1, length);
            if (!strstr(chl_error(), "w.pt: \"fc.bias\"") || !strstr(chl_error(), place))
                fail_msg("%s", chl_error());
            chl_params_ignore_suffix(p, "bias"); /* known, and not needed */
            assert_int_equal(chl_params_check_all_used(p), CHL_OK);
            chl_params_free(p);
        }
}

static char folder[] = "/tmp/chladni-weights-XXXXXX";

static int make_folder(void **unused) {
    (void)unused;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **unused) {
    (void)unused;
    return rmdir(folder);
}

static int files_in_folder(void) {
    int count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; (entry = readdir(directory));) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* Every binary16 number is unchanged; a number between two is rounded to the nearer, a tie to the
 * even one. */
static void every_half_survives_and_others_round_to_nearest_even(void **unused) {
    (void)unused;
    for (uint32_t bits = 0; bits < 0x7C00; bits++) {
        const uint16_t pair[2] = {(uint16_t)bits, (uint16_t)(bits + 1)};
        const chl_view view = {CHL_ELEMENT_F16, 1, {2}, {1}, 0, (const uint8_t *)pair, sizeof pair};
        chl_params *p;
        assert_int_equal(chl_params_new("halves", &p), CHL_OK);
        assert_int_equal(chl_view_copy(&view, "pair", p), CHL_OK);
        const float *value = p->array[0].data;
        const float low = value[0], high = bits == 0x7BFF ? 65536 : value[1];
        const float middle = low + (high - low) / 2;
        assert_int_equal(chl_float_to_half(low), bits);
        assert_int_equal(chl_float_to_half(-low), bits | 0x8000);
        assert_int_equal(chl_float_to_half(nextafterf(middle, 0)), bits);
        assert_int_equal(chl_float_to_half(middle), bits + (bits & 1));
        assert_int_equal(chl_float_to_half(nextafterf(middle, INFINITY)), bits + 1);
        chl_params_free(p);
    }
    assert_int_equal(chl_float_to_half(1e30f), 0x7C00);
    assert_int_equal(chl_float_to_half(NAN) & 0x7E00, 0x7E00);
}

static void halves_are_written_or_refused_when_too_large(void **unused) {
    (void)unused;
    char path[64];
    snprintf(path, sizeof path, "%s/out.safetensors", folder);
    chl_params *p, *back;
    float *value;
    assert_int_equal(chl_params_new("made", &p), CHL_OK);
    assert_int_equal(chl_params_add(p, "x", (chl_desc){.dtype = CHL_F32, .rank = 1, .dim = {3}},
                                    (void **)&value),
                     CHL_OK);
    memcpy(value, (float[]){1, -0.1f, 65504}, 3 * sizeof *value);
    assert_int_equal(chl_safetensors_write(p, CHL_ELEMENT_F16, path), CHL_OK);
    back = read_fixture(path);
    const float *there = back->array[0].data;
    assert_true(there[0] == 1 && there[1] == -0x1.998p-4f && there[2] == 65504);
    chl_params_free(back);
    value[1] = 65536;
    assert_int_equal(chl_safetensors_write(p, CHL_ELEMENT_F16, path), CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "\"x\" has the value 65536"));
    assert_int_equal(files_in_folder(), 1);
    chl_params_free(p);
    unlink(path);
}

static void what_is_written_is_read_back_and_replaces_at_once(void **unused) {
    (void)unused;
    char path[64];
    snprintf(path, sizeof path, "%s/out.safetensors", folder);
    chl_params *p = read_fixture(FIXTURE("state_zip.pt")), *back;
    const char strange[] = "a \"quoted\" \\ back\xC3\xBC";
    assert_int_equal(chl_params_rename(p, "half", strange), CHL_OK);
    for (int round = 0; round < 2; round++) { /* the second replaces the first */
        assert_int_equal(chl_weights_write_safetensors(p, path), CHL_OK);
        assert_int_equal(files_in_folder(), 1);
        back = read_fixture(path);
        assert_int_equal(chl_params_rename(back, strange, "half"), CHL_OK);
        expect_state(back);
        assert_string_equal(back->array[0].name, p->array[0].name);
        chl_params_free(back);
    }
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    uint64_t header = 0;
    FILE *file = fopen(path, "rb");
    assert_int_equal(fread(&header, sizeof header, 1, file), 1);
    fclose(file);
    assert_int_equal(header % 8, 0);

    char missing[96];
    snprintf(missing, sizeof missing, "%s/no/such/folder.safetensors", folder);
    assert_int_equal(chl_weights_write_safetensors(p, missing), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "create it first"));
    assert_int_equal(chl_params_rename(p, "index", "__metadata__"), CHL_OK);
    assert_int_equal(chl_weights_write_safetensors(p, path), CHL_ERR_ARGUMENT);
    chl_params_free(p);
    assert_int_equal(files_in_folder(), 1);
    unlink(path);
}

static void refuse(const char *path, chl_status status, const char *words) {
    chl_params *params = (chl_params *)folder;
    chl_status got = chl_weights_read(path, &params);
    if (got != status || !strstr(chl_error(), words) || !strstr(chl_error(), path))
        fail_msg("%s: status %d, \"%s\"; wanted %d with \"%s\"", path, got, chl_error(), status,
                 words);
    assert_null(params);
}

static void refuse_content(const char *content, size_t size, chl_status status, const char *words) {
    char path[64];
    snprintf(path, sizeof path, "%s/content", folder);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(content, 1, size, file), size);
    fclose(file);
    refuse(path, status, words);
    unlink(path);
}

static void what_is_no_readable_file_is_refused_at_once(void **unused) {
    (void)unused;
    char path[64];
    refuse(FIXTURE("no-such-file.pt"), CHL_ERR_IO, "No such file");
    refuse(folder, CHL_ERR_IO, "is a directory");
    refuse_content("", 0, CHL_ERR_FORMAT, "is empty");
    refuse("/dev/null", CHL_ERR_IO, "not a regular file");
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(path, CHL_ERR_IO, "not a regular file"); /* at once, not when somebody writes to it */
    unlink(path);
    if (geteuid() == 0) return; /* root may read everything */
    snprintf(path, sizeof path, "%s/closed", folder);
    fclose(fopen(path, "wb"));
    chmod(path, 0);
    refuse(path, CHL_ERR_IO, "Permission denied");
    unlink(path);
}

/* --- shards ----------------------------------------------------------------------------------- */
static char *in_folder(const char *name) {
    static char path[4][96];
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", folder, name);
    return to;
}

static void write_shard(const char *name, const char *array, float value) {
    chl_params *p;
    float *data;
    assert_int_equal(chl_params_new("shard", &p), CHL_OK);
    assert_int_equal(chl_params_add(p, array, (chl_desc){.dtype = CHL_F32, .rank = 1, .dim = {1}},
                                    (void **)&data),
                     CHL_OK);
    *data = value;
    assert_int_equal(chl_weights_write_safetensors(p, in_folder(name)), CHL_OK);
    chl_params_free(p);
}

static void write_index(const char *text) {
    FILE *file = fopen(in_folder("model.safetensors.index.json"), "w");
    fputs(text, file);
    fclose(file);
}

static void shards_are_read_as_one_by_index_or_folder(void **unused) {
    (void)unused;
    const char *index = "model.safetensors.index.json";
    write_shard("model-1.safetensors", "a", 1);
    write_shard("model-2.safetensors", "b", 2);
    write_index("{\"metadata\":{\"total_size\":8},\"weight_map\":{\"b\":\"model-2.safetensors\","
                "\"a\":\"model-1.safetensors\"}}");
    for (int i = 0; i < 2; i++) {
        chl_params *p = read_fixture(i ? folder : in_folder(index));
        assert_int_equal(p->count, 2);
        expect_floats(p, "a", 1, DIMS(1), FLOATS(1));
        expect_floats(p, "b", 1, DIMS(1), FLOATS(2));
        chl_params_free(p);
    }
    write_index("{\"weight_map\":{\"c\":\"model-2.safetensors\"}}");
    refuse(in_folder(index), CHL_ERR_KEY, "\"c\" is not in model-2.safetensors");
    write_index("{\"weight_map\":{\"a\":\"../x.safetensors\"}}");
    refuse(in_folder(index), CHL_ERR_FORMAT, "beside the index");
    write_index("{\"weight_map\":{\"a\":7}}");
    refuse(in_folder(index), CHL_ERR_FORMAT, "beside the index");
    write_index("{\"weight_map\":{}}");
    refuse(in_folder(index), CHL_ERR_FORMAT, "is empty");
    write_index("{\"weight_map\":[");
    refuse(in_folder(index), CHL_ERR_FORMAT, "is no index of shards");
    write_index("{\"weight_map\":{\"a\":\"model-3.safetensors\"}}");
    chl_params *none;
    assert_int_equal(chl_weights_read(in_folder(index), &none), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "model-3.safetensors"));
    unlink(in_folder(index));
    unlink(in_folder("model-1.safetensors"));
    unlink(in_folder("model-2.safetensors"));
    write_shard("model.safetensors", "a", 3);
    chl_params *p = read_fixture(folder);
    expect_floats(p, "a", 1, DIMS(1), FLOATS(3));
    chl_params_free(p);
    unlink(in_folder("model.safetensors"));
}

static void other_kinds_of_files_are_named(void **unused) {
    (void)unused;
    char tar[512] = "model";
    memcpy(tar + 257, "ustar", 5);
#define REFUSE(text, status, words) refuse_content(text, sizeof text - 1, status, words)
    REFUSE("<!DOCTYPE html><html>", CHL_ERR_FORMAT, "web page");
    REFUSE("<HTML><body>", CHL_ERR_FORMAT, "web page");
    REFUSE("version https://git-lfs.github.com/spec/v1\n", CHL_ERR_FORMAT, "git lfs pull");
    REFUSE("\x1f\x8b\x08\0\0\0\0\0\0\0", CHL_ERR_UNSUPPORTED, "unpack it first");
    REFUSE("\x89HDF\r\n\x1a\n", CHL_ERR_UNSUPPORTED, "HDF5");
    REFUSE("hello, world", CHL_ERR_FORMAT, "unknown kind");
    /* StyleGAN's and ProGAN's pickles: a tuple of networks, a network alone */
    REFUSE("\x80\x02("
           "cdnnlib.tflib.network\nNetwork\n)\x81Nt.",
           CHL_ERR_UNSUPPORTED, "legacy.py");
    REFUSE("\x80\x02("
           "cdnnlib.tflib.network\nNetwork\n)\x81NNt.",
           CHL_ERR_UNSUPPORTED, "TensorFlow");
    REFUSE("\x80\x02"
           "cdnnlib.tflib.network\nNetwork\n)\x81.",
           CHL_ERR_UNSUPPORTED, "TensorFlow");
    REFUSE("\x80\x02(ctfutil\nNetwork\n)\x81l.", CHL_ERR_UNSUPPORTED, "TensorFlow");
    REFUSE("\x80", CHL_ERR_FORMAT, "unknown kind");
    REFUSE("PK\x03\x04", CHL_ERR_FORMAT, "cut short");
    refuse_content(tar, sizeof tar, CHL_ERR_UNSUPPORTED, "tar archive");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_container_gives_the_same_arrays),
        cmocka_unit_test(strided_and_shared_tensors_come_out_row_major),
        cmocka_unit_test(archives_list_every_tensor_and_modules_what_they_save),
        cmocka_unit_test(nvidia_pickles_give_the_averaged_generator),
        cmocka_unit_test(wrapped_state_is_unwrapped),
        cmocka_unit_test(short_forms_of_pickle_numbers_are_read),
        cmocka_unit_test(every_half_survives_and_others_round_to_nearest_even),
        cmocka_unit_test(halves_are_written_or_refused_when_too_large),
        cmocka_unit_test(what_is_written_is_read_back_and_replaces_at_once),
        cmocka_unit_test(what_is_no_readable_file_is_refused_at_once),
        cmocka_unit_test(other_kinds_of_files_are_named),
        cmocka_unit_test(an_array_that_cannot_be_read_stops_only_who_needs_it),
        cmocka_unit_test(numbers_that_are_not_finite_are_found),
        cmocka_unit_test(shards_are_read_as_one_by_index_or_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
