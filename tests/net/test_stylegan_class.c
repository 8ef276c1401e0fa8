/* A generator with classes gives the w of stylegan2-ada-pytorch's mapping network, computed here as
 * its text says: embed, normalise, concatenate, layers; and its truncation moves towards the mean of
 * the class. */
#include "base/numpy_random.h"
#include "graph/build.h"
#include "harness/parity.h"
#include "io/weights.h"
#include "models/registry.h"
#include "nets/random_weights.h"
#include "nets/stylegan2.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { Z = 6, W = 10, FEATURES = 5, CLASSES = 3, LAYERS = 2 };

static chl_params *conditional(void) {
    static const chl_stylegan2_shape shape = {16, 64, 8, Z + FEATURES, W, LAYERS};
    chl_params *params;
    MUST(chl_stylegan2_random(&shape, 1, &params));
    MUST(chl_params_add_normal(params, 5, 0.1f, 1, chl_f32(2, FEATURES, CLASSES), "%s",
                               "mapping.embed.weight"));
    MUST(chl_params_add_normal(params, 5, 0, 0.5f, chl_f32(1, FEATURES), "%s",
                               "mapping.embed.bias"));
    return params;
}

static const float *numbers(const chl_params *params, const char *name) {
    const chl_array *array = chl_params_find(params, name);
    assert_non_null(array);
    return array->data;
}

/* x / sqrt(mean(x^2) + 1e-8) */
static void normalise(double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    for (int i = 0; i < n; i++) x[i] /= sqrt(sum / n + 1e-8);
}

static void originals_w(const chl_params *params, const float *z, int label, double *w) {
    double x[Z + FEATURES], y[W];
    const float *e = numbers(params, "mapping.embed.weight");
    const float *b = numbers(params, "mapping.embed.bias");
    for (int i = 0; i < Z; i++) x[i] = z[i];
    for (int i = 0; i < FEATURES; i++) x[Z + i] = e[i * CLASSES + label] / sqrt(CLASSES) + b[i];
    normalise(x, Z);
    normalise(x + Z, FEATURES);
    const double *in = x;
    for (int layer = 0, n = Z + FEATURES; layer < LAYERS; layer++, n = W) {
        char name[32];
        snprintf(name, sizeof name, "mapping.fc%d.weight", layer);
        const float *weight = numbers(params, name);
        snprintf(name, sizeof name, "mapping.fc%d.bias", layer);
        const float *bias = numbers(params, name);
        for (int i = 0; i < W; i++) {
            double sum = 0.01 * bias[i];
            for (int k = 0; k < n; k++) sum += 0.01 / sqrt(n) * weight[i * n + k] * in[k];
            y[i] = sqrt(2) * (sum < 0 ? 0.2 * sum : sum);
        }
        memcpy(w, y, sizeof y);
        in = w;
    }
}

static void map(chl_params *params, const float *z, float *w) {
    chl_stylegan2_config config;
    chl_graph *g;
    MUST(chl_stylegan2_import(params, &config));
    assert_int_equal(config.z_dim, Z);
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor in = chl_input(g, "z", chl_f32(2, 1, Z));
    chl_tensor out = chl_keep(g, chl_stylegan2_map(&net, &config, in));
    MUST(chl_compile(g));
    MUST(chl_write(g, in, z));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, out, w));
    chl_net_done(&net);
    chl_graph_free(g);
}

static void each_class_gives_the_originals_w(void **state) {
    (void)state;
    static const float z[Z] = {0.3f, -1.2f, 0.8f, 2, -0.1f, 0.5f};
    double first = 0;
    for (int label = 0; label < CLASSES; label++) {
        chl_params *params = conditional();
        double wanted[W];
        float w[W];
        originals_w(params, z, label, wanted);
        MUST(chl_stylegan_choose_class(params, label));
        map(params, z, w);
        for (int i = 0; i < W; i++)
            if (fabs(w[i] - wanted[i]) > 2e-6 * (1 + fabs(wanted[i])))
                fail_msg("class %d, w[%d]: %g, not %g", label, i, (double)w[i], wanted[i]);
        assert_true(label == 0 || fabs(w[0] - first) > 1e-3); /* classes differ */
        first = w[0];
        chl_params_free(params);
    }
}

