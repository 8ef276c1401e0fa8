/* What no array of a CLIP tells, the heads and the activation, comes from the caller, from the
 * settings file beside the weights, or from what is published; never from a guess without a word.
 */
#include "harness/full_merges.h"
#include "harness/parity.h"
#include "io/weights.h"
#include "models/registry.h"
#include "nets/clip.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/chladni-clip-XXXXXX";
static int warnings;

static void count_warnings(void *user, chl_log_level level, const char *line) {
    (void)user;
    warnings += level == CHL_LOG_WARN && strstr(line, "clip_exact_gelu") != NULL;
}

static chl_clip_config sizes(int image_width, int text_width, int heads) {
    return (chl_clip_config){.image = {.layers = 1, .width = image_width, .heads = heads, .mlp = 8},
                             .text = {.layers = 1, .width = text_width, .heads = heads, .mlp = 8},
                             .embed = 64,
                             .resolution = 16,
                             .patch = 8,
                             .context = 8,
                             .vocabulary = 514 + 4};
}

/* The width of a tower is read off its first layer of the perceptron. */
static void set_width(chl_params *params, const char *name, int width) {
    void *data;
    chl_params_drop(params, name);
    MUST(chl_params_add(params, name, chl_f32(2, 8, width), &data));
    memset(data, 0, sizeof(float) * 8 * (size_t)width);
}

static chl_params *of_widths(int image_width, int text_width) {
    const chl_clip_config config = sizes(64, 64, 1);
    chl_params *params;
    MUST(chl_clip_random(&config, 1, &params));
    set_width(params, "visual.transformer.resblocks.0.mlp.c_fc.weight", image_width);
    set_width(params, "transformer.resblocks.0.mlp.c_fc.weight", text_width);
    return params;
}

/* Random weights under open_clip's names, which say nothing of their origin. */
static chl_params *open_clip_names(int image_width, int text_width) {
    chl_params *params = of_widths(image_width, text_width);
    MUST(chl_params_rename(params, "visual_projection.weight", "visual.proj"));
    MUST(chl_params_rename(params, "text_projection.weight", "text_projection"));
    return params;
}

/* --- heads ------------------------------------------------------------------------------------ */
static void published_widths_have_their_heads(void **state) {
    (void)state;
    /* image tower, its heads, text tower, its heads: open_clip's model_configs */
    static const int known[][4] = {
        {384, 6, 384, 6},     {512, 8, 256, 4},     {768, 12, 512, 8},
        {896, 14, 640, 10},   {1024, 16, 768, 12},  {1280, 16, 1024, 16},
        {1408, 16, 1024, 16}, {1664, 16, 1280, 20}, {1792, 16, 1280, 20}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        chl_params *params = open_clip_names(known[i][0], known[i][2]);
        chl_clip_config config = {.exact_gelu = false};
        MUST(chl_clip_import(params, &config));
        assert_int_equal(config.image.heads, known[i][1]);
        assert_int_equal(config.text.heads, known[i][3]);
        chl_params_free(params);
    }
}

static void other_widths_need_the_heads(void **state) {
    (void)state;
    static const struct {
        int image, text;
        const char *says;
    } unknown[] = {{1152, 512, "set clip_image_heads"},
                   {768, 1152, "set clip_text_heads"},
                   {800, 512, "width of 800"},
                   {1536, 512, "width of 1536"}};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        chl_params *params = open_clip_names(unknown[i].image, unknown[i].text);
        chl_clip_config config = {.exact_gelu = false};
        assert_int_equal(chl_clip_import(params, &config), CHL_ERR_ARGUMENT);
        if (!strstr(chl_error(), unknown[i].says)) fail_msg("%s", chl_error());
        chl_params_free(params);
    }
    chl_params *params = open_clip_names(1152, 512);
    chl_clip_config config = {.image = {.heads = 16}};
    MUST(chl_clip_import(params, &config));
    assert_int_equal(config.image.heads, 16);
    assert_int_equal(config.text.heads, 8);
    chl_params_free(params);
    params = open_clip_names(64, 64);
    config = (chl_clip_config){.text = {.heads = 5}};
    assert_int_equal(chl_clip_import(params, &config), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "clip_text_heads must be a divisor"));
    chl_params_free(params);
}

