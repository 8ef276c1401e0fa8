/* The optimisers' steps as nodes: each updates a parameter and its moments where they lie. */
#include "graph/build.h"
#include "graph/ops/expect.h"
#include <stdio.h>

/* outputs: the parameter, then its moments */
static chl_status infer_moments(chl_shapes *s, int moments) {
    for (int i = 0; i <= moments; i++)
        CHL_EXPECT(chl_same_shape(&s->out[i], &s->in[0]),
                   "the gradient does not have the shape of the parameter and its moments");
    return CHL_OK;
}

static chl_status infer_adam(chl_shapes *s) {
    return infer_moments(s, 2);
}
const chl_rule chl_rule_adam = {.infer = infer_adam};

static chl_status infer_sgd(chl_shapes *s) {
    return infer_moments(s, 1);
}
const chl_rule chl_rule_sgd = {.infer = infer_sgd};

/* A zero-initialised companion of the parameter: part of every checkpoint, like the parameter. */
static chl_tensor moment(chl_graph *g, const char *param, const char *suffix, chl_desc desc) {
    char name[512];
    if (snprintf(name, sizeof name, "%s.%s", param, suffix) >= (int)sizeof name)
        return chl_graph_fail(g, CHL_ERR_ARGUMENT, "%s: the name %s is too long", suffix, param);
    return chl_param(g, name, desc, NULL, CHL_TRAINABLE);
}

/* Appends the node, with `moments` new companions called by `suffix`. */
static void update(chl_graph *g, chl_op op, const chl_attributes *attr, chl_tensor param,
                   chl_tensor grad, int moments, const char *const *suffix) {
    if (param == CHL_NONE || grad == CHL_NONE || chl_graph_status(g) != CHL_OK) return;
    const char *name = chl_name_of(g, param);
    if (!name || !chl_is_trainable(g, param)) {
        chl_graph_fail(g, CHL_ERR_ARGUMENT, "optimiser: %s is not a trainable parameter",
                       name ? name : "a tensor");
        return;
    }
    const chl_desc desc = *chl_desc_of(g, param); /* which moves when tensors are added */
    chl_tensor out[CHL_MAX_OUT] = {param};
    for (int i = 0; i < moments; i++) out[1 + i] = moment(g, name, suffix[i], desc);
    if (chl_graph_status(g) != CHL_OK) return;
    chl_emit_update(g, op, attr, 1, &grad, 1 + moments, out);
}

void chl_adam(chl_graph *g, chl_tensor param, chl_tensor grad, const chl_adam_settings *settings) {
    static const char *const suffix[] = {"adam_m", "adam_v"};
    const chl_attributes attr = {.adam = {.beta1 = settings->beta1,
                                          .beta2 = settings->beta2,
                                          .eps = settings->eps,
                                          .decay = settings->decay,
                                          .rate_scale = settings->rate_scale,
                                          .decoupled = settings->decoupled}};
    update(g, CHL_OP_adam, &attr, param, grad, 2, suffix);
}

void chl_sgd(chl_graph *g, chl_tensor param, chl_tensor grad, const chl_sgd_settings *settings) {
    static const char *const suffix[] = {"sgd_m"};
    const chl_attributes attr = {.sgd = {.momentum = settings->momentum,
                                         .decay = settings->decay,
                                         .rate_scale = settings->rate_scale}};
    update(g, CHL_OP_sgd, &attr, param, grad, 1, suffix);
}
