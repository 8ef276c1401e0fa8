/* Edits of some rows of a code: the others keep their bits. */
#include "harness/random_engine.h"

#define EDITS 2
#define STEPS 2

static float *from, *edited, *other, *mask; /* [EDITS] */
static int *rows;                           /* every third may move */

static int open_models(void **state) {
    (void)state;
    random_engine_folder();
    random_engine_open("generator clip", EDITS);
    const size_t bytes = sizeof(float) * EDITS * (size_t)numbers;
    from = malloc(bytes);
    edited = malloc(bytes);
    other = malloc(bytes);
    mask = malloc(sizeof *mask * EDITS * (size_t)size.rows);
    rows = malloc(sizeof *rows * (size_t)size.rows);
    for (int i = 0; i < EDITS; i++)
        MUST(chl_seed_latent(engine, 8 + (uint64_t)i, 0.7f, from + i * numbers));
    for (int row = 0; row < size.rows; row++) rows[row] = row % 3 == 1;
    return 0;
}

static int close_models(void **state) {
    (void)state;
    void *all[] = {from, edited, other, mask, rows};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    return random_engine_close();
}

static chl_edit_options options_of(int space) {
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = STEPS;
    options.space = (chl_space)space;
    options.rows = rows;
    return options;
}

/* Rows that may move do, the others have the bits of `before`. */
static void expect_rows(const float *after, const float *before, int space) {
    const size_t bytes = sizeof(float) * (size_t)size.latent;
    for (int row = 0; row < size.rows; row++) {
        const size_t at = (size_t)row * (size_t)size.latent;
        const bool same = memcmp(after + at, before + at, bytes) == 0;
        if (same == (rows[row] != 0))
            fail_msg("space %d: row %d %s", space, row, same ? "did not move" : "moved");
    }
}

static void rows_that_may_not_move_keep_the_bits_of_the_source(void **state) {
    (void)state;
    for (int space = 0; space < 3; space++) {
        chl_edit_options options = options_of(space);
        for (int adaptive = 0; adaptive < 2; adaptive++) {
            options.adaptive_mask = adaptive;
            MUST(chl_edit_many(engine, &options, EDITS, source, target, edited, mask));
            for (int i = 0; i < EDITS; i++)
                expect_rows(edited + i * numbers, source + i * numbers, space);
        }
    }
}

static void rows_that_may_not_move_keep_the_bits_of_where_an_edit_begins(void **state) {
    (void)state;
    for (int space = 0; space < 3; space++) {
        const chl_edit_options options = options_of(space);
        if (space == CHL_SPACE_WHITENED) continue; /* begins at its source */
        MUST(chl_edit_from(engine, &options, source, target, from, edited));
        expect_rows(edited, from, space);
    }
}

/* Otherwise the softmax would leave L_reg to rows whose distance is 0. */
static void only_rows_that_may_move_share_the_layer_mask(void **state) {
    (void)state;
    const chl_edit_options options = options_of(CHL_SPACE_W);
    double sum = 0;
    MUST(chl_edit(engine, &options, source, target, edited, mask));
    for (int row = 0; row < size.rows; row++) {
        if (rows[row])
            sum += (double)mask[row];
        else
            assert_true(mask[row] < 1e-30f);
    }
    assert_true(fabs(sum - 1) < 1e-5);
}

static void letting_all_rows_move_changes_no_bit(void **state) {
    (void)state;
    int *all = malloc(sizeof *all * (size_t)size.rows);
    for (int row = 0; row < size.rows; row++) all[row] = 1;
    for (int space = 0; space < 3; space++) {
        chl_edit_options options = options_of(space);
        options.rows = NULL;
        MUST(chl_edit(engine, &options, source, target, other, NULL));
        options.rows = all;
        MUST(chl_edit(engine, &options, source, target, edited, NULL));
        assert_memory_equal(edited, other, sizeof(float) * (size_t)numbers);
    }
    free(all);
}

static void an_edit_of_rows_has_the_same_bits_in_a_batch(void **state) {
    (void)state;
    for (int space = 0; space < 3; space++) {
        const chl_edit_options options = options_of(space);
        MUST(chl_edit_many(engine, &options, EDITS, source, target, edited, NULL));
        MUST(chl_edit(engine, &options, source + numbers, target + size.embedding, other, NULL));
        assert_memory_equal(edited + numbers, other, sizeof(float) * (size_t)numbers);
    }
}

static void rows_that_make_no_sense_are_refused(void **state) {
    (void)state;
    char text[128];
    int *wrong = calloc((size_t)size.rows, sizeof *wrong);
    chl_edit_options options = options_of(CHL_SPACE_W);
    options.rows = wrong;
    assert_int_equal(chl_edit(engine, &options, source, target, edited, NULL), CHL_ERR_ARGUMENT);
    snprintf(text, sizeof text, "rows must let one of the %d rows move, got none", size.rows);
    assert_string_equal(chl_error(), text);
    wrong[1] = 2;
    assert_int_equal(chl_edit(engine, &options, source, target, edited, NULL), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "rows must be 0 or 1, got 2 at number 1");
    free(wrong);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_may_not_move_keep_the_bits_of_the_source),
        cmocka_unit_test(rows_that_may_not_move_keep_the_bits_of_where_an_edit_begins),
        cmocka_unit_test(only_rows_that_may_move_share_the_layer_mask),
        cmocka_unit_test(letting_all_rows_move_changes_no_bit),
        cmocka_unit_test(an_edit_of_rows_has_the_same_bits_in_a_batch),
        cmocka_unit_test(rows_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
