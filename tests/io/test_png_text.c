/* Texts in PNG files: written beside the pixels, read from files of others, refused where damaged. */
#include "harness/parity.h"
#include "io/picture.h"
#include "io/png_text.h"
#include <chladni/engine.h>
#include <string.h>
#include <unistd.h>

static uint8_t png[512];
static size_t size;

static void add(const void *data, size_t count) {
    memcpy(png + size, data, count);
    size += count;
}

/* `count` bytes of data; the checksum is not looked at. */
static void add_chunk(const char *type, const char *data, size_t count) {
    const uint8_t length[] = {0, 0, (uint8_t)(count >> 8), (uint8_t)count};
    add(length, 4);
    add(type, 4);
    add(data, count);
    add("\0\0\0", 4);
}

static void begin(void) {
    size = 0;
    add("\x89PNG\r\n\x1a\n", 8);
    add_chunk("IHDR", "0123456789abc", 13);
}

static chl_status read_text(char **text) {
    return chl_png_text(png, size, "p.png", "chladni", text);
}

#define ADD(type, text) add_chunk(type, text, sizeof(text) - 1)

static void texts_of_both_kinds_are_utf8(void **state) {
    (void)state;
    static const struct {
        const char *type, *data;
        size_t size;
        const char *text;
    } cases[] = {{"tEXt", "chladni\0caf\xe9", 12, "caf\xc3\xa9"},
                 {"iTXt", "chladni\0\0\0de\0W\0caf\xc3\xa9", 20, "caf\xc3\xa9"},
                 {"iTXt", "chladni\0\0\0\0\0", 12, ""},
                 {"tEXt", "Chladni\0x", 9, NULL},
                 {"tEXt", "chladni", 7, NULL},
                 {"zTXt", "other\0\0x", 8, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text;
        begin();
        add_chunk(cases[i].type, cases[i].data, cases[i].size);
        ADD("IEND", "");
        MUST(read_text(&text));
        assert_int_equal(text != NULL, cases[i].text != NULL);
        if (text) assert_string_equal(text, cases[i].text);
        free(text);
    }
}

static void what_cannot_be_read_is_refused(void **state) {
    (void)state;
    char *text;
    begin();
    ADD("iTXt", "chladni\0\1\0\0\0x");
    assert_int_equal(read_text(&text), CHL_ERR_UNSUPPORTED);
    begin();
    ADD("zTXt", "chladni\0\0x");
    assert_int_equal(read_text(&text), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "p.png: its text \"chladni\" is compressed"));
    begin();
    ADD("iTXt", "chladni\0\0\0de");
    assert_int_equal(read_text(&text), CHL_ERR_FORMAT);
    begin();
    ADD("tEXt", "chladni\0x");
    for (size_t left = size - 1; left > size - 12; left--) { /* cut anywhere in the chunk */
        assert_int_equal(chl_png_text(png, left, "p.png", "chladni", &text), CHL_ERR_FORMAT);
        assert_null(text);
    }
    assert_int_equal(chl_png_text((const uint8_t *)"GIF89a..", 8, "p.gif", "chladni", &text),
                     CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "p.gif: expected a PNG"));
}

static void a_picture_keeps_its_pixels_and_its_text(void **state) {
    (void)state;
    char path[] = "/tmp/chladni-text-XXXXXX", *text;
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    float pixels[2 * 3 * 3], *back;
    int height, width;
    for (int i = 0; i < 18; i++) pixels[i] = (float)i / 127.5f - 1;
    MUST(chl_picture_write_text(path, 2, 3, pixels, "chladni", "{\"ö\": 1}\n"));
    MUST(chl_picture_read(path, &height, &width, &back));
    assert_true(height == 2 && width == 3);
    assert_memory_equal(back, pixels, sizeof pixels);
    MUST(chl_picture_read_text(path, "chladni", &text));
    assert_string_equal(text, "{\"ö\": 1}\n");
    chl_release(text);
    MUST(chl_picture_read_text(path, "other", &text));
    assert_null(text);
    assert_int_equal(chl_picture_write_text(path, 2, 3, pixels, "two words", "x"),
                     CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "keyword must be 1 to 79 letters"));
    chl_release(back);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_both_kinds_are_utf8),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(a_picture_keeps_its_pixels_and_its_text),
    };
    return chl_raster_can_write() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
