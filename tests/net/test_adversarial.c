/* The discriminator, R1 and path length against an implementation in PyTorch, in double precision, with
 * double backward; tests/fixtures/make_gan.py made the expected values. */
#include "graph/build.h"
#include "harness/parity.h"
#include "losses/adversarial.h"
#include "nets/discriminator.h"
#include <string.h>

enum { SIDE = 16, N = 4, CODES = 3, ROWS = 6, WIDTH = 8, SEED = 3, CLASSES = 3, GROUP = 2 };
static const chl_stylegan2_shape generator_shape = {SIDE, 64, 8, WIDTH, WIDTH, 2};
static const chl_discriminator_shape shape = {
    .resolution = SIDE, .channel_base = 64, .channel_max = 8};
#define TOLERANCE 2e-6
#define SECOND_ORDER 1e-5
/* R1 reaches a bias of a piecewise linear network through the minibatch deviation alone: its gradient is
 * 50 to 40000 times shorter than a weight's, the rest of sums that cancel. PyTorch loses 2e-4 to 0.13 of it
 * in float32. */
#define CANCELLED 1e-3

static bool ends_with(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* As after some training: what begins at one number is spread around it. */
static void spread_biases(const chl_params *params) {
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *a = &params->array[i];
        if (!ends_with(a->name, "bias") && !ends_with(a->name, "noise_strength")) continue;
        const int64_t count = chl_count(&a->desc);
        const double amplitude = strncmp(a->name, "mapping.fc", 10) == 0 ? 100 * 0.2 : 0.2;
        float *more = parity_formula(a->name, 0, amplitude, count);
        for (int64_t k = 0; k < count; k++) ((float *)a->data)[k] += more[k];
        free(more);
    }
}

typedef struct nets {
    chl_params *params, *expected;
    chl_discriminator_config config;
    chl_graph *g;
    chl_net net;
} nets;

static nets open_critic(const chl_discriminator_shape *of, const char *fixture) {
    nets s = {0};
    MUST(chl_params_new("a discriminator", &s.params));
    MUST(chl_discriminator_add_random(of, "", SEED, s.params));
    spread_biases(s.params);
    MUST(chl_discriminator_import(s.params, "", &s.config));
    s.config.conv_clamp = 0;
    s.config.group = GROUP;
    s.expected = parity_weights(fixture);
    MUST(chl_graph_new(chl_device_cpu(), &s.g));
    s.net = (chl_net){.graph = s.g, .params = s.params, .kind = CHL_TRAINABLE};
    return s;
}

static void close_nets(nets *s) {
    chl_net_done(&s->net);
    chl_graph_free(s->g);
    chl_params_free(s->params);
    chl_params_free(s->expected);
}

