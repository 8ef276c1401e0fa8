/* Augmented pictures: a pure function of the seed and the place, nothing when nothing is asked
 * for, and as strong as asked. */
#include "harness/parity.h"
#include "train/augment_picture.h"
#include <string.h>

#define SIDE 24
#define COUNT (3 * SIDE * SIDE)

static void fill(uint8_t *pixels) {
    for (int i = 0; i < COUNT; i++) pixels[i] = (uint8_t)(40 + i * 7919 % 173);
}

static void flat(uint8_t *pixels) {
    memset(pixels, 191, COUNT); /* 191 / 127.5 - 1 = 0.498 */
}

static void changes_are_a_function_of_seed_step_and_place(void **state) {
    (void)state;
    uint8_t pixels[COUNT];
    float a[COUNT], b[COUNT];
    fill(pixels);
    const chl_picture_augment how = CHL_PICTURE_AUGMENT;
    chl_augment_picture(&how, 5, 9, 3, 2, SIDE, pixels, a);
    memset(b, 0xff, sizeof b);
    chl_augment_picture(&how, 5, 9, 3, 2, SIDE, pixels, b);
    assert_memory_equal(a, b, sizeof a);
    static const int64_t other[4][4] = {{6, 9, 3, 2}, {5, 8, 3, 2}, {5, 9, 4, 2}, {5, 9, 3, 1}};
    for (int i = 0; i < 4; i++) {
        chl_augment_picture(&how, (uint64_t)other[i][0], (uint32_t)other[i][1], other[i][2],
                            other[i][3], SIDE, pixels, b);
        assert_memory_not_equal(a, b, sizeof a);
    }
    for (int i = 0; i < COUNT; i++) assert_true(a[i] >= -1 && a[i] <= 1);
}

static void all_zero_settings_change_nothing(void **state) {
    (void)state;
    uint8_t pixels[COUNT];
    float out[COUNT];
    fill(pixels);
    chl_augment_picture(&(chl_picture_augment){0}, 5, 9, 3, 2, SIDE, pixels, out);
    for (int i = 0; i < COUNT; i++) assert_float_equal(out[i], pixels[i] / 127.5 - 1, 1e-6);
}

/* Mean and deviation over all values of an augmented flat picture, over many draws. */
static void spread(const chl_picture_augment *how, int64_t index, double *mean, double *deviation) {
    uint8_t pixels[COUNT];
    float out[COUNT];
    flat(pixels);
    chl_augment_picture(how, 1, 2, index, 0, SIDE, pixels, out);
    *mean = *deviation = 0;
    for (int i = 0; i < COUNT; i++) *mean += out[i] / (double)COUNT;
    for (int i = 0; i < COUNT; i++) *deviation += (out[i] - *mean) * (out[i] - *mean) / COUNT;
    *deviation = sqrt(*deviation);
}

/* A flat picture stays flat but for noise; brightness and contrast move it within their bounds. */
static void each_change_within_its_bounds(void **state) {
    (void)state;
    const double value = 191 / 127.5 - 1;
    double least = 9, most = -9, noise = 0, quiet = 9;
    for (int64_t i = 0; i < 300; i++) {
        double mean, deviation;
        spread(&(chl_picture_augment){.zoom = 0.25f, .blur = 1}, i, &mean, &deviation);
        assert_float_equal(mean, value, 1e-5);
        assert_true(deviation < 1e-5);
        spread(&(chl_picture_augment){.brightness = 0.1f, .contrast = 0.2f}, i, &mean, &deviation);
        assert_true(deviation < 1e-5);
        least = fmin(least, mean);
        most = fmax(most, mean);
        spread(&(chl_picture_augment){.noise = 0.12f}, i, &mean, &deviation);
        assert_float_equal(mean, value, 0.02);
        assert_true(deviation < 0.13);
        noise = fmax(noise, deviation);
        quiet = fmin(quiet, deviation);
    }
    print_message("brightness and contrast %.3f ... %.3f, noise up to %.3f\n", least, most, noise);
    assert_true(least >= 0.8 * value - 0.1 - 1e-5 && least < 0.8 * value - 0.05);
    assert_true(most <= 1.2 * value + 0.1 + 1e-5 && most > 1.2 * value + 0.05);
    assert_true(noise > 0.1 && quiet < 0.02);
}

/* A ramp along x, seen through the crop: again a ramp, flatter by the scale, within the ramp. */
static void zoom_crops_and_stretches(void **state) {
    (void)state;
    uint8_t pixels[COUNT];
    float out[COUNT];
    for (int i = 0; i < COUNT; i++) pixels[i] = (uint8_t)(8 * (i / 3 % SIDE));
    const float step = 8 / 127.5f;
    float least = 1, most = 0, left = 1, right = 0;
    for (int64_t i = 0; i < 100; i++) {
        chl_augment_picture(&(chl_picture_augment){.zoom = 0.25f}, 1, 2, i, 0, SIDE, pixels, out);
        float slope = (out[3 * 16] - out[3 * 8]) / (8 * step);
        for (int y = 0; y < SIDE; y++)
            for (int x = 2; x < SIDE - 2; x++) {
                const float *at = out + 3 * (y * SIDE + x);
                assert_float_equal(at[3] - at[0], slope * step, 1e-4);
            }
        least = fminf(least, slope);
        most = fmaxf(most, slope);
        if (slope > 0.9f) continue; /* too little is cropped to see where */
        float centre = (out[3 * 12] + 1) / step - slope * 12; /* of target column 0, in columns */
        float place = (centre - 0.5f * slope + 0.5f) / ((1 - slope) * SIDE);
        left = fminf(left, place);
        right = fmaxf(right, place);
    }
    print_message("scales %.3f ... %.3f, places %.2f ... %.2f\n", (double)least, (double)most,
                  (double)left, (double)right);
    assert_true(left > -0.01f && left < 0.1f && right > 0.9f && right < 1.01f);
    assert_true(least >= 0.75f - 1e-3f && least < 0.77f && most <= 1 + 1e-3f && most > 0.98f);
}

/* One bright pixel: the blur spreads it evenly to both sides and both ways, and keeps the sum. */
static void blur_is_symmetric_and_keeps_the_sum(void **state) {
    (void)state;
    uint8_t pixels[COUNT] = {0};
    float out[COUNT];
    const int middle = 3 * (11 * SIDE + 12) + 1, row = 3 * SIDE;
    pixels[middle] = 255;
    chl_augment_picture(&(chl_picture_augment){.blur = 1}, 1, 2, 7, 0, SIDE, pixels, out);
    double total = 0;
    for (int i = 0; i < COUNT; i++) total += (out[i] + 1) / 2;
    assert_float_equal(total, 1, 1e-4);
    assert_true(out[middle + 3] > -1 + 1e-4f);
    static const int offsets[3][2] = {{3, -3}, {row, -row}, {3, row}};
    for (int i = 0; i < 3; i++)
        assert_float_equal(out[middle + offsets[i][0]], out[middle + offsets[i][1]], 1e-5);
    assert_float_equal(out[middle + 1], -1, 1e-6); /* colours stay apart */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_a_function_of_seed_step_and_place),
        cmocka_unit_test(all_zero_settings_change_nothing),
        cmocka_unit_test(each_change_within_its_bounds),
        cmocka_unit_test(zoom_crops_and_stretches),
        cmocka_unit_test(blur_is_symmetric_and_keeps_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
