/* Sounds, texts, pictures and faces to embeddings. */
#include "edit/listen.h"
#include <stdlib.h>

/* A graph of one input and one output, run once. */
typedef struct single {
    chl_graph *graph;
    chl_net net;
    chl_tensor in, out;
} single;

static chl_status start(chl_engine *engine, chl_params *params, single *s) {
    *s = (single){0};
    CHL_TRY(chl_engine_graph(engine, &s->graph));
    s->net = chl_engine_net(s->graph, params);
    return CHL_OK;
}

static chl_status finish(single *s, const void *in, float *out) {
    chl_keep(s->graph, s->out);
    chl_status status = chl_compile(s->graph);
    if (status == CHL_OK) status = chl_write(s->graph, s->in, in);
    if (status == CHL_OK) status = chl_run(s->graph, CHL_FIRST_SEGMENT);
    if (status == CHL_OK) status = chl_read(s->graph, s->out, out);
    chl_net_done(&s->net);
    chl_graph_free(s->graph);
    return status;
}

chl_status chl_embed_sound(chl_engine *engine, const char *path, float *embedding) {
    return chl_embed_sound_level(engine, path, 0, embedding);
}

chl_status chl_embed_sound_level(chl_engine *engine, const char *path, float gain_db,
                                 float *embedding) {
    CHL_TRY(chl_listen_check(engine, 1, &gain_db));
    float *picture = malloc(sizeof(float) * (size_t)chl_listen_pixels(engine));
    chl_status status = CHL_OK;
    if (!picture) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for a mel picture"));
    CHL_TRY_GOTO(chl_listen_picture(engine, path, gain_db, picture));
    single s;
    CHL_TRY_GOTO(start(engine, engine->audio, &s));
    s.out = chl_listen(engine, &s.net, 1, &s.in);
    status = finish(&s, picture, embedding);
done:
    free(picture);
    return status;
}

chl_status chl_embed_text(chl_engine *engine, const char *utf8, float *embedding) {
    CHL_TRY(chl_engine_need(engine->clip && engine->clip_config.text.layers ? engine : NULL,
                            "clip with a text tower", "embedding a text"));
    CHL_TRY(chl_engine_need(engine->tokenizer, "vocab", "embedding a text"));
    const int context = engine->clip_config.context;
    int vocabulary = chl_tokenizer_vocabulary(engine->tokenizer);
    if (vocabulary > engine->clip_config.vocabulary)
        return chl_fail(CHL_ERR_SHAPE,
                        "the merges make %d tokens, the text tower of %s knows %d: they do not "
                        "belong together",
                        vocabulary, engine->clip->source, engine->clip_config.vocabulary);
    int32_t *ids = malloc(sizeof *ids * (size_t)context);
    if (!ids) return chl_fail(CHL_ERR_MEMORY, "out of memory for tokens");
    int end = 0;
    single s;
    chl_status status;
    CHL_TRY_GOTO(chl_tokenizer_encode(engine->tokenizer, utf8, context, ids, &end));
    CHL_TRY_GOTO(start(engine, engine->clip, &s));
    s.in = chl_input(s.graph, "tokens", chl_i32(2, 1, context));
    const int32_t last = end;
    chl_tensor where = chl_constant(s.graph, "end", chl_i32(1, 1), &last);
    s.out = chl_clip_text(&s.net, &engine->clip_config, s.in, where);
    status = finish(&s, ids, embedding);
done:
    free(ids);
    return status;
}

static chl_status check_pixels(int height, int width) {
    if (height > 0 && width > 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "a picture of %d x %d pixels", width, height);
}

chl_status chl_embed_picture(chl_engine *engine, int height, int width, const float *pixels,
                             float *embedding) {
    CHL_TRY(chl_engine_need(engine->clip && engine->clip_config.image.layers ? engine : NULL,
                            "clip with an image tower", "embedding a picture"));
    CHL_TRY(check_pixels(height, width));
    single s;
    CHL_TRY(start(engine, engine->clip, &s));
    s.in = chl_input(s.graph, "picture", chl_f32(4, 1, height, width, 3));
    s.out = chl_engine_see(engine, &s.net, s.in);
    return finish(&s, pixels, embedding);
}

chl_status chl_embed_face(chl_engine *engine, int height, int width, const float *pixels,
                          float *embedding) {
    CHL_TRY(chl_engine_need(engine->face, "face", "embedding a face"));
    CHL_TRY(check_pixels(height, width));
    single s;
    CHL_TRY(start(engine, engine->face, &s));
    s.in = chl_input(s.graph, "face", chl_f32(4, 1, height, width, 3));
    s.out = chl_engine_identify(engine, &s.net, s.in);
    return finish(&s, pixels, embedding);
}
