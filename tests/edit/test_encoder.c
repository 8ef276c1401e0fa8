/* Inversion by an encoder: alone, and as the start of an optimisation. On small random models. */
#include "base/facts.h"
#include "harness/parity.h"
#include "models/engine.h"
#include "nets/small_models.h"
#include <chladni/edit.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/chladni-encoder-XXXXXX";
static chl_engine *engine;
static float *pixels;
static size_t numbers;

static chl_status open_with(const char *encoder, chl_engine **out) {
    const chl_engine_options options = {
        .size = sizeof options, .generator = "g.safetensors", .encoder = encoder, .device = "cpu"};
    return chl_engine_open(&options, out);
}

static int open_models(void **state) {
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    MUST(chl_weights_random("generator", 1, "g.safetensors"));
    MUST(chl_weights_random("encoder", 2, "e.safetensors"));
    MUST(open_with("e.safetensors", &engine));
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    numbers = (size_t)size.rows * (size_t)size.latent;
    pixels = parity_formula("photo", 0, 0.8, (int64_t)3 * size.picture * size.picture);
    return 0;
}

static int close_models(void **state) {
    (void)state;
    chl_engine_close(engine);
    free(pixels);
    unlink("g.safetensors"), unlink("e.safetensors"), unlink("x.safetensors");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static float *new_code(void) {
    float *code = calloc(numbers, sizeof *code);
    assert_non_null(code);
    return code;
}

static double apart(const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < numbers; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sqrt(sum);
}

static void without_steps_the_code_is_the_encoders(void **state) {
    (void)state;
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    const chl_invert_options options = chl_invert_defaults(engine);
    float *code = new_code(), *own = new_code();
    assert_int_equal(options.steps, 0);
    MUST(chl_invert(engine, &options, pixels, code));
    MUST(chl_style_encoder_code(engine->encoder, size.picture, pixels, size.rows, own));
    assert_memory_equal(code, own, numbers * sizeof *code);
    free(code), free(own);
}

/* After a step of Adam each number is one `rate` away from where it began. */
static void steps_begin_at_the_encoders_code(void **state) {
    (void)state;
    chl_engine *plain;
    MUST(open_with(NULL, &plain));
    chl_invert_options options = chl_invert_defaults(plain);
    assert_int_equal(options.steps, 300);
    float *code = new_code(), *own = new_code(), *mean = new_code();
    MUST(chl_invert(engine, NULL, pixels, own));
    options.steps = 1;
    options.rate = 0.001f;
    MUST(chl_invert(engine, &options, pixels, code));
    MUST(chl_invert(plain, &options, pixels, mean));
    const double moved = apart(code, own), limit = 1.01 * 0.001 * sqrt((double)numbers);
    assert_true(moved > 0 && moved <= limit);
    assert_true(apart(mean, own) > 10 * limit);
    free(code), free(own), free(mean);
    chl_engine_close(plain);
}

static void steps_bring_the_encoders_picture_nearer(void **state) {
    (void)state;
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    const size_t count = 3 * (size_t)size.picture * (size_t)size.picture;
    chl_invert_options options = chl_invert_defaults(engine);
    float *code = new_code(), *made = malloc(count * sizeof *made);
    double error[2] = {0};
    assert_non_null(made);
    for (int i = 0; i < 2; i++) {
        options.steps = i ? 20 : 0;
        MUST(chl_invert(engine, &options, pixels, code));
        MUST(chl_generate(engine, 1, code, made));
        for (size_t k = 0; k < count; k++)
            error[i] += ((double)made[k] - pixels[k]) * ((double)made[k] - pixels[k]);
    }
    print_message("    squares %g -> %g\n", error[0], error[1]);
    assert_true(error[1] < 0.9 * error[0]);
    free(code), free(made);
}

static void assert_says(const char *part) {
    if (!strstr(chl_error(), part)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), part);
}

