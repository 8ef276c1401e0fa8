#include "nets/esresnext.h"
#include "graph/build.h"
#include "nets/bottleneck.h"
#include "nets/layers.h"
#include <stdio.h>

static chl_tensor relu(chl_graph *g, chl_tensor x) {
    return chl_activate(g, x, CHL_LEAKY_RELU, 0);
}

/* --- maxima ----------------------------------------------------------------------------------- */
/* Maxima over pairs of an axis of even length; of odd length over three, the middle one at 0, 2, 4,
 * ...: what adaptive pooling to half the length, rounded up, does. x [outer, length, inner]. */
static chl_tensor halve(chl_graph *g, chl_tensor x, int64_t outer, int64_t length, int64_t inner) {
    if (length % 2 == 1) {
        x = chl_reshape(g, x, chl_f32(4, (int)outer, (int)length, 1, (int)inner));
        return chl_max_pool(g, x, 3, 2, 1);
    }
    /* a window of three whose first tap is padding */
    x = chl_reshape(g, x, chl_f32(4, (int)(outer * length / 2), 2, 1, (int)inner));
    return chl_max_pool(g, x, 3, 3, 1);
}

/* [N,H,W,C] -> [N,ceil(H/2),ceil(W/2),C] */
static chl_tensor half_maximum(chl_graph *g, chl_tensor x) {
    if (x == CHL_NONE) return CHL_NONE;
    const chl_desc d = *chl_desc_of(g, x);
    const int64_t n = d.dim[0], c = d.dim[3], rows = (d.dim[1] + 1) / 2,
                  columns = (d.dim[2] + 1) / 2;
    x = halve(g, x, n, d.dim[1], d.dim[2] * c);
    x = halve(g, x, n * rows, d.dim[2], c);
    return chl_reshape(g, x, chl_f32(4, (int)n, (int)rows, (int)columns, (int)c));
}

/* [N,H,W,C] -> [N,1,1,C] */
static chl_tensor maximum(chl_graph *g, chl_tensor x) {
    while (x != CHL_NONE && chl_desc_of(g, x)->dim[1] * chl_desc_of(g, x)->dim[2] > 1)
        x = half_maximum(g, x);
    return x;
}

/* --- stages ----------------------------------------------------------------------------------- */
/* How much each pixel of a stage's output [N,H,W,out] matters, in (0,1), from its input at the same
 * size. */
static chl_tensor attention(chl_net *net, int number, int in, int out, chl_tensor x) {
    chl_graph *g = net->graph;
    const chl_tensor w =
        chl_weight_shaped(net, chl_f32(4, out, in, -1, -1), "att%d.conv.weight", number);
    const chl_tensor b = chl_weight_shaped(net, chl_f32(1, out), "att%d.conv.bias", number);
    if (w == CHL_NONE) return CHL_NONE;
    x = chl_conv(g, x, w, b, 1, (int)chl_desc_of(g, w)->dim[2] / 2);
    x = chl_net_batch_norm(net, x, out, "att%d.bn.", number);
    return chl_activate(g, x, CHL_SIGMOID, 0);
}

static chl_tensor stage(chl_net *net, const chl_esresnext_config *c, int s, int in, chl_tensor x) {
    const chl_tensor before = s ? half_maximum(net->graph, x) : x;
    for (int i = 0; i < c->depth[s]; i++) {
        char block[64];
        snprintf(block, sizeof block, "layer%d.%d.", s + 1, i);
        const chl_bottleneck shape = {i ? c->out[s] : in, c->width[s], c->out[s], s && !i ? 2 : 1,
                                      .first = i == 0};
        x = chl_net_bottleneck(net, &shape, block, x);
    }
    return chl_mul(net->graph, x, attention(net, s + 1, in, c->out[s], before));
}

chl_tensor chl_esresnext_trunk(chl_net *net, const chl_esresnext_config *c, chl_tensor x) {
    chl_graph *g = net->graph;
    const int last = c->out[CHL_ESRESNEXT_STAGES - 1];
    const chl_net_conv first = {CHL_ESRESNEXT_CHANNELS, c->stem, 7, 2};
    x = chl_to_compute_type(g, x);
    x = chl_max_pool(g, relu(g, chl_net_conv_norm(net, first, x, "", "conv1", "bn1")), 3, 2, 1);
    for (int s = 0, in = c->stem; s < CHL_ESRESNEXT_STAGES; s++) {
        x = stage(net, c, s, in, x);
        in = c->out[s];
    }
    if (x == CHL_NONE) return CHL_NONE;
    const int n = (int)chl_desc_of(g, x)->dim[0];
    const chl_tensor a = attention(net, CHL_ESRESNEXT_STAGES + 1, last, last, maximum(g, x));
    x = chl_mul(g, chl_mean_pool(g, x), chl_reshape(g, a, chl_f32(2, n, last)));
    return chl_to_float32(g, x);
}

chl_tensor chl_esresnext_head(chl_net *net, const chl_esresnext_config *c, chl_tensor x) {
    return chl_net_linear(net, x, c->out[CHL_ESRESNEXT_STAGES - 1], c->embed, "fc.");
}
