/* An edit's change, made in another picture. */
#include "base/options.h"
#include "models/engine.h"
#include <chladni/edit.h>
#include <math.h>

chl_status chl_apply_direction(const chl_engine *engine, const float *source,
                               const float *direction, float strength, float *w) {
    CHL_NEEDS(engine, source, direction, w);
    CHL_TRY(chl_need(engine->generator, "generator", "applying a direction"));
    CHL_TRY(chl_check_float(isfinite(strength), "strength", "finite", (double)strength));
    const int64_t numbers =
        (int64_t)engine->generator->sizes.rows * engine->generator->sizes.latent;
    CHL_FINITE(source, numbers);
    CHL_FINITE(direction, numbers);
    for (int64_t i = 0; i < numbers; i++) w[i] = source[i] + strength * direction[i];
    return CHL_OK;
}
