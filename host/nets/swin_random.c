#include "nets/random_weights.h"
#include "nets/swin.h"
#include <math.h>
#include <stdio.h>

chl_swin_config chl_swin_tiny(void) {
    return (chl_swin_config){.resolution = 224,
                             .channels = 1,
                             .patch = 4,
                             .embed = 96,
                             .classes = 512,
                             .stages = 4,
                             .depth = {2, 2, 6, 2},
                             .heads = {3, 6, 12, 24}};
}

#define ADD(mean, deviation, desc, ...)                                                            \
    CHL_TRY(chl_params_add_normal(params, seed, mean, deviation, desc, __VA_ARGS__))
#define DEVIATION 0.02f /* of every linear layer and bias table */

static chl_status random_block(chl_params *params, uint64_t seed, const chl_swin_config *config,
                               int stage, int index) {
    int width = config->embed << stage, heads = config->heads[stage];
    int mlp = config->mlp[stage] ? config->mlp[stage] : 4 * width;
    int side = config->resolution / config->patch >> stage;
    int window = config->window[stage] ? config->window[stage] : side < 7 ? side : 7;
    int span = 2 * window - 1;
    char block[64];
    snprintf(block, sizeof block, "layers.%d.blocks.%d.", stage, index);
    ADD(1, 0, chl_f32(1, width), "%snorm1.weight", block);
    ADD(0, 0, chl_f32(1, width), "%snorm1.bias", block);
    ADD(0, DEVIATION, chl_f32(2, span * span, heads), "%sattn.relative_position_bias_table", block);
    ADD(0, DEVIATION, chl_f32(2, 3 * width, width), "%sattn.qkv.weight", block);
    ADD(0, 0, chl_f32(1, 3 * width), "%sattn.qkv.bias", block);
    ADD(0, DEVIATION, chl_f32(2, width, width), "%sattn.proj.weight", block);
    ADD(0, 0, chl_f32(1, width), "%sattn.proj.bias", block);
    ADD(1, 0, chl_f32(1, width), "%snorm2.weight", block);
    ADD(0, 0, chl_f32(1, width), "%snorm2.bias", block);
    ADD(0, DEVIATION, chl_f32(2, mlp, width), "%smlp.fc1.weight", block);
    ADD(0, 0, chl_f32(1, mlp), "%smlp.fc1.bias", block);
    ADD(0, DEVIATION, chl_f32(2, width, mlp), "%smlp.fc2.weight", block);
    ADD(0, 0, chl_f32(1, width), "%smlp.fc2.bias", block);
    return CHL_OK;
}

static chl_status random_all(chl_params *params, uint64_t seed, const chl_swin_config *config) {
    int embed = config->embed, patch = config->patch, channels = config->channels;
    /* PyTorch's default for a convolution: variance 1 / (3 fan_in) */
    float filter = 1 / sqrtf(3.0f * (float)(channels * patch * patch));
    ADD(0, filter, chl_f32(4, embed, channels, patch, patch), "patch_embed.proj.weight");
    /* not 0: with a bias of 0 the norm that follows would remove the level of a constant patch */
    ADD(0, filter, chl_f32(1, embed), "patch_embed.proj.bias");
    ADD(1, 0, chl_f32(1, embed), "patch_embed.norm.weight");
    ADD(0, 0, chl_f32(1, embed), "patch_embed.norm.bias");
    int width = embed;
    for (int stage = 0; stage < config->stages; stage++, width *= 2) {
        for (int i = 0; i < config->depth[stage]; i++)
            CHL_TRY(random_block(params, seed, config, stage, i));
        if (stage + 1 == config->stages) break;
        ADD(1, 0, chl_f32(1, 4 * width), "layers.%d.downsample.norm.weight", stage);
        ADD(0, 0, chl_f32(1, 4 * width), "layers.%d.downsample.norm.bias", stage);
        ADD(0, DEVIATION, chl_f32(2, 2 * width, 4 * width), "layers.%d.downsample.reduction.weight",
            stage);
    }
    ADD(1, 0, chl_f32(1, width), "norm.weight");
    ADD(0, 0, chl_f32(1, width), "norm.bias");
    ADD(0, DEVIATION, chl_f32(2, config->classes, width), "head.weight");
    ADD(0, 0, chl_f32(1, config->classes), "head.bias");
    ADD(logf(1 / 0.07f), 0, chl_f32(1, 1), "logit_scale_ai");
    ADD(logf(1 / 0.07f), 0, chl_f32(1, 1), "logit_scale_at");
    return CHL_OK;
}

chl_status chl_swin_random(const chl_swin_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new("random Swin", out));
    return chl_params_give(*out, random_all(*out, seed, config), out);
}
