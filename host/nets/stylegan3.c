#include "nets/stylegan3.h"
#include "graph/build.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdio.h>

#define SLOPE 0.2f
#define ACT_GAIN 1.41421356f
#define DEMODULATION_EPS 1e-8f
#define NO_DIVISION_BY_ZERO 1e-30f /* the original has none and makes NaN of zeros */

chl_tensor chl_stylegan3_map(chl_net *net, const chl_stylegan3_config *config, chl_tensor z) {
    return chl_stylegan_map(net, config->mapping_layers, config->mapping_rate, z);
}

void chl_stylegan3_layer_name(const chl_stylegan3_config *config, int i,
                              char name[CHL_STYLEGAN3_NAME]) {
    snprintf(name, CHL_STYLEGAN3_NAME, "synthesis.L%d_%d_%d", i, config->layer[i].size,
             config->layer[i].channels);
}

typedef struct place {
    chl_net *net;
    const chl_stylegan3_config *config;
    const chl_stylegan3_layer *layer;
    char name[CHL_STYLEGAN3_NAME];
    int in;                               /* channels */
    chl_tensor row;                       /* of the code, [N,W] */
    chl_stylegan3_magnitudes *magnitudes; /* NULL: the arrays' */
    int number;
} place;

static chl_tensor style(const place *p) {
    const int w_dim = p->config->w_dim;
    chl_tensor w = chl_weight_shaped(p->net, chl_f32(2, p->in, w_dim), "%s.affine.weight", p->name);
    chl_tensor b = chl_weight_shaped(p->net, chl_f32(1, p->in), "%s.affine.bias", p->name);
    return chl_linear_gain(p->net->graph, p->row, w, b, 1 / sqrtf((float)w_dim), 1);
}

/* What the convolution's input is multiplied with so that its expected magnitude is 1: a training
 * tracks the mean square, afterwards it is a constant. */
static float constant_gain(const place *p) {
    char key[CHL_STYLEGAN3_NAME + 32];
    snprintf(key, sizeof key, "%s.magnitude_ema", p->name);
    const chl_array *square = chl_params_find(p->net->params, key);
    return 1 / sqrtf(*(const float *)square->data);
}

/* The mean of the squares of x, over all ranks, [1] */
static chl_tensor mean_square(chl_graph *g, chl_tensor x) {
    x = chl_stop_gradient(g, chl_to_float32(g, x));
    const chl_tensor own = chl_reshape(g, chl_mean(g, chl_mul(g, x, x)), chl_f32(1, 1));
    return chl_all_reduce(g, chl_scale(g, own, 1.0f / (float)chl_ranks_of(g)));
}

/* The tracked mean square, moved towards that of x where the training says so. */
static chl_tensor magnitude(const place *p, chl_tensor x) {
    chl_graph *g = p->net->graph;
    chl_stylegan3_magnitudes *m = p->magnitudes;
    const chl_tensor stored = m->stored[p->number];
    if (m->decay >= 1 || x == CHL_NONE) return stored;
    m->measured[p->number] = mean_square(g, x);
    const chl_tensor both[] = {stored, m->measured[p->number]};
    return chl_sum(g, 0, 2, (const float[]){m->decay, 1 - m->decay}, both);
}

/* s [N,I] times the gain of the input x. */
static chl_tensor with_input_gain(const place *p, chl_tensor s, chl_tensor x) {
    chl_graph *g = p->net->graph;
    if (!p->magnitudes || s == CHL_NONE) return chl_scale(g, s, constant_gain(p));
    const int n = (int)chl_desc_of(g, s)->dim[0];
    const chl_tensor column = chl_reshape(g, magnitude(p, x), chl_f32(2, 1, 1));
    const chl_tensor each = chl_linear(g, chl_filled(g, chl_f32(2, p->in, 1), 1), column, CHL_NONE);
    /* 1 / sqrt of it, for every sample and channel */
    const chl_tensor gain = chl_demodulate(g, chl_filled(g, chl_f32(2, n, 1), 1), each, 1, 0);
    return chl_mul(g, s, gain);
}

