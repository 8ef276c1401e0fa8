#include "edit_settings.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

edit_settings edit_defaults(void) {
    return (edit_settings){.models = {.size = sizeof(chl_engine_options)},
                           .truncation = 0.7f,
                           .margin = 1,
                           .strength = 1,
                           .mask_rate = 1,
                           .adam_eps = 1e-8f};
}

/* Options of an optimisation beside a direction would change nothing. */
static const char *direction_wrong(const edit_settings *ask) {
    if (!ask->direction) return ask->has_strength ? "--strength needs --direction" : NULL;
    if (ask->text || ask->mix) return "--direction and --text exclude each other";
    if (ask->has_steps || ask->has_rate || ask->has_weight || ask->has_relative ||
        ask->has_identity)
        return "--direction adds a direction without an optimisation: leave out --steps, --lr and "
               "the weights of losses";
    return NULL;
}

const char *edit_settings_wrong(const edit_settings *ask) {
    const char *wrong = direction_wrong(ask);
    if (wrong) return wrong;
    if (ask->adaptive && ask->fixed) return "--adaptive-mask and --fixed-mask exclude each other";
    if (ask->has_weight && ask->has_relative)
        return "--latent-weight and --latent-weight-relative exclude each other";
    return NULL;
}

/* "linear", "linear:0.3", "rows", "rows:9" */
bool edit_read_mix(edit_settings *ask) {
    static const char *const names[] = {"linear", "rows"};
    const size_t length = strcspn(ask->mix, ":");
    ask->mix_amount = -1;
    for (int k = 0; k < 2; k++) {
        if (strlen(names[k]) != length || strncmp(ask->mix, names[k], length) != 0) continue;
        ask->mix_kind = (chl_mix)k;
        if (!ask->mix[length]) return true;
        char *end;
        ask->mix_amount = strtof(ask->mix + length + 1, &end);
        return ask->mix[length + 1] && !*end && isfinite(ask->mix_amount) && ask->mix_amount >= 0;
    }
    return false;
}

float edit_mix_amount(const edit_settings *ask, int rows) {
    const int half_of_rows = rows / 2;
    if (ask->mix_amount >= 0) return ask->mix_amount;
    return ask->mix_kind == CHL_MIX_ROWS ? (float)half_of_rows : 0.5f;
}

chl_edit_options edit_library_options(const edit_settings *ask, const chl_engine *engine,
                                      const float *neutral) {
    chl_edit_options options = chl_edit_defaults(engine);
    if (ask->has_steps) options.steps = ask->steps;
    if (ask->has_rate) options.rate = ask->rate;
    if (ask->has_weight) options.latent_weight = ask->latent_weight;
    if (ask->has_identity) options.identity_weight = ask->identity_weight;
    if (ask->has_relative) {
        options.latent_weight = ask->latent_weight_relative;
        options.latent_scale = 1;
    }
    options.space = (chl_space)ask->space;
    options.similarity = (chl_similarity)ask->similarity;
    options.margin = ask->margin;
    options.mask_rate = ask->mask_rate;
    options.adam_eps = ask->adam_eps;
    options.latent_weight_rise = ask->latent_weight_rise;
    options.adaptive_mask = !ask->fixed;
    options.neutral = neutral;
    return options;
}
