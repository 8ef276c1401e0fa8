/* Seeds to latents, latents to pictures. */
#include "base/numpy_random.h"
#include "edit/engine.h"
#include <stdlib.h>
#include <string.h>

chl_status chl_engine_map(chl_engine *engine, int n, const float *z, float *w) {
    chl_status status;
    chl_graph *graph;
    CHL_TRY(chl_engine_graph(engine, &graph));
    chl_net net = chl_engine_net(graph, engine->generator);
    chl_tensor input = chl_input(graph, "z", chl_f32(2, n, engine->generator_config.z_dim));
    chl_tensor mapped = chl_stylegan2_map(&net, &engine->generator_config, input);
    chl_keep(graph, mapped);
    CHL_TRY_GOTO(chl_compile(graph));
    CHL_TRY_GOTO(chl_write(graph, input, z));
    CHL_TRY_GOTO(chl_run(graph, CHL_FIRST_SEGMENT));
    CHL_TRY_GOTO(chl_read(graph, mapped, w));
done:
    chl_net_done(&net);
    chl_graph_free(graph);
    return status;
}

chl_status chl_engine_need_mapping(const chl_engine *engine, const char *why) {
    CHL_TRY(chl_engine_need(engine->generator, "generator", why));
    if (engine->generator_config.mapping_layers == 0)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: %s has no mapping network: give a latent instead of a seed", why,
                        engine->generator->source);
    return CHL_OK;
}

chl_status chl_engine_average(chl_engine *engine) {
    CHL_TRY(chl_engine_need(engine->generator, "generator", "the mean latent"));
    if (engine->average) return CHL_OK;
    const size_t d = (size_t)engine->generator_config.w_dim;
    const chl_code_statistics *statistics;
    int rows = 1;
    const float *centre =
        chl_stylegan2_average(engine->generator, &engine->generator_config, &rows);
    if (!centre) {
        rows = 1;
        CHL_TRY(chl_engine_need_mapping(engine, "the mean latent"));
        CHL_TRY(chl_engine_statistics(engine, &statistics));
        centre = statistics->mean;
    }
    engine->average = malloc(sizeof(float) * (size_t)rows * d);
    if (!engine->average) return chl_fail(CHL_ERR_MEMORY, "out of memory for the mean of W");
    memcpy(engine->average, centre, sizeof(float) * (size_t)rows * d);
    engine->average_rows = rows;
    return CHL_OK;
}

chl_status chl_seed_latent(chl_engine *engine, uint64_t seed, float truncation, float *w) {
    CHL_TRY(chl_engine_need_mapping(engine, "a latent from a seed"));
    if (seed > UINT32_MAX)
        return chl_fail(CHL_ERR_ARGUMENT, "seed %llu: seeds end at %u", (unsigned long long)seed,
                        UINT32_MAX);
    if (truncation != 1) CHL_TRY(chl_engine_average(engine));
    const chl_stylegan2_config *config = &engine->generator_config;
    float *z = malloc(sizeof(float) * (size_t)config->z_dim);
    float *mapped = malloc(sizeof(float) * (size_t)config->w_dim);
    chl_status status = CHL_OK;
    if (!z || !mapped) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for a latent"));
    chl_numpy_normals((uint32_t)seed, config->z_dim, z);
    CHL_TRY_GOTO(chl_engine_map(engine, 1, z, mapped));
    CHL_TRY_GOTO(chl_stylegan2_truncate(config, 1, mapped, engine->average, engine->average_rows,
                                        truncation, 0, w));
done:
    free(z);
    free(mapped);
    return status;
}

static chl_status open_renderer(chl_engine *engine) {
    if (engine->renderer) return CHL_OK;
    chl_graph *graph;
    CHL_TRY(chl_engine_graph(engine, &graph));
    chl_net net = chl_engine_net(graph, engine->generator);
    engine->renderer_w = chl_input(graph, "w", chl_engine_latent(engine, 1));
    engine->renderer_picture = chl_keep(
        graph, chl_stylegan2_synthesize(&net, &engine->generator_config, engine->renderer_w));
    chl_net_done(&net);
    chl_status status = chl_compile(graph);
    if (status != CHL_OK)
        chl_graph_free(graph);
    else
        engine->renderer = graph;
    return status;
}

chl_status chl_generate(chl_engine *engine, int count, const float *w, float *pixels) {
    CHL_TRY(chl_engine_need(engine->generator, "generator", "generating a picture"));
    CHL_TRY(open_renderer(engine));
    const chl_stylegan2_config *config = &engine->generator_config;
    const size_t code = (size_t)config->rows * (size_t)config->w_dim;
    const size_t picture = 3 * (size_t)config->resolution * (size_t)config->resolution;
    for (int i = 0; i < count; i++) {
        CHL_TRY(chl_write(engine->renderer, engine->renderer_w, w + (size_t)i * code));
        CHL_TRY(chl_run(engine->renderer, CHL_FIRST_SEGMENT));
        CHL_TRY(chl_read(engine->renderer, engine->renderer_picture, pixels + (size_t)i * picture));
    }
    return CHL_OK;
}
