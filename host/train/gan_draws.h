/* What a step of adversarial training draws for the generator: codes, their mixing, noise maps.
 *
 *     chl_gan_draws own;
 *     chl_gan_draws_build(t, &config, 0, n, mixing, &own);           its inputs
 *     pictures = chl_gan_paint(t, net, &config, &own, decay, &codes);
 *     CHL_TRY(chl_gan_draws_feed(t, &own, index, place));            in feed
 *
 * All numbers are a function of seed, phase, step and the place of the sample in the batch. */
#ifndef CHL_TRAIN_GAN_DRAWS_H
#define CHL_TRAIN_GAN_DRAWS_H
#include "nets/stylegan2.h"
#include "train/trainer.h"

typedef struct chl_gan_draws {
    uint32_t purpose;
    int n, rows, side;  /* of this rank; of W+; of a picture */
    int z_dim, classes; /* 0: none */
    float mixing;
    chl_tensor z, other, mix; /* [n,Z] each; which rows are the other's [n,rows] */
    chl_tensor noise[2 * CHL_STYLEGAN2_BLOCKS]; /* [n,r,r] */
    chl_tensor label;                           /* [n,classes], one-hot, of random samples */
    chl_tensor pattern;                         /* [n,side,side,3]; CHL_NONE: there is none */
    float *buffer;                              /* of the largest of them */
} chl_gan_draws;

/* The place in the whole batch of this rank's sample `i`, for t->own. */
typedef int64_t chl_gan_place(const chl_trainer *t, int i);

/* out[n][count]: normals of this rank's samples, each a function of seed, purpose, index and place. */
void chl_gan_normals(const chl_trainer *t, int n, uint32_t purpose, int64_t index, int64_t count,
                     chl_gan_place *place, float *out);

/* Makes the inputs; `phase` separates the draws of phases. */
void chl_gan_draws_build(chl_trainer *t, const chl_stylegan2_config *config, int classes,
                         uint32_t phase, int n, bool pattern, chl_gan_draws *out);
/* z [n,Z] and label [n,classes], or CHL_NONE -> w [n,W] */
chl_tensor chl_gan_map(chl_net *net, const chl_stylegan2_config *config, chl_tensor z,
                       chl_tensor label);
/* pictures [n,side,side,3]; *codes [n,rows,W]. The mean of w follows with its own decay. */
chl_tensor chl_gan_paint(chl_trainer *t, chl_net *net, const chl_stylegan2_config *config,
                         const chl_gan_draws *draws, chl_tensor *codes);
chl_status chl_gan_draws_feed(chl_trainer *t, const chl_gan_draws *draws, int64_t index,
                              chl_gan_place *place);
#endif
