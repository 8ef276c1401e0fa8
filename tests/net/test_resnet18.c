/* The predecessor's audio encoder against timm (tests/fixtures/make_resnet18.py). */
#include "graph/build.h"
#include "harness/parity.h"
#include "nets/layers.h"
#include "nets/resnet18.h"
#include <string.h>

static void small_network_and_gradient_are_the_originals(void **state) {
    (void)state;
    chl_params *params = parity_weights("resnet18/small.safetensors");
    chl_resnet_config config;
    MUST(chl_resnet18_import(params, &config));
    MUST(chl_params_check_all_used(params));
    assert_int_equal(config.width, 4);
    assert_int_equal(config.depth[3], 2);
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor x = chl_input(g, "mel", chl_f32(4, 2, 32, 61, 1)), gradient;
    const chl_tensor head = chl_resnet18(&net, &config, x), embedding = chl_unit_rows(g, head);
    float *goal = parity_target(2, 12);
    chl_tensor target = chl_constant(g, "target", chl_f32(2, 2, 12), goal);
    chl_tensor loss = chl_mean(g, chl_row_dot(g, embedding, target));
    chl_grad(g, loss, 1, &x, &gradient);
    chl_keep(g, head);
    chl_keep(g, gradient);
    MUST(chl_compile(g));
    float *mel = parity_formula("mel", 0.5, 0.5, 2 * 32 * 61);
    MUST(chl_write(g, x, mel));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));

    int64_t count;
    float *got = parity_read(g, head, 1, &count),
          *want = parity_array("resnet18/small_head", count);
    assert_true(parity_error("resnet18/small_head", got, want, count) <= 1e-5);
    float *dgot = parity_read(g, gradient, 1, &count);
    float *dwant = parity_array("resnet18/small_gradient", count);
    assert_true(parity_error("resnet18/small_gradient", dgot, dwant, count) <= 5e-5);
    float *all[] = {goal, mel, got, want, dgot, dwant};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    chl_net_done(&net);
    chl_graph_free(g);
    chl_params_free(params);
}

static void a_missing_weight_is_named(void **state) {
    (void)state;
    chl_params *params = parity_weights("resnet18/small.safetensors");
    chl_params_drop(params, "feature_extractor.layer2.0.downsample.0.weight");
    chl_resnet_config config;
    assert_int_equal(chl_resnet18_import(params, &config), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "layer2.0.downsample.0.weight"));
    chl_params_free(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_network_and_gradient_are_the_originals),
        cmocka_unit_test(a_missing_weight_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
