#include "nets/small_models.h"
#include "nets/arcface.h"
#include "nets/clip.h"
#include "nets/style_encoder.h"
#include "nets/stylegan2.h"
#include "nets/stylegan3.h"
#include "nets/swin.h"
#include <string.h>

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

/* As many layers as published ones have, for a picture of a quarter of the smallest one's side. */
static chl_status random_stylegan3(uint64_t seed, bool rotates, chl_params **out) {
    const chl_stylegan3_shape shape = {.resolution = 64,
                                       .layers = 14,
                                       .kernel = rotates ? 1 : 3,
                                       .radial = rotates,
                                       .channel_base = 1024,
                                       .channel_max = 64,
                                       .z_dim = 128,
                                       .w_dim = 128,
                                       .mapping_layers = 2};
    return chl_stylegan3_random(&shape, seed, out);
}
static chl_status random_stylegan3_t(uint64_t seed, chl_params **out) {
    return random_stylegan3(seed, false, out);
}
static chl_status random_stylegan3_r(uint64_t seed, chl_params **out) {
    return random_stylegan3(seed, true, out);
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

/* for the generator above: 12 rows */
static chl_status random_encoder(uint64_t seed, chl_params **out) {
    chl_style_config config = {.kind = CHL_STYLE_E4E,
                               .trunk = {.units = 4, .width = 16},
                               .rows = 12,
                               .latent = 128,
                               .convs = 3,
                               .average_rows = 1};
    for (int i = 0; i < 4; i++)
        config.trunk.unit[i] = (chl_irse_unit){.in = i ? 16 << (i - 1) : 16,
                                               .out = 16 << i,
                                               .squeeze = i ? 1 << i : 1,
                                               .stride = 2,
                                               .projection = i > 0};
    for (int row = 3; row < config.rows; row++) config.map[row] = row < 7 ? 1 : 2;
    return chl_style_random(&config, seed, out);
}

chl_status chl_small_model(const char *kind, uint64_t seed, chl_params **out) {
    const struct {
        const char *kind;
        chl_status (*make)(uint64_t seed, chl_params **out);
    } makers[] = {{"generator", random_generator},
                  {"stylegan3-t", random_stylegan3_t},
                  {"stylegan3-r", random_stylegan3_r},
                  {"clip", random_clip},
                  {"audio", random_audio},
                  {"face", random_face},
                  {"encoder", random_encoder}};
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
        if (strcmp(kind, makers[i].kind) == 0) return makers[i].make(seed, out);
    return chl_fail(CHL_ERR_ARGUMENT,
                    "kind must be generator, stylegan3-t, stylegan3-r, clip, audio, face or "
                    "encoder, got \"%s\"",
                    kind);
}
