/* Cascades of Haar features find what OpenCV finds, faces get their eyes, and files that are none are
 * refused (tests/fixtures/make_cascade.py). */
#include "harness/parity.h"
#include "io/face_find.h"
#include "io/haar_detect.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER CHLADNI_FIXTURES "/cascade"

static void grey_photo(chl_grey *grey) {
    chl_raster photo;
    MUST(chl_raster_read(FOLDER "/faces.png", &photo));
    MUST(chl_grey_of(&photo, grey));
    chl_raster_free(&photo);
}

/* Every find is one of theirs [count][4], within pixels. */
static void compare(const chl_haar_find *find, int count, const float *theirs, double within) {
    for (int i = 0; i < count; i++) {
        double nearest = 1e9;
        for (int k = 0; k < count; k++) {
            const float *t = theirs + (size_t)4 * (size_t)k;
            nearest = fmin(
                nearest, fmax(fmax(fabs(find[i].x - (double)t[0]), fabs(find[i].y - (double)t[1])),
                              fabs(find[i].width - (double)t[2])));
        }
        if (nearest > within)
            fail_msg("%.1f,%.1f of %.1f is %.1f pixels from OpenCV's", find[i].x, find[i].y,
                     find[i].width, nearest);
    }
}

static void a_cascade_finds_what_opencv_finds(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int least, count;
    } cases[] = {{"frontalface_alt2", 40, 2}, {"eye", 12, 14}};
    chl_grey grey;
    grey_photo(&grey);
    for (int i = 0; i < 2; i++) {
        char path[512], name[64];
        snprintf(path, sizeof path, FOLDER "/haarcascade_%s.xml", cases[i].name);
        snprintf(name, sizeof name, "cascade/%s", cases[i].name);
        const chl_haar_search search = {.factor = 1.1, .neighbours = 3, .least = cases[i].least};
        chl_haar_cascade *cascade;
        chl_haar_find *find;
        int count;
        MUST(chl_haar_cascade_read(path, &cascade));
        MUST(chl_haar_detect(cascade, &grey, &search, &find, &count));
        assert_int_equal(count, cases[i].count);
        float *theirs = parity_array(name, (int64_t)4 * count);
        compare(find, count, theirs, 2);
        free(theirs);
        free(find);
        chl_haar_cascade_free(cascade);
    }
    chl_grey_free(&grey);
}

static void assert_near(const double got[2], double x, double y, double within) {
    if (hypot(got[0] - x, got[1] - y) > within)
        fail_msg("%.1f,%.1f is not %g,%g", got[0], got[1], x, y);
}

/* As they were drawn, the larger face first. */
static void faces_get_their_eyes(void **state) {
    (void)state;
    static const double drawn[2][5] = {{60, 100, 57.5, 80, 40}, {178, 202, 112.5, 190, 24}};
    chl_raster photo;
    chl_found_place *face;
    int count;
    MUST(chl_raster_read(FOLDER "/faces.png", &photo));
    MUST(chl_faces_find(&photo, FOLDER, &face, &count));
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        const double *d = drawn[i], apart = d[4];
        assert_true(face[i].eyes);
        assert_near(face[i].place.left_eye, d[0], d[2], 0.1 * apart);
        assert_near(face[i].place.right_eye, d[1], d[2], 0.1 * apart);
        assert_near(face[i].place.left_mouth, d[3] - 0.41 * apart, d[2] + 1.1 * apart, 0.2 * apart);
        assert_near(face[i].place.right_mouth, d[3] + 0.41 * apart, d[2] + 1.1 * apart,
                    0.2 * apart);
    }
    free(face);
    memset(photo.rgb, 90, (size_t)3 * (size_t)photo.width * (size_t)photo.height);
    MUST(chl_faces_find(&photo, FOLDER, &face, &count));
    assert_true(count == 0 && face == NULL);
    assert_int_equal(chl_faces_find(&photo, CHLADNI_FIXTURES, &face, &count), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "opencv-data"));
    chl_raster_free(&photo);
}

