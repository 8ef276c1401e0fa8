/* One edit: from what was asked for to codes. */
#include "direction.h"
#include "one_edit.h"
#include <stdlib.h>
#include <string.h>

static chl_status invert(chl_engine *engine, const one_edit *e, chl_progress_callback progress,
                         void *user, float *source) {
    float *pixels;
    const chl_status status =
        chl_picture_read_square(e->ask.image, chl_engine_get_sizes(engine).picture, &pixels);
    if (status != CHL_OK) return status;
    chl_invert_options options = chl_invert_defaults(engine);
    if (e->ask.invert_steps > 0) options.steps = e->ask.invert_steps;
    options.progress = progress;
    options.user = user;
    const chl_status inverted = chl_invert(engine, &options, pixels, source);
    chl_release(pixels);
    return inverted;
}

static chl_status read_code(chl_engine *engine, const one_edit *e, float *source) {
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    float *code;
    int count;
    const chl_status status = read_latents(e->ask.latent, &size, 1, &count, &code);
    if (status != CHL_OK) return status;
    memcpy(source, code, sizeof(float) * (size_t)size.rows * (size_t)size.latent);
    chl_release(code);
    return CHL_OK;
}

chl_status one_edit_source(chl_engine *engine, const one_edit *e, chl_progress_callback progress,
                           void *user, float *source) {
    if (e->ask.image) return invert(engine, e, progress, user, source);
    if (e->ask.latent) return read_code(engine, e, source);
    return chl_seed_latent(engine, one_edit_seed(e), e->ask.truncation, source);
}

chl_status one_edit_tune(chl_engine *engine, const edit_settings *ask,
                         chl_progress_callback progress, void *user, const float *source) {
    float *pixels;
    if (ask->tune == 0) return CHL_OK;
    chl_status status =
        chl_picture_read_square(ask->image, chl_engine_get_sizes(engine).picture, &pixels);
    if (status != CHL_OK) return status;
    chl_tune_options options = chl_tune_defaults(engine);
    options.steps = ask->tune;
    options.progress = progress;
    options.user = user;
    status = chl_tune(engine, &options, pixels, source);
    chl_release(pixels);
    return status;
}

chl_status one_edit_move(chl_engine *engine, file_digests *files, const edit_settings *ask,
                         const float *source, float *w) {
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    const char *generator = file_digest(files, ask->models.generator);
    direction d;
    if (!generator) return CHL_ERR_IO;
    chl_status status = direction_read(ask->direction, &d);
    if (status == CHL_OK)
        status = direction_check(&d, size.rows, size.latent, generator, ask->models.generator);
    if (status == CHL_OK) status = chl_apply_direction(engine, source, d.numbers, ask->strength, w);
    direction_free(&d);
    return status;
}

chl_status one_edit_target(chl_engine *engine, const one_edit *e, int slot, float *target) {
    if (e->ask.text && slot == 0) return chl_embed_text(engine, e->ask.text, target);
    return chl_embed_sound_level(engine, e->sound, e->level, target);
}

chl_status one_edit_library_options(chl_engine *engine, const one_edit *e,
                                    chl_edit_options *options, float **numbers) {
    const size_t side = (size_t)chl_engine_get_sizes(engine).picture;
    float *neutral = *numbers = calloc(CHL_MAX_EMBEDDING + side * side, sizeof *neutral);
    if (!neutral) return command_fail(CHL_ERR_MEMORY, "out of memory for an edit's options");
    float *region = neutral + CHL_MAX_EMBEDDING;
    chl_status status = CHL_OK;
    if (e->ask.neutral) status = chl_embed_text(engine, e->ask.neutral, neutral);
    if (status == CHL_OK && e->ask.mask) status = edit_read_region(&e->ask, (int)side, region);
    *options = edit_library_options(&e->ask, engine, neutral, region);
    if (status == CHL_OK) return CHL_OK;
    free(*numbers);
    *numbers = NULL;
    return status;
}

chl_status one_edit_result(const chl_engine *engine, const one_edit *e, const float *codes,
                           float *w) {
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    const size_t numbers = (size_t)size.rows * (size_t)size.latent;
    if (e->ask.mix)
        return chl_mix_latents(engine, e->ask.mix_kind, edit_mix_amount(&e->ask, size.rows), codes,
                               codes + numbers, w);
    memcpy(w, codes, sizeof(float) * numbers);
    return CHL_OK;
}
