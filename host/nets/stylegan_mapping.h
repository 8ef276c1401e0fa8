/* The mapping network z -> w, which StyleGAN2 and StyleGAN3 share, and codes made of w.
 *
 * Weights have the names of NVIDIA's PyTorch projects: mapping.fc0.weight, ..., mapping.w_avg. */
#ifndef CHL_NETS_STYLEGAN_MAPPING_H
#define CHL_NETS_STYLEGAN_MAPPING_H
#include "nets/net.h"

/* Of every published configuration: the multiplier of the learning rate, part of the run-time scale
 * of the mapping's weights and biases. */
#define CHL_STYLEGAN_MAPPING_RATE 0.01f

/* Reads the sizes of the mapping network off the shapes, 0 where there is none, and marks its arrays
 * used. It must end in w_dim numbers, as must the average w, which has 1 or `rows` rows. */
chl_status chl_stylegan_import_mapping(chl_params *params, int w_dim, int rows, int *z_dim,
                                       int *layers);
/* Before that: makes a generator with classes an ordinary one of class `label` (from 0), by adding
 * the label's part of the mapping's first layer to its bias. Of the average w the label's row is
 * kept; an average over all classes is dropped. label -1: none is chosen.
 * CHL_ERR_ARGUMENT when a class is chosen and there are none, or one is needed, or it is too large;
 * the text has the number of classes. */
chl_status chl_stylegan_choose_class(chl_params *params, int label);

/* z [N,Z] -> w [N,W] */
chl_tensor chl_stylegan_map(chl_net *net, int layers, float rate, chl_tensor z);

/* w [N,W] -> codes [N,rows,W], all rows of which are w */
chl_tensor chl_stylegan_rows(chl_graph *g, int rows, chl_tensor w);

/* Whether `codes`, called `what` in the graph's error, are [N,rows,W] of a generator of this size. */
bool chl_stylegan_takes(chl_net *net, const char *what, int resolution, int rows, int w_dim,
                        chl_tensor codes);
/* label [N,classes], one-hot -> [N,features], with mapping.embed.weight [features,classes] */
chl_tensor chl_stylegan_embed(chl_net *net, chl_tensor label);
/* The same of a network with classes, whose first layer takes both. */
chl_tensor chl_stylegan_map_class(chl_net *net, int layers, float rate, chl_tensor z,
                                  chl_tensor label);
/* An untrained mapping of z [N,Z] with one more input, a class: adds the embedding, of w_dim features, and
 * makes the first layer wider. */
chl_status chl_stylegan_add_classes(chl_params *params, int z_dim, int w_dim, int classes,
                                    uint64_t seed);

/* The checkpoint's average w, the centre of truncation: [*rows, W]. NULL when it has none. */
const float *chl_stylegan_average(const chl_params *params, int w_dim, int *rows);
/* Codes from w [n,W]: rows below `cutoff` (all when cutoff is 0) become average + psi (w - average),
 * the others w. `average` may be NULL when psi is 1. codes [n, rows, W]. */
chl_status chl_stylegan_truncate(int rows, int w_dim, int64_t n, const float *w,
                                 const float *average, int average_rows, float psi, int cutoff,
                                 float *codes);

/* Whether an argument stored with a module (base/facts.h) is without effect on a finished network of
 * either kind: a size, which arrays and names tell, or one of storage, precision and training. */
bool chl_stylegan_ignores(const char *argument);
#endif
