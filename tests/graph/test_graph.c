/* The graph itself: sticky errors, gradients through shared tensors, segments, the memory plan. */
#include "graph/build.h"
#include "graph/graph_private.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <math.h>

static chl_graph *new_graph(void) {
    chl_graph *g;
    assert_int_equal(chl_graph_new(chl_device_cpu(), &g), CHL_OK);
    return g;
}

static void first_error_sticks_and_names_the_tensors(void **state) {
    (void)state;
    chl_graph *g = new_graph();
    chl_tensor x = chl_input(g, "x", chl_f32(2, 2, 3));
    chl_tensor w = chl_param(g, "layer.weight", chl_f32(2, 4, 5), NULL, CHL_FROZEN);
    chl_tensor y = chl_linear(g, x, w, CHL_NONE);
    assert_int_equal(y, CHL_NONE);
    chl_mean(g, chl_add(g, y, y));
    assert_int_equal(chl_compile(g), CHL_ERR_SHAPE);
    assert_non_null(strstr(chl_error(), "layer.weight"));
    assert_non_null(strstr(chl_error(), "[4,5]"));
    chl_graph_free(g);
}

/* loss = mean(x * x + 3 x), through a residual and a reshape: d = (2 x + 3) / n */
static void gradient_through_shared_tensors(void **state) {
    (void)state;
    const float data[6] = {1, -2, 3, 0.5f, 0, -1};
    chl_graph *g = new_graph();
    chl_tensor x = chl_param(g, "x", chl_f32(2, 2, 3), data, CHL_TRAINABLE);
    chl_tensor flat = chl_reshape(g, x, chl_f32(1, 6));
    chl_tensor y = chl_add(g, chl_mul(g, flat, flat), chl_scale(g, flat, 2));
    chl_tensor z = chl_add(g, chl_reshape(g, y, chl_f32(2, 2, 3)), x);
    chl_tensor loss = chl_keep(g, chl_mean(g, z)), dx;
    chl_grad(g, loss, 1, &x, &dx);
    chl_keep(g, dx);
    assert_int_equal(chl_compile(g), CHL_OK);
    for (int run = 0; run < 2; run++) { /* a replay must not add to the first run's result */
        float got[6];
        assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
        assert_int_equal(chl_read(g, dx, got), CHL_OK);
        for (int i = 0; i < 6; i++) assert_true(fabsf(got[i] - (2 * data[i] + 3) / 6) < 1e-6f);
    }
    chl_graph_free(g);
}

static void stopped_gradient_is_a_constant(void **state) {
    (void)state;
    const float data[2] = {3, 5};
    chl_graph *g = new_graph();
    chl_tensor x = chl_param(g, "x", chl_f32(1, 2), data, CHL_TRAINABLE);
    chl_tensor loss = chl_mean(g, chl_mul(g, x, chl_stop_gradient(g, x))), dx;
    chl_grad(g, loss, 1, &x, &dx);
    chl_keep(g, dx);
    float got[2];
    assert_int_equal(chl_compile(g), CHL_OK);
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
    assert_int_equal(chl_read(g, dx, got), CHL_OK);
    assert_true(fabsf(got[0] - 1.5f) < 1e-6f && fabsf(got[1] - 2.5f) < 1e-6f);
    chl_graph_free(g);
}

static void independent_loss_is_an_error(void **state) {
    (void)state;
    chl_graph *g = new_graph();
    chl_tensor x = chl_param(g, "lonely", chl_f32(1, 2), NULL, CHL_TRAINABLE);
    chl_tensor y = chl_param(g, "y", chl_f32(1, 2), NULL, CHL_TRAINABLE), dx;
    chl_grad(g, chl_mean(g, y), 1, &x, &dx);
    assert_int_equal(chl_compile(g), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "lonely"));
    chl_graph_free(g);
}

