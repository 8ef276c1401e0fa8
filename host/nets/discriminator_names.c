/* Sizes of a discriminator off its shapes, and an untrained one. */
#include "nets/discriminator.h"
#include "nets/random_weights.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_LENGTH 128
#define GROUP 4
#define CLAMP 256 /* conv_clamp of every published configuration */

/* --- sizes ------------------------------------------------------------------------------------ */
/* The one resampling filter that there is: [1,3,3,1] x [1,3,3,1] / 64. */
static chl_status check_filters(const chl_params *params, const char *prefix) {
    static const double tap[4] = {0.125, 0.375, 0.375, 0.125};
    for (int64_t i = 0; i < params->count; i++) {
        chl_array *array = &params->array[i];
        if (strncmp(array->name, prefix, strlen(prefix)) != 0 ||
            !strstr(array->name, "resample_filter"))
            continue;
        bool same = array->desc.dtype == CHL_F32 && chl_count(&array->desc) == 16;
        for (int k = 0; same && k < 16; k++)
            same = fabs((double)((float *)array->data)[k] - tap[k / 4] * tap[k % 4]) < 1e-6;
        if (!same)
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: \"%s\" must be [1,3,3,1] x [1,3,3,1] / 64, the only resampling "
                            "filter here",
                            params->source, array->name);
        array->used = true;
    }
    return CHL_OK;
}

static chl_status use_layer(chl_params *params, const char *prefix, const char *layer, int rank,
                            bool bias, chl_array **weight) {
    CHL_TRY(chl_params_use(params, rank, weight, "%s%s.weight", prefix, layer));
    return bias ? chl_params_use(params, 1, NULL, "%s%s.bias", prefix, layer) : CHL_OK;
}

static chl_status use_blocks(chl_params *params, const char *prefix,
                             chl_discriminator_config *config) {
    chl_array *w;
    char layer[NAME_LENGTH];
    for (int b = 1; b < config->blocks; b++) {
        for (int i = 0; i < 2; i++) {
            snprintf(layer, sizeof layer, "b%d.conv%d", 4 << b, i);
            CHL_TRY(use_layer(params, prefix, layer, 4, true, &w));
        }
        config->channels[b] = (int)w->desc.dim[1];
        config->channels[b - 1] = (int)w->desc.dim[0];
        snprintf(layer, sizeof layer, "b%d.skip", 4 << b);
        if (!chl_params_has(params, "%s%s.weight", prefix, layer))
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: \"%s%s.weight\" is missing: expected a residual discriminator",
                            params->source, prefix, layer);
        CHL_TRY(use_layer(params, prefix, layer, 4, false, &w));
    }
    snprintf(layer, sizeof layer, "b%d.fromrgb", config->resolution);
    CHL_TRY(use_layer(params, prefix, layer, 4, true, &w));
    config->channels[config->blocks - 1] = (int)w->desc.dim[0];
    if (w->desc.dim[1] == 3) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED, "%s: \"%s\" reads %d colours, expected 3", params->source,
                    w->name, (int)w->desc.dim[1]);
}

static chl_status use_classes(chl_params *params, const char *prefix,
                              chl_discriminator_config *config) {
    chl_array *w;
    char layer[NAME_LENGTH];
    if (!chl_params_has(params, "%smapping.embed.weight", prefix)) return CHL_OK;
    CHL_TRY(use_layer(params, prefix, "mapping.embed", 2, true, &w));
    config->classes = (int)w->desc.dim[1];
    for (int i = 0; chl_params_has(params, "%smapping.fc%d.weight", prefix, i); i++) {
        snprintf(layer, sizeof layer, "mapping.fc%d", i);
        CHL_TRY(use_layer(params, prefix, layer, 2, true, &w));
        config->mapping_layers = i + 1;
    }
    return CHL_OK;
}

