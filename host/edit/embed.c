/* Sounds, texts, pictures and faces to embeddings. */
#include "edit/engine.h"
#include "io/sound.h"
#include "sound/mel.h"
#include <math.h>
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
    if (status == CHL_OK) status = chl_run(s->graph, 0);
    if (status == CHL_OK) status = chl_read(s->graph, s->out, out);
    chl_net_done(&s->net);
    chl_graph_free(s->graph);
    return status;
}

/* A sound file, louder. */
typedef struct amplified {
    chl_sound *sound;
    float factor;
} amplified;

static chl_status read_amplified(void *user, float *out, int64_t want, int64_t *got) {
    const amplified *a = user;
    CHL_TRY(chl_sound_read(a->sound, out, want, got));
    for (int64_t i = 0; i < *got; i++) out[i] *= a->factor;
    return CHL_OK;
}

static chl_status rewind_amplified(void *user) {
    return chl_sound_rewind(((amplified *)user)->sound);
}

static chl_status check_gain(const chl_engine *engine, float gain_db) {
    if (!isfinite(gain_db)) return chl_fail(CHL_ERR_ARGUMENT, "a gain of %g dB", gain_db);
    if (gain_db == 0 || engine->mel != CHL_MEL_COMPATIBLE) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s hears every sound at its own maximum (compatible mode), so that a level "
                    "changes nothing: use an audio encoder trained in absolute mode",
                    engine->audio->source);
}

chl_status chl_embed_sound(chl_engine *engine, const char *path, float *embedding) {
    return chl_embed_sound_level(engine, path, 0, embedding);
}

chl_status chl_embed_sound_level(chl_engine *engine, const char *path, float gain_db,
                                 float *embedding) {
    CHL_TRY(chl_engine_need(engine->audio, "--audio", "embedding a sound"));
    CHL_TRY(check_gain(engine, gain_db));
    const int side = engine->audio_config.resolution;
    if (side != CHL_MEL_SIDE)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "the audio encoder looks at %d x %d, mel pictures "
                        "are %d x %d",
                        side, side, CHL_MEL_SIDE, CHL_MEL_SIDE);
    float *picture = malloc(sizeof(float) * CHL_MEL_SIDE * CHL_MEL_SIDE);
    amplified a = {.sound = NULL, .factor = powf(10, gain_db / 20)};
    chl_status status = CHL_OK;
    if (!picture) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for a mel picture"));
    CHL_TRY_GOTO(chl_sound_open(path, &a.sound));
    const chl_wave_source source = {.samples = chl_sound_samples(a.sound),
                                    .read = read_amplified,
                                    .rewind = rewind_amplified,
                                    .user = &a};
    status = chl_mel_picture_from(engine->backend, &source, engine->mel, picture);
    if (status != CHL_OK) goto done;
    single s;
    CHL_TRY_GOTO(start(engine, engine->audio, &s));
    s.in = chl_input(s.graph, "mel picture", chl_f32(4, 1, side, side, 1));
    chl_swin(&s.net, &engine->audio_config, s.in, NULL, &s.out);
    status = finish(&s, picture, embedding);
done:
    chl_sound_close(a.sound);
    free(picture);
    return status;
}

chl_status chl_embed_text(chl_engine *engine, const char *utf8, float *embedding) {
    CHL_TRY(chl_engine_need(engine->clip && engine->clip_config.text.layers ? engine : NULL,
                            "--clip with a text tower", "embedding a text"));
    CHL_TRY(chl_engine_need(engine->tokenizer, "--vocab", "embedding a text"));
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
                            "--clip with an image tower", "embedding a picture"));
    CHL_TRY(check_pixels(height, width));
    single s;
    CHL_TRY(start(engine, engine->clip, &s));
    s.in = chl_input(s.graph, "picture", chl_f32(4, 1, height, width, 3));
    s.out = chl_engine_see(engine, &s.net, s.in);
    return finish(&s, pixels, embedding);
}

chl_status chl_embed_face(chl_engine *engine, int height, int width, const float *pixels,
                          float *embedding) {
    CHL_TRY(chl_engine_need(engine->face, "--face", "embedding a face"));
    CHL_TRY(check_pixels(height, width));
    single s;
    CHL_TRY(start(engine, engine->face, &s));
    s.in = chl_input(s.graph, "face", chl_f32(4, 1, height, width, 3));
    s.out = chl_engine_identify(engine, &s.net, s.in);
    return finish(&s, pixels, embedding);
}
