/* CLIP's ResNet image tower [Radford et al. 2021, openai/CLIP, model.py]. */
#include "graph/build.h"
#include "nets/bottleneck.h"
#include "nets/clip.h"
#include "nets/layers.h"
#include <math.h>
#include <stdio.h>

#define STEM 3      /* convolutions */
#define EXPANSION 4 /* a bottleneck ends with this many times its width */
#define SHRINK 32   /* pixels of the picture to one of the last map, on a side */

bool chl_clip_has_resnet(const chl_params *params) {
    return chl_params_has(params, "visual.layer1.0.conv1.weight");
}

/* --- import ----------------------------------------------------------------------------------- */
static chl_status use_stages(chl_params *params, chl_clip_config *config) {
    config->image.layers = 0;
    for (int stage = 0; stage < CHL_CLIP_STAGES; stage++) {
        int depth = 0;
        do {
            char block[64];
            snprintf(block, sizeof block, "visual.layer%d.%d.", stage + 1, depth);
            CHL_TRY(chl_params_use_bottleneck(params, block, depth == 0));
        } while (chl_params_has(params, "visual.layer%d.%d.conv1.weight", stage + 1, ++depth));
        config->resnet.depth[stage] = depth;
        config->image.layers += depth;
    }
    return CHL_OK;
}

static chl_status use_pooling(chl_params *params, chl_clip_config *config) {
    chl_array *position, *out;
    CHL_TRY(chl_params_use(params, 2, &position, "visual.attnpool.positional_embedding"));
    CHL_TRY(chl_params_use(params, 2, NULL, "visual.attnpool.in_proj_weight"));
    CHL_TRY(chl_params_use(params, 1, NULL, "visual.attnpool.in_proj_bias"));
    CHL_TRY(chl_params_use(params, 2, &out, "visual.attnpool.c_proj.weight"));
    CHL_TRY(chl_params_use(params, 1, NULL, "visual.attnpool.c_proj.bias"));
    const int tokens = (int)position->desc.dim[0], side = (int)lround(sqrt(tokens - 1));
    if (side < 1 || side * side + 1 != tokens)
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" has %d rows, expected a square plus one",
                        params->source, position->name, tokens);
    config->embed = (int)out->desc.dim[0];
    config->patch = SHRINK;
    config->resolution = side * SHRINK;
    return CHL_OK;
}

chl_status chl_clip_import_resnet(chl_params *params, chl_clip_config *config) {
    chl_params_ignore_suffix(params, "num_batches_tracked");
    for (int i = 1; i <= STEM; i++) {
        char conv[16], norm[16];
        snprintf(conv, sizeof conv, "conv%d", i);
        snprintf(norm, sizeof norm, "bn%d", i);
        CHL_TRY(chl_params_use_conv_norm(params, "visual.", conv, norm));
    }
    CHL_TRY(use_stages(params, config));
    CHL_TRY(use_pooling(params, config));
    config->resnet.width = (int)chl_params_find(params, "visual.conv3.weight")->desc.dim[0];
    config->image.width = EXPANSION * config->resnet.width << (CHL_CLIP_STAGES - 1);
    if (!config->image.heads) config->image.heads = config->image.width / 64;
    if (config->image.heads > 0 && config->image.width % config->image.heads == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s: clip_image_heads must be a divisor of the tower's width, %d, got %d",
                    params->source, config->image.width, config->image.heads);
}

/* --- network ---------------------------------------------------------------------------------- */
static chl_tensor relu(chl_graph *g, chl_tensor x) {
    return chl_activate(g, x, CHL_LEAKY_RELU, 0);
}

static chl_tensor stem(chl_net *net, int width, chl_tensor x) {
    const chl_net_conv shape[STEM] = {
        {3, width / 2, 3, 2}, {width / 2, width / 2, 3, 1}, {width / 2, width, 3, 1}};
    for (int i = 0; i < STEM; i++) {
        char conv[16], norm[16];
        snprintf(conv, sizeof conv, "conv%d", i + 1);
        snprintf(norm, sizeof norm, "bn%d", i + 1);
        x = relu(net->graph, chl_net_conv_norm(net, shape[i], x, "visual.", conv, norm));
    }
    return chl_net_average(net->graph, x, 2);
}

/* Attention of the mean of all pixels to itself and to each of them, with a position for each. */
static chl_tensor attention_pool(chl_net *net, const chl_clip_config *config, chl_tensor x) {
    chl_graph *g = net->graph;
    const int width = config->image.width, side = config->resolution / SHRINK,
              tokens = side * side + 1;
    if (x == CHL_NONE) return CHL_NONE;
    const int n = (int)chl_desc_of(g, x)->dim[0];
    const chl_tensor mean = chl_place_token(g, chl_mean_pool(g, x), tokens, 0);
    const chl_tensor none = chl_filled(g, chl_f32(1, width), 0);
    x = chl_prepend_token(g, chl_reshape(g, x, chl_f32(3, n, side * side, width)), none);
    x = chl_add_bias(
        g, chl_add(g, x, mean),
        chl_weight_shaped(net, chl_f32(2, tokens, width), "visual.attnpool.positional_embedding"));
    x = chl_net_linear(net, x, width, 3 * width, "visual.attnpool.in_proj_");
    x = chl_select(g, chl_attention(g, x, config->image.heads, false), 0);
    return chl_net_linear(net, chl_to_float32(g, x), width, config->embed,
                          "visual.attnpool.c_proj.");
}

chl_tensor chl_clip_resnet_image(chl_net *net, const chl_clip_config *config, chl_tensor x) {
    const chl_clip_resnet *r = &config->resnet;
    x = stem(net, r->width, chl_to_compute_type(net->graph, x));
    for (int stage = 0, in = r->width; stage < CHL_CLIP_STAGES; stage++)
        for (int i = 0; i < r->depth[stage]; i++) {
            const int width = r->width << stage, stride = stage && !i ? 2 : 1;
            char block[64];
            snprintf(block, sizeof block, "visual.layer%d.%d.", stage + 1, i);
            const chl_bottleneck shape = {in,     width,  EXPANSION * width,
                                          stride, i == 0, .averages = true};
            x = chl_net_bottleneck(net, &shape, block, x);
            in = shape.out;
        }
    x = attention_pool(net, config, x);
    return chl_unit_rows(net->graph, x);
}
