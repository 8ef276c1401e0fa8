/* Picture files: every kind of PNG and JPEG against Pillow (tests/fixtures/make_picture.py),
 * damaged files, bombs, and writing. */
#include "bytes.h"
#include "harness/parity.h"
#include "io/picture.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static bytes file;

/* Largest difference from the fixture's array, which must have the same shape. */
static int difference_from(const char *name, const chl_raster *raster) {
    char path[512];
    snprintf(path, sizeof path, CHLADNI_FIXTURES "/picture/%s.npy", name);
    chl_desc desc;
    void *data;
    MUST(chl_npy_read(path, &desc, &data));
    assert_int_equal(desc.dtype, CHL_I32);
    assert_int_equal(desc.dim[0], raster->height);
    assert_int_equal(desc.dim[1], raster->width);
    int most = 0;
    for (int64_t i = 0; i < chl_count(&desc); i++) {
        int difference = abs(((const int32_t *)data)[i] - raster->rgb[i]);
        if (difference > most) most = difference;
    }
    free(data);
    return most;
}

static void check(const char *name, const char *suffix, int allowed) {
    char path[512];
    snprintf(path, sizeof path, CHLADNI_FIXTURES "/picture/%s.%s", name, suffix);
    chl_raster raster;
    MUST(chl_raster_read(path, &raster));
    int most = difference_from(name, &raster);
    if (most > allowed) fail_msg("%s: differs by %d", name, most);
    chl_raster_free(&raster);
    assert_null(raster.rgb);
}

static void every_kind_of_png_is_read_exactly(void **state) {
    (void)state;
    static const char *const names[] = {"rgb8",       "rgba8",    "rgba8_interlaced",
                                        "grey8",      "grey1",    "grey2_interlaced",
                                        "grey_alpha", "palette4", "rgb16"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) check(names[i], "png", 0);
}

static void jpegs_are_read_upright_to_one_level(void **state) {
    (void)state;
    char name[32];
    for (int i = 1; i <= 8; i++) {
        snprintf(name, sizeof name, "orientation%d", i);
        check(name, "jpg", 1); /* versions of libjpeg-turbo differ by one */
    }
    check("grey", "jpg", 1);
    check("progressive", "jpg", 1);
}

static void expect_failure(chl_status expected, const char *text) {
    chl_raster raster;
    chl_status status = chl_raster_read_memory(file.data, file.size, "a.png", &raster);
    if (status != expected || !strstr(chl_error(), text) || !strstr(chl_error(), "a.png"))
        fail_msg("status %d, not %d with '%s': %s", status, expected, text, chl_error());
    assert_null(raster.rgb);
}

static void damaged_pictures_are_refused_by_name(void **state) {
    (void)state;
    file.size = 0;
    expect_failure(CHL_ERR_FORMAT, "empty");
    put_text(&file, "GIF89a and more");
    expect_failure(CHL_ERR_FORMAT, "neither PNG nor JPEG");
    static const char *const names[] = {"picture/rgba8_interlaced.png", "picture/progressive.jpg",
                                        "picture/orientation6.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        load_bytes(&file, names[i]);
        size_t whole = file.size - 20; /* the last bytes may be missing without harm */
        for (file.size = 9; file.size < whole; file.size += 7) expect_failure(CHL_ERR_FORMAT, "");
    }
    load_bytes(&file, "picture/rgb8.png");
    file.data[file.size / 2] ^= 0x10; /* its checksum no longer fits */
    expect_failure(CHL_ERR_FORMAT, "damaged PNG");
    load_bytes(&file, "picture/cmyk.jpg");
    expect_failure(CHL_ERR_UNSUPPORTED, "CMYK");
}

