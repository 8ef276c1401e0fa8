/* Gradients of gradients, and what refuses to be differentiated. */
#include "graph/build.h"
#include "graph/graph_private.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <math.h>

#define COUNT 4
static const float data[COUNT] = {1, -2, 3, 0.5f};

static chl_graph *new_graph(chl_tensor *x) {
    chl_graph *g;
    assert_int_equal(chl_graph_new(chl_device_cpu(), &g), CHL_OK);
    *x = chl_param(g, "x", chl_f32(1, COUNT), data, CHL_TRAINABLE);
    return g;
}

/* <gradient, 1> as a loss to differentiate once more */
static chl_tensor total(chl_graph *g, chl_tensor gradient) {
    return chl_scale(g, chl_mean(g, gradient), COUNT);
}

static chl_tensor gradient_of(chl_graph *g, chl_tensor loss, chl_tensor x) {
    chl_tensor dx;
    chl_grad(g, loss, 1, &x, &dx);
    return dx;
}

static void expect(chl_graph *g, chl_tensor kept, const float *want) {
    for (int run = 0; run < 2; run++) { /* a second run must not add to the first one's result */
        float got[COUNT];
        assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
        assert_int_equal(chl_read(g, kept, got), CHL_OK);
        for (int i = 0; i < COUNT; i++) assert_true(fabsf(got[i] - want[i]) < 1e-5f);
    }
}

/* Both factors are x: the second contribution must not be lost when its sum is differentiated. */
static void second_derivative_of_mean_square_is_2_over_n(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_tensor dx = gradient_of(g, chl_mean(g, chl_mul(g, x, x)), x);
    const chl_tensor d2 = chl_keep(g, gradient_of(g, total(g, dx), x));
    chl_keep(g, dx);
    assert_int_equal(chl_compile(g), CHL_OK);
    const float half = 2.0f / COUNT;
    expect(g, d2, (float[COUNT]){half, half, half, half});
    float first[COUNT]; /* and what is differentiated keeps its own value */
    assert_int_equal(chl_read(g, dx, first), CHL_OK);
    for (int i = 0; i < COUNT; i++) assert_true(fabsf(first[i] - half * data[i]) < 1e-6f);
    chl_graph_free(g);
}

/* x^4 as a product of products: 4 x^3, 12 x^2, 24 x */
static void a_gradient_is_differentiated_any_number_of_times(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_tensor square = chl_mul(g, x, x);
    chl_tensor d[3];
    d[0] = gradient_of(g, total(g, chl_mul(g, square, square)), x);
    for (int i = 1; i < 3; i++) d[i] = gradient_of(g, total(g, d[i - 1]), x);
    for (int i = 0; i < 3; i++) chl_keep(g, d[i]);
    assert_int_equal(chl_compile(g), CHL_OK);
    float want[3][COUNT];
    for (int i = 0; i < COUNT; i++) {
        const float v = data[i];
        want[0][i] = 4 * v * v * v;
        want[1][i] = 12 * v * v;
        want[2][i] = 24 * v;
    }
    for (int i = 0; i < 3; i++) expect(g, d[i], want[i]);
    chl_graph_free(g);
}

/* The gradient of a residual's input is the tensor that is its output's: it may not be added to. */
static void a_partial_sum_that_is_read_later_keeps_its_value(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_tensor y = chl_mul(g, x, x), z = chl_add(g, y, x);
    const chl_tensor loss = total(g, chl_mul(g, z, z));
    const chl_tensor wrt[2] = {x, y};
    chl_tensor d[2];
    chl_grad(g, loss, 2, wrt, d);
    for (int i = 0; i < 2; i++) chl_keep(g, d[i]);
    assert_int_equal(chl_compile(g), CHL_OK);
    float dx[COUNT], dy[COUNT];
    for (int i = 0; i < COUNT; i++) {
        dy[i] = 2 * (data[i] * data[i] + data[i]);
        dx[i] = dy[i] * (2 * data[i] + 1);
    }
    expect(g, d[1], dy);
    expect(g, d[0], dx);
    chl_graph_free(g);
}

/* Planned, no sum of first-order gradients is left: all are additions in place. */
static void sums_of_gradients_become_additions_in_place(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    chl_keep(g, gradient_of(g, chl_mean(g, chl_mul(g, x, x)), x));
    chl_plan plan;
    assert_int_equal(chl_dry_run(g, &plan), CHL_OK);
    int products = 0, adding = 0;
    for (int32_t n = 0; n < g->nodes; n++) {
        assert_int_not_equal(g->node[n].op, CHL_OP_sum);
        products += g->node[n].op == CHL_OP_mul;
        adding += g->node[n].accumulate != 0;
    }
    assert_int_equal(products, 3);
    assert_int_equal(adding, 1);
    chl_graph_free(g);
}

