#include "nets/resnet18.h"
#include "graph/build.h"
#include "nets/layers.h"
#include <stdio.h>

chl_status chl_resnet18_import_trunk(chl_params *params, chl_resnet18_config *config) {
    chl_params_ignore_suffix(params, "num_batches_tracked");
    CHL_TRY(chl_params_use_conv_norm(params, "", "conv1", "bn1"));
    config->width = (int)chl_params_find(params, "conv1.weight")->desc.dim[0];
    for (int stage = 0; stage < CHL_RESNET_STAGES; stage++) {
        char block[64];
        for (int i = 0; !i || chl_params_has(params, "layer%d.%d.conv1.weight", stage + 1, i);
             i++) {
            snprintf(block, sizeof block, "layer%d.%d.", stage + 1, i);
            CHL_TRY(chl_params_use_conv_norm(params, block, "conv1", "bn1"));
            CHL_TRY(chl_params_use_conv_norm(params, block, "conv2", "bn2"));
            if (stage && !i)
                CHL_TRY(chl_params_use_conv_norm(params, block, "downsample.0", "downsample.1"));
            config->depth[stage] = i + 1;
        }
    }
    return CHL_OK;
}

chl_status chl_resnet18_import(chl_params *params, chl_resnet18_config *config) {
    *config = (chl_resnet18_config){0};
    CHL_TRY(chl_params_strip(params, "feature_extractor."));
    chl_array *a;
    CHL_TRY(chl_params_use(params, 1, NULL, "conv.bias"));
    CHL_TRY(chl_params_use(params, 4, &a, "conv.weight"));
    config->channels = (int)a->desc.dim[1];
    CHL_TRY(chl_resnet18_import_trunk(params, config));
    CHL_TRY(chl_params_use_linear(params, "fc", &config->classes));
    /* of the losses that it was trained with here */
    static const char *const scales[2] = {"logit_scale_ai", "logit_scale_at"};
    for (int i = 0; i < 2; i++)
        if (chl_params_has(params, "%s", scales[i]))
            CHL_TRY(chl_params_use(params, 0, NULL, "%s", scales[i]));
    return CHL_OK;
}

static chl_tensor relu(chl_graph *g, chl_tensor x) {
    return chl_activate(g, x, CHL_LEAKY_RELU, 0);
}

static chl_tensor basic_block(chl_net *net, const char *block, int in, int out, int stride,
                              chl_tensor x) {
    chl_graph *g = net->graph;
    chl_tensor y = relu(
        g, chl_net_conv_norm(net, (chl_net_conv){in, out, 3, stride}, x, block, "conv1", "bn1"));
    y = chl_net_conv_norm(net, (chl_net_conv){out, out, 3, 1}, y, block, "conv2", "bn2");
    if (stride > 1)
        x = chl_net_conv_norm(net, (chl_net_conv){in, out, 1, stride}, x, block, "downsample.0",
                              "downsample.1");
    return relu(g, chl_add(g, x, y));
}

chl_tensor chl_resnet18_trunk(chl_net *net, const chl_resnet18_config *config, int channels,
                              chl_tensor x) {
    chl_graph *g = net->graph;
    const int width = config->width;
    x = relu(g,
             chl_net_conv_norm(net, (chl_net_conv){channels, width, 7, 2}, x, "", "conv1", "bn1"));
    x = chl_max_pool(g, x, 3, 2, 1);
    for (int stage = 0, in = width; stage < CHL_RESNET_STAGES; stage++)
        for (int i = 0; i < config->depth[stage]; i++) {
            char block[64];
            snprintf(block, sizeof block, "layer%d.%d.", stage + 1, i);
            x = basic_block(net, block, in, width << stage, stage && !i ? 2 : 1, x);
            in = width << stage;
        }
    return chl_to_float32(g, chl_mean_pool(g, x));
}

void chl_resnet18(chl_net *net, const chl_resnet18_config *config, chl_tensor x, chl_tensor *head,
                  chl_tensor *embedding) {
    chl_graph *g = net->graph;
    const int last = config->width << (CHL_RESNET_STAGES - 1);
    chl_tensor w = chl_weight_shaped(net, chl_f32(4, 3, config->channels, 3, 3), "conv.weight");
    chl_tensor b = chl_weight_shaped(net, chl_f32(1, 3), "conv.bias");
    x = chl_conv(g, chl_to_compute_type(g, x), w, b, 1, 0);
    x = chl_resnet18_trunk(net, config, 3, x);
    w = chl_weight_shaped(net, chl_f32(2, config->classes, last), "fc.weight");
    b = chl_weight_shaped(net, chl_f32(1, config->classes), "fc.bias");
    x = chl_linear(g, x, w, b);
    if (head) *head = x;
    if (embedding) *embedding = chl_row_norm(g, x, CHL_NORM_L2, 1e-12f);
}

chl_tensor chl_resnet18_picture(chl_graph *g, chl_tensor mel) {
    const int64_t n = chl_desc_of(g, mel)->dim[0];
    const chl_tensor x =
        chl_resize(g, mel, CHL_FILTER_BILINEAR, CHL_RESNET18_BANDS, CHL_RESNET18_FRAMES);
    return chl_reshape(g, x, chl_f32(4, n, CHL_RESNET18_FRAMES, CHL_RESNET18_BANDS, 1));
}