/* A width that this engine trained, whatever is published. */
static void own_models_have_heads_of_64(void **state) {
    (void)state;
    chl_clip_config config = {.exact_gelu = false};
    chl_params *params = of_widths(1280, 1152);
    MUST(chl_clip_import(params, &config));
    assert_int_equal(config.image.heads, 20);
    assert_int_equal(config.text.heads, 18);
    chl_params_free(params);
}

/* --- the settings file ------------------------------------------------------------------------ */
static void write_text(const char *name, const char *text) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_weights(const char *name) {
    chl_params *params = open_clip_names(64, 64);
    MUST(chl_weights_write_safetensors(params, name));
    chl_params_free(params);
}

static chl_status open_file(const char *name, const chl_clip_settings *settings,
                            chl_clip_config *config) {
    const chl_model_place place = {.device = chl_device_cpu(), .precision = CHL_F32};
    chl_clip *clip;
    warnings = 0;
    chl_log_to(count_warnings, NULL);
    const chl_status status = chl_clip_open(&place, name, NULL, settings, &clip);
    chl_log_to(NULL, NULL);
    *config = status == CHL_OK ? clip->config : (chl_clip_config){.embed = 0};
    chl_clip_close(clip);
    return status;
}

#define HUGGING_FACE                                                                               \
    "{\"model_type\":\"clip\",\"projection_dim\":64,"                                              \
    "\"vision_config\":{\"hidden_act\":\"gelu\",\"num_attention_heads\":4,"                        \
    "\"layer_norm_eps\":1e-05},"                                                                   \
    "\"text_config\":{\"hidden_act\":\"gelu\",\"num_attention_heads\":2}}"
#define OPEN_CLIP(more)                                                                            \
    "{\"model_cfg\":{\"embed_dim\":64,\"vision_cfg\":{\"image_size\":16,\"width\":64,"             \
    "\"head_width\":16,\"patch_size\":8" more "},\"text_cfg\":{\"heads\":2,\"width\":64}},"        \
    "\"preprocess_cfg\":{\"mean\":[0.48145466,0.4578275,0.40821073]}}"

static void the_settings_file_is_obeyed(void **state) {
    (void)state;
    const chl_clip_settings plain = {.image_heads = 0};
    chl_clip_config config;
    write_weights("model.safetensors");
    write_weights("open_clip_model.safetensors");
    write_text("config.json", HUGGING_FACE);
    write_text("open_clip_config.json", OPEN_CLIP(",\"timm_pool\":null"));
    static const char *const files[] = {"model.safetensors", "open_clip_model.safetensors"};
    for (int i = 0; i < 2; i++) {
        MUST(open_file(files[i], &plain, &config));
        assert_true(config.exact_gelu);
        assert_int_equal(config.image.heads, 4);
        assert_int_equal(config.text.heads, 2);
        assert_int_equal(warnings, 0);
    }
    /* the caller knows better */
    const chl_clip_settings own = {.gelu = CHL_CLIP_GELU_QUICK, .image_heads = 8, .text_heads = 1};
    MUST(open_file("model.safetensors", &own, &config));
    assert_false(config.exact_gelu);
    assert_int_equal(config.image.heads, 8);
    assert_int_equal(config.text.heads, 1);
    /* the defaults of Hugging Face's classes, where the file leaves them out */
    write_text("config.json", "{\"model_type\":\"clip\",\"vision_config\":{"
                              "\"num_attention_heads\":1},\"text_config\":{}}");
    MUST(open_file("model.safetensors", &plain, &config));
    assert_false(config.exact_gelu);
    assert_int_equal(config.text.heads, 8);
    assert_int_equal(warnings, 0);
    /* open_clip's names, but not its name of the file: the settings may be another model's */
    write_weights("mine.safetensors");
    MUST(open_file("mine.safetensors", &plain, &config));
    assert_int_equal(config.image.heads, 1);
    assert_int_equal(warnings, 1);
    static const char *const all[] = {"model.safetensors", "open_clip_model.safetensors",
                                      "config.json", "open_clip_config.json", "mine.safetensors"};
    for (int i = 0; i < 5; i++) unlink(all[i]);
}

