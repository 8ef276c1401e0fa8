#include "models/foreign.h"
#include <string.h>

/* An array that only this network has; under any prefix. Of networks that are built on each other,
 * the more special one comes first. */
static const struct {
    const char *array, *network;
} foreign[] = {
    {"backbone.synthesis.b4.const", "an EG3D generator"},
    {"generator.progression.0.conv1.conv.weight_orig", "a StyleGAN (1) generator"},
    {"g_synthesis.blocks.4x4.const", "a StyleGAN (1) generator"},
    {"to_rgb1.iwt.ll", "a SWAGAN generator"},
    {"text_decoder.resblocks.0.ln_1.weight", "a CoCa model"},
    {"visual.attn_pool.query", "a CoCa model"},
    {"vision_model.head.probe", "a SigLIP model"},
    {"visual.trunk.attn_pool.latent", "a SigLIP model"},
    {"visual.trunk.stem.0.weight", "a CLIP with a ConvNeXt image tower"},
    {"visual.trunk.stages.0.blocks.0.conv_dw.weight", "a CLIP with a ConvNeXt image tower"},
    {"visual.trunk.blocks.0.attn.q_proj.weight", "an EVA-CLIP"},
    {"visual.blocks.0.attn.q_bias", "an EVA-CLIP"},
    {"visual.blocks.0.attn.q_proj.weight", "an EVA-CLIP"},
    {"visual.trunk.patch_embed.proj.weight", "a CLIP with an image tower of timm"},
    {"visual.head.proj.weight", "a CLIP with an image tower of timm"},
    {"text.transformer.embeddings.word_embeddings.weight",
     "a CLIP with a text tower of Hugging Face"},
    {"text.token_embedding.weight",
     "a CLIP with open_clip's separate text tower (CLIPA, SigLIP, ...)"},
    {"visual_encoder.cls_token", "a BLIP model"},
    {"modality_preprocessors.vision.cls_token", "an ImageBind model"},
    {"layers.0.blocks.0.attn.cpb_mlp.0.weight", "a Swin V2 transformer"},
    {"layers.0.blocks.0.attn.logit_scale", "a Swin V2 transformer"},
    {"features.num_batches_tracked", "InsightFace's ResNet for ArcFace"},
    {"time_embedding.linear_1.weight", "a diffusion model"},
    {"time_embed.0.weight", "a diffusion model"},
};

static bool is_under_any_prefix(const char *name, const char *wanted) {
    const size_t n = strlen(name), m = strlen(wanted);
    return n >= m && strcmp(name + n - m, wanted) == 0 && (n == m || name[n - m - 1] == '.');
}

const char *chl_foreign_network(const chl_params *params) {
    for (size_t k = 0; k < sizeof foreign / sizeof *foreign; k++)
        for (int64_t i = 0; i < params->count; i++)
            if (is_under_any_prefix(params->array[i].name, foreign[k].array))
                return foreign[k].network;
    return NULL;
}
