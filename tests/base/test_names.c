#include "base/names.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <time.h>

static void equal_names_have_one_number_in_the_order_seen(void **unused) {
    (void)unused;
    chl_names names = {0};
    assert_int_equal(chl_names_find(&names, "rain"), -1);
    assert_int_equal(chl_names_add(&names, "rain"), 0);
    assert_int_equal(chl_names_add(&names, ""), 1);
    char other[] = "rain";
    assert_int_equal(chl_names_add(&names, other), 0);
    assert_int_equal(chl_names_add(&names, "rain "), 2);
    assert_int_equal(names.count, 3);
    assert_int_equal(chl_names_find(&names, ""), 1);
    assert_int_equal(chl_names_find(&names, "fire"), -1);
    assert_string_equal(names.name[2], "rain ");
    chl_names_free(&names);
}

enum { MANY = 200000, ROOM = 12 };

static double seconds_for(int count, const char *text) {
    chl_names names = {0};
    const clock_t start = clock();
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < count; i++)
            assert_int_equal(chl_names_add(&names, text + (size_t)i * ROOM), i);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    assert_int_equal(names.count, count);
    chl_names_free(&names);
    return seconds;
}

/* Comparing each with each would take minutes here. */
static void many_names_take_linear_time(void **unused) {
    (void)unused;
    char *text = malloc((size_t)MANY * ROOM);
    assert_non_null(text);
    for (int i = 0; i < MANY; i++) snprintf(text + (size_t)i * ROOM, ROOM, "kind %d", i);
    assert_true(seconds_for(MANY, text) < 10);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_names_have_one_number_in_the_order_seen),
        cmocka_unit_test(many_names_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
