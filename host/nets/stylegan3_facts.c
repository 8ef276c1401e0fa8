/* The arguments and attributes that stylegan3 stores with each module of a generator: obeyed, held
 * to what the arrays say, known to be without effect on a finished network, or refused. */
#include "base/facts.h"
#include "nets/stylegan3.h"
#include "nets/stylegan_mapping.h"
#include <stdio.h>
#include <string.h>

/* Beside those of both StyleGANs: sizes, training, and what the stored filters were designed by. */
static const char *const without_effect[] = {
    "channels",
    "size",
    "in_size",
    "out_size",
    "conv_kernel",
    "magnitude_ema_beta",
    "num_critical",
    "is_critically_sampled",
    "first_cutoff",
    "first_stopband",
    "last_stopband_rel",
    "margin_size",
    "in_sampling_rate",
    "out_sampling_rate",
    "in_cutoff",
    "out_cutoff",
    "in_half_width",
    "out_half_width",
    "lrelu_upsampling",
    "use_radial_filters",
    NULL,
};

static bool is_of(const chl_fact *fact, const char *module) {
    const size_t n = strlen(module);
    return strncmp(fact->name, module, n) == 0;
}

/* "x.affine" and "mapping.embed" are linear, of learning rate 1 */
static bool is_linear(const chl_fact *fact) {
    return strstr(fact->name, ".affine:") || strstr(fact->name, ".embed:");
}

typedef struct stated {
    const chl_fact *clamp, *scale, *filter, *rate, *bandwidth;
} stated;

static chl_status number_above(const chl_params *params, const chl_fact **first,
                               const chl_fact *fact, float *to) {
    double number;
    if (!chl_fact_number(fact, &number) || !(number > 0))
        return chl_fact_refuse(params, fact, "a number above 0");
    CHL_TRY(chl_facts_agree(params, first, fact));
    *to = (float)number;
    return CHL_OK;
}

static chl_status obey_clamp(const chl_params *params, stated *so_far, const chl_fact *fact,
                             chl_stylegan3_config *config) {
    if (strcmp(fact->value, "None") != 0)
        return number_above(params, &so_far->clamp, fact, &config->conv_clamp);
    config->conv_clamp = 0;
    return chl_facts_agree(params, &so_far->clamp, fact);
}

static chl_status obey_filter_size(const chl_params *params, stated *so_far, const chl_fact *fact,
                                   chl_stylegan3_config *config) {
    float size = 0;
    CHL_TRY(number_above(params, &so_far->filter, fact, &size));
    config->filter_size = (int)size;
    return (float)config->filter_size == size
               ? CHL_OK
               : chl_fact_refuse(params, fact, "a whole number of taps");
}

static chl_status obey_rate(const chl_params *params, stated *so_far, const chl_fact *fact,
                            chl_stylegan3_config *config) {
    const bool mapping = is_of(fact, "mapping") || is_of(fact, ":mapping_kwargs.");
    if (!mapping || is_linear(fact)) return chl_fact_need(params, fact, "1");
    return number_above(params, &so_far->rate, fact, &config->mapping_rate);
}

static chl_status obey(const chl_params *params, stated *so_far, const chl_fact *fact,
                       chl_stylegan3_config *config) {
    const char *argument = chl_fact_argument(fact);
    if (chl_stylegan_ignores(argument) || chl_fact_is_one_of(argument, without_effect))
        return CHL_OK;
    if (argument[0] == '[') return chl_fact_is_size(params, fact);
    if (strcmp(argument, "conv_clamp") == 0) return obey_clamp(params, so_far, fact, config);
    if (strcmp(argument, "output_scale") == 0)
        return number_above(params, &so_far->scale, fact, &config->output_scale);
    if (strcmp(argument, "filter_size") == 0) return obey_filter_size(params, so_far, fact, config);
    if (strcmp(argument, "bandwidth") == 0)
        return number_above(params, &so_far->bandwidth, fact, &config->input_bandwidth);
    if (strcmp(argument, "lr_multiplier") == 0) return obey_rate(params, so_far, fact, config);
    if (strcmp(argument, "activation") == 0)
        return chl_fact_need(params, fact, is_linear(fact) ? "'linear'" : "'lrelu'");
    /* chl_stylegan3_check_facts */
    if (strcmp(argument, "up_factor") == 0 || strcmp(argument, "down_factor") == 0 ||
        strcmp(argument, "padding") == 0 || strcmp(argument, "sampling_rate") == 0 ||
        strcmp(argument, "is_torgb") == 0)
        return CHL_OK;
    return chl_fact_is_unknown(params, fact, "StyleGAN3");
}

chl_status chl_stylegan3_obey_facts(chl_params *params, chl_stylegan3_config *config) {
    stated so_far = {0};
    for (int64_t i = 0; i < params->facts; i++) {
        if (!strchr(params->fact[i].name, ':')) continue; /* refused by chl_params_check_facts */
        if (is_of(&params->fact[i], "args:")) continue;   /* of another project */
        CHL_TRY(obey(params, &so_far, &params->fact[i], config));
        params->fact[i].used = true;
    }
    return CHL_OK;
}

/* --- what the arrays say too ------------------------------------------------------------------ */
static chl_status check_layer(const chl_params *params, const chl_fact *fact,
                              const chl_stylegan3_layer *layer, bool last) {
    const char *argument = chl_fact_argument(fact);
    char text[96] = "";
    if (strcmp(argument, "up_factor") == 0) snprintf(text, sizeof text, "%d", layer->up);
    if (strcmp(argument, "down_factor") == 0) snprintf(text, sizeof text, "%d", layer->down);
    if (strcmp(argument, "is_torgb") == 0) snprintf(text, sizeof text, last ? "True" : "False");
    if (strcmp(argument, "padding") == 0)
        snprintf(text, sizeof text, "[%d, %d, %d, %d]", layer->before, layer->after, layer->before,
                 layer->after);
    return *text ? chl_fact_need(params, fact, text) : CHL_OK;
}

chl_status chl_stylegan3_check_facts(const chl_params *params, const chl_stylegan3_config *config) {
    char name[CHL_STYLEGAN3_NAME], module[CHL_STYLEGAN3_NAME + 1], text[32];
    for (int64_t i = 0; i < params->facts; i++) {
        const chl_fact *fact = &params->fact[i];
        if (strcmp(fact->name, "synthesis.input:sampling_rate") == 0) {
            snprintf(text, sizeof text, "%.15g", (double)config->input_rate);
            CHL_TRY(chl_fact_need(params, fact, text));
        }
        for (int k = 0; k < config->layers; k++) {
            chl_stylegan3_layer_name(config, k, name);
            snprintf(module, sizeof module, "%s:", name);
            if (is_of(fact, module))
                CHL_TRY(check_layer(params, fact, &config->layer[k], k == config->layers - 1));
        }
    }
    return CHL_OK;
}
