/* Exponential running averages: of weights while they train, of batch statistics. */
#include "graph/build.h"
#include "graph/graph_private.h"
#include "graph/ops/expect.h"
#include <stdio.h>

static chl_status infer(chl_shapes *s) {
    CHL_EXPECT(chl_same_shape(&s->out[0], &s->in[0]),
               "the average does not have the shape of what is averaged");
    return CHL_OK;
}
const chl_rule chl_rule_ema = {.infer = infer};

void chl_ema(chl_graph *g, chl_tensor average, chl_tensor x, float decay, bool warm_up) {
    if (average == CHL_NONE || x == CHL_NONE || chl_graph_status(g) != CHL_OK) return;
    const char *name = chl_name_of(g, average);
    if (!name || !chl_is_trainable(g, average)) {
        chl_graph_fail(g, CHL_ERR_ARGUMENT, "ema: %s is not a trainable tensor, so nothing stays",
                       name ? name : "the average");
        return;
    }
    if (!(decay >= 0 && decay <= 1)) {
        chl_graph_fail(g, CHL_ERR_ARGUMENT, "ema of %s: the decay %g is not in [0, 1]", name,
                       (double)decay);
        return;
    }
    const chl_attributes attr = {.ema = {.decay = decay, .warm_up = warm_up}};
    chl_emit_update(g, CHL_OP_ema, &attr, 1, &x, 1, &average);
}

/* "<name>.average", which starts at the parameter's own initial value */
static chl_tensor companion(chl_graph *g, chl_tensor param) {
    if (param == CHL_NONE || chl_graph_status(g) != CHL_OK) return CHL_NONE;
    const char *name = chl_name_of(g, param);
    if (!name || !chl_is_trainable(g, param))
        return chl_graph_fail(g, CHL_ERR_ARGUMENT, "average: %s is not a trainable parameter",
                              name ? name : "a tensor");
    char own[512];
    if (snprintf(own, sizeof own, "%s.average", name) >= (int)sizeof own)
        return chl_graph_fail(g, CHL_ERR_ARGUMENT, "average: the name %s is too long", name);
    return chl_param(g, own, *chl_desc_of(g, param), chl_info(g, param)->init, CHL_TRAINABLE);
}

chl_tensor chl_average(chl_graph *g, chl_tensor param, float decay) {
    const chl_tensor average = companion(g, param);
    chl_ema(g, average, param, decay, true);
    return average;
}

chl_tensor chl_average_by(chl_graph *g, chl_tensor param, chl_tensor log_fresh) {
    const chl_tensor average = companion(g, param);
    const chl_tensor ends[] = {param, average};
    if (average == CHL_NONE) return CHL_NONE;
    const chl_tensor apart = chl_sum(g, 0, 2, (const float[]){1, -1}, ends);
    const chl_tensor moved = chl_add(g, average, chl_scale_by(g, apart, log_fresh, 0));
    chl_ema(g, average, moved, 0, false);
    return average;
}
