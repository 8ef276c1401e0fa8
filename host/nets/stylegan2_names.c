/* Importing StyleGAN2 checkpoints: rosinality's names to ours, which are stylegan2-ada-pytorch's;
 * sizes off the shapes. */
#include "nets/random_weights.h"
#include "nets/stylegan2.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_LENGTH 128
#define ADA_CLAMP 256 /* conv_clamp of every published stylegan2-ada-pytorch configuration */
#define MISSING_NOISE_SEED 0

static void set_name(char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void set_name(char *name, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, NAME_LENGTH, format, arguments);
    va_end(arguments);
}

/* --- rosinality's names ----------------------------------------------------------------------- */

typedef struct part {
    const char *from, *to;
    bool optional;
} part;

static const part conv_parts[] = {
    {"conv.weight", "weight", false},
    {"conv.modulation.weight", "affine.weight", false},
    {"conv.modulation.bias", "affine.bias", false},
    {"activate.bias", "bias", false},
    {"noise.weight", "noise_strength", true},
    {"conv.blur.kernel", "resample_filter", true},
};
static const part rgb_parts[] = {
    {"conv.weight", "weight", false},
    {"conv.modulation.weight", "affine.weight", false},
    {"conv.modulation.bias", "affine.bias", false},
    {"bias", "bias", false},
    {"upsample.kernel", "resample_filter", true},
};
#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

static chl_status rename_layer(chl_params *params, const part *parts, int count, const char *from,
                               const char *to) {
    for (int i = 0; i < count; i++) {
        char old[NAME_LENGTH], name[NAME_LENGTH];
        set_name(old, "%s.%s", from, parts[i].from);
        set_name(name, "%s.%s", to, parts[i].to);
        if (parts[i].optional && !chl_params_has(params, "%s", old)) continue;
        chl_array *array;
        CHL_TRY(chl_params_require(params, 0, &array, "%s", old));
        CHL_TRY(chl_params_rename(params, old, name));
    }
    return CHL_OK;
}

static chl_status rename_if_present(chl_params *params, const char *from, const char *to) {
    return chl_params_has(params, "%s", from) ? chl_params_rename(params, from, to) : CHL_OK;
}

/* convs.{k} and noises.noise_{k+1} belong to block 8 << k/2, its conv0 when k is even */
static void conv_name(char *name, int k) {
    set_name(name, "synthesis.b%d.conv%d", 8 << k / 2, k % 2);
}

static chl_status rename_rosinality(chl_params *params) {
    char from[NAME_LENGTH], to[NAME_LENGTH];
    for (int i = 1; chl_params_has(params, "style.%d.weight", i); i++) {
        set_name(from, "style.%d.*", i);
        set_name(to, "mapping.fc%d.*", i - 1);
        CHL_TRY(chl_rename_all(params, from, to, NULL));
    }
    CHL_TRY(chl_params_rename(params, "input.input", "synthesis.b4.const"));
    CHL_TRY(rename_if_present(params, "latent_avg", "mapping.w_avg"));
    CHL_TRY(rename_layer(params, conv_parts, COUNT(conv_parts), "conv1", "synthesis.b4.conv1"));
    CHL_TRY(rename_if_present(params, "noises.noise_0", "synthesis.b4.conv1.noise_const"));
    CHL_TRY(rename_layer(params, rgb_parts, COUNT(rgb_parts), "to_rgb1", "synthesis.b4.torgb"));
    for (int k = 0; k < 2 * (CHL_STYLEGAN2_BLOCKS - 1); k++) {
        set_name(from, "convs.%d", k);
        if (!chl_params_has(params, "%s.conv.weight", from)) break;
        conv_name(to, k);
        CHL_TRY(rename_layer(params, conv_parts, COUNT(conv_parts), from, to));
        set_name(from, "noises.noise_%d", k + 1);
        set_name(to, "synthesis.b%d.conv%d.noise_const", 8 << k / 2, k % 2);
        CHL_TRY(rename_if_present(params, from, to));
        if (k % 2 == 0) continue;
        set_name(from, "to_rgbs.%d", k / 2);
        set_name(to, "synthesis.b%d.torgb", 8 << k / 2);
        CHL_TRY(rename_layer(params, rgb_parts, COUNT(rgb_parts), from, to));
    }
    return CHL_OK;
}