chl_status chl_discriminator_import(chl_params *params, const char *prefix,
                                    chl_discriminator_config *config) {
    chl_array *w;
    int b = 1;
    *config = (chl_discriminator_config){.group = GROUP, .conv_clamp = CLAMP};
    while (b < CHL_STYLEGAN2_BLOCKS &&
           !chl_params_has(params, "%sb%d.fromrgb.weight", prefix, 4 << b))
        b++;
    if (b == CHL_STYLEGAN2_BLOCKS)
        return chl_fail(CHL_ERR_KEY,
                        "%s: is no discriminator of StyleGAN2: expected \"%sb8.fromrgb.weight\" to "
                        "\"%sb%d.fromrgb.weight\"",
                        params->source, prefix, prefix, 4 << (CHL_STYLEGAN2_BLOCKS - 1));
    config->blocks = b + 1;
    config->resolution = 4 << b;
    CHL_TRY(check_filters(params, prefix));
    CHL_TRY(use_blocks(params, prefix, config));
    CHL_TRY(use_layer(params, prefix, "b4.conv", 4, true, &w));
    config->deviations = (int)(w->desc.dim[1] - w->desc.dim[0]);
    CHL_TRY(use_layer(params, prefix, "b4.fc", 2, true, &w));
    CHL_TRY(use_layer(params, prefix, "b4.out", 2, true, &w));
    config->width = (int)w->desc.dim[0];
    return use_classes(params, prefix, config);
}

/* --- an untrained network --------------------------------------------------------------------- */
typedef struct random_net {
    chl_params *params;
    const char *prefix;
    uint64_t seed;
    chl_status status; /* the first failure */
} random_net;

/* deviation 0: zeros */
static void fill(random_net *net, chl_desc shape, float deviation, const char *layer,
                 const char *part) {
    if (net->status != CHL_OK) return;
    net->status = chl_params_add_normal(net->params, net->seed, 0, deviation, shape, "%s%s.%s",
                                        net->prefix, layer, part);
}

static void fill_conv(random_net *net, int in, int out, int kernel, bool bias, int resolution,
                      const char *part) {
    char layer[NAME_LENGTH / 2];
    snprintf(layer, sizeof layer, "b%d.%s", resolution, part);
    fill(net, chl_f32(4, out, in, kernel, kernel), 1, layer, "weight");
    if (bias) fill(net, chl_f32(1, out), 0, layer, "bias");
}

static void fill_linear(random_net *net, int in, int out, float deviation, const char *layer) {
    fill(net, chl_f32(2, out, in), deviation, layer, "weight");
    fill(net, chl_f32(1, out), 0, layer, "bias");
}

static int channels_at(const chl_discriminator_shape *shape, int resolution) {
    const int channels = shape->channel_base / resolution;
    return channels < shape->channel_max ? channels : shape->channel_max;
}

chl_status chl_discriminator_check(const chl_discriminator_shape *shape) {
    const int r = shape->resolution, largest = 4 << (CHL_STYLEGAN2_BLOCKS - 1);
    if (r < 8 || r > largest || (r & (r - 1)))
        return chl_fail(CHL_ERR_ARGUMENT, "resolution must be a power of two from 8 to %d, got %d",
                        largest, r);
    if (channels_at(shape, r) < 1 || (shape->classes > 0 && shape->mapping_layers < 1))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "channels, and with classes mapping_layers, must be >= 1, got %d and %d",
                        channels_at(shape, r), shape->mapping_layers);
    return CHL_OK;
}

chl_status chl_discriminator_add_random(const chl_discriminator_shape *shape, const char *prefix,
                                        uint64_t seed, chl_params *params) {
    CHL_TRY(chl_discriminator_check(shape));
    random_net net = {.params = params, .prefix = prefix, .seed = seed};
    const int last = channels_at(shape, 4), width = shape->classes > 0 ? last : 1;
    fill_conv(&net, 3, channels_at(shape, shape->resolution), 1, true, shape->resolution,
              "fromrgb");
    for (int r = shape->resolution; r > 4; r /= 2) {
        const int in = channels_at(shape, r), out = channels_at(shape, r / 2);
        fill_conv(&net, in, in, 3, true, r, "conv0");
        fill_conv(&net, in, out, 3, true, r, "conv1");
        fill_conv(&net, in, out, 1, false, r, "skip");
    }
    fill_conv(&net, last + 1, last, 3, true, 4, "conv");
    fill_linear(&net, last * 16, last, 1, "b4.fc");
    fill_linear(&net, last, width, 1, "b4.out");
    if (shape->classes > 0) {
        char layer[NAME_LENGTH / 2];
        fill_linear(&net, shape->classes, width, 1, "mapping.embed");
        for (int i = 0; i < shape->mapping_layers; i++) {
            snprintf(layer, sizeof layer, "mapping.fc%d", i);
            fill_linear(&net, width, width, 1 / CHL_STYLEGAN_MAPPING_RATE, layer);
        }
    }
    return net.status;
}
