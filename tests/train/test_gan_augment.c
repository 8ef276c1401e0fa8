/* Augmentations against PyTorch's own sampling and convolutions; tests/fixtures/make_gan_augment.py made the
 * expected values. */
#include "harness/parity.h"
#include "train/gan_augment.h"
#include "train/trainer_private.h"
#include <string.h>

enum { SIDE = 8, N = 6, WIDE = 24, SEED = 9, PURPOSE = 77, STEP = 3, VALUES = N * SIDE * SIDE * 3 };
enum { MOST = 3 * WIDE * WIDE };

typedef struct bench {
    struct chl_trainer_private inside;
    chl_trainer t;
    chl_training training;
    chl_train_options options;
    chl_gan_augment augment;
    chl_params *expected;
    float *pixels;
    int n, side, values;
    chl_tensor pictures, out;
} bench;

static bench *begin(const char *pipe, int side, int n) {
    bench *b = calloc(1, sizeof *b);
    chl_gan_pipe own;
    assert_non_null(b);
    b->training.name = "gan";
    b->t = (chl_trainer){.inside = &b->inside, .training = &b->training, .options = &b->options};
    MUST(chl_graph_new(chl_device_cpu(), &b->t.graph));
    MUST(chl_gan_pipe_find(pipe, &own));
    b->n = n;
    b->side = side;
    b->values = 3 * n * side * side;
    b->options.seed = SEED;
    chl_gan_augment_build(&b->t, &own, side, n, &b->augment);
    b->expected = parity_weights("gan/augment.safetensors");
    b->pixels = parity_formula("augmented", 0, 1, b->values);
    b->pictures =
        chl_param(b->t.graph, "picture", chl_f32(4, n, side, side, 3), b->pixels, CHL_TRAINABLE);
    b->out = chl_keep(b->t.graph, chl_gan_augment_nodes(b->t.graph, &b->augment, b->pictures));
    return b;
}

static void end(bench *b) {
    chl_graph_free(b->t.graph);
    chl_params_free(b->expected);
    for (int i = 0; i < b->inside.memories; i++) free(b->inside.memory[i]);
    free(b->inside.memory);
    free(b->pixels);
    free(b);
}

static chl_status write_now(chl_trainer *t, chl_tensor input, const void *numbers) {
    return chl_write(t->graph, input, numbers);
}
static int64_t same_place(const chl_trainer *t, int i) {
    (void)t;
    return i;
}

static void write_inputs(bench *b, const chl_gan_transform *transform) {
    const chl_gan_augment *a = &b->augment;
    if (a->noise)
        chl_gan_normals(&b->t, b->n, PURPOSE + 0x100, STEP, b->values / b->n, same_place,
                        a->grains);
    chl_gan_augment_numbers(a, transform);
    MUST(chl_gan_augment_write(&b->t, a, write_now));
}

static void expect(const bench *b, const float *have, int64_t count, const char *label,
                   const char *part, double tolerance) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", label, part);
    const chl_array *want = chl_params_find(b->expected, name);
    if (!want) fail_msg("no %s in the fixture", name);
    assert_int_equal(chl_count(&want->desc), count);
    const double error = parity_error(name, have, want->data, count);
    if (!(error <= tolerance)) fail_msg("%s: error %g", name, error);
}

static void compare(const char *pipe, float p, const char *label, int side, int n) {
    bench *b = begin(pipe, side, n);
    chl_graph *g = b->t.graph;
    chl_gan_transform transform[N];
    float geometry[9 * N], colour[12 * N], pixels[MOST];
    for (int i = 0; i < n; i++) {
        chl_gan_transform_draw(&b->augment.pipe, p, side, SEED, PURPOSE, STEP, (uint64_t)i,
                               &transform[i]);
        for (int k = 0; k < 9; k++) geometry[9 * i + k] = (float)transform[i].geometry[k];
        for (int k = 0; k < 12; k++) colour[12 * i + k] = (float)transform[i].colour[k];
    }
    expect(b, geometry, 9 * n, label, "geometry", 1e-6);
    expect(b, colour, 12 * n, label, "colour", 1e-6);
    float *pattern = parity_formula("pattern", 0, 1, b->values);
    const chl_tensor times = chl_constant(g, "pattern", chl_f32(4, n, side, side, 3), pattern);
    const chl_tensor loss = chl_scale(g, chl_mean(g, chl_mul(g, b->out, times)), (float)b->values);
    chl_tensor gradient;
    chl_grad(g, loss, 1, &b->pictures, &gradient);
    chl_keep(g, gradient);
    MUST(chl_compile(g));
    write_inputs(b, transform);
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, b->out, pixels));
    expect(b, pixels, b->values, label, "picture", 2e-6);
    MUST(chl_read(g, gradient, pixels));
    expect(b, pixels, b->values, label, "gradient", 2e-6);
    free(pattern);
    end(b);
}

