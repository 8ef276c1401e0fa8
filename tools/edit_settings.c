#include "edit_settings.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

edit_settings edit_defaults(void) {
    return (edit_settings){.models = {.size = sizeof(chl_engine_options)},
                           .truncation = 0.7f,
                           .margin = 1,
                           .strength = 1,
                           .starts = 1,
                           .mask_rate = 1,
                           .adam_eps = 1e-8f};
}

const char *edit_loss_wrong(const chl_edit_options *options) {
    if (options->margin != 1 && options->similarity != CHL_HINGE)
        return "--margin needs --similarity hinge";
    if (options->mask_rate != 1 && !options->adaptive_mask)
        return "--mask-rate and --fixed-mask exclude each other";
    if (options->mask_rate != 1 && options->space == CHL_SPACE_SHARED)
        return "--mask-rate and --space shared exclude each other: all rows take the same step";
    return NULL;
}

static const char *loss_wrong(const edit_settings *ask) {
    const chl_edit_options options = {.similarity = (chl_similarity)ask->similarity,
                                      .margin = ask->margin,
                                      .space = (chl_space)ask->space,
                                      .adaptive_mask = !ask->fixed,
                                      .mask_rate = ask->mask_rate};
    if (ask->neutral && options.similarity != CHL_DIRECTIONAL)
        return "--neutral needs --similarity directional";
    return edit_loss_wrong(&options);
}

/* Options of an optimisation beside a direction would change nothing. */
static const char *direction_wrong(const edit_settings *ask) {
    const edit_settings usual = edit_defaults();
    if (!ask->direction) return ask->has_strength ? "--strength needs --direction" : NULL;
    if (ask->text || ask->mix) return "--direction and --text exclude each other";
    if (ask->has_steps || ask->has_starts || ask->has_code_noise || ask->has_rate ||
        ask->has_weight || ask->has_relative || ask->has_identity || ask->has_outside)
        return "--direction adds a direction without an optimisation: leave out --steps, --starts, "
               "--code-noise, --lr and the weights of losses";
    if (ask->similarity || ask->space || ask->fixed || ask->margin != usual.margin ||
        ask->mask_rate != usual.mask_rate || ask->adam_eps != usual.adam_eps ||
        ask->latent_weight_rise != 0)
        return "--direction adds a direction without an optimisation: leave out --similarity, "
               "--margin, --space, --fixed-mask, --mask-rate, --adam-eps and --latent-weight-rise";
    return NULL;
}

const char *edit_files_wrong(const edit_settings *ask) {
    static char text[64];
    const chl_engine_options *m = &ask->models;
    const struct {
        const char *flag, *path;
    } file[] = {{"image", ask->image},
                {"latent", ask->latent},
                {"mask", ask->mask},
                {"direction", ask->direction},
                {"clip", m->clip},
                {"generator", m->generator},
                {"vocab", m->vocab},
                {"audio", m->audio},
                {"face", m->face},
                {"encoder", m->encoder},
                {"sound-texts", m->sound_texts}};
    for (size_t i = 0; i < sizeof file / sizeof file[0]; i++) {
        if (!file[i].path || file[i].path[0]) continue;
        snprintf(text, sizeof text, "--%s must be a file, got an empty name", file[i].flag);
        return text;
    }
    return NULL;
}

/* Of the steps before the edit: the inversion's and the tuning's. */
static const char *steps_wrong(const edit_settings *ask) {
    static char text[96];
    const bool needed = ask->image && ask->has_invert_steps && !ask->models.encoder;
    if (ask->tune < 0)
        snprintf(text, sizeof text, "--tune must be >= 0, got %d", ask->tune);
    else if (ask->invert_steps < 0)
        snprintf(text, sizeof text, "--invert-steps must be >= 0, got %d", ask->invert_steps);
    else if (needed && ask->invert_steps == 0)
        return "--invert-steps must be >= 1 without --encoder, got 0";
    else
        return NULL;
    return text;
}

