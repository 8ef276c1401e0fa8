/* Photos cut as FFHQ's published preparation cuts them (tests/fixtures/make_align.py). */
#include "harness/parity.h"
#include "io/face_align.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 300, WIDTH = 400, CASES = 3 };

static const struct {
    chl_face_place place;
    int size;
} cases[CASES] = {
    {{{150, 130}, {250, 140}, {160, 240}, {240, 250}}, 32}, /* large, made smaller first */
    {{{20, 110}, {60, 80}, {60, 150}, {95, 120}}, 64},      /* tilted, beyond the edge */
    {{{200, 150}, {212, 150}, {202, 162}, {210, 162}}, 64}, /* small */
};

static uint8_t wave(int a) {
    return (uint8_t)abs(a % 510 - 255);
}

static chl_raster photo(void) {
    chl_raster r = {HEIGHT, WIDTH, malloc((size_t)3 * HEIGHT * WIDTH)};
    assert_non_null(r.rgb);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *p = r.rgb + 3 * (y * WIDTH + x);
            p[0] = wave(2 * x + 3 * y + x * x / 97);
            p[1] = wave(5 * x - 2 * y + 1000 + y * y / 89);
            p[2] = wave(x * y / 16);
        }
    return r;
}

/* In levels of 255: the largest difference and the mean. */
static void compare(const char *name, const chl_raster *got, double most, double mean) {
    const int64_t count = (int64_t)3 * got->height * got->width;
    float *want = parity_array(name, count);
    double largest = 0, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)got->rgb[i] - (double)want[i]));
        sum += fabs((double)got->rgb[i] - (double)want[i]);
    }
    print_message("%-20s max. %g levels, mean %.4f\n", name, largest, sum / (double)count);
    assert_true(largest <= most && sum / (double)count <= mean);
    free(want);
}

static void faces_are_cut_as_those_of_ffhq(void **state) {
    (void)state;
    chl_raster from = photo(), got;
    for (int i = 0; i < CASES; i++) {
        char name[32];
        snprintf(name, sizeof name, "align/face%d", i);
        MUST(chl_face_align(&from, &cases[i].place, cases[i].size, &got));
        compare(name, &got, 1, 0.05);
        chl_raster_free(&got);
    }
    chl_raster_free(&from);
}

static void points_that_are_no_face_are_refused(void **state) {
    (void)state;
    static const struct {
        chl_face_place place;
        int size;
        const char *says;
    } wrong[] = {
        {{{9, 9}, {9, 9}, {9, 9}, {9, 9}}, 64, "too close to each other"},
        {{{NAN, 9}, {40, 9}, {9, 40}, {40, 40}}, 64, "too close to each other"},
        {{{5000, 9}, {5040, 9}, {5000, 40}, {5040, 40}}, 64, "outside of the photo"},
        {{{-9e9, 9}, {9e9, 9}, {-9e9, 40}, {9e9, 40}}, 64, "outside of the photo"},
        {{{250, 140}, {150, 130}, {160, 240}, {240, 250}}, 64, "are swapped"},
        {{{150, 130}, {250, 140}, {240, 250}, {160, 240}}, 64, "are swapped"},
        {{{250, 140}, {150, 130}, {240, 250}, {160, 240}}, 64, "are swapped"},
        {{{150, 250}, {150, 150}, {250, 160}, {250, 240}}, 64, "are swapped"}, /* lying */
        {{{150, 130}, {250, 140}, {160, 240}, {240, 250}}, 100, "size must be"},
        {{{150, 130}, {250, 140}, {160, 240}, {240, 250}}, 0, "size must be"},
    };
    chl_raster from = photo(), got;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(chl_face_align(&from, &wrong[i].place, wrong[i].size, &got),
                         CHL_ERR_ARGUMENT);
        if (!strstr(chl_error(), wrong[i].says)) fail_msg("%zu: %s", i, chl_error());
    }
    chl_raster_free(&from);
}

static void faces_lie_any_way(void **state) {
    (void)state;
    static const chl_face_place right[] = {
        {{250, 250}, {150, 240}, {240, 140}, {160, 130}}, /* upside down */
        {{150, 250}, {150, 150}, {250, 240}, {250, 160}}, /* lying */
        {{200, 130}, {198, 130}, {190, 240}, {190, 240}}, /* in profile */
    };
    chl_raster from = photo(), got;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        MUST(chl_face_align(&from, &right[i], 64, &got));
        chl_raster_free(&got);
    }
    chl_raster_free(&from);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faces_are_cut_as_those_of_ffhq),
        cmocka_unit_test(faces_lie_any_way),
        cmocka_unit_test(points_that_are_no_face_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
