/* What a generator's file states beside its arrays is obeyed or refused, never ignored. */
#include "base/facts.h"
#include "io/bytes.h"
#include "io/safetensors.h"
#include "io/weights.h"
#include "nets/stylegan2.h"
#include <stdlib.h>
#include <unistd.h>

#define PICKLE "stylegan2/small-ada.pkl"

static void ok(chl_status status) {
    if (status != CHL_OK) fail_msg("%s", chl_error());
}

static void assert_says(const char *part) {
    if (!strstr(chl_error(), part)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), part);
}

/* A small random network under ada's names, whose file would state `name` = `value`. */
static chl_params *stating(const char *name, const char *value) {
    static const chl_stylegan2_shape shape = {16, 64, 8, 8, 8, 2};
    chl_params *params;
    ok(chl_stylegan2_random(&shape, 1, &params));
    ok(chl_params_state(params, name, value));
    return params;
}

static chl_stylegan2_config obeyed(const char *name, const char *value) {
    chl_stylegan2_config config;
    chl_params *params = stating(name, value);
    ok(chl_stylegan2_import(params, &config));
    ok(chl_params_check_facts(params));
    chl_params_free(params);
    return config;
}

static void settings_are_obeyed(void **state) {
    (void)state;
    assert_true(obeyed(":z_dim", "8").conv_clamp == 256);
    assert_true(obeyed(":synthesis_kwargs.conv_clamp", "0.5").conv_clamp == 0.5f);
    assert_true(obeyed(":synthesis_kwargs.conv_clamp", "None").conv_clamp == 0);
    assert_true(obeyed("synthesis.b8.torgb:conv_clamp", "64").conv_clamp == 64);
    assert_true(obeyed(":z_dim", "8").noise);
    assert_false(obeyed("synthesis:use_noise", "False").noise);
    assert_true(obeyed(":z_dim", "8").mapping_rate == 0.01f);
    assert_true(obeyed(":mapping_kwargs.lr_multiplier", "0.02").mapping_rate == 0.02f);
}

static void settings_without_effect_are_accepted(void **state) {
    (void)state;
    static const char *const fine[][2] = {
        {":[0]", "512"},
        {":synthesis_kwargs.num_fp16_res", "4"},
        {":synthesis_kwargs.channel_base", "16384"},
        {":synthesis_kwargs.fused_modconv_default", "'inference_only'"},
        {"synthesis.b8:architecture", "'skip'"},
        {"synthesis.b8.conv0:up", "2"},
        {"synthesis.b8.conv1:up", "1"},
        {"synthesis.b8.conv1:resample_filter", "[1, 3, 3, 1]"},
        {"synthesis.b8.conv1:activation", "'lrelu'"},
        {"synthesis.b8.conv1.affine:activation", "'linear'"},
        {"synthesis.b8.conv1.affine:lr_multiplier", "1"},
        {"mapping.fc0:bias_init", "0"},
        {"args:arch", "'stylegan2'"},
        {"args:size", "16"},
        {"args:latent", "8"},
        {"args:n_mlp", "2"},
        {"args:channel_multiplier", "2"}, /* of 64 x 64 and larger */
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) obeyed(fine[i][0], fine[i][1]);
}

