/* Encoders for inversion against independent PyTorch models (tests/fixtures/make_style_encoder.py). */
#include "base/facts.h"
#include "graph/build.h"
#include "harness/parity.h"
#include "nets/style_encoder.h"
#include <string.h>

enum { LATENT = 48, ROWS = 18, N = 2, SIDE = 256 };

/* All of an IR-SE50's layers with an eighth of the channels. */
static chl_style_config shape_of(chl_style_kind kind) {
    chl_style_config config = {.kind = kind,
                               .rows = kind == CHL_STYLE_W ? 1 : ROWS,
                               .latent = LATENT,
                               .convs = 4,
                               .grid = 7,
                               .average_rows = kind == CHL_STYLE_W ? 1 : ROWS};
    config.trunk = chl_arcface_ir_se50();
    config.trunk.width /= 8;
    for (int i = 0; i < config.trunk.units; i++) {
        chl_irse_unit *unit = &config.trunk.unit[i];
        unit->in /= 8;
        unit->out /= 8;
        unit->squeeze = unit->out / 4;
    }
    for (int row = 3; row < ROWS; row++) config.map[row] = row < 7 ? 1 : 2;
    return config;
}

static chl_params *weights_of(chl_style_kind kind) {
    const chl_style_config shape = shape_of(kind);
    chl_params *params;
    MUST(chl_style_random(&shape, 1, &params));
    for (int64_t i = 0; i < params->count; i++)
        formula_weight(params->array[i].name, &params->array[i].desc, params->array[i].data);
    return params;
}

static void compare(chl_params *params, const chl_style_config *config, const char *picture, int n,
                    const char *codes) {
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    const int side = config->side;
    chl_tensor x = chl_input(g, "picture", chl_f32(4, n, side, side, 3));
    chl_tensor made = chl_keep(g, chl_style_codes(&net, config, x));
    MUST(chl_compile(g));
    float *pixels = parity_formula(picture, 0, 1, (int64_t)n * side * side * 3);
    MUST(chl_write(g, x, pixels));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    int64_t count;
    float *got = parity_read(g, made, 1, &count), *want = parity_array(codes, count), largest = 0;
    for (int64_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(got[i] - want[i]));
    print_message("%-48s largest difference %.1e\n", codes, (double)largest);
    assert_true(largest <= 1e-5f);
    assert_true(parity_error(codes, got, want, count) <= 1e-5);
    free(pixels), free(got), free(want);
    chl_net_done(&net);
    chl_graph_free(g);
}

static void compare_kind(chl_style_kind kind, const char *codes) {
    chl_params *params = weights_of(kind);
    chl_style_config config;
    for (int again = 0; again < 2; again++) { /* once adopted, adopting changes nothing */
        MUST(chl_style_import(params, &config));
        MUST(chl_params_check_all_used(params));
        assert_int_equal(config.kind, kind);
        assert_int_equal(config.side, SIDE);
        assert_int_equal(config.latent, LATENT);
        assert_int_equal(config.rows, kind == CHL_STYLE_W ? 1 : ROWS);
        compare(params, &config, "a picture to invert", N, codes);
    }
    chl_params_free(params);
}

static void e4es_codes_are_the_originals(void **state) {
    (void)state;
    compare_kind(CHL_STYLE_E4E, "style_encoder/e4e");
}
static void psps_codes_are_the_originals(void **state) {
    (void)state;
    compare_kind(CHL_STYLE_PSP, "style_encoder/psp");
}
static void codes_of_the_last_map_for_all_rows_are_the_originals(void **state) {
    (void)state;
    compare_kind(CHL_STYLE_W_PLUS, "style_encoder/w_plus");
}
static void the_code_of_the_last_map_for_one_row_is_the_originals(void **state) {
    (void)state;
    compare_kind(CHL_STYLE_W, "style_encoder/w");
}

/* state_dict, opts and latent_avg as its training saves them */
static void a_checkpoint_states_what_it_is(void **state) {
    (void)state;
    chl_params *params = parity_weights("style_encoder/small-e4e.pt");
    assert_string_equal(chl_style_stated_type(params), "'Encoder4Editing'");
    assert_int_equal(params->facts, 3);
    chl_params_drop_all(params, "decoder.", false);
    MUST(chl_params_strip(params, "encoder."));
    chl_style_config config;
    MUST(chl_style_import(params, &config));
    MUST(chl_params_check_all_used(params));
    assert_int_equal(config.kind, CHL_STYLE_E4E);
    assert_int_equal(config.side, 32);
    assert_int_equal(config.average_rows, 8);
    compare(params, &config, "a small picture", 1, "style_encoder/small");
    chl_params_free(params);
}

