/* StyleGAN2's generator [Karras et al. 2020]: mapping z -> w, synthesis W+ -> picture.
 *
 * The synthesis starts from a learned 4 x 4 map. Each block doubles it (but the first) with one
 * modulated convolution, refines it with another, and adds colours (ToRGB) to the picture so far,
 * upsampled. Every layer's style is an affine function of its own row of W+.
 *
 *     chl_stylegan2_config config;
 *     CHL_TRY(chl_stylegan2_import(params, &config));
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor picture = chl_stylegan2_synthesize(&net, &config, w_plus);
 *
 * Our names are those of stylegan2-ada-pytorch; weights stay as stored, the equalised learning rate
 * is a gain at run time. Limits: the skip architecture with three colours; of a network with
 * classes, one class at a time. */
#ifndef CHL_NETS_STYLEGAN2_H
#define CHL_NETS_STYLEGAN2_H
#include "nets/net.h"

#define CHL_STYLEGAN2_BLOCKS 9 /* 4 x 4 to 1024 x 1024 */

/* The project that trained the weights. They differ in what the demodulation's epsilon is added to:
 * the squares of the weights as stored (ada), or after multiplication by 1/sqrt(fan in)
 * (rosinality). */
typedef enum chl_stylegan2_flavour {
    CHL_STYLEGAN2_ADA,
    CHL_STYLEGAN2_ROSINALITY
} chl_stylegan2_flavour;

typedef struct chl_stylegan2_config {
    chl_stylegan2_flavour flavour;
    int resolution, blocks;             /* blocks = log2(resolution) - 1 */
    int channels[CHL_STYLEGAN2_BLOCKS]; /* of block 4 << b */
    int z_dim, w_dim, mapping_layers;   /* z_dim and mapping_layers are 0 without a mapping */
    int rows;                           /* of W+: 2 log2(resolution) - 2 */
    float conv_clamp;   /* 0: none. As the file states; else 256 for ada's names, none for others */
    bool noise;         /* add the stored noise maps */
    float mapping_rate; /* the mapping's learning-rate multiplier, part of its run-time scale */
} chl_stylegan2_config;

/* Recognises the project by the names, renames the arrays to ours, checks that the resampling
 * kernels are the ones the engine has, reads all sizes off the shapes, and obeys what else the file
 * states (base/facts.h). */
chl_status chl_stylegan2_import(chl_params *params, chl_stylegan2_config *config);
/* The last part of it: sets conv_clamp, noise and mapping_rate (0 where nothing is stated);
 * CHL_ERR_UNSUPPORTED for a setting that is unknown, or that the network here does not have. */
chl_status chl_stylegan2_obey_facts(chl_params *params, chl_stylegan2_config *config);

/* States the flavour where it is not that of our names, so that the arrays after an import, written to
 * a file, are imported as the same network. */
chl_status chl_stylegan2_state_flavour(chl_params *params, const chl_stylegan2_config *config);

/* z [N,Z] -> w [N,W] */
chl_tensor chl_stylegan2_map(chl_net *net, const chl_stylegan2_config *config, chl_tensor z);
/* w [N,W] -> w_plus [N, rows, W], all rows of which are w */
chl_tensor chl_stylegan2_rows(chl_graph *g, const chl_stylegan2_config *config, chl_tensor w);
/* w_plus [N, rows, W] -> picture [N,R,R,3], roughly in [-1,1], not clamped */
chl_tensor chl_stylegan2_synthesize(chl_net *net, const chl_stylegan2_config *config,
                                    chl_tensor w_plus);

/* The same with other noise maps than the stored ones: noise[row] [N,r,r] of the convolution that takes
 * this row of W+, rows 0 to config->rows - 2. NULL: the stored ones. */
chl_tensor chl_stylegan2_synthesize_noisy(chl_net *net, const chl_stylegan2_config *config,
                                          chl_tensor w_plus, const chl_tensor *noise);

/* Sizes of a random network; a block of r x r has min(channel_base / r, channel_max) channels. */
typedef struct chl_stylegan2_shape {
    int resolution, channel_base, channel_max;
    int z_dim, w_dim, mapping_layers;
} chl_stylegan2_shape;
/* An untrained network under our names, whose pictures have the contrast of photographs. The same
 * seed gives the same numbers on every machine: tests/fixtures/make_stylegan2.py draws them too. */
chl_status chl_stylegan2_random(const chl_stylegan2_shape *shape, uint64_t seed, chl_params **out);
/* The same as upstream begins to train it: biases 0, of styles 1, noise without strength, the average of
 * w 0, all weights of deviation 1 times their run-time scale. */
chl_status chl_stylegan2_untrained(const chl_stylegan2_shape *shape, uint64_t seed,
                                   chl_params **out);
#endif
