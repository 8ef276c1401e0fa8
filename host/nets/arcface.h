/* ArcFace's IR-SE50 [Deng et al. 2019; Hu et al. 2018]: a face's identity as a unit vector.
 * Residual units of two 3x3 convolutions with squeeze and excitation, then a linear layer over the
 * whole map.
 *
 *     chl_arcface_config config;
 *     CHL_TRY(chl_arcface_import(params, &config));      model_ir_se50.pth
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor x = chl_arcface_preprocess(g, picture);
 *     chl_tensor identity = chl_arcface(&net, &config, x);
 *     chl_net_done(&net);
 *
 * Our names are those of InsightFace's PyTorch port, except `output_layer.3.weight_nhwc`, whose
 * columns are in (row, column, channel) order. Batch normalisation uses the stored statistics. */
#ifndef CHL_NETS_ARCFACE_H
#define CHL_NETS_ARCFACE_H
#include "nets/net.h"

#define CHL_IRSE_UNITS 64 /* IR-SE152 has 50 */

typedef struct chl_irse_unit {
    int in, out, squeeze; /* channels; hidden width of squeeze and excitation */
    int stride;
    bool projection; /* shortcut: 1x1 convolution and batch norm, otherwise
                        sub-sampling */
} chl_irse_unit;

typedef struct chl_arcface_config {
    int units;
    chl_irse_unit unit[CHL_IRSE_UNITS];
    int width; /* of the input layer */
    int embed;
    int side; /* of the input picture: 112 */
} chl_arcface_config;

/* Reads sizes and depth off the shapes, permutes the last layer's columns, marks all keys used. */
chl_status chl_arcface_import(chl_params *params, chl_arcface_config *config);

/* Random weights. Of `config`: units, unit[], width, embed, side. */
chl_status chl_arcface_random(const chl_arcface_config *config, uint64_t seed, chl_params **out);

/* IR-SE50's sizes at 112 x 112. */
chl_arcface_config chl_arcface_ir_se50(void);

/* picture [N,H,W,3] in [-1,1], a face aligned as in FFHQ -> [N,112,112,3]: area-pooled to 256
 * (skipped at 256), cropped to the face, area-pooled to 112 [StyleCLIP; the paper's authors]. */
chl_tensor chl_arcface_preprocess(chl_graph *g, chl_tensor picture);

/* x [N,side,side,3] -> [N,embed], rows of length 1 */
chl_tensor chl_arcface(chl_net *net, const chl_arcface_config *config, chl_tensor x);

/* The trunk without the output layer, for encoders built on it (e4e, pSp): its weights are
 * `prefix`input_layer... and `prefix`body... chl_irse_read reads their sizes. after [units] (may be
 * NULL) receives the output of every unit. */
chl_status chl_irse_read(chl_params *params, const char *prefix, chl_arcface_config *config);
chl_tensor chl_irse_trunk(chl_net *net, const chl_arcface_config *config, const char *prefix,
                          chl_tensor x, chl_tensor *after);
/* Adds its random weights; those of a batch norm that changes nothing. */
chl_status chl_irse_random(chl_params *params, uint64_t seed, const chl_arcface_config *config);
chl_status chl_irse_random_norm(chl_params *params, uint64_t seed, int width, const char *name);
#endif
