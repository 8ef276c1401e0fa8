#include "nets/resnet.h"
#include "graph/build.h"
#include "nets/bottleneck.h"
#include "nets/layers.h"
#include <stdio.h>

#define EXPANSION 4 /* a bottleneck ends with this many times its width */

int chl_resnet_width(const chl_resnet_config *config) {
    return (config->bottlenecks ? EXPANSION : 1) * config->width << (CHL_RESNET_STAGES - 1);
}

/* --- import ----------------------------------------------------------------------------------- */
static chl_status use_basic_block(chl_params *params, const char *block, bool wider) {
    CHL_TRY(chl_params_use_conv_norm(params, block, "conv1", "bn1"));
    CHL_TRY(chl_params_use_conv_norm(params, block, "conv2", "bn2"));
    return wider ? chl_params_use_conv_norm(params, block, "downsample.0", "downsample.1") : CHL_OK;
}

chl_status chl_resnet_import_trunk(chl_params *params, chl_resnet_config *config) {
    chl_params_ignore_suffix(params, "num_batches_tracked");
    CHL_TRY(chl_params_use_conv_norm(params, "", "conv1", "bn1"));
    config->width = (int)chl_params_find(params, "conv1.weight")->desc.dim[0];
    config->bottlenecks = chl_params_has(params, "layer1.0.conv3.weight");
    for (int stage = 0; stage < CHL_RESNET_STAGES; stage++) {
        char block[64];
        for (int i = 0; !i || chl_params_has(params, "layer%d.%d.conv1.weight", stage + 1, i);
             i++) {
            snprintf(block, sizeof block, "layer%d.%d.", stage + 1, i);
            CHL_TRY(config->bottlenecks ? chl_params_use_bottleneck(params, block, i == 0)
                                        : use_basic_block(params, block, stage && !i));
            config->depth[stage] = i + 1;
        }
    }
    return CHL_OK;
}

chl_status chl_resnet_import_head(chl_params *params, chl_resnet_config *config) {
    CHL_TRY(chl_params_use_linear(params, "fc", &config->classes));
    /* of the losses that it was trained with here */
    static const char *const scales[2] = {"logit_scale_ai", "logit_scale_at"};
    for (int i = 0; i < 2; i++)
        if (chl_params_has(params, "%s", scales[i]))
            CHL_TRY(chl_params_use(params, 0, NULL, "%s", scales[i]));
    return CHL_OK;
}

chl_status chl_resnet_import(chl_params *params, chl_resnet_config *config) {
    *config = (chl_resnet_config){0};
    CHL_TRY(chl_resnet_import_trunk(params, config));
    config->channels = (int)chl_params_find(params, "conv1.weight")->desc.dim[1];
    return chl_resnet_import_head(params, config);
}

/* --- network ---------------------------------------------------------------------------------- */
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

chl_tensor chl_resnet_trunk(chl_net *net, const chl_resnet_config *config, int channels,
                            chl_tensor x) {
    chl_graph *g = net->graph;
    const int width = config->width;
    x = chl_to_compute_type(g, x);
    x = relu(g,
             chl_net_conv_norm(net, (chl_net_conv){channels, width, 7, 2}, x, "", "conv1", "bn1"));
    x = chl_max_pool(g, x, 3, 2, 1);
    for (int stage = 0, in = width; stage < CHL_RESNET_STAGES; stage++)
        for (int i = 0; i < config->depth[stage]; i++) {
            const int own = width << stage, stride = stage && !i ? 2 : 1,
                      out = config->bottlenecks ? EXPANSION * own : own;
            const chl_bottleneck shape = {in, own, out, stride, .first = i == 0};
            char block[64];
            snprintf(block, sizeof block, "layer%d.%d.", stage + 1, i);
            x = config->bottlenecks ? chl_net_bottleneck(net, &shape, block, x)
                                    : basic_block(net, block, in, out, stride, x);
            in = out;
        }
    return chl_to_float32(g, chl_mean_pool(g, x));
}

chl_tensor chl_resnet_head(chl_net *net, const chl_resnet_config *config, chl_tensor x) {
    return chl_net_linear(net, x, chl_resnet_width(config), config->classes, "fc.");
}

chl_tensor chl_resnet(chl_net *net, const chl_resnet_config *config, int channels, chl_tensor x) {
    return chl_resnet_head(net, config, chl_resnet_trunk(net, config, channels, x));
}
