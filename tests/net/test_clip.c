/* CLIP against open_clip and transformers (tests/fixtures/make_clip.py). */
#include "graph/build.h"
#include "harness/parity.h"
#include "nets/clip.h"
#include <string.h>

/* Row i: start, 3 + 2 i words, end, zeros: as make_clip.py's token_ids. */
static void make_ids(int n, int context, int vocabulary, int32_t *ids, int32_t *end) {
    memset(ids, 0, (size_t)(n * context) * sizeof *ids);
    for (int i = 0; i < n; i++) {
        int32_t *row = ids + i * context;
        end[i] = 4 + 2 * i;
        row[0] = vocabulary - 2;
        for (int t = 1; t < end[i]; t++) row[t] = (7919 * (i + 1) * t + 13) % (vocabulary - 2);
        row[end[i]] = vocabulary - 1;
    }
}

typedef struct clip_case {
    const char *prefix;  /* of the expected outputs */
    const char *picture; /* formula name */
    int n, height, width, step;
} clip_case;

/* Both embeddings and the gradient of mean_n <image embedding, target> to the picture. */
static void compare(const clip_case *c, chl_params *params, const chl_clip_config *config) {
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    int n = c->n, d = config->embed;
    chl_tensor picture = chl_input(g, "picture", chl_f32(4, n, c->height, c->width, 3));
    chl_tensor ids = chl_input(g, "ids", chl_i32(2, n, config->context));
    chl_tensor end = chl_input(g, "end", chl_i32(1, n));
    float *goal = parity_target(n, d);
    chl_tensor target = chl_constant(g, "target", chl_f32(2, n, d), goal);
    chl_tensor image = chl_keep(
        g, chl_clip_image(&net, config, chl_clip_preprocess(g, config, picture, CHL_CLIP_AREA)));
    chl_tensor text = chl_keep(g, chl_clip_text(&net, config, ids, end));
    chl_tensor loss = chl_mean(g, chl_row_dot(g, image, target)), gradient;
    chl_grad(g, loss, 1, &picture, &gradient);
    chl_keep(g, gradient);
    MUST(chl_compile(g));

    float *pixels = parity_formula(c->picture, 0, 1.2, (int64_t)n * c->height * c->width * 3);
    int32_t tokens[2 * 77], ends[2];
    make_ids(n, config->context, config->vocabulary, tokens, ends);
    MUST(chl_write(g, picture, pixels));
    MUST(chl_write(g, ids, tokens));
    MUST(chl_write(g, end, ends));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));

    char name[96];
    int64_t count;
#define EXPECT(tensor, part, every)                                                                \
    snprintf(name, sizeof name, "clip/%s_%s", c->prefix, part);                                    \
    float *got_##tensor = parity_read(g, tensor, every, &count);                                   \
    float *want_##tensor = parity_array(name, count)
    EXPECT(image, "image", 1);
    assert_true(parity_cosine(name, got_image, want_image, n, d) >= 1 - 1e-8);
    EXPECT(text, "text", 1);
    assert_true(parity_cosine(name, got_text, want_text, n, d) >= 1 - 1e-8);
    EXPECT(gradient, "gradient", c->step);
    assert_true(parity_error(name, got_gradient, want_gradient, count) <= 5e-5);
#undef EXPECT
    float *all[] = {goal,     pixels,    got_image,    want_image,
                    got_text, want_text, got_gradient, want_gradient};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    chl_net_done(&net);
    chl_graph_free(g);
}

static void check_small_config(const chl_clip_config *config, int mlp) {
    assert_int_equal(config->image.layers, 2);
    assert_int_equal(config->image.width, 16);
    assert_int_equal(config->image.mlp, mlp);
    assert_int_equal(config->text.layers, 2);
    assert_int_equal(config->resolution, 32);
    assert_int_equal(config->patch, 8);
    assert_int_equal(config->embed, 24);
    assert_int_equal(config->context, 16);
    assert_int_equal(config->vocabulary, 100);
}

/* heads narrower than 64 channels: no shape determines their number */
static const chl_clip_config two_heads = {.image = {.heads = 2}, .text = {.heads = 2}};

static void openai_weights_give_openais_embeddings(void **state) {
    (void)state;
    chl_params *params = parity_weights("clip/openai.safetensors");
    chl_clip_config config = two_heads;
    MUST(chl_clip_import(params, &config));
    MUST(chl_params_check_all_used(params));
    check_small_config(&config, 64);
    clip_case c = {"openai", "small picture", 2, 57, 45, 7};
    compare(&c, params, &config);
    MUST(chl_clip_import(params, &config)); /* once adopted, adopting changes nothing */
    compare(&c, params, &config);
    chl_params_free(params);
}

