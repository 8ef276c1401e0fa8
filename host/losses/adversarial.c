#include "losses/adversarial.h"
#include "graph/build.h"
#include "graph/ops/compose.h"
#include <math.h>

/* The softmax of this and 0 is 1 and 0 in float32. */
#define CERTAIN 30.0f
/* Below the squared length of any gradient that is not 0, so that the root of 0 has a gradient. */
#define ROOT_EPS 1e-20f

/* softplus(t) = -log softmax([t, 0])[1] = KL([0, 1] || softmax([t, 0])) */
chl_tensor chl_softplus_loss(chl_graph *g, chl_tensor logits, float sign) {
    if (logits == CHL_NONE) return CHL_NONE;
    const int n = (int)chl_desc_of(g, logits)->dim[0];
    const chl_tensor column =
        chl_constant(g, "softplus.column", chl_f32(2, 2, 1), (const float[]){sign, 0});
    const chl_tensor second =
        chl_constant(g, "softplus.class", chl_f32(1, 2), (const float[]){0, CERTAIN});
    const chl_tensor pairs = chl_linear(g, logits, column, CHL_NONE);
    return chl_kl_divergence(g, chl_repeat(g, second, n), pairs, 1);
}

/* [N,...] -> [N]: the sum of a row's squares */
static chl_tensor squares(chl_graph *g, chl_tensor x) {
    const chl_desc desc = *chl_desc_of(g, x);
    x = chl_reshape(g, x, chl_f32(2, desc.dim[0], chl_count(&desc) / desc.dim[0]));
    return chl_row_dot(g, x, x);
}

/* of the sum of all numbers of y with respect to x */
static chl_tensor gradient_of_sum(chl_graph *g, chl_tensor y, chl_tensor x) {
    chl_tensor dx = CHL_NONE;
    if (y == CHL_NONE || x == CHL_NONE) return CHL_NONE;
    const float count = (float)chl_count(chl_desc_of(g, y));
    chl_grad_in_segment(g, chl_scale(g, chl_mean(g, y), count), 1, &x, &dx);
    if (dx == CHL_NONE && chl_graph_status(g) == CHL_OK)
        return chl_graph_fail(g, CHL_ERR_ARGUMENT,
                              "a loss of a gradient: what is differentiated does not depend on it");
    return dx;
}

chl_tensor chl_gradient_penalty(chl_graph *g, chl_tensor logits, chl_tensor pictures) {
    const chl_tensor dx = gradient_of_sum(g, logits, pictures);
    return dx == CHL_NONE ? CHL_NONE : chl_mean(g, squares(g, dx));
}

chl_tensor chl_path_lengths(chl_graph *g, chl_tensor pictures, chl_tensor codes,
                            chl_tensor pattern) {
    if (pictures == CHL_NONE || codes == CHL_NONE || pattern == CHL_NONE) return CHL_NONE;
    const chl_desc p = *chl_desc_of(g, pictures), c = *chl_desc_of(g, codes);
    const float scale = 1 / sqrtf((float)(p.dim[1] * p.dim[2]));
    const chl_tensor dw =
        gradient_of_sum(g, chl_mul(g, pictures, chl_scale(g, pattern, scale)), codes);
    if (dw == CHL_NONE) return CHL_NONE;
    const chl_tensor v = chl_scale(g, squares(g, dw), 1 / (float)c.dim[1]);
    return chl_mul(g, v, chl_inverse_root(g, v, ROOT_EPS));
}

chl_tensor chl_path_penalty(chl_graph *g, chl_tensor lengths, chl_tensor average, float decay,
                            chl_tensor *mean) {
    *mean = CHL_NONE;
    if (lengths == CHL_NONE || average == CHL_NONE) return CHL_NONE;
    const chl_desc desc = *chl_desc_of(g, lengths);
    const float share = 1 / (float)chl_ranks_of(g);
    *mean = chl_all_reduce(g, chl_scale(g, chl_mean(g, lengths), share));
    const chl_tensor terms[] = {average, *mean};
    const chl_tensor wanted = chl_sum(g, 0, 2, (const float[]){decay, 1 - decay}, terms);
    const chl_tensor ends[] = {lengths, chl_spread(g, wanted, desc)};
    const chl_tensor apart = chl_sum(g, 0, 2, (const float[]){1, -1}, ends);
    return chl_mean(g, chl_mul(g, apart, apart));
}
