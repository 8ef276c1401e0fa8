/* Which model a file holds: under prefixes and wrappers, beside other networks, of kinds that the
 * engine does not have; and numbers that no model may have. */
#include "harness/parity.h"
#include "io/weights.h"
#include "models/registry.h"
#include "nets/small_models.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/chladni-recognise-XXXXXX";

static const chl_model_place *cpu(void) {
    static chl_model_place place;
    place = (chl_model_place){.device = chl_device_cpu(), .precision = CHL_F32};
    return &place;
}

static chl_status open_role(const char *kind) {
    const chl_generator_settings generator_settings = {.conv_clamp = 0};
    const chl_clip_settings clip_settings = {.gelu = CHL_CLIP_GELU_QUICK};
    chl_generator *generator = NULL;
    chl_clip *clip = NULL;
    chl_audio_encoder *audio = NULL;
    chl_face *face = NULL;
    chl_style_encoder *encoder = NULL;
    chl_status status;
    if (strcmp(kind, "generator") == 0)
        status = chl_generator_open(cpu(), "m.safetensors", &generator_settings, &generator);
    else if (strcmp(kind, "clip") == 0)
        status = chl_clip_open(cpu(), "m.safetensors", NULL, &clip_settings, &clip);
    else if (strcmp(kind, "audio") == 0)
        status = chl_audio_encoder_open(cpu(), "m.safetensors", CHL_MEL_AUTO, &audio);
    else if (strcmp(kind, "face") == 0)
        status = chl_face_open(cpu(), "m.safetensors", &face);
    else
        status = chl_style_encoder_open(cpu(), "m.safetensors", &encoder);
    chl_generator_close(generator);
    chl_clip_close(clip);
    chl_audio_encoder_close(audio);
    chl_face_close(face);
    chl_style_encoder_close(encoder);
    return status;
}

static chl_params *random_model(const char *kind) {
    chl_params *params;
    MUST(chl_small_model(kind, 1, &params));
    return params;
}

static void put_prefix(chl_params *params, const char *prefix) {
    for (int64_t i = 0; i < params->count; i++) {
        char from[512], to[512];
        snprintf(from, sizeof from, "%s", params->array[i].name);
        snprintf(to, sizeof to, "%s%s", prefix, from);
        MUST(chl_params_rename(params, from, to));
    }
}

static void add(chl_params *params, const char *name) {
    void *data;
    MUST(chl_params_add(params, name, chl_f32(1, 1), &data));
    *(float *)data = 0;
}

/* Writes m.safetensors and frees the params. */
static void write_file(chl_params *params) {
    MUST(chl_weights_write_safetensors(params, "m.safetensors"));
    chl_params_free(params);
}

static void assert_says(const char *part) {
    if (!strstr(chl_error(), part)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), part);
}

static const char *const kinds[] = {"generator", "clip", "audio", "face", "encoder"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void every_model_is_found_behind_a_prefix(void **state) {
    (void)state;
    static const char *const prefixes[] = {"_orig_mod.", "module.", "model.",  "module._orig_mod.",
                                           "ema_model.", "net.g.",  "a.b.c.d."};
    for (int k = 0; k < KINDS; k++)
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
            chl_params *params = random_model(kinds[k]);
            put_prefix(params, prefixes[i]);
            write_file(params);
            if (open_role(kinds[k]) != CHL_OK)
                fail_msg("%s behind %s: %s", kinds[k], prefixes[i], chl_error());
        }
}

/* What stands beside the prefix is not silently left out. */
static void other_keys_beside_a_prefix_are_named(void **state) {
    (void)state;
    chl_params *params = random_model("face");
    put_prefix(params, "model.");
    add(params, "loss.margin");
    write_file(params);
    assert_int_equal(open_role("face"), CHL_ERR_KEY);
    assert_says("1 of ");
    assert_says("\"loss.margin\"");
    /* another role behind the prefix */
    params = random_model("face");
    put_prefix(params, "model.");
    write_file(params);
    assert_int_equal(open_role("generator"), CHL_ERR_KEY);
    assert_says("holds an ArcFace encoder, where a generator is expected");
}

static void a_file_that_nobody_recognises_tells_its_names(void **state) {
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        chl_params *params;
        MUST(chl_params_new("x", &params));
        add(params, "conv_in.weight");
        add(params, "conv_out.weight");
        write_file(params);
        assert_int_equal(open_role(kinds[k]), CHL_ERR_KEY);
        assert_says("the file has 2 keys, the first are \"conv_in.weight\", \"conv_out.weight\"");
    }
}

/* e4e and pSp: the generator is their decoder, the mean code is beside it, a row for each layer. */
static void a_decoder_of_an_encoder_file_is_a_generator(void **state) {
    (void)state;
    chl_params *params;
    MUST(chl_weights_read(CHLADNI_FIXTURES "/stylegan2/small-rosinality.pt", &params));
    chl_params_drop(params, "latent_avg");
    put_prefix(params, "decoder.");
    add(params, "encoder.input_layer.0.weight");
    add(params, "encoder.styles.0.linear.bias");
    float *average;
    MUST(chl_params_add(params, "latent_avg", chl_f32(2, 8, 48), (void **)&average));
    for (int i = 0; i < 8 * 48; i++) average[i] = (float)i;
    write_file(params);
    const chl_generator_settings settings = {.conv_clamp = 0};
    chl_generator *generator;
    MUST(chl_generator_open(cpu(), "m.safetensors", &settings, &generator));
    assert_int_equal(generator->sizes.rows, 8);
    MUST(chl_generator_average(generator));
    assert_int_equal(generator->average_rows, 8);
    for (int i = 0; i < 8 * 48; i++) assert_true(generator->average[i] == (float)i);
    chl_generator_close(generator);
}