/* --- refusals --------------------------------------------------------------------------------- */
static void refused(chl_params *params, chl_status expected, const char *part) {
    chl_style_config config;
    assert_int_equal(chl_style_import(params, &config), expected);
    if (!strstr(chl_error(), part)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), part);
    chl_params_free(params);
}

static void set_fact(chl_params *params, const char *name, const char *value) {
    for (int64_t i = 0; i < params->facts; i++) {
        if (strcmp(params->fact[i].name, name) != 0) continue;
        free(params->fact[i].value);
        params->fact[i].value = strdup(value);
        return;
    }
    MUST(chl_params_state(params, name, value));
}

static void replace(chl_params *params, const char *name, chl_desc desc) {
    void *data;
    chl_params_drop(params, name);
    MUST(chl_params_add(params, name, desc, &data));
    memset(data, 0, (size_t)chl_bytes(&desc));
}

static void what_is_stated_is_obeyed_or_refused(void **state) {
    (void)state;
    chl_style_config config;
    chl_params *params = weights_of(CHL_STYLE_E4E);
    set_fact(params, "opts:start_from_latent_avg", "False");
    MUST(chl_style_import(params, &config));
    MUST(chl_params_check_all_used(params));
    assert_int_equal(config.average_rows, 0);
    chl_params_free(params);

    params = weights_of(CHL_STYLE_E4E);
    set_fact(params, "opts:encoder_type", "'ProgressiveBackboneEncoder'");
    refused(params, CHL_ERR_UNSUPPORTED,
            "\"opts:encoder_type\" = 'ProgressiveBackboneEncoder', expected 'GradualStyleEncoder'");
    params = weights_of(CHL_STYLE_E4E);
    free(params->fact[0].name);
    params->fact[0].name = strdup("else");
    refused(params, CHL_ERR_KEY, "does not state \"opts:encoder_type\"");
    params = weights_of(CHL_STYLE_W_PLUS);
    set_fact(params, "opts:encoder_type", chl_style_type[CHL_STYLE_W]);
    refused(params, CHL_ERR_UNSUPPORTED, "expected 'BackboneEncoderUsingLastLayerIntoWPlus'");
    params = weights_of(CHL_STYLE_PSP);
    set_fact(params, "opts:dataset_type", "'cars_encode'");
    refused(params, CHL_ERR_UNSUPPORTED, "expected an encoder of square pictures");
    params = weights_of(CHL_STYLE_PSP);
    set_fact(params, "opts:start_from_latent_avg", "True");
    chl_params_drop(params, "latent_avg");
    refused(params, CHL_ERR_KEY, "\"latent_avg\" is missing");
}

static void shapes_that_are_no_encoders_are_named(void **state) {
    (void)state;
    chl_params *params = weights_of(CHL_STYLE_PSP);
    replace(params, "latent_avg", chl_f32(2, 14, LATENT));
    refused(params, CHL_ERR_SHAPE, "\"latent_avg\" is [14,48], expected [48] or [18,48]");
    params = weights_of(CHL_STYLE_PSP);
    replace(params, "input_layer.0.weight", chl_f32(4, 8, 6, 3, 3));
    refused(params, CHL_ERR_UNSUPPORTED, "\"input_layer.0.weight\" takes 6 channels");
    params = weights_of(CHL_STYLE_PSP);
    chl_params_drop(params, "styles.5.convs.0.weight");
    refused(params, CHL_ERR_SHAPE, "\"styles.5\" has 0 convolutions and \"styles.0\" has 4");
    params = weights_of(CHL_STYLE_PSP);
    chl_params_drop(params, "latlayer2.bias");
    refused(params, CHL_ERR_KEY, "latlayer2.bias");
    params = weights_of(CHL_STYLE_W_PLUS);
    replace(params, "linear.weight", chl_f32(2, ROWS * LATENT + 1, LATENT));
    refused(params, CHL_ERR_SHAPE, "\"linear.weight\" has 865 rows, expected up to 64 times 48");
    params = weights_of(CHL_STYLE_W_PLUS);
    replace(params, "output_layer_2.3.weight_nhwc", chl_f32(2, LATENT, 64 * 48));
    refused(params, CHL_ERR_SHAPE, "expected 64 channels of a square map");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(e4es_codes_are_the_originals),
        cmocka_unit_test(psps_codes_are_the_originals),
        cmocka_unit_test(codes_of_the_last_map_for_all_rows_are_the_originals),
        cmocka_unit_test(the_code_of_the_last_map_for_one_row_is_the_originals),
        cmocka_unit_test(a_checkpoint_states_what_it_is),
        cmocka_unit_test(what_is_stated_is_obeyed_or_refused),
        cmocka_unit_test(shapes_that_are_no_encoders_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
