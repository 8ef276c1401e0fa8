/* What a step of adversarial training draws for the generator: codes, their mixing, noise maps.
 *
 *     chl_gan_draws own;
 *     chl_gan_draws_build(t, &network, classes, phase, n, false, &own);           its inputs
 *     pictures = chl_gan_paint(t, net, &network, &own, &follow, &codes);
 *     CHL_TRY(chl_gan_draws_feed(t, &own, index, place));            in feed
 *
 * All numbers are a function of seed, phase, step and the place of the sample in the batch. */
#ifndef CHL_TRAIN_GAN_DRAWS_H
#define CHL_TRAIN_GAN_DRAWS_H
#include "train/gan_network.h"

typedef struct chl_gan_draws {
    uint32_t purpose;
    int n, rows, side;  /* of this rank; of W+; of a picture */
    int z_dim, classes; /* 0: none */
    int noises;
    float mixing;
    chl_tensor z, other, mix;         /* [n,Z] each; which rows are the other's [n,rows] */
    chl_tensor noise[CHL_GAN_NOISES]; /* [n,r,r] */
    chl_tensor label;                 /* [n,classes], one-hot, of random samples */
    chl_tensor pattern;               /* [n,side,side,3]; CHL_NONE: there is none */
    float *buffer;                    /* of the largest of them */
} chl_gan_draws;

/* The place in the whole batch of this rank's sample `i`, for t->own. */
typedef int64_t chl_gan_place(const chl_trainer *t, int i);

/* out[n][count]: normals of this rank's samples, each a function of seed, purpose, index and place. */
void chl_gan_normals(const chl_trainer *t, int n, uint32_t purpose, int64_t index, int64_t count,
                     chl_gan_place *place, float *out);

/* Makes the inputs; `phase` separates the draws of phases. */
void chl_gan_draws_build(chl_trainer *t, const chl_gan_network *network, int classes,
                         uint32_t phase, int n, bool pattern, chl_gan_draws *out);
/* What a painting does to the network's states, tensors of a net of their own; `states` NULL: nothing. */
typedef struct chl_gan_follow {
    chl_net *states;
    bool centre;                          /* the mean of w follows, with its own decay */
    chl_stylegan3_magnitudes *magnitudes; /* of StyleGAN3 */
} chl_gan_follow;
/* pictures [n,side,side,3]; *codes [n,rows,W] */
chl_tensor chl_gan_paint(chl_trainer *t, chl_net *net, const chl_gan_network *network,
                         const chl_gan_draws *draws, const chl_gan_follow *follow,
                         chl_tensor *codes);
chl_status chl_gan_draws_feed(chl_trainer *t, const chl_gan_draws *draws, int64_t index,
                              chl_gan_place *place);
#endif
