/* Layers that several networks share: the op together with its named weights.
 *
 *     x = chl_net_layer_norm(net, x, width, "layers.%d.norm1.", i);
 *
 * `format` and what follows it give the prefix of the weights' names, up to and including the
 * separator: here the weights are "layers.0.norm1.weight" and "layers.0.norm1.bias". Every epsilon
 * is PyTorch's default, 1e-5, with which all networks in this room were trained. */
#ifndef CHL_NETS_LAYERS_H
#define CHL_NETS_LAYERS_H
#include "nets/net.h"

/* x [..., in] -> [..., out]: x W^T + b, "weight" [out, in], "bias" [out] */
chl_tensor chl_net_linear(chl_net *net, chl_tensor x, int in, int out, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* x [N,M], each row divided by its length, as embeddings are; by 1e-12, PyTorch's bound, where it is
 * shorter */
chl_tensor chl_unit_rows(chl_graph *g, chl_tensor x);

/* a [...,A], b [...,B] -> [...,A+B] */
chl_tensor chl_net_join(chl_graph *g, chl_tensor a, chl_tensor b);

/* x [..., width], normalised over its last axis; "weight", "bias" [width] */
chl_tensor chl_net_layer_norm(chl_net *net, chl_tensor x, int width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* x [..., width], batch normalisation with the stored statistics, as PyTorch's eval(): "weight",
 * "bias", "running_mean", "running_var" [width], the last two frozen. */
chl_tensor chl_net_batch_norm(chl_net *net, chl_tensor x, int width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A convolution without bias, padded so that a stride of 1 keeps the map's size, and the batch
 * normalisation behind it: "<prefix><conv>.weight" [out, in, kernel, kernel], "<prefix><norm>.weight",
 * ... */
typedef struct chl_net_conv {
    int in, out, kernel, stride;
} chl_net_conv;
chl_tensor chl_net_conv_norm(chl_net *net, chl_net_conv shape, chl_tensor x, const char *prefix,
                             const char *conv, const char *norm);
/* For <net>_import: checks that its five arrays are there and marks them used. */
chl_status chl_params_use_conv_norm(chl_params *params, const char *prefix, const char *conv,
                                    const char *norm);
/* The same norm as factor[c] x + shift[c], both [width], for weights that take it in. */
typedef struct chl_net_affine {
    chl_tensor factor, shift;
} chl_net_affine;
chl_net_affine chl_net_batch_norm_affine(chl_net *net, int width, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For <net>_import: checks that these four are there with one axis each and marks them used. */
chl_status chl_params_use_batch_norm(chl_params *params, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#endif
