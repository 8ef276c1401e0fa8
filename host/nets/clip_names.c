/* Importing CLIP checkpoints. OpenAI's and open_clip's names are ours; Hugging Face's are renamed,
 * and its separate q, k, v projections concatenated. */
#include "nets/clip.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const hugging_face[][2] = {
    {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
    {"vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"},
    {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
    {"vision_model.pre_layrnorm.*", "visual.ln_pre.*"}, /* so misspelt upstream */
    {"vision_model.post_layernorm.*", "visual.ln_post.*"},
    {"vision_model.encoder.layers.**", "visual.transformer.resblocks.**"},
    {"text_model.embeddings.token_embedding.weight", "token_embedding.weight"},
    {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
    {"text_model.final_layer_norm.*", "ln_final.*"},
    {"text_model.encoder.layers.**", "transformer.resblocks.**"},
    {"**.self_attn.**", "**.attn.**"},
    {"**.layer_norm1.*", "**.ln_1.*"},
    {"**.layer_norm2.*", "**.ln_2.*"},
    {"**.mlp.fc1.*", "**.mlp.c_fc.*"},
    {"**.mlp.fc2.*", "**.mlp.c_proj.*"},
};

/* Some files have three projections per attention, `prefix`q_proj ...; ours is one, `prefix`in_proj_,
 * with the rows of q, then k, then v. */
static chl_status join_qkv(chl_params *params, const char *prefix, const char *kind) {
    static const char *const parts[3] = {"q_proj.", "k_proj.", "v_proj."};
    if (!chl_params_has(params, "%sq_proj.%s", prefix, kind)) return CHL_OK;
    return chl_params_join_projections(params, prefix, parts, "in_proj_", kind);
}

static chl_status join_projections(chl_params *params, const char *prefix) {
    CHL_TRY(join_qkv(params, prefix, "weight"));
    return join_qkv(params, prefix, "bias");
}

/* Of all blocks of a tower. */
static chl_status join_tower(chl_params *params, const char *blocks) {
    char prefix[128];
    for (int layer = 0; chl_params_has(params, "%s%d.attn.q_proj.weight", blocks, layer); layer++) {
        snprintf(prefix, sizeof prefix, "%s%d.attn.", blocks, layer);
        CHL_TRY(join_projections(params, prefix));
    }
    return CHL_OK;
}

/* OpenAI computes x @ projection: [width, embed] becomes a linear layer's weight, [embed, width].
 */
static chl_status transpose_projection(chl_params *params, const char *from, const char *to) {
    if (!chl_params_has(params, "%s", from)) return CHL_OK;
    chl_array *array;
    CHL_TRY(chl_params_require(params, 2, &array, "%s", from));
    int64_t rows = array->desc.dim[0], columns = array->desc.dim[1];
    float *copy = malloc((size_t)chl_bytes(&array->desc));
    if (!copy) return chl_fail(CHL_ERR_MEMORY, "out of memory importing \"%s\"", from);
    memcpy(copy, array->data, (size_t)chl_bytes(&array->desc));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            ((float *)array->data)[j * rows + i] = copy[i * columns + j];
    free(copy);
    array->desc = chl_f32(2, (int)columns, (int)rows);
    return chl_params_rename(params, from, to);
}

static chl_status to_our_names(chl_params *params) {
    for (size_t i = 0; i < sizeof hugging_face / sizeof hugging_face[0]; i++)
        CHL_TRY(chl_rename_all(params, hugging_face[i][0], hugging_face[i][1], NULL));
    CHL_TRY(join_tower(params, "visual.transformer.resblocks."));
    CHL_TRY(join_tower(params, "transformer.resblocks."));
    CHL_TRY(join_projections(params, "visual.attnpool."));
    CHL_TRY(transpose_projection(params, "visual.proj", "visual_projection.weight"));
    return transpose_projection(params, "text_projection", "text_projection.weight");
}

/* Heads of the published CLIPs, by the width of the tower [OpenAI; open_clip's model_configs]: 64
 * channels each up to a width of 1024, beyond it as listed. 0: no such model is known. */
static int published_heads(int width, bool image) {
    static const struct {
        int width, image, text;
    } wide[] = {
        {1280, 16, 20}, /* image: ViT-H; text: ViT-bigG, ViT-e */
        {1408, 16, 0},  /* ViT-g */
        {1664, 16, 0},  /* ViT-bigG */
        {1792, 16, 0},  /* ViT-e */
    };
    if (width % 64 == 0 && width <= 1024) return width / 64;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (wide[i].width == width) return image ? wide[i].image : wide[i].text;
    return 0;
}

/* Sets the heads where they are not preset. */
static chl_status find_heads(const chl_params *params, bool image, chl_clip_origin origin,
                             chl_clip_tower *tower) {
    const char *field = image ? "clip_image_heads" : "clip_text_heads";
    const bool preset = tower->heads != 0;
    if (!preset && origin == CHL_CLIP_OURS && tower->width % 64 == 0)
        tower->heads = tower->width / 64;
    else if (!preset)
        tower->heads = published_heads(tower->width, image);
    if (tower->heads > 0 && tower->width % tower->heads == 0) return CHL_OK;
    if (preset)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: %s must be a divisor of the tower's width, %d, got %d", params->source,
                        field, tower->width, tower->heads);
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s: the %s tower has a width of %d, of which no published CLIP is known, and "
                    "the number of attention heads does not show in the arrays: set %s",
                    params->source, image ? "image" : "text", tower->width, field);
}

