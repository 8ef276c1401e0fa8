#include "models/clip.h"
#include "base/options.h"
#include "io/picture.h"
#include "models/clip_stated.h"
#include <chladni/engine.h>
#include <stdlib.h>
#include <string.h>

enum { PREPARATION, IMAGE_TOWER, TEXT_TOWER }; /* uses of a graph */

/* --- opening ---------------------------------------------------------------------------------- */
/* OpenAI's and open_clip's names, Hugging Face's. */
static bool recognises(const chl_params *params) {
    static const char *const names[] = {"visual.conv1.weight", "token_embedding.weight",
                                        "vision_model.embeddings.patch_embedding.weight",
                                        "text_model.embeddings.token_embedding.weight"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (chl_params_find(params, names[i])) return true;
    return chl_clap_text_is_in(params);
}

const chl_model_kind chl_kind_clip = {"a CLIP pair", CHL_ROLE_CLIP, recognises};

/* Presets what no array's shape tells. What the caller says comes first, then the file. */
static chl_status preset(chl_clip *clip, const chl_clip_settings *settings,
                         const chl_clip_stated *stated) {
    chl_clip_config *config = &clip->config;
    CHL_TRY(chl_check_int(settings->image_heads >= 0, "clip_image_heads", ">= 0",
                          settings->image_heads));
    CHL_TRY(
        chl_check_int(settings->text_heads >= 0, "clip_text_heads", ">= 0", settings->text_heads));
    config->image.heads = settings->image_heads ? settings->image_heads : stated->image_heads;
    config->text.heads = settings->text_heads ? settings->text_heads : stated->text_heads;
    config->exact_gelu = settings->gelu == CHL_CLIP_GELU_AUTO
                             ? stated->exact_gelu
                             : settings->gelu == CHL_CLIP_GELU_EXACT;
    return CHL_OK;
}

/* config.text.layers says that there is a text encoder, and nothing else about it. */
static chl_status import_clap(chl_clip *clip, const char *vocab) {
    CHL_TRY(chl_clap_text_open(clip->model.params, vocab, &clip->clap));
    clip->config.text.layers = clip->clap->config.layers;
    clip->config.embed = clip->clap->config.embed;
    return chl_params_check_all_used(clip->model.params);
}

static chl_status import(chl_clip *clip, const chl_clip_settings *settings) {
    chl_clip_stated stated;
    CHL_TRY(chl_clip_read_stated(clip->model.params->source, &stated));
    CHL_TRY(preset(clip, settings, &stated));
    if (chl_params_find(clip->model.params, "audio.fbsp.m")) /* an AudioCLIP */
        chl_params_drop_all(clip->model.params, "audio.", false);
    CHL_TRY(chl_clip_import(clip->model.params, &clip->config));
    if (settings->gelu == CHL_CLIP_GELU_AUTO && !stated.found &&
        clip->config.origin == CHL_CLIP_UNKNOWN)
        chl_log(CHL_LOG_WARN,
                "%s: does not tell whether it was trained with QuickGELU (OpenAI, DFN) or GELU "
                "(LAION, DataComp): QuickGELU is used; set clip_exact_gelu to choose",
                clip->model.params->source);
    CHL_TRY(chl_params_check_all_used(clip->model.params));
    if (clip->config.embed > CHL_MAX_EMBEDDING)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: an embedding must have at most %d numbers, got %d",
                        clip->model.params->source, CHL_MAX_EMBEDDING, clip->config.embed);
    return CHL_OK;
}

/* The text tower has a row for each token. Merges of as many tokens in another order would fit, and
 * give other embeddings without a word: a tower of OpenAI's size needs OpenAI's, unless this engine
 * made it. */
static chl_status check_merges(const chl_clip *clip) {
    if (!clip->config.text.layers || !clip->tokenizer) return CHL_OK;
    const int tokens = chl_tokenizer_vocabulary(clip->tokenizer), rows = clip->config.vocabulary;
    if (tokens != rows)
        return chl_fail(CHL_ERR_SHAPE,
                        "vocab: the merges make %d tokens, the text tower of %s has %d: they do "
                        "not belong together",
                        tokens, clip->model.params->source, rows);
    if (rows != CHL_TEXT_OPENAI || clip->config.origin == CHL_CLIP_OURS ||
        chl_tokenizer_is_openais(clip->tokenizer))
        return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "vocab: its merges are not those of OpenAI's CLIP, with which %s was trained: "
                    "expected bpe_simple_vocab_16e6.txt.gz or the merges.txt of that model",
                    clip->model.params->source);
}

