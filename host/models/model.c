#include "models/model.h"
#include "io/weights.h"
#include "runtime/open.h"
#include <stdlib.h>

chl_status chl_model_place_open(const char *device, chl_precision precision, chl_model_place *out) {
    const char *why;
    *out = (chl_model_place){.device = chl_device_open(device, &why)};
    if (!out->device) return chl_fail(CHL_ERR_UNSUPPORTED, "%s", why);
    const bool has = out->device->backend->bf16;
    out->precision = has && precision != CHL_PRECISION_FLOAT32 ? CHL_BF16 : CHL_F32;
    if (precision != CHL_PRECISION_BF16 || has) return CHL_OK;
    const chl_status status = chl_fail(
        CHL_ERR_UNSUPPORTED, "device %s computes in float32, not in bf16", out->device->name);
    chl_device_close(out->device);
    out->device = NULL;
    return status;
}

chl_status chl_need(const void *model, const char *field, const char *why) {
    if (model) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s needs %s", why, field);
}

chl_status chl_model_read(const chl_model_place *place, const char *path, chl_model *out) {
    *out = (chl_model){.place = *place};
    return chl_weights_read(path, &out->params);
}

void *chl_model_take(const chl_model *model, size_t bytes) {
    chl_model *first = calloc(1, bytes), taken = *model;
    if (first)
        *first = taken;
    else
        chl_model_close(&taken);
    return first;
}

void chl_model_forget_graphs(chl_model *model) {
    for (int i = 0; i < CHL_GRAPHS_KEPT; i++) {
        chl_graph_free(model->kept[i].graph);
        model->kept[i] = (chl_compiled){.graph = NULL};
    }
}

void chl_model_close(chl_model *model) {
    chl_model_forget_graphs(model);
    chl_params_free(model->params);
    model->params = NULL;
}

chl_status chl_model_graph(const chl_model *model, chl_graph **out) {
    CHL_TRY(chl_graph_new(model->place.device, out));
    chl_graph_precision(*out, model->place.precision);
    return CHL_OK;
}

chl_net chl_model_net(const chl_model *model, chl_graph *graph) {
    return (chl_net){.graph = graph, .params = model->params, .kind = CHL_FROZEN};
}

/* --- graphs that are kept --------------------------------------------------------------------- */
static bool same_key(const chl_graph_key *a, const chl_graph_key *b) {
    return a->use == b->use && a->n == b->n && a->height == b->height && a->width == b->width;
}

/* An empty place, or the one that was used least recently, emptied. */
static chl_compiled *make_room(chl_model *model) {
    chl_compiled *oldest = &model->kept[0];
    for (int i = 0; i < CHL_GRAPHS_KEPT; i++) {
        if (!model->kept[i].graph) return &model->kept[i];
        if (model->kept[i].used < oldest->used) oldest = &model->kept[i];
    }
    chl_graph_free(oldest->graph);
    *oldest = (chl_compiled){.graph = NULL};
    return oldest;
}

static chl_status compile(chl_model *model, const chl_graph_key *key, chl_graph_builder build,
                          const void *owner, chl_compiled **out) {
    chl_compiled made = {.key = *key};
    CHL_TRY(chl_model_graph(model, &made.graph));
    chl_net net = chl_model_net(model, made.graph);
    build(owner, key, &net, &made);
    chl_keep(made.graph, made.out);
    chl_net_done(&net);
    const chl_status status = chl_compile(made.graph);
    if (status != CHL_OK) {
        chl_graph_free(made.graph);
        return status;
    }
    model->compilations++;
    *out = make_room(model);
    **out = made;
    return CHL_OK;
}

static chl_status find(chl_model *model, const chl_graph_key *key, chl_graph_builder build,
                       const void *owner, chl_compiled **out) {
    *out = NULL;
    for (int i = 0; i < CHL_GRAPHS_KEPT; i++)
        if (model->kept[i].graph && same_key(&model->kept[i].key, key)) *out = &model->kept[i];
    if (!*out) CHL_TRY(compile(model, key, build, owner, out));
    (*out)->used = ++model->uses;
    return CHL_OK;
}

chl_status chl_model_run(chl_model *model, const chl_graph_key *key, chl_graph_builder build,
                         const void *owner, const void *const in[CHL_GRAPH_INPUTS], void *out) {
    chl_compiled *c;
    CHL_TRY(find(model, key, build, owner, &c));
    for (int i = 0; i < CHL_GRAPH_INPUTS; i++)
        if (c->in[i] != CHL_NONE) CHL_TRY(chl_write(c->graph, c->in[i], in[i]));
    CHL_TRY(chl_run(c->graph, CHL_FIRST_SEGMENT));
    return chl_read(c->graph, c->out, out);
}
