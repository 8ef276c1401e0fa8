#include "base/facts.h"
#include "nets/random_weights.h"
#include "nets/style_encoder.h"
#include <math.h>
#include <stdio.h>

#define ADD(mean, deviation, desc, ...)                                                            \
    CHL_TRY(chl_params_add_normal(params, seed, mean, deviation, desc, __VA_ARGS__))

/* unit gain */
static chl_status random_conv(chl_params *params, uint64_t seed, int out, int in, int kernel,
                              const char *name) {
    ADD(0, 1 / sqrtf((float)(in * kernel * kernel)), chl_f32(4, out, in, kernel, kernel),
        "%s.weight", name);
    ADD(0, 0, chl_f32(1, out), "%s.bias", name);
    return CHL_OK;
}

/* as StyleGAN2's: of unit gain once it is scaled where it is used */
static chl_status random_linear(chl_params *params, uint64_t seed, int out, int in,
                                const char *name) {
    ADD(0, 1, chl_f32(2, out, in), "%s.weight", name);
    ADD(0, 0, chl_f32(1, out), "%s.bias", name);
    return CHL_OK;
}

static chl_status random_tower(chl_params *params, uint64_t seed, const chl_style_config *config,
                               int row, int width) {
    char name[64];
    for (int i = 0; i < config->convs + config->map[row]; i++) {
        snprintf(name, sizeof name, "styles.%d.convs.%d", row, 2 * i);
        CHL_TRY(random_conv(params, seed, config->latent, i ? config->latent : width, 3, name));
    }
    snprintf(name, sizeof name, "styles.%d.linear", row);
    return random_linear(params, seed, config->latent, config->latent, name);
}

static chl_status random_gradual(chl_params *params, uint64_t seed,
                                 const chl_style_config *config) {
    const chl_arcface_config *trunk = &config->trunk;
    const int width = trunk->unit[trunk->units - 1].out;
    CHL_TRY(random_conv(params, seed, width, width / 2, 1, "latlayer1"));
    CHL_TRY(random_conv(params, seed, width, width / 4, 1, "latlayer2"));
    for (int row = 0; row < config->rows; row++)
        CHL_TRY(random_tower(params, seed, config, row, width));
    return CHL_OK;
}

static chl_status random_w_plus(chl_params *params, uint64_t seed, const chl_style_config *config) {
    const chl_arcface_config *trunk = &config->trunk;
    const int width = trunk->unit[trunk->units - 1].out,
              columns = config->grid * config->grid * width;
    CHL_TRY(chl_irse_random_norm(params, seed, width, "output_layer_2.0"));
    ADD(0, 1 / sqrtf((float)columns), chl_f32(2, config->latent, columns),
        "output_layer_2.3.weight_nhwc");
    ADD(0, 0, chl_f32(1, config->latent), "output_layer_2.3.bias");
    return random_linear(params, seed, config->rows * config->latent, config->latent, "linear");
}

static chl_status random_all(chl_params *params, uint64_t seed, const chl_style_config *config) {
    const chl_arcface_config *trunk = &config->trunk;
    CHL_TRY(chl_irse_random(params, seed, trunk));
    if (config->average_rows)
        ADD(0, 1, chl_f32(2, config->average_rows, config->latent), "latent_avg");
    CHL_TRY(chl_params_state(params, "opts:encoder_type", chl_style_type[config->kind]));
    if (config->kind == CHL_STYLE_W_PLUS) return random_w_plus(params, seed, config);
    if (config->kind == CHL_STYLE_W)
        return random_linear(params, seed, config->latent, trunk->unit[trunk->units - 1].out,
                             "linear");
    return random_gradual(params, seed, config);
}

chl_status chl_style_random(const chl_style_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new("random encoder for inversion", out));
    return chl_params_give(*out, random_all(*out, seed, config), out);
}
