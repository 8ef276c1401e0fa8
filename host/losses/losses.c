#include "losses/losses.h"
#include <math.h>

chl_tensor chl_cosine_loss(chl_graph *g, chl_tensor e, chl_tensor target) {
    chl_tensor cosine = chl_row_dot(g, e, target);
    return chl_sum(g, 1, 1, (const float[]){-1}, &cosine);
}

chl_tensor chl_hinge_loss(chl_graph *g, chl_tensor e, chl_tensor target, chl_tensor source,
                          float margin) {
    const chl_tensor cosine[] = {chl_row_dot(g, e, target), chl_row_dot(g, e, source)};
    chl_tensor gap = chl_sum(g, margin, 2, (const float[]){-1, 1}, cosine);
    return chl_activate(g, gap, CHL_LEAKY_RELU, 0);
}

/* The first step starts at e = source, where the direction is undefined and its gradient unbounded:
 * a difference shorter than this is divided by this instead of its length. */
#define MIN_DIRECTION 1e-2f

static chl_tensor direction(chl_graph *g, chl_tensor to, chl_tensor from) {
    const chl_tensor ends[] = {to, from};
    return chl_row_norm(g, chl_sum(g, 0, 2, (const float[]){1, -1}, ends), CHL_NORM_L2,
                        MIN_DIRECTION);
}

chl_tensor chl_directional_loss(chl_graph *g, chl_tensor e, chl_tensor target, chl_tensor source,
                                chl_tensor neutral) {
    return chl_cosine_loss(g, direction(g, e, source), direction(g, target, neutral));
}

chl_shared_rows chl_share_rows(chl_graph *g, chl_tensor own) {
    return (chl_shared_rows){own, chl_all_gather(g, own)};
}

/* <own row i of x, row j of all ranks' y> / tau */
static chl_tensor similarity(chl_graph *g, chl_shared_rows x, chl_shared_rows y,
                             chl_tensor log_scale) {
    const float max_log_scale = logf(100);
    return chl_scale_by(g, chl_linear(g, x.own, y.all, CHL_NONE), log_scale, max_log_scale);
}

static chl_tensor masked(chl_graph *g, chl_tensor logits, chl_tensor mask) {
    return mask == CHL_NONE ? logits : chl_add(g, logits, mask);
}

chl_tensor chl_masked_contrastive_loss(chl_graph *g, chl_shared_rows x, chl_shared_rows y,
                                       chl_tensor log_scale, chl_tensor mask) {
    if (x.own == CHL_NONE || y.own == CHL_NONE) return CHL_NONE;
    const int before = chl_rank_of(g) * (int)chl_desc_of(g, x.own)->dim[0]; /* lower ranks' rows */
    const chl_tensor forward = masked(g, similarity(g, x, y, log_scale), mask);
    const chl_tensor backward = masked(g, similarity(g, y, x, log_scale), mask);
    return chl_add(g, chl_cross_entropy(g, forward, before),
                   chl_cross_entropy(g, backward, before));
}

chl_tensor chl_shared_contrastive_loss(chl_graph *g, chl_shared_rows x, chl_shared_rows y,
                                       chl_tensor log_scale) {
    return chl_masked_contrastive_loss(g, x, y, log_scale, CHL_NONE);
}

chl_tensor chl_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor log_scale) {
    return chl_shared_contrastive_loss(g, chl_share_rows(g, x), chl_share_rows(g, y), log_scale);
}

/* With it softmax(SHARP * same) is uniform over a row's ones: a zero's share is exp(-30). */
#define SHARP 30.0f

/* The target t_i = softmax(SHARP same_i) does not depend on a weight, and
 *     KL(t_i || softmax(s_i)) = -sum_j t_ij log softmax(s_i)_j - H(t_i),
 * so up to the constant H(t_i), the minimum of cross-entropy with such a target, this is
 * cross-entropy with a soft target. */
chl_tensor chl_soft_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor same,
                                     chl_tensor log_scale) {
    const chl_shared_rows all_x = chl_share_rows(g, x), all_y = chl_share_rows(g, y);
    chl_tensor target = chl_scale(g, same, SHARP);
    chl_tensor forward = similarity(g, all_x, all_y, log_scale);
    chl_tensor backward = similarity(g, all_y, all_x, log_scale);
    return chl_add(g, chl_kl_divergence(g, target, forward, 1),
                   chl_kl_divergence(g, target, backward, 1));
}

chl_tensor chl_masked_weak_pair_loss(chl_graph *g, chl_tensor text, chl_tensor sound,
                                     chl_tensor pictures, float tau, chl_tensor mask) {
    const chl_tensor all = chl_all_gather(g, pictures);
    return chl_kl_divergence(g, masked(g, chl_linear(g, text, all, CHL_NONE), mask),
                             masked(g, chl_linear(g, sound, all, CHL_NONE), mask), tau);
}

chl_tensor chl_weak_pair_loss(chl_graph *g, chl_tensor text, chl_tensor sound, chl_tensor pictures,
                              float tau) {
    return chl_masked_weak_pair_loss(g, text, sound, pictures, tau, CHL_NONE);
}
