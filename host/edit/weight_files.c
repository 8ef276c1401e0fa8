/* The public header's arrays and weight files. */
#include "graph/graph.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/weights.h"
#include "nets/arcface.h"
#include "nets/clip.h"
#include "nets/stylegan2.h"
#include "nets/swin.h"
#include <chladni/engine.h>
#include <stdlib.h>
#include <string.h>

chl_status chl_array_read(const char *path, int *rank, int64_t *dim, float **data) {
    chl_desc desc;
    void *values;
    *data = NULL;
    CHL_TRY(chl_npy_read(path, &desc, &values));
    if (desc.dtype != CHL_F32) {
        free(values);
        return chl_fail(CHL_ERR_FORMAT, "%s: whole numbers where floating-point ones are needed",
                        path);
    }
    *rank = desc.rank;
    for (int i = 0; i < desc.rank; i++) dim[i] = desc.dim[i];
    *data = values;
    return CHL_OK;
}

chl_status chl_array_write(const char *path, int rank, const int64_t *dim, const float *data) {
    if (rank < 0 || rank > CHL_MAX_RANK)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: an array of %d axes", path, rank);
    chl_desc desc = chl_make_desc(CHL_F32, rank, dim);
    return chl_npy_write(path, &desc, data);
}

chl_status chl_weights_inspect(const char *path, chl_array_callback callback, void *user) {
    chl_params *params;
    CHL_TRY(chl_weights_read(path, &params));
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *array = &params->array[i];
        callback(user, array->name, array->desc.dtype == CHL_F32 ? "f32" : "i32", array->desc.rank,
                 array->desc.dim);
    }
    chl_params_free(params);
    return CHL_OK;
}

chl_status chl_weights_convert(const char *from, chl_float_format format, const char *to) {
    chl_params *params;
    CHL_TRY(chl_weights_read(from, &params));
    chl_status status = chl_safetensors_write(
        params, format == CHL_FLOAT16 ? CHL_ELEMENT_F16 : CHL_ELEMENT_F32, to);
    chl_params_free(params);
    return status;
}

/* Sizes at which an edit takes seconds on two cores; all four fit together. */
#define SMALL_EMBED 128

static chl_status random_generator(uint64_t seed, chl_params **out) {
    const chl_stylegan2_shape shape = {.resolution = 128,
                                       .channel_base = 4096,
                                       .channel_max = 128,
                                       .z_dim = 128,
                                       .w_dim = 128,
                                       .mapping_layers = 4};
    return chl_stylegan2_random(&shape, seed, out);
}

static chl_status random_clip(uint64_t seed, chl_params **out) {
    const chl_clip_config config = {.image = {.layers = 4, .width = 192, .heads = 3, .mlp = 768},
                                    .text = {.layers = 2, .width = 128, .heads = 2, .mlp = 512},
                                    .embed = SMALL_EMBED,
                                    .resolution = 64,
                                    .patch = 16,
                                    .context = 77,
                                    .vocabulary = 49408};
    return chl_clip_random(&config, seed, out);
}

static chl_status random_audio(uint64_t seed, chl_params **out) {
    const chl_swin_config config = {.resolution = 224,
                                    .channels = 1,
                                    .patch = 4,
                                    .embed = 24,
                                    .classes = SMALL_EMBED,
                                    .stages = 4,
                                    .depth = {2, 2, 2, 2},
                                    .heads = {1, 2, 4, 8}};
    return chl_swin_random(&config, seed, out);
}

static chl_status random_face(uint64_t seed, chl_params **out) {
    chl_arcface_config config = {.units = 4, .width = 16, .embed = SMALL_EMBED, .side = 112};
    for (int i = 0; i < 4; i++)
        config.unit[i] = (chl_irse_unit){.in = i ? 16 << (i - 1) : 16,
                                         .out = 16 << i,
                                         .squeeze = i ? 1 << i : 1,
                                         .stride = 2,
                                         .projection = i > 0};
    return chl_arcface_random(&config, seed, out);
}

chl_status chl_weights_random(const char *kind, uint64_t seed, const char *to) {
    const struct {
        const char *kind;
        chl_status (*make)(uint64_t seed, chl_params **out);
    } makers[] = {{"generator", random_generator},
                  {"clip", random_clip},
                  {"audio", random_audio},
                  {"face", random_face}};
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (strcmp(kind, makers[i].kind) != 0) continue;
        chl_params *params;
        CHL_TRY(makers[i].make(seed, &params));
        chl_status status = chl_weights_write_safetensors(params, to);
        chl_params_free(params);
        return status;
    }
    return chl_fail(CHL_ERR_ARGUMENT, "%s: should be generator, clip, audio or face", kind);
}
