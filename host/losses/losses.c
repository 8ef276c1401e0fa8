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

chl_tensor chl_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor log_scale) {
    const float max_log_scale = logf(100);
    chl_tensor forward = chl_scale_by(g, chl_linear(g, x, y, CHL_NONE), log_scale, max_log_scale);
    chl_tensor backward = chl_scale_by(g, chl_linear(g, y, x, CHL_NONE), log_scale, max_log_scale);
    return chl_add(g, chl_cross_entropy(g, forward, 0), chl_cross_entropy(g, backward, 0));
}

/* With it softmax(SHARP * same) is uniform over a row's ones: a zero's share is exp(-30). */
#define SHARP 30.0f

/* The target t_i = softmax(SHARP same_i) does not depend on a weight, and
 *     KL(t_i || softmax(s_i)) = -sum_j t_ij log softmax(s_i)_j - H(t_i),
 * so up to the constant H(t_i), the minimum of cross-entropy with such a target, this is
 * cross-entropy with a soft target. */
chl_tensor chl_soft_contrastive_loss(chl_graph *g, chl_tensor x, chl_tensor y, chl_tensor same,
                                     chl_tensor log_scale) {
    const float max_log_scale = logf(100);
    chl_tensor target = chl_scale(g, same, SHARP);
    chl_tensor forward = chl_scale_by(g, chl_linear(g, x, y, CHL_NONE), log_scale, max_log_scale);
    chl_tensor backward = chl_scale_by(g, chl_linear(g, y, x, CHL_NONE), log_scale, max_log_scale);
    return chl_add(g, chl_kl_divergence(g, target, forward, 1),
                   chl_kl_divergence(g, target, backward, 1));
}

chl_tensor chl_weak_pair_loss(chl_graph *g, chl_tensor text, chl_tensor sound, chl_tensor pictures,
                              float tau) {
    return chl_kl_divergence(g, chl_linear(g, text, pictures, CHL_NONE),
                             chl_linear(g, sound, pictures, CHL_NONE), tau);
}
