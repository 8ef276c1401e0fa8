/* The harness of the op tests (harness/op_test.h): a case whose graph cannot be built is a failure
 * with the graph's reason, not the end of the program. */
#include "harness/op_test.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static int build_what_does_not_fit(chl_graph *g, const op_case *c, const chl_tensor *in,
                                   chl_tensor *out) {
    (void)c;
    out[0] = chl_add(g, in[0], in[1]);
    return 1;
}

static const op_case unfit = {
    .name = "sum",
    .label = "shapes that differ",
    .build = build_what_does_not_fit,
    .inputs = 2,
    .in = {{.desc = {CHL_F32, 1, {3}}, .fill = FILL_NORMAL, .gradient = true},
           {.desc = {CHL_F32, 1, {4}}, .fill = FILL_NORMAL, .gradient = true}}};

static void a_case_that_cannot_be_built_fails(void **state) {
    (void)state;
    static op_coverage coverage;
    assert_false(op_test_run(&unfit, chl_device_cpu(), &coverage));
    assert_int_equal(coverage.failed, 1);
}

static void nor_has_it_second_derivatives(void **state) {
    (void)state;
    static op_coverage coverage;
    op_test_second(&unfit, chl_device_cpu(), &coverage);
    assert_int_equal(coverage.failed, 1);
    assert_int_equal(coverage.skipped, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_case_that_cannot_be_built_fails),
                                       cmocka_unit_test(nor_has_it_second_derivatives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