/* CHL_NONE where the layer has none */
static chl_tensor filter(const place *p, const char *which, int taps, int axes) {
    if (taps == 1) return CHL_NONE;
    const chl_desc shape = axes == 1 ? chl_f32(1, taps) : chl_f32(2, taps, taps);
    return chl_weight_frozen(p->net, shape, "%s.%s", p->name, which);
}

/* y = d conv(x s, w) with w's rows and s of mean square 1, d = rsqrt(sum (s w)^2 + eps) */
static chl_tensor convolve(const place *p, chl_tensor x) {
    chl_graph *g = p->net->graph;
    const int out = p->layer->channels, k = p->layer->kernel;
    const chl_desc shape = chl_f32(4, out, p->in, k, k);
    chl_tensor w = chl_weight_shaped(p->net, shape, "%s.weight", p->name);
    w = chl_row_norm(g, chl_reshape(g, w, chl_f32(2, out, p->in * k * k)), CHL_NORM_RMS,
                     NO_DIVISION_BY_ZERO);
    w = chl_reshape(g, w, shape);
    const chl_tensor s = chl_row_norm(g, style(p), CHL_NORM_RMS, NO_DIVISION_BY_ZERO);
    const chl_tensor d = chl_demodulate(g, s, chl_weight_square(g, w), 1, DEMODULATION_EPS);
    x = chl_channel_scale(g, x, chl_to_compute_type(g, with_input_gain(p, s, x)));
    return chl_channel_scale(g, chl_conv(g, x, w, CHL_NONE, 1, k - 1), chl_to_compute_type(g, d));
}

static chl_tensor run_layer(const place *p, chl_tensor x) {
    const chl_stylegan3_layer *layer = p->layer;
    const chl_filtered settings = {.up = layer->up,
                                   .down = layer->down,
                                   .before = layer->before,
                                   .after = layer->after,
                                   .gain = ACT_GAIN,
                                   .slope = SLOPE,
                                   .clamp = p->config->conv_clamp};
    x = convolve(p, x);
    chl_tensor b = chl_weight_shaped(p->net, chl_f32(1, layer->channels), "%s.bias", p->name);
    return chl_filtered_lrelu(p->net->graph, x, b, filter(p, "up_filter", layer->up_taps, 1),
                              filter(p, "down_filter", layer->down_taps, layer->down_axes),
                              &settings);
}

/* The last layer: no demodulation, no activation but the clamp. */
static chl_tensor colours(const place *p, chl_tensor x) {
    chl_tensor w = chl_weight_as(p->net, chl_f32(2, 3, p->in), "%s.weight", p->name);
    chl_tensor b = chl_weight_shaped(p->net, chl_f32(1, 3), "%s.bias", p->name);
    const float gain = 1 / sqrtf((float)p->in);
    if (!p->magnitudes)
        return chl_to_rgb(p->net->graph, x, w, style(p), b, constant_gain(p) * gain,
                          p->config->conv_clamp);
    return chl_to_rgb(p->net->graph, x, w, with_input_gain(p, style(p), x), b, gain,
                      p->config->conv_clamp);
}

chl_tensor chl_stylegan3_synthesize(chl_net *net, const chl_stylegan3_config *config,
                                    chl_tensor codes) {
    return chl_stylegan3_synthesize_tracked(net, config, codes, NULL);
}

chl_tensor chl_stylegan3_synthesize_tracked(chl_net *net, const chl_stylegan3_config *config,
                                            chl_tensor codes,
                                            chl_stylegan3_magnitudes *magnitudes) {
    chl_graph *g = net->graph;
    if (!chl_stylegan_takes(net, "codes", config->resolution, config->rows, config->w_dim, codes))
        return CHL_NONE;
    chl_tensor x = chl_stylegan3_input(net, config, chl_select(g, codes, 0));
    x = chl_to_compute_type(g, x);
    for (int i = 0, in = config->input_channels; i < config->layers; i++) {
        place p = {.net = net,
                   .config = config,
                   .layer = &config->layer[i],
                   .in = in,
                   .row = chl_select(g, codes, i + 1),
                   .magnitudes = magnitudes,
                   .number = i};
        chl_stylegan3_layer_name(config, i, p.name);
        x = i < config->layers - 1 ? run_layer(&p, x) : colours(&p, x);
        in = p.layer->channels;
    }
    return chl_scale(g, x, config->output_scale);
}