/* What a trainer asks: the gradients of all that trains, where the loss reaches it. */
static void unreached_gradients_are_none(void **state) {
    (void)state;
    chl_graph *g = new_graph();
    chl_tensor lonely = chl_param(g, "lonely", chl_f32(1, 2), NULL, CHL_TRAINABLE);
    chl_tensor y = chl_param(g, "y", chl_f32(1, 2), NULL, CHL_TRAINABLE);
    chl_tensor stopped = chl_param(g, "stopped", chl_f32(1, 2), NULL, CHL_TRAINABLE);
    chl_tensor loss = chl_mean(g, chl_mul(g, y, chl_stop_gradient(g, stopped)));
    const chl_tensor wrt[3] = {lonely, y, stopped};
    chl_tensor gradient[3];
    assert_int_equal(chl_tensor_count(g), loss + 1); /* no gradient node */
    chl_grad_reached(g, loss, 3, wrt, gradient);
    assert_int_equal(gradient[0], CHL_NONE);
    assert_int_not_equal(gradient[1], CHL_NONE);
    assert_int_equal(gradient[2], CHL_NONE);
    assert_int_equal(chl_compile(g), CHL_OK);
    chl_graph_free(g);
}

static void frozen_nodes_run_once_and_are_shared(void **state) {
    (void)state;
    const float data[2] = {1, 2};
    chl_graph *g = new_graph();
    chl_tensor w = chl_param(g, "w", chl_f32(1, 2), data, CHL_FROZEN);
    chl_tensor x = chl_input(g, "x", chl_f32(1, 2));
    chl_tensor a = chl_scale(g, w, 3), b = chl_scale(g, w, 3);
    assert_int_equal(a, b);
    chl_tensor y = chl_keep(g, chl_mul(g, x, a));
    chl_plan plan;
    assert_int_equal(chl_dry_run(g, &plan), CHL_OK);
    assert_int_equal(plan.nodes_constant, 1);
    assert_int_equal(chl_compile(g), CHL_OK);
    float got[2];
    assert_int_equal(chl_write(g, x, data), CHL_OK);
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
    assert_int_equal(chl_read(g, y, got), CHL_OK);
    assert_true(got[0] == 3 && got[1] == 12);
    chl_graph_free(g);
}

/* A value made in the first segment survives any number of runs of the second. */
static void values_live_across_segments(void **state) {
    (void)state;
    const float data[4] = {1, 2, 3, 4};
    chl_graph *g = new_graph();
    chl_tensor x = chl_input(g, "x", chl_f32(1, 4)), step = chl_input(g, "step", chl_f32(1, 4));
    chl_tensor once = chl_scale(g, x, 10);
    const chl_segment second = chl_begin_segment(g);
    chl_tensor y = chl_keep(g, chl_add(g, chl_mul(g, step, step), once));
    assert_int_equal(chl_compile(g), CHL_OK);
    assert_int_equal(chl_write(g, x, data), CHL_OK);
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
    for (int i = 1; i < 4; i++) {
        const float s[4] = {(float)i, (float)i, (float)i, (float)i};
        float got[4];
        assert_int_equal(chl_write(g, step, s), CHL_OK);
        assert_int_equal(chl_run(g, second), CHL_OK);
        assert_int_equal(chl_read(g, y, got), CHL_OK);
        for (int k = 0; k < 4; k++) assert_true(got[k] == (float)(i * i) + 10 * data[k]);
    }
    assert_int_equal(chl_run(g, second + 1), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_run(g, (chl_segment){0}), CHL_ERR_ARGUMENT); /* zero-initialised: none */
    chl_graph_free(g);
}

/* Tensors alive at the same time never overlap; a chain needs room for few of its links. */
static void plan_reuses_memory_without_overlap(void **state) {
    (void)state;
    enum { LINKS = 40 };
    chl_graph *g = new_graph();
    chl_tensor x = chl_input(g, "x", chl_f32(1, 1000)), y = x, early = CHL_NONE;
    for (int i = 0; i < LINKS; i++) {
        y = chl_mul(g, y, y);
        if (i == 3) early = y;
    }
    chl_keep(g, chl_add(g, y, early));
    chl_plan plan;
    assert_int_equal(chl_dry_run(g, &plan), CHL_OK);
    assert_in_range(plan.transient, 1, 5 * 4096);
    for (chl_tensor a = 0; a < g->tensors; a++)
        for (chl_tensor b = 0; b < a; b++) {
            const chl_tensor_info *p = chl_info(g, a), *q = chl_info(g, b);
            bool both = p->kind == KIND_NODE && q->kind == KIND_NODE && p->storage == a &&
                        q->storage == b && p->first <= q->last && q->first <= p->last;
            if (both)
                assert_true(p->offset + chl_bytes(&p->desc) <= q->offset ||
                            q->offset + chl_bytes(&q->desc) <= p->offset);
        }
    chl_graph_free(g);
}

