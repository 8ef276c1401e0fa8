/* `chladni eval edits`: all parts, one after another. */
#include "base/clock.h"
#include "base/options.h"
#include "eval/trials.h"
#include <stdlib.h>
#include <string.h>

void chl_trial_options_init(size_t size, chl_trial_options *options) {
    const chl_trial_options defaults = {.scenes = 20,
                                        .batch = 10,
                                        .gate = 200,
                                        .intensity = 5,
                                        .louder = CHL_TRIALS_LOUDER,
                                        .levels = 7,
                                        .level_step = 4,
                                        .sheet_rows = 20};
    chl_options_give(options, size, &defaults, sizeof defaults);
}

static const char *space_name(chl_space space) {
    switch (space) {
    case CHL_SPACE_WHITENED:
        return "whitened";
    case CHL_SPACE_SHARED:
        return "shared";
    default:
        return "w";
    }
}

/* null where sounds guide by their own embeddings */
static json_t *describe_texts(const chl_sound_texts *texts) {
    if (!texts) return json_null();
    return json_pack("{s:I, s:f, s:f}", "texts", (json_int_t)texts->count, "temperature",
                     (double)texts->temperature, "own_share", (double)texts->own_share);
}

/* The settings that the figures of the report depend on. */
static json_t *describe_settings(const chl_trials *t) {
    const chl_edit_options *e = t->options->edit;
    return json_pack("{s:i, s:i, s:b, s:f, s:I, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:s, "
                     "s:s, s:b, s:o}",
                     "sources", t->sources, "kinds", t->kinds, "by_label",
                     t->options->by_label != 0, "least_strength", (double)t->options->min_strength,
                     "seed", (json_int_t)t->options->seed, "steps", e->steps, "starts", e->starts,
                     "start_steps", e->start_steps, "code_noise", e->code_noise, "rate",
                     (double)e->rate, "lambda_similarity", (double)e->latent_weight, "latent_scale",
                     (double)e->latent_scale, "lambda_rise", (double)e->latent_weight_rise,
                     "adam_eps", (double)e->adam_eps, "space", space_name(e->space), "similarity",
                     e->similarity == CHL_HINGE         ? "hinge"
                     : e->similarity == CHL_DIRECTIONAL ? "directional"
                                                        : "cosine",
                     "adaptive_mask", e->adaptive_mask != 0, "sound_texts",
                     describe_texts(t->engine->sound_texts));
}

/* Checks at the start what later parts need: the first ones can take hours. */
static chl_status check_later_parts(const chl_engine *engine, const chl_trial_options *o) {
    CHL_TRY(chl_check_int(o->gate >= 0, "gate", ">= 0", o->gate));
    CHL_TRY(chl_check_int(o->intensity >= 0, "intensity", ">= 0", o->intensity));
    if (o->intensity > 0) CHL_TRY(chl_check_int(o->levels >= 2, "levels", ">= 2", o->levels));
    CHL_TRY(chl_check_int(o->directions >= 0, "directions", ">= 0", o->directions));
    CHL_TRY(chl_check_int(o->identity >= 0, "identity", ">= 0", o->identity));
    if (o->directions > 0 && o->by_label)
        return chl_fail(CHL_ERR_ARGUMENT, "directions must be 0 with by_label: they compare edits "
                                          "by sound with edits by text");
    if (o->classifier && o->directions <= 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "directions must be >= 1 with classifier, got %d: it names their edits",
                        o->directions);
    if (o->identity > 0) {
        CHL_TRY(chl_need(engine->face, "face", "an ablation of the identity loss"));
        CHL_TRY(chl_check_float(o->edit->identity_weight > 0, "identity_weight",
                                "> 0 for an ablation of the identity loss",
                                (double)o->edit->identity_weight));
    }
    if (!o->judge && o->directions <= 0 && o->identity <= 0)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "judge must name a file, got NULL: without one, directions or identity must "
            "be >= 1");
    if (o->directions > 0) CHL_TRY(chl_clip_need_texts(engine->clip, "directions guided by text"));
    if (o->judge && o->intensity > 0 && engine->audio && engine->audio->mel == CHL_MEL_COMPATIBLE)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "intensity must be 0 for %s: it normalises every sound by its own maximum "
                        "(compatible mode), so that levels make no difference",
                        engine->audio->model.params->source);
    return CHL_OK;
}

/* A part is in the report as a whole or not at all. */
static chl_status add_part(chl_trials *trials, json_t *found,
                           chl_status (*measure)(chl_trials *trials, json_t *report)) {
    json_t *part = json_object(), *value;
    const char *key;
    const chl_status status = measure(trials, part);
    if (status == CHL_OK)
        json_object_foreach(part, key, value) chl_json_set(found, key, json_incref(value));
    json_decref(part);
    return status;
}

/* What was measured before a failure stays: hours, maybe. */
static chl_status finish(chl_status status, json_t *found, bool measured, uint64_t refused,
                         char **report) {
    char *why = status != CHL_OK && measured ? strdup(chl_error()) : NULL;
    if (!why) return chl_report_end(status, found, refused, report);
    chl_json_set(found, "failed", chl_json_string(why));
    if (chl_report_finish(found, refused, report) != CHL_OK) *report = NULL;
    status = chl_fail(status, "%s", why);
    free(why);
    return status;
}

static chl_status evaluate(chl_engine *engine, const chl_trial_options *options, char **report) {
    const double start = chl_seconds_now();
    chl_trials trials;
    CHL_TRY(check_later_parts(engine, options));
    CHL_TRY(chl_trials_open(engine, options, &trials));
    const uint64_t refused = chl_json_refused();
    json_t *found = json_object();
    chl_json_set(found, "settings", describe_settings(&trials));
    chl_status status = chl_trials_check_louder(&trials);
    if (status == CHL_OK && trials.judge) {
        status = add_part(&trials, found, chl_trials_gate);
        if (status == CHL_OK) status = add_part(&trials, found, chl_trials_table);
        if (status == CHL_OK) status = add_part(&trials, found, chl_trials_intensity);
    }
    if (status == CHL_OK) status = add_part(&trials, found, chl_trials_directions);
    if (status == CHL_OK) status = add_part(&trials, found, chl_trials_identity);
    const bool measured = json_object_size(found) > 1;
    chl_report_set(found, "seconds", chl_seconds_now() - start);
    chl_trials_close(&trials);
    return finish(status, found, measured, refused, report);
}

chl_status chl_evaluate_edits(chl_engine *engine, const chl_trial_options *theirs, char **report) {
    chl_trial_options mine = chl_trial_defaults();
    chl_edit_options edit = chl_edit_defaults(engine);
    chl_judge judge = {.size = sizeof judge};
    CHL_NEEDS(engine, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_trial_options"));
    CHL_TRY(chl_options_take(&edit, sizeof edit, mine.edit, "chl_edit_options"));
    CHL_TRY(chl_options_take(&judge, sizeof judge, mine.judged_by, "chl_judge"));
    mine.edit = &edit;
    mine.judged_by = &judge;
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, evaluate(engine, &mine, report));
}
