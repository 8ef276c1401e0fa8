/* StyleGAN2's residual discriminator [Karras et al. 2020, section 4.1; 2020a]: picture -> one number,
 * large where the picture looks like one of the training set.
 *
 * Each block refines the map, halves it with a blurred convolution of stride 2, and adds the map itself,
 * halved, through a 1 x 1 convolution. At 4 x 4 the deviation between the samples of a group joins as one
 * more channel: a generator that paints the same picture for all codes gives itself away. With classes
 * the last layer's vector is projected on that of the class [Miyato & Koyama 2018].
 *
 *     chl_discriminator_config config;
 *     CHL_TRY(chl_discriminator_import(params, "", &config));
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_TRAINABLE};
 *     chl_tensor logits = chl_discriminator(&net, &config, picture, CHL_NONE);
 *
 * Names are those of stylegan2-ada-pytorch and stylegan3; the learning rate is equalised at run time, as
 * in the generator. */
#ifndef CHL_NETS_DISCRIMINATOR_H
#define CHL_NETS_DISCRIMINATOR_H
#include "nets/stylegan2.h"

typedef struct chl_discriminator_config {
    int resolution, blocks;             /* blocks = log2(resolution) - 1 */
    int channels[CHL_STYLEGAN2_BLOCKS]; /* of the map of 4 << b */
    int deviations;                     /* channels of the minibatch deviation; 0: none */
    int group;                          /* samples in a group; must divide the batch */
    int classes;                        /* 0: none */
    int width;                          /* of the last vector; 1 without classes */
    int mapping_layers;                 /* of the mapping of classes */
    float conv_clamp;                   /* 0: none */
} chl_discriminator_config;

/* Reads all sizes off the shapes of the arrays whose names begin with `prefix` and marks them used; the
 * group is 4 samples and conv_clamp 256, as in every published configuration of these resolutions. */
chl_status chl_discriminator_import(chl_params *params, const char *prefix,
                                    chl_discriminator_config *config);

/* picture [N,R,R,3] in [-1,1], label [N,classes] (one-hot) or CHL_NONE -> logits [N,1]. With a group of G
 * samples, number i belongs to group i modulo N / G. */
chl_tensor chl_discriminator(chl_net *net, const chl_discriminator_config *config,
                             chl_tensor picture, chl_tensor label);

/* Sizes of an untrained network; a map of r x r has min(channel_base / r, channel_max) channels. */
typedef struct chl_discriminator_shape {
    int resolution, channel_base, channel_max;
    int classes, mapping_layers; /* 0: none */
} chl_discriminator_shape;
/* CHL_ERR_ARGUMENT with the first size outside its range. */
chl_status chl_discriminator_check(const chl_discriminator_shape *shape);
/* Adds the arrays of a network as upstream begins to train it, all names behind `prefix`. */
chl_status chl_discriminator_add_random(const chl_discriminator_shape *shape, const char *prefix,
                                        uint64_t seed, chl_params *params);
#endif
