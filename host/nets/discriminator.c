#include "nets/discriminator.h"
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "nets/layers.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOPE 0.2f
#define ACT_GAIN 1.41421356f  /* sqrt(2), restores the variance lost to the leaky ReLU */
#define HALF_GAIN 0.70710678f /* sqrt(1/2), of each branch of a block */
#define DEVIATION_EPS 1e-8f
#define LAST 4 /* pixels on a side of the smallest map */

typedef struct critic {
    chl_net *net;
    const chl_discriminator_config *config;
    chl_tensor fir; /* [1,3,3,1] / 8 */
} critic;

/* --- layers ----------------------------------------------------------------------------------- */
/* Multiplied by the equalised learning rate's 1/sqrt(fan in), and by `gain`. */
static chl_tensor weight(const critic *d, int in, int out, int kernel, float gain,
                         const char *layer) {
    const chl_tensor w =
        chl_weight_shaped(d->net, chl_f32(4, out, in, kernel, kernel), "%s.weight", layer);
    return chl_scale(d->net->graph, w, gain / sqrtf((float)(in * kernel * kernel)));
}

static chl_tensor zeros(const critic *d, int count) {
    return chl_filled(d->net->graph, chl_f32(1, count), 0);
}

/* clamp(gain lrelu(x + b)), then blurred, to H + 1 pixels, if the next layer halves the map */
static chl_tensor activate(const critic *d, chl_tensor x, int channels, float gain, bool blur,
                           const char *layer) {
    const chl_tensor b = chl_weight_shaped(d->net, chl_f32(1, channels), "%s.bias", layer);
    const chl_filtered settings = {.up = 1,
                                   .down = 1,
                                   .before = blur ? 2 : 0,
                                   .after = blur ? 2 : 0,
                                   .gain = ACT_GAIN * gain,
                                   .slope = SLOPE,
                                   .clamp = d->config->conv_clamp * gain};
    return chl_filtered_lrelu(d->net->graph, x, b, CHL_NONE, blur ? d->fir : CHL_NONE, &settings);
}

/* the map halved, to the next one's channels */
static chl_tensor skip(const critic *d, chl_tensor x, int in, int out, const char *layer) {
    chl_graph *g = d->net->graph;
    const chl_filtered halve = {.up = 1, .down = 2, .before = 1, .after = 1, .gain = 1, .slope = 1};
    x = chl_filtered_lrelu(g, x, zeros(d, in), CHL_NONE, d->fir, &halve);
    x = chl_conv(g, x, weight(d, in, out, 1, HALF_GAIN, layer), CHL_NONE, 1, 0);
    if (d->config->conv_clamp == 0) return x;
    const chl_filtered clamp = {
        .up = 1, .down = 1, .gain = 1, .slope = 1, .clamp = d->config->conv_clamp * HALF_GAIN};
    return chl_filtered_lrelu(g, x, zeros(d, out), CHL_NONE, CHL_NONE, &clamp);
}

static chl_tensor block(const critic *d, chl_tensor x, int b) {
    chl_graph *g = d->net->graph;
    const int in = d->config->channels[b], out = d->config->channels[b - 1];
    char layer[3][32];
    snprintf(layer[0], sizeof layer[0], "b%d.skip", LAST << b);
    for (int i = 0; i < 2; i++) snprintf(layer[i + 1], sizeof layer[0], "b%d.conv%d", LAST << b, i);
    const chl_tensor around = skip(d, x, in, out, layer[0]);
    x = chl_conv(g, x, weight(d, in, in, 3, 1, layer[1]), CHL_NONE, 1, 1);
    x = activate(d, x, in, 1, true, layer[1]);
    x = chl_conv(g, x, weight(d, in, out, 3, 1, layer[2]), CHL_NONE, 2, 0);
    return chl_add(g, activate(d, x, out, HALF_GAIN, false, layer[2]), around);
}

/* --- the deviation between samples ------------------------------------------------------------ */
/* x [G, groups P C] -> deviation of each column [1, groups P C] */
static chl_tensor deviation(chl_graph *g, chl_tensor x, int group) {
    const int columns = (int)(chl_count(chl_desc_of(g, x)) / group);
    const chl_desc stack = chl_f32(3, 1, group, columns), rows = chl_f32(2, group, columns);
    const chl_tensor mean = chl_mean_pool(g, chl_reshape(g, x, stack));
    x = chl_add_bias(g, chl_reshape(g, x, rows),
                     chl_reshape(g, chl_scale(g, mean, -1), chl_f32(1, columns)));
    const chl_tensor variance = chl_mean_pool(g, chl_reshape(g, chl_mul(g, x, x), stack));
    return chl_mul(g, chl_sum(g, DEVIATION_EPS, 1, (const float[]){1}, &variance),
                   chl_inverse_root(g, variance, DEVIATION_EPS));
}