/* Reads the sizes of the blocks `prefix`{0...}; every key must be present. */
static chl_status read_tower(chl_params *params, const char *prefix, bool image,
                             chl_clip_origin origin, chl_clip_tower *tower) {
    static const chl_params_key keys[] = {
        {"ln_1.weight", 1},          {"ln_1.bias", 1},
        {"attn.in_proj_weight", 2},  {"attn.in_proj_bias", 1},
        {"attn.out_proj.weight", 2}, {"attn.out_proj.bias", 1},
        {"ln_2.weight", 1},          {"ln_2.bias", 1},
        {"mlp.c_fc.weight", 2},      {"mlp.c_fc.bias", 1},
        {"mlp.c_proj.weight", 2},    {"mlp.c_proj.bias", 1},
    };
    for (tower->layers = 0; chl_params_has(params, "%s%d.ln_1.weight", prefix, tower->layers);
         tower->layers++) {
        char block[128];
        snprintf(block, sizeof block, "%s%d.", prefix, tower->layers);
        CHL_TRY(chl_params_use_keys(params, block, sizeof keys / sizeof keys[0], keys));
    }
    chl_array *fc;
    CHL_TRY(chl_params_require(params, 2, &fc, "%s0.mlp.c_fc.weight", prefix));
    tower->mlp = (int)fc->desc.dim[0];
    tower->width = (int)fc->desc.dim[1];
    return find_heads(params, image, origin, tower);
}

static chl_status read_image(chl_params *params, chl_clip_config *config) {
    static const chl_params_key keys[] = {
        {"visual.class_embedding", 1},      {"visual.ln_pre.weight", 1},
        {"visual.ln_pre.bias", 1},          {"visual.ln_post.weight", 1},
        {"visual.ln_post.bias", 1},         {"visual.conv1.weight", 4},
        {"visual.positional_embedding", 2}, {"visual_projection.weight", 2}};
    CHL_TRY(chl_params_use_keys(params, "", sizeof keys / sizeof keys[0], keys));
    CHL_TRY(
        read_tower(params, "visual.transformer.resblocks.", true, config->origin, &config->image));
    config->patch = (int)chl_params_find(params, "visual.conv1.weight")->desc.dim[2];
    config->embed = (int)chl_params_find(params, "visual_projection.weight")->desc.dim[0];
    int tokens = (int)chl_params_find(params, "visual.positional_embedding")->desc.dim[0];
    int grid = (int)lround(sqrt(tokens - 1));
    if (grid < 1 || grid * grid + 1 != tokens)
        return chl_fail(
            CHL_ERR_SHAPE,
            "%s: \"visual.positional_embedding\" has %d rows, expected a square plus one",
            params->source, tokens);
    config->resolution = grid * config->patch;
    return CHL_OK;
}

static chl_status read_text(chl_params *params, chl_clip_config *config) {
    static const chl_params_key keys[] = {{"ln_final.weight", 1},
                                          {"ln_final.bias", 1},
                                          {"token_embedding.weight", 2},
                                          {"positional_embedding", 2},
                                          {"text_projection.weight", 2}};
    CHL_TRY(chl_params_use_keys(params, "", sizeof keys / sizeof keys[0], keys));
    CHL_TRY(read_tower(params, "transformer.resblocks.", false, config->origin, &config->text));
    config->context = (int)chl_params_find(params, "positional_embedding")->desc.dim[0];
    config->vocabulary = (int)chl_params_find(params, "token_embedding.weight")->desc.dim[0];
    int embed = (int)chl_params_find(params, "text_projection.weight")->desc.dim[0];
    if (config->image.layers && embed != config->embed)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s: the towers end in %d and %d dimensions, expected the same",
                        params->source, config->embed, embed);
    config->embed = embed;
    return CHL_OK;
}

/* Before anything is renamed. Our names are OpenAI's but for the projections. */
static chl_clip_origin find_origin(const chl_params *params) {
    if (chl_params_has(params, "input_resolution") && chl_params_has(params, "context_length"))
        return CHL_CLIP_OPENAI;
    const bool image = chl_params_has(params, "visual.conv1.weight") &&
                       chl_params_has(params, "visual_projection.weight");
    const bool text = chl_params_has(params, "ln_final.weight") &&
                      chl_params_has(params, "text_projection.weight");
    return image || text ? CHL_CLIP_OURS : CHL_CLIP_UNKNOWN;
}

chl_status chl_clip_import(chl_params *params, chl_clip_config *config) {
    config->origin = find_origin(params);
    CHL_TRY(to_our_names(params));
    bool image = chl_params_has(params, "visual.conv1.weight");
    bool text = chl_params_has(params, "token_embedding.weight");
    if (!image && !text)
        return chl_fail(CHL_ERR_KEY,
                        "%s: is not a CLIP: expected \"visual.conv1.weight\" or "
                        "\"token_embedding.weight\" (OpenAI), or "
                        "\"vision_model.embeddings.patch_embedding.weight\" or "
                        "\"text_model.embeddings.token_embedding.weight\" (Hugging Face)",
                        params->source);
    config->image.layers = config->text.layers = 0;
    if (image)
        CHL_TRY(chl_clip_has_resnet(params) ? chl_clip_import_resnet(params, config)
                                            : read_image(params, config));
    if (text) CHL_TRY(read_text(params, config));
    /* used in contrastive training only, or present in OpenAI's archives and old Hugging Face files
     * without a use */
    static const char *const harmless[] = {"logit_scale", "logit_scale_ai", "logit_scale_at",
                                           "logit_bias",  "context_length", "input_resolution",
                                           "vocab_size",  "position_ids"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        chl_params_ignore_suffix(params, harmless[i]);
    return CHL_OK;
}