static void other_settings_are_refused_by_name(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {":synthesis_kwargs.architecture", "'resnet'"},
        {":synthesis_kwargs.conv_clamp", "'high'"},
        {":synthesis_kwargs.conv_clamp", "-1"},
        {":synthesis_kwargs.resample_filter", "[1, 2, 1]"},
        {":synthesis_kwargs.magnitude_ema_beta", "0.999"},
        {":mapping_kwargs.activation", "'relu'"},
        {":mapping_kwargs.lr_multiplier", "0"},
        {"synthesis.b8.conv1.affine:activation", "'lrelu'"},
        {"synthesis.b8.conv1.affine:lr_multiplier", "0.5"},
        {"synthesis.b8.conv1:up", "2"},
        {"synthesis.b8.conv0:up", "4"},
        {"synthesis.b8.conv0:[2]", "'up'"},
        {"synthesis.b8.conv0:padding_mode", "'reflect'"},
        {"args:arch", "'swagan'"},
        {"args:size", "32"},
        {"args:latent", "512"},
        {"args:n_mlp", "8"},
        {"args:size", "'large'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        chl_stylegan2_config config;
        chl_params *params = stating(wrong[i][0], wrong[i][1]);
        if (chl_stylegan2_import(params, &config) != CHL_ERR_UNSUPPORTED)
            fail_msg("%s = %s is accepted", wrong[i][0], wrong[i][1]);
        assert_says(wrong[i][0]);
        assert_says(wrong[i][1]);
        chl_params_free(params);
    }
    chl_params *params = stating("synthesis.b4.conv1:conv_clamp", "256");
    chl_stylegan2_config config;
    ok(chl_params_state(params, "synthesis.b8.conv1:conv_clamp", "None"));
    assert_int_equal(chl_stylegan2_import(params, &config), CHL_ERR_UNSUPPORTED);
    assert_says("expected the same for all layers");
    chl_params_free(params);
}

/* A network whose reader knows no facts refuses a file that states one. */
static void a_fact_that_nobody_reads_is_refused(void **state) {
    (void)state;
    chl_params *params;
    ok(chl_params_new("a.pkl", &params));
    ok(chl_params_check_all_used(params));
    ok(chl_params_state(params, "head:dropout", "0.1"));
    ok(chl_params_state(params, "head:dropout", "0.1"));
    assert_int_equal(params->facts, 1);
    assert_int_equal(chl_params_state(params, "head:dropout", "0.2"), CHL_ERR_FORMAT);
    assert_int_equal(chl_params_check_all_used(params), CHL_ERR_UNSUPPORTED);
    assert_says("\"head:dropout\" = 0.1");
    chl_params_free(params);
}

static void a_channel_multiplier_must_be_that_of_the_arrays(void **state) {
    (void)state;
    static const chl_stylegan2_shape shape = {128, 16384, 512, 8, 8, 2};
    static const char *const values[] = {"1", "2"};
    for (int k = 0; k < 2; k++) {
        chl_params *params;
        chl_stylegan2_config config;
        ok(chl_stylegan2_random(&shape, 1, &params));
        ok(chl_params_state(params, "args:channel_multiplier", values[k]));
        assert_int_equal(chl_stylegan2_import(params, &config), k ? CHL_ERR_UNSUPPORTED : CHL_OK);
        if (k) assert_says("\"args:channel_multiplier\" = 2, expected 1, as its arrays have it");
        chl_params_free(params);
    }
}

/* --- the pickle of the original network ------------------------------------------------------- */
static const char *fact(const chl_params *params, const char *name) {
    for (int64_t i = 0; i < params->facts; i++)
        if (strcmp(params->fact[i].name, name) == 0) return params->fact[i].value;
    fail_msg("\"%s\" is not stated", name);
    return "";
}

static chl_params *parse(const bytes *b) {
    chl_params *params;
    ok(chl_params_new("small.pkl", &params));
    ok(chl_weights_parse(b->data, b->size, "small.pkl", params));
    return params;
}

static void the_arguments_of_every_module_are_read(void **state) {
    (void)state;
    bytes b;
    load_bytes(&b, PICKLE);
    chl_params *params = parse(&b);
    assert_string_equal(fact(params, ":[3]"), "32");
    assert_string_equal(fact(params, ":synthesis_kwargs.conv_clamp"), "None");
    assert_string_equal(fact(params, ":mapping_kwargs.num_layers"), "3");
    assert_string_equal(fact(params, "mapping.fc1:lr_multiplier"), "0.01");
    assert_string_equal(fact(params, "synthesis.b16.conv0:up"), "2");
    assert_string_equal(fact(params, "synthesis.b16.conv0:activation"), "'lrelu'");
    assert_string_equal(fact(params, "synthesis.b16.conv0:resample_filter"), "[1, 3, 3, 1]");
    assert_string_equal(fact(params, "synthesis.b16.conv0.affine:bias_init"), "1");
    chl_stylegan2_config config;
    ok(chl_stylegan2_import(params, &config));
    ok(chl_params_check_facts(params));
    chl_params_free(params);
}