/* [groups P C] -> [groups,F]: means over P pixels and C / F channels */
static chl_tensor means(chl_graph *g, chl_tensor x, int groups, int pixels, int features) {
    const int width = (int)(chl_count(chl_desc_of(g, x)) / (groups * pixels * features));
    x = chl_mean_pool(g, chl_reshape(g, x, chl_f32(3, groups * pixels * features, width, 1)));
    return chl_mean_pool(g, chl_reshape(g, x, chl_f32(3, groups, pixels, features)));
}

/* x [N,4,4,C] -> [N,4,4,C+F] */
static chl_tensor join_deviation(const critic *d, chl_tensor x) {
    chl_graph *g = d->net->graph;
    const int n = (int)chl_desc_of(g, x)->dim[0], c = d->config->channels[0];
    const int features = d->config->deviations;
    const int group = d->config->group < n ? d->config->group : n, groups = n / group;
    if (features == 0) return x;
    if (n % group || c % features)
        return chl_graph_fail(g, CHL_ERR_SHAPE,
                              "discriminator: a batch of %d samples cannot be cut into groups of "
                              "%d, nor %d channels into %d",
                              n, group, c, features);
    chl_tensor y = means(g, deviation(g, x, group), groups, LAST * LAST, features);
    y = chl_reshape(g, chl_repeat(g, y, group), chl_f32(4, n, 1, 1, features));
    y = chl_resize(g, y, CHL_FILTER_NEAREST, LAST, LAST);
    return chl_net_join(g, x, y);
}

/* --- the network ------------------------------------------------------------------------------ */
/* [N,classes] -> [N,width] */
static chl_tensor map_label(const critic *d, chl_tensor label) {
    return chl_stylegan_map(d->net, d->config->mapping_layers, CHL_STYLEGAN_MAPPING_RATE,
                            chl_stylegan_embed(d->net, label));
}

static chl_tensor last_layers(const critic *d, chl_tensor x, chl_tensor label) {
    chl_graph *g = d->net->graph;
    const int n = (int)chl_desc_of(g, x)->dim[0], c = d->config->channels[0];
    const int width = d->config->width;
    x = join_deviation(d, x);
    x = chl_conv(g, x, weight(d, c + d->config->deviations, c, 3, 1, "b4.conv"), CHL_NONE, 1, 1);
    x = activate(d, x, c, 1, false, "b4.conv");
    /* fc reads the map channel by channel, as a convolution that covers it does */
    const chl_tensor fc = chl_weight_as(d->net, chl_f32(4, c, c, LAST, LAST), "b4.fc.weight");
    const chl_tensor b = chl_weight_shaped(d->net, chl_f32(1, c), "b4.fc.bias");
    const float gain = ACT_GAIN / sqrtf((float)(c * LAST * LAST));
    x = chl_conv(g, x, chl_scale(g, fc, gain), chl_scale(g, b, ACT_GAIN), 1, 0);
    x = chl_activate(g, chl_reshape(g, x, chl_f32(2, n, c)), CHL_LEAKY_RELU, SLOPE);
    const chl_tensor w = chl_weight_shaped(d->net, chl_f32(2, width, c), "b4.out.weight");
    const chl_tensor out_b = chl_weight_shaped(d->net, chl_f32(1, width), "b4.out.bias");
    x = chl_linear_gain(g, x, w, out_b, 1 / sqrtf((float)c), 1);
    if (d->config->classes == 0) return x;
    x = chl_row_dot(g, x, map_label(d, label));
    return chl_reshape(g, chl_scale(g, x, 1 / sqrtf((float)width)), chl_f32(2, n, 1));
}

chl_tensor chl_discriminator(chl_net *net, const chl_discriminator_config *config,
                             chl_tensor picture, chl_tensor label) {
    static const float fir[4] = {0.125f, 0.375f, 0.375f, 0.125f};
    chl_graph *g = net->graph;
    if (picture == CHL_NONE || chl_graph_status(g) != CHL_OK) return CHL_NONE;
    const chl_desc p = *chl_desc_of(g, picture);
    const int r = config->resolution;
    char text[96];
    if (p.rank != 4 || p.dim[1] != r || p.dim[2] != r || p.dim[3] != 3)
        return chl_graph_fail(
            g, CHL_ERR_SHAPE, "%s: pictures of a %d x %d discriminator must be [N,%d,%d,3], got %s",
            net->params->source, r, r, r, r, chl_shape_text(&p, text, sizeof text));
    if ((config->classes > 0) != (label != CHL_NONE))
        return chl_graph_fail(g, CHL_ERR_ARGUMENT, "%s: a discriminator of %d classes %s a label",
                              net->params->source, config->classes,
                              config->classes > 0 ? "needs" : "takes no");
    const critic d = {net, config, chl_constant(g, "fir", chl_f32(1, 4), fir)};
    const int widest = config->channels[config->blocks - 1];
    char layer[32];
    snprintf(layer, sizeof layer, "b%d.fromrgb", r);
    chl_tensor x = chl_conv(g, picture, weight(&d, 3, widest, 1, 1, layer), CHL_NONE, 1, 0);
    x = activate(&d, x, widest, 1, false, layer);
    for (int b = config->blocks - 1; b > 0; b--) x = block(&d, x, b);
    return last_layers(&d, x, label);
}