chl_status chl_clip_new(const chl_model *model, const char *merges,
                        const chl_clip_settings *settings, chl_clip **out) {
    *out = NULL;
    chl_clip *clip = chl_model_take(model, sizeof *clip);
    if (!clip) return chl_fail(CHL_ERR_MEMORY, "out of memory for CLIP");
    clip->resize = settings->resize;
    chl_status status;
    if (chl_clap_text_is_in(clip->model.params)) {
        CHL_TRY_GOTO(import_clap(clip, merges));
    } else {
        CHL_TRY_GOTO(import(clip, settings));
        if (merges) CHL_TRY_GOTO(chl_tokenizer_open(merges, &clip->tokenizer));
        CHL_TRY_GOTO(check_merges(clip));
    }
done:
    CHL_HAND_OVER(status, clip, out, chl_clip_close);
}

void chl_clip_close(chl_clip *clip) {
    if (!clip) return;
    chl_model_close(&clip->model);
    chl_tokenizer_free(clip->tokenizer);
    chl_clap_text_close(clip->clap);
    free(clip);
}

bool chl_clip_has_pictures(const chl_clip *clip) {
    return clip && clip->config.image.layers > 0;
}

bool chl_clip_has_texts(const chl_clip *clip) {
    if (!clip || !clip->config.text.layers) return false;
    return clip->clap ? clip->clap->tokenizer != NULL : clip->tokenizer != NULL;
}

chl_status chl_clip_need_pictures(const chl_clip *clip, const char *why) {
    return chl_need(chl_clip_has_pictures(clip) ? clip : NULL, "clip with an image tower", why);
}

chl_status chl_clip_need_texts(const chl_clip *clip, const char *why) {
    if (!clip || !clip->config.text.layers) return chl_need(NULL, "clip with a text tower", why);
    return chl_need(chl_clip_has_texts(clip) ? clip : NULL, "vocab", why);
}

/* --- nodes ------------------------------------------------------------------------------------ */
chl_tensor chl_clip_embed_nodes(const chl_clip *clip, chl_net *net, chl_tensor picture) {
    chl_tensor x = chl_clip_preprocess(net->graph, &clip->config, picture, clip->resize);
    return chl_clip_image(net, &clip->config, x);
}

/* Preprocessing is a graph of its own, since it depends on the size of the picture: the tower,
 * which does not, is compiled once for pictures of all sizes. */
static void build_preparation(const void *owner, const chl_graph_key *key, chl_net *net,
                              chl_compiled *to) {
    const chl_clip *clip = owner;
    to->in[0] = chl_input(net->graph, "picture", chl_f32(4, key->n, key->height, key->width, 3));
    to->out = chl_clip_preprocess(net->graph, &clip->config, to->in[0], clip->resize);
}

static void build_image_tower(const void *owner, const chl_graph_key *key, chl_net *net,
                              chl_compiled *to) {
    const chl_clip *clip = owner;
    const int side = clip->config.resolution;
    to->in[0] = chl_input(net->graph, "picture", chl_f32(4, key->n, side, side, 3));
    to->out = chl_clip_image(net, &clip->config, to->in[0]);
}

static void build_text_tower(const void *owner, const chl_graph_key *key, chl_net *net,
                             chl_compiled *to) {
    const chl_clip *clip = owner;
    to->in[0] = chl_input(net->graph, "tokens", chl_i32(2, key->n, clip->config.context));
    to->in[1] = chl_input(net->graph, "end", chl_i32(1, key->n));
    to->out = chl_clip_text(net, &clip->config, to->in[0], to->in[1]);
}

/* --- texts ------------------------------------------------------------------------------------ */
static int64_t rows_left(int64_t count, int64_t at, int batch) {
    return count - at < batch ? count - at : batch;
}

chl_status chl_clip_embed_texts(chl_clip *clip, int batch, int64_t count, const char *const *texts,
                                float *embeddings) {
    CHL_TRY(chl_clip_need_texts(clip, "embedding a text"));
    if (clip->clap)
        return chl_clap_text_embed(clip->clap, &clip->model, TEXT_TOWER, batch, count, texts,
                                   embeddings);
    const int64_t context = clip->config.context, embed = clip->config.embed;
    const chl_graph_key key = {.use = TEXT_TOWER, .n = batch};
    int32_t *ids = calloc((size_t)(batch * context), sizeof *ids);
    int32_t *end = calloc((size_t)batch, sizeof *end);
    float *out = malloc(sizeof(float) * (size_t)(batch * embed));
    chl_status status = CHL_OK;
    if (!ids || !end || !out) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for texts"));
    for (int64_t at = 0; at < count; at += batch) {
        const int64_t rows = rows_left(count, at, batch);
        for (int64_t i = 0; i < rows; i++)
            CHL_TRY_GOTO(chl_tokenizer_encode(clip->tokenizer, texts[at + i], (int)context,
                                              ids + i * context, &end[i]));
        CHL_TRY_GOTO(chl_model_run(&clip->model, &key, build_text_tower, clip,
                                   (const void *const[CHL_GRAPH_INPUTS]){ids, end}, out));
        memcpy(embeddings + at * embed, out, sizeof(float) * (size_t)(rows * embed));
    }
done:
    free(ids);
    free(end);
    free(out);
    return status;
}

