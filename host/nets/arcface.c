#include "nets/arcface.h"
#include "graph/build.h"
#include "nets/layers.h"
#include <stdio.h>

static chl_tensor conv(chl_net *net, const char *name, int in, int out, int kernel, int stride,
                       chl_tensor x) {
    chl_tensor w = chl_weight_shaped(net, chl_f32(4, out, in, kernel, kernel), "%s.weight", name);
    return chl_conv(net->graph, x, w, CHL_NONE, stride, kernel / 2);
}

/* A convolution and the norm behind it, where nothing but the norm would be one call with either.
 * Where both are frozen the norm is part of the weights, which are computed once: two passes over the
 * result less, one forward and one back. */
static chl_tensor conv_norm(chl_net *net, chl_net_conv shape, chl_tensor x, const char *prefix,
                            const char *name, const char *norm) {
    chl_graph *g = net->graph;
    if (net->kind != CHL_FROZEN || net->statistics)
        return chl_net_conv_norm(net, shape, x, prefix, name, norm);
    const int out = shape.out, in = shape.in, kernel = shape.kernel;
    const chl_tensor w =
        chl_weight_shaped(net, chl_f32(4, out, in, kernel, kernel), "%s%s.weight", prefix, name);
    const chl_net_affine of = chl_net_batch_norm_affine(net, out, "%s%s.", prefix, norm);
    const chl_desc rows = chl_f32(3, out, in * kernel * kernel, 1); /* of w, each times a number */
    const chl_tensor scaled = chl_channel_scale(g, chl_reshape(g, w, rows),
                                                chl_reshape(g, of.factor, chl_f32(2, out, 1)));
    return chl_conv(g, x, chl_reshape(g, scaled, chl_f32(4, out, in, kernel, kernel)), of.shift,
                    shape.stride, kernel / 2);
}

/* x * sigmoid(fc2(relu(fc1(mean over the map of x)))) [Hu et al. 2018]; the 1x1 convolutions of
 * one pixel are linear layers. */
static chl_tensor squeeze_excite(chl_net *net, const char *unit, int width, int squeeze,
                                 chl_tensor x) {
    chl_graph *g = net->graph;
    chl_tensor fc1 =
        chl_weight_as(net, chl_f32(2, squeeze, width), "%sres_layer.5.fc1.weight", unit);
    chl_tensor fc2 =
        chl_weight_as(net, chl_f32(2, width, squeeze), "%sres_layer.5.fc2.weight", unit);
    chl_tensor s = chl_linear(g, chl_mean_pool(g, x), fc1, CHL_NONE);
    s = chl_activate(g, s, CHL_LEAKY_RELU, 0);
    s = chl_activate(g, chl_linear(g, s, fc2, CHL_NONE), CHL_SIGMOID, 0);
    return chl_channel_scale(g, x, s);
}

static chl_tensor residual_unit(chl_net *net, const char *unit, const chl_irse_unit *u,
                                chl_tensor x) {
    chl_graph *g = net->graph;
    char name[160];
#define NAME(text) (snprintf(name, sizeof name, "%s" text, unit), name)
    chl_tensor y = chl_net_batch_norm(net, x, u->in, "%sres_layer.0.", unit);
    y = conv(net, NAME("res_layer.1"), u->in, u->out, 3, 1, y);
    y = chl_prelu(g, y, chl_weight_shaped(net, chl_f32(1, u->out), "%sres_layer.2.weight", unit));
    y = conv(net, NAME("res_layer.3"), u->out, u->out, 3, u->stride, y);
    y = chl_net_batch_norm(net, y, u->out, "%sres_layer.4.", unit);
    y = squeeze_excite(net, unit, u->out, u->squeeze, y);
    if (u->projection) {
        x = conv_norm(net, (chl_net_conv){u->in, u->out, 1, u->stride}, x, unit, "shortcut_layer.0",
                      "shortcut_layer.1");
    } else if (u->stride > 1) {
        x = chl_max_pool(g, x, 1, u->stride, 0);
    }
    return chl_add(g, x, y);
#undef NAME
}

chl_tensor chl_irse_trunk(chl_net *net, const chl_arcface_config *config, const char *prefix,
                          chl_tensor x, chl_tensor *after) {
    char name[128];
    x = conv_norm(net, (chl_net_conv){3, config->width, 3, 1}, x, prefix, "input_layer.0",
                  "input_layer.1");
    x = chl_prelu(
        net->graph, x,
        chl_weight_shaped(net, chl_f32(1, config->width), "%sinput_layer.2.weight", prefix));
    for (int i = 0; i < config->units; i++) {
        snprintf(name, sizeof name, "%sbody.%d.", prefix, i);
        x = residual_unit(net, name, &config->unit[i], x);
        if (after) after[i] = x;
    }
    return x;
}

/* side 0: any */
static chl_tensor bad_picture(chl_graph *g, const chl_desc *got, int side) {
    char text[96], want[32] = "H,W";
    if (side) snprintf(want, sizeof want, "%d,%d", side, side);
    return chl_graph_fail(g, CHL_ERR_SHAPE, "ArcFace expects pictures [N,%s,3], got %s", want,
                          chl_shape_text(got, text, sizeof text));
}

chl_tensor chl_arcface(chl_net *net, const chl_arcface_config *config, chl_tensor x) {
    chl_graph *g = net->graph;
    if (x == CHL_NONE) return CHL_NONE;
    const chl_desc *in = chl_desc_of(g, x);
    if (in->rank != 4 || in->dim[1] != config->side || in->dim[2] != config->side)
        return bad_picture(g, in, config->side);
    int n = (int)in->dim[0];
    x = chl_irse_trunk(net, config, "", chl_to_compute_type(g, x), NULL);
    if (x == CHL_NONE) return CHL_NONE;
    int width = config->unit[config->units - 1].out;
    x = chl_net_batch_norm(net, x, width, "output_layer.0.");
    int64_t columns = chl_count(chl_desc_of(g, x)) / n;
    x = chl_reshape(g, x, chl_f32(2, n, (int)columns));
    chl_tensor w = chl_weight_shaped(net, chl_f32(2, config->embed, (int)columns),
                                     "output_layer.3.weight_nhwc");
    chl_tensor b = chl_weight_shaped(net, chl_f32(1, config->embed), "output_layer.3.bias");
    x = chl_net_batch_norm(net, chl_to_float32(g, chl_linear(g, x, w, b)), config->embed,
                           "output_layer.4.");
    return chl_unit_rows(g, x);
}

chl_tensor chl_arcface_preprocess(chl_graph *g, chl_tensor picture) {
    if (picture == CHL_NONE) return CHL_NONE;
    chl_desc d = *chl_desc_of(g, picture);
    if (d.rank != 4 || d.dim[3] != 3) return bad_picture(g, &d, 0);
    if (d.dim[1] != 256 || d.dim[2] != 256)
        picture = chl_resize(g, picture, CHL_FILTER_AREA, 256, 256);
    /* the position of the face in an FFHQ-aligned picture of 256 x 256 */
    return chl_resize_window(g, picture, CHL_FILTER_AREA, 112, 112, 35, 32, 188, 188);
}
