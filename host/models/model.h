/* A weight file that was read, and the graphs that were compiled from it.
 *
 *     const chl_model_place place = {.device = device, .precision = CHL_F32};
 *     chl_model model;
 *     CHL_TRY(chl_model_read(&place, "model_ir_se50.pth", &model));
 *     const chl_graph_key key = {.use = TRUNK, .n = 1};
 *     CHL_TRY(chl_model_run(&model, &key, build_trunk, face, inputs, identity));
 *     chl_model_close(&model);
 *
 * The models of this room (generator.h, clip.h, audio_encoder.h, face.h, style_encoder.h) have a chl_model as their
 * first member. A model is used by one thread at a time.
 *
 * Building and compiling a graph costs more than one run of it (weights are packed, on a GPU
 * uploaded), so a model keeps the last few that it compiled: CHL_GRAPHS_KEPT, of which the one that
 * was used least recently makes room. Graphs differ by use and shapes only: the precision is the
 * model's. The same values in give the same bits out, whether a graph is new or kept. */
#ifndef CHL_MODELS_MODEL_H
#define CHL_MODELS_MODEL_H
#include "graph/graph.h"
#include "nets/net.h"
#include <chladni/engine.h>

typedef enum chl_model_role {
    CHL_ROLE_GENERATOR,
    CHL_ROLE_CLIP,
    CHL_ROLE_AUDIO_ENCODER,
    CHL_ROLE_FACE,
    CHL_ROLE_STYLE_ENCODER,
    CHL_ROLES /* their number */
} chl_model_role;

/* A kind of model, told by the names in a file, in whatever upstream layout, before anything is
 * renamed. Where a role has several kinds this is the first member of a table of functions
 * (chl_generator_kind, chl_audio_encoder_kind). */
typedef struct chl_model_kind {
    const char *name; /* for texts: "a StyleGAN2 generator" */
    chl_model_role role;
    bool (*recognises)(const chl_params *params);
} chl_model_kind;

/* Where models compute. */
typedef struct chl_model_place {
    chl_device *device;
    chl_dtype precision; /* of activations: CHL_F32 or CHL_BF16 */
} chl_model_place;

/* Opens the device of this name (runtime/open.h) and settles the precision: AUTO is bf16 where the
 * device computes in it. CHL_ERR_UNSUPPORTED for a device or a precision that this machine lacks.
 * chl_device_close(out->device) after models and graphs. */
chl_status chl_model_place_open(const char *device, chl_precision precision, chl_model_place *out);

/* What a graph is for: a number of its model's own, then shapes (0 where they do not matter). */
typedef struct chl_graph_key {
    int use, n, height, width;
} chl_graph_key;

#define CHL_GRAPH_INPUTS 2
typedef struct chl_compiled {
    chl_graph_key key;
    chl_graph *graph; /* NULL: an empty place */
    chl_tensor in[CHL_GRAPH_INPUTS], out;
    int64_t used; /* when, counted in uses */
} chl_compiled;

#define CHL_GRAPHS_KEPT 4
typedef struct chl_model {
    chl_model_place place;
    chl_params *params;
    chl_compiled kept[CHL_GRAPHS_KEPT];
    int64_t uses, compilations; /* so far */
} chl_model;

chl_status chl_model_read(const chl_model_place *place, const char *path, chl_model *out);
/* For a model of this room: memory for its struct of `bytes`, zeroed but for the first member, into
 * which `model` moves. NULL where there is none: then `model` is closed. */
void *chl_model_take(const chl_model *model, size_t bytes);
/* Frees weights and graphs. A zeroed model is fine. */
void chl_model_close(chl_model *model);

/* A new graph where the model computes. */
chl_status chl_model_graph(const chl_model *model, chl_graph **out);
/* For nodes of the model in any graph: its weights, frozen. Release it with chl_net_done. */
chl_net chl_model_net(const chl_model *model, chl_graph *graph);

/* Adds inputs and nodes and sets to->in and to->out. `owner` is what chl_model_run was given. */
typedef void (*chl_graph_builder)(const void *owner, const chl_graph_key *key, chl_net *net,
                                  chl_compiled *to);
/* Writes `in` (as many as the builder sets), runs, reads `out`. Compiles when no graph is kept for
 * the key. */
chl_status chl_model_run(chl_model *model, const chl_graph_key *key, chl_graph_builder build,
                         const void *owner, const void *const in[CHL_GRAPH_INPUTS], void *out);
/* Frees the graphs that are kept, for a model that lives on but is not run soon. */
void chl_model_forget_graphs(chl_model *model);

/* Error unless the model was opened; `field` is what the caller should have given. */
chl_status chl_need(const void *model, const char *field, const char *why);
#endif