static void settings_of_other_networks_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } other[] = {
        {"{\"model_type\":\"siglip\"}", "\"model_type\" = \"siglip\""},
        {"{\"architectures\":[]}", "no \"model_type\""},
        {"[1]", "is not the JSON object"},
        {"{\"model_type\":", "is not the JSON object"},
        {"{\"model_type\":\"clip\",\"vision_config\":{\"hidden_act\":\"gelu_new\"}}", "gelu_new"},
        {"{\"model_type\":\"clip\",\"vision_config\":{\"layer_norm_eps\":1e-6}}", "layer_norm_eps"},
        {"{\"model_type\":\"clip\",\"vision_config\":{\"num_attention_heads\":\"4\"}}",
         "num_attention_heads"},
        {"{\"model_type\":\"clip\",\"vision_config\":{\"hidden_act\":\"gelu\"},"
         "\"text_config\":{\"hidden_act\":\"quick_gelu\"}}",
         "different \"hidden_act\""},
        {OPEN_CLIP(",\"timm_model_name\":\"convnext_base\""), "timm_model_name"},
        {OPEN_CLIP(",\"attentional_pool\":true"), "attentional_pool"},
        {OPEN_CLIP(",\"act_kwargs\":{\"approximate\":\"tanh\"}"), "act_kwargs"},
        {"{\"model_cfg\":{\"vision_cfg\":{},\"text_cfg\":{}},"
         "\"preprocess_cfg\":{\"std\":[0.5,0.5,0.5]}}",
         "\"std\" = [0.5,0.5,0.5]"},
        {"{\"model_cfg\":{}}", "vision_cfg"},
    };
    const chl_clip_settings plain = {.image_heads = 0};
    chl_clip_config config;
    write_weights("model.safetensors");
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        write_text("config.json", other[i].text);
        assert_int_not_equal(open_file("model.safetensors", &plain, &config), CHL_OK);
        if (!strstr(chl_error(), other[i].says) || !strstr(chl_error(), "config.json"))
            fail_msg("case %zu: %s", i, chl_error());
    }
    unlink("model.safetensors");
    unlink("config.json");
}

/* --- the merges ------------------------------------------------------------------------------- */
static chl_status open_with_merges(const char *name, const char *merges) {
    const chl_model_place place = {.device = chl_device_cpu(), .precision = CHL_F32};
    const chl_clip_settings plain = {.image_heads = 0};
    chl_clip *clip;
    const chl_status status = chl_clip_open(&place, name, merges, &plain, &clip);
    chl_clip_close(clip);
    return status;
}

static void write_openai_sized(const char *name, bool ours) {
    chl_clip_config config = sizes(64, 64, 1);
    config.vocabulary = 49408;
    config.image.layers = 0;
    chl_params *params;
    MUST(chl_clip_random(&config, 1, &params));
    if (!ours) MUST(chl_params_rename(params, "text_projection.weight", "text_projection"));
    MUST(chl_weights_write_safetensors(params, name));
    chl_params_free(params);
}