static void flips_turns_and_whole_steps_are_pytorchs(void **state) {
    (void)state;
    compare("blit", 1, "blit.1", SIDE, N);
}
static void scales_rotations_and_steps_are_pytorchs(void **state) {
    (void)state;
    compare("geom", 1, "geom.1", SIDE, N);
}
static void colours_are_pytorchs(void **state) {
    (void)state;
    compare("color", 1, "color.1", SIDE, N);
}
static void octaves_are_pytorchs(void **state) {
    (void)state;
    compare("filter", 1, "filter.1", WIDE, 1);
}
static void all_of_them_are_pytorchs(void **state) {
    (void)state;
    compare("bgc", 1, "bgc.1", SIDE, N);
    compare("bgc", 0.5f, "bgc.0.5", SIDE, N);
    compare("bgcfnc", 1, "bgcfnc.1", WIDE, 1);
}

/* With p 0 a picture goes through both filters and is what it was: they are a wavelet's. */
static void expect_nothing(const char *pipe, int side, int n) {
    bench *b = begin(pipe, side, n);
    chl_gan_transform transform[N];
    float pixels[MOST];
    for (int i = 0; i < n; i++)
        chl_gan_transform_draw(&b->augment.pipe, 0, side, SEED, PURPOSE, STEP, (uint64_t)i,
                               &transform[i]);
    MUST(chl_compile(b->t.graph));
    write_inputs(b, transform);
    MUST(chl_run(b->t.graph, CHL_FIRST_SEGMENT));
    MUST(chl_read(b->t.graph, b->out, pixels));
    assert_true(parity_error(pipe, pixels, b->pixels, b->values) < 1e-6);
    end(b);
}
static void nothing_drawn_changes_nothing(void **state) {
    (void)state;
    expect_nothing("bgc", SIDE, N);
    expect_nothing("bgcfnc", WIDE, 1);
}

/* Octaves reach 21 pixels beyond the edge. */
static void pictures_too_small_for_octaves_are_refused(void **state) {
    (void)state;
    bench *b = begin("filter", 16, 1);
    assert_int_equal(chl_compile(b->t.graph), CHL_ERR_SHAPE);
    assert_non_null(strstr(chl_error(), "at least 22 are needed"));
    end(b);
}

/* <d/dx |dy/dx^T v|^2>: the penalty of a gradient reaches through an augmentation. */
static void it_is_differentiated_twice(void **state) {
    (void)state;
    bench *b = begin("bgc", SIDE, N);
    chl_graph *g = b->t.graph;
    chl_gan_transform transform[N];
    chl_tensor dx, second;
    const chl_tensor square = chl_mul(g, b->out, b->out);
    chl_grad(g, chl_mean(g, chl_mul(g, square, b->out)), 1, &b->pictures, &dx);
    const chl_tensor penalty = chl_mean(g, chl_mul(g, dx, dx));
    chl_keep(g, penalty);
    chl_grad(g, penalty, 1, &b->pictures, &second);
    chl_keep(g, second);
    for (int i = 0; i < N; i++)
        chl_gan_transform_draw(&b->augment.pipe, 1, SIDE, SEED, PURPOSE, STEP, (uint64_t)i,
                               &transform[i]);
    MUST(chl_compile(g));
    write_inputs(b, transform);
    float *slope = malloc(VALUES * sizeof *slope), *at = malloc(VALUES * sizeof *at);
    float *direction = parity_formula("direction", 0, 1, VALUES), value[2];
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, second, slope));
    double want = 0;
    for (int i = 0; i < VALUES; i++) want += (double)slope[i] * (double)direction[i];
    for (int side = 0; side < 2; side++) { /* a difference of the penalty along a direction */
        const float h = side ? 2e-3f : -2e-3f;
        for (int i = 0; i < VALUES; i++) at[i] = b->pixels[i] + h * direction[i];
        MUST(chl_write(g, b->pictures, at));
        MUST(chl_run(g, CHL_FIRST_SEGMENT));
        MUST(chl_read(g, penalty, &value[side]));
    }
    const double have = ((double)value[1] - (double)value[0]) / 4e-3;
    print_message("slope of the penalty %.6g, difference %.6g\n", want, have);
    assert_true(fabs(have - want) < 2e-3 * fabs(want));
    free(slope);
    free(at);
    free(direction);
    end(b);
}

static void unknown_pipes_are_refused_with_the_list(void **state) {
    (void)state;
    chl_gan_pipe pipe;
    MUST(chl_gan_pipe_find(NULL, &pipe));
    assert_true(pipe.xflip == 0 && pipe.hue == 0);
    assert_int_equal(chl_gan_pipe_find("all", &pipe), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "bgcfn or bgcfnc, got \"all\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flips_turns_and_whole_steps_are_pytorchs),
        cmocka_unit_test(scales_rotations_and_steps_are_pytorchs),
        cmocka_unit_test(colours_are_pytorchs),
        cmocka_unit_test(octaves_are_pytorchs),
        cmocka_unit_test(all_of_them_are_pytorchs),
        cmocka_unit_test(nothing_drawn_changes_nothing),
        cmocka_unit_test(pictures_too_small_for_octaves_are_refused),
        cmocka_unit_test(it_is_differentiated_twice),
        cmocka_unit_test(unknown_pipes_are_refused_with_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
