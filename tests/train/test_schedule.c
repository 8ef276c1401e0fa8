/* The learning rate over a run. */
#include "train/schedule.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <math.h>

static void schedule_rises_falls_and_repeats(void **state) {
    (void)state;
    const chl_schedule one = {.steps = 100, .cycles = 1, .warm_up = 0.1f, .peak = 2};
    assert_true(fabsf(chl_schedule_rate(&one, 0) - 2.0f / 11) < 1e-6f);
    assert_true(fabsf(chl_schedule_rate(&one, 9) - 20.0f / 11) < 1e-6f);
    assert_true(chl_schedule_rate(&one, 10) == 2);
    assert_true(fabsf(chl_schedule_rate(&one, 55) - 1) < 1e-6f);
    assert_true(chl_schedule_rate(&one, 99) > 0 && chl_schedule_rate(&one, 99) < 1e-3f);
    assert_true(chl_schedule_rate(&one, 100) == 0);
    const chl_schedule three = {.steps = 10, .cycles = 3, .warm_up = 0, .peak = 1};
    int peaks = 0;
    for (int i = 0; i < 10; i++) peaks += chl_schedule_rate(&three, i) == 1;
    assert_int_equal(peaks, 3);
}

/* What PyTorch 2's CyclicLR(base_lr=0.001, max_lr=0.1, step_size_up=5, mode="triangular") gives for
 * 20 steps. */
static void a_triangle_is_cyclic_lr(void **state) {
    (void)state;
    static const float cycle[] = {0.001f, 0.0208f, 0.0406f, 0.0604f, 0.0802f,
                                  0.1f,   0.0802f, 0.0604f, 0.0406f, 0.0208f};
    const chl_schedule two = {.steps = 20,
                              .cycles = 2,
                              .warm_up = 0.5f,
                              .peak = 0.1f,
                              .lowest = 0.001f,
                              .triangle = true};
    for (int i = 0; i < 20; i++)
        assert_true(fabsf(chl_schedule_rate(&two, i) - cycle[i % 10]) < 1e-8f);
    assert_true(chl_schedule_rate(&two, 20) == 0);
}

static void a_cosine_falls_to_the_lowest_rate(void **state) {
    (void)state;
    const chl_schedule one = {.steps = 1000, .cycles = 1, .warm_up = 0.1f, .peak = 2, .lowest = 1};
    assert_true(fabsf(chl_schedule_rate(&one, 0) - (1 + 1.0f / 101)) < 1e-6f);
    assert_true(chl_schedule_rate(&one, 100) == 2);
    assert_true(fabsf(chl_schedule_rate(&one, 550) - 1.5f) < 1e-6f);
    assert_true(chl_schedule_rate(&one, 999) > 1 && chl_schedule_rate(&one, 999) < 1.0001f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(schedule_rises_falls_and_repeats),
                                       cmocka_unit_test(a_triangle_is_cyclic_lr),
                                       cmocka_unit_test(a_cosine_falls_to_the_lowest_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
