#include "train/frozen_clip.h"
#include "io/picture.h"
#include "io/weights.h"
#include <stdlib.h>
#include <string.h>

#define BATCH 32

static chl_status check_vocabulary(const chl_frozen_clip *clip) {
    int known = clip->config.vocabulary, merges = chl_tokenizer_vocabulary(clip->tokenizer);
    if (!clip->config.text.layers || merges <= known) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE,
                    "the merges make %d tokens, the text tower of %s knows %d: "
                    "they do not belong "
                    "together",
                    merges, clip->params->source, known);
}

chl_status chl_frozen_clip_open(chl_device *device, const char *weights, const char *merges,
                                chl_frozen_clip **out) {
    *out = NULL;
    chl_frozen_clip *clip = calloc(1, sizeof *clip);
    if (!clip) return chl_fail(CHL_ERR_MEMORY, "out of memory for CLIP");
    clip->device = device;
    chl_status status;
    CHL_TRY_GOTO(chl_weights_read(weights, &clip->params));
    CHL_TRY_GOTO(chl_clip_import(clip->params, &clip->config));
    CHL_TRY_GOTO(chl_params_check_all_used(clip->params));
    if (merges) {
        CHL_TRY_GOTO(chl_tokenizer_open(merges, &clip->tokenizer));
        CHL_TRY_GOTO(check_vocabulary(clip));
    }
    *out = clip;
    return CHL_OK;
done:
    chl_frozen_clip_free(clip);
    return status;
}

void chl_frozen_clip_free(chl_frozen_clip *clip) {
    if (!clip) return;
    chl_params_free(clip->params);
    chl_tokenizer_free(clip->tokenizer);
    free(clip);
}

/* --- a tower that embeds a batch at a time ---------------------------------------------------- */
typedef struct tower {
    chl_graph *graph;
    chl_tensor in, end, out; /* end: texts only */
    int batch, embed;
} tower;

static int batch_for(int64_t count) {
    return count < BATCH ? (int)count : BATCH;
}

static chl_status open_tower(chl_frozen_clip *clip, bool texts, int64_t count, tower *t) {
    const chl_clip_config *config = &clip->config;
    const int batch = batch_for(count), side = config->resolution;
    *t = (tower){.batch = batch, .embed = config->embed, .end = CHL_NONE};
    CHL_TRY(chl_graph_new(clip->device, &t->graph));
    chl_net net = {.graph = t->graph, .params = clip->params, .kind = CHL_FROZEN};
    if (texts) {
        t->in = chl_input(t->graph, "tokens", chl_i32(2, batch, config->context));
        t->end = chl_input(t->graph, "end", chl_i32(1, batch));
        t->out = chl_clip_text(&net, config, t->in, t->end);
    } else {
        t->in = chl_input(t->graph, "picture", chl_f32(4, batch, side, side, 3));
        t->out = chl_clip_image(&net, config, t->in);
    }
    chl_keep(t->graph, t->out);
    chl_net_done(&net);
    return chl_compile(t->graph);
}

/* Runs the batch and keeps its first `rows` rows. */
static chl_status run_tower(const tower *t, const void *in, const int32_t *end, float *scratch,
                            int64_t rows, float *out) {
    CHL_TRY(chl_write(t->graph, t->in, in));
    if (end) CHL_TRY(chl_write(t->graph, t->end, end));
    CHL_TRY(chl_run(t->graph, CHL_FIRST_SEGMENT));
    CHL_TRY(chl_read(t->graph, t->out, scratch));
    memcpy(out, scratch, sizeof(float) * (size_t)(rows * t->embed));
    return CHL_OK;
}

static int64_t rows_left(int64_t count, int64_t at, int batch) {
    return count - at < batch ? count - at : batch;
}