static void a_class_must_exist_and_be_chosen(void **state) {
    (void)state;
    chl_params *params = conditional();
    assert_int_equal(chl_stylegan_choose_class(params, -1), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "has 3 classes"));
    assert_non_null(strstr(chl_error(), "set generator_class"));
    assert_int_equal(chl_stylegan_choose_class(params, CLASSES), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "has 3 classes, numbered from 0: class 3"));
    chl_params_drop(params, "mapping.embed.bias");
    assert_int_equal(chl_stylegan_choose_class(params, 0), CHL_ERR_KEY);
    chl_params_free(params);
    static const chl_stylegan2_shape plain = {16, 64, 8, 8, 8, 2};
    MUST(chl_stylegan2_random(&plain, 1, &params));
    MUST(chl_stylegan_choose_class(params, -1));
    assert_int_equal(chl_stylegan_choose_class(params, 0), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "has no classes"));
    chl_params_free(params);
}

/* --- truncation ------------------------------------------------------------------------------- */
enum { MEASURED = 4096 };

static void mean_of_class(const chl_params *params, int label, double *mean) {
    float *z = malloc(sizeof *z * MEASURED * Z);
    assert_non_null(z);
    chl_numpy_normals(0, (int64_t)MEASURED * Z, z);
    memset(mean, 0, sizeof *mean * W);
    for (int k = 0; k < MEASURED; k++) {
        double w[W];
        originals_w(params, z + k * Z, label, w);
        for (int i = 0; i < W; i++) mean[i] += w[i] / MEASURED;
    }
    free(z);
}

/* The first row of seed 3's code, through a file. */
static void code_of_class(const chl_params *params, int label, float truncation, float *w) {
    char path[] = "/tmp/chladni-class-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    MUST(chl_weights_write_safetensors(params, path));
    const chl_model_place place = {.device = chl_device_cpu(), .precision = CHL_F32};
    const chl_generator_settings settings = {.class_number = 1 + label};
    chl_generator *generator;
    MUST(chl_generator_open(&place, path, &settings, &generator));
    float *code = malloc(sizeof *code * (size_t)(generator->sizes.rows * W));
    assert_non_null(code);
    MUST(chl_generator_seed_code(generator, 3, truncation, code));
    memcpy(w, code, sizeof *w * W);
    free(code);
    chl_generator_close(generator);
    assert_int_equal(unlink(path), 0);
}

static void assert_near(const float *w, const double *wanted, int label) {
    for (int i = 0; i < W; i++)
        if (fabs(w[i] - wanted[i]) > 1e-5 * (1 + fabs(wanted[i])))
            fail_msg("class %d, w[%d]: %g, not %g", label, i, (double)w[i], wanted[i]);
}

/* The random network's w_avg is far from every class's mean. */
static void truncation_moves_towards_the_mean_of_the_class(void **state) {
    (void)state;
    chl_params *params = conditional();
    float z[Z], w[W];
    chl_numpy_normals(3, Z, z);
    for (int label = 0; label < CLASSES; label++) {
        double mean[W], whole[W], wanted[W];
        mean_of_class(params, label, mean);
        originals_w(params, z, label, whole);
        for (int i = 0; i < W; i++) wanted[i] = mean[i] + 0.7 * (whole[i] - mean[i]);
        code_of_class(params, label, 0.7f, w);
        assert_near(w, wanted, label);
        code_of_class(params, label, 1, w);
        assert_near(w, whole, label);
    }
    chl_params_free(params);
}

static void a_mean_for_each_class_is_taken_from_the_file(void **state) {
    (void)state;
    chl_params *params = conditional();
    float *means, w[W];
    chl_params_drop(params, "mapping.w_avg");
    MUST(chl_params_add(params, "mapping.w_avg", chl_f32(2, CLASSES, W), (void **)&means));
    for (int i = 0; i < CLASSES * W; i++) means[i] = (float)i;
    for (int label = 0; label < CLASSES; label++) {
        code_of_class(params, label, 0, w);
        for (int i = 0; i < W; i++) assert_true(w[i] == (float)(label * W + i));
    }
    chl_params_free(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_gives_the_originals_w),
        cmocka_unit_test(a_class_must_exist_and_be_chosen),
        cmocka_unit_test(truncation_moves_towards_the_mean_of_the_class),
        cmocka_unit_test(a_mean_for_each_class_is_taken_from_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
