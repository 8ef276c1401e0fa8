/* StyleGAN3 against NVIDIA's implementation, in double precision; tests/fixtures/make_stylegan3.py
 * made the expected values. */
#include "base/facts.h"
#include "graph/build.h"
#include "harness/formula.h"
#include "harness/parity.h"
#include "io/weights.h"
#include "nets/stylegan3.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER CHLADNI_FIXTURES "/stylegan3/"
enum { N = 2, Z = 20, W = 24, SIDE = 32, ROWS = 8, PIXELS = N * SIDE * SIDE * 3 };
#define TOLERANCE 1e-5 /* relative; the original loses 4e-7 of pictures and 8e-7 of gradients */

typedef struct small {
    chl_params *params, *expected;
    chl_stylegan3_config config;
    float picture[PIXELS], gradient[N * ROWS * W];
} small;

static small *open_small(char kind) {
    char path[256];
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    snprintf(path, sizeof path, FOLDER "small-%c.pkl", kind);
    MUST(chl_weights_read(path, &s->params));
    snprintf(path, sizeof path, FOLDER "small-%c.safetensors", kind);
    MUST(chl_weights_read(path, &s->expected));
    MUST(chl_stylegan3_import(s->params, &s->config));
    return s;
}

static void close_small(small *s) {
    chl_params_free(s->params);
    chl_params_free(s->expected);
    free(s);
}

static float *drawn(const char *what, int64_t count) {
    char name[64];
    float *out = malloc((size_t)count * sizeof(float));
    assert_non_null(out);
    snprintf(name, sizeof name, "stylegan3 %s", what);
    formula_fill(name, 0, sqrt(3), count, out);
    return out;
}

/* the picture of N codes, and the gradient of sum(picture * pattern) */
static void synthesize(small *s) {
    float *codes = drawn("w_plus", N * ROWS * W), *pattern = drawn("pattern", PIXELS);
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = s->params, .kind = CHL_FROZEN};
    const chl_tensor w = chl_param(g, "w", chl_f32(3, N, ROWS, W), codes, CHL_TRAINABLE);
    const chl_tensor made = chl_keep(g, chl_stylegan3_synthesize(&net, &s->config, w));
    const chl_tensor times = chl_constant(g, "pattern", chl_f32(4, N, SIDE, SIDE, 3), pattern);
    const chl_tensor loss = chl_scale(g, chl_mean(g, chl_mul(g, made, times)), (float)PIXELS);
    chl_tensor dw;
    chl_grad(g, loss, 1, &w, &dw);
    chl_keep(g, dw);
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, made, s->picture));
    MUST(chl_read(g, dw, s->gradient));
    chl_net_done(&net);
    chl_graph_free(g);
    free(codes);
    free(pattern);
}

static void expect(const small *s, const char *name, const float *have, double tolerance) {
    const chl_array *want = chl_params_find(s->expected, name);
    if (!want) fail_msg("no %s in the fixture", name);
    const float *at = want->data;
    const int64_t count = chl_count(&want->desc);
    double error = 0, norm = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = fabs((double)have[i] - at[i]);
        error += d * d;
        norm += (double)at[i] * at[i];
        largest = d > largest ? d : largest;
    }
    error = sqrt(error / norm);
    print_message("    %-18s relative error %.2g, largest %.2g\n", name, error, largest);
    if (!(error <= tolerance)) fail_msg("%s: relative error %g > %g", name, error, tolerance);
}

static const char kinds[] = "tr";

static void pictures_and_gradients_are_the_originals(void **state) {
    (void)state;
    for (const char *kind = kinds; *kind; kind++) {
        small *s = open_small(*kind);
        assert_int_equal(s->config.resolution, SIDE);
        assert_int_equal(s->config.rows, ROWS);
        assert_int_equal(s->config.w_dim, W);
        assert_int_equal(s->config.layer[0].kernel, *kind == 't' ? 3 : 1);
        assert_int_equal(s->config.layer[0].down_axes, *kind == 't' ? 1 : 2);
        assert_int_equal(s->config.layer[5].down_axes, 1); /* critically sampled */
        synthesize(s);
        expect(s, "picture", s->picture, TOLERANCE);
        expect(s, "gradient", s->gradient, TOLERANCE);
        close_small(s);
    }
}

static void the_files_transform_turns_moves_and_scales_the_picture(void **state) {
    (void)state;
    static const float angle = 0.3f, scale = 1.25f; /* of make_stylegan3.py; damps waves, too */
    const float c = cosf(angle) * scale, n = sinf(angle) * scale;
    const float transform[9] = {c, n, 0.1f, -n, c, -0.2f, 0, 0, 1};
    for (const char *kind = kinds; *kind; kind++) {
        small *s = open_small(*kind);
        chl_array *array = chl_params_find(s->params, "synthesis.input.transform");
        memcpy(array->data, transform, sizeof transform);
        synthesize(s);
        expect(s, "turned", s->picture, TOLERANCE);
        expect(s, "turned_gradient", s->gradient, TOLERANCE);
        close_small(s);
    }
}

