/* The public header's latents and pictures of them. */
#include "models/engine.h"

chl_status chl_seed_latent(chl_engine *engine, uint64_t seed, float truncation, float *w) {
    CHL_TRY(chl_generator_need_mapping(engine->generator, "a latent from a seed"));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, chl_generator_seed_code(engine->generator, seed, truncation, w));
}

chl_status chl_generate(chl_engine *engine, int count, const float *w, float *pixels) {
    CHL_TRY(chl_need(engine->generator, "generator", "generating a picture"));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, chl_generator_render_each(engine->generator, count, w, pixels));
}
