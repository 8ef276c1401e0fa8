/* Known values: t tables (e.g. Abramowitz & Stegun, table 26.10), Spearman's formula by hand. */
#include "eval/sample_statistics.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define near(x, y, tolerance) assert_true(fabs((x) - (y)) <= (tolerance))

static void mean_and_deviation_are_the_textbook_ones(void **unused) {
    (void)unused;
    const double x[] = {2, 4, 4, 4, 5, 5, 7, 9};
    near(chl_mean_of(8, x), 5, 0);
    near(chl_deviation_of(8, x), sqrt(32.0 / 7), 1e-15);
    assert_true(isnan(chl_mean_of(0, x)));
    assert_true(isnan(chl_deviation_of(1, x)));
}

/* 1 - 6 sum d^2 / (n (n^2 - 1)) without ties */
static void spearman_is_the_correlation_of_ranks(void **unused) {
    (void)unused;
    const double level[] = {-24, -18, -12, -6, 0}, up[] = {0.1, 0.2, 0.25, 0.9, 7},
                 down[] = {5, 4, 3, 2, 1}, mixed[] = {2, 1, 4, 3, 5};
    near(chl_spearman(5, level, up), 1, 1e-15);
    near(chl_spearman(5, level, down), -1, 1e-15);
    near(chl_spearman(5, level, mixed), 1 - 6.0 * 4 / (5 * 24), 1e-15);
    /* ties: ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: Pearson 4.5 / sqrt(4.5 * 5) */
    const double tied[] = {1, 2, 2, 3}, four[] = {10, 20, 30, 40};
    near(chl_spearman(4, tied, four), 4.5 / sqrt(4.5 * 5), 1e-15);
    const double same[] = {1, 1, 1, 1}, broken[] = {1, NAN, 2, 3};
    assert_true(isnan(chl_spearman(4, same, four)));
    assert_true(isnan(chl_spearman(4, broken, four)));
    assert_true(isnan(chl_spearman(1, four, four)));
}

static void student_quantiles_are_the_tabulated_ones(void **unused) {
    (void)unused;
    const struct {
        double share;
        int degrees;
        double t;
    } known[] = {{0.95, 1, 12.706}, {0.95, 2, 4.303},     {0.95, 3, 3.182},  {0.95, 4, 2.776},
                 {0.95, 9, 2.262},  {0.95, 10, 2.228},    {0.95, 30, 2.042}, {0.99, 2, 9.925},
                 {0.9, 5, 2.015},   {0.95, 100000, 1.960}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        near(chl_student_quantile(known[i].share, known[i].degrees), known[i].t, 0.0006);
        near(chl_student_inside(chl_student_quantile(known[i].share, known[i].degrees),
                                known[i].degrees),
             known[i].share, 1e-12);
    }
    /* P(|T| < 1) = 1/2 with one degree: the Cauchy distribution's quartiles */
    near(chl_student_inside(1, 1), 0.5, 1e-15);
}

static void intervals_are_t_s_over_root_n(void **unused) {
    (void)unused;
    const double x[] = {0.6, 0.7, 0.8};
    near(chl_interval_of(3, x), 4.302653 * 0.1 / sqrt(3), 1e-6);
    assert_true(isnan(chl_interval_of(1, x)));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mean_and_deviation_are_the_textbook_ones),
                                       cmocka_unit_test(spearman_is_the_correlation_of_ranks),
                                       cmocka_unit_test(student_quantiles_are_the_tabulated_ones),
                                       cmocka_unit_test(intervals_are_t_s_over_root_n)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
