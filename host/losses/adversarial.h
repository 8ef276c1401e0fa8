/* Losses of adversarial training, as StyleGAN2's [Karras et al. 2020]: each in one place.
 *
 *     generator        mean softplus(-D(G(z)))
 *     discriminator    mean softplus(D(G(z))) + mean softplus(-D(x)), x of the training set
 *     R1               gamma/2 mean |dD(x)/dx|^2                              [Mescheder et al. 2018]
 *     path length      mean (|J^T y| - a)^2, J = dG/dw+, y normal / sqrt(pixels), a its running mean
 *
 * The last two are losses of gradients. Build them in the segment in which the network runs whose
 * gradient they take (chl_grad_in_segment). */
#ifndef CHL_LOSSES_ADVERSARIAL_H
#define CHL_LOSSES_ADVERSARIAL_H
#include "graph/graph.h"

/* logits [N,1], sign 1 or -1: mean softplus(sign * logits), [1] */
chl_tensor chl_softplus_loss(chl_graph *g, chl_tensor logits, float sign);
/* logits [N,1] of `pictures` [N,...], a tensor of its own: mean_n |d sum(logits) / d pictures[n]|^2, [1] */
chl_tensor chl_gradient_penalty(chl_graph *g, chl_tensor logits, chl_tensor pictures);
/* `pictures` [N,H,W,3] painted from codes [N,rows,W], a tensor of its own; `pattern`, of pictures' shape,
 * of independent normals: |d <pictures, pattern / sqrt(H W)> / d code|, the root mean square over the
 * rows, [N] */
chl_tensor chl_path_lengths(chl_graph *g, chl_tensor pictures, chl_tensor codes,
                            chl_tensor pattern);
/* mean (lengths - a)^2, [1]; a = decay * average + (1 - decay) * mean(lengths) over all ranks, which has a
 * gradient. *mean is that mean [1], for the update of `average`, a trainable tensor [1]. */
chl_tensor chl_path_penalty(chl_graph *g, chl_tensor lengths, chl_tensor average, float decay,
                            chl_tensor *mean);
#endif
