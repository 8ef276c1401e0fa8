/* What evaluations count with: logistic regression where its optimum is known, intervals of shares and means. */
#include "eval/classified.h"
#include "eval/logistic.h"
#include "harness/parity.h"
#include <math.h>

#define near(x, y, tolerance) assert_true(fabs((x) - (y)) <= (tolerance))

/* --- logistic regression ---------------------------------------------------------------------- */
/* Two classes at -1 and 1: by symmetry W = (-w, w), and where the gradient is 0,
 * n sigma(-2 w) = l2 w. */
static void the_optimum_of_two_points_is_known(void **unused) {
    (void)unused;
    const double x[] = {-1, 1, -1, 1};
    const int class_[] = {0, 1, 0, 1};
    chl_logistic fit;
    MUST(chl_logistic_fit(&(chl_logistic_data){4, 2, 1, x, class_, 0.5}, &fit));
    const double w = fit.weight[1];
    near(fit.weight[0], -w, 1e-6);
    near(4 / (1 + exp(2 * w)), 0.5 * w, 1e-6);
    assert_int_equal(chl_logistic_classify(&fit, (double[]){-0.1}), 0);
    assert_int_equal(chl_logistic_classify(&fit, (double[]){0.1}), 1);
    chl_logistic_free(&fit);
}

/* The gradient, written from the definition, is 0. */
static void a_fit_ends_where_the_gradient_is_zero(void **unused) {
    (void)unused;
    enum { N = 60, D = 5, K = 4 };
    double x[N * D], gradient[D + 1][K] = {{0}};
    int class_[N];
    float *numbers = parity_formula("logistic", 0, 1, N * D);
    for (int i = 0; i < N * D; i++) x[i] = (double)numbers[i] + (i / D % K == i % D ? 0.5 : 0);
    for (int i = 0; i < N; i++) class_[i] = i % K;
    chl_logistic fit;
    MUST(chl_logistic_fit(&(chl_logistic_data){N, K, D, x, class_, 2}, &fit));
    for (int i = 0; i < N; i++) {
        double p[K], sum = 0;
        for (int k = 0; k < K; k++) {
            p[k] = fit.weight[D * K + k];
            for (int j = 0; j < D; j++) p[k] += fit.weight[j * K + k] * x[i * D + j];
            sum += p[k] = exp(p[k]);
        }
        for (int k = 0; k < K; k++)
            for (int j = 0; j <= D; j++)
                gradient[j][k] += (p[k] / sum - (k == class_[i])) * (j < D ? x[i * D + j] : 1);
    }
    for (int j = 0; j <= D; j++)
        for (int k = 0; k < K; k++)
            near(gradient[j][k] + (j < D ? 2 * fit.weight[j * K + k] : 0), 0, 1e-5);
    chl_logistic_free(&fit);
    free(numbers);
}

/* --- intervals -------------------------------------------------------------------------------- */
static void intervals_are_those_of_draws_of_recordings(void **unused) {
    (void)unused;
    enum { N = 400 };
    int hit[N], group[N];
    double low, high, low_of_groups, high_of_groups;
    for (int i = 0; i < N; i++) hit[i] = i % 10 < 7;
    MUST(chl_bootstrap_share(N, hit, NULL, &low, &high));
    near((low + high) / 2, 0.7, 0.01); /* 0.7 +- 1.96 sqrt(0.7 0.3 / 400) */
    near((high - low) / 2, 0.0449, 0.005);
    for (int i = 0; i < N; i++) {
        group[i] = i / 4;
        hit[i] = group[i] % 10 < 7;
    }
    MUST(chl_bootstrap_share(N, hit, group, &low_of_groups, &high_of_groups));
    near((high_of_groups - low_of_groups) / 2, 2 * 0.0449, 0.01); /* a quarter as many */
    for (int i = 0; i < N; i++) hit[i] = 1;
    MUST(chl_bootstrap_share(N, hit, NULL, &low, &high));
    near(low, 1, 0);
    near(high, 1, 0);
    double x[N];
    for (int i = 0; i < N; i++) x[i] = 3 + (i % 2 ? 0.5 : -0.5);
    MUST(chl_bootstrap_mean(N, x, NULL, &low, &high));
    near((low + high) / 2, 3, 0.01); /* 3 +- 1.96 0.5 / sqrt(400) */
    near((high - low) / 2, 0.049, 0.006);
    MUST(chl_bootstrap_share(1, hit, NULL, &low, &high));
    assert_true(isnan(low) && isnan(high));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_optimum_of_two_points_is_known),
        cmocka_unit_test(a_fit_ends_where_the_gradient_is_zero),
        cmocka_unit_test(intervals_are_those_of_draws_of_recordings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
