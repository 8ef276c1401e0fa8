#include "nets/clap_fusion.h"
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "nets/layers.h"
#include <string.h>

#define LONG_WEIGHT "patch_embed.mel_conv2d.weight"
#define LONG_BIAS "patch_embed.mel_conv2d.bias"
#define PARTS_WEIGHT "patch_embed.parts.weight"
#define PARTS_BIAS "patch_embed.parts.bias"
#define ATTENTION "patch_embed.fusion_model."

/* --- import ----------------------------------------------------------------------------------- */
bool chl_clap_fusion_is_in(const chl_params *params) {
    return chl_params_has(params, LONG_WEIGHT);
}

static int patches_of_part(const chl_swin_config *trunk) {
    return trunk->resolution / (CHL_CLAP_STRETCH * trunk->patch);
}

/* [embed,1,patch,3 patch] -> [embed,3,patch,patch]: see the header. */
static chl_status import_weight(chl_params *params, const chl_swin_config *trunk) {
    const int p = trunk->patch, wide = CHL_CLAP_STRETCH * p;
    const chl_desc shape = chl_f32(4, trunk->embed, 1, p, wide);
    chl_array *from;
    void *data;
    char got[96], want[96];
    CHL_TRY(chl_params_require(params, 4, &from, LONG_WEIGHT));
    if (!chl_same_shape(&from->desc, &shape))
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" is %s, expected %s", params->source, from->name,
                        chl_shape_text(&from->desc, got, sizeof got),
                        chl_shape_text(&shape, want, sizeof want));
    CHL_TRY(chl_params_add(params, PARTS_WEIGHT, chl_f32(4, trunk->embed, CHL_CLAP_STRETCH, p, p),
                           &data));
    CHL_TRY(chl_params_require(params, 4, &from, LONG_WEIGHT)); /* an add may have moved it */
    const float *w = from->data;
    float *to = data;
    for (int64_t o = 0; o < trunk->embed; o++)
        for (int c = 0; c < CHL_CLAP_STRETCH; c++)
            for (int i = 0; i < p; i++)
                for (int j = 0; j < p; j++) *to++ = w[(o * p + i) * wide + c * p + j];
    chl_params_drop(params, LONG_WEIGHT);
    return chl_params_use(params, 4, NULL, PARTS_WEIGHT);
}

/* [embed] -> [side,embed]: beyond the last patch, zeros without the bias. */
static chl_status import_bias(chl_params *params, const chl_swin_config *trunk, int side) {
    chl_array *from;
    void *data;
    CHL_TRY(chl_params_require(params, 1, &from, LONG_BIAS));
    if (from->desc.dim[0] != trunk->embed)
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" has %d numbers, expected %d", params->source,
                        from->name, (int)from->desc.dim[0], trunk->embed);
    CHL_TRY(chl_params_add(params, PARTS_BIAS, chl_f32(2, side, trunk->embed), &data));
    CHL_TRY(chl_params_require(params, 1, &from, LONG_BIAS)); /* an add may have moved it */
    const size_t row = sizeof(float) * (size_t)trunk->embed;
    memset(data, 0, row * (size_t)side);
    for (int c = 0; c < CHL_CLAP_PARTS * patches_of_part(trunk); c++)
        memcpy((char *)data + row * (size_t)c, from->data, row);
    chl_params_drop(params, LONG_BIAS);
    return chl_params_use(params, 2, NULL, PARTS_BIAS);
}

/* A convolution of single pixels is a linear layer. */
static chl_status import_layer(chl_params *params, const char *branch, int number, int in,
                               int *out) {
    chl_array *weight;
    CHL_TRY(chl_params_use(params, 4, &weight, ATTENTION "%s.%d.weight", branch, number));
    CHL_TRY(chl_params_use(params, 1, NULL, ATTENTION "%s.%d.bias", branch, number));
    *out = (int)weight->desc.dim[0];
    CHL_TRY(chl_reshape_array(params, weight, chl_f32(2, *out, in)));
    return chl_params_use_batch_norm(params, ATTENTION "%s.%d.", branch, number + 1);
}

/* The branch's layers begin at number `first`, between them a normalisation and a ReLU. */
static chl_status import_branch(chl_params *params, const char *branch, int first, int width,
                                int *hidden) {
    int out;
    CHL_TRY(import_layer(params, branch, first, width, hidden));
    return import_layer(params, branch, first + 3, *hidden, &out);
}

chl_status chl_clap_fusion_import(chl_params *params, const chl_swin_config *trunk,
                                  chl_clap_fusion *out) {
    int hidden;
    out->side = trunk->resolution / trunk->patch;
    CHL_TRY(import_weight(params, trunk));
    CHL_TRY(import_bias(params, trunk, out->side));
    CHL_TRY(import_branch(params, "local_att", 0, trunk->embed, &out->hidden));
    CHL_TRY(import_branch(params, "global_att", 1, trunk->embed, &hidden));
    if (hidden == out->hidden) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE,
                    "%s: the fusion's global attention has a width of %d, expected that of the "
                    "local one, %d",
                    params->source, hidden, out->hidden);
}

