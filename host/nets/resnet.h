/* Residual networks [He et al. 2016] under timm's and torchvision's names: ResNet-18 with blocks of two
 * 3x3 convolutions, ResNet-50 with bottlenecks. Batch normalisation uses the stored statistics, or the
 * batch's where net->statistics is set, which a training needs. */
#ifndef CHL_NETS_RESNET_H
#define CHL_NETS_RESNET_H
#include "nets/net.h"

#define CHL_RESNET_STAGES 4

typedef struct chl_resnet_config {
    int channels;                 /* of the mel picture: 1 */
    int width;                    /* of the stem and the first stage; doubles with each stage: 64 */
    int depth[CHL_RESNET_STAGES]; /* blocks: 2 each (ResNet-18), 3, 4, 6, 3 (ResNet-50) */
    int classes;
    bool bottlenecks; /* blocks are bottlenecks, which end four times as wide */
} chl_resnet_config;

/* 64 wide, one channel, classes 512 */
chl_resnet_config chl_resnet50_config(void);
/* He's initialisation [He et al. 2015] of the convolutions, norms that change nothing. The caller
 * frees *out. */
chl_status chl_resnet_random(const chl_resnet_config *config, uint64_t seed, chl_params **out);
/* The same in params that have something in front of the network, of `channels`. */
chl_status chl_resnet_add_random(chl_params *params, uint64_t seed, const chl_resnet_config *config,
                                 int channels);

/* Reads sizes off the shapes, checks that every key is present and marks it used; logit_scale_ai and
 * logit_scale_at, of a training's losses, may be there. */
chl_status chl_resnet_import(chl_params *params, chl_resnet_config *config);
/* The same of the trunk alone: from the 7x7 convolution `conv1` to the last stage. Sets width, depth and
 * bottlenecks. */
chl_status chl_resnet_import_trunk(chl_params *params, chl_resnet_config *config);
/* Of what follows the trunk: sets classes. */
chl_status chl_resnet_import_head(chl_params *params, chl_resnet_config *config);

/* Channels behind the last stage. */
int chl_resnet_width(const chl_resnet_config *config);
/* x [N,H,W,channels] -> [N, chl_resnet_width], the mean over the last stage's map */
chl_tensor chl_resnet_trunk(chl_net *net, const chl_resnet_config *config, int channels,
                            chl_tensor x);
/* The last layer: [N, chl_resnet_width] -> [N,classes] */
chl_tensor chl_resnet_head(chl_net *net, const chl_resnet_config *config, chl_tensor x);
/* Both: x [N,H,W,channels] -> [N,classes], the output of the last layer; scaled to length 1 (chl_unit_rows)
 * its rows are embeddings */
chl_tensor chl_resnet(chl_net *net, const chl_resnet_config *config, int channels, chl_tensor x);
#endif
