/* The audio encoder of the paper's predecessor [Lee et al. 2022]: an unpadded 3x3 convolution from
 * 1 to 3 channels, then ResNet-18. */
#ifndef CHL_NETS_RESNET18_H
#define CHL_NETS_RESNET18_H
#include "nets/resnet.h"

#define CHL_RESNET18_CHANNELS 3 /* behind the convolution in front */

/* 64 wide, two blocks a stage, one channel; classes 512 */
chl_resnet_config chl_resnet18_lee2022(void);
/* As chl_resnet_random. */
chl_status chl_resnet18_random(const chl_resnet_config *config, uint64_t seed, chl_params **out);

/* mel [N,128,frames,1], bands along the rows -> the picture [N,128,512,1] that released weights
 * expect. The code resizes to 512 rows (bands) and 128 columns (time) and then calls the same
 * memory 128 rows of 512. A row is thus one band, four times side by side, each time a quarter of a
 * band higher. */
chl_tensor chl_resnet18_picture(chl_graph *g, chl_tensor mel);
#define CHL_RESNET18_BANDS 512
#define CHL_RESNET18_FRAMES 128

/* Removes the prefix `feature_extractor.`, reads sizes off the shapes, checks that every key is
 * present and marks it used. */
chl_status chl_resnet18_import(chl_params *params, chl_resnet_config *config);

/* x [N,H,W,channels], the authors' mel picture of 128 x 512 -> [N, chl_resnet_width], as chl_resnet_trunk */
chl_tensor chl_resnet18_trunk(chl_net *net, const chl_resnet_config *config, chl_tensor x);
/* -> [N,classes], as chl_resnet */
chl_tensor chl_resnet18(chl_net *net, const chl_resnet_config *config, chl_tensor x);
#endif