/* --- pictures --------------------------------------------------------------------------------- */
int chl_clap_fusion_rows(const chl_swin_config *trunk) {
    return (1 + CHL_CLAP_PARTS) * trunk->resolution + 1;
}

int64_t chl_clap_fusion_place(const chl_swin_config *trunk, int part, int row, int column) {
    const int p = trunk->patch, wide = CHL_CLAP_STRETCH * p, patches = patches_of_part(trunk);
    const int patch = column / wide, within = column % wide;
    if (patch >= patches) return -1;
    const int x = (part * patches + patch) * p + within % p;
    return ((int64_t)row * trunk->resolution + x) * CHL_CLAP_STRETCH + within / p;
}

/* --- the network ------------------------------------------------------------------------------ */
/* x [...,embed] -> [...,embed] */
static chl_tensor attend(chl_net *net, const char *branch, int first, int width, int hidden,
                         chl_tensor x) {
    x = chl_net_linear(net, x, width, hidden, ATTENTION "%s.%d.", branch, first);
    x = chl_net_batch_norm(net, x, hidden, ATTENTION "%s.%d.", branch, first + 1);
    x = chl_activate(net->graph, x, CHL_LEAKY_RELU, 0);
    x = chl_net_linear(net, x, hidden, width, ATTENTION "%s.%d.", branch, first + 3);
    return chl_net_batch_norm(net, x, width, ATTENTION "%s.%d.", branch, first + 4);
}

/* whole, parts [N,S,S,embed] */
static chl_tensor fuse(chl_net *net, const chl_swin_config *trunk, const chl_clap_fusion *f,
                       chl_tensor whole, chl_tensor parts) {
    chl_graph *g = net->graph;
    const chl_tensor both = chl_add(g, whole, parts);
    if (both == CHL_NONE) return CHL_NONE;
    const int n = (int)chl_desc_of(g, both)->dim[0];
    const chl_tensor local = attend(net, "local_att", 0, trunk->embed, f->hidden, both);
    chl_tensor global = chl_reshape(g, chl_mean_pool(g, both), chl_f32(4, n, 1, 1, trunk->embed));
    global = attend(net, "global_att", 1, trunk->embed, f->hidden, global);
    global = chl_resize(g, global, CHL_FILTER_NEAREST, f->side, f->side);
    const chl_tensor w = chl_activate(g, chl_add(g, local, global), CHL_SIGMOID, 0);
    return chl_combine(g, 2, parts, 2, chl_mul(g, w, chl_combine(g, 1, whole, -1, parts)));
}

/* Rows `first` to first + rows - 1 of pictures [N,4R+1,R,1]. */
static chl_tensor rows_of(chl_graph *g, chl_tensor x, int first, int rows) {
    if (x == CHL_NONE) return CHL_NONE;
    const int width = (int)chl_desc_of(g, x)->dim[2];
    return chl_resize_window(g, x, CHL_FILTER_NEAREST, rows, width, first, 0, rows, width);
}

/* Patches of the parts. */
static chl_tensor embed_parts(chl_net *net, const chl_swin_config *trunk, int side,
                              chl_tensor pictures) {
    chl_graph *g = net->graph;
    const int r = trunk->resolution, p = trunk->patch;
    const chl_tensor w =
        chl_weight_shaped(net, chl_f32(4, trunk->embed, CHL_CLAP_STRETCH, p, p), PARTS_WEIGHT);
    const chl_tensor b = chl_weight_shaped(net, chl_f32(2, side, trunk->embed), PARTS_BIAS);
    const chl_tensor rows = rows_of(g, pictures, r, CHL_CLAP_PARTS * r);
    if (rows == CHL_NONE) return CHL_NONE;
    const int n = (int)chl_desc_of(g, rows)->dim[0];
    const chl_tensor x = chl_reshape(g, rows, chl_f32(4, n, r, r, CHL_CLAP_STRETCH));
    return chl_add_bias(g, chl_conv(g, chl_to_compute_type(g, x), w, CHL_NONE, p, 0), b);
}

chl_tensor chl_clap_fusion_patches(chl_net *net, const chl_swin_config *trunk,
                                   const chl_clap_fusion *fusion, chl_tensor pictures) {
    chl_graph *g = net->graph;
    const chl_tensor whole =
        chl_swin_patches(net, trunk, rows_of(g, pictures, 0, trunk->resolution));
    const chl_tensor parts = embed_parts(net, trunk, fusion->side, pictures);
    const chl_tensor last = rows_of(g, pictures, chl_clap_fusion_rows(trunk) - 1, 1);
    if (whole == CHL_NONE || parts == CHL_NONE || last == CHL_NONE) return CHL_NONE;
    const chl_tensor longer = chl_to_compute_type(g, chl_mean_pool(g, last));
    const chl_tensor change = chl_combine(g, 1, fuse(net, trunk, fusion, whole, parts), -1, whole);
    return chl_add(g, whole, chl_scale_rows(g, change, longer));
}
