#include "graph/build.h"
#include "nets/clip.h"

static chl_tensor norm(chl_net *net, const char *prefix, int layer, const char *name, int width,
                       chl_tensor x) {
    chl_tensor gamma =
        chl_weight_shaped(net, chl_f32(1, width), "%s%d.%s.weight", prefix, layer, name);
    chl_tensor beta =
        chl_weight_shaped(net, chl_f32(1, width), "%s%d.%s.bias", prefix, layer, name);
    return chl_layer_norm(net->graph, x, gamma, beta, CHL_CLIP_EPS);
}

/* `part` ends in "." or, for in_proj_weight, in "_": PyTorch names the joint projection so. */
static chl_tensor linear(chl_net *net, const char *prefix, int layer, const char *part, int out,
                         int in, chl_tensor x) {
    chl_tensor w =
        chl_weight_shaped(net, chl_f32(2, out, in), "%s%d.%sweight", prefix, layer, part);
    chl_tensor b = chl_weight_shaped(net, chl_f32(1, out), "%s%d.%sbias", prefix, layer, part);
    return chl_linear(net->graph, x, w, b);
}

chl_tensor chl_clip_blocks(chl_net *net, const chl_clip_config *config, const chl_clip_tower *tower,
                           const char *prefix, bool causal, chl_tensor x) {
    chl_graph *g = net->graph;
    int width = tower->width;
    chl_activation gelu = config->exact_gelu ? CHL_GELU : CHL_QUICK_GELU;
    for (int layer = 0; layer < tower->layers; layer++) {
        chl_tensor y = norm(net, prefix, layer, "ln_1", width, x);
        y = linear(net, prefix, layer, "attn.in_proj_", 3 * width, width, y);
        y = chl_attention(g, y, tower->heads, causal);
        y = linear(net, prefix, layer, "attn.out_proj.", width, width, y);
        x = chl_add(g, x, y);
        y = norm(net, prefix, layer, "ln_2", width, x);
        y = linear(net, prefix, layer, "mlp.c_fc.", tower->mlp, width, y);
        y = chl_activate(g, y, gelu, 0);
        y = linear(net, prefix, layer, "mlp.c_proj.", width, tower->mlp, y);
        x = chl_add(g, x, y);
    }
    return x;
}
