/* Opening models. */
#include "edit/engine.h"
#include "base/numpy_random.h"
#include "base/options.h"
#include "edit/listen.h"
#include "io/weights.h"
#include "runtime/open.h"
#include <stdlib.h>
#include <string.h>

chl_status chl_engine_need(const void *model, const char *field, const char *why) {
    if (model) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s needs %s", why, field);
}

static chl_status choose_precision(chl_engine *engine, const chl_engine_options *options) {
    const bool wanted = options->precision == CHL_PRECISION_BF16,
               has = engine->device->backend->bf16;
    if (wanted && !has)
        return chl_fail(CHL_ERR_UNSUPPORTED, "device %s computes in float32, not in bf16",
                        engine->device->name);
    engine->precision = has && options->precision != CHL_PRECISION_FLOAT32 ? CHL_BF16 : CHL_F32;
    return CHL_OK;
}

chl_status chl_engine_graph(const chl_engine *engine, chl_graph **out) {
    CHL_TRY(chl_graph_new(engine->device, out));
    chl_graph_precision(*out, engine->precision);
    return CHL_OK;
}

/* Both halves of the network, appended to a graph that never runs: every key that is missing or of
 * a wrong shape is found while opening, and all that the network knows is marked used. */
static chl_status try_generator(chl_engine *engine) {
    const chl_stylegan2_config *config = &engine->generator_config;
    chl_graph *graph;
    CHL_TRY(chl_engine_graph(engine, &graph));
    chl_net net = chl_engine_net(graph, engine->generator);
    if (config->mapping_layers > 0)
        chl_stylegan2_map(&net, config, chl_input(graph, "z", chl_f32(2, 1, config->z_dim)));
    chl_stylegan2_synthesize(&net, config, chl_input(graph, "w", chl_engine_latent(engine, 1)));
    chl_status status = chl_graph_status(graph);
    chl_net_done(&net);
    chl_graph_free(graph);
    return status;
}

static chl_status open_generator(chl_engine *engine, const chl_engine_options *options) {
    if (!options->generator) return CHL_OK;
    CHL_TRY(chl_weights_read(options->generator, &engine->generator));
    CHL_TRY(chl_stylegan2_import(engine->generator, &engine->generator_config));
    if (options->conv_clamp != 0)
        engine->generator_config.conv_clamp = options->conv_clamp > 0 ? options->conv_clamp : 0;
    CHL_TRY(try_generator(engine));
    return chl_params_check_all_used(engine->generator);
}

static chl_status open_clip(chl_engine *engine, const chl_engine_options *options) {
    if (!options->clip) return CHL_OK;
    CHL_TRY(chl_weights_read(options->clip, &engine->clip));
    engine->clip_config.exact_gelu = options->clip_exact_gelu != 0;
    engine->clip_resize = options->clip_compatible ? CHL_CLIP_COMPATIBLE : CHL_CLIP_AREA;
    CHL_TRY(chl_clip_import(engine->clip, &engine->clip_config));
    CHL_TRY(chl_params_check_all_used(engine->clip));
    if (engine->clip_config.embed > CHL_MAX_EMBEDDING)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: embeddings of %d numbers; at most %d are handled",
                        options->clip, engine->clip_config.embed, CHL_MAX_EMBEDDING);
    return CHL_OK;
}

static chl_status open_face(chl_engine *engine, const chl_engine_options *options) {
    if (!options->face) return CHL_OK;
    CHL_TRY(chl_weights_read(options->face, &engine->face));
    CHL_TRY(chl_arcface_import(engine->face, &engine->face_config));
    return chl_params_check_all_used(engine->face);
}

static chl_status take_options(chl_engine_options *mine, const chl_engine_options *theirs) {
    CHL_TRY(chl_options_take(mine, sizeof *mine, theirs, "chl_engine_options"));
    CHL_TRY(chl_check_enum((int)mine->mel, CHL_MEL_ABSOLUTE + 1, "mel"));
    return chl_check_enum((int)mine->precision, CHL_PRECISION_BF16 + 1, "precision");
}

chl_status chl_engine_open(const chl_engine_options *theirs, chl_engine **out) {
    chl_engine_options mine = {.size = sizeof mine};
    const chl_engine_options *options = &mine;
    CHL_TRY(chl_check_pointer(out, "out"));
    *out = NULL;
    CHL_TRY(take_options(&mine, theirs));
    const char *why;
    chl_device *device = chl_device_open(options->device, &why);
    if (!device) return chl_fail(CHL_ERR_UNSUPPORTED, "%s", why);
    chl_engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        chl_device_close(device);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for an engine");
    }
    engine->device = device;
    chl_status status;
    CHL_TRY_GOTO(choose_precision(engine, options));
    CHL_TRY_GOTO(open_generator(engine, options));
    CHL_TRY_GOTO(open_clip(engine, options));
    CHL_TRY_GOTO(chl_listen_open(engine, options));
    CHL_TRY_GOTO(open_face(engine, options));
    if (options->vocab) CHL_TRY_GOTO(chl_tokenizer_open(options->vocab, &engine->tokenizer));
    *out = engine;
    return CHL_OK;
done:
    chl_engine_close(engine);
    return status;
}

void chl_engine_close(chl_engine *engine) {
    if (!engine) return;
    chl_graph_free(engine->renderer);
    chl_params_free(engine->generator);
    chl_params_free(engine->clip);
    chl_params_free(engine->audio);
    chl_params_free(engine->face);
    chl_tokenizer_free(engine->tokenizer);
    free(engine->average);
    chl_code_statistics_free(engine->statistics);
    chl_device_close(engine->device);
    free(engine);
}

chl_engine_sizes chl_engine_get_sizes(const chl_engine *engine) {
    chl_engine_sizes sizes = {0};
    if (engine->generator) {
        sizes.picture = engine->generator_config.resolution;
        sizes.rows = engine->generator_config.rows;
        sizes.latent = engine->generator_config.w_dim;
        sizes.z = engine->generator_config.z_dim;
    }
    if (engine->clip)
        sizes.embedding = engine->clip_config.embed;
    else if (engine->audio)
        sizes.embedding = engine->audio_embedding;
    if (engine->face) sizes.face = engine->face_config.embed;
    return sizes;
}

chl_desc chl_engine_latent(const chl_engine *engine, int n) {
    return chl_f32(3, n, engine->generator_config.rows, engine->generator_config.w_dim);
}

chl_tensor chl_engine_see(const chl_engine *engine, chl_net *clip, chl_tensor picture) {
    chl_tensor x =
        chl_clip_preprocess(clip->graph, &engine->clip_config, picture, engine->clip_resize);
    return chl_clip_image(clip, &engine->clip_config, x);
}

chl_tensor chl_engine_identify(const chl_engine *engine, chl_net *face, chl_tensor picture) {
    return chl_arcface(face, &engine->face_config, chl_arcface_preprocess(face->graph, picture));
}
