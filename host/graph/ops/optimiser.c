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

/* `count` new companions of the parameter, called by `suffix`; CHL_NONE: it has none. */
static void add_moments(chl_graph *g, chl_tensor param, int count, const char *const *suffix,
                        chl_tensor *moments) {
    for (int i = 0; i < count; i++) moments[i] = CHL_NONE;
    if (param == CHL_NONE || chl_graph_status(g) != CHL_OK) return;
    const char *name = chl_name_of(g, param);
    if (!name || !chl_is_trainable(g, param)) {
        chl_graph_fail(g, CHL_ERR_ARGUMENT, "optimiser: %s is not a trainable parameter",
                       name ? name : "a tensor");
        return;
    }
    const chl_desc desc = *chl_desc_of(g, param); /* which moves when tensors are added */
    for (int i = 0; i < count; i++) moments[i] = moment(g, name, suffix[i], desc);
}

chl_moments chl_adam_moments(chl_graph *g, chl_tensor param) {
    static const char *const suffix[] = {"adam_m", "adam_v"};
    chl_tensor moments[2];
    add_moments(g, param, 2, suffix, moments);
    return (chl_moments){moments[0], moments[1]};
}

void chl_adam_with(chl_graph *g, chl_tensor param, chl_moments moments, chl_tensor grad,
                   const chl_adam_settings *settings) {
    if (param == CHL_NONE || grad == CHL_NONE || chl_graph_status(g) != CHL_OK) return;
    const chl_attributes attr = {.adam = {.beta1 = settings->beta1,
                                          .beta2 = settings->beta2,
                                          .eps = settings->eps,
                                          .decay = settings->decay,
                                          .rate_scale = settings->rate_scale,
                                          .decoupled = settings->decoupled}};
    chl_emit_update(g, CHL_OP_adam, &attr, 1, &grad, 3,
                    (chl_tensor[]){param, moments.m, moments.v});
}

void chl_adam(chl_graph *g, chl_tensor param, chl_tensor grad, const chl_adam_settings *settings) {
    if (param == CHL_NONE || grad == CHL_NONE) return;
    chl_adam_with(g, param, chl_adam_moments(g, param), grad, settings);
}

void chl_sgd(chl_graph *g, chl_tensor param, chl_tensor grad, const chl_sgd_settings *settings) {
    static const char *const suffix[] = {"sgd_m"};
    const chl_attributes attr = {.sgd = {.momentum = settings->momentum,
                                         .decay = settings->decay,
                                         .rate_scale = settings->rate_scale}};
    chl_tensor moments;
    if (param == CHL_NONE || grad == CHL_NONE) return;
    add_moments(g, param, 1, suffix, &moments);
    if (chl_graph_status(g) != CHL_OK) return;
    chl_emit_update(g, CHL_OP_sgd, &attr, 1, &grad, 2, (chl_tensor[]){param, moments});
}
