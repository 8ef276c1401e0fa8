/* Swin against timm (tests/fixtures/make_swin.py). */
#include "graph/build.h"
#include "harness/parity.h"
#include "nets/layers.h"
#include "nets/swin.h"
#include <math.h>
#include <string.h>

/* A Swin in a graph with the loss mean_n <embedding, target>. */
typedef struct swin_run {
    chl_graph *g;
    chl_net net;
    chl_tensor x, head, embedding, loss, dx;
    int n;
} swin_run;

static swin_run build(chl_params *params, const chl_swin_config *config, int n,
                      chl_param_kind kind) {
    swin_run r = {.n = n};
    MUST(chl_graph_new(chl_device_cpu(), &r.g));
    r.net = (chl_net){.graph = r.g, .params = params, .kind = kind};
    r.x = chl_input(r.g, "mel", chl_f32(4, n, config->resolution, config->resolution, 1));
    r.head = chl_swin(&r.net, config, r.x);
    r.embedding = chl_unit_rows(r.g, r.head);
    chl_keep(r.g, r.head);
    chl_keep(r.g, r.embedding);
    float *goal = parity_target(n, config->classes);
    chl_tensor target = chl_constant(r.g, "target", chl_f32(2, n, config->classes), goal);
    free(goal);
    r.loss = chl_mean(r.g, chl_row_dot(r.g, r.embedding, target));
    return r;
}

static void run(swin_run *r, const char *mel, const chl_swin_config *config) {
    MUST(chl_compile(r->g));
    float *data =
        parity_formula(mel, 0.5, 0.5, (int64_t)r->n * config->resolution * config->resolution);
    MUST(chl_write(r->g, r->x, data));
    MUST(chl_run(r->g, CHL_FIRST_SEGMENT));
    free(data);
}

static void done(swin_run *r) {
    chl_net_done(&r->net);
    chl_graph_free(r->g);
}

static void expect_close(const swin_run *r, chl_tensor x, int64_t step, const char *fixture,
                         double tolerance) {
    int64_t count;
    float *got = parity_read(r->g, x, step, &count), *want = parity_array(fixture, count);
    assert_true(parity_error(fixture, got, want, count) <= tolerance);
    free(got);
    free(want);
}

static void expect_aligned(const swin_run *r, const char *fixture, int columns) {
    int64_t count;
    float *got = parity_read(r->g, r->embedding, 1, &count), *want = parity_array(fixture, count);
    assert_true(parity_cosine(fixture, got, want, r->n, columns) >= 1 - 1e-8);
    free(got);
    free(want);
}

static chl_swin_config import_small(chl_params *params, bool sum) {
    chl_swin_config config = {.resolution = 32, .sum_channels = sum};
    MUST(chl_swin_import(params, &config));
    MUST(chl_params_check_all_used(params));
    assert_int_equal(config.stages, 2);
    assert_int_equal(config.depth[1], 2);
    assert_int_equal(config.heads[1], 4);
    assert_int_equal(config.window[0], 4);
    assert_int_equal(config.mlp[1], 64);
    assert_int_equal(config.channels, 1);
    assert_int_equal(config.classes, 12);
    return config;
}

static void check_naming(const char *file, bool sum) {
    chl_params *params = parity_weights(file);
    chl_swin_config config = import_small(params, sum);
    swin_run r = build(params, &config, 3, CHL_FROZEN);
    chl_grad(r.g, r.loss, 1, &r.x, &r.dx);
    chl_keep(r.g, r.dx);
    run(&r, "small mel", &config);
    expect_close(&r, r.head, 1, "swin/small_head", 1e-5);
    expect_aligned(&r, "swin/small_embedding", 12);
    expect_close(&r, r.dx, 1, "swin/small_gradient", 5e-5);
    done(&r);
    chl_params_free(params);
}

static void old_timm_names_give_timms_embedding(void **state) {
    (void)state;
    check_naming("swin/old_timm.safetensors", false);
}

static void new_timm_names_give_timms_embedding(void **state) {
    (void)state;
    check_naming("swin/new_timm.safetensors", false);
}

static void the_authors_names_give_timms_embedding(void **state) {
    (void)state;
    check_naming("swin/authors.safetensors", true);
    chl_params *params = parity_weights("swin/authors.safetensors");
    import_small(params, true);
    const chl_array *scale = chl_params_find(params, "logit_scale_ai");
    assert_non_null(scale);
    assert_int_equal(scale->desc.rank, 1);
    assert_true(*(const float *)scale->data == 2.5f);
    chl_params_free(params);
}

