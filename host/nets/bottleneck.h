/* The bottleneck of residual networks [He et al. 2016]: convolutions of 1x1, 3x3 and 1x1 with batch
 * normalisation beside a way past them, under PyTorch's names. */
#ifndef CHL_NETS_BOTTLENECK_H
#define CHL_NETS_BOTTLENECK_H
#include "nets/net.h"

typedef struct chl_bottleneck {
    int in, width, out; /* channels: before it, of the 3x3 convolution, behind it */
    int stride;         /* of the 3x3 convolution */
    bool first;         /* of its stage: the way past it has a convolution, `downsample.0` */
    bool averages;      /* CLIP's: in the place of a stride the mean over stride x stride pixels */
} chl_bottleneck;

/* x [N,H,W,in] -> [N,H/stride,W/stride,out]; `block` is the prefix of its names. */
chl_tensor chl_net_bottleneck(chl_net *net, const chl_bottleneck *b, const char *block,
                              chl_tensor x);
/* The mean over stride x stride pixels. */
chl_tensor chl_net_average(chl_graph *g, chl_tensor x, int stride);
/* For <net>_import: checks that its arrays are there and marks them used. */
chl_status chl_params_use_bottleneck(chl_params *params, const char *block, bool first);
#endif
