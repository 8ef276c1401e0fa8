#include "nets/layers.h"
#include "graph/build.h"
#include <stdio.h>

#define NORM_EPS 1e-5f
#define PREFIX_LENGTH 192

#define FORMAT_PREFIX(prefix, format)                                                              \
    char prefix[PREFIX_LENGTH];                                                                    \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        vsnprintf(prefix, sizeof(prefix), format, arguments);                                      \
        va_end(arguments);                                                                         \
    } while (0)

chl_tensor chl_net_linear(chl_net *net, chl_tensor x, int in, int out, const char *format, ...) {
    FORMAT_PREFIX(prefix, format);
    chl_tensor w = chl_weight_shaped(net, chl_f32(2, out, in), "%sweight", prefix);
    chl_tensor b = chl_weight_shaped(net, chl_f32(1, out), "%sbias", prefix);
    return chl_linear(net->graph, x, w, b);
}

chl_tensor chl_net_layer_norm(chl_net *net, chl_tensor x, int width, const char *format, ...) {
    FORMAT_PREFIX(prefix, format);
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
    FORMAT_PREFIX(prefix, format);
    chl_desc vector = chl_f32(1, width);
    chl_tensor gamma = chl_weight_shaped(net, vector, "%sweight", prefix);
    chl_tensor beta = chl_weight_shaped(net, vector, "%sbias", prefix);
    if (net->statistics) return normalise_by_batch(net, x, vector, gamma, beta, prefix);
    chl_tensor mean = chl_weight_frozen(net, vector, "%srunning_mean", prefix);
    chl_tensor var = chl_weight_frozen(net, vector, "%srunning_var", prefix);
    return chl_batch_norm(net->graph, x, gamma, beta, mean, var, NORM_EPS);
}

chl_status chl_params_use_batch_norm(chl_params *params, const char *format, ...) {
    FORMAT_PREFIX(prefix, format);
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
