#include "nets/style_encoder.h"
#include "graph/build.h"
#include "nets/layers.h"
#include <math.h>
#include <stdio.h>

#define SLOPE 0.01f /* of the towers' leaky ReLU */

/* StyleGAN2's linear layer: the weight is stored 1 / sqrt(1 / in) times as large as it is used. */
static chl_tensor equal_linear(chl_net *net, const char *layer, int in, int out, chl_tensor x) {
    const chl_tensor w = chl_weight_shaped(net, chl_f32(2, out, in), "%s.weight", layer);
    const chl_tensor b = chl_weight_shaped(net, chl_f32(1, out), "%s.bias", layer);
    return chl_linear_gain(net->graph, chl_to_float32(net->graph, x), w, b, 1 / sqrtf((float)in),
                           1);
}

static chl_tensor conv(chl_net *net, const char *name, chl_net_conv s, chl_tensor x) {
    const chl_desc shape = chl_f32(4, s.out, s.in, s.kernel, s.kernel);
    const chl_tensor w = chl_weight_shaped(net, shape, "%s.weight", name);
    const chl_tensor b = chl_weight_shaped(net, chl_f32(1, s.out), "%s.bias", name);
    return chl_conv(net->graph, x, w, b, s.stride, s.kernel / 2);
}

/* map [N,2^convs,2^convs,in] -> [N,latent] */
static chl_tensor tower(chl_net *net, const chl_style_config *config, int row, int in, int n,
                        chl_tensor x) {
    chl_graph *g = net->graph;
    const int convs = config->convs + config->map[row], latent = config->latent;
    char name[64];
    for (int i = 0; i < convs; i++) {
        snprintf(name, sizeof name, "styles.%d.convs.%d", row, 2 * i);
        x = conv(net, name, (chl_net_conv){i ? latent : in, latent, 3, 2}, x);
        x = chl_activate(g, x, CHL_LEAKY_RELU, SLOPE);
    }
    snprintf(name, sizeof name, "styles.%d.linear", row);
    x = chl_reshape(g, chl_to_float32(g, x), chl_f32(2, n, latent));
    return equal_linear(net, name, latent, latent, x);
}

/* The feature pyramid [Lin et al. 2017]: a finer map of the trunk and the coarser one, enlarged. */
static chl_tensor finer(chl_net *net, const char *lateral, int in, int out, chl_tensor fine,
                        chl_tensor coarse) {
    if (fine == CHL_NONE || coarse == CHL_NONE) return CHL_NONE;
    const chl_desc to = *chl_desc_of(net->graph, fine);
    const chl_tensor large =
        chl_resize(net->graph, coarse, CHL_FILTER_BILINEAR_ENDS, (int)to.dim[1], (int)to.dim[2]);
    return chl_add(net->graph, large, conv(net, lateral, (chl_net_conv){in, out, 1, 1}, fine));
}

static chl_tensor gradual(chl_net *net, const chl_style_config *config, int n,
                          const chl_tensor *after) {
    chl_graph *g = net->graph;
    const chl_irse_unit *unit = config->trunk.unit;
    const int *last = config->last_unit, width = unit[last[0]].out;
    chl_tensor map[CHL_STYLE_MAPS] = {after[last[0]]};
    map[1] = finer(net, "latlayer1", unit[last[1]].out, width, after[last[1]], map[0]);
    map[2] = finer(net, "latlayer2", unit[last[2]].out, width, after[last[2]], map[1]);
    chl_tensor first = CHL_NONE, codes = CHL_NONE;
    for (int row = 0; row < config->rows; row++) {
        chl_tensor w = tower(net, config, row, width, n, map[config->map[row]]);
        if (row == 0)
            first = w;
        else if (config->kind == CHL_STYLE_E4E)
            w = chl_add(g, first, w);
        w = chl_place_token(g, w, config->rows, row);
        codes = row ? chl_add(g, codes, w) : w;
    }
    return codes;
}

/* All rows from the last map: its norm, pooled, through two linear layers. */
static chl_tensor from_last_map(chl_net *net, const chl_style_config *config, int n, chl_tensor x) {
    chl_graph *g = net->graph;
    const int width = config->trunk.unit[config->trunk.units - 1].out,
              columns = config->grid * config->grid * width;
    x = chl_net_batch_norm(net, x, width, "output_layer_2.0.");
    if (x == CHL_NONE) return CHL_NONE;
    x = chl_resize(g, x, CHL_FILTER_AREA, config->grid, config->grid);
    x = chl_reshape(g, chl_to_float32(g, x), chl_f32(2, n, columns));
    const chl_tensor w =
        chl_weight_shaped(net, chl_f32(2, config->latent, columns), "output_layer_2.3.weight_nhwc");
    const chl_tensor b =
        chl_weight_shaped(net, chl_f32(1, config->latent), "output_layer_2.3.bias");
    x = chl_linear(g, x, w, b);
    return equal_linear(net, "linear", config->latent, config->rows * config->latent, x);
}

chl_tensor chl_style_codes(chl_net *net, const chl_style_config *config, chl_tensor x) {
    chl_graph *g = net->graph;
    const chl_arcface_config *trunk = &config->trunk;
    chl_tensor after[CHL_IRSE_UNITS];
    if (x == CHL_NONE) return CHL_NONE;
    const chl_desc in = *chl_desc_of(g, x);
    const chl_desc want = chl_f32(4, (int)in.dim[0], config->side, config->side, 3);
    if (!chl_same_shape(&in, &want)) {
        char got[96];
        return chl_graph_fail(g, CHL_ERR_SHAPE, "the encoder expects pictures [N,%d,%d,3], got %s",
                              config->side, config->side, chl_shape_text(&in, got, sizeof got));
    }
    const int n = (int)in.dim[0], width = trunk->unit[trunk->units - 1].out;
    x = chl_irse_trunk(net, trunk, "", chl_to_compute_type(g, x), after);
    if (x == CHL_NONE) return CHL_NONE;
    if (config->kind == CHL_STYLE_W_PLUS)
        x = from_last_map(net, config, n, x);
    else if (config->kind == CHL_STYLE_W)
        x = equal_linear(net, "linear", width, config->latent, chl_mean_pool(g, x));
    else
        x = gradual(net, config, n, after);
    x = chl_reshape(g, x, chl_f32(3, n, config->rows, config->latent));
    if (!config->average_rows) return x;
    const chl_desc average = config->average_rows == 1 ? chl_f32(1, config->latent)
                                                       : chl_f32(2, config->rows, config->latent);
    return chl_add_bias(g, x, chl_weight_frozen(net, average, "latent_avg"));
}
