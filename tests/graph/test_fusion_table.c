/* kernels/fusion_table.h: its lines say what exists, and a typo does not go unnoticed. */
#include "graph/fusion_parse.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>

static void every_line_of_the_table_parses(void **state) {
    (void)state;
    chl_fusion_line line[CHL_FUSION_COUNT];
    assert_int_equal(chl_parse_fusion_table(line), CHL_OK);
    const chl_fusion_line *unit = &line[CHL_FUSION_unit_end];
    assert_int_equal(unit->count, 3);
    assert_int_equal(unit->op[2], CHL_OP_batch_norm);
    assert_int_equal(unit->pairs, 2);
    assert_true(unit->same[0][0].is_output && unit->same[0][1].index == 1);
    assert_true(unit->elides == 1 && unit->elided[0].call == 0);
    const chl_fusion_line *styles = &line[CHL_FUSION_linears_dx];
    assert_true(styles->any_number && styles->at_last);
    assert_int_equal(styles->op[0], CHL_OP_linear_dx);
    assert_false(line[CHL_FUSION_linears].at_last);
}

static void expect_error(const char *ops, const char *same, const char *elided, const char *word) {
    chl_fusion_line line;
    assert_int_equal(chl_parse_fusion("broken", ops, same, elided, &line), CHL_ERR_INTERNAL);
    assert_non_null(strstr(chl_error(), "broken"));
    assert_non_null(strstr(chl_error(), word));
}

static void a_typo_is_an_error_that_names_the_line_and_the_word(void **state) {
    (void)state;
    expect_error("sum layer_nrm", "0.y=1.x", "", "layer_nrm");
    expect_error("sum layer_nor", "0.y=1.x", "", "layer_nor");
    expect_error("sum layer_norm", "0.z=1.x", "", "0.z");
    expect_error("sum layer_norm", "0.y=1.", "", "1.");
    expect_error("sum layer_norm", "0.y=2.x", "", "2.x");
    expect_error("sum layer_norm", "0.y 1.x", "", "0.y");
    expect_error("sum layer_norm", "0.y=1.x", "y", "y");
    expect_error("sum layer_norm", "0.y=1.x", "0.why", "0.why");
    expect_error("sum", "", "", "sum");
    expect_error("sum sum sum", "", "0.y 1.y 2.y", "2.y");
    expect_error("smu*", "first", "", "smu");
    expect_error("sum*", "", "", "first or last");
    expect_error("sum*", "lats", "", "lats");
    expect_error("sum*", "first", "0.y", "elides");
    expect_error("sum sum sum sum sum sum sum sum sum sum mean", "", "", "mean");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_of_the_table_parses),
        cmocka_unit_test(a_typo_is_an_error_that_names_the_line_and_the_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
