#include "models/clap_names.h"
#include "nets/net.h"
#include <stdio.h>

static const char *const hugging_face[][2] = {
    {"audio_model.audio_encoder.**", "audio_branch.**"},
    {"audio_branch.batch_norm.*", "audio_branch.bn0.*"},
    {"audio_branch.layers.**.layernorm_before.*", "audio_branch.layers.**.norm1.*"},
    {"audio_branch.layers.**.layernorm_after.*", "audio_branch.layers.**.norm2.*"},
    {"audio_branch.layers.**.attention.self.*", "audio_branch.layers.**.attn.*"},
    {"audio_branch.layers.**.attention.self.*.*", "audio_branch.layers.**.attn.*.*"},
    {"audio_branch.layers.**.attention.output.dense.*", "audio_branch.layers.**.attn.proj.*"},
    {"audio_branch.layers.**.intermediate.dense.*", "audio_branch.layers.**.mlp.fc1.*"},
    {"audio_branch.layers.**.output.dense.*", "audio_branch.layers.**.mlp.fc2.*"},
    {"text_model.**", "text_branch.**"},
    {"audio_projection.linear1.*", "audio_projection.0.*"},
    {"audio_projection.linear2.*", "audio_projection.2.*"},
    {"text_projection.linear1.*", "text_projection.0.*"},
    {"text_projection.linear2.*", "text_projection.2.*"},
};

static chl_status join_block(chl_params *params, int stage, int block) {
    static const char *const parts[3] = {"query.", "key.", "value."};
    char prefix[96];
    snprintf(prefix, sizeof prefix, "audio_branch.layers.%d.blocks.%d.attn.", stage, block);
    CHL_TRY(chl_params_join_projections(params, prefix, parts, "qkv.", "weight"));
    return chl_params_join_projections(params, prefix, parts, "qkv.", "bias");
}

chl_status chl_clap_to_released_names(chl_params *params) {
    if (!chl_params_has(params, CHL_CLAP_HF_AUDIO) && !chl_params_has(params, CHL_CLAP_HF_TEXT))
        return CHL_OK;
    for (size_t i = 0; i < sizeof hugging_face / sizeof hugging_face[0]; i++)
        CHL_TRY(chl_rename_all(params, hugging_face[i][0], hugging_face[i][1], NULL));
    for (int stage = 0, block = 0;; block++) {
        if (chl_params_has(params, "audio_branch.layers.%d.blocks.%d.attn.query.weight", stage,
                           block))
            CHL_TRY(join_block(params, stage, block));
        else if (block > 0)
            block = -1, stage++;
        else
            return CHL_OK;
    }
}
