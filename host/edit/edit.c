/* Edits as the library offers them: options, many at once, one, what they cost. */
#include "base/options.h"
#include "edit/edit_private.h"
#include "models/engine.h"
#include <math.h>

void chl_edit_options_init(const chl_engine *engine, size_t size, chl_edit_options *options) {
    const bool face = engine && engine->face;
    const chl_edit_options defaults = {.steps = 300,
                                       .rate = face ? 0.05f : 0.1f,
                                       .latent_weight = face ? 0.008f : 0.002f,
                                       .identity_weight = face ? 0.005f : 0,
                                       .similarity = CHL_COSINE,
                                       .margin = 1,
                                       .adaptive_mask = 1,
                                       .space = CHL_SPACE_W,
                                       .mask_rate = 1,
                                       .adam_eps = 1e-8f,
                                       .region_weight = 1,
                                       .starts = 1};
    chl_options_give(options, size, &defaults, sizeof defaults);
}

static chl_status check_numbers(const chl_edit_options *o) {
    const struct {
        const char *field;
        float value;
        bool positive; /* otherwise 0 is allowed too */
    } numbers[] = {{"rate", o->rate, true},
                   {"adam_eps", o->adam_eps, true},
                   {"latent_scale", o->latent_scale, false},
                   {"latent_weight_rise", o->latent_weight_rise, false},
                   {"mask_rate", o->mask_rate, false},
                   {"code_noise", (float)o->code_noise, false},
                   {"region_weight", (float)o->region_weight, false}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const float value = numbers[i].value;
        const bool holds = isfinite(value) && (numbers[i].positive ? value > 0 : value >= 0);
        CHL_TRY(chl_check_float(holds, numbers[i].field, numbers[i].positive ? "> 0" : ">= 0",
                                (double)value));
    }
    return CHL_OK;
}

static chl_status check_rows(const int *rows, int count) {
    int moving = 0;
    for (int i = 0; i < count; i++) {
        if (rows[i] != 0 && rows[i] != 1)
            return chl_fail(CHL_ERR_ARGUMENT, "rows must be 0 or 1, got %d at number %d", rows[i],
                            i);
        moving += rows[i];
    }
    if (moving) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "rows must let one of the %d rows move, got none", count);
}

/* Draws around a code need to know how codes vary. */
static chl_status check_mapping(const chl_generator *generator, const chl_edit_options *o) {
    const char *file = generator->model.params->source;
    if (generator->sizes.z) return CHL_OK;
    if (o->starts > 1)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "starts must be 1 for %s, got %d: it has no mapping network, which tells "
                        "how codes vary",
                        file, o->starts);
    if (o->code_noise > 0)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "code_noise must be 0 for %s, got %g: it has no mapping network, which "
                        "tells how codes vary",
                        file, o->code_noise);
    return CHL_OK;
}

chl_status chl_edit_take_options(const chl_engine *engine, const chl_edit_options *theirs,
                                 chl_edit_options *mine) {
    CHL_TRY(chl_need(engine->generator, "generator", "an edit"));
    CHL_TRY(chl_clip_need_pictures(engine->clip, "an edit"));
    *mine = chl_edit_defaults(engine);
    CHL_TRY(chl_options_take(mine, sizeof *mine, theirs, "chl_edit_options"));
    CHL_TRY(chl_check_int(mine->steps >= 1, "steps", ">= 1", mine->steps));
    CHL_TRY(chl_check_int(mine->starts >= 0, "starts", ">= 0", mine->starts));
    CHL_TRY(chl_check_int(mine->start_steps >= 0, "start_steps", ">= 0", mine->start_steps));
    CHL_TRY(check_numbers(mine));
    CHL_TRY(check_mapping(engine->generator, mine));
    CHL_TRY(chl_check_enum((int)mine->similarity, CHL_DIRECTIONAL + 1, "similarity"));
    CHL_TRY(chl_check_enum((int)mine->space, CHL_SPACE_SHARED + 1, "space"));
    if (mine->similarity == CHL_DIRECTIONAL)
        CHL_TRY(chl_need(mine->neutral, "neutral", "the directional loss"));
    if (mine->identity_weight > 0) CHL_TRY(chl_need(engine->face, "face", "the identity loss"));
    if (mine->region) CHL_TRY(chl_region_check(mine->region, engine->generator->sizes.picture));
    return mine->rows ? check_rows(mine->rows, engine->generator->sizes.rows) : CHL_OK;
}

chl_status chl_edit_many(chl_engine *engine, const chl_edit_options *theirs, int n,
                         const float *source, const float *target, float *edited, float *mask) {
    CHL_NEEDS(engine, source, target, edited);
    chl_edit_options mine;
    CHL_TRY(chl_edit_take_options(engine, theirs, &mine));
    CHL_TRY(chl_check_int(n >= 1, "n", ">= 1", n));
    const int64_t code = (int64_t)engine->generator->sizes.rows * engine->generator->sizes.latent;
    const int64_t embed = engine->clip->config.embed;
    CHL_FINITE(source, n * code);
    CHL_FINITE(target, n * embed);
    if (mine.neutral) CHL_TRY(chl_check_finite(__func__, "neutral", mine.neutral, embed));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before,
                           chl_edit_run(engine, &mine, NULL, n, source, target, edited, mask));
}

int chl_edit_is_independent(const chl_engine *engine) {
    return engine && engine->place.device->backend->samples_apart;
}

chl_status chl_edit(chl_engine *engine, const chl_edit_options *options, const float *source,
                    const float *target, float *edited, float *mask) {
    CHL_NEEDS(engine, source, target, edited);
    return chl_edit_many(engine, options, 1, source, target, edited, mask);
}

chl_status chl_edit_cost(chl_engine *engine, const chl_edit_options *options, chl_cost *cost) {
    CHL_NEEDS(engine, cost);
    return chl_edit_many_cost(engine, options, 1, cost);
}

chl_status chl_edit_many_cost(chl_engine *engine, const chl_edit_options *theirs, int n,
                              chl_cost *cost) {
    CHL_NEEDS(engine, cost);
    chl_edit_options mine;
    CHL_TRY(chl_edit_take_options(engine, theirs, &mine));
    CHL_TRY(chl_check_int(n >= 1, "n", ">= 1", n));
    *cost = (chl_cost){0};
    return chl_edit_once_cost(engine, &mine, n, cost);
}
