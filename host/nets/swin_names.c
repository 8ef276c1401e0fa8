/* Importing Swin checkpoints: Microsoft's, timm's of any version, the paper authors'. */
#include "nets/swin.h"
#include <math.h>
#include <stdio.h>

/* timm since 0.9 has the patch merging at the start of a stage, we at the end of the stage before.
 */
static chl_status to_our_names(chl_params *params) {
    CHL_TRY(chl_params_strip(params, "feature_extractor."));
    CHL_TRY(chl_rename_all(params, "head.fc.*", "head.*", NULL));
    if (!chl_params_has(params, "layers.0.downsample.norm.weight"))
        for (int stage = 1; stage < CHL_SWIN_STAGES; stage++) {
            char from[64], to[64];
            snprintf(from, sizeof from, "layers.%d.downsample.**", stage);
            snprintf(to, sizeof to, "layers.%d.downsample.**", stage - 1);
            CHL_TRY(chl_rename_all(params, from, to, NULL));
        }
    chl_params_ignore_suffix(params, "relative_position_index");
    chl_params_ignore_suffix(params, "attn_mask");
    return CHL_OK;
}

/* [O,3,P,P] -> [O,1,P,P], in place: the sum of row o is written before the end of row o's summands.
 */
static chl_status sum_channels(const chl_params *params, chl_array *filters) {
    int64_t out = filters->desc.dim[0], in = filters->desc.dim[1];
    int64_t taps = filters->desc.dim[2] * filters->desc.dim[3];
    if (in != 3)
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" has %d input channels, expected 3 to sum",
                        params->source, filters->name, (int)in);
    float *w = filters->data;
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < taps; k++) {
            const float *from = w + o * in * taps + k;
            w[o * taps + k] = from[0] + from[taps] + from[2 * taps];
        }
    filters->desc.dim[1] = 1;
    return CHL_OK;
}

static chl_status read_patches(chl_params *params, chl_swin_config *config) {
    chl_array *a;
    CHL_TRY(chl_params_use(params, 1, NULL, "patch_embed.proj.bias"));
    CHL_TRY(chl_params_use(params, 1, NULL, "patch_embed.norm.weight"));
    CHL_TRY(chl_params_use(params, 1, NULL, "patch_embed.norm.bias"));
    CHL_TRY(chl_params_use(params, 4, &a, "patch_embed.proj.weight"));
    if (config->sum_channels && a->desc.dim[1] != 1) CHL_TRY(sum_channels(params, a));
    config->embed = (int)a->desc.dim[0];
    config->channels = (int)a->desc.dim[1];
    config->patch = (int)a->desc.dim[2];
    return CHL_OK;
}

/* Checks the block's keys and reads its heads, window and hidden width, which must equal those of
 * the stage's first block. */
static chl_status read_block(chl_params *params, chl_swin_config *config, int stage, int index) {
    static const chl_params_key keys[] = {
        {"norm1.weight", 1},   {"norm1.bias", 1},       {"attn.qkv.weight", 2},
        {"attn.qkv.bias", 1},  {"attn.proj.weight", 2}, {"attn.proj.bias", 1},
        {"norm2.weight", 1},   {"norm2.bias", 1},       {"mlp.fc1.bias", 1},
        {"mlp.fc2.weight", 2}, {"mlp.fc2.bias", 1},
    };
    char block[64];
    snprintf(block, sizeof block, "layers.%d.blocks.%d.", stage, index);
    chl_array *a;
    CHL_TRY(chl_params_use_keys(params, block, sizeof keys / sizeof keys[0], keys));
    CHL_TRY(chl_params_use(params, 2, &a, "%smlp.fc1.weight", block));
    int mlp = (int)a->desc.dim[0];
    CHL_TRY(chl_params_use(params, 2, &a, "%sattn.relative_position_bias_table", block));
    int heads = (int)a->desc.dim[1], span = (int)lround(sqrt((double)a->desc.dim[0]));
    if (span * span != a->desc.dim[0] || span % 2 == 0)
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" has %d rows, expected (2 window - 1)^2",
                        params->source, a->name, (int)a->desc.dim[0]);
    int window = (span + 1) / 2;
    if (index == 0) {
        config->heads[stage] = heads;
        config->window[stage] = window;
        config->mlp[stage] = mlp;
    }
    if (config->heads[stage] != heads || config->window[stage] != window ||
        config->mlp[stage] != mlp)
        return chl_fail(
            CHL_ERR_SHAPE,
            "%s: block %d of stage %d has other sizes than the first block, expected the same",
            params->source, index, stage);
    return CHL_OK;
}

static chl_status read_stages(chl_params *params, chl_swin_config *config) {
    int stage = 0;
    for (; chl_params_has(params, "layers.%d.blocks.0.norm1.weight", stage); stage++) {
        if (stage == CHL_SWIN_STAGES)
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s: this Swin has more than %d stages",
                            params->source, CHL_SWIN_STAGES);
        if (stage > 0) {
            char prefix[64];
            snprintf(prefix, sizeof prefix, "layers.%d.downsample.", stage - 1);
            CHL_TRY(chl_params_use(params, 1, NULL, "%snorm.weight", prefix));
            CHL_TRY(chl_params_use(params, 1, NULL, "%snorm.bias", prefix));
            CHL_TRY(chl_params_use(params, 2, NULL, "%sreduction.weight", prefix));
        }
        int i = 0;
        for (; chl_params_has(params, "layers.%d.blocks.%d.norm1.weight", stage, i); i++)
            CHL_TRY(read_block(params, config, stage, i));
        config->depth[stage] = i;
    }
    config->stages = stage;
    return stage ? CHL_OK
                 : chl_fail(CHL_ERR_KEY,
                            "%s: \"layers.0.blocks.0.norm1.weight\" is missing: "
                            "this is not a Swin",
                            params->source);
}

static chl_status check_resolution(const chl_params *params, const chl_swin_config *config) {
    for (int stage = 0; stage < config->stages; stage++) {
        int cell = config->patch << stage, window = config->window[stage];
        if (config->resolution % (cell * window))
            return chl_fail(CHL_ERR_SHAPE,
                            "%s: a picture of %d x %d is not divisible into windows of %d x %d "
                            "patches of side %d in stage %d: set the resolution of this encoder",
                            params->source, config->resolution, config->resolution, window, window,
                            cell, stage);
    }
    return CHL_OK;
}

chl_status chl_swin_import_trunk(chl_params *params, chl_swin_config *config) {
    CHL_TRY(to_our_names(params));
    CHL_TRY(read_stages(params, config));
    CHL_TRY(read_patches(params, config));
    CHL_TRY(chl_params_use(params, 1, NULL, "norm.weight"));
    CHL_TRY(chl_params_use(params, 1, NULL, "norm.bias"));
    if (!config->resolution) config->resolution = 224;
    return check_resolution(params, config);
}

chl_status chl_swin_import(chl_params *params, chl_swin_config *config) {
    chl_array *a;
    CHL_TRY(chl_swin_import_trunk(params, config));
    CHL_TRY(chl_params_use_linear(params, "head", &config->classes));
    static const char *const scales[2] = {"logit_scale_ai", "logit_scale_at"};
    for (int i = 0; i < 2; i++)
        if (chl_params_has(params, "%s", scales[i])) {
            CHL_TRY(chl_params_use(params, 0, &a, "%s", scales[i]));
            CHL_TRY(chl_reshape_array(params, a, chl_f32(1, 1)));
        }
    return CHL_OK;
}
