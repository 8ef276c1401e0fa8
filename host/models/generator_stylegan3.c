/* StyleGAN3 as a generator. */
#include "models/generator.h"
#include "nets/stylegan3.h"

static chl_status import(chl_params *params, void *to, chl_generator_sizes *sizes, float **clamp) {
    chl_stylegan3_config *config = to;
    CHL_TRY(chl_stylegan3_import(params, config));
    *clamp = &config->conv_clamp;
    *sizes = (chl_generator_sizes){config->resolution, config->rows, config->w_dim, config->z_dim};
    return CHL_OK;
}

static chl_tensor map(chl_net *net, const void *config, chl_tensor z) {
    return chl_stylegan3_map(net, config, z);
}

static chl_tensor synthesize(chl_net *net, const void *config, chl_tensor w) {
    return chl_stylegan3_synthesize(net, config, w);
}

const chl_generator_kind chl_kind_stylegan3 = {
    .kind = {"a StyleGAN3 generator", CHL_ROLE_GENERATOR, chl_stylegan3_recognises},
    .config_bytes = sizeof(chl_stylegan3_config),
    .import = import,
    .map = map,
    .synthesize = synthesize};