/* Headers that claim far more than the file has. */
static void headers_that_claim_too_many_pixels_are_refused(void **state) {
    (void)state;
    static const uint8_t start[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const struct {
        uint32_t width, height, sum;
    } claims[] = {{30000, 30000, 0xe9456fed}, {0x7fffffff, 1, 0x2f54a48a}};
    for (int i = 0; i < 2; i++) {
        file.size = 0;
        put(&file, start, 8);
        put_be(&file, 13, 4);
        put_text(&file, "IHDR");
        put_be(&file, claims[i].width, 4);
        put_be(&file, claims[i].height, 4);
        put_be(&file, 8 << 24 | 2 << 16, 4);
        put_be(&file, 0, 1);
        put_be(&file, claims[i].sum, 4);
        put_be(&file, 0, 4);
        put_text(&file, "IDAT");
        put_be(&file, 0x35af061e, 4);
        expect_failure(CHL_ERR_UNSUPPORTED, "expected at most");
    }
    load_bytes(&file, "picture/grey.jpg"); /* the height in its frame header */
    for (size_t i = 0; i + 9 < file.size; i++)
        if (file.data[i] == 0xff && file.data[i + 1] == 0xc0)
            memcpy(file.data + i + 5, "\x9c\x40\x9c\x40", 4);
    expect_failure(CHL_ERR_UNSUPPORTED, "expected at most");
}

static void missing_files_and_folders_are_named(void **state) {
    (void)state;
    chl_raster raster;
    assert_int_equal(chl_raster_read("/nowhere/a.png", &raster), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "/nowhere/a.png"));
    assert_int_equal(chl_raster_read(CHLADNI_FIXTURES, &raster), CHL_ERR_IO);
    static const uint8_t white[3] = {255, 255, 255};
    assert_int_equal(chl_raster_write_png("/nowhere/a.png", 1, 1, white), CHL_ERR_IO);
    assert_int_equal(chl_raster_write_png("/nowhere/a.png", 0, 1, white), CHL_ERR_ARGUMENT);
}

static int files_in(const char *folder) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void a_picture_is_written_whole_or_not_at_all(void **state) {
    (void)state;
    char folder[] = "/tmp/chladni-picture-XXXXXX", path[64], sub[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.png", folder);
    static uint8_t rgb[7 * 5 * 3];
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = (uint8_t)(i * 37);
    for (int time = 0; time < 2; time++) { /* also over what is there */
        MUST(chl_raster_write_png(path, 7, 5, rgb));
        chl_raster raster;
        MUST(chl_raster_read(path, &raster));
        assert_int_equal(raster.height, 7);
        assert_int_equal(raster.width, 5);
        assert_memory_equal(raster.rgb, rgb, sizeof rgb);
        chl_raster_free(&raster);
    }
    /* a failure leaves nothing beside it and does not touch what was there */
    snprintf(sub, sizeof sub, "%s/taken.png", folder);
    assert_int_equal(mkdir(sub, 0700), 0);
    assert_int_equal(chl_raster_write_png(sub, 7, 5, rgb), CHL_ERR_IO);
    assert_int_equal(files_in(folder), 2);
    rmdir(sub);
    unlink(path);
    rmdir(folder);
}

static void bytes_survive_floats_and_back(void **state) {
    (void)state;
    uint8_t all[256], back[256];
    float pixels[256];
    for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
    chl_raster_to_float(256, all, pixels);
    assert_true(pixels[0] == -1 && pixels[255] == 1);
    MUST(chl_raster_from_float(256, pixels, back));
    assert_memory_equal(all, back, 256);
    static const float odd[] = {-7, 7, 0, -INFINITY, INFINITY, -0.9922f};
    static const uint8_t expected[] = {0, 255, 128, 0, 255, 1};
    MUST(chl_raster_from_float(6, odd, back));
    assert_memory_equal(back, expected, 6);
    pixels[3] = NAN;
    assert_int_equal(chl_raster_from_float(256, pixels, back), CHL_ERR_NUMERIC);
}

static void a_build_without_media_says_so(void **state) {
    (void)state;
    chl_raster raster;
    assert_int_equal(chl_raster_read("a.png", &raster), CHL_ERR_UNSUPPORTED);
    assert_int_equal(chl_raster_write_png("a.png", 1, 1, (const uint8_t *)"abc"),
                     CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "CHLADNI_MEDIA"));
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(a_build_without_media_says_so),
                                         cmocka_unit_test(bytes_survive_floats_and_back)};
    chl_raster raster;
    if (chl_raster_read(CHLADNI_FIXTURES "/picture/rgb8.png", &raster) == CHL_ERR_UNSUPPORTED)
        return cmocka_run_group_tests(without, NULL, NULL);
    chl_raster_free(&raster);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_png_is_read_exactly),
        cmocka_unit_test(jpegs_are_read_upright_to_one_level),
        cmocka_unit_test(damaged_pictures_are_refused_by_name),
        cmocka_unit_test(headers_that_claim_too_many_pixels_are_refused),
        cmocka_unit_test(a_picture_is_written_whole_or_not_at_all),
        cmocka_unit_test(missing_files_and_folders_are_named),
        cmocka_unit_test(bytes_survive_floats_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