/* --- texts ------------------------------------------------------------------------------------ */
chl_status chl_frozen_clip_texts(chl_frozen_clip *clip, int64_t count, const char *const *texts,
                                 float *embeddings) {
    if (!clip->tokenizer)
        return chl_fail(CHL_ERR_ARGUMENT, "a text beside %s needs vocab", clip->params->source);
    if (count < 1) return CHL_OK;
    const int context = clip->config.context, embed = clip->config.embed;
    tower t;
    int32_t *ids = calloc((size_t)BATCH * (size_t)context, sizeof *ids), end[BATCH] = {0};
    float *scratch = malloc(sizeof(float) * BATCH * (size_t)embed);
    chl_status status = open_tower(clip, true, count, &t);
    if (status == CHL_OK && (!ids || !scratch))
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for texts");
    for (int64_t at = 0; status == CHL_OK && at < count; at += t.batch) {
        int64_t rows = rows_left(count, at, t.batch);
        for (int64_t i = 0; i < rows && status == CHL_OK; i++)
            status = chl_tokenizer_encode(clip->tokenizer, texts[at + i], context,
                                          ids + i * context, &end[i]);
        if (status == CHL_OK)
            status = run_tower(&t, ids, end, scratch, rows, embeddings + at * embed);
    }
    chl_graph_free(t.graph);
    free(ids);
    free(scratch);
    return status;
}

/* --- pictures --------------------------------------------------------------------------------- */
/* Preparation of one picture of the size that came last: most sets have one
 * size only. */
typedef struct preparation {
    chl_graph *graph;
    chl_tensor in, out;
    int height, width;
    float *pixels;
} preparation;

static chl_status prepare_size(const chl_frozen_clip *clip, preparation *p, int height, int width) {
    if (p->graph && p->height == height && p->width == width) return CHL_OK;
    chl_graph_free(p->graph);
    free(p->pixels);
    *p = (preparation){.height = height, .width = width};
    CHL_TRY(chl_graph_new(clip->device, &p->graph));
    p->in = chl_input(p->graph, "picture", chl_f32(4, 1, height, width, 3));
    p->out = chl_keep(p->graph, chl_clip_preprocess(p->graph, &clip->config, p->in, CHL_CLIP_AREA));
    CHL_TRY(chl_compile(p->graph));
    p->pixels = malloc(sizeof(float) * 3 * (size_t)height * (size_t)width);
    return p->pixels ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a picture");
}

/* file -> x [R][R][3] */
static chl_status prepare(const chl_frozen_clip *clip, preparation *p, const char *path, float *x) {
    chl_raster raster;
    CHL_TRY(chl_raster_read(path, &raster));
    chl_status status;
    CHL_TRY_GOTO(prepare_size(clip, p, raster.height, raster.width));
    chl_raster_to_float(3 * (int64_t)raster.height * raster.width, raster.rgb, p->pixels);
    CHL_TRY_GOTO(chl_write(p->graph, p->in, p->pixels));
    CHL_TRY_GOTO(chl_run(p->graph, CHL_FIRST_SEGMENT));
    CHL_TRY_GOTO(chl_read(p->graph, p->out, x));
done:
    chl_raster_free(&raster);
    return status;
}

chl_status chl_frozen_clip_pictures(chl_frozen_clip *clip, int64_t count, const char *const *paths,
                                    float *embeddings) {
    if (count < 1) return CHL_OK;
    const int embed = clip->config.embed;
    const int64_t pixels = 3 * (int64_t)clip->config.resolution * clip->config.resolution;
    tower t;
    preparation p = {0};
    float *x = calloc((size_t)(BATCH * pixels), sizeof *x);
    float *scratch = malloc(sizeof(float) * BATCH * (size_t)embed);
    chl_status status = open_tower(clip, false, count, &t);
    if (status == CHL_OK && (!x || !scratch))
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for pictures");
    for (int64_t at = 0; status == CHL_OK && at < count; at += t.batch) {
        int64_t rows = rows_left(count, at, t.batch);
        for (int64_t i = 0; i < rows && status == CHL_OK; i++)
            status = prepare(clip, &p, paths[at + i], x + i * pixels);
        if (status == CHL_OK)
            status = run_tower(&t, x, NULL, scratch, rows, embeddings + at * embed);
    }
    chl_graph_free(p.graph);
    free(p.pixels);
    chl_graph_free(t.graph);
    free(x);
    free(scratch);
    return status;
}
