/* The losses that training and editing minimise: the paper's equations, each defined in one place
 * (docs/method.md). Every one is built of graph ops, so its gradient comes from the graph. */
#ifndef CHL_LOSSES_H
#define CHL_LOSSES_H
#include "graph/build.h"

/* --- editing: e, target, source, neutral [N,D], rows of unit length -> [N] -------------------- */
/* 1 - <e, target>, as in the authors' code */
chl_tensor chl_cosine_loss(chl_graph *g, chl_tensor e, chl_tensor target);
/* max(0, margin + (1 - <e,target>) - (1 - <e,source>)), Eq. 15 */
chl_tensor chl_hinge_loss(chl_graph *g, chl_tensor e, chl_tensor target, chl_tensor source,
                          float margin);
/* 1 - cos(e - source, target - neutral) */
chl_tensor chl_directional_loss(chl_graph *g, chl_tensor e, chl_tensor target, chl_tensor source,
                                chl_tensor neutral);

/* --- a batch that several ranks share ---------------------------------------------------------
 * `own` are this rank's rows, `all` those of all ranks, in the order of the ranks: the rows of the
 * joined batch. Both are one tensor where there is one rank. The losses below compare own rows with
 * all, and are means over the own rows: the mean of these over the ranks is the loss of the joined
 * batch, and its gradient is the gradient of that (build.h: between ranks). */
typedef struct chl_shared_rows {
    chl_tensor own, all;
} chl_shared_rows;
chl_shared_rows chl_share_rows(chl_graph *g, chl_tensor own);

/* --- training: x, y [N,D] rows of unit length, log_scale [1] = ln(1/tau) -> [1] --------------- */
/* nce(x->y) + nce(y->x), Eq. 1-8: row i of x and row i of y are the positive pair, all other rows
 * of the batch negatives. The scale is clamped to 100, as in CLIP. */
chl_tensor chl_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor log_scale);
chl_tensor chl_shared_contrastive_loss(chl_graph *g, chl_shared_rows x, chl_shared_rows y,
                                       chl_tensor log_scale);
/* The same where some pairs are left out: mask [N, ranks*N] is added to the similarities of own rows
 * with all, in both directions; CHL_NONE: all pairs count. 0 for a pair that counts, CHL_LEFT_OUT
 * for one that does not; the diagonal is 0. A row whose only 0 is there adds nothing to the loss, and
 * has no gradient. */
#define CHL_LEFT_OUT (-1e4f)
chl_tensor chl_masked_contrastive_loss(chl_graph *g, chl_shared_rows x, chl_shared_rows y,
                                       chl_tensor log_scale, chl_tensor mask);
/* The same where several rows of y match a row of x: same [N,N], symmetric, is 1 where row i and
 * column j mean the same, else 0; of several ranks its rows are this rank's [N, ranks*N]. A row's
 * target is uniform over its ones. With ones on the
 * diagonal only it equals chl_contrastive_loss. */
chl_tensor chl_soft_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor same,
                                     chl_tensor log_scale);
/* mean_i KL(softmax_j(<t_i,v_j>/tau) || softmax_j(<a_i,v_j>/tau)), Eq. 9-12, with t = text, a =
 * sound and v = pictures [N,D]: over pictures of other videos with the same label, the sound's
 * similarities should equal the text's. Gradient into `sound` only. */
chl_tensor chl_weak_pair_loss(chl_graph *g, chl_tensor text, chl_tensor sound, chl_tensor pictures,
                              float tau);
/* The same with a mask as above: a row without a picture is alone with itself, which is the same
 * distribution for both. */
chl_tensor chl_masked_weak_pair_loss(chl_graph *g, chl_tensor text, chl_tensor sound,
                                     chl_tensor pictures, float tau, chl_tensor mask);
#endif
