#include "nets/random_weights.h"
#include "nets/resnet18.h"
#include <math.h>
#include <stdio.h>

chl_resnet18_config chl_resnet18_lee2022(void) {
    return (chl_resnet18_config){.channels = 1, .width = 64, .depth = {2, 2, 2, 2}, .classes = 512};
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

static chl_status add_block(chl_params *params, uint64_t seed, int stage, int block, int in,
                            int out) {
    char conv[64], norm[64];
#define NAME(buffer, text)                                                                         \
    (snprintf(buffer, sizeof(buffer), "layer%d.%d.%s", stage + 1, block, text), (buffer))
    CHL_TRY(add_conv(params, seed, out, in, 3, NAME(conv, "conv1"), NAME(norm, "bn1")));
    CHL_TRY(add_conv(params, seed, out, out, 3, NAME(conv, "conv2"), NAME(norm, "bn2")));
    if (in == out) return CHL_OK;
    return add_conv(params, seed, out, in, 1, NAME(conv, "downsample.0"),
                    NAME(norm, "downsample.1"));
#undef NAME
}

static chl_status add_all(chl_params *params, uint64_t seed, const chl_resnet18_config *config) {
    const int taps = 9 * config->channels, last = config->width << (CHL_RESNET_STAGES - 1);
    ADD(0, sqrtf(2 / (float)taps), chl_f32(4, 3, config->channels, 3, 3), "conv.weight");
    ADD(0, 0, chl_f32(1, 3), "conv.bias");
    CHL_TRY(add_conv(params, seed, config->width, 3, 7, "conv1", "bn1"));
    for (int stage = 0, in = config->width; stage < CHL_RESNET_STAGES; stage++)
        for (int i = 0; i < config->depth[stage]; i++) {
            const int out = config->width << stage;
            CHL_TRY(add_block(params, seed, stage, i, in, out));
            in = out;
        }
    ADD(0, 1 / sqrtf((float)last), chl_f32(2, config->classes, last), "fc.weight");
    ADD(0, 0, chl_f32(1, config->classes), "fc.bias");
    return CHL_OK;
}

chl_status chl_resnet18_random(const chl_resnet18_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new("random ResNet-18", out));
    return chl_params_give(*out, add_all(*out, seed, config), out);
}
