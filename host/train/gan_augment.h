/* Augmentations of what a discriminator sees, real and painted alike [Karras et al. 2020a, Appendix B],
 * as stylegan2-ada-pytorch's pipes of these names: each transformation is drawn for a sample with a
 * probability of its own times p, so that a generator need not paint what they do.
 *
 *     chl_gan_pipe pipe;
 *     CHL_TRY(chl_gan_pipe_find("bgc", &pipe));
 *     chl_gan_augment own;
 *     chl_gan_augment_build(t, &pipe, side, n, &own);              its inputs
 *     logits = D(chl_gan_augment_nodes(t->graph, &own, pictures));   differentiable, twice too
 *     CHL_TRY(chl_gan_augment_feed(t, &own, p, purpose, index, place));
 *
 * In this order: geometry, colours, gains of octaves, noise, a square cut out.
 *
 * Flips, rotations, scales and translations are one affine map; the picture, continued by reflection up to
 * its own size, is doubled, sampled and halved with the filters of the wavelet sym6. Colours are one affine
 * map too. */
#ifndef CHL_TRAIN_GAN_AUGMENT_H
#define CHL_TRAIN_GAN_AUGMENT_H
#include "train/gan_draws.h"

/* Probabilities as multiples of p. */
typedef struct chl_gan_pipe {
    float xflip, rotate90, xint;                           /* pixel blitting */
    float scale, rotate, aniso, xfrac;                     /* general geometry */
    float brightness, contrast, lumaflip, hue, saturation; /* colours */
    float filter, noise, cutout;                           /* of the picture, and corruptions */
} chl_gan_pipe;
/* "none", "blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc";
 * CHL_ERR_ARGUMENT with the list for another. */
chl_status chl_gan_pipe_find(const char *name, chl_gan_pipe *out);

/* geometry [3][3]: from pixels of the result, (x, y, 1) with the origin in the centre, to those of the
 * picture; colour [3][4] of (r, g, b, 1). A function of the four numbers of chl_random. */
typedef struct chl_gan_transform {
    double geometry[9], colour[12];
    double band[4]; /* gains of four octaves of frequencies, of mean power 1 for a usual picture */
    double noise;   /* deviation */
    double cut[3]; /* a square without a picture: side, x and y of its centre; shares of the side */
} chl_gan_transform;
void chl_gan_transform_draw(const chl_gan_pipe *pipe, float p, int side, uint64_t seed,
                            uint32_t purpose, uint64_t step, uint64_t place,
                            chl_gan_transform *out);

/* The filters of the four octaves, [4][CHL_GAN_BAND]; each is its own mirror image. */
enum { CHL_GAN_BANDS = 4, CHL_GAN_BAND = 43 };
void chl_gan_filter_bank(float bank[CHL_GAN_BANDS][CHL_GAN_BAND]);
/* `pictures` filtered with sum_i gain[i] bank[i] on both axes, continued by reflection; weight[10] [n] of
 * what chl_gan_band_weights makes of the gains. side >= 22. */
enum { CHL_GAN_WEIGHTS = CHL_GAN_BANDS * (CHL_GAN_BANDS + 1) / 2 };
chl_tensor chl_gan_filter(chl_graph *g, chl_tensor pictures,
                          const chl_tensor weight[CHL_GAN_WEIGHTS]);
void chl_gan_band_weights(const double gain[CHL_GAN_BANDS], double weight[CHL_GAN_WEIGHTS]);
/* Rows of pixels, continued by reflection by `margin` on each side: [n,side,side,3] -> [n,w,w,3]. */
chl_tensor chl_gan_reflect(chl_graph *g, chl_tensor pictures, int margin);

typedef struct chl_gan_augment {
    chl_gan_pipe pipe;
    bool geometry, colour, filter, noise, cutout; /* what the pipe has */
    int n, side;
    chl_tensor taps[4], share[4]; /* pixels that are sampled [n,T] int32, and their weights [n T] */
    chl_tensor factor[3], shift;  /* of colours [n,3] */
    chl_tensor band[CHL_GAN_WEIGHTS], grain, mask; /* [n]; [n,side,side,3] each */
    float *bands, *grains, *masks;
    int32_t *tap_numbers;           /* [4][n T] */
    float *share_numbers, *colours; /* [4][n T], [4][n][3] */
    chl_gan_transform *transform;   /* [n] */
} chl_gan_augment;
void chl_gan_augment_build(chl_trainer *t, const chl_gan_pipe *pipe, int side, int n,
                           chl_gan_augment *out);
/* pictures [n,side,side,3] -> the same shape */
chl_tensor chl_gan_augment_nodes(chl_graph *g, const chl_gan_augment *augment, chl_tensor pictures);
/* From transforms [n], for the graph's inputs: fills the numbers above; normals [n][side^2 3] are the noise,
 * which is scaled there. */
void chl_gan_augment_numbers(const chl_gan_augment *augment, const chl_gan_transform *transform);
/* All inputs from the numbers, by `write`: chl_trainer_write, or a test's. */
typedef chl_status chl_gan_write(chl_trainer *t, chl_tensor input, const void *data);
chl_status chl_gan_augment_write(chl_trainer *t, const chl_gan_augment *augment,
                                 chl_gan_write *write);
chl_status chl_gan_augment_feed(chl_trainer *t, const chl_gan_augment *augment, float p,
                                uint32_t purpose, int64_t index, chl_gan_place *place);
#endif
