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

/* The first step starts at e = source, where a direction does not exist and its gradient would be
 * unbounded: differences shorter than this are scaled by a constant instead of their length. */
#define SHORTEST_DIRECTION 1e-2f

static chl_tensor direction(chl_graph *g, chl_tensor to, chl_tensor from) {
    const chl_tensor ends[] = {to, from};
    return chl_row_norm(g, chl_sum(g, 0, 2, (const float[]){1, -1}, ends), CHL_NORM_L2,
                        SHORTEST_DIRECTION);
}

chl_tensor chl_directional_loss(chl_graph *g, chl_tensor e, chl_tensor target, chl_tensor source,
                                chl_tensor neutral) {
    return chl_cosine_loss(g, direction(g, e, source), direction(g, target, neutral));
}

chl_tensor chl_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor log_scale) {
    const float most = logf(100);
    chl_tensor forward = chl_scale_by(g, chl_linear(g, x, y, CHL_NONE), log_scale, most);
    chl_tensor backward = chl_scale_by(g, chl_linear(g, y, x, CHL_NONE), log_scale, most);
    return chl_add(g, chl_cross_entropy(g, forward, 0), chl_cross_entropy(g, backward, 0));
}

/* Makes softmax(SHARP * same) the even spread over a row's ones: what a zero keeps is exp(-30). */
#define SHARP 30.0f

/* The target t_i = softmax(SHARP same_i) does not depend on a weight, and
 *     KL(t_i || softmax(s_i)) = -sum_j t_ij log softmax(s_i)_j - H(t_i),
 * so up to the constant H(t_i), the least that cross-entropy with such a target can be, this is
 * cross-entropy with a soft target. */
chl_tensor chl_soft_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor same,
                                     chl_tensor log_scale) {
    const float most = logf(100);
    chl_tensor target = chl_scale(g, same, SHARP);
    chl_tensor forward = chl_scale_by(g, chl_linear(g, x, y, CHL_NONE), log_scale, most);
    chl_tensor backward = chl_scale_by(g, chl_linear(g, y, x, CHL_NONE), log_scale, most);
    return chl_add(g, chl_kl_divergence(g, target, forward, 1),
                   chl_kl_divergence(g, target, backward, 1));
}

chl_tensor chl_weak_pair_loss(chl_graph *g, chl_tensor text, chl_tensor sound, chl_tensor pictures,
                              float tau) {
    return chl_kl_divergence(g, chl_linear(g, text, pictures, CHL_NONE),
                             chl_linear(g, sound, pictures, CHL_NONE), tau);
}
