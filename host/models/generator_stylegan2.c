/* StyleGAN2 as a generator. */
#include "models/generator.h"
#include "nets/stylegan2.h"

static bool recognises(const chl_params *params) {
    return chl_params_find(params, "synthesis.b4.const") || chl_params_find(params, "input.input");
}

static chl_status import(chl_params *params, void *to, chl_generator_sizes *sizes, float **clamp) {
    chl_stylegan2_config *config = to;
    CHL_TRY(chl_stylegan2_import(params, config));
    *clamp = &config->conv_clamp;
    *sizes = (chl_generator_sizes){config->resolution, config->rows, config->w_dim, config->z_dim};
    return CHL_OK;
}

static chl_tensor map(chl_net *net, const void *config, chl_tensor z) {
    return chl_stylegan2_map(net, config, z);
}

static chl_tensor synthesize(chl_net *net, const void *config, chl_tensor w) {
    return chl_stylegan2_synthesize(net, config, w);
}

static chl_status state(chl_params *params, const void *config) {
    return chl_stylegan2_state_flavour(params, config);
}

const chl_generator_kind chl_kind_stylegan2 = {
    .kind = {"a StyleGAN2 generator", CHL_ROLE_GENERATOR, recognises},
    .config_bytes = sizeof(chl_stylegan2_config),
    .import = import,
    .map = map,
    .synthesize = synthesize,
    .state = state};
