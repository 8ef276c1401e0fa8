/* FID, KID, precision and recall of sets whose distances are known. */
#include "harness/formula.h"
#include "train/feature_distance.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the three above first */
#include <cmocka.h>

enum { N = 400, D = 5 };

/* Columns scaled by 1 ... D and shifted. */
static float *features(const char *name, double scale, double shift) {
    float *x = malloc(N * D * sizeof *x);
    assert_non_null(x);
    formula_fill(name, 0, 1, N * D, x);
    for (int i = 0; i < N * D; i++) x[i] = (float)(scale * (1 + i % D) * (double)x[i] + shift);
    return x;
}

/* The same set, scaled by s and shifted by c: both covariances commute, so that the distance is
 * |mean difference|^2 + (s - 1)^2 tr C. */
static void fid_of_a_scaled_copy_is_its_closed_form(void **state) {
    (void)state;
    float *a = features("a", 1, 0), *b = features("a", 3, 0.5), *same = features("a", 1, 0);
    double trace = 0, apart = 0, fid;
    for (int c = 0; c < D; c++) {
        double mean = 0, square = 0, mean_b = 0;
        for (int i = 0; i < N; i++)
            mean += (double)a[i * D + c] / N, mean_b += (double)b[i * D + c] / N;
        for (int i = 0; i < N; i++)
            square += ((double)a[i * D + c] - mean) * ((double)a[i * D + c] - mean) / (N - 1);
        trace += square;
        apart += (mean - mean_b) * (mean - mean_b);
    }
    assert_int_equal(chl_frechet_distance(N, a, N, b, D, &fid), CHL_OK);
    assert_true(fabs(fid / (apart + 4 * trace) - 1) < 1e-4);
    assert_int_equal(chl_frechet_distance(N, a, N, same, D, &fid), CHL_OK);
    assert_true(fabs(fid) < 1e-4 * trace);
    free(a);
    free(b);
    free(same);
}

/* Of two halves of one distribution about 0, either sign; of a shifted one the kernel's own sum. */
static void kid_is_its_unbiased_estimate(void **state) {
    (void)state;
    float *a = features("a", 0.3, 0), *b = features("b", 0.3, 0), *far = features("b", 0.3, 1);
    double within = 0, across = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            double aa = 0, bb = 0, ab = 0;
            for (int c = 0; c < D; c++) {
                aa += (double)a[i * D + c] * (double)a[k * D + c];
                bb += (double)far[i * D + c] * (double)far[k * D + c];
                ab += (double)a[i * D + c] * (double)far[k * D + c];
            }
            if (i != k) within += (pow(aa / D + 1, 3) + pow(bb / D + 1, 3)) / (N * (N - 1.0));
            across += pow(ab / D + 1, 3) / ((double)N * N);
        }
    const double kid = chl_kernel_distance(N, a, N, far, D);
    assert_true(fabs(kid / (within - 2 * across) - 1) < 1e-9);
    assert_true(fabs(chl_kernel_distance(N, a, N, b, D)) < 0.01 * kid);
    free(a);
    free(b);
    free(far);
}

/* On a line: a's balls reach from each point to its second neighbour. */
static void precision_and_recall_count_balls(void **state) {
    (void)state;
    const float a[] = {0, 1, 2, 3, 20}, b[] = {-2, -3, 0.5f, 10, 30, 31};
    double precision, recall;
    /* radii of a: 2, 1, 1, 2, 18; of b: 2.5, 3.5, 3.5, 12.5 (-2), 20, 21; b's balls hold 0 ... 20 (all five) */
    assert_int_equal(chl_precision_recall(5, a, 6, b, 1, 2, &precision, &recall), CHL_OK);
    assert_true(fabs(precision - 1) < 1e-12);
    /* -2: in 0's; -3: in none; 0.5, 10, 30, 31: in 0's and 20's */
    assert_true(fabs(recall - 5.0 / 6) < 1e-12);
    /* k 1: b's radii 1, 1, 2.5, 9.5, 1, 1: 0 ... 3 (3 by 0.5's, which ends there), 20 is 10 from 10 and 30 */
    assert_int_equal(chl_precision_recall(5, a, 6, b, 1, 1, &precision, &recall), CHL_OK);
    assert_true(fabs(precision - 0.8) < 1e-12);
    /* a's radii 1, 1, 1, 1, 17: 0.5, 10, 30, 31 */
    assert_true(fabs(recall - 4.0 / 6) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fid_of_a_scaled_copy_is_its_closed_form),
        cmocka_unit_test(kid_is_its_unbiased_estimate),
        cmocka_unit_test(precision_and_recall_count_balls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