/* --- ranks and sizes -------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix) {
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && !strcmp(name + n - m, suffix);
}

/* The rank of our arrays where an upstream project stores further axes of size 1. The first match
 * is used. */
static const struct {
    const char *suffix;
    int rank;
} ranks[] = {
    {".noise_const", 2},   {".noise_strength", 1}, {".b4.const", 3},
    {".affine.weight", 2}, {".torgb.weight", 4},   {".conv0.weight", 4},
    {".conv1.weight", 4},  {".torgb.bias", 1},     {"mapping.w_avg", 2},
};

/* Removes leading, then trailing axes of size 1, or adds leading ones, until the rank is right. */
static chl_status set_rank(const chl_params *params, chl_array *array, int rank) {
    chl_desc d = array->desc;
    while (d.rank > rank && (d.dim[0] == 1 || d.dim[d.rank - 1] == 1)) {
        if (d.dim[0] == 1) memmove(d.dim, d.dim + 1, (size_t)(d.rank - 1) * sizeof d.dim[0]);
        d.rank--;
    }
    while (d.rank < rank) {
        memmove(d.dim + 1, d.dim, (size_t)d.rank * sizeof d.dim[0]);
        d.dim[0] = 1;
        d.rank++;
    }
    return chl_reshape_array(params, array, d);
}

static chl_status normalise_ranks(chl_params *params) {
    for (int64_t i = 0; i < params->count; i++)
        for (int k = 0; k < COUNT(ranks); k++)
            if (ends_with(params->array[i].name, ranks[k].suffix)) {
                CHL_TRY(set_rank(params, &params->array[i], ranks[k].rank));
                break;
            }
    return CHL_OK;
}

/* The engine's resampling filter is fixed: the kernels in the file must be [1,3,3,1] x [1,3,3,1] /
 * 64, times the gain 4 of upsampling where that is stored (rosinality), which is taken off. */
static chl_status check_filters(const chl_params *params, chl_stylegan2_flavour flavour) {
    static const double tap[4] = {0.125, 0.375, 0.375, 0.125};
    double gain = flavour == CHL_STYLEGAN2_ADA ? 1 : 4;
    for (int64_t i = 0; i < params->count; i++) {
        chl_array *array = &params->array[i];
        if (!ends_with(array->name, ".resample_filter")) continue;
        bool same = array->desc.dtype == CHL_F32 && chl_count(&array->desc) == 16;
        for (int k = 0; same && k < 16; k++)
            same = fabs(((float *)array->data)[k] - gain * tap[k / 4] * tap[k % 4]) < 1e-6;
        if (!same)
            return chl_fail(
                CHL_ERR_UNSUPPORTED,
                "%s: resampling kernel \"%s\" is not [1,3,3,1] x [1,3,3,1] with gain %g, "
                "the only one implemented",
                params->source, array->name, gain);
        for (int k = 0; k < 16; k++) ((float *)array->data)[k] /= (float)gain;
        array->used = true;
    }
    return CHL_OK;
}

static chl_status refuse_other_architectures(const chl_params *params) {
    if (chl_params_has(params, "mapping.embed.weight"))
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: this generator has classes (\"mapping.embed.weight\"), expected one "
                        "without, or with a class that is chosen",
                        params->source);
    if (chl_params_has(params, "synthesis.b8.skip.weight"))
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "%s: this generator has residual synthesis blocks (\"synthesis.b8.skip.weight\"), "
            "expected the skip architecture",
            params->source);
    if (!chl_params_has(params, "synthesis.b4.torgb.weight") &&
        chl_params_has(params, "synthesis.b8.conv0.weight"))
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: \"synthesis.b4.torgb.weight\" is missing: expected the skip "
                        "architecture, with a colour output in each block",
                        params->source);
    if (chl_params_has(params, "synthesis.b%d.conv1.weight", 4 << CHL_STYLEGAN2_BLOCKS))
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: this generator makes pictures larger than %d x %d", params->source,
                        4 << (CHL_STYLEGAN2_BLOCKS - 1), 4 << (CHL_STYLEGAN2_BLOCKS - 1));
    return CHL_OK;
}

