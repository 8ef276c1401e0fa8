/* Two edits as one (METHOD section 4). */
#include "base/options.h"
#include "models/engine.h"
#include <chladni/edit.h>
#include <math.h>

chl_status chl_mix_latents(const chl_engine *engine, chl_mix mix, float amount, const float *text,
                           const float *sound, float *mixed) {
    CHL_NEEDS(engine, text, sound, mixed);
    CHL_TRY(chl_need(engine->generator, "generator", "mixing latents"));
    const int rows = engine->generator->sizes.rows, d = engine->generator->sizes.latent;
    CHL_TRY(chl_check_enum((int)mix, CHL_MIX_ROWS + 1, "mix"));
    if (mix == CHL_MIX_LINEAR)
        CHL_TRY(chl_check_float(amount >= 0 && amount <= 1, "amount", "in [0, 1]", (double)amount));
    if (mix == CHL_MIX_ROWS && !(amount >= 0 && amount <= rows && amount == floorf(amount)))
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "amount must be a whole number in [0, %d], the rows of a code of %s, got %g", rows,
            engine->generator->model.params->source, (double)amount);
    CHL_FINITE(text, rows * d);
    CHL_FINITE(sound, rows * d);
    for (int i = 0; i < rows * d; i++) {
        const float of_text = mix == CHL_MIX_LINEAR ? amount : i / d >= (int)amount;
        mixed[i] = of_text * text[i] + (1 - of_text) * sound[i];
    }
    return CHL_OK;
}