static void unkept_results_are_not_readable(void **state) {
    (void)state;
    chl_graph *g = new_graph();
    chl_tensor x = chl_input(g, "x", chl_f32(1, 4)), y = chl_scale(g, x, 2);
    chl_keep(g, chl_scale(g, y, 2));
    float got[4];
    assert_int_equal(chl_compile(g), CHL_OK);
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
    assert_int_equal(chl_read(g, y, got), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_write(g, y, got), CHL_ERR_ARGUMENT);
    chl_graph_free(g);
}

/* Twenty steps towards a target: the whole chain loss, gradient, update, step state. */
static void adam_descends_the_gradient(void **state) {
    (void)state;
    const float goal[3] = {1, -1, 0.5f};
    chl_graph *g = new_graph();
    chl_tensor w = chl_param(g, "w", chl_f32(2, 1, 3), NULL, CHL_TRAINABLE);
    chl_tensor target = chl_constant(g, "goal", chl_f32(2, 1, 3), goal);
    chl_tensor loss = chl_keep(g, chl_pixel_loss(g, w, target, CHL_PIXEL_L2)), dw;
    chl_grad(g, loss, 1, &w, &dw);
    chl_adam(g, w, dw,
             &(chl_adam_settings){.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1});
    assert_int_equal(chl_compile(g), CHL_OK);
    float first = 0, last = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(chl_set_step(g, (chl_step){.index = i, .rate = 0.1f}), CHL_OK);
        assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
        assert_int_equal(chl_read(g, loss, &last), CHL_OK);
        if (i == 0) first = last;
    }
    assert_true(last < 0.1f * first);
    chl_graph_free(g);
}

/* A run reads what was written since the swap before it, through reshapes and in later segments
 * too; the other memory keeps what was in it. */
static void inputs_with_two_memories_take_turns(void **state) {
    (void)state;
    chl_graph *g = new_graph();
    chl_tensor x = chl_input(g, "x", chl_f32(1, 4)), c = chl_input(g, "c", chl_f32(1, 4));
    chl_tensor square = chl_keep(
        g, chl_mul(g, chl_reshape(g, x, chl_f32(2, 2, 2)), chl_reshape(g, x, chl_f32(2, 2, 2))));
    const chl_segment second = chl_begin_segment(g);
    chl_tensor sum = chl_keep(g, chl_add(g, x, c));
    chl_graph_double_inputs(g);
    assert_int_equal(chl_compile(g), CHL_OK);
    for (int i = 0; i < 5; i++) {
        const float a[4] = {(float)i, 1, 2, 3}, b[4] = {0, (float)-i, 0, 0};
        float got[4];
        if (i) chl_swap_inputs(g);
        assert_int_equal(chl_read(g, x, got), CHL_OK);
        assert_true(got[0] == (float)(i < 2 ? 0 : i - 2));
        assert_int_equal(chl_write(g, x, a), CHL_OK);
        assert_int_equal(chl_write(g, c, b), CHL_OK);
        assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
        assert_int_equal(chl_run(g, second), CHL_OK);
        assert_int_equal(chl_read(g, square, got), CHL_OK);
        assert_true(got[0] == (float)(i * i) && got[3] == 9);
        assert_int_equal(chl_read(g, sum, got), CHL_OK);
        assert_true(got[0] == (float)i && got[1] == (float)(1 - i));
    }
    chl_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_sticks_and_names_the_tensors),
        cmocka_unit_test(gradient_through_shared_tensors),
        cmocka_unit_test(stopped_gradient_is_a_constant),
        cmocka_unit_test(independent_loss_is_an_error),
        cmocka_unit_test(unreached_gradients_are_none),
        cmocka_unit_test(frozen_nodes_run_once_and_are_shared),
        cmocka_unit_test(values_live_across_segments),
        cmocka_unit_test(plan_reuses_memory_without_overlap),
        cmocka_unit_test(unkept_results_are_not_readable),
        cmocka_unit_test(adam_descends_the_gradient),
        cmocka_unit_test(inputs_with_two_memories_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
