#include "nets/stylegan2.h"
#include "graph/build.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SLOPE 0.2f
#define ACT_GAIN 1.41421356f /* sqrt(2), restores the variance lost to the leaky ReLU */
#define DEMODULATION_EPS 1e-8f
#define NAME_LENGTH 64

chl_tensor chl_stylegan2_map(chl_net *net, const chl_stylegan2_config *config, chl_tensor z) {
    return chl_stylegan_map(net, config->mapping_layers, config->mapping_rate, z);
}

/* A column of one pixel, repeated. */
chl_tensor chl_stylegan2_rows(chl_graph *g, const chl_stylegan2_config *config, chl_tensor w) {
    return chl_stylegan_rows(g, config->rows, w);
}

/* --- synthesis -------------------------------------------------------------------------------- */

typedef struct synthesis {
    chl_net *net;
    const chl_stylegan2_config *config;
    const chl_tensor *noise;                  /* of each convolution; NULL: the stored maps */
    chl_tensor row[2 * CHL_STYLEGAN2_BLOCKS]; /* of W+, [N,W] each */
} synthesis;

static chl_tensor style(const synthesis *s, const char *layer, int row, int in) {
    int w_dim = s->config->w_dim;
    chl_tensor w = chl_weight_shaped(s->net, chl_f32(2, in, w_dim), "%s.affine.weight", layer);
    chl_tensor b = chl_weight_shaped(s->net, chl_f32(1, in), "%s.affine.bias", layer);
    return chl_linear_gain(s->net->graph, s->row[row], w, b, 1 / sqrtf((float)w_dim), 1);
}

static chl_tensor convolve(const synthesis *s, chl_tensor x, const char *layer, int row, int in,
                           int out, int resolution, bool up) {
    chl_net *net = s->net;
    chl_tensor w = chl_weight_shaped(net, chl_f32(4, out, in, 3, 3), "%s.weight", layer);
    chl_tensor b = chl_weight_shaped(net, chl_f32(1, out), "%s.bias", layer);
    chl_tensor noise = CHL_NONE, strength = CHL_NONE;
    if (s->config->noise && chl_params_has(net->params, "%s.noise_strength", layer)) {
        noise = s->noise ? s->noise[row]
                         : chl_weight_frozen(net, chl_f32(2, resolution, resolution),
                                             "%s.noise_const", layer);
        strength = chl_weight_shaped(net, chl_f32(1, 1), "%s.noise_strength", layer);
    }
    chl_modconv settings = {
        .up = up,
        .gain = s->config->flavour == CHL_STYLEGAN2_ADA ? 1 : 1 / sqrtf(9.0f * (float)in),
        .eps = DEMODULATION_EPS,
        .slope = SLOPE,
        .act_gain = ACT_GAIN,
        .clamp = s->config->conv_clamp,
    };
    return chl_modulated_conv(net->graph, x, w, style(s, layer, row, in), noise, strength, b,
                              &settings);
}

static chl_tensor to_rgb(const synthesis *s, chl_tensor x, const char *layer, int row, int in) {
    chl_tensor w = chl_weight_as(s->net, chl_f32(2, 3, in), "%s.weight", layer);
    chl_tensor b = chl_weight_shaped(s->net, chl_f32(1, 3), "%s.bias", layer);
    return chl_to_rgb(s->net->graph, x, w, style(s, layer, row, in), b, 1 / sqrtf((float)in),
                      s->config->conv_clamp);
}

/* The learned constant, stored as [C,4,4], as [N,4,4,C]. The product of the identity with it is its
 * exact transpose, and has a gradient. */
static chl_tensor constant_input(const synthesis *s, int n) {
    chl_graph *g = s->net->graph;
    int channels = s->config->channels[0];
    float identity[16 * 16] = {0};
    for (int i = 0; i < 16; i++) identity[i * 16 + i] = 1;
    chl_tensor eye = chl_constant(g, "synthesis.b4.identity", chl_f32(2, 16, 16), identity);
    chl_tensor c = chl_weight_as(s->net, chl_f32(2, channels, 16), "synthesis.b4.const");
    chl_tensor x = chl_linear(g, eye, c, CHL_NONE);
    return chl_repeat(g, chl_reshape(g, x, chl_f32(3, 4, 4, channels)), n);
}

chl_tensor chl_stylegan2_synthesize(chl_net *net, const chl_stylegan2_config *config,
                                    chl_tensor w_plus) {
    return chl_stylegan2_synthesize_noisy(net, config, w_plus, NULL);
}

chl_tensor chl_stylegan2_synthesize_noisy(chl_net *net, const chl_stylegan2_config *config,
                                          chl_tensor w_plus, const chl_tensor *noise) {
    chl_graph *g = net->graph;
    if (!chl_stylegan_takes(net, "W+", config->resolution, config->rows, config->w_dim, w_plus))
        return CHL_NONE;
    const int n = (int)chl_desc_of(g, w_plus)->dim[0];
    synthesis s = {.net = net, .config = config, .noise = noise};
    for (int i = 0; i < config->rows; i++) s.row[i] = chl_select(g, w_plus, i);

    /* styles, colours and the sum of colours are float32 */
    chl_tensor x = chl_to_compute_type(g, constant_input(&s, n)), picture = CHL_NONE;
    for (int b = 0, in = config->channels[0]; b < config->blocks; b++) {
        int resolution = 4 << b, channels = config->channels[b];
        char layer[NAME_LENGTH];
        if (b) {
            snprintf(layer, sizeof layer, "synthesis.b%d.conv0", resolution);
            x = convolve(&s, x, layer, 2 * b - 1, in, channels, resolution, true);
        }
        snprintf(layer, sizeof layer, "synthesis.b%d.conv1", resolution);
        x = convolve(&s, x, layer, 2 * b, channels, channels, resolution, false);
        /* the next block's conv0 reads the same row */
        snprintf(layer, sizeof layer, "synthesis.b%d.torgb", resolution);
        chl_tensor rgb = to_rgb(&s, x, layer, 2 * b + 1, channels);
        picture = b ? chl_upsample_fir(g, picture, rgb) : rgb;
        in = channels;
    }
    return picture;
}

/* --- codes ------------------------------------------------------------------------------------ */