static chl_status infer_blocks(const chl_params *params, chl_stylegan2_config *config) {
    chl_array *array;
    int b = 0;
    do {
        CHL_TRY(chl_params_require(params, 4, &array, "synthesis.b%d.conv1.weight", 4 << b));
        config->channels[b] = (int)array->desc.dim[0];
        CHL_TRY(chl_params_require(params, 4, &array, "synthesis.b%d.torgb.weight", 4 << b));
        if (array->desc.dim[0] != 3)
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s: \"%s\" makes %d colours, expected 3",
                            params->source, array->name, (int)array->desc.dim[0]);
        b++;
    } while (b < CHL_STYLEGAN2_BLOCKS &&
             chl_params_has(params, "synthesis.b%d.conv0.weight", 4 << b));
    config->blocks = b;
    config->resolution = 4 << (b - 1);
    config->rows = 2 * b;
    CHL_TRY(chl_params_require(params, 2, &array, "synthesis.b4.conv1.affine.weight"));
    config->w_dim = (int)array->desc.dim[1];
    return CHL_OK;
}

/* Old rosinality files have noise strengths without maps, because each picture drew new ones. Fixed
 * random maps replace them, so that an edit always has the same noise. */
static chl_status draw_missing_noise(chl_params *params, const chl_stylegan2_config *config) {
    int drawn = 0;
    for (int k = 0; k < config->rows; k++) {
        int resolution = 4 << k / 2;
        char strength[NAME_LENGTH], name[NAME_LENGTH];
        set_name(strength, "synthesis.b%d.conv%d.noise_strength", resolution, k % 2);
        set_name(name, "synthesis.b%d.conv%d.noise_const", resolution, k % 2);
        chl_array *array = chl_params_find(params, strength);
        if (!array) continue;
        array->used = true;
        array = chl_params_find(params, name);
        if (array) {
            array->used = true;
            continue;
        }
        CHL_TRY(chl_params_add_normal(params, MISSING_NOISE_SEED, 0, 1,
                                      chl_f32(2, resolution, resolution), "%s", name));
        chl_params_find(params, name)->used = true;
        drawn++;
    }
    if (drawn)
        chl_log(CHL_LOG_WARN,
                "%s: %d noise maps are missing in the file: fixed random ones are used",
                params->source, drawn);
    return CHL_OK;
}

chl_status chl_stylegan2_import(chl_params *params, chl_stylegan2_config *config) {
    *config = (chl_stylegan2_config){.noise = true};
    if (chl_params_has(params, "synthesis.b4.const")) {
        config->flavour = CHL_STYLEGAN2_ADA;
        config->conv_clamp = ADA_CLAMP;
    } else if (chl_params_has(params, "input.input")) {
        config->flavour = CHL_STYLEGAN2_ROSINALITY;
        CHL_TRY(rename_rosinality(params));
    } else {
        return chl_fail(CHL_ERR_KEY,
                        "%s: is not a StyleGAN2 generator: expected \"synthesis.b4.const\" "
                        "(stylegan2-ada-pytorch) or \"input.input\" (rosinality)",
                        params->source);
    }
    CHL_TRY(refuse_other_architectures(params));
    CHL_TRY(normalise_ranks(params));
    CHL_TRY(check_filters(params, config->flavour));
    CHL_TRY(infer_blocks(params, config));
    CHL_TRY(chl_stylegan_import_mapping(params, config->w_dim, config->rows, &config->z_dim,
                                        &config->mapping_layers));
    CHL_TRY(chl_stylegan2_obey_facts(params, config));
    if (config->mapping_rate == 0) config->mapping_rate = CHL_STYLEGAN_MAPPING_RATE;
    return draw_missing_noise(params, config);
}
