/* Picture files: every kind of PNG and JPEG against Pillow (tests/fixtures/make_picture.py),
 * damaged files, bombs, and writing. */
#include "bytes.h"
#include "harness/parity.h"
#include "io/picture.h"
#include <dirent.h>
#include <stdbool.h>
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

/* --- kinds that need a library of their own ----------------------------------------------------
 */
/* False in a build without the library, which says so. */
static bool is_read_here(const char *name, const char *library) {
    chl_raster raster;
    load_bytes(&file, name);
    const chl_status status = chl_raster_read_memory(file.data, file.size, name, &raster);
    chl_raster_free(&raster);
    if (status != CHL_ERR_UNSUPPORTED) return true;
    assert_non_null(strstr(chl_error(), library));
    return false;
}

/* Cut anywhere, the file in memory is an error that names it. */
static void expect_errors_where_cut(void) {
    const size_t whole = file.size;
    for (size_t size = 12; size < whole - 1; size += 1 + size / 20) {
        chl_raster raster;
        file.size = size;
        const chl_status status = chl_raster_read_memory(file.data, size, "cut", &raster);
        if (status == CHL_OK) fail_msg("%zu of %zu bytes are read", size, whole);
        assert_non_null(strstr(chl_error(), "cut"));
        assert_null(raster.rgb);
    }
}

static void webps_are_read_upright(void **state) {
    (void)state;
    if (!is_read_here("picture/lossless.webp", "libwebp")) return;
    check("lossless", "webp", 0);
    check("alpha", "webp", 0);
    check("turned6", "webp", 0);
    check("turned7", "webp", 0);
    check("lossy", "webp", 1);
    chl_raster raster;
    load_bytes(&file, "picture/animated.webp");
    assert_int_equal(chl_raster_read_memory(file.data, file.size, "a.webp", &raster),
                     CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "a.webp: is an animated WebP"));
    load_bytes(&file, "picture/lossy.webp");
    expect_errors_where_cut();
}

/* Every fourth pixel of every fourth row is in the fixture. */
static void check_heic(const char *name) {
    char path[512];
    snprintf(path, sizeof path, CHLADNI_FIXTURES "/picture/%s.heic", name);
    chl_raster whole;
    MUST(chl_raster_read(path, &whole));
    chl_raster few = {.height = (whole.height + 3) / 4, .width = (whole.width + 3) / 4};
    few.rgb = malloc((size_t)(few.height * few.width * 3));
    assert_non_null(few.rgb);
    for (int y = 0; y < few.height; y++)
        for (int x = 0; x < few.width; x++)
            memcpy(few.rgb + 3 * (y * few.width + x), whole.rgb + 3 * (4 * y * whole.width + 4 * x),
                   3);
    const int most = difference_from(name, &few);
    print_message("%s: differs by %d\n", name, most);
    assert_true(most <= 4); /* versions of libheif convert colours differently */
    chl_raster_free(&few);
    chl_raster_free(&whole);
}

static void heics_are_read_upright(void **state) {
    (void)state;
    if (!is_read_here("picture/upright.heic", "libheif")) return;
    check_heic("upright");
    check_heic("rotated");
    check_heic("transparent");
    load_bytes(&file, "picture/upright.heic");
    expect_errors_where_cut();
}

/* --- orientation ------------------------------------------------------------------------------ */
/* An EXIF block whose first entry is another one and whose second says `orientation`, as a number
 * of `type` (1 byte, 3 short, 4 long). */
static void exif_block(bytes *to, int orientation, bool big, int type) {
    void (*const number)(bytes *, uint32_t, int) = big ? put_be : put_le;
    to->size = 0;
    put_text(to, big ? "MM" : "II");
    number(to, 42, 2);
    number(to, 8, 4);
    number(to, 2, 2);
    number(to, 0x0100, 2);
    number(to, 4, 2);
    number(to, 1, 4);
    number(to, 21, 4);
    number(to, 0x0112, 2);
    number(to, (uint32_t)type, 2);
    number(to, 1, 4);
    number(to, (uint32_t)orientation, type == 1 ? 1 : type == 4 ? 4 : 2);
    if (type != 4) number(to, 0, type == 1 ? 3 : 2);
    number(to, 0, 4);
}

static void insert(size_t at, const bytes *block) {
    assert_true(file.size + block->size <= sizeof file.data);
    memmove(file.data + at + block->size, file.data + at, file.size - at);
    memcpy(file.data + at, block->data, block->size);
    file.size += block->size;
}

static void add_jpeg_exif(const bytes *exif, bytes *segment) {
    segment->size = 0;
    put_text(segment, "\xff\xe1");
    put_be(segment, (uint32_t)exif->size + 8, 2);
    put(segment, "Exif\0\0", 6);
    put(segment, exif->data, exif->size);
    insert(2, segment);
}

