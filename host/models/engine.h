/* An engine is a set of opened models. Its functions are the public header's (host/api, host/edit,
 * host/eval); this is what they see of it.
 *
 *     const chl_engine_options options = {.size = sizeof options, .clip = "ViT-B-32.pt"};
 *     chl_engine *engine;
 *     CHL_TRY(chl_models_open(&options, &engine));
 *     CHL_TRY(chl_clip_need_pictures(engine->clip, "an edit"));
 *     chl_models_close(engine); */
#ifndef CHL_MODELS_ENGINE_H
#define CHL_MODELS_ENGINE_H
#include "models/registry.h"
#include "models/sound_texts.h"

struct chl_engine {
    chl_model_place place; /* of all models */
    /* NULL when not opened */
    chl_generator *generator;
    chl_clip *clip;
    chl_audio_encoder *audio;
    chl_face *face;
    chl_style_encoder *encoder;   /* fits the generator, where there is one */
    chl_sound_texts *sound_texts; /* what sounds that guide an edit are told by */
    chl_log_sink log;             /* what public functions log about it */
};

/* Opens what `options` names, all of it or nothing. */
chl_status chl_models_open(const chl_engine_options *options, chl_engine **out);
void chl_models_close(chl_engine *engine); /* NULL is fine */
/* 0 where a model is not opened. */
chl_engine_sizes chl_models_sizes(const chl_engine *engine);
/* A new graph in which nodes of all models may meet. */
chl_status chl_models_graph(const chl_engine *engine, chl_graph **out);
#endif
