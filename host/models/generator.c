#include "models/generator.h"
#include "base/numpy_random.h"
#include "graph/build.h"
#include "nets/stylegan_mapping.h"
#include <stdlib.h>
#include <string.h>

enum { MAPPING, SYNTHESIS }; /* uses of a graph */

/* --- opening ---------------------------------------------------------------------------------- */
/* Both halves of the network, appended to a graph that never runs: every key that is missing or of
 * a wrong shape is found while opening, and all that the network knows is marked used. */
static chl_status try_nodes(const chl_generator *generator) {
    chl_graph *graph;
    CHL_TRY(chl_model_graph(&generator->model, &graph));
    chl_net net = chl_model_net(&generator->model, graph);
    if (generator->sizes.z > 0)
        chl_generator_map_nodes(generator, &net,
                                chl_input(graph, "z", chl_f32(2, 1, generator->sizes.z)));
    chl_generator_synthesize(generator, &net,
                             chl_input(graph, "w", chl_generator_codes(generator, 1)));
    const chl_status status = chl_graph_status(graph);
    chl_net_done(&net);
    chl_graph_free(graph);
    return status;
}

static chl_status import(chl_generator *generator, const chl_generator_settings *settings) {
    float *clamp;
    generator->config = calloc(1, generator->kind->config_bytes);
    if (!generator->config) return chl_fail(CHL_ERR_MEMORY, "out of memory for a generator");
    CHL_TRY(chl_stylegan_choose_class(generator->model.params, settings->class_number - 1));
    CHL_TRY(generator->kind->import(generator->model.params, generator->config, &generator->sizes,
                                    &clamp));
    generator->clamp = clamp;
    if (settings->conv_clamp != 0) *clamp = settings->conv_clamp > 0 ? settings->conv_clamp : 0;
    return CHL_OK;
}

chl_status chl_generator_new(const chl_model *model, const chl_generator_kind *kind,
                             const chl_generator_settings *settings, chl_generator **out) {
    *out = NULL;
    chl_generator *generator = chl_model_take(model, sizeof *generator);
    if (!generator) return chl_fail(CHL_ERR_MEMORY, "out of memory for a generator");
    generator->kind = kind;
    chl_status status;
    CHL_TRY_GOTO(import(generator, settings));
    CHL_TRY_GOTO(try_nodes(generator));
    CHL_TRY_GOTO(chl_params_check_all_used(generator->model.params));
done:
    CHL_HAND_OVER(status, generator, out, chl_generator_close);
}

void chl_generator_close(chl_generator *generator) {
    if (!generator) return;
    chl_generator_restore(generator);
    chl_model_close(&generator->model);
    chl_code_statistics_free(generator->statistics);
    free(generator->average);
    free(generator->config);
    free(generator);
}

chl_status chl_generator_need_mapping(const chl_generator *generator, const char *why) {
    CHL_TRY(chl_need(generator, "generator", why));
    if (generator->sizes.z == 0)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: %s has no mapping network: give a latent instead of a seed", why,
                        generator->model.params->source);
    return CHL_OK;
}

/* --- nodes ------------------------------------------------------------------------------------ */
chl_tensor chl_generator_map_nodes(const chl_generator *generator, chl_net *net, chl_tensor z) {
    return generator->kind->map(net, generator->config, z);
}

chl_tensor chl_generator_synthesize(const chl_generator *generator, chl_net *net, chl_tensor w) {
    return generator->kind->synthesize(net, generator->config, w);
}

chl_desc chl_generator_codes(const chl_generator *generator, int n) {
    return chl_f32(3, n, generator->sizes.rows, generator->sizes.latent);
}

/* --- values ----------------------------------------------------------------------------------- */
static void build_mapping(const void *owner, const chl_graph_key *key, chl_net *net,
                          chl_compiled *to) {
    const chl_generator *generator = owner;
    to->in[0] = chl_input(net->graph, "z", chl_f32(2, key->n, generator->sizes.z));
    to->out = chl_generator_map_nodes(generator, net, to->in[0]);
}

chl_status chl_generator_map(chl_generator *generator, int n, const float *z, float *w) {
    const chl_graph_key key = {.use = MAPPING, .n = n};
    return chl_model_run(&generator->model, &key, build_mapping, generator,
                         (const void *const[CHL_GRAPH_INPUTS]){z}, w);
}

static void build_synthesis(const void *owner, const chl_graph_key *key, chl_net *net,
                            chl_compiled *to) {
    const chl_generator *generator = owner;
    to->in[0] = chl_input(net->graph, "w", chl_generator_codes(generator, key->n));
    to->out = chl_generator_synthesize(generator, net, to->in[0]);
    if (key->width != generator->sizes.picture)
        to->out = chl_resize(net->graph, to->out, CHL_FILTER_AREA, key->height, key->width);
}

