#include "train/generator_pool.h"
#include "base/random.h"
#include "graph/build.h"
#include "io/picture.h"
#include "io/weights.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PURPOSE 0x706f6f6cu
#define MAP_BATCH 256
#define PAINT_BATCH 8

/* Of mapped codes' deviation. Up to 0.3 a picture still shows its scene; from 1 on, on every row
 * for itself, no scene is left. */
static const float near_jitter[] = {0, 0.1f, 0.3f};
static const float far_jitter[] = {1, 2};
/* All rows moved together: the same scale, but the rows go on agreeing, so it takes more. */
static const float far_shift[] = {2, 4};
#define BROKEN_SHARE 0.1f

typedef struct painter {
    const chl_dataset *data;
    chl_params *params;
    chl_stylegan2_config config;
    uint64_t seed;
    float *w;         /* [samples][W], mapped */
    float *deviation; /* [W] of them */
} painter;

static chl_status map_latents(chl_device *device, painter *p) {
    const int64_t count = p->data->count;
    const int z_dim = p->config.z_dim, w_dim = p->config.w_dim;
    float *z = calloc((size_t)MAP_BATCH * (size_t)z_dim, sizeof *z);
    float *w = malloc((size_t)MAP_BATCH * (size_t)w_dim * sizeof *w);
    chl_net net = {.params = p->params, .kind = CHL_FROZEN};
    chl_status status = CHL_OK;
    if (!z || !w) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory mapping latents"));
    CHL_TRY_GOTO(chl_graph_new(device, &net.graph));
    chl_tensor input = chl_input(net.graph, "z", chl_f32(2, MAP_BATCH, z_dim));
    chl_tensor mapped = chl_keep(net.graph, chl_stylegan2_map(&net, &p->config, input));
    CHL_TRY_GOTO(chl_compile(net.graph));
    for (int64_t at = 0; at < count; at += MAP_BATCH) {
        size_t rows = (size_t)(count - at < MAP_BATCH ? count - at : MAP_BATCH);
        memcpy(z, p->data->latents + at * z_dim, rows * (size_t)z_dim * sizeof *z);
        CHL_TRY_GOTO(chl_write(net.graph, input, z));
        CHL_TRY_GOTO(chl_run(net.graph, CHL_FIRST_SEGMENT));
        CHL_TRY_GOTO(chl_read(net.graph, mapped, w));
        memcpy(p->w + at * w_dim, w, rows * (size_t)w_dim * sizeof *w);
    }
done:
    chl_net_done(&net);
    chl_graph_free(net.graph);
    free(z);
    free(w);
    return status;
}

/* Returns the root of their squares' sum. */
static float measure_deviation(painter *p) {
    const int64_t count = p->data->count, w_dim = p->config.w_dim;
    double sum = 0;
    for (int64_t k = 0; k < w_dim; k++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < count; i++) mean += p->w[i * w_dim + k];
        mean /= (double)count;
        for (int64_t i = 0; i < count; i++) {
            double distance = p->w[i * w_dim + k] - mean;
            square += distance * distance;
        }
        p->deviation[k] = (float)sqrt(square / (double)count);
        sum += square / (double)count;
    }
    return (float)sqrt(sum);
}

/* A normal number, by Box and Muller; element 0 is left to other draws. */
static float normal(const painter *p, int64_t picture, int64_t element) {
    chl_philox word = chl_random(p->seed, POOL_PURPOSE, (uint64_t)picture, 1 + (uint64_t)element);
    float radius = sqrtf(-2 * logf(1 - chl_uniform(word.word[0])));
    return radius * cosf(2 * (float)M_PI * chl_uniform(word.word[1]));
}

/* The code of picture `i` [rows][W]; returns whose it is. */
static int64_t draw_code(const painter *p, int64_t i, float *code) {
    const int64_t w_dim = p->config.w_dim, sample = i % p->data->count;
    const chl_philox word = chl_random(p->seed, POOL_PURPOSE, (uint64_t)i, 0);
    const bool broken = chl_uniform(word.word[0]) < BROKEN_SHARE;
    const bool together = broken && word.word[1] & 1;
    const float *amounts = !broken ? near_jitter : together ? far_shift : far_jitter;
    const int choices = broken ? 2 : 3;
    const float amount = amounts[(int)(chl_uniform(word.word[2]) * (float)choices)];
    for (int64_t row = 0; row < p->config.rows; row++)
        for (int64_t k = 0; k < w_dim; k++) {
            float eps = amount == 0 ? 0 : normal(p, i, together ? k : row * w_dim + k);
            code[row * w_dim + k] = p->w[sample * w_dim + k] + amount * p->deviation[k] * eps;
        }
    return broken ? CHL_POOL_BROKEN : sample;
}

