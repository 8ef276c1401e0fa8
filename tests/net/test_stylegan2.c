/* StyleGAN2 against the two original implementations, in double precision; tests/fixtures/
 * make_stylegan2.py made the expected values. */
#include "graph/build.h"
#include "harness/formula.h"
#include "io/weights.h"
#include "nets/stylegan2.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define FOLDER CHLADNI_FIXTURES "/stylegan2/"

static const chl_stylegan2_shape small_shape = {32, 384, 32, 48, 48, 3};
static const chl_stylegan2_shape full_shape = {256, 32768, 512, 512, 512, 8};
#define SMALL_SEED 1
#define FULL_SEED 2
#define SMALL_CLAMP 0.1f
#define EPS_LAYER "synthesis.b16.conv1.weight"
#define EPS_SCALE 3e-5f

static void ok(chl_status status) {
    if (status != CHL_OK) fail_msg("%s", chl_error());
}

static float *inputs(const char *name, int64_t count) {
    float *out = malloc((size_t)count * sizeof(float));
    assert_non_null(out);
    formula_fill(name, 0, sqrt(3), count, out);
    return out;
}

static double relative_error(const float *have, const float *want, int64_t count) {
    double error = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        error += ((double)have[i] - want[i]) * ((double)have[i] - want[i]);
        norm += (double)want[i] * want[i];
    }
    return sqrt(error / norm);
}

static void expect(const chl_params *expected, const char *name, const float *have,
                   double tolerance) {
    const chl_array *want = chl_params_find(expected, name);
    if (!want) fail_msg("no %s in the fixture", name);
    double error = relative_error(have, want->data, chl_count(&want->desc));
    print_message("    %-24s relative error %.2g\n", name, error);
    if (!(error <= tolerance)) fail_msg("%s: relative error %g > %g", name, error, tolerance);
}

