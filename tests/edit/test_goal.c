/* Edits as strong as a bound allows, and edits of a region. On small random models: what they show means
 * nothing, but bounds, bits and curves do. */
#include "harness/random_engine.h"
#include "harness/small_models.h"
#include "nets/stylegan2.h"

#define MANY 3
#define STEPS 5

static float *edited, *region;
static chl_goal_result result[MANY];

#define EMBED 32

static void make_models(void) {
    const chl_stylegan2_shape generator = {32, 1024, 64, 64, 64, 3};
    chl_params *params;
    MUST(chl_stylegan2_random(&generator, 1, &params));
    save_model(params, "generator.safetensors");
    save_small_clip(1, EMBED, 2, "clip.safetensors");
}

static int open_models(void **state) {
    (void)state;
    random_engine_folder();
    make_models();
    random_engine_open("generator clip face", MANY);
    edited = malloc(sizeof(float) * MANY * (size_t)numbers);
    region = calloc((size_t)size.picture * (size_t)size.picture, sizeof *region);
    for (int i = 0; i < size.picture * size.picture / 2; i++)
        region[i] = i % size.picture ? 1 : 0.25f; /* the upper half, and little of its left end */
    return 0;
}

static int close_models(void **state) {
    (void)state;
    free(edited);
    free(region);
    return random_engine_close();
}

static chl_edit_options quick(void) {
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = STEPS;
    options.identity_weight = 0;
    return options;
}

static double dot(int64_t count, const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double distance(const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < numbers; i++) sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum / size.rows);
}

static float *picture_of(const float *w) {
    float *pixels = malloc(sizeof(float) * 3 * (size_t)size.picture * (size_t)size.picture);
    MUST(chl_generate(engine, 1, w, pixels));
    return pixels;
}

/* as the header defines it */
static double change_outside(const float *w, const float *from) {
    float *a = picture_of(w), *b = picture_of(from);
    double sum = 0, area = 0;
    for (int i = 0; i < size.picture * size.picture; i++) {
        const double counts = 1 - (double)region[i];
        area += counts;
        for (int c = 0; c < 3; c++)
            sum += counts * fabs((double)a[3 * i + c] - (double)b[3 * i + c]) / (3 * 2);
    }
    free(a);
    free(b);
    return sum / area;
}

/* view, identity: of a code's picture */
static void look(const float *w, float *view, float *identity) {
    float *pixels = picture_of(w);
    MUST(chl_embed_picture(engine, size.picture, size.picture, pixels, view));
    if (identity) MUST(chl_embed_face(engine, size.picture, size.picture, pixels, identity));
    free(pixels);
}

static double strength(const float *w, int i) {
    float *view = malloc(sizeof(float) * (size_t)size.embedding);
    look(w, view, NULL);
    const double cosine = dot(size.embedding, view, target + i * size.embedding);
    free(view);
    return cosine;
}

/* as the header defines it */
static double kept(chl_kept keep, const float *w, const float *from) {
    float *views = malloc(sizeof(float) * 2 * (size_t)size.embedding);
    float *faces = malloc(sizeof(float) * 2 * (size_t)size.face);
    const bool face = keep == CHL_KEEP_IDENTITY;
    if (keep == CHL_KEEP_OUTSIDE) {
        free(views);
        free(faces);
        return change_outside(w, from);
    }
    look(w, views, face ? faces : NULL);
    look(from, views + size.embedding, face ? faces + size.face : NULL);
    const double value = keep == CHL_KEEP_DISTANCE ? distance(w, from)
                         : keep == CHL_KEEP_CLIP
                             ? 1 - dot(size.embedding, views, views + size.embedding)
                             : dot(size.face, faces, faces + size.face);
    free(views);
    free(faces);
    return value;
}

/* Half of the smallest change that a plain edit makes: all of them break it. */
static float bound_for(chl_kept keep, const chl_edit_options *options) {
    double change = INFINITY;
    MUST(chl_edit_many(engine, options, MANY, source, target, edited, NULL));
    for (int i = 0; i < MANY; i++) {
        const double value = kept(keep, edited + i * numbers, source + i * numbers);
        change = fmin(change, (keep == CHL_KEEP_IDENTITY ? 1 - value : value) / 2);
    }
    return (float)(keep == CHL_KEEP_IDENTITY ? 1 - change : change);
}