static void a_transform_that_shears_is_refused(void **state) {
    (void)state;
    small *s = open_small('t');
    chl_array *array = chl_params_find(s->params, "synthesis.input.transform");
    ((float *)array->data)[1] = 0.5f;
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = s->params, .kind = CHL_FROZEN};
    chl_stylegan3_synthesize(&net, &s->config, chl_input(g, "w", chl_f32(3, 1, ROWS, W)));
    assert_int_equal(chl_graph_status(g), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "[1 0.5 0; 0 1 0; 0 0 1]"));
    chl_net_done(&net);
    chl_graph_free(g);
    close_small(s);
}

static void clamp_and_output_scale_are_the_originals(void **state) {
    (void)state;
    for (const char *kind = kinds; *kind; kind++) {
        small *s = open_small(*kind);
        assert_true(s->config.conv_clamp == 256 && s->config.output_scale == 0.25f);
        s->config.conv_clamp = 0.6f;
        s->config.output_scale = 0.5f;
        synthesize(s);
        expect(s, "clamped", s->picture, TOLERANCE);
        expect(s, "clamped_gradient", s->gradient, TOLERANCE);
        close_small(s);
    }
}

static void map_z(small *s, float *w) {
    float *z = drawn("z", (int64_t)N * Z);
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = s->params, .kind = CHL_FROZEN};
    const chl_tensor in = chl_input(g, "z", chl_f32(2, N, Z));
    const chl_tensor out = chl_keep(g, chl_stylegan3_map(&net, &s->config, in));
    MUST(chl_compile(g));
    MUST(chl_write(g, in, z));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, out, w));
    chl_net_done(&net);
    chl_graph_free(g);
    free(z);
}

static void w_and_its_truncation_are_the_originals(void **state) {
    (void)state;
    float w[N * W], codes[N * ROWS * W];
    int rows;
    small *s = open_small('t');
    assert_int_equal(s->config.z_dim, Z);
    assert_int_equal(s->config.mapping_layers, 2);
    map_z(s, w);
    expect(s, "w", w, TOLERANCE);
    const float *average = chl_stylegan_average(s->params, W, &rows);
    assert_int_equal(rows, 1);
    MUST(chl_stylegan_truncate(ROWS, W, N, w, average, rows, 0.7f, 0, codes));
    expect(s, "w_truncated", codes, TOLERANCE);
    close_small(s);
}

static void give(chl_params *params, const chl_params *from, const char *name) {
    char key[64];
    float *to;
    snprintf(key, sizeof key, "classes.%s", name);
    const chl_array *array = chl_params_find(from, key);
    assert_non_null(array);
    snprintf(key, sizeof key, "mapping.%s", name);
    if (chl_params_find(params, key)) chl_params_drop(params, key);
    MUST(chl_params_add(params, key, array->desc, (void **)&to));
    memcpy(to, array->data, (size_t)chl_count(&array->desc) * sizeof *to);
}

static void a_class_is_the_originals(void **state) {
    (void)state;
    static const char *const names[] = {"embed.weight", "embed.bias", "fc0.weight",
                                        "fc0.bias",     "fc1.weight", "fc1.bias"};
    float w[N * W];
    small *s = open_small('t');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        give(s->params, s->expected, names[i]);
    MUST(chl_stylegan_choose_class(s->params, 2));
    MUST(chl_stylegan3_import(s->params, &s->config));
    map_z(s, w);
    expect(s, "class_2", w, TOLERANCE);
    close_small(s);
}

/* The state dict of the same network: arrays only. */
static chl_params *arrays_of(const chl_params *params) {
    chl_params *out;
    MUST(chl_params_new("arrays.pt", &out));
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *array = &params->array[i];
        void *data;
        MUST(chl_params_add(out, array->name, array->desc, &data));
        memcpy(data, array->data, (size_t)chl_bytes(&array->desc));
    }
    return out;
}

static void a_state_dict_without_settings_says_the_same(void **state) {
    (void)state;
    for (const char *kind = kinds; *kind; kind++) {
        small *s = open_small(*kind);
        chl_params *arrays = arrays_of(s->params);
        chl_stylegan3_config config;
        MUST(chl_stylegan3_import(arrays, &config));
        assert_memory_equal(&config, &s->config, sizeof config);
        chl_params_free(arrays);
        close_small(s);
    }
}

static void state_again(chl_params *params, const char *name, const char *value) {
    for (int64_t i = 0; i < params->facts; i++)
        if (strcmp(params->fact[i].name, name) == 0) {
            free(params->fact[i].value);
            params->fact[i].value = strdup(value);
            return;
        }
    MUST(chl_params_state(params, name, value));
}

