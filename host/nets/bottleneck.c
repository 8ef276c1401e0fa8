#include "nets/bottleneck.h"
#include "graph/build.h"
#include "nets/layers.h"

chl_status chl_params_use_bottleneck(chl_params *params, const char *block, bool first) {
    CHL_TRY(chl_params_use_conv_norm(params, block, "conv1", "bn1"));
    CHL_TRY(chl_params_use_conv_norm(params, block, "conv2", "bn2"));
    CHL_TRY(chl_params_use_conv_norm(params, block, "conv3", "bn3"));
    return first ? chl_params_use_conv_norm(params, block, "downsample.0", "downsample.1") : CHL_OK;
}

static chl_tensor relu(chl_graph *g, chl_tensor x) {
    return chl_activate(g, x, CHL_LEAKY_RELU, 0);
}

chl_tensor chl_net_average(chl_graph *g, chl_tensor x, int stride) {
    if (stride == 1 || x == CHL_NONE) return x;
    const chl_desc d = *chl_desc_of(g, x);
    return chl_resize(g, x, CHL_FILTER_AREA, (int)d.dim[1] / stride, (int)d.dim[2] / stride);
}

chl_tensor chl_net_bottleneck(chl_net *net, const chl_bottleneck *b, const char *block,
                              chl_tensor x) {
    chl_graph *g = net->graph;
    const int stride = b->averages ? 1 : b->stride, mean = b->averages ? b->stride : 1;
    chl_tensor y = relu(
        g, chl_net_conv_norm(net, (chl_net_conv){b->in, b->width, 1, 1}, x, block, "conv1", "bn1"));
    y = relu(g, chl_net_conv_norm(net, (chl_net_conv){b->width, b->width, 3, stride}, y, block,
                                  "conv2", "bn2"));
    y = chl_net_average(g, y, mean);
    y = chl_net_conv_norm(net, (chl_net_conv){b->width, b->out, 1, 1}, y, block, "conv3", "bn3");
    if (b->first)
        x = chl_net_conv_norm(net, (chl_net_conv){b->in, b->out, 1, stride},
                              chl_net_average(g, x, mean), block, "downsample.0", "downsample.1");
    return relu(g, chl_add(g, x, y));
}
