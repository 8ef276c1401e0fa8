/* The public header's engines. */
#include "models/engine.h"
#include "base/options.h"

chl_status chl_engine_open(const chl_engine_options *theirs, chl_engine **out) {
    chl_engine_options options = {.size = sizeof options};
    CHL_NEEDS(out);
    *out = NULL;
    CHL_TRY(chl_options_take(&options, sizeof options, theirs, "chl_engine_options"));
    CHL_TRY(chl_check_enum((int)options.mel, CHL_MEL_REPEATED + 1, "mel"));
    CHL_TRY(chl_check_enum((int)options.precision, CHL_PRECISION_BF16 + 1, "precision"));
    CHL_TRY(chl_check_enum(options.clip_exact_gelu, 3, "clip_exact_gelu"));
    CHL_TRY(chl_check_int(options.generator_class >= 0 && options.generator_class < INT32_MAX,
                          "generator_class", "in [0, 2^31)", options.generator_class));
    return chl_models_open(&options, out);
}

void chl_engine_close(chl_engine *engine) {
    chl_models_close(engine);
}

chl_engine_sizes chl_engine_get_sizes(const chl_engine *engine) {
    return engine ? chl_models_sizes(engine) : (chl_engine_sizes){0};
}
