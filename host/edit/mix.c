/* Two edits as one (METHOD section 4). */
#include "models/engine.h"
#include <chladni/edit.h>
#include <math.h>

chl_status chl_mix_latents(const chl_engine *engine, chl_mix mix, float amount, const float *text,
                           const float *sound, float *mixed) {
    CHL_TRY(chl_need(engine->generator, "generator", "mixing latents"));
    const int rows = engine->generator->sizes.rows, d = engine->generator->sizes.latent;
    if (mix == CHL_MIX_LINEAR && !(amount >= 0 && amount <= 1))
        return chl_fail(CHL_ERR_ARGUMENT, "a mix of %g parts text: should be 0 to 1", amount);
    if (mix == CHL_MIX_ROWS && !(amount >= 0 && amount <= rows && amount == floorf(amount)))
        return chl_fail(CHL_ERR_ARGUMENT, "%g rows from the sound: a code of %s has %d", amount,
                        engine->generator->model.params->source, rows);
    if (mix != CHL_MIX_LINEAR && mix != CHL_MIX_ROWS)
        return chl_fail(CHL_ERR_ARGUMENT, "%d is no way to mix", (int)mix);
    for (int i = 0; i < rows * d; i++) {
        const float of_text = mix == CHL_MIX_LINEAR ? amount : i / d >= (int)amount;
        mixed[i] = of_text * text[i] + (1 - of_text) * sound[i];
    }
    return CHL_OK;
}
