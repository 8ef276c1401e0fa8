/* The face encoder: whose face a picture shows, as a unit vector. registry.h opens it.
 *
 *     chl_face *face;
 *     CHL_TRY(chl_face_open(&place, "model_ir_se50.pth", &face));
 *     CHL_TRY(chl_face_embed(face, 1024, 1024, pixels, identity));     [config.embed]
 *     chl_face_close(face);
 *
 * or as nodes of a larger graph, e.g. an edit's:
 *
 *     chl_net net = chl_model_net(&face->model, g);
 *     chl_tensor identity = chl_face_embed_nodes(face, &net, picture);
 *     chl_net_done(&net); */
#ifndef CHL_MODELS_FACE_H
#define CHL_MODELS_FACE_H
#include "models/model.h"
#include "nets/arcface.h"

typedef struct chl_face {
    chl_model model;
    chl_arcface_config config;
} chl_face;

/* Takes the model over, also when it fails. */
chl_status chl_face_new(const chl_model *model, chl_face **out);
void chl_face_close(chl_face *face); /* NULL is fine */

/* picture [N,H,W,3] in [-1,1], aligned faces (FFHQ's crop) -> [N,embed], rows of length 1 */
chl_tensor chl_face_embed_nodes(const chl_face *face, chl_net *net, chl_tensor picture);
/* pixels [height][width][3], as above -> embedding [embed] */
chl_status chl_face_embed(chl_face *face, int height, int width, const float *pixels,
                          float *embedding);

extern const chl_model_kind chl_kind_arcface;
#endif