const char *edit_settings_wrong(const edit_settings *ask) {
    const char *wrong = edit_files_wrong(ask);
    if (!wrong) wrong = direction_wrong(ask);
    if (!wrong) wrong = steps_wrong(ask);
    if (!wrong) wrong = loss_wrong(ask);
    if (wrong) return wrong;
    if (ask->keep && (ask->mix || ask->direction))
        return "--keep and --mix or --direction exclude each other: a bound is of one optimisation";
    if (ask->tune > 0 && !ask->image) return "--tune needs --image: it tunes to a photo";
    if (ask->models.encoder && !ask->image) return "--encoder needs --image";
    if (ask->has_start_steps && ask->starts < 2) return "--start-steps needs --starts 2 or more";
    if (ask->has_outside && !ask->mask) return "--outside-weight needs --mask";
    if (ask->keep && strncmp(ask->keep, "outside=", 8) == 0 && !ask->mask)
        return "--keep outside needs --mask";
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
                                      const float *neutral, const float *region) {
    chl_edit_options options = chl_edit_defaults(engine);
    if (ask->has_steps) options.steps = ask->steps;
    options.starts = ask->starts;
    options.start_steps = ask->start_steps;
    options.code_noise = (double)ask->code_noise;
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
    if (ask->mask) options.region = region;
    if (ask->has_outside) options.region_weight = (double)ask->outside_weight;
    return options;
}

chl_status edit_read_region(const edit_settings *ask, int side, float *region) {
    float *pixels;
    const chl_status status = chl_picture_read_square(ask->mask, side, &pixels);
    if (status != CHL_OK) return status;
    bool inside = false, outside = false;
    for (size_t i = 0; i < (size_t)side * (size_t)side; i++) {
        const float *p = pixels + 3 * i;
        region[i] = fminf(fmaxf((p[0] + p[1] + p[2]) / 6 + 0.5f, 0), 1);
        inside = inside || region[i] > 0;
        outside = outside || region[i] < 1;
    }
    chl_release(pixels);
    if (inside && outside) return CHL_OK;
    return command_fail(CHL_ERR_ARGUMENT,
                        "%s: a mask must be white where the picture may change and black where it "
                        "may not, got one that is all %s",
                        ask->mask, inside ? "white" : "black");
}

/* --- goals ------------------------------------------------------------------------------------ */
static const char *const kept_names[] = {"distance", "clip", "identity", "outside"};

const char *edit_keep_name(const edit_settings *ask) {
    return kept_names[ask->goal.keep];
}

bool edit_read_keep(edit_settings *ask) {
    const size_t length = strcspn(ask->keep, "=");
    ask->goal = chl_goal_defaults();
    for (int k = 0; k < 4; k++) {
        if (strlen(kept_names[k]) != length || strncmp(kept_names[k], ask->keep, length) != 0)
            continue;
        char *end;
        const bool identity = k == CHL_KEEP_IDENTITY;
        ask->goal.keep = (chl_kept)k;
        ask->goal.bound = ask->keep[length] ? strtof(ask->keep + length + 1, &end) : NAN;
        return ask->keep[length] && ask->keep[length + 1] && !*end && isfinite(ask->goal.bound) &&
               (identity ? fabsf(ask->goal.bound) < 1 : ask->goal.bound > 0);
    }
    return false;
}

chl_status edit_many(chl_engine *engine, const edit_settings *ask, const chl_edit_options *options,
                     int n, const float *source, const float *target, float *edited, float *mask,
                     chl_goal_result *goal) {
    if (!ask->keep) return chl_edit_many(engine, options, n, source, target, edited, mask);
    chl_goal_result *results = goal ? goal : calloc((size_t)n, sizeof *results);
    if (!results) return command_fail(CHL_ERR_MEMORY, "out of memory for %d searches", n);
    const int rows = chl_engine_get_sizes(engine).rows;
    for (int i = 0; mask && i < n * rows; i++) mask[i] = 1 / (float)rows;
    const chl_status status =
        chl_edit_to_goal(engine, options, &ask->goal, n, source, target, edited, results);
    if (!goal) free(results);
    return status;
}

static json_t *weight_of(const chl_goal_point *point) {
    return point->weight < 0 ? json_null() : json_real((double)point->weight);
}

json_t *edit_goal_report(const edit_settings *ask, const chl_goal_result *r) {
    const bool identity = ask->goal.keep == CHL_KEEP_IDENTITY;
    const chl_goal_point source = {-1, identity ? 1 : 0, 0};
    const chl_goal_point *best = r->chosen < 0 ? &source : &r->point[r->chosen];
    json_t *curve = json_array();
    for (int i = 0; i < r->points; i++)
        json_add(curve, json_pack("{s:o, s:f, s:f}", "weight", weight_of(&r->point[i]), "kept",
                                  (double)r->point[i].kept, "cosine", (double)r->point[i].cosine));
    return json_pack("{s:s, s:f, s:f, s:b, s:b, s:o, s:i, s:i, s:o}", "keep", edit_keep_name(ask),
                     "bound", (double)ask->goal.bound, "kept", (double)best->kept, "within",
                     r->within, "slack", r->slack, "weight", weight_of(best), "steps", r->steps,
                     "evaluations", r->evaluations, "curve", curve);
}
