/* The blur of what a discriminator sees at the start of a training, as StyleGAN3-R's: else the generator
 * learns details, which its filters cannot turn, before shapes.
 *
 *     chl_gan_blur own;
 *     CHL_TRY(chl_gan_blur_build(t, &own));                          its input
 *     logits = D(chl_gan_blur_nodes(t->graph, &own, pictures));      differentiable, twice too
 *     CHL_TRY(chl_gan_blur_feed(t, &own, index));                    in feed
 *
 * The filter is 2^-(x / sigma)^2 of sum 1 on both axes, cut off at 3 sigma, with zeros around the picture.
 * sigma falls linearly from options->blur_sigma to 0 over the first blur_kimg thousand pictures. */
#ifndef CHL_TRAIN_GAN_BLUR_H
#define CHL_TRAIN_GAN_BLUR_H
#include "train/trainer.h"

typedef struct chl_gan_blur {
    int reach; /* taps on each side of the middle; 0: there is no blur */
    double sigma, pictures;
    chl_tensor filter; /* [2 reach + 1] */
    float *taps;
} chl_gan_blur;

/* CHL_ERR_MEMORY tells chl_trainer_memory_status. */
void chl_gan_blur_build(chl_trainer *t, chl_gan_blur *out);
/* pictures [n,side,side,3] -> the same shape */
chl_tensor chl_gan_blur_nodes(chl_graph *g, const chl_gan_blur *blur, chl_tensor pictures);
chl_status chl_gan_blur_feed(chl_trainer *t, const chl_gan_blur *blur, int64_t index);
#endif