/* The same file for both: what belongs to the other is left out, and nothing else is. */
static void an_encoder_file_holds_an_encoder_and_a_generator(void **state) {
    (void)state;
    chl_params *params, *decoder;
    MUST(chl_weights_read(CHLADNI_FIXTURES "/style_encoder/small-e4e.pt", &params));
    MUST(chl_weights_read(CHLADNI_FIXTURES "/stylegan2/small-rosinality.pt", &decoder));
    chl_params_drop(params, "decoder.input.input");
    chl_params_drop(decoder, "latent_avg");
    put_prefix(decoder, "decoder.");
    for (int64_t i = 0; i < decoder->count; i++) {
        void *data;
        const chl_array *from = &decoder->array[i];
        MUST(chl_params_add(params, from->name, from->desc, &data));
        memcpy(data, from->data, (size_t)chl_bytes(&from->desc));
    }
    chl_params_free(decoder);
    write_file(params);
    char text[256];
    MUST(chl_models_in("m.safetensors", text, sizeof text));
    assert_string_equal(text, "a StyleGAN2 generator, an e4e encoder for inversion");
    MUST(chl_models_in("m.safetensors", text, 5));
    assert_string_equal(text, "a St");

    chl_style_encoder *encoder;
    MUST(chl_style_encoder_open(cpu(), "m.safetensors", &encoder));
    assert_int_equal(encoder->config.rows, 8);
    float *pixels = parity_formula("a small picture", 0, 1, 3 * 32 * 32), code[64];
    float *want = parity_array("style_encoder/small", 64);
    MUST(chl_style_encoder_code(encoder, 32, pixels, 8, code));
    assert_true(parity_error("style_encoder/small", code, want, 64) <= 1e-5);
    free(pixels), free(want);
    chl_style_encoder_close(encoder);
    assert_int_equal(open_role("face"), CHL_ERR_KEY);
    assert_says("holds an e4e encoder for inversion, where a face encoder is expected");
    /* a mean code of the encoder's width is none of this generator's, the options are no concern of it */
    MUST(chl_weights_read("m.safetensors", &params));
    chl_params_drop(params, "latent_avg");
    write_file(params);
    MUST(open_role("generator"));
}

static void networks_that_are_not_supported_are_refused_by_their_names(void **state) {
    (void)state;
    static const struct {
        const char *array, *network;
    } foreign[] = {{"backbone.synthesis.b4.const", "an EG3D generator"},
                   {"vision_model.head.probe", "a SigLIP model"},
                   {"visual.trunk.attn_pool.latent", "a SigLIP model"},
                   {"visual.trunk.blocks.0.attn.q_proj.weight", "an EVA-CLIP"},
                   {"visual.blocks.0.attn.q_bias", "an EVA-CLIP"},
                   {"text_decoder.resblocks.0.ln_1.weight", "a CoCa model"},
                   {"visual.trunk.stem.0.weight", "ConvNeXt"},
                   {"text.token_embedding.weight", "separate text tower"},
                   {"module.to_rgb1.iwt.ll", "a SWAGAN generator"},
                   {"layers.0.blocks.0.attn.logit_scale", "a Swin V2 transformer"}};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        /* beside what a model here has: SigLIP's and CoCa's other names are CLIP's */
        chl_params *params = random_model(i % 2 ? "clip" : "generator");
        add(params, foreign[i].array);
        write_file(params);
        assert_int_equal(open_role(i % 2 ? "clip" : "generator"), CHL_ERR_UNSUPPORTED);
        assert_says(foreign[i].network);
        assert_says("m.safetensors");
    }
}

static void numbers_that_are_not_finite_are_stopped_at_the_door(void **state) {
    (void)state;
    for (int k = 0; k < KINDS; k++)
        for (int last = 0; last < 2; last++) {
            chl_params *params = random_model(kinds[k]);
            const chl_array *array = &params->array[last ? params->count - 2 : 0];
            char name[256];
            snprintf(name, sizeof name, "\"%s\" holds %s", array->name, last ? "inf" : "");
            ((float *)array->data)[chl_count(&array->desc) - 1] = last ? INFINITY : NAN;
            write_file(params);
            if (open_role(kinds[k]) != CHL_ERR_NUMERIC) fail_msg("%s, %s", kinds[k], name);
            assert_says(name);
        }
}

static int enter(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state) {
    (void)state;
    unlink("m.safetensors");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_is_found_behind_a_prefix),
        cmocka_unit_test(other_keys_beside_a_prefix_are_named),
        cmocka_unit_test(a_file_that_nobody_recognises_tells_its_names),
        cmocka_unit_test(a_decoder_of_an_encoder_file_is_a_generator),
        cmocka_unit_test(an_encoder_file_holds_an_encoder_and_a_generator),
        cmocka_unit_test(networks_that_are_not_supported_are_refused_by_their_names),
        cmocka_unit_test(numbers_that_are_not_finite_are_stopped_at_the_door),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