/* picture [n,R,R,3] and the gradient [n,rows,W] of sum(picture * pattern) */
static void synthesize(chl_params *params, const chl_stylegan2_config *config, int n,
                       const float *w_plus, const float *pattern, float *picture, float *gradient) {
    chl_graph *g;
    ok(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    int r = config->resolution;
    chl_tensor w =
        chl_param(g, "w", chl_f32(3, n, config->rows, config->w_dim), w_plus, CHL_TRAINABLE);
    chl_tensor made = chl_keep(g, chl_stylegan2_synthesize(&net, config, w));
    chl_tensor times = chl_constant(g, "pattern", chl_f32(4, n, r, r, 3), pattern);
    chl_tensor loss = chl_scale(g, chl_mean(g, chl_mul(g, made, times)), (float)(n * r * r * 3));
    chl_tensor dw;
    chl_grad(g, loss, 1, &w, &dw);
    chl_keep(g, dw);
    ok(chl_compile(g));
    ok(chl_run(g, CHL_FIRST_SEGMENT));
    ok(chl_read(g, made, picture));
    ok(chl_read(g, dw, gradient));
    chl_net_done(&net);
    chl_graph_free(g);
}

static void map(chl_params *params, const chl_stylegan2_config *config, int n, const float *z,
                float *w) {
    chl_graph *g;
    ok(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor in = chl_input(g, "z", chl_f32(2, n, config->z_dim));
    chl_tensor out = chl_keep(g, chl_stylegan2_map(&net, config, in));
    ok(chl_compile(g));
    ok(chl_write(g, in, z));
    ok(chl_run(g, CHL_FIRST_SEGMENT));
    ok(chl_read(g, out, w));
    chl_net_done(&net);
    chl_graph_free(g);
}

/* --- the small network, both flavours --------------------------------------------------------- */

#define N 2
#define ROWS 8
#define WIDTH 48
#define SIDE 32
#define TOLERANCE 1e-5 /* the originals lose 4e-7 in float32 */

typedef struct small {
    chl_params *params, *expected;
    chl_stylegan2_config config;
    float *z, *w_plus, *pattern;
    float picture[N * SIDE * SIDE * 3], gradient[N * ROWS * WIDTH];
} small;

static small *open_small(const char *file) {
    small *s = calloc(1, sizeof *s);
    assert_non_null(s);
    ok(chl_weights_read(file, &s->params));
    ok(chl_weights_read(FOLDER "small.safetensors", &s->expected));
    ok(chl_stylegan2_import(s->params, &s->config));
    s->z = inputs("small z", N * WIDTH);
    s->w_plus = inputs("small w_plus", N * ROWS * WIDTH);
    s->pattern = inputs("small pattern", N * SIDE * SIDE * 3);
    return s;
}

static void close_small(small *s) {
    chl_params_free(s->params);
    chl_params_free(s->expected);
    free(s->z);
    free(s->w_plus);
    free(s->pattern);
    free(s);
}

static void run_small(small *s) {
    synthesize(s->params, &s->config, N, s->w_plus, s->pattern, s->picture, s->gradient);
}

static void check_sizes(const chl_stylegan2_config *c) {
    static const int channels[4] = {32, 32, 24, 12};
    assert_int_equal(c->resolution, SIDE);
    assert_int_equal(c->blocks, 4);
    assert_memory_equal(c->channels, channels, sizeof channels);
    assert_int_equal(c->z_dim, WIDTH);
    assert_int_equal(c->w_dim, WIDTH);
    assert_int_equal(c->mapping_layers, 3);
    assert_int_equal(c->rows, ROWS);
    assert_true(c->noise);
}

static void check_flavour(const char *file, chl_stylegan2_flavour flavour, float clamp) {
    small *s = open_small(file);
    check_sizes(&s->config);
    assert_int_equal(s->config.flavour, flavour);
    assert_true(s->config.conv_clamp == clamp);

    float w[N * WIDTH], truncated[N * ROWS * WIDTH];
    map(s->params, &s->config, N, s->z, w);
    expect(s->expected, "w", w, TOLERANCE);
    int average_rows = 0;
    const float *average = chl_stylegan_average(s->params, s->config.w_dim, &average_rows);
    assert_int_equal(average_rows, 1);
    ok(chl_stylegan_truncate(s->config.rows, s->config.w_dim, N, w, average, 1, 0.7f, 5,
                             truncated));
    expect(s->expected, "w_truncated", truncated, TOLERANCE);

    s->config.conv_clamp = 0;
    run_small(s);
    expect(s->expected, "picture", s->picture, TOLERANCE);
    expect(s->expected, "gradient", s->gradient, TOLERANCE);
    ok(chl_params_check_all_used(s->params));
    s->config.conv_clamp = SMALL_CLAMP;
    run_small(s);
    expect(s->expected, "picture_clamp", s->picture, TOLERANCE);
    expect(s->expected, "gradient_clamp", s->gradient, TOLERANCE);

    /* small weights in one layer: where the epsilon of the demodulation stands */
    s->config.conv_clamp = 0;
    chl_array *layer = chl_params_find(s->params, EPS_LAYER);
    for (int64_t i = 0; i < chl_count(&layer->desc); i++) ((float *)layer->data)[i] *= EPS_SCALE;
    run_small(s);
    bool ada = flavour == CHL_STYLEGAN2_ADA;
    expect(s->expected, ada ? "picture_eps_ada" : "picture_eps_rosinality", s->picture, TOLERANCE);
    expect(s->expected, ada ? "gradient_eps_ada" : "gradient_eps_rosinality", s->gradient,
           TOLERANCE);
    close_small(s);
}

static void ada_pickles_give_the_originals_pictures_and_gradients(void **state) {
    (void)state;
    check_flavour(FOLDER "small-ada.pkl", CHL_STYLEGAN2_ADA, 0); /* conv_clamp=None in the file */
}

static void rosinality_checkpoints_give_the_originals_pictures_and_gradients(void **state) {
    (void)state;
    check_flavour(FOLDER "small-rosinality.pt", CHL_STYLEGAN2_ROSINALITY, 0);
}

/* Both files hold chl_stylegan2_random's network: same names, shapes and numbers after import. */
static void both_files_hold_the_random_network(void **state) {
    (void)state;
    chl_params *made;
    chl_stylegan2_config config;
    ok(chl_stylegan2_random(&small_shape, SMALL_SEED, &made));
    ok(chl_stylegan2_import(made, &config));
    check_sizes(&config);
    static const char *const files[] = {FOLDER "small-ada.pkl", FOLDER "small-rosinality.pt"};
    for (int f = 0; f < 2; f++) {
        small *s = open_small(files[f]);
        for (int64_t i = 0; i < made->count; i++) {
            const chl_array *a = &made->array[i], *b = chl_params_find(s->params, a->name);
            if (!b || !chl_same_shape(&a->desc, &b->desc))
                fail_msg("%s: %s is missing or of another shape", files[f], a->name);
            if (!(relative_error(a->data, b->data, chl_count(&a->desc)) < 1e-6))
                fail_msg("%s: %s differs", files[f], a->name);
        }
        close_small(s);
    }
    chl_params_free(made);
}

static void noise_can_be_switched_off(void **state) {
    (void)state;
    small *s = open_small(FOLDER "small-ada.pkl");
    s->config.noise = false;
    run_small(s);
    const chl_array *want = chl_params_find(s->expected, "picture");
    assert_true(relative_error(s->picture, want->data, chl_count(&want->desc)) > 1e-3);
    close_small(s);
}

/* --- files that are errors -------------------------------------------------------------------- */

static void assert_says(const char *part) {
    if (!strstr(chl_error(), part)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), part);
}

static chl_params *random_small(void) {
    chl_params *params;
    ok(chl_stylegan2_random(&small_shape, SMALL_SEED, &params));
    return params;
}

static void *add(chl_params *params, const char *name, chl_desc desc) {
    void *data;
    ok(chl_params_add(params, name, desc, &data));
    memset(data, 0, (size_t)chl_bytes(&desc));
    return data;
}

static void refuse(chl_params *params, chl_status status, const char *part) {
    chl_stylegan2_config config;
    assert_int_equal(chl_stylegan2_import(params, &config), status);
    assert_says(part);
    chl_params_free(params);
}

static void generators_of_other_kinds_are_refused_by_key(void **state) {
    (void)state;
    chl_params *params = random_small();
    float *kernel = add(params, "synthesis.b8.resample_filter", chl_f32(2, 4, 4));
    static const float tap[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    for (int i = 0; i < 16; i++) kernel[i] = tap[i / 4] * tap[i % 4];
    refuse(params, CHL_ERR_UNSUPPORTED, "synthesis.b8.resample_filter");

    params = random_small();
    add(params, "mapping.embed.weight", chl_f32(2, 48, 10));
    refuse(params, CHL_ERR_UNSUPPORTED, "mapping.embed.weight");

    params = random_small();
    add(params, "synthesis.b8.skip.weight", chl_f32(4, 32, 32, 1, 1));
    refuse(params, CHL_ERR_UNSUPPORTED, "synthesis.b8.skip.weight");

    params = random_small();
    chl_params_drop(params, "synthesis.b16.conv1.weight");
    refuse(params, CHL_ERR_KEY, "synthesis.b16.conv1.weight");

    params = random_small();
    chl_params_drop(params, "synthesis.b4.const");
    refuse(params, CHL_ERR_KEY, "not a StyleGAN2 generator");

    params = random_small();
    chl_params_drop(params, "mapping.fc2.weight");
    chl_params_drop(params, "mapping.fc1.weight");
    add(params, "mapping.fc1.weight", chl_f32(2, 48, 40));
    refuse(params, CHL_ERR_SHAPE, "mapping.fc1.weight");

    chl_stylegan2_shape odd = small_shape;
    odd.resolution = 48;
    assert_int_equal(chl_stylegan2_random(&odd, 1, &params), CHL_ERR_ARGUMENT);
}

/* A wrong shape of a weight that only the builder reads, and W+ of another generator, are errors of
 * the graph. */
static void a_missing_weight_and_a_foreign_latent_are_errors_of_the_graph(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        chl_params *params = random_small();
        chl_stylegan2_config config;
        ok(chl_stylegan2_import(params, &config));
        if (i == 0) chl_params_drop(params, "synthesis.b8.conv0.affine.bias");
        chl_graph *g;
        ok(chl_graph_new(chl_device_cpu(), &g));
        chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
        chl_tensor w = chl_input(g, "w", chl_f32(3, 1, i ? ROWS + 2 : ROWS, WIDTH));
        chl_stylegan2_synthesize(&net, &config, w);
        assert_int_equal(chl_compile(g), i ? CHL_ERR_SHAPE : CHL_ERR_KEY);
        assert_says(i ? "[N,8,48]" : "synthesis.b8.conv0.affine.bias");
        chl_net_done(&net);
        chl_graph_free(g);
        chl_params_free(params);
    }
}

static int warnings;
static void count_warnings(void *user, chl_log_level level, const char *line) {
    (void)user;
    warnings += level == CHL_LOG_WARN && strstr(line, "noise maps") != NULL;
}

static void a_missing_noise_map_is_filled_in_with_one_warning(void **state) {
    (void)state;
    chl_params *params = random_small();
    chl_params_drop(params, "synthesis.b16.conv0.noise_const");
    warnings = 0;
    chl_log_to(count_warnings, NULL);
    chl_stylegan2_config config;
    ok(chl_stylegan2_import(params, &config));
    chl_log_to(NULL, NULL);
    assert_int_equal(warnings, 1);
    const chl_array *noise = chl_params_find(params, "synthesis.b16.conv0.noise_const");
    assert_non_null(noise);
    assert_int_equal(chl_count(&noise->desc), 16 * 16);
    chl_params_free(params);
}

static void truncation_goes_towards_the_average_up_to_its_cutoff(void **state) {
    (void)state;
    chl_stylegan2_config config = {.rows = 3, .w_dim = 2};
    const float w[4] = {1, 2, 3, 4}, centre[6] = {0, 0, 1, 1, 2, 2};
    float out[12];
    ok(chl_stylegan_truncate(config.rows, config.w_dim, 2, w, centre, 3, 0.5f, 2, out));
    const float want[12] = {0.5f, 1, 1, 1.5f, 1, 2, 1.5f, 2, 2, 2.5f, 3, 4};
    assert_memory_equal(out, want, sizeof want);
    ok(chl_stylegan_truncate(config.rows, config.w_dim, 1, w, NULL, 0, 1, 0, out));
    assert_memory_equal(out, w, sizeof w / 2);
    assert_int_equal(chl_stylegan_truncate(config.rows, config.w_dim, 1, w, NULL, 0, 0.7f, 0, out),
                     CHL_ERR_ARGUMENT);
    assert_int_equal(
        chl_stylegan_truncate(config.rows, config.w_dim, 1, w, centre, 2, 0.7f, 0, out),
        CHL_ERR_SHAPE);
}

/* --- nets/net.h ------------------------------------------------------------------------------- */

static void stars_in_names_match_a_part_and_double_stars_the_rest(void **state) {
    (void)state;
    chl_params *params;
    ok(chl_params_new("a file", &params));
    static const char *const names[] = {"layers.0.blocks.1.norm1.weight", "layers.0.norm",
                                        "layers.12.blocks.3.attn.qkv.bias", "layersX"};
    for (int i = 0; i < 4; i++) add(params, names[i], chl_f32(1, 1));
    int64_t count;
    ok(chl_rename_all(params, "layers.*.blocks.*.**", "block_*_*.**", &count));
    assert_int_equal(count, 2);
    assert_true(chl_params_has(params, "block_0_1.norm1.weight"));
    assert_true(chl_params_has(params, "block_%d_3.attn.qkv.bias", 12));
    assert_true(chl_params_has(params, "layers.0.norm"));
    ok(chl_rename_all(params, "layers.*", "l.*", &count));
    assert_int_equal(count, 0); /* a single star holds no dots */
    assert_int_equal(chl_rename_all(params, "a.*", "a", NULL), CHL_ERR_INTERNAL);
    chl_array *array;
    assert_int_equal(chl_params_require(params, 0, &array, "nowhere"), CHL_ERR_KEY);
    assert_says("a file");
    assert_int_equal(chl_params_require(params, 2, &array, "layersX"), CHL_ERR_SHAPE);
    chl_params_free(params);
}

static void a_weight_bound_twice_is_one_tensor(void **state) {
    (void)state;
    chl_params *params;
    ok(chl_params_new("a file", &params));
    add(params, "w", chl_f32(4, 3, 5, 1, 1));
    chl_graph *g;
    ok(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_TRAINABLE};
    chl_tensor w = chl_weight(&net, "w");
    assert_int_equal(chl_weight_shaped(&net, chl_f32(4, 3, -1, 1, 1), "w"), w); /* one tensor */
    chl_tensor flat = chl_weight_as(&net, chl_f32(2, 3, 5), "w");
    assert_int_equal(chl_desc_of(g, flat)->rank, 2);
    assert_int_equal(chl_weight_optional(&net, "b"), CHL_NONE);
    ok(chl_graph_status(g));
    ok(chl_params_check_all_used(params));
    assert_int_equal(chl_weight_shaped(&net, chl_f32(4, 3, 6, 1, 1), "w"), CHL_NONE);
    assert_int_equal(chl_graph_status(g), CHL_ERR_SHAPE);
    assert_says("[3,5,1,1]");
    chl_net_done(&net);
    chl_graph_free(g);
    chl_params_free(params);
}

/* --- 256 x 256 -------------------------------------------------------------------------------- */

#define FULL_SIDE 256
#define FULL_ROWS 14
#define FULL_WIDTH 512
#define TILE 8
/* In float32 the original itself loses 1.2e-3 of the gradient, to the few activations of eight
 * million that land on the other side of the leaky ReLU's kink. */
#define FULL_GRADIENT_TOLERANCE 3e-3

static void the_256_generator_is_the_originals_at_full_size(void **state) {
    (void)state;
    chl_params *params, *expected;
    chl_stylegan2_config config;
    ok(chl_weights_read(FOLDER "full.safetensors", &expected));
    ok(chl_stylegan2_random(&full_shape, FULL_SEED, &params));
    ok(chl_stylegan2_import(params, &config));
    float *z = inputs("full z", FULL_WIDTH), w[FULL_WIDTH];
    map(params, &config, 1, z, w);
    expect(expected, "w", w, TOLERANCE);

    enum { TILES = FULL_SIDE / TILE, COUNT = FULL_SIDE * FULL_SIDE * 3 };
    float *tiles = inputs("full pattern", TILES * TILES * 3);
    float *w_plus = inputs("full w_plus", FULL_ROWS * FULL_WIDTH);
    float *pattern = malloc(COUNT * sizeof(float)), *picture = malloc(COUNT * sizeof(float));
    float *gradient = malloc(FULL_ROWS * FULL_WIDTH * sizeof(float));
    assert_true(pattern && picture && gradient);
    for (int i = 0; i < COUNT; i++) {
        int y = i / 3 / FULL_SIDE, x = i / 3 % FULL_SIDE;
        pattern[i] = tiles[(y / TILE * TILES + x / TILE) * 3 + i % 3];
    }
    synthesize(params, &config, 1, w_plus, pattern, picture, gradient);

    static float mean[TILES * TILES * 3], crop[32 * 32 * 3];
    for (int i = 0; i < COUNT; i++) {
        int y = i / 3 / FULL_SIDE, x = i / 3 % FULL_SIDE;
        mean[(y / TILE * TILES + x / TILE) * 3 + i % 3] += picture[i] / (TILE * TILE);
        if (y >= 112 && y < 144 && x >= 112 && x < 144)
            crop[((y - 112) * 32 + x - 112) * 3 + i % 3] = picture[i];
    }
    expect(expected, "mean_8x8", mean, TOLERANCE);
    expect(expected, "crop_112_to_144", crop, TOLERANCE);
    expect(expected, "gradient", gradient, FULL_GRADIENT_TOLERANCE);
    free(z);
    free(tiles);
    free(w_plus);
    free(pattern);
    free(picture);
    free(gradient);
    chl_params_free(params);
    chl_params_free(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_in_names_match_a_part_and_double_stars_the_rest),
        cmocka_unit_test(a_weight_bound_twice_is_one_tensor),
        cmocka_unit_test(truncation_goes_towards_the_average_up_to_its_cutoff),
        cmocka_unit_test(ada_pickles_give_the_originals_pictures_and_gradients),
        cmocka_unit_test(rosinality_checkpoints_give_the_originals_pictures_and_gradients),
        cmocka_unit_test(both_files_hold_the_random_network),
        cmocka_unit_test(noise_can_be_switched_off),
        cmocka_unit_test(generators_of_other_kinds_are_refused_by_key),
        cmocka_unit_test(a_missing_weight_and_a_foreign_latent_are_errors_of_the_graph),
        cmocka_unit_test(a_missing_noise_map_is_filled_in_with_one_warning),
        cmocka_unit_test(the_256_generator_is_the_originals_at_full_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
