/* A comparison's interval is that of the published tables, and equal builds are not called slower. */
#include "kernel_change.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after those */
#include <cmocka.h>

#define STEP 0.125 /* of the logarithms */

static void logs_are(const kernel_change *c, double ratio, double low, double high) {
    assert_float_equal(log(c->ratio) / STEP, ratio, 1e-5);
    assert_float_equal(log(c->low) / STEP, low, 1e-5);
    assert_float_equal(log(c->high) / STEP, high, 1e-5);
}

/* exp(STEP (from + 0 ... n - 1)) in an order that is not sorted */
static void steps(double from, int n, double *seconds) {
    for (int i = 0; i < n; i++) seconds[i] = exp(STEP * (from + (i * 3 + 1) % n));
}

/* Wilcoxon's critical values, two-sided: 8 for 10 pairs at 5 %, so k = 9; 37 for 20 at 1 %, k = 38;
 * 0 for 6 at 5 %, k = 1; none for 5. Ratios 1 ... n: their means i + j are counted by hand. */
static void paired_intervals_are_wilcoxons(void **state) {
    (void)state;
    double old_seconds[20], new_seconds[20];
    kernel_change c;
    for (int i = 0; i < 20; i++) old_seconds[i] = 1e-3 * (i + 1);
    steps(1, 10, new_seconds);
    for (int i = 0; i < 10; i++) new_seconds[i] *= old_seconds[i];
    assert_int_equal(kernel_change_paired(old_seconds, new_seconds, 10, 0.05, &c), CHL_OK);
    logs_are(&c, 5.5, 3, 8); /* sums 2, 3, 4, 4, 5, 5, 6, 6, 6: the 9th is 6 */
    steps(1, 20, new_seconds);
    for (int i = 0; i < 20; i++) new_seconds[i] *= old_seconds[i];
    assert_int_equal(kernel_change_paired(old_seconds, new_seconds, 20, 0.01, &c), CHL_OK);
    logs_are(&c, 10.5, 6.5, 14.5); /* 36 sums are at most 12, 42 at most 13: the 38th is 13 */
    assert_int_equal(kernel_change_paired(old_seconds, new_seconds, 6, 0.05, &c), CHL_OK);
    assert_true(c.low > 0 && isfinite(c.high));
    assert_int_equal(kernel_change_paired(old_seconds, new_seconds, 5, 0.05, &c), CHL_OK);
    assert_true(c.low == 0 && isinf(c.high));
    assert_string_equal(kernel_verdict(&c, 0.05), "undecided");
}

/* Mann and Whitney's, two-sided at 5 %: 23 for 10 and 10, so k = 24; 5 for 5 and 7, k = 6; 0 for 4
 * and 4, k = 1; none for 3 and 3. */
static void intervals_of_files_are_mann_and_whitneys(void **state) {
    (void)state;
    double old_seconds[10], new_seconds[10];
    kernel_change c;
    steps(0, 10, old_seconds);
    steps(2, 10, new_seconds);
    assert_int_equal(kernel_change_apart(old_seconds, 10, new_seconds, 10, 0.05, &c), CHL_OK);
    logs_are(&c, 2, -1, 5); /* 1 + 2 + ... + 6 = 21 differences below 2 - 3, 28 up to it */
    steps(0, 5, old_seconds);
    steps(1, 7, new_seconds);
    assert_int_equal(kernel_change_apart(old_seconds, 5, new_seconds, 7, 0.05, &c), CHL_OK);
    logs_are(&c, 2, -1, 5); /* -3, -2, -2, -1, -1, -1: the 6th is -1 */
    assert_int_equal(kernel_change_apart(new_seconds, 7, old_seconds, 5, 0.05, &c), CHL_OK);
    logs_are(&c, -2, -5, 1);
    assert_int_equal(kernel_change_apart(old_seconds, 3, new_seconds, 3, 0.05, &c), CHL_OK);
    assert_true(c.low == 0 && isinf(c.high));
}

static void starts_needed_are_those_of_the_tables(void **state) {
    (void)state;
    assert_int_equal(kernel_starts_needed_paired(0.05), 6);
    assert_int_equal(kernel_starts_needed_paired(0.01 / 60), 14); /* 2 / 2^14 = 1.2e-4 */
    assert_int_equal(kernel_starts_needed_apart(0.05), 4);        /* 2 / 70 */
    assert_int_equal(kernel_starts_needed_apart(0.01), 5);        /* 2 / 252 */
}

static void verdicts_need_a_sure_and_a_large_change(void **state) {
    (void)state;
    const struct {
        kernel_change c;
        const char *verdict;
    } cases[] = {{{1.10, 1.01, 1.2}, "slower"},    {{1.04, 1.01, 1.049}, "same"},
                 {{1.04, 1.01, 1.2}, "undecided"}, {{1.10, 0.99, 1.2}, "undecided"},
                 {{0.90, 0.8, 0.99}, "faster"},    {{0.96, 0.953, 0.99}, "same"},
                 {{0.90, 0.8, 1.01}, "undecided"}, {{1.00, 0.96, 1.04}, "same"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(kernel_verdict(&cases[i].c, 0.05), cases[i].verdict);
}

static double uniform(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) * 0x1p-53;
}

/* Starts of which a fifth is slowed by up to a half, as memory that lies badly does: no equal builds
 * are told apart more often than the risk, and a tenth more is found. */
static void the_risk_is_kept_with_uneven_starts(void **state) {
    (void)state;
    enum { COMPARISONS = 500, STARTS = 20 };
    uint64_t seed = 1;
    int wrong[2] = {0}, found[2] = {0};
    for (int i = 0; i < COMPARISONS; i++) {
        double seconds[2][STARTS], slowed[STARTS];
        kernel_change c;
        for (int p = 0; p < 2; p++)
            for (int s = 0; s < STARTS; s++)
                seconds[p][s] =
                    1 + 0.02 * uniform(&seed) + (uniform(&seed) < 0.2 ? 0.5 * uniform(&seed) : 0);
        for (int s = 0; s < STARTS; s++) slowed[s] = 1.1 * seconds[1][s];
        for (int apart = 0; apart < 2; apart++) {
            for (int s = 0; s < 2; s++) {
                const double *after = s ? slowed : seconds[1];
                if (apart)
                    assert_int_equal(
                        kernel_change_apart(seconds[0], STARTS, after, STARTS, 0.05, &c), CHL_OK);
                else
                    assert_int_equal(kernel_change_paired(seconds[0], after, STARTS, 0.05, &c),
                                     CHL_OK);
                if (s)
                    found[apart] += strcmp(kernel_verdict(&c, 0.05), "slower") == 0;
                else
                    wrong[apart] += c.low > 1 || c.high < 1;
            }
        }
    }
    for (int apart = 0; apart < 2; apart++) {
        assert_in_range(wrong[apart], 5, 40); /* 5 % of 500 are 25, three deviations 15 */
        assert_in_range(found[apart], 350, 500);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paired_intervals_are_wilcoxons),
        cmocka_unit_test(intervals_of_files_are_mann_and_whitneys),
        cmocka_unit_test(starts_needed_are_those_of_the_tables),
        cmocka_unit_test(verdicts_need_a_sure_and_a_large_change),
        cmocka_unit_test(the_risk_is_kept_with_uneven_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