static void expect(const nets *s, chl_tensor x, double tolerance, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void expect(const nets *s, chl_tensor x, double tolerance, const char *format, ...) {
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const chl_array *want = chl_params_find(s->expected, name);
    if (!want) fail_msg("no %s in the fixture", name);
    int64_t count;
    float *have = parity_read(s->g, x, 1, &count);
    assert_int_equal(count, chl_count(&want->desc));
    const double error = parity_error(name, have, want->data, count);
    if (!(error <= tolerance)) fail_msg("%s: error %g > %g", name, error, tolerance);
    free(have);
}

/* --- gradients with respect to all weights of the net ------------------------------------------ */
enum { MOST = 64 };
typedef struct weights {
    int count;
    chl_tensor x[MOST], gradient[MOST];
} weights;

static weights differentiate(nets *s, chl_tensor loss) {
    weights w = {0};
    for (int64_t i = 0; i < chl_net_count(&s->net); i++)
        if (chl_is_trainable(s->g, chl_net_at(&s->net, i))) w.x[w.count++] = chl_net_at(&s->net, i);
    assert_true(w.count < MOST);
    chl_grad_in_segment(s->g, loss, w.count, w.x, w.gradient);
    for (int i = 0; i < w.count; i++)
        if (w.gradient[i] != CHL_NONE) chl_keep(s->g, w.gradient[i]);
    return w;
}

/* Those that the fixture has, at least `least` of them; what it does not have is not reached here either. */
static void expect_gradients(const nets *s, const weights *w, const char *label, double tolerance,
                             int least) {
    char name[128];
    int seen = 0;
    for (int i = 0; i < w->count; i++) {
        snprintf(name, sizeof name, "%s.%s", label, chl_name_of(s->g, w->x[i]));
        if (!chl_params_find(s->expected, name)) continue;
        assert_int_not_equal(w->gradient[i], CHL_NONE);
        const bool cancelled = strcmp(label, "r1") == 0 && ends_with(name, "bias");
        expect(s, w->gradient[i], cancelled ? CANCELLED : tolerance, "%s", name);
        seen++;
    }
    assert_true(seen >= least);
}

/* --- the discriminator ------------------------------------------------------------------------ */
static chl_tensor formula_input(const nets *s, const char *name, chl_desc desc, double amplitude) {
    float *data = parity_formula(name, 0, amplitude, chl_count(&desc));
    const chl_tensor x = chl_constant(s->g, name, desc, data);
    free(data);
    return x;
}

/* A constant is copied, but no gradient goes into it. */
static chl_tensor pictures(const nets *s, float **data) {
    const chl_desc desc = chl_f32(4, N, SIDE, SIDE, 3);
    *data = parity_formula("picture", 0, 1, chl_count(&desc));
    return chl_param(s->g, "picture", desc, *data, CHL_TRAINABLE);
}

static void compare(const char *kind, float clamp, bool classes, int least) {
    static const float labels[N * CLASSES] = {1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1};
    chl_discriminator_shape of = shape;
    if (classes) of.classes = CLASSES, of.mapping_layers = 2;
    nets s = open_critic(&of, "gan/discriminator.safetensors");
    float *data;
    s.config.conv_clamp = clamp;
    assert_int_equal(s.config.blocks, 3);
    assert_int_equal(s.config.deviations, 1);
    assert_int_equal(s.config.classes, classes ? CLASSES : 0);
    const chl_tensor picture = pictures(&s, &data);
    const chl_tensor label =
        classes ? chl_constant(s.g, "label", chl_f32(2, N, CLASSES), labels) : CHL_NONE;
    const chl_tensor logits = chl_keep(s.g, chl_discriminator(&s.net, &s.config, picture, label));
    const chl_tensor pattern = formula_input(&s, "logits", chl_f32(2, N, 1), 1);
    const chl_tensor loss = chl_scale(s.g, chl_mean(s.g, chl_mul(s.g, logits, pattern)), N);
    chl_tensor gradient;
    chl_grad(s.g, loss, 1, &picture, &gradient);
    chl_keep(s.g, gradient);
    const weights w = differentiate(&s, loss);
    MUST(chl_compile(s.g));
    MUST(chl_run(s.g, CHL_FIRST_SEGMENT));
    expect(&s, logits, TOLERANCE, "%s.logits", kind);
    expect(&s, gradient, TOLERANCE, "%s.gradient", kind);
    expect_gradients(&s, &w, kind, TOLERANCE, least);
    MUST(chl_params_check_all_used(s.params));
    free(data);
    close_nets(&s);
}

static void scores_and_gradients_are_pytorchs(void **state) {
    (void)state;
    compare("plain", 0, false, 18);
}
static void clamped_maps_are_pytorchs(void **state) {
    (void)state;
    compare("clamped", 0.5f, false, 0);
}
static void projected_classes_are_pytorchs(void **state) {
    (void)state;
    compare("classes", 0, true, 6);
}

/* --- R1 --------------------------------------------------------------------------------------- */
static void r1_is_pytorchs_double_backward(void **state) {
    (void)state;
    nets s = open_critic(&shape, "gan/discriminator.safetensors");
    float *data;
    const chl_tensor picture = pictures(&s, &data);
    const chl_tensor logits = chl_discriminator(&s.net, &s.config, picture, CHL_NONE);
    const chl_tensor penalty = chl_keep(s.g, chl_gradient_penalty(s.g, logits, picture));
    const weights w = differentiate(&s, penalty);
    MUST(chl_compile(s.g));
    MUST(chl_run(s.g, CHL_FIRST_SEGMENT));
    expect(&s, penalty, SECOND_ORDER, "r1");
    expect_gradients(&s, &w, "r1", SECOND_ORDER, 15);
    free(data);
    close_nets(&s);
}

/* --- path length ------------------------------------------------------------------------------ */
static void path_length_is_pytorchs_double_backward(void **state) {
    (void)state;
    nets s = {.expected = parity_weights("gan/path.safetensors")};
    chl_stylegan2_config config;
    chl_tensor noise[ROWS - 1], mean;
    MUST(chl_stylegan2_untrained(&generator_shape, SEED, &s.params));
    spread_biases(s.params);
    MUST(chl_stylegan2_import(s.params, &config));
    config.conv_clamp = 0;
    assert_int_equal(config.rows, ROWS);
    MUST(chl_graph_new(chl_device_cpu(), &s.g));
    s.net = (chl_net){.graph = s.g, .params = s.params, .kind = CHL_TRAINABLE};
    const chl_tensor z = formula_input(&s, "z", chl_f32(2, CODES, WIDTH), 1.7);
    for (int row = 0; row < ROWS - 1; row++) {
        const int r = 4 << (row + 1) / 2;
        char name[16];
        snprintf(name, sizeof name, "noise %d", row);
        noise[row] = formula_input(&s, name, chl_f32(3, CODES, r, r), 1.7);
    }
    const chl_tensor w = chl_stylegan2_map(&s.net, &config, z);
    const chl_tensor codes = chl_scale(s.g, chl_stylegan2_rows(s.g, &config, w), 1);
    const chl_tensor picture =
        chl_keep(s.g, chl_stylegan2_synthesize_noisy(&s.net, &config, codes, noise));
    const chl_tensor pattern = formula_input(&s, "pattern", chl_f32(4, CODES, SIDE, SIDE, 3), 1.7);
    const chl_tensor lengths = chl_keep(s.g, chl_path_lengths(s.g, picture, codes, pattern));
    const float start = 0.3f;
    const chl_tensor average = chl_param(s.g, "average", chl_f32(1, 1), &start, CHL_TRAINABLE);
    const chl_tensor penalty = chl_keep(s.g, chl_path_penalty(s.g, lengths, average, 0.99f, &mean));
    chl_ema(s.g, average, mean, 0.99f, false);
    const weights found = differentiate(&s, penalty);
    MUST(chl_compile(s.g));
    MUST(chl_run(s.g, CHL_FIRST_SEGMENT));
    expect(&s, picture, TOLERANCE, "picture");
    expect(&s, lengths, TOLERANCE, "lengths");
    expect(&s, penalty, SECOND_ORDER, "penalty");
    expect(&s, average, TOLERANCE, "average");
    expect_gradients(&s, &found, "penalty", SECOND_ORDER, 20);
    close_nets(&s);
}

/* --- softplus --------------------------------------------------------------------------------- */
static void softplus_is_exact_near_zero_and_far_from_it(void **state) {
    (void)state;
    static const float values[5] = {-40, -1, 0, 2, 60};
    for (int sign = -1; sign <= 1; sign += 2) {
        chl_graph *g;
        double want = 0;
        float have;
        for (int i = 0; i < 5; i++) {
            const double t = sign * (double)values[i];
            want += (t > 0 ? t + log1p(exp(-t)) : log1p(exp(t))) / 5;
        }
        MUST(chl_graph_new(chl_device_cpu(), &g));
        const chl_tensor logits = chl_input(g, "logits", chl_f32(2, 5, 1));
        const chl_tensor loss = chl_keep(g, chl_softplus_loss(g, logits, (float)sign));
        MUST(chl_compile(g));
        MUST(chl_write(g, logits, values));
        MUST(chl_run(g, CHL_FIRST_SEGMENT));
        MUST(chl_read(g, loss, &have));
        assert_true(fabs((double)have - want) < 1e-6 * want);
        chl_graph_free(g);
    }
}

/* --- what is refused -------------------------------------------------------------------------- */
static void assert_says(const char *part) {
    if (!strstr(chl_error(), part)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), part);
}

