/* StyleGAN3 as a generator. */
#include "models/generator.h"
#include "nets/stylegan3.h"
#include "nets/stylegan_mapping.h"

static chl_status import(chl_params *params, void *to, chl_generator_sizes *sizes, float **clamp) {
    chl_stylegan3_config *config = to;
    CHL_TRY(chl_stylegan3_import(params, config));
    *clamp = &config->conv_clamp;
    *sizes = (chl_generator_sizes){.picture = config->resolution,
                                   .rows = config->rows,
                                   .latent = config->w_dim,
                                   .z = config->mapping_layers ? config->z_dim : 0};
    return CHL_OK;
}

static chl_tensor map(chl_net *net, const void *config, chl_tensor z) {
    return chl_stylegan3_map(net, config, z);
}

static chl_tensor synthesize(chl_net *net, const void *config, chl_tensor w) {
    return chl_stylegan3_synthesize(net, config, w);
}

static const float *average(const chl_params *params, const void *config, int *rows) {
    const chl_stylegan3_config *own = config;
    return chl_stylegan_average(params, own->w_dim, rows);
}

static chl_status truncate(const void *config, int64_t n, const float *w, const float *centre,
                           int centre_rows, float psi, float *codes) {
    const chl_stylegan3_config *own = config;
    return chl_stylegan_truncate(own->rows, own->w_dim, n, w, centre, centre_rows, psi, 0, codes);
}

const chl_generator_kind chl_kind_stylegan3 = {
    .kind = {"a StyleGAN3 generator", CHL_ROLE_GENERATOR, chl_stylegan3_recognises},
    .config_bytes = sizeof(chl_stylegan3_config),
    .import = import,
    .map = map,
    .synthesize = synthesize,
    .average = average,
    .truncate = truncate};
