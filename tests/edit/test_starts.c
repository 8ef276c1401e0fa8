/* Edits from several beginnings: the best of a few short optimisations goes on. */
#include "edit_pair.h"
#include "models/engine.h"

#define STEPS 8 /* a beginning is followed for two of them */
#define STARTS 3
#define ALL_STEPS (STEPS + STARTS * STEPS / 4)

typedef struct seen {
    int count, last_of;
    float *w;              /* [ALL_STEPS][numbers], of one edit */
    float loss[ALL_STEPS]; /* before the step */
    float latent_weight;
} seen;

static chl_edit_options options_of(int space, int starts) {
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = STEPS;
    options.space = (chl_space)space;
    options.starts = starts;
    return options;
}

static int watch(void *user, const chl_edit_progress *p) {
    seen *s = user;
    assert_int_equal(p->step, s->count + 1);
    assert_true(p->seconds_left >= 0);
    s->last_of = p->steps;
    s->loss[s->count] = p->similarity_loss + s->latent_weight * p->latent_loss;
    memcpy(s->w + s->count++ * numbers, p->w, sizeof(float) * (size_t)numbers);
    return 0;
}

static seen watch_edit(chl_edit_options options) {
    seen s = {.w = malloc(sizeof(float) * ALL_STEPS * (size_t)numbers),
              .latent_weight = options.latent_weight};
    options.progress = watch;
    options.user = &s;
    MUST(chl_edit(engine, &options, source, target, edited, NULL));
    return s;
}

static double distance(const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < numbers; i++) sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum);
}

static void one_start_is_the_plain_edit(void **state) {
    (void)state;
    chl_edit_options options = options_of(CHL_SPACE_W, 1);
    assert_int_equal(chl_edit_defaults(engine).starts, 1);
    assert_int_equal(chl_edit_steps(&options), STEPS);
    const seen s = watch_edit(options);
    assert_int_equal(s.count, STEPS);
    options.starts = 0;
    assert_int_equal(chl_edit_steps(&options), STEPS);
    free(s.w);
}

static void progress_counts_the_steps_of_all_starts(void **state) {
    (void)state;
    const chl_edit_options options = options_of(CHL_SPACE_SHARED, STARTS);
    const seen s = watch_edit(options);
    assert_int_equal(chl_edit_steps(&options), ALL_STEPS);
    assert_int_equal(s.count, ALL_STEPS);
    assert_int_equal(s.last_of, ALL_STEPS);
    assert_int_equal(chl_edit_steps(NULL), 0);
    chl_edit_options longer = options;
    longer.start_steps = 3;
    assert_int_equal(chl_edit_steps(&longer), STEPS + STARTS * 3);
    free(s.w);
}

/* Where each beginning ended, and where the edit went on: its first step is a small one. */
static void the_start_with_the_smallest_loss_goes_on(void **state) {
    (void)state;
    for (int space = 0; space < 3; space++)
        for (uint64_t seed = 1; seed < 3; seed++) {
            chl_edit_options options = options_of(space, STARTS);
            options.rate = 1e-3f;
            options.seed = seed;
            options.latent_weight = 0.1f; /* it has its say in which is best */
            const seen s = watch_edit(options);
            int best = 0, nearest = 0;
            for (int k = 1; k < STARTS; k++) {
                const float *after = s.w + 2 * STARTS * numbers;
                if (s.loss[2 * k + 1] < s.loss[2 * best + 1]) best = k;
                if (distance(after, s.w + (2 * k + 1) * numbers) <
                    distance(after, s.w + (2 * nearest + 1) * numbers))
                    nearest = k;
            }
            if (nearest != best)
                fail_msg("space %d, seed %d: number %d is the best, number %d went on", space,
                         (int)seed, best, nearest);
            free(s.w);
        }
}

/* Around the source, 0.4 of the way that mapped codes lie from their mean, on all rows alike. */
static void starts_lie_around_the_source_as_mapped_codes_vary(void **state) {
    (void)state;
    const chl_code_statistics *codes;
    MUST(chl_generator_statistics(engine->generator, &codes));
    for (int space = 0; space < 3; space++) {
        double squares = 0;
        for (uint64_t seed = 0; seed < 4; seed++) {
            chl_edit_options options = options_of(space, STARTS);
            options.rate = 1e-9f;
            options.seed = seed;
            const seen s = watch_edit(options);
            assert_true(distance(s.w, source) < 1e-4); /* the first is the source */
            for (int k = 1; k < STARTS; k++)
                squares += pow(distance(s.w + 2 * k * numbers, source), 2);
            free(s.w);
        }
        const double expected = 0.4 * 0.4 * codes->variance * size.rows;
        assert_true(fabs(squares / (4 * (STARTS - 1)) / expected - 1) < 0.4);
    }
}

