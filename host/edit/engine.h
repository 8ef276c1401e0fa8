/* The engine's inside: the models that were opened. Shared by the files of this room only. */
#ifndef CHL_EDIT_ENGINE_H
#define CHL_EDIT_ENGINE_H
#include "edit/statistics.h"
#include "graph/build.h"
#include "nets/arcface.h"
#include "nets/clip.h"
#include "nets/resnet18.h"
#include "nets/stylegan2.h"
#include "nets/swin.h"
#include "text/tokenizer.h"

struct chl_engine {
    chl_device *device;
    chl_dtype precision;                         /* of activations */
    chl_params *generator, *clip, *audio, *face; /* NULL when not loaded */
    chl_stylegan2_config generator_config;
    chl_clip_config clip_config;
    chl_clip_resize clip_resize;
    bool audio_is_resnet; /* the predecessor's, or Swin (listen.h) */
    chl_swin_config audio_config;
    chl_resnet18_config resnet_config;
    int audio_embedding;
    chl_arcface_config face_config;
    chl_mel_mode mel; /* AUTO is decided when the audio encoder is opened */
    chl_tokenizer *tokenizer;
    float *average; /* centre of W [average_rows][latent]: the file's, or computed at first use */
    int average_rows;
    chl_code_statistics *statistics; /* of mapped codes; made at first use */
    chl_graph *renderer;             /* one picture; made at first use */
    chl_tensor renderer_w, renderer_picture;
};

/* A new graph on the engine's backend, in its precision. */
chl_status chl_engine_graph(const chl_engine *engine, chl_graph **out);
/* Error unless the model is loaded; `flag` is what the caller should have given. */
chl_status chl_engine_need(const void *model, const char *field, const char *why);
/* The same for a generator with a mapping network. */
chl_status chl_engine_need_mapping(const chl_engine *engine, const char *why);
/* z [n][z] -> w [n][latent] */
chl_status chl_engine_map(chl_engine *engine, int n, const float *z, float *w);
/* The truncation centre; the mean of mapped codes when the file has none. */
chl_status chl_engine_average(chl_engine *engine);

/* Nodes of the whole path picture -> unit embedding, on frozen weights. `net` keeps the bound
 * weights, so that a second call shares them; release it with chl_net_done. */
static inline chl_net chl_engine_net(chl_graph *graph, chl_params *params) {
    return (chl_net){.graph = graph, .params = params, .kind = CHL_FROZEN};
}
chl_tensor chl_engine_see(const chl_engine *engine, chl_net *clip, chl_tensor picture);
chl_tensor chl_engine_identify(const chl_engine *engine, chl_net *face, chl_tensor picture);
/* rows x latent, as a graph's shape with a batch of n */
chl_desc chl_engine_latent(const chl_engine *engine, int n);
#endif