static void weight_gradients_are_the_originals(void **state) {
    (void)state;
    chl_params *params = parity_weights("swin/old_timm.safetensors");
    chl_params *want = parity_weights("swin/small_weight_gradients.safetensors");
    chl_swin_config config = import_small(params, false);
    swin_run r = build(params, &config, 3, CHL_TRAINABLE);
    chl_tensor *weight = calloc((size_t)want->count, sizeof *weight);
    chl_tensor *gradient = calloc((size_t)want->count, sizeof *gradient);
    for (int64_t i = 0; i < want->count; i++)
        weight[i] = chl_weight(&r.net, "%s", want->array[i].name);
    chl_grad(r.g, r.loss, (int)want->count, weight, gradient);
    for (int64_t i = 0; i < want->count; i++) chl_keep(r.g, gradient[i]);
    run(&r, "small mel", &config);
    for (int64_t i = 0; i < want->count; i++) {
        int64_t count;
        float *got = parity_read(r.g, gradient[i], 1, &count);
        assert_int_equal(count, chl_count(&want->array[i].desc));
        double error = parity_error(want->array[i].name, got, want->array[i].data, count);
        assert_true(error <= 5e-5);
        free(got);
    }
    free(weight);
    free(gradient);
    done(&r);
    chl_params_free(params);
    chl_params_free(want);
}

static void swin_t_is_the_originals_at_full_size(void **state) {
    (void)state;
    chl_swin_config tiny = chl_swin_tiny(), config = {0};
    chl_params *params;
    MUST(chl_swin_random(&tiny, 1, &params));
    for (int64_t i = 0; i < params->count; i++)
        formula_weight(params->array[i].name, &params->array[i].desc, params->array[i].data);
    MUST(chl_swin_import(params, &config));
    assert_int_equal(config.resolution, 224);
    assert_int_equal(config.depth[2], 6);
    assert_int_equal(config.heads[3], 24);
    assert_int_equal(config.window[3], 7);
    assert_int_equal(config.mlp[3], 3072);
    swin_run r = build(params, &config, 1, CHL_FROZEN);
    chl_grad(r.g, r.loss, 1, &r.x, &r.dx);
    chl_keep(r.g, r.dx);
    run(&r, "large mel", &config);
    expect_close(&r, r.head, 1, "swin/swin_t_head", 1e-5);
    expect_aligned(&r, "swin/swin_t_embedding", 512);
    expect_close(&r, r.dx, 97, "swin/swin_t_gradient", 5e-5);
    done(&r);
    chl_params_free(params);
}

/* The draws depend on purpose and step and on nothing else; their statistics are the op's test. */
static void dropped_paths_depend_on_purpose_and_step_only(void **state) {
    (void)state;
    chl_params *params = parity_weights("swin/old_timm.safetensors");
    chl_swin_config config = import_small(params, false);
    swin_run plain = build(params, &config, 3, CHL_FROZEN);
    run(&plain, "small mel", &config);
    config.drop_path = 0.5f;
    swin_run dropping = build(params, &config, 3, CHL_FROZEN);
    config.purpose = 1000;
    swin_run other = build(params, &config, 3, CHL_FROZEN);
    run(&dropping, "small mel", &config);
    run(&other, "small mel", &config);
    int64_t count;
    float *a = parity_read(plain.g, plain.head, 1, &count);
    float *b = parity_read(dropping.g, dropping.head, 1, &count);
    float *c = parity_read(other.g, other.head, 1, &count);
    assert_memory_not_equal(a, b, (size_t)count * sizeof *a);
    assert_memory_not_equal(b, c, (size_t)count * sizeof *a); /* another purpose, other draws */
    MUST(chl_set_step(dropping.g, (chl_step){.seed = 0, .index = 7}));
    MUST(chl_run(dropping.g, CHL_FIRST_SEGMENT));
    float *d = parity_read(dropping.g, dropping.head, 1, &count);
    assert_memory_not_equal(b, d, (size_t)count * sizeof *a); /* another step, other draws */
    MUST(chl_set_step(dropping.g, (chl_step){.seed = 0, .index = 0}));
    MUST(chl_run(dropping.g, CHL_FIRST_SEGMENT));
    float *e = parity_read(dropping.g, dropping.head, 1, &count);
    assert_memory_equal(b, e, (size_t)count * sizeof *a); /* the same step, the same draws */
    free(a), free(b), free(c), free(d), free(e);
    done(&plain), done(&dropping), done(&other);
    chl_params_free(params);
}

static void a_missing_weight_is_named(void **state) {
    (void)state;
    chl_params *params = parity_weights("swin/new_timm.safetensors");
    chl_params_drop(params, "layers.1.downsample.reduction.weight");
    chl_swin_config config = {.resolution = 32};
    assert_int_equal(chl_swin_import(params, &config), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "layers.0.downsample.reduction.weight"));
    chl_params_free(params);

    params = parity_weights("swin/new_timm.safetensors");
    config = (chl_swin_config){.resolution = 36};
    assert_int_equal(chl_swin_import(params, &config), CHL_ERR_SHAPE);
    assert_non_null(strstr(chl_error(), "36 x 36"));
    chl_params_free(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_timm_names_give_timms_embedding),
        cmocka_unit_test(new_timm_names_give_timms_embedding),
        cmocka_unit_test(the_authors_names_give_timms_embedding),
        cmocka_unit_test(weight_gradients_are_the_originals),
        cmocka_unit_test(dropped_paths_depend_on_purpose_and_step_only),
        cmocka_unit_test(a_missing_weight_is_named),
        cmocka_unit_test(swin_t_is_the_originals_at_full_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
