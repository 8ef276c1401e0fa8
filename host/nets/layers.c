#include "nets/layers.h"
#include "graph/build.h"
#include "graph/ops/compose.h"
#include "nets/format.h"

#define NORM_EPS 1e-5f
#define LENGTH_EPS 1e-12f
#define PREFIX_LENGTH 192

chl_tensor chl_net_linear(chl_net *net, chl_tensor x, int in, int out, const char *format, ...) {
    CHL_FORMAT(prefix, PREFIX_LENGTH, format);
    chl_tensor w = chl_weight_shaped(net, chl_f32(2, out, in), "%sweight", prefix);
    chl_tensor b = chl_weight_shaped(net, chl_f32(1, out), "%sbias", prefix);
    return chl_linear(net->graph, x, w, b);
}

chl_tensor chl_unit_rows(chl_graph *g, chl_tensor x) {
    return chl_row_norm(g, x, CHL_NORM_L2, LENGTH_EPS);
}

/* Ones where row = column + shift: x times the transpose of [to,from] has the channels of x there. */
typedef struct placed {
    int64_t from, shift;
} placed;
static float is_place(const void *context, int64_t i) {
    const placed *p = context;
    return i / p->from == i % p->from + p->shift;
}
static chl_tensor place(chl_graph *g, chl_tensor x, int64_t from, int64_t to, int64_t shift) {
    const placed at = {from, shift};
    return chl_linear(g, x, chl_values(g, chl_f32(2, to, from), is_place, &at), CHL_NONE);
}

chl_tensor chl_net_join(chl_graph *g, chl_tensor a, chl_tensor b) {
    if (a == CHL_NONE || b == CHL_NONE) return CHL_NONE;
    const chl_desc x = *chl_desc_of(g, a), y = *chl_desc_of(g, b);
    const int64_t left = x.dim[x.rank - 1], right = y.dim[y.rank - 1];
    return chl_add(g, place(g, a, left, left + right, 0), place(g, b, right, left + right, left));
}

chl_tensor chl_net_layer_norm(chl_net *net, chl_tensor x, int width, const char *format, ...) {
    CHL_FORMAT(prefix, PREFIX_LENGTH, format);
    chl_tensor gamma = chl_weight_shaped(net, chl_f32(1, width), "%sweight", prefix);
    chl_tensor beta = chl_weight_shaped(net, chl_f32(1, width), "%sbias", prefix);
    return chl_layer_norm(net->graph, x, gamma, beta, NORM_EPS);
}

static chl_tensor normalise_by_batch(chl_net *net, chl_tensor x, chl_desc vector, chl_tensor gamma,
                                     chl_tensor beta, const char *prefix) {
    const chl_net_statistics *statistics = net->statistics;
    chl_tensor mean, var;
    x = chl_batch_norm_train(net->graph, x, gamma, beta, NORM_EPS, &mean, &var);
    const chl_tensor stored_mean = chl_weight_shaped(net, vector, "%srunning_mean", prefix);
    const chl_tensor stored_var = chl_weight_shaped(net, vector, "%srunning_var", prefix);
    statistics->track(statistics->user, stored_mean, mean);
    statistics->track(statistics->user, stored_var, var);
    return x;
}

chl_tensor chl_net_batch_norm(chl_net *net, chl_tensor x, int width, const char *format, ...) {
    CHL_FORMAT(prefix, PREFIX_LENGTH, format);
    chl_desc vector = chl_f32(1, width);
    chl_tensor gamma = chl_weight_shaped(net, vector, "%sweight", prefix);
    chl_tensor beta = chl_weight_shaped(net, vector, "%sbias", prefix);
    if (net->statistics) return normalise_by_batch(net, x, vector, gamma, beta, prefix);
    chl_tensor mean = chl_weight_frozen(net, vector, "%srunning_mean", prefix);
    chl_tensor var = chl_weight_frozen(net, vector, "%srunning_var", prefix);
    return chl_batch_norm(net->graph, x, gamma, beta, mean, var, NORM_EPS);
}

/* The norm of one and of zero: what it multiplies by, without the mean, and what it adds. */
chl_net_affine chl_net_batch_norm_affine(chl_net *net, int width, const char *format, ...) {
    CHL_FORMAT(prefix, PREFIX_LENGTH, format);
    chl_graph *g = net->graph;
    const chl_desc vector = chl_f32(1, width), row = chl_f32(2, 1, width);
    const float one = 1, zero = 0;
    const chl_tensor gamma = chl_weight_shaped(net, vector, "%sweight", prefix);
    const chl_tensor beta = chl_weight_shaped(net, vector, "%sbias", prefix);
    const chl_tensor mean = chl_weight_frozen(net, vector, "%srunning_mean", prefix);
    const chl_tensor var = chl_weight_frozen(net, vector, "%srunning_var", prefix);
    const chl_tensor nothing =
        chl_repeat(g, chl_constant(g, "norm.zero", chl_f32(1, 1), &zero), width);
    const chl_tensor each = chl_repeat(g, chl_constant(g, "norm.one", chl_f32(1, 1), &one), width);
    const chl_tensor at_one = chl_reshape(g, each, row), at_zero = chl_reshape(g, nothing, row);
    const chl_tensor none = chl_reshape(g, nothing, vector);
    return (chl_net_affine){
        chl_reshape(g, chl_batch_norm(g, at_one, gamma, none, none, var, NORM_EPS), vector),
        chl_reshape(g, chl_batch_norm(g, at_zero, gamma, beta, mean, var, NORM_EPS), vector)};
}

chl_status chl_params_use_batch_norm(chl_params *params, const char *format, ...) {
    CHL_FORMAT(prefix, PREFIX_LENGTH, format);
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) CHL_TRY(chl_params_use(params, 1, NULL, "%s%s", prefix, parts[i]));
    return CHL_OK;
}

chl_tensor chl_net_conv_norm(chl_net *net, chl_net_conv s, chl_tensor x, const char *prefix,
                             const char *conv, const char *norm) {
    const chl_tensor w = chl_weight_shaped(net, chl_f32(4, s.out, s.in, s.kernel, s.kernel),
                                           "%s%s.weight", prefix, conv);
    x = chl_conv(net->graph, x, w, CHL_NONE, s.stride, s.kernel / 2);
    return chl_net_batch_norm(net, x, s.out, "%s%s.", prefix, norm);
}

chl_status chl_params_use_conv_norm(chl_params *params, const char *prefix, const char *conv,
                                    const char *norm) {
    CHL_TRY(chl_params_use(params, 4, NULL, "%s%s.weight", prefix, conv));
    return chl_params_use_batch_norm(params, "%s%s.", prefix, norm);
}
