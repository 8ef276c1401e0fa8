/* A seed's z must be numpy's, so that it gives the same picture as other programs. Expected
 * numbers: numpy.random.RandomState(seed).randn(5). */
#include "base/numpy_random.h"
#include "edit/optimise.h"
#include "harness/parity.h"

static void normals_are_numpys(void **state) {
    (void)state;
    const struct {
        uint32_t seed;
        double z[5];
    } expected[] = {
        {0,
         {1.764052345967664, 0.400157208367223, 0.9787379841057392, 2.240893199201458,
          1.8675579901499675}},
        {85, {0.17685072, 2.37775412, 0.99873286, -1.3101508, 0.18018992}},
    };
    for (int s = 0; s < 2; s++) {
        float z[5];
        chl_numpy_normals(expected[s].seed, 5, z);
        for (int i = 0; i < 5; i++) assert_true(fabs((double)z[i] - expected[s].z[i]) < 1e-6);
    }
}

/* 20000 numbers refill the generator's state about eighty times
 * (tests/fixtures/make_numpy_normals.py). */
static void long_draws_are_numpys_beyond_each_refill(void **state) {
    (void)state;
    enum { COUNT = 20000, STEP = 97, KEPT = (COUNT + STEP - 1) / STEP };
    static float z[COUNT];
    chl_numpy_normals(1, COUNT, z);
    float *want = parity_array("numpy/normals", KEPT);
    for (int i = 0; i < KEPT; i++)
        if (!(fabsf(z[i * STEP] - want[i]) < 1e-6f))
            fail_msg("number %d is %.9g, numpy's %.9g", i * STEP, (double)z[i * STEP],
                     (double)want[i]);
    free(want);
}

static void rate_rises_and_falls(void **state) {
    (void)state;
    const int steps = 300;
    assert_true(chl_rate_factor(0, steps) > 0 && chl_rate_factor(0, steps) < 0.1f);
    assert_true(chl_rate_factor(100, steps) == 1);
    assert_true(chl_rate_factor(steps - 1, steps) > 0 && chl_rate_factor(steps - 1, steps) < 0.01f);
    for (int i = 230; i < steps; i++)
        assert_true(chl_rate_factor(i, steps) < chl_rate_factor(i - 1, steps));
    assert_true(chl_rate_factor(0, 1) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(normals_are_numpys),
                                       cmocka_unit_test(long_draws_are_numpys_beyond_each_refill),
                                       cmocka_unit_test(rate_rises_and_falls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
