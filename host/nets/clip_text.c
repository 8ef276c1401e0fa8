#include "graph/build.h"
#include "nets/clip.h"
#include "nets/layers.h"

chl_tensor chl_clip_text(chl_net *net, const chl_clip_config *config, chl_tensor ids,
                         chl_tensor end) {
    chl_graph *g = net->graph;
    if (ids == CHL_NONE || end == CHL_NONE) return CHL_NONE;
    const chl_clip_tower *tower = &config->text;
    if (!tower->layers)
        return chl_graph_fail(g, CHL_ERR_KEY, "%s: this CLIP has no text tower",
                              net->params->source);
    int width = tower->width;

    chl_tensor table =
        chl_weight_shaped(net, chl_f32(2, config->vocabulary, width), "token_embedding.weight");
    chl_tensor x = chl_to_compute_type(g, chl_embedding(g, ids, table));
    x = chl_add_bias(
        g, x, chl_weight_shaped(net, chl_f32(2, config->context, width), "positional_embedding"));
    x = chl_clip_blocks(net, config, tower, "transformer.resblocks.", true, x);
    /* The final LayerNorm works on each token alone: select first, normalise one token only. */
    x = chl_to_float32(g, chl_select_each(g, x, end));
    x = chl_net_layer_norm(net, x, width, "ln_final.");
    chl_tensor projection =
        chl_weight_shaped(net, chl_f32(2, config->embed, width), "text_projection.weight");
    return chl_unit_rows(g, chl_linear(g, x, projection, CHL_NONE));
}