/* A later segment runs many times for one run of the first: it may not add to what that left. */
static void additions_stay_inside_their_segment(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_tensor dx = gradient_of(g, total(g, chl_mul(g, x, x)), x);
    const chl_segment second = chl_begin_segment(g);
    const chl_tensor loss = chl_add(g, total(g, chl_mul(g, dx, dx)), total(g, dx));
    const chl_tensor d2 = chl_keep(g, gradient_of(g, loss, x));
    assert_int_equal(chl_compile(g), CHL_OK);
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
    for (int run = 0; run < 3; run++) {
        float got[COUNT];
        assert_int_equal(chl_run(g, second), CHL_OK);
        assert_int_equal(chl_read(g, d2, got), CHL_OK);
        for (int i = 0; i < COUNT; i++) assert_true(fabsf(got[i] - (8 * data[i] + 2)) < 1e-5f);
    }
    chl_graph_free(g);
}

static void expect_refusal(chl_graph *g, const char *op) {
    assert_int_equal(chl_compile(g), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), op));
    chl_graph_free(g);
}

static void a_missing_rule_is_an_error_that_names_the_op(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_mel_settings mel = {.rate = 8000, .fft = 16, .hop = 4, .bands = 2, .min_power = 1};
    const chl_tensor wave = chl_reshape(g, x, chl_f32(2, 1, COUNT));
    gradient_of(g, chl_mean(g, chl_log_mel(g, wave, &mel)), x);
    expect_refusal(g, "log_mel has no gradient rule");
}

static void an_absolute_log_mel_that_no_band_hears_is_refused(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_mel_settings mel = {
        .rate = 8000, .fft = 2, .hop = 1, .bands = 2, .absolute = true, .min_power = 1};
    chl_log_mel(g, chl_reshape(g, x, chl_f32(2, 1, COUNT)), &mel);
    assert_int_equal(chl_compile(g), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "expected a larger fft, or absolute false"));
    chl_graph_free(g);
}

/* As the first gradient: the first of equal ones. L = y^2 / 2 and v = 3 x give <v, dL/dx> = 3 y x.
 */
static void the_first_of_equal_maxima_has_the_second_derivative(void **state) {
    (void)state;
    const float equal[COUNT] = {1, 5, 5, 5}, want[COUNT] = {0, 30, 0, 0};
    chl_graph *g;
    assert_int_equal(chl_graph_new(chl_device_cpu(), &g), CHL_OK);
    const chl_tensor x = chl_param(g, "x", chl_f32(4, 1, 2, 2, 1), equal, CHL_TRAINABLE);
    const chl_tensor y = chl_max_pool(g, x, 2, 2, 0);
    const chl_tensor dx = gradient_of(g, chl_scale(g, chl_mean(g, chl_mul(g, y, y)), 0.5f), x);
    const chl_tensor along = total(g, chl_mul(g, dx, chl_scale(g, x, 3)));
    const chl_tensor d2 = chl_keep(g, gradient_of(g, along, x));
    assert_int_equal(chl_compile(g), CHL_OK);
    expect(g, d2, want);
    chl_graph_free(g);
}

/* What an optimiser changed is no function of the old value that the graph could differentiate. */
static void a_gradient_through_an_update_is_an_error_that_names_it(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_tensor average = chl_average(g, x, 0.9f);
    gradient_of(g, total(g, chl_mul(g, average, x)), x);
    expect_refusal(g, "ema");
    g = new_graph(&x);
    const chl_tensor dx = gradient_of(g, chl_mean(g, chl_mul(g, x, x)), x);
    chl_adam(g, x, dx,
             &(chl_adam_settings){.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1});
    gradient_of(g, chl_mean(g, chl_mul(g, x, x)), x);
    expect_refusal(g, "adam");
}

/* A stopped tensor is a beginning of its own: a constant to what came before, and a `wrt`. */
static void a_stopped_tensor_may_be_asked_for_its_gradient(void **state) {
    (void)state;
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_tensor y = chl_stop_gradient(g, chl_scale(g, x, 3));
    const chl_tensor dy = chl_keep(g, gradient_of(g, total(g, chl_mul(g, y, y)), y));
    assert_int_equal(chl_compile(g), CHL_OK);
    float want[COUNT];
    for (int i = 0; i < COUNT; i++) want[i] = 6 * data[i];
    expect(g, dy, want);
    chl_graph_free(g);
}

/* Parts may be built in any order, and a gradient that is differentiated has nodes of its own. */
static void a_gradients_nodes_belong_to_the_part_that_they_differentiate(void **state) {
    (void)state;
    chl_tensor x, dx;
    chl_graph *g = new_graph(&x);
    chl_graph_part(g, 1);
    const chl_tensor y = chl_activate(g, x, CHL_GELU, 0);
    chl_graph_part(g, 2);
    const chl_tensor loss = chl_mean(g, y);
    chl_grad(g, loss, 1, &x, &dx);
    const chl_tensor after = chl_keep(g, chl_scale(g, dx, 2));
    chl_keep(g, dx);
    assert_int_not_equal(after, CHL_NONE);
    assert_int_equal(chl_compile(g), CHL_OK);
    static const struct {
        chl_op op;
        int32_t part;
        bool of_gradient;
    } want[] = {{CHL_OP_activation, 1, false},
                {CHL_OP_mean, 2, false},
                {CHL_OP_mean_dx, 2, true},
                {CHL_OP_activation_dx, 1, true},
                {CHL_OP_sum, 2, false}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        int32_t n = 0;
        while (n < g->nodes && g->node[n].op != want[i].op) n++;
        assert_true(n < g->nodes);
        assert_int_equal(g->node[n].part, want[i].part);
        assert_int_equal(g->node[n].of_gradient, want[i].of_gradient);
    }
    chl_graph_free(g);
}