static const struct {
    chl_kept keep;
    chl_space space;
} cases[] = {{CHL_KEEP_DISTANCE, CHL_SPACE_W},
             {CHL_KEEP_CLIP, CHL_SPACE_SHARED},
             {CHL_KEEP_IDENTITY, CHL_SPACE_WHITENED},
             {CHL_KEEP_OUTSIDE, CHL_SPACE_W}};
#define CASES (sizeof cases / sizeof cases[0])

static void begin_case(size_t c, chl_edit_options *options, chl_goal_options *goal) {
    *options = quick();
    options->space = cases[c].space;
    if (cases[c].keep == CHL_KEEP_OUTSIDE) options->region = region;
    *goal = chl_goal_defaults();
    goal->keep = cases[c].keep;
    goal->bound = bound_for(goal->keep, options);
}

static void bounds_hold_within_the_tolerance(void **state) {
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        chl_edit_options options;
        chl_goal_options goal;
        begin_case(c, &options, &goal);
        MUST(chl_edit_to_goal(engine, &options, &goal, MANY, source, target, edited, result));
        for (int i = 0; i < MANY; i++) {
            const double value = kept(goal.keep, edited + i * numbers, source + i * numbers);
            const double bound = (double)goal.bound;
            const double room = goal.keep == CHL_KEEP_IDENTITY ? value - bound : bound - value;
            if (!(room >= -1e-5 && room <= 0.02 * bound + 1e-5 && result[i].within))
                fail_msg("keep %d, edit %d: %g of %g", (int)goal.keep, i, value, bound);
            assert_true(fabs((double)result[i].point[result[i].chosen].kept - value) < 1e-5);
        }
    }
}

static void a_search_does_not_depend_on_its_neighbours(void **state) {
    (void)state;
    const chl_edit_options options = quick();
    chl_goal_options goal = chl_goal_defaults();
    chl_goal_result alone;
    goal.rounds = 2;
    float *one = malloc(sizeof(float) * (size_t)numbers);
    goal.bound = bound_for(CHL_KEEP_DISTANCE, &options);
    MUST(chl_edit_to_goal(engine, &options, &goal, MANY, source, target, edited, result));
    for (int i = 0; i < MANY; i++) {
        MUST(chl_edit_to_goal(engine, &options, &goal, 1, source + i * numbers,
                              target + i * size.embedding, one, &alone));
        assert_memory_equal(one, edited + i * numbers, sizeof(float) * (size_t)numbers);
        assert_memory_equal(&alone, &result[i], sizeof alone);
    }
    free(one);
}

/* less: a code at a share of the way from a source to its edit; whether it keeps the bound with as much
 * room as the search may leave. */
static bool keeps_at(const chl_goal_options *goal, const float *from, const float *to, double share,
                     float *less) {
    const double margin = (double)goal->tolerance * fabs((double)goal->bound);
    for (int64_t k = 0; k < numbers; k++)
        less[k] = (float)((1 - share) * (double)from[k] + share * (double)to[k]);
    const double value = kept(goal->keep, less, from);
    return goal->keep == CHL_KEEP_IDENTITY ? value >= (double)goal->bound + margin
                                           : value <= (double)goal->bound - margin;
}

/* less: the first place on the way back from an edit that does. */
static void turn_down(const chl_goal_options *goal, const float *from, const float *to,
                      float *less) {
    double keeps = 1, breaks = 1;
    while (!keeps_at(goal, from, to, keeps, less)) {
        breaks = keeps;
        keeps -= 0.125;
        assert_true(keeps > 0);
    }
    assert_true(keeps < 1);
    for (int i = 0; i < 6; i++) {
        const double middle = (keeps + breaks) / 2;
        *(keeps_at(goal, from, to, middle, less) ? &keeps : &breaks) = middle;
    }
    assert_true(keeps_at(goal, from, to, keeps, less));
}