static void replace_all(bytes *b, const char *from, const char *to) {
    const size_t length = strlen(from);
    assert_int_equal(length, strlen(to));
    int count = 0;
    for (size_t i = 0; i + length <= b->size; i++)
        if (memcmp(b->data + i, from, length) == 0) {
            memcpy(b->data + i, to, length);
            count++;
        }
    assert_true(count > 0);
}

static void changed_arguments_in_a_pickle_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *says;
    } cases[] = {{"skip", "orig", "'orig', expected 'skip'"},
                 {"lrelu", "gelu2", "'gelu2', expected 'lrelu'"},
                 {"bias_init", "bias_inim", "bias_inim"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes b;
        chl_stylegan2_config config;
        load_bytes(&b, PICKLE);
        replace_all(&b, cases[i].from, cases[i].to);
        chl_params *params = parse(&b);
        assert_int_equal(chl_stylegan2_import(params, &config), CHL_ERR_UNSUPPORTED);
        assert_says(cases[i].says);
        chl_params_free(params);
    }
}

/* A file that is converted keeps what it states. */
static void facts_survive_in_safetensors(void **state) {
    (void)state;
    char path[] = "/tmp/chladni-facts-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    bytes b;
    load_bytes(&b, PICKLE);
    chl_params *params = parse(&b), *back;
    ok(chl_params_state(params, "a \"b\":c", "'d'"));
    ok(chl_safetensors_write(params, CHL_ELEMENT_F32, path));
    ok(chl_weights_read(path, &back));
    unlink(path);
    assert_int_equal(back->facts, params->facts);
    for (int64_t i = 0; i < back->facts; i++) {
        assert_string_equal(back->fact[i].name, params->fact[i].name);
        assert_string_equal(back->fact[i].value, params->fact[i].value);
    }
    chl_params_free(params);
    chl_params_free(back);
}

static void metadata_of_another_framework_is_refused(void **state) {
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"format\":\"mlx\"}}   ";
    bytes b = {.size = 0};
    put_le(&b, sizeof header - 1, 4);
    put_le(&b, 0, 4);
    put_text(&b, header);
    chl_params *params;
    ok(chl_params_new("x", &params));
    assert_int_equal(chl_weights_parse(b.data, b.size, "x", params), CHL_ERR_UNSUPPORTED);
    assert_says("mlx");
    chl_params_free(params);
}

/* {"g_ema": {"w": 1.0}, "args": Namespace(size=256, batch=4)}, as torch.save wrote it before 1.6 */
static void options_beside_a_network_are_read(void **state) {
    (void)state;
    static const char file[] = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8P\x19."
                               "\x80\x02M\xe9\x03."
                               "\x80\x02}X\x0d\0\0\0little_endian\x88s."
                               "\x80\x02}(X\x05\0\0\0g_ema}X\x01\0\0\0wG\x3f\xf0\0\0\0\0\0\0s"
                               "X\x04\0\0\0args"
                               "cargparse\nNamespace\n)\x81}(X\x04\0\0\0sizeM\0\x01"
                               "X\x05\0\0\0batchK\x04ubu."
                               "\x80\x02].";
    bytes b = {.size = sizeof file - 1};
    memcpy(b.data, file, b.size);
    chl_params *params = parse(&b);
    assert_int_equal(params->facts, 1);
    assert_string_equal(fact(params, "args:size"), "256");
    chl_params_free(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_obeyed),
        cmocka_unit_test(settings_without_effect_are_accepted),
        cmocka_unit_test(other_settings_are_refused_by_name),
        cmocka_unit_test(a_channel_multiplier_must_be_that_of_the_arrays),
        cmocka_unit_test(options_beside_a_network_are_read),
        cmocka_unit_test(a_fact_that_nobody_reads_is_refused),
        cmocka_unit_test(the_arguments_of_every_module_are_read),
        cmocka_unit_test(changed_arguments_in_a_pickle_are_refused),
        cmocka_unit_test(facts_survive_in_safetensors),
        cmocka_unit_test(metadata_of_another_framework_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
