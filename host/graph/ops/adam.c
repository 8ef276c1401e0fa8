/* The optimiser step as a node: it updates a parameter and its moments where they lie. */
#include "graph/build.h"
#include "graph/ops/expect.h"
#include <stdio.h>

static chl_status infer(chl_shapes *s) {
    for (int i = 0; i < 3; i++)
        CHL_EXPECT(chl_same_shape(&s->out[i], &s->in[0]),
                   "the gradient does not have the shape of the parameter and its moments");
    return CHL_OK;
}
const chl_rule chl_rule_adam = {.infer = infer};

/* A zero-initialised companion of the parameter: part of every checkpoint, like the parameter. */
static chl_tensor moment(chl_graph *g, const char *param, const char *suffix, chl_desc desc) {
    char name[512];
    if (snprintf(name, sizeof name, "%s.%s", param, suffix) >= (int)sizeof name)
        return chl_graph_fail(g, CHL_ERR_ARGUMENT, "adam: the name %s is too long", param);
    return chl_param(g, name, desc, NULL, CHL_TRAINABLE);
}

void chl_adam(chl_graph *g, chl_tensor param, chl_tensor grad, const chl_adam_settings *settings) {
    if (param == CHL_NONE || grad == CHL_NONE || chl_graph_status(g) != CHL_OK) return;
    const char *name = chl_name_of(g, param);
    if (!name || !chl_is_trainable(g, param)) {
        chl_graph_fail(g, CHL_ERR_ARGUMENT, "adam: %s is not a trainable parameter",
                       name ? name : "a tensor");
        return;
    }
    const chl_attributes attr = {.adam = {.beta1 = settings->beta1,
                                          .beta2 = settings->beta2,
                                          .eps = settings->eps,
                                          .decay = settings->decay,
                                          .rate_scale = settings->rate_scale,
                                          .decoupled = settings->decoupled}};
    const chl_desc desc = *chl_desc_of(g, param); /* which moves when tensors are added */
    const chl_tensor m = moment(g, name, "adam_m", desc), v = moment(g, name, "adam_v", desc);
    if (chl_graph_status(g) != CHL_OK) return;
    chl_emit_update(g, CHL_OP_adam, &attr, 1, &grad, 3, (chl_tensor[]){param, m, v});
}
