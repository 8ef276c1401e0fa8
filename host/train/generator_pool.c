#include "train/generator_pool.h"
#include "base/random.h"
#include "io/picture.h"
#include "models/registry.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PURPOSE 0x706f6f6cu
#define MAP_BATCH 256
#define PAINT_BATCH 8

/* In standard deviations of mapped codes. Up to 0.3 a picture still shows its scene; from 1 on,
 * drawn for each row separately, it shows none. */
static const float near_jitter[] = {0, 0.1f, 0.3f};
static const float far_jitter[] = {1, 2};
/* The same with one draw for all rows: rows that agree need a larger change. */
static const float far_shift[] = {2, 4};
#define BROKEN_SHARE 0.1f

typedef struct painter {
    const chl_dataset *data;
    chl_generator *generator;
    uint64_t seed;
    float *w;         /* [samples][W], mapped */
    float *deviation; /* [W] of them */
} painter;

/* In whole batches: what is beyond the last sample is mapped for nothing. */
static chl_status map_latents(painter *p) {
    const int64_t count = p->data->count;
    const int z_dim = p->generator->sizes.z, w_dim = p->generator->sizes.latent;
    float *z = calloc((size_t)MAP_BATCH * (size_t)z_dim, sizeof *z);
    float *w = malloc((size_t)MAP_BATCH * (size_t)w_dim * sizeof *w);
    chl_status status = CHL_OK;
    if (!z || !w) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory mapping latents"));
    for (int64_t at = 0; at < count; at += MAP_BATCH) {
        size_t rows = (size_t)(count - at < MAP_BATCH ? count - at : MAP_BATCH);
        memcpy(z, p->data->latents + at * z_dim, rows * (size_t)z_dim * sizeof *z);
        CHL_TRY_GOTO(chl_generator_map(p->generator, MAP_BATCH, z, w));
        memcpy(p->w + at * w_dim, w, rows * (size_t)w_dim * sizeof *w);
    }
done:
    free(z);
    free(w);
    return status;
}

/* Fills in the deviation of each number; returns the root of the sum of their squares. */
static float measure_deviation(painter *p) {
    const int64_t count = p->data->count, w_dim = p->generator->sizes.latent;
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

/* Draws the code of picture `i` [rows][W]; returns its sample, or CHL_POOL_BROKEN. */
static int64_t draw_code(const painter *p, int64_t i, float *code) {
    const int64_t w_dim = p->generator->sizes.latent, sample = i % p->data->count;
    const chl_philox word = chl_random(p->seed, POOL_PURPOSE, (uint64_t)i, 0);
    const bool broken = chl_uniform(word.word[0]) < BROKEN_SHARE;
    const bool together = broken && word.word[1] & 1;
    const float *amounts = !broken ? near_jitter : together ? far_shift : far_jitter;
    const int choices = broken ? 2 : 3;
    const float amount = amounts[(int)(chl_uniform(word.word[2]) * (float)choices)];
    for (int64_t row = 0; row < p->generator->sizes.rows; row++)
        for (int64_t k = 0; k < w_dim; k++) {
            float eps = amount == 0 ? 0 : normal(p, i, together ? k : row * w_dim + k);
            code[row * w_dim + k] = p->w[sample * w_dim + k] + amount * p->deviation[k] * eps;
        }
    return broken ? CHL_POOL_BROKEN : sample;
}

static chl_status paint(painter *p, chl_generator_pool *pool) {
    const int64_t code = (int64_t)p->generator->sizes.rows * p->generator->sizes.latent;
    const int64_t picture = 3 * (int64_t)pool->side * pool->side;
    float *pixels = malloc((size_t)(PAINT_BATCH * picture) * sizeof *pixels);
    chl_status status = CHL_OK;
    if (!pixels) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory painting"));
    for (int64_t at = 0; at < pool->count; at += PAINT_BATCH) {
        CHL_TRY_GOTO(chl_generator_render(p->generator, PAINT_BATCH, pool->side,
                                          pool->codes + at * code, pixels));
        int64_t pictures = pool->count - at < PAINT_BATCH ? pool->count - at : PAINT_BATCH;
        CHL_TRY_GOTO(
            chl_raster_from_float(pictures * picture, pixels, pool->pixels + at * picture));
    }
done:
    free(pixels);
    return status;
}

/* codes has whole batches of rows: those beyond `count` are 0, and their pictures are not used. */
static chl_status draw_codes(const painter *p, chl_generator_pool *pool) {
    const int64_t code = (int64_t)p->generator->sizes.rows * p->generator->sizes.latent;
    const int64_t rows = (pool->count + PAINT_BATCH - 1) / PAINT_BATCH * PAINT_BATCH;
    pool->codes = calloc((size_t)(rows * code), sizeof *pool->codes);
    pool->sample = malloc((size_t)pool->count * sizeof *pool->sample);
    if (!pool->codes || !pool->sample)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %lld codes of %s",
                        (long long)pool->count, p->generator->model.params->source);
    for (int64_t i = 0; i < pool->count; i++)
        pool->sample[i] = draw_code(p, i, pool->codes + i * code);
    return CHL_OK;
}

static chl_status open_painter(chl_device *device, painter *p, const char *generator) {
    const chl_dataset *data = p->data;
    const chl_model_place place = {.device = device, .precision = CHL_F32};
    const chl_generator_settings settings = {.conv_clamp = 0};
    CHL_TRY(chl_generator_open(&place, generator, &settings, &p->generator));
    CHL_TRY(chl_generator_need_mapping(p->generator, "a pool of pictures"));
    if (!data->latents)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s has no latents.npy: which picture of the generator shows which "
                        "sample is not known; train without a generator",
                        data->folder);
    if (p->generator->sizes.z != data->latent)
        return chl_fail(CHL_ERR_SHAPE, "%s maps latents of %d numbers, %s/latents.npy has %d",
                        generator, p->generator->sizes.z, data->folder, data->latent);
    const size_t w_dim = (size_t)p->generator->sizes.latent;
    p->w = calloc((size_t)data->count * w_dim, sizeof *p->w);
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
    CHL_TRY_GOTO(open_painter(device, &p, generator));
    const size_t picture = 3 * (size_t)side * (size_t)side;
    CHL_TRY_GOTO(map_latents(&p));
    out->spread = measure_deviation(&p);
    CHL_TRY_GOTO(draw_codes(&p, out));
    if (side == 0) goto done;
    out->pixels = malloc((size_t)count * picture);
    if (!out->pixels)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %lld pictures of %s",
                              (long long)count, generator));
    CHL_TRY_GOTO(paint(&p, out));
done:
    out->generator = p.generator;
    if (p.generator) chl_model_forget_graphs(&p.generator->model);
    if (status != CHL_OK) chl_generator_pool_free(out);
    free(p.w);
    free(p.deviation);
    return status;
}

void chl_generator_pool_free(chl_generator_pool *pool) {
    free(pool->pixels);
    free(pool->sample);
    free(pool->codes);
    chl_generator_close(pool->generator);
    *pool = (chl_generator_pool){0};
}