static void merges_of_another_model_are_refused(void **state) {
    (void)state;
    write_weights("small.safetensors"); /* 518 tokens: 4 merges */
    write_text("4.txt", "#version: 0.2\na b\na b</w>\nab c\nab c</w>\n");
    write_text("3.txt", "#version: 0.2\na b\na b</w>\nab c\n");
    write_text("5.txt", "#version: 0.2\na b\na b</w>\nab c\nab c</w>\na d\n");
    MUST(open_with_merges("small.safetensors", "4.txt"));
    assert_int_equal(open_with_merges("small.safetensors", "3.txt"), CHL_ERR_SHAPE);
    assert_non_null(strstr(chl_error(), "make 517 tokens"));
    assert_non_null(strstr(chl_error(), "has 518"));
    assert_int_equal(open_with_merges("small.safetensors", "5.txt"), CHL_ERR_SHAPE);

    /* as many tokens as OpenAI's, but other ones */
    write_full_merges(CHLADNI_FIXTURES "/text/merges.txt", "full.txt");
    write_openai_sized("openai.safetensors", false);
    write_openai_sized("ours.safetensors", true);
    assert_int_equal(open_with_merges("openai.safetensors", "full.txt"), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "not those of OpenAI's CLIP"));
    MUST(open_with_merges("ours.safetensors", "full.txt"));
    static const char *const all[] = {
        "small.safetensors",  "4.txt",           "3.txt", "5.txt", "full.txt",
        "openai.safetensors", "ours.safetensors"};
    for (int i = 0; i < 7; i++) unlink(all[i]);
}

/* --- the activation --------------------------------------------------------------------------- */
static void a_file_that_does_not_tell_its_activation_is_warned_of(void **state) {
    (void)state;
    chl_clip_config config;
    write_weights("plain.safetensors");
    static const int wanted[][3] = {/* gelu, exact, warnings */
                                    {CHL_CLIP_GELU_AUTO, false, 1},
                                    {CHL_CLIP_GELU_EXACT, true, 0},
                                    {CHL_CLIP_GELU_QUICK, false, 0}};
    for (int i = 0; i < 3; i++) {
        const chl_clip_settings settings = {.gelu = (chl_clip_gelu)wanted[i][0]};
        MUST(open_file("plain.safetensors", &settings, &config));
        assert_int_equal(config.exact_gelu, wanted[i][1]);
        assert_int_equal(warnings, wanted[i][2]);
    }
    unlink("plain.safetensors");

    /* OpenAI's archives have keys of their own; this engine's have other names */
    const chl_clip_settings plain = {.image_heads = 0};
    chl_params *params = open_clip_names(64, 64);
    static const char *const own[] = {"input_resolution", "context_length", "vocab_size"};
    for (int i = 0; i < 3; i++) {
        void *data;
        MUST(chl_params_add(params, own[i], chl_f32(1, 1), &data));
        *(float *)data = 1;
    }
    MUST(chl_weights_write_safetensors(params, "openai.safetensors"));
    chl_params_free(params);
    MUST(open_file("openai.safetensors", &plain, &config));
    assert_int_equal(config.origin, CHL_CLIP_OPENAI);
    assert_int_equal(warnings, 0);
    unlink("openai.safetensors");
    const chl_clip_config made = sizes(64, 64, 1);
    MUST(chl_clip_random(&made, 1, &params));
    MUST(chl_weights_write_safetensors(params, "ours.safetensors"));
    chl_params_free(params);
    MUST(open_file("ours.safetensors", &plain, &config));
    assert_int_equal(config.origin, CHL_CLIP_OURS);
    assert_int_equal(warnings, 0);
    unlink("ours.safetensors");
}

static int enter(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state) {
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_widths_have_their_heads),
        cmocka_unit_test(other_widths_need_the_heads),
        cmocka_unit_test(own_models_have_heads_of_64),
        cmocka_unit_test(the_settings_file_is_obeyed),
        cmocka_unit_test(settings_of_other_networks_are_refused_by_name),
        cmocka_unit_test(merges_of_another_model_are_refused),
        cmocka_unit_test(a_file_that_does_not_tell_its_activation_is_warned_of),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