static void no_result_is_weaker_than_the_plain_edit_turned_down(void **state) {
    (void)state;
    const size_t codes = sizeof(float) * MANY * (size_t)numbers;
    float *plain = malloc(codes), *less = malloc(sizeof(float) * (size_t)numbers);
    for (size_t c = 0; c < CASES; c++) {
        chl_edit_options options;
        chl_goal_options goal;
        begin_case(c, &options, &goal);
        if (goal.keep == CHL_KEEP_IDENTITY) /* of the change: these models' faces hardly differ */
            goal.tolerance *= (1 - goal.bound) / goal.bound;
        memcpy(plain, edited, codes);
        double turned_down[MANY];
        for (int i = 0; i < MANY; i++) {
            turn_down(&goal, source + i * numbers, plain + i * numbers, less);
            turned_down[i] = strength(less, i);
        }
        for (goal.rounds = 0; goal.rounds <= 2; goal.rounds += 2) {
            goal.round_steps = goal.rounds ? 1 : 0; /* a bad search */
            MUST(chl_edit_to_goal(engine, &options, &goal, MANY, source, target, edited, result));
            for (int i = 0; i < MANY; i++)
                if (!(strength(edited + i * numbers, i) > turned_down[i] - 1e-4))
                    fail_msg("case %d, %d rounds, edit %d: %g, turned down %g", (int)c, goal.rounds,
                             i, strength(edited + i * numbers, i), turned_down[i]);
        }
    }
    free(plain);
    free(less);
}

/* --- regions ---------------------------------------------------------------------------------- */
static void the_change_outside_a_region_is_the_mean_difference_there(void **state) {
    (void)state;
    float *a = picture_of(source), *b = picture_of(source + numbers), change;
    MUST(chl_change_outside(engine, region, a, b, &change));
    const double expected = change_outside(source, source + numbers);
    assert_true(expected > 0.01 && fabs((double)change - expected) < 1e-6);
    free(a);
    free(b);
}

static void an_edit_of_a_region_changes_less_outside(void **state) {
    (void)state;
    chl_edit_options options = quick();
    double before[MANY];
    options.steps = 20;
    options.region = region;
    options.region_weight = 0;
    MUST(chl_edit_many(engine, &options, MANY, source, target, edited, NULL));
    for (int i = 0; i < MANY; i++)
        before[i] = change_outside(edited + i * numbers, source + i * numbers);
    options.region_weight = 4;
    MUST(chl_edit_many(engine, &options, MANY, source, target, edited, NULL));
    for (int i = 0; i < MANY; i++) {
        const double after = change_outside(edited + i * numbers, source + i * numbers);
        if (!(after < 0.7 * before[i])) fail_msg("edit %d: %g after %g", i, after, before[i]);
        assert_true(strength(edited + i * numbers, i) > strength(source + i * numbers, i));
    }
}

static void an_edit_of_a_region_does_not_depend_on_its_neighbours(void **state) {
    (void)state;
    chl_edit_options options = quick();
    float *one = malloc(sizeof(float) * (size_t)numbers);
    options.region = region;
    MUST(chl_edit_many(engine, &options, MANY, source, target, edited, NULL));
    MUST(chl_edit(engine, &options, source + numbers, target + size.embedding, one, NULL));
    assert_memory_equal(one, edited + numbers, sizeof(float) * (size_t)numbers);
    free(one);
}

static void expect_region(float value, float rest, const char *text) {
    chl_edit_options options = quick();
    float *mine = malloc(sizeof(float) * (size_t)size.picture * (size_t)size.picture);
    for (int i = 0; i < size.picture * size.picture; i++) mine[i] = i == 3 ? value : rest;
    options.region = mine;
    assert_int_equal(chl_edit(engine, &options, source, target, edited, NULL), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), text);
    free(mine);
}

static void regions_that_cannot_be_are_refused(void **state) {
    (void)state;
    expect_region(2, 0, "region must be in [0, 1], got 2 at number 3");
    expect_region(NAN, 0, "region must be in [0, 1], got nan at number 3");
    expect_region(1, 1, "region must be below 1 somewhere, got a region that is the whole picture");
    expect_region(0, 0,
                  "region must be above 0 somewhere, got a region without a pixel that may "
                  "change");
    chl_edit_options options = quick();
    chl_goal_options goal = chl_goal_defaults();
    goal.keep = CHL_KEEP_OUTSIDE;
    assert_int_equal(chl_edit_to_goal(engine, &options, &goal, 1, source, target, edited, result),
                     CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "keeping what lies outside needs region");
}