/* Of a small rate and without L_reg, so that other beginnings than the source are the best ones too. */
static void edits_of_a_batch_have_the_bits_of_single_ones(void **state) {
    (void)state;
    int elsewhere = 0;
    for (int space = 0; space < 3; space++) {
        chl_edit_options options = options_of(space, STARTS);
        options.rate = 1e-4f;
        options.latent_weight = 0;
        options.seed = 1;
        MUST(chl_edit_many(engine, &options, EDITS, source, target, edited, NULL));
        for (int i = 0; i < EDITS; i++) {
            MUST(chl_edit(engine, &options, source + i * numbers, target + i * size.embedding,
                          other, NULL));
            assert_memory_equal(edited + i * numbers, other, sizeof(float) * (size_t)numbers);
            elsewhere += distance(other, source + i * numbers) > 0.1;
        }
    }
    assert_true(elsewhere > 0);
}

static void rows_that_may_not_move_keep_the_bits_of_the_source(void **state) {
    (void)state;
    int *rows = malloc(sizeof *rows * (size_t)size.rows);
    for (int row = 0; row < size.rows; row++) rows[row] = row % 3 == 1;
    for (int space = 0; space < 3; space++) {
        chl_edit_options options = options_of(space, STARTS);
        options.rows = rows;
        const seen s = watch_edit(options);
        for (int i = 0; i < s.count * size.rows; i++) {
            const size_t at = (size_t)i * (size_t)size.latent, row = (size_t)(i % size.rows);
            const bool same = memcmp(s.w + at, source + row * (size_t)size.latent,
                                     sizeof(float) * (size_t)size.latent) == 0;
            if (!rows[row] && !same)
                fail_msg("space %d, step %d: row %d moved", space, i / size.rows + 1, (int)row);
        }
        free(s.w);
    }
    free(rows);
}

static void a_goal_begins_at_the_best_start(void **state) {
    (void)state;
    chl_goal_options goal = chl_goal_defaults();
    goal.keep = CHL_KEEP_DISTANCE;
    goal.bound = 1e-3f;
    goal.rounds = 0;
    chl_goal_result result;
    const chl_edit_options options = options_of(CHL_SPACE_SHARED, STARTS);
    MUST(chl_edit(engine, &options, source, target, other, NULL));
    MUST(chl_edit_to_goal(engine, &options, &goal, 1, source, target, edited, &result));
    assert_int_equal(result.steps, ALL_STEPS);
    double moved = 0, between = 0; /* it lies on the line from the source to the edit */
    for (int64_t i = 0; i < numbers; i++) {
        moved += ((double)edited[i] - (double)source[i]) * ((double)other[i] - (double)source[i]);
        between += pow((double)other[i] - (double)source[i], 2);
    }
    assert_true(moved > 0.99 * distance(edited, source) * sqrt(between));
}

static int stop_at_3(void *user, const chl_edit_progress *p) {
    (void)user;
    return p->step == 3;
}

static void a_stopped_search_leaves_the_codes_that_it_has(void **state) {
    (void)state;
    chl_edit_options options = options_of(CHL_SPACE_W, STARTS);
    options.progress = stop_at_3;
    assert_int_equal(chl_edit(engine, &options, source, target, edited, NULL), CHL_ERR_CANCELLED);
    for (int64_t i = 0; i < numbers; i++) assert_true(isfinite(edited[i]));
    assert_true(distance(edited, source) > 0);
}

static void negative_numbers_are_refused(void **state) {
    (void)state;
    chl_edit_options options = options_of(CHL_SPACE_W, -1);
    assert_int_equal(chl_edit(engine, &options, source, target, edited, NULL), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "starts must be >= 0, got -1"));
    options = options_of(CHL_SPACE_W, 2);
    options.start_steps = -3;
    assert_int_equal(chl_edit(engine, &options, source, target, edited, NULL), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "start_steps must be >= 0, got -3"));
}

static void a_generator_without_a_mapping_network_has_one_start(void **state) {
    (void)state;
    const int z = engine->generator->sizes.z;
    chl_edit_options options = options_of(CHL_SPACE_W, 2);
    engine->generator->sizes.z = 0;
    const chl_status status = chl_edit(engine, &options, source, target, edited, NULL);
    engine->generator->sizes.z = z;
    assert_int_equal(status, CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "starts must be 1 for "));
    assert_non_null(strstr(chl_error(), "it has no mapping network, which tells how codes vary"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_start_is_the_plain_edit),
        cmocka_unit_test(progress_counts_the_steps_of_all_starts),
        cmocka_unit_test(the_start_with_the_smallest_loss_goes_on),
        cmocka_unit_test(starts_lie_around_the_source_as_mapped_codes_vary),
        cmocka_unit_test(edits_of_a_batch_have_the_bits_of_single_ones),
        cmocka_unit_test(rows_that_may_not_move_keep_the_bits_of_the_source),
        cmocka_unit_test(a_goal_begins_at_the_best_start),
        cmocka_unit_test(a_stopped_search_leaves_the_codes_that_it_has),
        cmocka_unit_test(negative_numbers_are_refused),
        cmocka_unit_test(a_generator_without_a_mapping_network_has_one_start),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
