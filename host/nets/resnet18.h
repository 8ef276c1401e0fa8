/* The audio encoder of the paper's predecessor [Lee et al. 2022]: an unpadded 3x3 convolution from
 * 1 to 3 channels, then ResNet-18 [He et al. 2016] under timm's names. It serves for comparison:
 * inference and the gradient to its input; batch normalisation uses the stored statistics, so it
 * cannot be trained here. */
#ifndef CHL_NETS_RESNET18_H
#define CHL_NETS_RESNET18_H
#include "nets/net.h"

#define CHL_RESNET_STAGES 4

typedef struct chl_resnet18_config {
    int channels;                 /* of the mel picture: 1 */
    int width;                    /* of the stem and the first stage; doubles with each stage: 64 */
    int depth[CHL_RESNET_STAGES]; /* blocks of two 3x3 convolutions: 2 each */
    int classes;
} chl_resnet18_config;

/* Removes the prefix `feature_extractor.`, reads sizes off the shapes, checks that every key is
 * present and marks it used. */
chl_status chl_resnet18_import(chl_params *params, chl_resnet18_config *config);

/* x [N,H,W,channels], the authors' mel picture of 128 x 512 -> head [N,classes], the output of the
 * last layer, and embedding [N,classes], its rows scaled to length 1. Either may be NULL. */
void chl_resnet18(chl_net *net, const chl_resnet18_config *config, chl_tensor x, chl_tensor *head,
                  chl_tensor *embedding);
#endif
