#include "nets/random_weights.h"
#include "nets/resnet18.h"
#include <math.h>
#include <stdio.h>

chl_resnet_config chl_resnet18_lee2022(void) {
    return (chl_resnet_config){.channels = 1, .width = 64, .depth = {2, 2, 2, 2}, .classes = 512};
}

chl_resnet_config chl_resnet50_config(void) {
    return (chl_resnet_config){
        .channels = 1, .width = 64, .depth = {3, 4, 6, 3}, .classes = 512, .bottlenecks = true};
}

#define ADD(mean, deviation, desc, ...)                                                            \
    CHL_TRY(chl_params_add_normal(params, seed, mean, deviation, desc, __VA_ARGS__))

/* a convolution without bias and the batch normalisation after it */
static chl_status add_conv(chl_params *params, uint64_t seed, int out, int in, int kernel,
                           const char *conv, const char *norm) {
    const float fan_out = (float)(out * kernel * kernel);
    const chl_desc vector = chl_f32(1, out);
    ADD(0, sqrtf(2 / fan_out), chl_f32(4, out, in, kernel, kernel), "%s.weight", conv);
    ADD(1, 0, vector, "%s.weight", norm);
    ADD(0, 0, vector, "%s.bias", norm);
    ADD(0, 0, vector, "%s.running_mean", norm);
    ADD(1, 0, vector, "%s.running_var", norm);
    return CHL_OK;
}

typedef struct block_shape {
    int stage, number, in, width, out;
} block_shape;

static chl_status add_block(chl_params *params, uint64_t seed, const block_shape *b) {
    char conv[64], norm[64];
#define NAME(buffer, text)                                                                         \
    (snprintf(buffer, sizeof(buffer), "layer%d.%d.%s", b->stage + 1, b->number, text), (buffer))
#define CONV(out, in, kernel, a, z)                                                                \
    CHL_TRY(add_conv(params, seed, out, in, kernel, NAME(conv, a), NAME(norm, z)))
    if (b->width == b->out) {
        CONV(b->width, b->in, 3, "conv1", "bn1");
        CONV(b->width, b->width, 3, "conv2", "bn2");
    } else {
        CONV(b->width, b->in, 1, "conv1", "bn1");
        CONV(b->width, b->width, 3, "conv2", "bn2");
        CONV(b->out, b->width, 1, "conv3", "bn3");
    }
    if (b->in != b->out) CONV(b->out, b->in, 1, "downsample.0", "downsample.1");
    return CHL_OK;
#undef CONV
#undef NAME
}

chl_status chl_resnet_add_random(chl_params *params, uint64_t seed, const chl_resnet_config *config,
                                 int channels) {
    const int last = chl_resnet_width(config);
    CHL_TRY(add_conv(params, seed, config->width, channels, 7, "conv1", "bn1"));
    for (int stage = 0, in = config->width; stage < CHL_RESNET_STAGES; stage++)
        for (int i = 0; i < config->depth[stage]; i++) {
            const int width = config->width << stage, out = (last >> (CHL_RESNET_STAGES - 1))
                                                            << stage;
            CHL_TRY(add_block(params, seed, &(block_shape){stage, i, in, width, out}));
            in = out;
        }
    ADD(0, 1 / sqrtf((float)last), chl_f32(2, config->classes, last), "fc.weight");
    ADD(0, 0, chl_f32(1, config->classes), "fc.bias");
    return CHL_OK;
}

chl_status chl_resnet_random(const chl_resnet_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new(config->bottlenecks ? "random ResNet-50" : "random ResNet", out));
    return chl_params_give(*out, chl_resnet_add_random(*out, seed, config, config->channels), out);
}

static chl_status add_encoder(chl_params *params, uint64_t seed, const chl_resnet_config *config) {
    const int channels = CHL_RESNET18_CHANNELS;
    ADD(0, sqrtf(2 / (float)(9 * config->channels)), chl_f32(4, channels, config->channels, 3, 3),
        "conv.weight");
    ADD(0, 0, chl_f32(1, channels), "conv.bias");
    return chl_resnet_add_random(params, seed, config, channels);
}

chl_status chl_resnet18_random(const chl_resnet_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new("random ResNet-18", out));
    return chl_params_give(*out, add_encoder(*out, seed, config), out);
}
