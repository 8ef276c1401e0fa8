#include "nets/roberta.h"
#include "graph/build.h"
#include "nets/layers.h"
#include <stdio.h>

/* --- importing -------------------------------------------------------------------------------- */
static chl_status join_attention(chl_params *params, int layer) {
    static const char *const parts[3] = {"self.query.", "self.key.", "self.value."};
    char prefix[64];
    snprintf(prefix, sizeof prefix, "encoder.layer.%d.attention.", layer);
    CHL_TRY(chl_params_join_projections(params, prefix, parts, "qkv.", "weight"));
    return chl_params_join_projections(params, prefix, parts, "qkv.", "bias");
}

/* RoBERTa has one type of token, so its embedding is added to all. */
static chl_status add_type(chl_params *params) {
    chl_array *position, *type;
    CHL_TRY(chl_params_require(params, 2, &position, "embeddings.position_embeddings.weight"));
    CHL_TRY(chl_params_require(params, 2, &type, "embeddings.token_type_embeddings.weight"));
    const int rows = (int)position->desc.dim[0], width = (int)position->desc.dim[1];
    if (type->desc.dim[0] != 1 || type->desc.dim[1] != width)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: has %lld types of tokens, expected one, as RoBERTa has: BERT and BART "
                        "are not supported as CLAP's text encoder",
                        params->source, (long long)type->desc.dim[0]);
    for (int i = 0; i < rows * width; i++)
        ((float *)position->data)[i] += ((const float *)type->data)[i % width];
    chl_params_drop(params, "embeddings.token_type_embeddings.weight");
    return CHL_OK;
}

static chl_status use_block(chl_params *params, int layer) {
    static const chl_params_key keys[] = {
        {"attention.qkv.weight", 2},
        {"attention.qkv.bias", 1},
        {"attention.output.dense.weight", 2},
        {"attention.output.dense.bias", 1},
        {"attention.output.LayerNorm.weight", 1},
        {"attention.output.LayerNorm.bias", 1},
        {"intermediate.dense.weight", 2},
        {"intermediate.dense.bias", 1},
        {"output.dense.weight", 2},
        {"output.dense.bias", 1},
        {"output.LayerNorm.weight", 1},
        {"output.LayerNorm.bias", 1},
    };
    char prefix[32];
    (void)snprintf(prefix, sizeof prefix, "encoder.layer.%d.", layer);
    return chl_params_use_keys(params, prefix, sizeof keys / sizeof keys[0], keys);
}

static chl_status use_linear(chl_params *params, const char *prefix, chl_array **weight) {
    CHL_TRY(chl_params_use(params, 1, NULL, "%sbias", prefix));
    return chl_params_use(params, 2, weight, "%sweight", prefix);
}

static chl_status read_sizes(chl_params *params, chl_roberta_config *config) {
    chl_array *word, *position, *fc, *first, *second;
    CHL_TRY(chl_params_use(params, 2, &word, "embeddings.word_embeddings.weight"));
    CHL_TRY(chl_params_use(params, 2, &position, "embeddings.position_embeddings.weight"));
    CHL_TRY(chl_params_use(params, 1, NULL, "embeddings.LayerNorm.weight"));
    CHL_TRY(chl_params_use(params, 1, NULL, "embeddings.LayerNorm.bias"));
    CHL_TRY(chl_params_require(params, 2, &fc, "encoder.layer.0.intermediate.dense.weight"));
    CHL_TRY(use_linear(params, "pooler.dense.", &first));
    CHL_TRY(use_linear(params, "projection.0.", &first));
    CHL_TRY(use_linear(params, "projection.2.", &second));
    config->vocabulary = (int)word->desc.dim[0];
    config->width = (int)word->desc.dim[1];
    config->positions = (int)position->desc.dim[0];
    config->mlp = (int)fc->desc.dim[0];
    config->heads = config->width / 64;
    config->hidden = (int)first->desc.dim[0];
    config->embed = (int)second->desc.dim[0];
    if (config->heads * 64 == config->width && config->heads > 0) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: CLAP's text encoder has a width of %d, expected a multiple of 64",
                    params->source, config->width);
}