/* Two updates of x: x -> x - rate sign, for Adam's first step is that, and its second with the same moments
 * and another gradient. What the second segment differentiates is its own nodes. */
static void a_segment_is_differentiated_behind_an_update_of_its_weights(void **state) {
    (void)state;
    const chl_adam_settings plain = {.beta1 = 0, .beta2 = 0.5f, .eps = 1e-12f, .rate_scale = 1};
    chl_tensor x, dx;
    chl_graph *g = new_graph(&x);
    const chl_moments moments = chl_adam_moments(g, x);
    chl_grad_in_segment(g, total(g, chl_mul(g, x, x)), 1, &x, &dx);
    chl_adam_with(g, x, moments, dx, &plain);
    const chl_segment second = chl_begin_segment(g);
    chl_grad_in_segment(g, total(g, chl_mul(g, x, chl_mul(g, x, x))), 1, &x, &dx);
    chl_keep(g, dx);
    chl_adam_with(g, x, moments, dx, &plain);
    assert_int_equal(chl_compile(g), CHL_OK);
    assert_int_equal(chl_set_step(g, (chl_step){.index = 0, .rate = 0.25f}), CHL_OK);
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
    assert_int_equal(chl_set_step(g, (chl_step){.index = 1, .rate = 0.25f}), CHL_OK);
    assert_int_equal(chl_run(g, second), CHL_OK);
    float gradient[COUNT], now[COUNT];
    assert_int_equal(chl_read(g, dx, gradient), CHL_OK);
    assert_int_equal(chl_read(g, x, now), CHL_OK);
    for (int i = 0; i < COUNT; i++) {
        const double first = 2 * (double)data[i],
                     moved = (double)data[i] - 0.25 * copysign(1, first);
        const double d = 3 * moved * moved;
        const double v = (0.25 * first * first + 0.5 * d * d) / (1 - 0.25);
        assert_true(fabs((double)gradient[i] - d) < 1e-5 * d);
        assert_true(fabs((double)now[i] - (moved - 0.25 * d / sqrt(v))) < 1e-5);
    }
    chl_graph_free(g);
}

/* average += exp(log_fresh) (x - average), with another share at each run */
static void an_average_follows_with_the_share_that_it_is_given(void **state) {
    (void)state;
    static const float shares[3] = {1, 0.25f, 0.5f};
    chl_tensor x;
    chl_graph *g = new_graph(&x);
    const chl_tensor log_fresh = chl_input(g, "log fresh", chl_f32(1, 1));
    const chl_tensor average = chl_average_by(g, x, log_fresh);
    float now[COUNT], moved[COUNT];
    double want[COUNT];
    assert_int_equal(chl_compile(g), CHL_OK);
    assert_string_equal(chl_name_of(g, average), "x.average");
    for (int i = 0; i < COUNT; i++) want[i] = data[i];
    for (int run = 0; run < 3; run++) {
        const float share = logf(shares[run]);
        for (int i = 0; i < COUNT; i++) moved[i] = data[i] + (float)(run + 1);
        assert_int_equal(chl_write(g, x, moved), CHL_OK);
        assert_int_equal(chl_write(g, log_fresh, &share), CHL_OK);
        assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
        assert_int_equal(chl_read(g, average, now), CHL_OK);
        for (int i = 0; i < COUNT; i++) {
            want[i] += (double)shares[run] * ((double)moved[i] - want[i]);
            assert_true(fabs((double)now[i] - want[i]) < 1e-6);
        }
    }
    chl_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_derivative_of_mean_square_is_2_over_n),
        cmocka_unit_test(a_gradient_is_differentiated_any_number_of_times),
        cmocka_unit_test(a_partial_sum_that_is_read_later_keeps_its_value),
        cmocka_unit_test(sums_of_gradients_become_additions_in_place),
        cmocka_unit_test(additions_stay_inside_their_segment),
        cmocka_unit_test(a_missing_rule_is_an_error_that_names_the_op),
        cmocka_unit_test(an_absolute_log_mel_that_no_band_hears_is_refused),
        cmocka_unit_test(the_first_of_equal_maxima_has_the_second_derivative),
        cmocka_unit_test(a_gradient_through_an_update_is_an_error_that_names_it),
        cmocka_unit_test(a_stopped_tensor_may_be_asked_for_its_gradient),
        cmocka_unit_test(a_gradients_nodes_belong_to_the_part_that_they_differentiate),
        cmocka_unit_test(a_segment_is_differentiated_behind_an_update_of_its_weights),
        cmocka_unit_test(an_average_follows_with_the_share_that_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
