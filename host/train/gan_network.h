/* The generator that an adversarial training trains: StyleGAN2, or StyleGAN3 in its configurations T and R.
 *
 *     chl_gan_network own;
 *     CHL_TRY(chl_gan_network_new(t->options, &own, &critic_shape, &t->params));
 *     w = chl_gan_map(net, &own, z, label);
 *     picture = chl_gan_synthesize(net, &own, chl_gan_rows(g, &own, w), noise, NULL); */
#ifndef CHL_TRAIN_GAN_NETWORK_H
#define CHL_TRAIN_GAN_NETWORK_H
#include "nets/discriminator.h"
#include "nets/stylegan2.h"
#include "nets/stylegan3.h"
#include "train/trainer.h"

enum { CHL_GAN_NOISES = 2 * CHL_STYLEGAN2_BLOCKS };

typedef struct chl_gan_network {
    bool third;               /* StyleGAN3 */
    chl_stylegan2_config two; /* or */
    chl_stylegan3_config three;
    int resolution, rows, z_dim, w_dim;
    int noises; /* maps of noise, of StyleGAN2 */
    int noise_side[CHL_GAN_NOISES];
    float centre_decay; /* of the mean of w */
} chl_gan_network;

/* An untrained network of options->network, resolution, sizes and seed, and the discriminator that fits
 * it. CHL_ERR_ARGUMENT for sizes that cannot be. */
chl_status chl_gan_network_new(const chl_train_options *options, chl_gan_network *out,
                               chl_discriminator_shape *critic, chl_params **params);
/* z [n,Z] and label [n,classes], or CHL_NONE -> w [n,W] */
chl_tensor chl_gan_map(chl_net *net, const chl_gan_network *network, chl_tensor z,
                       chl_tensor label);
/* w [n,W] -> codes [n,rows,W], all rows of which are w */
chl_tensor chl_gan_rows(chl_graph *g, const chl_gan_network *network, chl_tensor w);
/* codes [n,rows,W] -> pictures [n,R,R,3]. noise[noises] [n,side,side], of StyleGAN2; NULL: the stored
 * maps. magnitudes: of StyleGAN3; NULL: the stored numbers. */
chl_tensor chl_gan_synthesize(chl_net *net, const chl_gan_network *network, chl_tensor codes,
                              const chl_tensor *noise, chl_stylegan3_magnitudes *magnitudes);
#endif