chl_status chl_roberta_import(chl_params *params, chl_roberta_config *config) {
    *config = (chl_roberta_config){0};
    CHL_TRY(chl_rename_all(params, "text_projection.**", "text_branch.projection.**", NULL));
    chl_params_drop_all(params, "text_branch.", true);
    CHL_TRY(chl_params_strip(params, "text_branch."));
    chl_params_ignore_suffix(params, "position_ids");
    chl_params_ignore_suffix(params, "token_type_ids");
    CHL_TRY(add_type(params));
    int layer = 0;
    for (; chl_params_has(params, "encoder.layer.%d.intermediate.dense.weight", layer); layer++) {
        CHL_TRY(join_attention(params, layer));
        CHL_TRY(use_block(params, layer));
    }
    CHL_TRY(read_sizes(params, config));
    config->layers = layer;
    return CHL_OK;
}

/* --- nodes ------------------------------------------------------------------------------------ */
static chl_tensor block(chl_net *net, const chl_roberta_config *c, int layer, chl_tensor x) {
    chl_graph *g = net->graph;
    const int width = c->width;
    chl_tensor y =
        chl_net_linear(net, x, width, 3 * width, "encoder.layer.%d.attention.qkv.", layer);
    y = chl_attention(g, y, c->heads, false);
    y = chl_net_linear(net, y, width, width, "encoder.layer.%d.attention.output.dense.", layer);
    x = chl_net_layer_norm(net, chl_add(g, x, y), width,
                           "encoder.layer.%d.attention.output.LayerNorm.", layer);
    y = chl_net_linear(net, x, width, c->mlp, "encoder.layer.%d.intermediate.dense.", layer);
    y = chl_activate(g, y, CHL_GELU, 0);
    y = chl_net_linear(net, y, c->mlp, width, "encoder.layer.%d.output.dense.", layer);
    return chl_net_layer_norm(net, chl_add(g, x, y), width, "encoder.layer.%d.output.LayerNorm.",
                              layer);
}

/* tanh(x) = 2 sigmoid(2x) - 1 */
static chl_tensor tanh_of(chl_graph *g, chl_tensor x) {
    const float two = 2;
    x = chl_activate(g, chl_scale(g, x, 2), CHL_SIGMOID, 0);
    return chl_sum(g, -1, 1, &two, &x);
}

chl_tensor chl_roberta_text(chl_net *net, const chl_roberta_config *c, chl_tensor ids,
                            chl_tensor positions) {
    chl_graph *g = net->graph;
    if (ids == CHL_NONE || positions == CHL_NONE) return CHL_NONE;
    chl_tensor words = chl_weight_shaped(net, chl_f32(2, c->vocabulary, c->width),
                                         "embeddings.word_embeddings.weight");
    chl_tensor places = chl_weight_shaped(net, chl_f32(2, c->positions, c->width),
                                          "embeddings.position_embeddings.weight");
    chl_tensor x = chl_add(g, chl_embedding(g, ids, words), chl_embedding(g, positions, places));
    x = chl_net_layer_norm(net, x, c->width, "embeddings.LayerNorm.");
    x = chl_to_compute_type(g, x);
    for (int layer = 0; layer < c->layers; layer++) x = block(net, c, layer, x);
    x = chl_to_float32(g, chl_select(g, x, 0));
    x = tanh_of(g, chl_net_linear(net, x, c->width, c->width, "pooler.dense."));
    x = chl_net_linear(net, x, c->width, c->hidden, "projection.0.");
    x = chl_activate(g, x, CHL_LEAKY_RELU, 0);
    x = chl_net_linear(net, x, c->hidden, c->embed, "projection.2.");
    return chl_unit_rows(g, x);
}