/* --- files ------------------------------------------------------------------------------------ */
/* A cascade's text, to be freed. */
static char *read_text(size_t *size) {
    FILE *file = fopen(FOLDER "/haarcascade_eye.xml", "rb");
    char *text = malloc(4096);
    assert_true(file && text);
    *size = fread(text, 1, 4095, file);
    text[*size] = 0;
    fclose(file);
    return text;
}

/* Of a copy of the exact size, so that a sanitizer sees reading beyond it. */
static chl_status parse(const char *text, size_t size) {
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    chl_haar_cascade *cascade;
    const chl_status status = chl_haar_cascade_parse(copy, size, "f.xml", &cascade);
    assert_true((status == CHL_OK) == (cascade != NULL));
    chl_haar_cascade_free(cascade);
    free(copy);
    return status;
}

static void a_file_cut_anywhere_is_an_error(void **state) {
    (void)state;
    size_t size;
    char *text = read_text(&size);
    const size_t whole = (size_t)(strstr(text, "</opencv_storage>") - text) + 17;
    for (size_t n = 0; n < whole; n++)
        if (parse(text, n) != CHL_ERR_FORMAT) fail_msg("cut at %zu: %s", n, chl_error());
    MUST(parse(text, whole));
    free(text);
}

/* Any byte changed to any of a few: no crash, and trees that end. */
static void a_damaged_file_is_read_or_refused(void **state) {
    (void)state;
    size_t size;
    char *text = read_text(&size);
    static const char other[] = "<>/-9. _\0&\xff";
    for (size_t n = 0; n < size; n++)
        for (size_t k = 0; k + 1 < sizeof other; k++) {
            const char before = text[n];
            text[n] = other[k];
            const chl_status status = parse(text, size);
            assert_true(status == CHL_OK || status == CHL_ERR_FORMAT);
            text[n] = before;
        }
    free(text);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *says;
        chl_status status;
    } wrong[] = {
        {"<opencv_storage>", "<storage>", "a tag closes what is not open", CHL_ERR_FORMAT},
        {"opencv-cascade-classifier", "opencv-haar-classifier", "is no cascade", CHL_ERR_FORMAT},
        {"HAAR", "LBP", "<featureType>: expected HAAR", CHL_ERR_FORMAT},
        {"<width>12", "<width>8", "leaves the window of 8 x 12", CHL_ERR_FORMAT},
        {"<width>12", "<width>twelve", "<width>: expected numbers", CHL_ERR_FORMAT},
        {"<stageNum>2", "<stageNum>3", "stageNum is 3, there are 2", CHL_ERR_FORMAT},
        {"0 -1 0 -0.1", "0 -1 7 -0.1", "compares feature 7, there are 3", CHL_ERR_FORMAT},
        {"0 1 2 -0.03", "0 0 2 -0.03", NULL, CHL_OK},
        {"0 1 2 -0.03", "0 2 2 -0.03", "children are later nodes or leaves", CHL_ERR_FORMAT},
        {"-1 -2 2 0.03", "-1 -3 2 0.03", "children are later nodes or leaves", CHL_ERR_FORMAT},
        {"</rects>", "</rects><tilted>1</tilted>", "tilted features", CHL_ERR_UNSUPPORTED},
        {"<?xml", "<!DOCTYPE a><?xml", "line 1: a DOCTYPE", CHL_ERR_FORMAT},
    };
    size_t size;
    char *text = read_text(&size), changed[4200];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *at = strstr(text, wrong[i].from);
        assert_non_null(at);
        const int length = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text,
                                    wrong[i].to, at + strlen(wrong[i].from));
        assert_int_equal(parse(changed, (size_t)length), wrong[i].status);
        if (wrong[i].says && !strstr(chl_error(), wrong[i].says))
            fail_msg("\"%s\" does not say \"%s\"", chl_error(), wrong[i].says);
    }
    free(text);
    assert_int_equal(parse("no XML", 6), CHL_ERR_FORMAT);
    assert_int_equal(parse("", 0), CHL_ERR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cascade_finds_what_opencv_finds),
        cmocka_unit_test(faces_get_their_eyes),
        cmocka_unit_test(a_file_cut_anywhere_is_an_error),
        cmocka_unit_test(a_damaged_file_is_read_or_refused),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
