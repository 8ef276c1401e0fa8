/* The arguments that stylegan2-ada-pytorch and its successors store with each module of a
 * generator: obeyed, known to be without effect on a finished network, or refused. */
#include "base/facts.h"
#include "nets/stylegan2.h"
#include "nets/stylegan_mapping.h"
#include <stdio.h>
#include <string.h>

/* Beside those of both StyleGANs: sizes, precision, two ways to the same numbers. */
static const char *const without_effect[] = {
    "resolution",     "kernel_size",           "is_last",
    "embed_features", "layer_features",        "fp16_channels_last",
    "channels_last",  "fused_modconv_default", NULL,
};

/* Of files that this engine wrote: the epsilon of the demodulation is as rosinality's. */
#define SCALED ":synthesis_kwargs.demodulates_scaled"
#define OPTIONS "args:" /* io/torch_facts.h */

static bool names_layer(const char *module, size_t length, const char *layer) {
    const size_t n = strlen(layer);
    return length >= n && strncmp(module + length - n, layer, n) == 0;
}

/* What the facts say so far. */
typedef struct stated {
    const chl_fact *clamp, *noise;
} stated;

static chl_status obey_clamp(const chl_params *params, stated *so_far, const chl_fact *fact,
                             chl_stylegan2_config *config) {
    double clamp = 0;
    if (strcmp(fact->value, "None") != 0 && (!chl_fact_number(fact, &clamp) || clamp <= 0))
        return chl_fact_refuse(params, fact, "None or a number above 0");
    CHL_TRY(chl_facts_agree(params, &so_far->clamp, fact));
    config->conv_clamp = (float)clamp;
    return CHL_OK;
}

static chl_status obey_noise(const chl_params *params, stated *so_far, const chl_fact *fact,
                             chl_stylegan2_config *config) {
    double noise;
    if (!chl_fact_number(fact, &noise)) return chl_fact_refuse(params, fact, "True or False");
    CHL_TRY(chl_facts_agree(params, &so_far->noise, fact));
    config->noise = noise != 0;
    return CHL_OK;
}

static chl_status obey_rate(const chl_params *params, const chl_fact *fact, bool mapping,
                            chl_stylegan2_config *config) {
    double rate;
    if (!chl_fact_number(fact, &rate) || rate <= 0)
        return chl_fact_refuse(params, fact, "a number above 0");
    if (!mapping) return rate == 1 ? CHL_OK : chl_fact_refuse(params, fact, "1");
    if (config->mapping_rate != 0 && config->mapping_rate != (float)rate)
        return chl_fact_refuse(params, fact, "the same for all layers of the mapping network");
    config->mapping_rate = (float)rate;
    return CHL_OK;
}

/* rosinality's options say what the shapes say too: a file in which they differ is not what one of
 * them says it is. */
static chl_status check_option(const chl_params *params, const chl_fact *fact,
                               const chl_stylegan2_config *config) {
    const char *option = fact->name + strlen(OPTIONS);
    double stated;
    char have[64];
    if (strcmp(option, "arch") == 0) return chl_fact_need(params, fact, "'stylegan2'");
    if (!chl_fact_number(fact, &stated)) return chl_fact_refuse(params, fact, "a number");
    int number = config->resolution;
    if (strcmp(option, "latent") == 0) number = config->w_dim;
    if (strcmp(option, "n_mlp") == 0) {
        if (config->mapping_layers == 0) return CHL_OK;
        number = config->mapping_layers;
    }
    if (strcmp(option, "channel_multiplier") == 0) {
        number = (int)stated;
        for (int b = 4; b < config->blocks; b++) /* 64 x 64 and larger */
            if (config->channels[b] != (16384 >> (b + 2)) * stated)
                number = config->channels[b] / (16384 >> (b + 2));
    }
    if (number == stated) return CHL_OK;
    snprintf(have, sizeof have, "%d, as its arrays have it", number);
    return chl_fact_refuse(params, fact, have);
}

static chl_status obey(const chl_params *params, stated *so_far, const chl_fact *fact,
                       chl_stylegan2_config *config) {
    const char *argument = chl_fact_argument(fact);
    const size_t module = (size_t)(strrchr(fact->name, ':') - fact->name);
    const bool linear =
        names_layer(fact->name, module, ".affine") || names_layer(fact->name, module, ".embed");
    const bool mapping = !linear && (strncmp(fact->name, "mapping", 7) == 0 ||
                                     strncmp(fact->name, ":mapping_kwargs.", 16) == 0);
    if (strncmp(fact->name, OPTIONS, strlen(OPTIONS)) == 0)
        return check_option(params, fact, config);
    if (strcmp(fact->name, SCALED) == 0) {
        config->flavour = CHL_STYLEGAN2_ROSINALITY;
        return chl_fact_need(params, fact, "True");
    }
    if (chl_stylegan_ignores(argument) || chl_fact_is_one_of(argument, without_effect))
        return CHL_OK;
    if (argument[0] == '[') return chl_fact_is_size(params, fact);
    if (strcmp(argument, "conv_clamp") == 0) return obey_clamp(params, so_far, fact, config);
    if (strcmp(argument, "use_noise") == 0) return obey_noise(params, so_far, fact, config);
    if (strcmp(argument, "lr_multiplier") == 0) return obey_rate(params, fact, mapping, config);
    if (strcmp(argument, "activation") == 0)
        return chl_fact_need(params, fact, linear ? "'linear'" : "'lrelu'");
    if (strcmp(argument, "architecture") == 0) return chl_fact_need(params, fact, "'skip'");
    if (strcmp(argument, "resample_filter") == 0)
        return chl_fact_need(params, fact, "[1, 3, 3, 1]");
    if (strcmp(argument, "up") == 0)
        return chl_fact_need(params, fact, names_layer(fact->name, module, ".conv0") ? "2" : "1");
    return chl_fact_is_unknown(params, fact, "StyleGAN2");
}

chl_status chl_stylegan2_obey_facts(chl_params *params, chl_stylegan2_config *config) {
    stated so_far = {0};
    for (int64_t i = 0; i < params->facts; i++) {
        if (!strchr(params->fact[i].name, ':')) continue; /* refused by chl_params_check_facts */
        CHL_TRY(obey(params, &so_far, &params->fact[i], config));
        params->fact[i].used = true;
    }
    return CHL_OK;
}

chl_status chl_stylegan2_state_flavour(chl_params *params, const chl_stylegan2_config *config) {
    return config->flavour == CHL_STYLEGAN2_ADA ? CHL_OK : chl_params_state(params, SCALED, "True");
}
