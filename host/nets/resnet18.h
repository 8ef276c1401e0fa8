/* The audio encoder of the paper's predecessor [Lee et al. 2022]: an unpadded 3x3 convolution
 * from 1 to 3 channels, then ResNet-18 [He et al. 2016] in timm's layout. For comparison:
 * inference and the gradient to its input, batch normalisation with the stored statistics. */
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

/* Strips `feature_extractor.`, reads sizes, checks that every key is there and marks it used. */
chl_status chl_resnet18_import(chl_params *params, chl_resnet18_config *config);

/* x [N,H,W,channels], the authors' mel picture 128 x 512 -> head [N,classes], as the last layer
 * gives it, and embedding [N,classes], rows of length 1. Either may be NULL. */
void chl_resnet18(chl_net *net, const chl_resnet18_config *config, chl_tensor x, chl_tensor *head,
                  chl_tensor *embedding);
#endif
