#include "nets/swin.h"
#include "graph/build.h"
#include "nets/layers.h"
#include <stdio.h>

typedef struct swin_builder {
    chl_net *net;
    const chl_swin_config *config;
    int blocks,
        block; /* the number of all blocks and the current one: they set the drop-path rate */
} swin_builder;

/* x + drop_path(branch); `branch` is 0 or 1 within the block [Huang et al. 2016] */
static chl_tensor residual(const swin_builder *s, chl_tensor x, chl_tensor y, int branch) {
    chl_graph *g = s->net->graph;
    float rate =
        s->blocks > 1 ? s->config->drop_path * (float)s->block / (float)(s->blocks - 1) : 0;
    if (rate > 0)
        y = chl_drop_path(g, y, rate, s->config->purpose + (uint32_t)(2 * s->block + branch));
    return chl_add(g, x, y);
}

static chl_tensor attention_block(const swin_builder *s, int stage, int index, chl_tensor x) {
    chl_net *net = s->net;
    const chl_swin_config *c = s->config;
    int width = c->embed << stage, heads = c->heads[stage], window = c->window[stage];
    int side = c->resolution / c->patch >> stage, span = 2 * window - 1;
    /* every second block is shifted by half a window, unless one window covers the map */
    int shift = index % 2 && side > window ? window / 2 : 0;
    char block[64];
    snprintf(block, sizeof block, "layers.%d.blocks.%d.", stage, index);
    chl_tensor y = chl_net_layer_norm(net, x, width, "%snorm1.", block);
    y = chl_net_linear(net, y, width, 3 * width, "%sattn.qkv.", block);
    chl_tensor bias = chl_weight_shaped(net, chl_f32(2, span * span, heads),
                                        "%sattn.relative_position_bias_table", block);
    y = chl_window_attention(net->graph, y, bias, heads, window, shift);
    y = chl_net_linear(net, y, width, width, "%sattn.proj.", block);
    x = residual(s, x, y, 0);
    y = chl_net_layer_norm(net, x, width, "%snorm2.", block);
    y = chl_net_linear(net, y, width, c->mlp[stage], "%smlp.fc1.", block);
    y = chl_activate(net->graph, y, CHL_GELU, 0);
    y = chl_net_linear(net, y, c->mlp[stage], width, "%smlp.fc2.", block);
    return residual(s, x, y, 1);
}

/* [N,H,W,C] -> [N,H/2,W/2,2C] */
static chl_tensor downsample(chl_net *net, int stage, int width, chl_tensor x) {
    x = chl_net_layer_norm(net, chl_patch_merge(net->graph, x), 4 * width,
                           "layers.%d.downsample.norm.", stage);
    chl_tensor w = chl_weight_shaped(net, chl_f32(2, 2 * width, 4 * width),
                                     "layers.%d.downsample.reduction.weight", stage);
    return chl_linear(net->graph, x, w, CHL_NONE);
}

int chl_swin_width(const chl_swin_config *config) {
    return config->embed << (config->stages - 1);
}

static bool input_fits(chl_net *net, const chl_swin_config *c, chl_tensor x) {
    const chl_desc *d = chl_desc_of(net->graph, x);
    if (d->rank == 4 && d->dim[1] == c->resolution && d->dim[2] == c->resolution &&
        d->dim[3] == c->channels)
        return true;
    char text[96];
    chl_graph_fail(net->graph, CHL_ERR_SHAPE, "Swin expects pictures [N,%d,%d,%d], got %s",
                   c->resolution, c->resolution, c->channels, chl_shape_text(d, text, sizeof text));
    return false;
}

chl_tensor chl_swin_patches(chl_net *net, const chl_swin_config *config, chl_tensor x) {
    chl_graph *g = net->graph;
    if (x == CHL_NONE || !input_fits(net, config, x)) return CHL_NONE;
    chl_tensor filters = chl_weight_shaped(
        net, chl_f32(4, config->embed, config->channels, config->patch, config->patch),
        "patch_embed.proj.weight");
    chl_tensor bias = chl_weight_shaped(net, chl_f32(1, config->embed), "patch_embed.proj.bias");
    return chl_conv(g, chl_to_compute_type(g, x), filters, bias, config->patch, 0);
}

chl_tensor chl_swin_stages(chl_net *net, const chl_swin_config *config, chl_tensor patches) {
    chl_graph *g = net->graph;
    swin_builder s = {.net = net, .config = config};
    for (int stage = 0; stage < config->stages; stage++) s.blocks += config->depth[stage];
    chl_tensor x = chl_net_layer_norm(net, patches, config->embed, "patch_embed.norm.");
    for (int stage = 0; stage < config->stages; stage++) {
        for (int i = 0; i < config->depth[stage]; i++, s.block++)
            x = attention_block(&s, stage, i, x);
        if (stage + 1 < config->stages) x = downsample(net, stage, config->embed << stage, x);
    }
    const int width = chl_swin_width(config);
    return chl_to_float32(g, chl_mean_pool(g, chl_net_layer_norm(net, x, width, "norm.")));
}

chl_tensor chl_swin_trunk(chl_net *net, const chl_swin_config *config, chl_tensor x) {
    x = chl_swin_patches(net, config, x);
    return x == CHL_NONE ? CHL_NONE : chl_swin_stages(net, config, x);
}

chl_tensor chl_swin_head(chl_net *net, const chl_swin_config *config, chl_tensor x) {
    if (x == CHL_NONE) return CHL_NONE;
    return chl_net_linear(net, x, chl_swin_width(config), config->classes, "head.");
}

chl_tensor chl_swin(chl_net *net, const chl_swin_config *config, chl_tensor x) {
    return chl_swin_head(net, config, chl_swin_trunk(net, config, x));
}