static void an_encoder_of_another_generator_is_refused(void **state) {
    (void)state;
    chl_engine *none;
    chl_params *params;
    MUST(chl_small_model("encoder", 2, &params));
    for (const char *const *part = (const char *const[]){"weight", "bias", NULL}; *part; part++) {
        char name[64];
        snprintf(name, sizeof name, "styles.11.linear.%s", *part);
        chl_params_drop(params, name);
        for (int i = 0; i < 5; i++) {
            snprintf(name, sizeof name, "styles.11.convs.%d.%s", 2 * i, *part);
            chl_params_drop(params, name);
        }
    }
    MUST(chl_weights_write_safetensors(params, "x.safetensors"));
    chl_params_free(params);
    assert_int_equal(open_with("x.safetensors", &none), CHL_ERR_SHAPE);
    assert_says("x.safetensors makes codes of 11 rows of 128, g.safetensors takes 12 rows of 128");
    assert_null(none);
}

static void a_file_that_is_no_encoder_is_refused(void **state) {
    (void)state;
    chl_engine *none;
    assert_int_equal(open_with("g.safetensors", &none), CHL_ERR_KEY);
    assert_says("g.safetensors: holds a StyleGAN2 generator, where an encoder for inversion is");
    MUST(chl_weights_random("face", 2, "x.safetensors"));
    assert_int_equal(open_with("x.safetensors", &none), CHL_ERR_KEY);
    assert_says("holds an ArcFace encoder, where an encoder for inversion is expected");
    chl_invert_options options = chl_invert_defaults(engine);
    options.steps = -1;
    float *code = new_code();
    assert_int_equal(chl_invert(engine, &options, pixels, code), CHL_ERR_ARGUMENT);
    assert_says("steps of the inversion must be >= 0, got -1");
    free(code);
}

static void the_cost_has_the_encoders_memory(void **state) {
    (void)state;
    chl_cost encoder, both;
    chl_invert_options options = chl_invert_defaults(engine);
    MUST(chl_invert_cost(engine, &options, &encoder));
    assert_true(encoder.weight_bytes > 0 && encoder.activation_bytes > 0 && encoder.nodes > 0);
    assert_true(encoder.flops_setup > 0 && encoder.flops_step == 0);
    options.steps = 1;
    MUST(chl_invert_cost(engine, &options, &both));
    assert_true(both.weight_bytes > encoder.weight_bytes && both.flops_step > 0);
    options.steps = -1;
    assert_int_equal(chl_invert_cost(engine, &options, &both), CHL_ERR_ARGUMENT);
}

/* 16 rows of one w: the last map's pSp takes any generator of its width. */
static void one_w_is_for_all_rows(void **state) {
    (void)state;
    chl_style_config config = {.kind = CHL_STYLE_W,
                               .trunk = {.units = 4, .width = 4},
                               .rows = 1,
                               .latent = 128,
                               .average_rows = 1};
    for (int i = 0; i < 4; i++)
        config.trunk.unit[i] = (chl_irse_unit){
            .in = i ? 4 << (i - 1) : 4, .out = 4 << i, .squeeze = 2, .stride = 2, .projection = i};
    chl_params *params;
    chl_engine *of_one;
    MUST(chl_style_random(&config, 3, &params));
    MUST(chl_weights_write_safetensors(params, "x.safetensors"));
    chl_params_free(params);
    MUST(open_with("x.safetensors", &of_one));
    float *code = new_code();
    MUST(chl_invert(of_one, NULL, pixels, code));
    for (size_t row = 1; row < numbers / 128; row++)
        assert_memory_equal(code, code + row * 128, 128 * sizeof *code);
    assert_true(code[0] != 0);
    free(code);
    chl_engine_close(of_one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_steps_the_code_is_the_encoders),
        cmocka_unit_test(steps_begin_at_the_encoders_code),
        cmocka_unit_test(steps_bring_the_encoders_picture_nearer),
        cmocka_unit_test(an_encoder_of_another_generator_is_refused),
        cmocka_unit_test(a_file_that_is_no_encoder_is_refused),
        cmocka_unit_test(one_w_is_for_all_rows),
        cmocka_unit_test(the_cost_has_the_encoders_memory),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
