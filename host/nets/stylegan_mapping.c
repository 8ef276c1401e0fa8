#include "nets/stylegan_mapping.h"
#include "base/facts.h"
#include "graph/build.h"
#include "nets/layers.h"
#include "nets/random_weights.h"
#include <math.h>
#include <string.h>

#define SLOPE 0.2f
#define ACT_GAIN 1.41421356f /* sqrt(2), restores the variance lost to the leaky ReLU */
#define NORMALISATION_EPS 1e-8f

/* --- sizes ------------------------------------------------------------------------------------ */
chl_status chl_stylegan_import_mapping(chl_params *params, int w_dim, int rows, int *z_dim,
                                       int *layers) {
    int i = 0;
    *z_dim = 0;
    for (int64_t width = 0; chl_params_has(params, "mapping.fc%d.weight", i); i++) {
        chl_array *w, *b;
        CHL_TRY(chl_params_require(params, 2, &w, "mapping.fc%d.weight", i));
        CHL_TRY(chl_params_require(params, 1, &b, "mapping.fc%d.bias", i));
        if (i == 0) *z_dim = (int)w->desc.dim[1];
        if ((i && w->desc.dim[1] != width) || b->desc.dim[0] != w->desc.dim[0])
            return chl_fail(CHL_ERR_SHAPE,
                            "%s: the shape of \"%s\" does not fit the layer before it or its bias",
                            params->source, w->name);
        width = w->desc.dim[0];
        if (!chl_params_has(params, "mapping.fc%d.weight", i + 1) && width != w_dim)
            return chl_fail(CHL_ERR_SHAPE,
                            "%s: the mapping ends in %d dimensions, the synthesis expects %d",
                            params->source, (int)width, w_dim);
        w->used = b->used = true;
    }
    *layers = i;
    chl_array *average = chl_params_find(params, "mapping.w_avg");
    if (!average) return CHL_OK;
    average->used = true;
    if (average->desc.rank == 1)
        CHL_TRY(chl_reshape_array(params, average, chl_f32(2, 1, (int)average->desc.dim[0])));
    if (average->desc.rank != 2 || average->desc.dim[1] != w_dim ||
        (average->desc.dim[0] != 1 && average->desc.dim[0] != rows))
        return chl_fail(
            CHL_ERR_SHAPE, "%s: the average w has %d rows of %d, expected 1 or %d rows of %d",
            params->source, (int)average->desc.dim[0], (int)average->desc.dim[1], rows, w_dim);
    return CHL_OK;
}

/* --- the network ------------------------------------------------------------------------------ */
static chl_tensor normalise(chl_graph *g, chl_tensor x) {
    return chl_row_norm(g, x, CHL_NORM_RMS, NORMALISATION_EPS);
}

static chl_tensor map_layers(chl_net *net, int layers, float rate, chl_tensor x) {
    chl_graph *g = net->graph;
    if (!layers)
        return chl_graph_fail(g, CHL_ERR_KEY,
                              "%s: has no mapping network (\"mapping.fc0.weight\" is missing)",
                              net->params->source);
    for (int i = 0; i < layers; i++) {
        chl_tensor w = chl_weight(net, "mapping.fc%d.weight", i);
        chl_tensor b = chl_weight(net, "mapping.fc%d.bias", i);
        if (w == CHL_NONE || b == CHL_NONE) return CHL_NONE;
        /* the gain is applied before the leaky ReLU, which is homogeneous: same result, one pass
         * less */
        float gain = ACT_GAIN * rate / sqrtf((float)chl_desc_of(g, w)->dim[1]);
        x = chl_linear_gain(g, x, w, b, gain, ACT_GAIN * rate);
        x = chl_activate(g, x, CHL_LEAKY_RELU, SLOPE);
    }
    return x;
}

chl_tensor chl_stylegan_map(chl_net *net, int layers, float rate, chl_tensor z) {
    return map_layers(net, layers, rate, normalise(net->graph, z));
}

chl_tensor chl_stylegan_embed(chl_net *net, chl_tensor label) {
    const chl_tensor w = chl_weight(net, "mapping.embed.weight");
    const chl_tensor b = chl_weight(net, "mapping.embed.bias");
    if (w == CHL_NONE || b == CHL_NONE) return CHL_NONE;
    const float classes = (float)chl_desc_of(net->graph, w)->dim[1];
    return chl_linear_gain(net->graph, label, w, b, 1 / sqrtf(classes), 1);
}

