/* Every resampling filter against the framework it copies (fixtures/make_resize.py). */
#include "graph/build.h"
#include "harness/parity.h"

enum { IN_H = 13, IN_W = 17, CHANNELS = 3, SIZES = 2 };
static const int size[SIZES][2] = {{6, 7}, {20, 22}}; /* down, up: [h, w] */

static void against_framework(const char *fixture, chl_filter filter) {
    float *picture = parity_formula("resize", 0, 1, IN_H * IN_W * CHANNELS);
    chl_graph *g = NULL;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_tensor x = chl_input(g, "picture", chl_f32(4, 1, IN_H, IN_W, CHANNELS)), y[SIZES];
    int64_t all = 0;
    for (int i = 0; i < SIZES; i++) {
        y[i] = chl_keep(g, chl_resize(g, x, filter, size[i][0], size[i][1]));
        all += (int64_t)size[i][0] * size[i][1] * CHANNELS;
    }
    MUST(chl_compile(g));
    MUST(chl_write(g, x, picture));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    float *want = parity_array(fixture, all), *next = want;
    for (int i = 0; i < SIZES; i++) {
        int64_t count;
        float *got = parity_read(g, y[i], 1, &count);
        for (int64_t k = 0; k < count; k++) {
            /* the frameworks compute positions and weights in float32; ours are rounded once, and
             * each compiler fuses other products and sums */
            if (!(fabsf(got[k] - next[k]) <= 4e-6f))
                fail_msg("%s to %dx%d: element %lld is %.8g, should be %.8g", fixture, size[i][0],
                         size[i][1], (long long)k, (double)got[k], (double)next[k]);
        }
        next += count;
        free(got);
    }
    free(want);
    free(picture);
    chl_graph_free(g);
}

static void nearest_is_as_in_the_framework(void **state) {
    (void)state;
    against_framework("resize/nearest", CHL_FILTER_NEAREST);
}
static void bilinear_is_as_in_the_framework(void **state) {
    (void)state;
    against_framework("resize/bilinear", CHL_FILTER_BILINEAR);
}
static void bilinear_with_aligned_ends_is_as_in_the_framework(void **state) {
    (void)state;
    against_framework("resize/bilinear_ends", CHL_FILTER_BILINEAR_ENDS);
}
static void bicubic_is_as_in_the_framework(void **state) {
    (void)state;
    against_framework("resize/bicubic", CHL_FILTER_BICUBIC);
}
static void antialiased_bicubic_is_as_in_pil(void **state) {
    (void)state;
    against_framework("resize/bicubic_pil", CHL_FILTER_BICUBIC_PIL);
}
static void area_is_as_in_the_framework(void **state) {
    (void)state;
    against_framework("resize/area", CHL_FILTER_AREA);
}
static void box_is_as_in_the_framework(void **state) {
    (void)state;
    against_framework("resize/box", CHL_FILTER_BOX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_is_as_in_the_framework),
        cmocka_unit_test(bilinear_is_as_in_the_framework),
        cmocka_unit_test(bilinear_with_aligned_ends_is_as_in_the_framework),
        cmocka_unit_test(bicubic_is_as_in_the_framework),
        cmocka_unit_test(antialiased_bicubic_is_as_in_pil),
        cmocka_unit_test(area_is_as_in_the_framework),
        cmocka_unit_test(box_is_as_in_the_framework),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
