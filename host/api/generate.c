/* The public header's latents and pictures of them. */
#include "base/options.h"
#include "models/engine.h"
#include <math.h>

static chl_status seed_code(chl_generator *generator, uint64_t seed, float truncation, float *w) {
    CHL_TRY(chl_generator_seed_code(generator, seed, truncation, w));
    for (int64_t i = 0; i < (int64_t)generator->sizes.rows * generator->sizes.latent; i++)
        if (!isfinite(w[i]))
            return chl_fail(CHL_ERR_NUMERIC,
                            "%s: the code of seed %llu is not finite (%g): the weights of the "
                            "mapping network are damaged, or truncation must be nearer to 1",
                            generator->model.params->source, (unsigned long long)seed,
                            (double)w[i]);
    return CHL_OK;
}

chl_status chl_seed_latent(chl_engine *engine, uint64_t seed, float truncation, float *w) {
    CHL_NEEDS(engine, w);
    CHL_TRY(chl_check_float(isfinite(truncation), "truncation", "finite", (double)truncation));
    CHL_TRY(chl_generator_need_mapping(engine->generator, "a latent from a seed"));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, seed_code(engine->generator, seed, truncation, w));
}

static chl_status check_pictures(const chl_generator *generator, int count, const float *pixels) {
    const int64_t side = generator->sizes.picture, each = 3 * side * side;
    for (int64_t i = 0; i < count * each; i++)
        if (!isfinite(pixels[i]))
            return chl_fail(CHL_ERR_NUMERIC,
                            "%s: picture %lld of %d is not finite (%g): the code lies beyond what "
                            "the generator computes, or its weights are damaged",
                            generator->model.params->source, (long long)(i / each) + 1, count,
                            (double)pixels[i]);
    return CHL_OK;
}

static chl_status generate(const chl_engine *engine, int count, const float *w, float *pixels) {
    CHL_TRY(chl_generator_render_each(engine->generator, count, w, pixels));
    return check_pictures(engine->generator, count, pixels);
}

chl_status chl_generate(chl_engine *engine, int count, const float *w, float *pixels) {
    CHL_NEEDS(engine, w, pixels);
    CHL_TRY(chl_need(engine->generator, "generator", "generating a picture"));
    CHL_TRY(chl_check_int(count >= 0, "count", ">= 0", count));
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    CHL_FINITE(w, (int64_t)count * sizes->rows * sizes->latent);
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, generate(engine, count, w, pixels));
}