static void a_resnet_as_image_tower_gives_openais_embeddings(void **state) {
    (void)state;
    chl_params *params = parity_weights("clip/resnet.safetensors");
    chl_clip_config config = {.text = {.heads = 2}};
    MUST(chl_clip_import(params, &config));
    MUST(chl_params_check_all_used(params));
    assert_int_equal(config.resnet.width, 4);
    assert_int_equal(config.resnet.depth[1], 2);
    assert_int_equal(config.image.heads, 2); /* of 64 channels, as OpenAI's */
    assert_int_equal(config.resolution, 64);
    clip_case c = {"resnet", "small picture", 2, 57, 45, 7};
    compare(&c, params, &config);
    chl_params_free(params);
}

static void hugging_face_weights_give_their_embeddings(void **state) {
    (void)state;
    for (int exact = 0; exact < 2; exact++) {
        chl_params *params = parity_weights("clip/hugging_face.safetensors");
        chl_clip_config config = two_heads;
        config.exact_gelu = exact;
        MUST(chl_clip_import(params, &config));
        MUST(chl_params_check_all_used(params));
        check_small_config(&config, 40);
        clip_case c = {
            exact ? "hugging_face_gelu" : "hugging_face_quick_gelu", "small picture", 2, 57, 45, 7};
        compare(&c, params, &config);
        chl_params_free(params);
    }
}

static void vit_b_32_is_the_originals_at_full_size(void **state) {
    (void)state;
    chl_clip_config config = {.image = {.layers = 12, .width = 768, .mlp = 3072},
                              .text = {.layers = 12, .width = 512, .mlp = 2048},
                              .embed = 512,
                              .resolution = 224,
                              .patch = 32,
                              .context = 77,
                              .vocabulary = 49408};
    chl_params *params;
    MUST(chl_clip_random(&config, 1, &params));
    for (int64_t i = 0; i < params->count; i++)
        formula_weight(params->array[i].name, &params->array[i].desc, params->array[i].data);
    chl_clip_config read = {0};
    MUST(chl_clip_import(params, &read));
    assert_int_equal(read.image.heads, 12);
    assert_int_equal(read.text.heads, 8);
    assert_int_equal(read.image.layers, config.image.layers);
    assert_int_equal(read.text.mlp, config.text.mlp);
    assert_int_equal(read.resolution, config.resolution);
    assert_int_equal(read.context, config.context);
    clip_case c = {"vit_b_32", "large picture", 1, 256, 256, 97};
    compare(&c, params, &read);
    chl_params_free(params);
}

static void check_preprocess(const char *fixture, const char *picture_name, int n, int h, int w,
                             int resolution, chl_clip_resize how) {
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_clip_config config = {.resolution = resolution};
    chl_tensor picture = chl_input(g, "picture", chl_f32(4, n, h, w, 3));
    chl_tensor x = chl_keep(g, chl_clip_preprocess(g, &config, picture, how));
    MUST(chl_compile(g));
    float *pixels = parity_formula(picture_name, 0, 1.2, (int64_t)n * h * w * 3);
    MUST(chl_write(g, picture, pixels));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    int64_t count;
    float *got = parity_read(g, x, 1, &count), *want = parity_array(fixture, count);
    assert_true(parity_error(fixture, got, want, count) <= 2e-6);
    free(pixels);
    free(got);
    free(want);
    chl_graph_free(g);
}

static void preprocessing_is_the_originals(void **state) {
    (void)state;
    check_preprocess("clip/bicubic", "small picture", 2, 57, 45, 32, CHL_CLIP_BICUBIC);
    check_preprocess("clip/compatible", "square picture", 1, 32, 32, 28, CHL_CLIP_COMPATIBLE);
}

static void a_missing_or_unknown_weight_is_named(void **state) {
    (void)state;
    chl_clip_config config = two_heads;
    chl_params *params = parity_weights("clip/openai.safetensors");
    chl_params_drop(params, "visual.transformer.resblocks.1.mlp.c_proj.bias");
    assert_int_equal(chl_clip_import(params, &config), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "visual.transformer.resblocks.1.mlp.c_proj.bias"));
    assert_non_null(strstr(chl_error(), "openai.safetensors"));
    chl_params_free(params);

    params = parity_weights("clip/openai.safetensors");
    void *data;
    MUST(chl_params_add(params, "visual.unheard_of", chl_f32(1, 1), &data));
    config = two_heads;
    MUST(chl_clip_import(params, &config));
    assert_int_equal(chl_params_check_all_used(params), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "visual.unheard_of"));
    config = (chl_clip_config){0}; /* 16 channels are no whole number of heads of 64 */
    assert_int_equal(chl_clip_import(params, &config), CHL_ERR_ARGUMENT);
    chl_params_free(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_weights_give_openais_embeddings),
        cmocka_unit_test(a_resnet_as_image_tower_gives_openais_embeddings),
        cmocka_unit_test(hugging_face_weights_give_their_embeddings),
        cmocka_unit_test(preprocessing_is_the_originals),
        cmocka_unit_test(a_missing_or_unknown_weight_is_named),
        cmocka_unit_test(vit_b_32_is_the_originals_at_full_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
