#include "nets/arcface.h"
#include "nets/random_weights.h"
#include <math.h>
#include <stdio.h>

chl_arcface_config chl_arcface_ir_se50(void) {
    static const int depth[4] = {3, 4, 14, 3};
    chl_arcface_config config = {.width = 64, .embed = 512, .side = 112};
    int in = 64;
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < depth[stage]; i++) {
            int out = 64 << stage;
            config.unit[config.units++] = (chl_irse_unit){
                .in = in,
                .out = out,
                .squeeze = out / 16,
                .stride = i ? 1 : 2,
                .projection = in != out,
            };
            in = out;
        }
    return config;
}

#define ADD(mean, deviation, desc, ...)                                                            \
    CHL_TRY(chl_params_add_normal(params, seed, mean, deviation, desc, __VA_ARGS__))

chl_status chl_irse_random_norm(chl_params *params, uint64_t seed, int width, const char *name) {
    ADD(1, 0, chl_f32(1, width), "%s.weight", name);
    ADD(0, 0, chl_f32(1, width), "%s.bias", name);
    ADD(0, 0, chl_f32(1, width), "%s.running_mean", name);
    ADD(1, 0, chl_f32(1, width), "%s.running_var", name);
    return CHL_OK;
}

/* unit gain */
static chl_status random_conv(chl_params *params, uint64_t seed, int out, int in, int kernel,
                              const char *name) {
    float deviation = 1 / sqrtf((float)(in * kernel * kernel));
    ADD(0, deviation, chl_f32(4, out, in, kernel, kernel), "%s.weight", name);
    return CHL_OK;
}

static chl_status random_unit(chl_params *params, uint64_t seed, int index,
                              const chl_irse_unit *u) {
    char name[64];
#define NAME(text) (snprintf(name, sizeof name, "body.%d." text, index), name)
    CHL_TRY(chl_irse_random_norm(params, seed, u->in, NAME("res_layer.0")));
    CHL_TRY(random_conv(params, seed, u->out, u->in, 3, NAME("res_layer.1")));
    ADD(0.25f, 0, chl_f32(1, u->out), "%s", NAME("res_layer.2.weight"));
    CHL_TRY(random_conv(params, seed, u->out, u->out, 3, NAME("res_layer.3")));
    CHL_TRY(chl_irse_random_norm(params, seed, u->out, NAME("res_layer.4")));
    CHL_TRY(random_conv(params, seed, u->squeeze, u->out, 1, NAME("res_layer.5.fc1")));
    CHL_TRY(random_conv(params, seed, u->out, u->squeeze, 1, NAME("res_layer.5.fc2")));
    if (!u->projection) return CHL_OK;
    CHL_TRY(random_conv(params, seed, u->out, u->in, 1, NAME("shortcut_layer.0")));
    return chl_irse_random_norm(params, seed, u->out, NAME("shortcut_layer.1"));
#undef NAME
}

chl_status chl_irse_random(chl_params *params, uint64_t seed, const chl_arcface_config *config) {
    CHL_TRY(random_conv(params, seed, config->width, 3, 3, "input_layer.0"));
    CHL_TRY(chl_irse_random_norm(params, seed, config->width, "input_layer.1"));
    ADD(0.25f, 0, chl_f32(1, config->width), "input_layer.2.weight");
    for (int i = 0; i < config->units; i++) CHL_TRY(random_unit(params, seed, i, &config->unit[i]));
    return CHL_OK;
}

static chl_status random_all(chl_params *params, uint64_t seed, const chl_arcface_config *config) {
    CHL_TRY(chl_irse_random(params, seed, config));
    int side = config->side;
    for (int i = 0; i < config->units; i++)
        side = (side + config->unit[i].stride - 1) / config->unit[i].stride;
    int width = config->unit[config->units - 1].out, columns = width * side * side;
    CHL_TRY(chl_irse_random_norm(params, seed, width, "output_layer.0"));
    ADD(0, 1 / sqrtf((float)columns), chl_f32(2, config->embed, columns),
        "output_layer.3.weight_nhwc");
    ADD(0, 0, chl_f32(1, config->embed), "output_layer.3.bias");
    return chl_irse_random_norm(params, seed, config->embed, "output_layer.4");
}

chl_status chl_arcface_random(const chl_arcface_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new("random IR-SE", out));
    return chl_params_give(*out, random_all(*out, seed, config), out);
}
