#include "graph/build.h"
#include "nets/clip.h"
#include "nets/layers.h"

chl_tensor chl_clip_blocks(chl_net *net, const chl_clip_config *config, const chl_clip_tower *tower,
                           const char *prefix, bool causal, chl_tensor x) {
    chl_graph *g = net->graph;
    int width = tower->width;
    chl_activation gelu = config->exact_gelu ? CHL_GELU : CHL_QUICK_GELU;
    for (int layer = 0; layer < tower->layers; layer++) {
        chl_tensor y = chl_net_layer_norm(net, x, width, "%s%d.ln_1.", prefix, layer);
        /* the joint projection is "attn.in_proj_weight": PyTorch puts "_" where others have "." */
        y = chl_net_linear(net, y, width, 3 * width, "%s%d.attn.in_proj_", prefix, layer);
        y = chl_attention(g, y, tower->heads, causal);
        y = chl_net_linear(net, y, width, width, "%s%d.attn.out_proj.", prefix, layer);
        x = chl_add(g, x, y);
        y = chl_net_layer_norm(net, x, width, "%s%d.ln_2.", prefix, layer);
        y = chl_net_linear(net, y, width, tower->mlp, "%s%d.mlp.c_fc.", prefix, layer);
        y = chl_activate(g, y, gelu, 0);
        y = chl_net_linear(net, y, tower->mlp, width, "%s%d.mlp.c_proj.", prefix, layer);
        x = chl_add(g, x, y);
    }
    return x;
}