static uint32_t crc32_of(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Before the pixels (at 33, behind the header), or between them and the end. */
static void add_png_chunk(const char *kind, const void *data, size_t size, bool late,
                          bytes *chunk) {
    chunk->size = 0;
    put_be(chunk, (uint32_t)size, 4);
    put_text(chunk, kind);
    put(chunk, data, size);
    put_be(chunk, crc32_of(chunk->data + 4, size + 4), 4);
    insert(late ? file.size - 12 : 33, chunk);
}

static void add_png_text(const bytes *exif, bytes *chunk) {
    static char text[4096];
    size_t at = 0;
    const char key[] = "Raw profile type exif"; /* with its 0 */
    memcpy(text, key, sizeof key);
    at = sizeof key;
    at += (size_t)sprintf(text + at, "\nexif\n%8zu\n", exif->size + 6);
    at += (size_t)sprintf(text + at, "457869660000");
    for (size_t i = 0; i < exif->size; i++)
        at += (size_t)sprintf(text + at, "%s%02x", i % 30 == 0 ? "\n" : "", exif->data[i]);
    add_png_chunk("tEXt", text, at, false, chunk);
}

/* Where a pixel of the upright picture lies in the stored one [EXIF 2.3, orientation]. */
static void source_of(int orientation, int h, int w, int y, int x, int *sy, int *sx) {
    const int at[9][2] = {
        {0},    {y, x},         {y, w - 1 - x},         {h - 1 - y, w - 1 - x}, {h - 1 - y, x},
        {x, y}, {h - 1 - x, y}, {h - 1 - x, w - 1 - y}, {x, w - 1 - y}};
    *sy = at[orientation][0];
    *sx = at[orientation][1];
}

static void expect_turned(const chl_raster *stored, int orientation) {
    chl_raster turned;
    MUST(chl_raster_read_memory(file.data, file.size, "turned", &turned));
    const bool swapped = orientation >= 5;
    assert_int_equal(turned.height, swapped ? stored->width : stored->height);
    assert_int_equal(turned.width, swapped ? stored->height : stored->width);
    for (int y = 0; y < turned.height; y++)
        for (int x = 0; x < turned.width; x++) {
            int sy, sx;
            source_of(orientation, stored->height, stored->width, y, x, &sy, &sx);
            assert_memory_equal(turned.rgb + 3 * (y * turned.width + x),
                                stored->rgb + 3 * (sy * stored->width + sx), 3);
        }
    chl_raster_free(&turned);
}

static void every_container_and_byte_order_is_turned_upright(void **state) {
    (void)state;
    static bytes exif, piece;
    static const int types[] = {1, 3, 4};
    chl_raster jpeg, png;
    load_bytes(&file, "picture/progressive.jpg");
    MUST(chl_raster_read_memory(file.data, file.size, "a.jpg", &jpeg));
    load_bytes(&file, "picture/rgb8.png");
    MUST(chl_raster_read_memory(file.data, file.size, "a.png", &png));
    for (int k = 0; k < 8 * 2 * 3; k++) {
        const int orientation = 1 + k % 8;
        exif_block(&exif, orientation, k / 8 % 2, types[k / 16]);
        load_bytes(&file, "picture/progressive.jpg");
        add_jpeg_exif(&exif, &piece);
        expect_turned(&jpeg, orientation);
        for (int late = 0; late < 2; late++) {
            load_bytes(&file, "picture/rgb8.png");
            add_png_chunk("eXIf", exif.data, exif.size, late, &piece);
            expect_turned(&png, orientation);
        }
        load_bytes(&file, "picture/rgb8.png");
        add_png_text(&exif, &piece);
        expect_turned(&png, orientation);
    }
    for (int wrong = 0; wrong <= 9; wrong += 9) { /* is upright */
        exif_block(&exif, wrong, true, 3);
        load_bytes(&file, "picture/rgb8.png");
        add_png_chunk("eXIf", exif.data, exif.size, false, &piece);
        expect_turned(&png, 1);
    }
    exif_block(&exif, 6, true, 3);
    for (size_t size = 4; size < exif.size - 4; size++) { /* cut anywhere: read or upright */
        const bool whole = size >= exif.size - 6;         /* the value's two bytes are there */
        load_bytes(&file, "picture/rgb8.png");
        add_png_chunk("eXIf", exif.data, size, false, &piece);
        expect_turned(&png, whole ? 6 : 1);
    }
    chl_raster_free(&jpeg);
    chl_raster_free(&png);
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
        cmocka_unit_test(webps_are_read_upright),
        cmocka_unit_test(heics_are_read_upright),
        cmocka_unit_test(every_container_and_byte_order_is_turned_upright),
        cmocka_unit_test(damaged_pictures_are_refused_by_name),
        cmocka_unit_test(headers_that_claim_too_many_pixels_are_refused),
        cmocka_unit_test(a_picture_is_written_whole_or_not_at_all),
        cmocka_unit_test(missing_files_and_folders_are_named),
        cmocka_unit_test(bytes_survive_floats_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