static chl_status paint(chl_device *device, painter *p, chl_generator_pool *pool) {
    const int64_t code = (int64_t)p->config.rows * p->config.w_dim;
    const int64_t picture = 3 * (int64_t)pool->side * pool->side;
    float *pixels = malloc((size_t)(PAINT_BATCH * picture) * sizeof *pixels);
    chl_net net = {.params = p->params, .kind = CHL_FROZEN};
    chl_status status = CHL_OK;
    if (!pixels) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory painting"));
    CHL_TRY_GOTO(chl_graph_new(device, &net.graph));
    chl_tensor input =
        chl_input(net.graph, "w", chl_f32(3, PAINT_BATCH, p->config.rows, p->config.w_dim));
    chl_tensor out = chl_stylegan2_synthesize(&net, &p->config, input);
    if (p->config.resolution != pool->side) /* as the edit does */
        out = chl_resize(net.graph, out, CHL_FILTER_AREA, pool->side, pool->side);
    chl_keep(net.graph, out);
    CHL_TRY_GOTO(chl_compile(net.graph));
    for (int64_t at = 0; at < pool->count; at += PAINT_BATCH) {
        CHL_TRY_GOTO(chl_write(net.graph, input, pool->codes + at * code));
        CHL_TRY_GOTO(chl_run(net.graph, CHL_FIRST_SEGMENT));
        CHL_TRY_GOTO(chl_read(net.graph, out, pixels));
        int64_t pictures = pool->count - at < PAINT_BATCH ? pool->count - at : PAINT_BATCH;
        CHL_TRY_GOTO(
            chl_raster_from_float(pictures * picture, pixels, pool->pixels + at * picture));
    }
done:
    chl_net_done(&net);
    chl_graph_free(net.graph);
    free(pixels);
    return status;
}

/* Room for whole batches of codes: what is beyond `count` stays 0 and is painted for nothing. */
static chl_status draw_codes(const painter *p, chl_generator_pool *pool) {
    const int64_t code = (int64_t)p->config.rows * p->config.w_dim;
    const int64_t rows = (pool->count + PAINT_BATCH - 1) / PAINT_BATCH * PAINT_BATCH;
    pool->codes = calloc((size_t)(rows * code), sizeof *pool->codes);
    pool->sample = malloc((size_t)pool->count * sizeof *pool->sample);
    if (!pool->codes || !pool->sample)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %lld codes of %s",
                        (long long)pool->count, p->params->source);
    for (int64_t i = 0; i < pool->count; i++)
        pool->sample[i] = draw_code(p, i, pool->codes + i * code);
    return CHL_OK;
}

static chl_status open_painter(painter *p, const char *generator) {
    const chl_dataset *data = p->data;
    CHL_TRY(chl_weights_read(generator, &p->params));
    CHL_TRY(chl_stylegan2_import(p->params, &p->config));
    if (!data->latents)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s has no latents.npy: which picture of the generator shows which "
                        "sample is not known; train without a generator",
                        data->folder);
    if (p->config.z_dim != data->latent)
        return chl_fail(CHL_ERR_SHAPE, "%s maps latents of %d numbers, %s/latents.npy has %d",
                        generator, p->config.z_dim, data->folder, data->latent);
    const size_t w_dim = (size_t)p->config.w_dim;
    p->w = malloc((size_t)data->count * w_dim * sizeof *p->w);
    p->deviation = malloc(w_dim * sizeof *p->deviation);
    if (!p->w || !p->deviation) return chl_fail(CHL_ERR_MEMORY, "out of memory for latents");
    return CHL_OK;
}

chl_status chl_generator_pool_make(chl_device *device, const char *generator,
                                   const chl_dataset *data, uint64_t seed, int64_t count, int side,
                                   chl_generator_pool *out) {
    *out = (chl_generator_pool){.count = count, .side = side};
    painter p = {.data = data, .seed = seed};
    chl_status status;
    CHL_TRY_GOTO(open_painter(&p, generator));
    const size_t picture = 3 * (size_t)side * (size_t)side;
    out->config = p.config;
    CHL_TRY_GOTO(map_latents(device, &p));
    out->spread = measure_deviation(&p);
    CHL_TRY_GOTO(draw_codes(&p, out));
    if (side == 0) goto done;
    out->pixels = malloc((size_t)count * picture);
    if (!out->pixels)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %lld pictures of %s",
                              (long long)count, generator));
    CHL_TRY_GOTO(paint(device, &p, out));
done:
    out->params = p.params;
    if (status != CHL_OK) chl_generator_pool_free(out);
    free(p.w);
    free(p.deviation);
    return status;
}

void chl_generator_pool_free(chl_generator_pool *pool) {
    free(pool->pixels);
    free(pool->sample);
    free(pool->codes);
    chl_params_free(pool->params);
    *pool = (chl_generator_pool){0};
}
