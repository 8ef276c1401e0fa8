#include "nets/resnet18.h"
#include "graph/build.h"
#include "nets/layers.h"

chl_status chl_resnet18_import(chl_params *params, chl_resnet_config *config) {
    *config = (chl_resnet_config){0};
    CHL_TRY(chl_params_strip(params, "feature_extractor."));
    chl_array *a;
    CHL_TRY(chl_params_use(params, 1, NULL, "conv.bias"));
    CHL_TRY(chl_params_use(params, 4, &a, "conv.weight"));
    config->channels = (int)a->desc.dim[1];
    CHL_TRY(chl_resnet_import_trunk(params, config));
    return chl_resnet_import_head(params, config);
}

chl_tensor chl_resnet18_trunk(chl_net *net, const chl_resnet_config *config, chl_tensor x) {
    chl_graph *g = net->graph;
    chl_tensor w = chl_weight_shaped(net, chl_f32(4, CHL_RESNET18_CHANNELS, config->channels, 3, 3),
                                     "conv.weight");
    chl_tensor b = chl_weight_shaped(net, chl_f32(1, CHL_RESNET18_CHANNELS), "conv.bias");
    x = chl_conv(g, chl_to_compute_type(g, x), w, b, 1, 0);
    return chl_resnet_trunk(net, config, CHL_RESNET18_CHANNELS, x);
}

chl_tensor chl_resnet18(chl_net *net, const chl_resnet_config *config, chl_tensor x) {
    return chl_resnet_head(net, config, chl_resnet18_trunk(net, config, x));
}

chl_tensor chl_resnet18_picture(chl_graph *g, chl_tensor mel) {
    const int64_t n = chl_desc_of(g, mel)->dim[0];
    const chl_tensor x =
        chl_resize(g, mel, CHL_FILTER_BILINEAR, CHL_RESNET18_BANDS, CHL_RESNET18_FRAMES);
    return chl_reshape(g, x, chl_f32(4, n, CHL_RESNET18_FRAMES, CHL_RESNET18_BANDS, 1));
}
