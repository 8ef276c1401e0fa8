#include "models/face.h"
#include <stdlib.h>

/* An encoder for inversion has the same body. */
static bool recognises(const chl_params *params) {
    return chl_params_find(params, "body.0.res_layer.1.weight") &&
           !chl_params_find(params, "latlayer1.weight") &&
           !chl_params_find(params, "linear.weight");
}

const chl_model_kind chl_kind_arcface = {"an ArcFace encoder", CHL_ROLE_FACE, recognises};

chl_status chl_face_new(const chl_model *model, chl_face **out) {
    *out = NULL;
    chl_face *face = chl_model_take(model, sizeof *face);
    if (!face) return chl_fail(CHL_ERR_MEMORY, "out of memory for a face encoder");
    chl_status status;
    CHL_TRY_GOTO(chl_arcface_import(face->model.params, &face->config));
    CHL_TRY_GOTO(chl_params_check_all_used(face->model.params));
done:
    CHL_HAND_OVER(status, face, out, chl_face_close);
}

void chl_face_close(chl_face *face) {
    if (!face) return;
    chl_model_close(&face->model);
    free(face);
}

chl_tensor chl_face_embed_nodes(const chl_face *face, chl_net *net, chl_tensor picture) {
    return chl_arcface(net, &face->config, chl_arcface_preprocess(net->graph, picture));
}

static void build(const void *owner, const chl_graph_key *key, chl_net *net, chl_compiled *to) {
    to->in[0] = chl_input(net->graph, "face", chl_f32(4, key->n, key->height, key->width, 3));
    to->out = chl_face_embed_nodes(owner, net, to->in[0]);
}

chl_status chl_face_embed(chl_face *face, int height, int width, const float *pixels,
                          float *embedding) {
    const chl_graph_key key = {.n = 1, .height = height, .width = width};
    return chl_model_run(&face->model, &key, build, face,
                         (const void *const[CHL_GRAPH_INPUTS]){pixels}, embedding);
}
