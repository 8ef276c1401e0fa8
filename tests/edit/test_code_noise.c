/* Noise around the codes that an edit's steps look at. */
#include "edit/edit_private.h"
#include "edit_pair.h"

#define STEPS 8 /* the last two have no noise */
#define EXACT 6
#define AMOUNT 0.4

typedef struct seen {
    int count;
    float similarity[STEPS], latent[STEPS]; /* losses of the steps */
} seen;

static chl_edit_options options_of(int space, double noise) {
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = STEPS;
    options.space = (chl_space)space;
    options.code_noise = noise;
    options.seed = 5;
    return options;
}

static int watch(void *user, const chl_edit_progress *p) {
    seen *s = user;
    s->similarity[s->count] = p->similarity_loss;
    s->latent[s->count++] = p->latent_loss;
    return 0;
}

/* Of codes that stay where they are. */
static seen watch_still(chl_edit_options options, const float *at) {
    seen s = {0};
    options.rate = 1e-12f;
    options.progress = watch;
    options.user = &s;
    MUST(chl_edit(engine, &options, at, target, edited, NULL));
    assert_int_equal(s.count, STEPS);
    return s;
}

static void noise_falls_to_none_at_three_quarters(void **state) {
    (void)state;
    for (int i = 1; i < 100; i++) {
        const float before = chl_code_noise_at(0.4f, i - 1, 100),
                    now = chl_code_noise_at(0.4f, i, 100);
        assert_true(i < 75 ? now > 0 && now < before : now == 0);
    }
    assert_true(fabsf(chl_code_noise_at(0.4f, 37, 100) - 0.1f) < 1e-6f); /* half of it: a quarter */
}

static void draws_vary_as_mapped_codes_do(void **state) {
    (void)state;
    enum { DRAWS = 200 };
    const chl_code_statistics *codes;
    MUST(chl_generator_whitening(engine->generator, &codes));
    const chl_code_draws draws = {.latent = size.latent, .root = codes->root, .seed = 3};
    double squares = 0;
    float *u = malloc(sizeof *u * (size_t)(2 * size.latent)), *move = u + size.latent;
    for (uint64_t k = 0; k < DRAWS; k++) {
        chl_code_draw(&draws, k, 0.5f, u, move);
        for (int i = 0; i < size.latent; i++) squares += (double)move[i] * (double)move[i];
    }
    assert_true(fabs(squares / DRAWS / (0.25 * codes->variance) - 1) < 0.1);
    free(u);
}

/* The first step's loss is that of the picture at source + noise, on rows that may move only; L_reg is of
 * the source itself; the last steps see the source. */
static void a_step_looks_at_the_code_with_noise(void **state) {
    (void)state;
    const chl_code_statistics *codes;
    MUST(chl_generator_whitening(engine->generator, &codes));
    const chl_code_draws draws = {
        .latent = size.latent, .root = codes->root, .seed = 5, .purpose = CHL_CODE_NOISE_PURPOSE};
    float *u = malloc(sizeof *u * (size_t)(2 * size.latent)), *move = u + size.latent;
    int *rows = calloc((size_t)size.rows, sizeof *rows);
    rows[1] = rows[size.rows - 1] = 1;
    chl_code_draw(&draws, 0, chl_code_noise_at((float)AMOUNT, 0, STEPS), u, move);
    memcpy(other, source, sizeof(float) * (size_t)numbers);
    for (int64_t i = 0; i < numbers; i++)
        if (rows[i / size.latent]) other[i] += move[i % size.latent];
    for (int space = 0; space < 3; space++) {
        chl_edit_options options = options_of(space, AMOUNT);
        options.rows = rows;
        const seen noisy = watch_still(options, source);
        options.code_noise = 0;
        const seen still = watch_still(options, source), moved = watch_still(options, other);
        assert_true(fabsf(noisy.similarity[0] - moved.similarity[0]) < 1e-6f);
        for (int i = 0; i < STEPS; i++) {
            assert_true(noisy.latent[i] < 1e-6f);
            assert_true((noisy.similarity[i] != still.similarity[i]) == (i < EXACT));
        }
    }
    free(u);
    free(rows);
}

static void edits_of_a_batch_have_the_bits_of_single_ones(void **state) {
    (void)state;
    for (int space = 0; space < 3; space++) {
        const chl_edit_options options = options_of(space, AMOUNT);
        MUST(chl_edit_many(engine, &options, EDITS, source, target, edited, NULL));
        for (int i = 0; i < EDITS; i++) {
            MUST(chl_edit(engine, &options, source + i * numbers, target + i * size.embedding,
                          other, NULL));
            assert_memory_equal(edited + i * numbers, other, sizeof(float) * (size_t)numbers);
        }
        chl_edit_options again = options;
        again.seed = 6;
        MUST(chl_edit(engine, &again, source, target, other, NULL));
        assert_memory_not_equal(edited, other, sizeof(float) * (size_t)numbers);
    }
}

static void an_edit_from_another_code_has_no_noise(void **state) {
    (void)state;
    for (int noisy = 0; noisy < 2; noisy++) {
        const chl_edit_options options = options_of(CHL_SPACE_SHARED, noisy * AMOUNT);
        MUST(chl_edit_from(engine, &options, source, target, source + numbers,
                           noisy ? other : edited));
    }
    assert_memory_equal(edited, other, sizeof(float) * (size_t)numbers);
}

static void starts_have_noise_too(void **state) {
    (void)state;
    for (int noisy = 0; noisy < 2; noisy++) {
        chl_edit_options options = options_of(CHL_SPACE_SHARED, noisy * AMOUNT);
        options.starts = 2;
        MUST(chl_edit(engine, &options, source, target, noisy ? other : edited, NULL));
    }
    assert_memory_not_equal(edited, other, sizeof(float) * (size_t)numbers);
}

static void refuse(double noise, chl_status expected, const char *text) {
    const chl_edit_options options = options_of(CHL_SPACE_W, noise);
    assert_int_equal(chl_edit(engine, &options, source, target, edited, NULL), expected);
    if (!strstr(chl_error(), text)) fail_msg("%s does not say %s", chl_error(), text);
}

static void what_is_no_deviation_is_refused(void **state) {
    (void)state;
    refuse(-0.5, CHL_ERR_ARGUMENT, "code_noise must be >= 0, got -0.5");
    refuse(NAN, CHL_ERR_ARGUMENT, "code_noise must be >= 0, got nan");
    const int z = engine->generator->sizes.z;
    engine->generator->sizes.z = 0;
    refuse(0.1, CHL_ERR_UNSUPPORTED, "it has no mapping network, which tells how codes vary");
    engine->generator->sizes.z = z;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_falls_to_none_at_three_quarters),
        cmocka_unit_test(draws_vary_as_mapped_codes_do),
        cmocka_unit_test(a_step_looks_at_the_code_with_noise),
        cmocka_unit_test(edits_of_a_batch_have_the_bits_of_single_ones),
        cmocka_unit_test(an_edit_from_another_code_has_no_noise),
        cmocka_unit_test(starts_have_noise_too),
        cmocka_unit_test(what_is_no_deviation_is_refused)};
    return cmocka_run_group_tests(tests, open_models, close_models);
}