static void a_bound_that_does_not_bind_costs_nothing_of_the_strength(void **state) {
    (void)state;
    const chl_edit_options options = quick();
    chl_goal_options goal = chl_goal_defaults();
    goal.bound = 1e6f;
    MUST(chl_edit_to_goal(engine, &options, &goal, 1, source, target, edited, result));
    assert_true(result->slack && !result->within);
    bool zero = false;
    for (int i = 0; i < result->points; i++) {
        zero = zero || result->point[i].weight == 0;
        assert_true(result->point[i].cosine <= result->point[result->chosen].cosine);
    }
    assert_true(zero);
    assert_true(strength(edited, 0) >= (double)result->point[0].cosine - 1e-6);
}

static int stop_at_6(void *user, const chl_edit_progress *progress) {
    int *last = user;
    assert_null(progress->w);
    assert_true(progress->step == *last + 1 && progress->step <= progress->steps);
    *last = progress->step;
    return progress->step == 6;
}

static void a_stopped_search_keeps_the_bound(void **state) {
    (void)state;
    chl_edit_options options = quick();
    chl_goal_options goal = chl_goal_defaults();
    goal.bound = bound_for(CHL_KEEP_DISTANCE, &options);
    int last = 0;
    options.progress = stop_at_6; /* in the second round */
    options.user = &last;
    assert_int_equal(chl_edit_to_goal(engine, &options, &goal, 1, source, target, edited, result),
                     CHL_ERR_CANCELLED);
    assert_int_equal(last, 6);
    assert_true(distance(edited, source) <= (double)goal.bound);
}

static void expect(const chl_edit_options *options, const chl_goal_options *goal,
                   const char *text) {
    assert_int_equal(chl_edit_to_goal(engine, options, goal, 1, source, target, edited, result),
                     CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), text);
}

static void goals_that_cannot_be_are_refused(void **state) {
    (void)state;
    chl_edit_options options = quick();
    chl_goal_options goal = chl_goal_defaults();
    goal.bound = 0;
    expect(&options, &goal, "bound must be > 0, got 0");
    goal.bound = 1;
    goal.keep = CHL_KEEP_IDENTITY;
    expect(&options, &goal, "bound must be in (-1, 1), got 1");
    goal = chl_goal_defaults();
    goal.rounds = 40;
    expect(&options, &goal, "rounds must be in [0, 39], got 40");
    goal.rounds = 3;
    goal.weights_at_once = 14;
    expect(&options, &goal, "weights_at_once must be >= 1, and at most 39 / rounds, got 14");
    goal.weights_at_once = 3;
    options.latent_weight = 0;
    expect(&options, &goal, "latent_weight must be > 0 for a goal, got 0");
}

static void the_curve_is_drawn(void **state) {
    (void)state;
    static const char *const name[] = {"a", "b", "c"};
    const chl_edit_options options = quick();
    chl_goal_options goal = chl_goal_defaults();
    goal.bound = bound_for(CHL_KEEP_DISTANCE, &options);
    MUST(chl_edit_to_goal(engine, &options, &goal, MANY, source, target, edited, result));
    MUST(chl_goal_plot(&goal, MANY, result, name, "curve.png"));
    int height, width;
    float *pixels;
    MUST(chl_picture_read("curve.png", &height, &width, &pixels));
    int blue = 0; /* the first line's colour, 0x0072b2 */
    for (int i = 0; i < height * width; i++)
        blue += pixels[3 * i] == -1 && fabsf(pixels[3 * i + 2] - 0.396f) < 0.01f;
    chl_release(pixels);
    assert_true(blue > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_hold_within_the_tolerance),
        cmocka_unit_test(a_search_does_not_depend_on_its_neighbours),
        cmocka_unit_test(no_result_is_weaker_than_the_plain_edit_turned_down),
        cmocka_unit_test(a_bound_that_does_not_bind_costs_nothing_of_the_strength),
        cmocka_unit_test(a_stopped_search_keeps_the_bound),
        cmocka_unit_test(goals_that_cannot_be_are_refused),
        cmocka_unit_test(the_curve_is_drawn),
        cmocka_unit_test(the_change_outside_a_region_is_the_mean_difference_there),
        cmocka_unit_test(an_edit_of_a_region_changes_less_outside),
        cmocka_unit_test(an_edit_of_a_region_does_not_depend_on_its_neighbours),
        cmocka_unit_test(regions_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