static void other_discriminators_are_refused_by_key(void **state) {
    (void)state;
    chl_discriminator_config config;
    static const char *const gone[] = {"b16.fromrgb.weight", "b8.skip.weight", "b4.out.bias"};
    static const char *const says[] = {"b8.fromrgb.weight", "b8.skip.weight", "b4.out.bias"};
    for (int i = 0; i < 3; i++) {
        chl_params *params;
        MUST(chl_params_new("a file", &params));
        MUST(chl_discriminator_add_random(&shape, "", SEED, params));
        chl_params_drop(params, gone[i]);
        assert_int_not_equal(chl_discriminator_import(params, "", &config), CHL_OK);
        assert_says(says[i]);
        chl_params_free(params);
    }
    chl_discriminator_shape odd = shape;
    odd.resolution = 24;
    chl_params *params;
    MUST(chl_params_new("a file", &params));
    assert_int_equal(chl_discriminator_add_random(&odd, "", SEED, params), CHL_ERR_ARGUMENT);
    assert_says("resolution must be a power of two from 8");
    chl_params_free(params);
}

static void a_batch_that_groups_do_not_divide_is_an_error(void **state) {
    (void)state;
    nets s = open_critic(&shape, "gan/discriminator.safetensors");
    s.config.group = 3;
    float *data;
    chl_discriminator(&s.net, &s.config, pictures(&s, &data), CHL_NONE);
    assert_int_equal(chl_compile(s.g), CHL_ERR_SHAPE);
    assert_says("a batch of 4 samples cannot be cut into groups of 3");
    free(data);
    close_nets(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_and_gradients_are_pytorchs),
        cmocka_unit_test(clamped_maps_are_pytorchs),
        cmocka_unit_test(projected_classes_are_pytorchs),
        cmocka_unit_test(r1_is_pytorchs_double_backward),
        cmocka_unit_test(path_length_is_pytorchs_double_backward),
        cmocka_unit_test(softplus_is_exact_near_zero_and_far_from_it),
        cmocka_unit_test(other_discriminators_are_refused_by_key),
        cmocka_unit_test(a_batch_that_groups_do_not_divide_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