chl_status chl_generator_render(chl_generator *generator, int n, int side, const float *codes,
                                float *pixels) {
    const chl_graph_key key = {.use = SYNTHESIS, .n = n, .height = side, .width = side};
    return chl_model_run(&generator->model, &key, build_synthesis, generator,
                         (const void *const[CHL_GRAPH_INPUTS]){codes}, pixels);
}

chl_status chl_generator_render_each(chl_generator *generator, int64_t n, const float *codes,
                                     float *pixels) {
    const int64_t side = generator->sizes.picture;
    const int64_t code = (int64_t)generator->sizes.rows * generator->sizes.latent;
    for (int64_t i = 0; i < n; i++)
        CHL_TRY(chl_generator_render(generator, 1, (int)side, codes + i * code,
                                     pixels + i * 3 * side * side));
    return CHL_OK;
}

chl_status chl_generator_truncate(const chl_generator *generator, int64_t n, const float *w,
                                  float psi, float *codes) {
    return chl_stylegan_truncate(generator->sizes.rows, generator->sizes.latent, n, w,
                                 generator->average, generator->average_rows, psi, 0, codes);
}

/* --- where codes lie -------------------------------------------------------------------------- */
#define CODES 4096

static chl_status map_codes(chl_generator *generator, float *z, float *codes) {
    const size_t width = (size_t)generator->sizes.z, d = (size_t)generator->sizes.latent;
    chl_numpy_normals(0, (int64_t)CODES * (int64_t)width, z);
    for (size_t at = 0; at < CODES; at += CHL_CODES_BATCH)
        CHL_TRY(chl_generator_map(generator, CHL_CODES_BATCH, z + at * width, codes + at * d));
    return CHL_OK;
}

static chl_status measure(chl_generator *generator) {
    const size_t width = (size_t)generator->sizes.z, d = (size_t)generator->sizes.latent;
    float *z = malloc(sizeof(float) * CODES * width), *codes = malloc(sizeof(float) * CODES * d);
    chl_status status = CHL_OK;
    if (!z || !codes) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %d codes", CODES));
    CHL_TRY_GOTO(map_codes(generator, z, codes));
    CHL_TRY_GOTO(chl_code_statistics_new(generator->model.params->source, CODES, (int)d, codes,
                                         &generator->statistics));
done:
    free(z);
    free(codes);
    return status;
}

chl_status chl_generator_statistics(chl_generator *generator, const chl_code_statistics **out) {
    CHL_TRY(chl_generator_need_mapping(generator, "the statistics of W"));
    if (!generator->statistics) CHL_TRY(measure(generator));
    *out = generator->statistics;
    return CHL_OK;
}

chl_status chl_generator_whitening(chl_generator *generator, const chl_code_statistics **out) {
    CHL_TRY(chl_generator_statistics(generator, out));
    return chl_code_statistics_whiten(generator->statistics);
}

chl_status chl_generator_average(chl_generator *generator) {
    if (generator->average) return CHL_OK;
    const size_t d = (size_t)generator->sizes.latent;
    const chl_code_statistics *statistics;
    int rows = 1;
    const float *centre =
        chl_stylegan_average(generator->model.params, generator->sizes.latent, &rows);
    if (!centre) {
        rows = 1;
        CHL_TRY(chl_generator_need_mapping(generator, "the mean latent"));
        CHL_TRY(chl_generator_statistics(generator, &statistics));
        centre = statistics->mean;
    }
    generator->average = malloc(sizeof(float) * (size_t)rows * d);
    if (!generator->average) return chl_fail(CHL_ERR_MEMORY, "out of memory for the mean of W");
    memcpy(generator->average, centre, sizeof(float) * (size_t)rows * d);
    generator->average_rows = rows;
    return CHL_OK;
}

chl_status chl_generator_seed_code(chl_generator *generator, uint64_t seed, float truncation,
                                   float *code) {
    CHL_TRY(chl_generator_need_mapping(generator, "a latent from a seed"));
    if (seed > UINT32_MAX)
        return chl_fail(CHL_ERR_ARGUMENT, "seed must be <= %u, got %llu", UINT32_MAX,
                        (unsigned long long)seed);
    if (truncation != 1) CHL_TRY(chl_generator_average(generator));
    float *z = malloc(sizeof(float) * (size_t)generator->sizes.z);
    float *w = malloc(sizeof(float) * (size_t)generator->sizes.latent);
    chl_status status = CHL_OK;
    if (!z || !w) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for a latent"));
    chl_numpy_normals((uint32_t)seed, generator->sizes.z, z);
    CHL_TRY_GOTO(chl_generator_map(generator, 1, z, w));
    CHL_TRY_GOTO(chl_generator_truncate(generator, 1, w, truncation, code));
done:
    free(z);
    free(w);
    return status;
}
