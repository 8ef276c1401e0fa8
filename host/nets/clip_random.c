#include "nets/clip.h"
#include "nets/random_weights.h"
#include <math.h>

static chl_status random_blocks(chl_params *params, uint64_t seed, const char *prefix,
                                const chl_clip_tower *tower) {
    int width = tower->width, mlp = tower->mlp;
    float inner = 1 / sqrtf((float)width);
    float outer = inner / sqrtf(2.0f * (float)tower->layers);
    for (int i = 0; i < tower->layers; i++) {
#define ADD(mean, deviation, desc, name)                                                           \
    CHL_TRY(chl_params_add_normal(params, seed, mean, deviation, desc, "%s%d." name, prefix, i))
        ADD(1, 0, chl_f32(1, width), "ln_1.weight");
        ADD(0, 0, chl_f32(1, width), "ln_1.bias");
        ADD(0, inner, chl_f32(2, 3 * width, width), "attn.in_proj_weight");
        ADD(0, 0, chl_f32(1, 3 * width), "attn.in_proj_bias");
        ADD(0, outer, chl_f32(2, width, width), "attn.out_proj.weight");
        ADD(0, 0, chl_f32(1, width), "attn.out_proj.bias");
        ADD(1, 0, chl_f32(1, width), "ln_2.weight");
        ADD(0, 0, chl_f32(1, width), "ln_2.bias");
        ADD(0, inner * sqrtf(0.5f), chl_f32(2, mlp, width), "mlp.c_fc.weight");
        ADD(0, 0, chl_f32(1, mlp), "mlp.c_fc.bias");
        ADD(0, outer, chl_f32(2, width, mlp), "mlp.c_proj.weight");
        ADD(0, 0, chl_f32(1, width), "mlp.c_proj.bias");
#undef ADD
    }
    return CHL_OK;
}

static chl_status random_image(chl_params *params, uint64_t seed, const chl_clip_config *config) {
    int width = config->image.width, patch = config->patch, grid = config->resolution / patch;
    float scale = 1 / sqrtf((float)width);
#define ADD(mean, deviation, desc, name)                                                           \
    CHL_TRY(chl_params_add_normal(params, seed, mean, deviation, desc, name))
    ADD(0, 1 / sqrtf(3.0f * (float)(patch * patch)), chl_f32(4, width, 3, patch, patch),
        "visual.conv1.weight");
    ADD(0, scale, chl_f32(1, width), "visual.class_embedding");
    ADD(0, scale, chl_f32(2, grid * grid + 1, width), "visual.positional_embedding");
    ADD(1, 0, chl_f32(1, width), "visual.ln_pre.weight");
    ADD(0, 0, chl_f32(1, width), "visual.ln_pre.bias");
    ADD(1, 0, chl_f32(1, width), "visual.ln_post.weight");
    ADD(0, 0, chl_f32(1, width), "visual.ln_post.bias");
    ADD(0, scale, chl_f32(2, config->embed, width), "visual_projection.weight");
    return random_blocks(params, seed, "visual.transformer.resblocks.", &config->image);
}

static chl_status random_text(chl_params *params, uint64_t seed, const chl_clip_config *config) {
    int width = config->text.width;
    ADD(0, 0.02f, chl_f32(2, config->vocabulary, width), "token_embedding.weight");
    ADD(0, 0.01f, chl_f32(2, config->context, width), "positional_embedding");
    ADD(1, 0, chl_f32(1, width), "ln_final.weight");
    ADD(0, 0, chl_f32(1, width), "ln_final.bias");
    ADD(0, 1 / sqrtf((float)width), chl_f32(2, config->embed, width), "text_projection.weight");
#undef ADD
    return random_blocks(params, seed, "transformer.resblocks.", &config->text);
}

static chl_status random_all(chl_params *params, uint64_t seed, const chl_clip_config *config) {
    if (config->image.layers) CHL_TRY(random_image(params, seed, config));
    if (config->text.layers) CHL_TRY(random_text(params, seed, config));
    return chl_params_add_normal(params, seed, logf(1 / 0.07f), 0, chl_f32(1, 1), "logit_scale");
}

chl_status chl_clip_random(const chl_clip_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new("random CLIP", out));
    return chl_params_give(*out, random_all(*out, seed, config), out);
}
