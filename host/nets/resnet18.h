/* The audio encoder of the paper's predecessor [Lee et al. 2022]: an unpadded 3x3 convolution from
 * 1 to 3 channels, then ResNet-18 [He et al. 2016] under timm's names. Batch normalisation uses the
 * stored statistics, or the batch's where net->statistics is set, which a training needs. */
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

/* 64 wide, two blocks a stage, one channel; classes 512 */
chl_resnet18_config chl_resnet18_lee2022(void);
/* He's initialisation [He et al. 2015] of the convolutions, norms that change nothing. The caller
 * frees *out. */
chl_status chl_resnet18_random(const chl_resnet18_config *config, uint64_t seed, chl_params **out);

/* mel [N,128,frames,1], bands along the rows -> the picture [N,128,512,1] that released weights
 * expect. The code resizes to 512 rows (bands) and 128 columns (time) and then calls the same
 * memory 128 rows of 512. A row is thus one band, four times side by side, each time a quarter of a
 * band higher. */
chl_tensor chl_resnet18_picture(chl_graph *g, chl_tensor mel);
#define CHL_RESNET18_BANDS 512
#define CHL_RESNET18_FRAMES 128

/* Removes the prefix `feature_extractor.`, reads sizes off the shapes, checks that every key is
 * present and marks it used. */
chl_status chl_resnet18_import(chl_params *params, chl_resnet18_config *config);

/* The same of the trunk alone, whose names have no prefix: from the 7x7 convolution `conv1` to the
 * last stage. Sets width and depth. */
chl_status chl_resnet18_import_trunk(chl_params *params, chl_resnet18_config *config);

/* x [N,H,W,channels] -> [N, 8 * width], the mean over the last stage's map */
chl_tensor chl_resnet18_trunk(chl_net *net, const chl_resnet18_config *config, int channels,
                              chl_tensor x);
/* x [N,H,W,channels], the authors' mel picture of 128 x 512 -> head [N,classes], the output of the
 * last layer, and embedding [N,classes], its rows scaled to length 1. Either may be NULL. */
void chl_resnet18(chl_net *net, const chl_resnet18_config *config, chl_tensor x, chl_tensor *head,
                  chl_tensor *embedding);
#endif