chl_tensor chl_stylegan_map_class(chl_net *net, int layers, float rate, chl_tensor z,
                                  chl_tensor label) {
    chl_graph *g = net->graph;
    const chl_tensor features = normalise(g, chl_stylegan_embed(net, label));
    return map_layers(net, layers, rate, chl_net_join(g, normalise(g, z), features));
}

/* --- an untrained class ----------------------------------------------------------------------- */
chl_status chl_stylegan_add_classes(chl_params *params, int z_dim, int w_dim, int classes,
                                    uint64_t seed) {
    chl_array *first;
    CHL_TRY(chl_params_require(params, 2, &first, "mapping.fc0.weight"));
    const chl_desc wide = chl_f32(2, first->desc.dim[0], (int64_t)z_dim + w_dim);
    chl_params_drop(params, "mapping.fc0.weight");
    CHL_TRY(chl_params_add_normal(params, seed, 0, 1 / CHL_STYLEGAN_MAPPING_RATE, wide,
                                  "mapping.fc0.weight"));
    CHL_TRY(chl_params_add_normal(params, seed, 0, 1, chl_f32(2, w_dim, classes),
                                  "mapping.embed.weight"));
    return chl_params_add_normal(params, seed, 0, 0, chl_f32(1, w_dim), "mapping.embed.bias");
}

chl_tensor chl_stylegan_rows(chl_graph *g, int rows, chl_tensor w) {
    if (w == CHL_NONE) return CHL_NONE;
    const int n = (int)chl_desc_of(g, w)->dim[0], w_dim = (int)chl_desc_of(g, w)->dim[1];
    w = chl_reshape(g, w, chl_f32(4, n, 1, 1, w_dim));
    w = chl_resize(g, w, CHL_FILTER_NEAREST, rows, 1);
    return chl_reshape(g, w, chl_f32(3, n, rows, w_dim));
}

/* --- codes ------------------------------------------------------------------------------------ */
bool chl_stylegan_takes(chl_net *net, const char *what, int resolution, int rows, int w_dim,
                        chl_tensor codes) {
    if (codes == CHL_NONE || chl_graph_status(net->graph) != CHL_OK) return false;
    const chl_desc *w = chl_desc_of(net->graph, codes);
    char text[96];
    if (w->rank == 3 && w->dim[1] == rows && w->dim[2] == w_dim) return true;
    chl_graph_fail(net->graph, CHL_ERR_SHAPE,
                   "%s: %s of a %d x %d generator must be [N,%d,%d], got %s", net->params->source,
                   what, resolution, resolution, rows, w_dim, chl_shape_text(w, text, sizeof text));
    return false;
}

const float *chl_stylegan_average(const chl_params *params, int w_dim, int *rows) {
    const chl_array *average = chl_params_find(params, "mapping.w_avg");
    if (!average) return NULL;
    *rows = (int)(chl_count(&average->desc) / w_dim);
    return average->data;
}

chl_status chl_stylegan_truncate(int rows, int w_dim, int64_t n, const float *w,
                                 const float *average, int average_rows, float psi, int cutoff,
                                 float *codes) {
    const bool whole = psi == 1;
    if (!whole && !average)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "psi = %g needs the average w, which the checkpoint does not have: use 1",
                        psi);
    if (average && average_rows != 1 && average_rows != rows)
        return chl_fail(CHL_ERR_SHAPE, "the average w has %d rows, expected 1 or %d", average_rows,
                        rows);
    for (int64_t i = 0; i < n; i++)
        for (int row = 0; row < rows; row++) {
            const float *from = w + i * w_dim;
            float *to = codes + (i * rows + row) * w_dim;
            if (whole || (cutoff && row >= cutoff)) {
                memcpy(to, from, (size_t)w_dim * sizeof(float));
                continue;
            }
            const float *centre = average + (average_rows == 1 ? 0 : row * w_dim);
            for (int k = 0; k < w_dim; k++) to[k] = centre[k] + psi * (from[k] - centre[k]);
        }
    return CHL_OK;
}

/* --- facts ------------------------------------------------------------------------------------ */
bool chl_stylegan_ignores(const char *argument) {
    static const char *const without_effect[] = {
        "z_dim",        "c_dim",        "w_dim",       "img_resolution", "img_channels",
        "num_ws",       "num_layers",   "in_channels", "out_channels",   "in_features",
        "out_features", "channel_base", "channel_max", "bias",           "num_fp16_res",
        "use_fp16",     "bias_init",    "weight_init", "w_avg_beta",     "class_name",
        NULL,
    };
    return chl_fact_is_one_of(argument, without_effect);
}
