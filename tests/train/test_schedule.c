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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(schedule_rises_falls_and_repeats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
