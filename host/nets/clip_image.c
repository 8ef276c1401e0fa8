#include "graph/build.h"
#include "nets/clip.h"
#include "nets/layers.h"

/* Mean and deviation of CLIP's training pictures, as values in [0,1] [openai/CLIP, clip.py]. */
static const float picture_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
static const float picture_deviation[3] = {0.26862954f, 0.26130258f, 0.27577711f};

static chl_tensor normalise(chl_graph *g, chl_tensor picture) {
    float mul[3], add[3];
    for (int c = 0; c < 3; c++) { /* ((x + 1) / 2 - mean) / deviation */
        mul[c] = 0.5f / picture_deviation[c];
        add[c] = (0.5f - picture_mean[c]) / picture_deviation[c];
    }
    chl_tensor scale = chl_constant(g, "clip.picture_scale", chl_f32(1, 3), mul);
    chl_tensor shift = chl_constant(g, "clip.picture_shift", chl_f32(1, 3), add);
    return chl_channel_affine(g, picture, scale, shift, -1, 1);
}

chl_tensor chl_clip_preprocess(chl_graph *g, const chl_clip_config *config, chl_tensor picture,
                               chl_clip_resize how) {
    if (picture == CHL_NONE) return CHL_NONE;
    chl_desc desc = *chl_desc_of(g, picture);
    char text[96];
    if (desc.rank != 4 || desc.dim[3] != 3)
        return chl_graph_fail(g, CHL_ERR_SHAPE, "CLIP expects pictures [N,H,W,3], got %s",
                              chl_shape_text(&desc, text, sizeof text));
    int h = (int)desc.dim[1], w = (int)desc.dim[2], side = h < w ? h : w;
    chl_tensor x = how == CHL_CLIP_COMPATIBLE ? picture : normalise(g, picture);
    if (h == config->resolution && w == config->resolution) return x;
    chl_filter filter = how == CHL_CLIP_AREA      ? CHL_FILTER_AREA
                        : how == CHL_CLIP_BICUBIC ? CHL_FILTER_BICUBIC_PIL
                                                  : CHL_FILTER_BOX;
    return chl_resize_window(g, x, filter, config->resolution, config->resolution, (h - side) / 2,
                             (w - side) / 2, side, side);
}

chl_tensor chl_clip_image(chl_net *net, const chl_clip_config *config, chl_tensor x) {
    chl_graph *g = net->graph;
    if (x == CHL_NONE) return CHL_NONE;
    const chl_clip_tower *tower = &config->image;
    if (!tower->layers)
        return chl_graph_fail(g, CHL_ERR_KEY, "%s: this CLIP has no image tower",
                              net->params->source);
    if (config->resnet.width) return chl_clip_resnet_image(net, config, x);
    int width = tower->width, patch = config->patch, grid = config->resolution / patch;
    int64_t n = chl_desc_of(g, x)->dim[0];
    chl_desc vector = chl_f32(1, width);

    chl_tensor filters =
        chl_weight_shaped(net, chl_f32(4, width, 3, patch, patch), "visual.conv1.weight");
    x = chl_conv(g, chl_to_compute_type(g, x), filters, CHL_NONE, patch, 0);
    x = chl_reshape(g, x, chl_f32(3, (int)n, grid * grid, width));
    x = chl_prepend_token(g, x, chl_weight_shaped(net, vector, "visual.class_embedding"));
    x = chl_add_bias(
        g, x,
        chl_weight_shaped(net, chl_f32(2, grid * grid + 1, width), "visual.positional_embedding"));
    x = chl_net_layer_norm(net, x, width, "visual.ln_pre.");
    x = chl_clip_blocks(net, config, tower, "visual.transformer.resblocks.", false, x);
    x = chl_to_float32(g, chl_select(g, x, 0)); /* the class token */
    x = chl_net_layer_norm(net, x, width, "visual.ln_post.");
    chl_tensor projection =
        chl_weight_shaped(net, chl_f32(2, config->embed, width), "visual_projection.weight");
    return chl_unit_rows(g, chl_linear(g, x, projection, CHL_NONE));
}