static void settings_are_obeyed_or_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *text; /* NULL: obeyed */
    } cases[] = {
        {"synthesis:output_scale", "0.5", NULL},
        {":mapping_kwargs.lr_multiplier", "0.01", NULL},
        {"synthesis.L0_36_20:padding", "[8, 9, 8, 9]", "expected [9, 8, 9, 8]"},
        {"synthesis.L2_52_11:up_factor", "2", "expected 4"},
        {"synthesis.L2_52_11:down_factor", "4", "expected 2"},
        {"synthesis.L6_32_3:is_torgb", "False", "expected True"},
        {"synthesis.input:sampling_rate", "32", "expected 16"},
        {"synthesis.input:bandwidth", "1", "more than its bandwidth of 1"},
        {"synthesis.input:bandwidth", "<object>", "expected a number above 0"},
        {"synthesis.L0_36_20:conv_clamp", "None", "expected the same for all layers"},
        {":filter_size", "4", "up_factor\" = 2, expected 3"},
        {":filter_size", "5", "expected a multiple of 5 taps"},
        {"mapping.fc0:activation", "'relu'", "expected 'lrelu'"},
        {"synthesis.L0_36_20.affine:activation", "'lrelu'", "expected 'linear'"},
        {"synthesis.L0_36_20.affine:lr_multiplier", "2", "expected 1"},
        {"synthesis:head_layers", "3", "\"synthesis:head_layers\" = 3, which is unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small *s = open_small('t');
        state_again(s->params, cases[i].name, cases[i].value);
        const chl_status status = chl_stylegan3_import(s->params, &s->config);
        if ((status == CHL_OK) != !cases[i].text) fail_msg("%s: %s", cases[i].name, chl_error());
        if (cases[i].text && !strstr(chl_error(), cases[i].text))
            fail_msg("%s, expected %s", chl_error(), cases[i].text);
        if (i == 0) assert_true(s->config.output_scale == 0.5f);
        close_small(s);
    }
}

static void arrays_that_do_not_fit_are_named(void **state) {
    (void)state;
    static const char *const needed[] = {
        "synthesis.input.phases",          "synthesis.input.transform",
        "synthesis.input.affine.weight",   "synthesis.L3_52_7.weight",
        "synthesis.L3_52_7.magnitude_ema", "synthesis.L2_52_11.up_filter",
        "synthesis.L2_52_11.down_filter"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        small *s = open_small('r');
        chl_params_drop(s->params, needed[i]);
        if (chl_stylegan3_import(s->params, &s->config) == CHL_OK) fail_msg("%s", needed[i]);
        close_small(s);
    }
}

/* The small networks of the fixture, drawn here: scipy designed the original's filters. */
static void a_random_network_has_the_layers_and_filters_of_the_original(void **state) {
    (void)state;
    for (const char *kind = kinds; *kind; kind++) {
        const chl_stylegan3_shape shape = {.resolution = SIDE,
                                           .layers = ROWS - 2,
                                           .kernel = *kind == 't' ? 3 : 1,
                                           .radial = *kind == 'r',
                                           .channel_base = 128,
                                           .channel_max = 20,
                                           .z_dim = Z,
                                           .w_dim = W,
                                           .mapping_layers = 2};
        small *s = open_small(*kind);
        chl_params *drawn_params;
        chl_stylegan3_config config;
        double off = 0;
        int filters = 0;
        MUST(chl_stylegan3_random(&shape, 1, &drawn_params));
        MUST(chl_stylegan3_import(drawn_params, &config));
        assert_memory_equal(&config, &s->config, sizeof config);
        for (int64_t i = 0; i < s->params->count; i++) {
            const chl_array *want = &s->params->array[i];
            if (!strstr(want->name, "_filter")) continue;
            const chl_array *got = chl_params_find(drawn_params, want->name);
            assert_non_null(got);
            for (int64_t k = 0; k < chl_count(&want->desc); k++)
                off = fmax(off, fabs(((float *)got->data)[k] - ((float *)want->data)[k]));
            filters++;
        }
        print_message("    %d filters, largest difference %.2g\n", filters, off);
        assert_true(filters == 12 && off < 1e-7);
        chl_params_free(drawn_params);
        close_small(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_and_gradients_are_the_originals),
        cmocka_unit_test(the_files_transform_turns_moves_and_scales_the_picture),
        cmocka_unit_test(a_transform_that_shears_is_refused),
        cmocka_unit_test(clamp_and_output_scale_are_the_originals),
        cmocka_unit_test(w_and_its_truncation_are_the_originals),
        cmocka_unit_test(a_class_is_the_originals),
        cmocka_unit_test(a_state_dict_without_settings_says_the_same),
        cmocka_unit_test(settings_are_obeyed_or_refused),
        cmocka_unit_test(arrays_that_do_not_fit_are_named),
        cmocka_unit_test(a_random_network_has_the_layers_and_filters_of_the_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