/* --- pictures --------------------------------------------------------------------------------- */
static chl_status prepare(chl_clip *clip, int height, int width, const float *pixels, float *x) {
    const chl_graph_key key = {.use = PREPARATION, .n = 1, .height = height, .width = width};
    return chl_model_run(&clip->model, &key, build_preparation, clip,
                         (const void *const[CHL_GRAPH_INPUTS]){pixels}, x);
}

chl_status chl_clip_embed_pictures(chl_clip *clip, int batch, const chl_pictures *pictures,
                                   float *embeddings) {
    CHL_TRY(chl_clip_need_pictures(clip, "embedding a picture"));
    const int64_t side = clip->config.resolution, embed = clip->config.embed;
    const int64_t each = 3 * side * side;
    const chl_graph_key key = {.use = IMAGE_TOWER, .n = batch};
    float *x = calloc((size_t)(batch * each), sizeof *x);
    float *out = malloc(sizeof(float) * (size_t)(batch * embed));
    chl_status status = CHL_OK;
    if (!x || !out) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for pictures"));
    for (int64_t at = 0; at < pictures->count; at += batch) {
        const int64_t rows = rows_left(pictures->count, at, batch);
        for (int64_t i = 0; i < rows; i++) {
            int height, width;
            const float *pixels;
            CHL_TRY_GOTO(pictures->get(pictures->user, at + i, &height, &width, &pixels));
            CHL_TRY_GOTO(prepare(clip, height, width, pixels, x + i * each));
        }
        CHL_TRY_GOTO(chl_model_run(&clip->model, &key, build_image_tower, clip,
                                   (const void *const[CHL_GRAPH_INPUTS]){x}, out));
        memcpy(embeddings + at * embed, out, sizeof(float) * (size_t)(rows * embed));
    }
done:
    free(x);
    free(out);
    return status;
}

typedef struct equal_pictures {
    int height, width;
    const float *pixels;
} equal_pictures;

static chl_status get_equal(void *user, int64_t index, int *height, int *width,
                            const float **pixels) {
    const equal_pictures *all = user;
    *height = all->height;
    *width = all->width;
    *pixels = all->pixels + index * 3 * all->height * all->width;
    return CHL_OK;
}

chl_status chl_clip_embed_equal_pictures(chl_clip *clip, int batch, int64_t count, int height,
                                         int width, const float *pixels, float *embeddings) {
    equal_pictures all = {height, width, pixels};
    const chl_pictures pictures = {.count = count, .get = get_equal, .user = &all};
    return chl_clip_embed_pictures(clip, batch, &pictures, embeddings);
}

chl_status chl_clip_embed_picture(chl_clip *clip, int height, int width, const float *pixels,
                                  float *embedding) {
    return chl_clip_embed_equal_pictures(clip, 1, 1, height, width, pixels, embedding);
}

typedef struct picture_files {
    const char *const *path;
    float *pixels; /* of the file that was read last */
} picture_files;

static chl_status get_file(void *user, int64_t index, int *height, int *width,
                           const float **pixels) {
    picture_files *files = user;
    chl_raster raster;
    CHL_TRY(chl_raster_read(files->path[index], &raster));
    const int64_t count = 3 * (int64_t)raster.height * raster.width;
    *height = raster.height;
    *width = raster.width;
    free(files->pixels);
    files->pixels = malloc(sizeof(float) * (size_t)count);
    if (files->pixels) chl_raster_to_float(count, raster.rgb, files->pixels);
    *pixels = files->pixels;
    chl_raster_free(&raster);
    if (files->pixels) return CHL_OK;
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its pixels", files->path[index]);
}

chl_status chl_clip_embed_picture_files(chl_clip *clip, int batch, int64_t count,
                                        const char *const *paths, float *embeddings) {
    picture_files files = {.path = paths};
    const chl_pictures pictures = {.count = count, .get = get_file, .user = &files};
    const chl_status status = chl_clip_embed_pictures(clip, batch, &pictures, embeddings);
    free(files.pixels);
    return status;
}
