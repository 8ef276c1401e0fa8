/* What one difference in training does: the same figures for groups of audio encoders, each group
 * from several seeds, as means with 95 % intervals (Student's t). */
#include "base/options.h"
#include "eval/embed.h"
#include "eval/published.h"
#include "eval/report.h"
#include "eval/sample_statistics.h"
#include "io/picture.h"
#include "models/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIGURES (18 + 2 * CHL_JUDGE_MAX_ATTRIBUTES)

/* Whose report a number is in. */
typedef enum evaluation { ZERO_SHOT, PROBE, RETRIEVAL, EDITS } evaluation;

/* A number that encoders are compared by. */
typedef struct figure {
    char name[64], path[64]; /* in this report, and in the encoder's own: keys with / between */
    evaluation of;
} figure;

typedef struct figure_list {
    figure figure[MAX_FIGURES];
    int count;
} figure_list;

static void add(figure_list *list, evaluation of, const char *name, const char *path) {
    figure *f = &list->figure[list->count++];
    f->of = of;
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(f->path, sizeof f->path, "%s", path);
}

static void add_of_attributes(figure_list *list, const chl_judge *judge, const char *name,
                              const char *path) {
    for (int a = 0; a < judge->attributes; a++) {
        char own_name[64], own_path[64];
        snprintf(own_name, sizeof own_name, name, judge->attribute[a]);
        snprintf(own_path, sizeof own_path, path, judge->attribute[a]);
        add(list, EDITS, own_name, own_path);
    }
}

static void add_of_ways(figure_list *list, const char *depth) {
    static const char *const ways[][2] = {{"audio_to_image", "audio_image"},
                                          {"image_to_audio", "audio_image"},
                                          {"audio_to_text", "audio_text"},
                                          {"text_to_audio", "audio_text"}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char name[64], path[64];
        snprintf(name, sizeof name, "%s_%s", ways[i][0], depth);
        snprintf(path, sizeof path, "%s/%s/%s/share", ways[i][1], ways[i][0], depth);
        add(list, RETRIEVAL, name, path);
    }
}

static figure_list list_figures(const chl_judge *judge) {
    figure_list list = {.count = 0};
    add(&list, ZERO_SHOT, "zero_shot", "accuracy");
    add(&list, ZERO_SHOT, "zero_shot_balanced", "balanced");
    add(&list, PROBE, "probe", "accuracy");
    add_of_ways(&list, "r1");
    add_of_ways(&list, "r10");
    add(&list, EDITS, "named_right", "named_right");
    add_of_attributes(&list, judge, "unchanged_%s", "unchanged/%s");
    add(&list, EDITS, "unchanged_all", "unchanged/all");
    add(&list, EDITS, "both", "both");
    add(&list, EDITS, "wrong_sound", "wrong_sound/mean");
    add_of_attributes(&list, judge, "leak_%s", "leakage/%s/to_favourite");
    add(&list, EDITS, "leak_all", "leakage/all/to_favourite");
    add(&list, EDITS, "moved_elsewhere", "leakage/all/elsewhere");
    add(&list, EDITS, "louder_spearman", "intensity_spearman");
    return list;
}

/* NAN where the report has no such number */
static double look_up(const json_t *report, const char *path) {
    char key[32];
    for (const char *at = path; report && *at; at += strspn(at, "/")) {
        const size_t length = strcspn(at, "/");
        if (length >= sizeof key) return NAN;
        memcpy(key, at, length);
        key[length] = 0;
        report = json_object_get(report, key);
        at += length;
    }
    return json_is_number(report) ? json_number_value(report) : NAN;
}

/* value [figures] of one encoder */
static chl_status read_figures(const figure_list *list, const char *text, evaluation of,
                               double *value) {
    json_t *report;
    CHL_TRY(chl_json_read(text, strlen(text), 0, "a report", &report, NULL));
    for (int f = 0; f < list->count; f++)
        if (list->figure[f].of == of) value[f] = look_up(report, list->figure[f].path);
    json_decref(report);
    return CHL_OK;
}

/* The caller's options and those they point to. */
typedef struct ablation {
    chl_ablation_options options;
    chl_engine_options models;
    chl_zero_shot_options zero_shot;
    chl_trial_options trial;
    chl_probe_options probe;
    chl_retrieval_options retrieval;
    chl_judge judge;
    chl_raster sheet; /* rows of groups, one below the other */
} ablation;

/* One that is measured. */
typedef struct encoder {
    const char *audio, *clip; /* clip NULL: that of the options */
    bool fixed_mask;
    const char *row; /* NULL, or where its row of the sheet is written */
} encoder;

static chl_status take_options(const chl_ablation_options *theirs, ablation *mine) {
    *mine = (ablation){.options = {.size = sizeof mine->options},
                       .models = {.size = sizeof mine->models},
                       .zero_shot = {.size = sizeof mine->zero_shot},
                       .trial = chl_trial_defaults(),
                       .probe = {.size = sizeof mine->probe},
                       .retrieval = {.size = sizeof mine->retrieval},
                       .judge = {.size = sizeof mine->judge}};
    chl_ablation_options *o = &mine->options;
    CHL_TRY(chl_options_take(o, sizeof *o, theirs, "chl_ablation_options"));
    CHL_TRY(chl_options_take(&mine->models, sizeof mine->models, o->models, "chl_engine_options"));
    CHL_TRY(chl_options_take(&mine->zero_shot, sizeof mine->zero_shot, o->zero_shot,
                             "chl_zero_shot_options"));
    CHL_TRY(chl_options_take(&mine->trial, sizeof mine->trial, o->trial, "chl_trial_options"));
    CHL_TRY(chl_options_take(&mine->probe, sizeof mine->probe, o->probe, "chl_probe_options"));
    CHL_TRY(chl_options_take(&mine->retrieval, sizeof mine->retrieval, o->retrieval,
                             "chl_retrieval_options"));
    CHL_TRY(chl_options_take(&mine->judge, sizeof mine->judge, mine->trial.judged_by, "chl_judge"));
    CHL_TRY(chl_check_int(mine->judge.attributes >= 0 &&
                              mine->judge.attributes <= CHL_JUDGE_MAX_ATTRIBUTES,
                          "chl_judge.attributes", "0 to 8", mine->judge.attributes));
    CHL_TRY(chl_check_int(mine->zero_shot.limit >= 0, "limit", ">= 0", mine->zero_shot.limit));
    CHL_TRY(chl_check_int(mine->trial.intensity >= 0, "intensity", ">= 0", mine->trial.intensity));
    return o->groups > 0 ? chl_check_pointer(o->group, "group") : CHL_OK;
}

/* Reads the figures of a report, which it frees. */
static chl_status take_report(const figure_list *list, evaluation of, chl_status status, char *text,
                              double *value) {
    if (status == CHL_OK) status = read_figures(list, text, of, value);
    free(text);
    return status;
}

static chl_status measure_edits(chl_engine *engine, const ablation *a, const figure_list *list,
                                const encoder *e, double *value) {
    chl_trial_options trial = a->trial;
    chl_edit_options edit = chl_edit_defaults(engine);
    CHL_TRY(chl_options_take(&edit, sizeof edit, trial.edit, "chl_edit_options"));
    if (e->fixed_mask) edit.adaptive_mask = 0;
    trial.edit = &edit;
    /* parts that do not depend on the audio encoder, or add no figure to this report */
    trial.gate = trial.directions = 0;
    /* an encoder that hears every sound at its own maximum knows no levels */
    if (!a->options.intensity || engine->audio->mel == CHL_MEL_COMPATIBLE) trial.intensity = 0;
    trial.sheet = e->row;
    trial.sheet_rows = 1;
    char *text = NULL;
    const chl_status status = chl_evaluate_edits(engine, &trial, &text);
    return take_report(list, EDITS, status, text, value);
}

static chl_status measure_engine(chl_engine *engine, const ablation *a, const figure_list *list,
                                 const encoder *e, double *value) {
    char *text = NULL;
    if (a->zero_shot.data) {
        const chl_status status = chl_evaluate_zero_shot(engine, &a->zero_shot, &text);
        CHL_TRY(take_report(list, ZERO_SHOT, status, text, value));
    }
    if (a->probe.data) {
        text = NULL;
        const chl_status status = chl_evaluate_probe(engine, &a->probe, &text);
        CHL_TRY(take_report(list, PROBE, status, text, value));
    }
    if (a->retrieval.data) {
        text = NULL;
        const chl_status status = chl_evaluate_retrieval(engine, &a->retrieval, &text);
        CHL_TRY(take_report(list, RETRIEVAL, status, text, value));
    }
    return a->trial.sources ? measure_edits(engine, a, list, e, value) : CHL_OK;
}

static encoder encoder_of(const ablation *a, int group, int number) {
    return (encoder){.audio = a->options.group[group].audio[number],
                     .clip = a->options.clip ? a->options.clip[group] : NULL,
                     .fixed_mask = a->options.group[group].fixed_mask != 0};
}

static chl_status open_models(const ablation *a, const encoder *e, chl_engine **out) {
    chl_engine_options models = a->models;
    models.audio = e->audio;
    if (e->clip) models.clip = e->clip;
    return chl_models_open(&models, out);
}

static chl_status measure_encoder(const ablation *a, const figure_list *list, const encoder *e,
                                  double *value) {
    chl_engine *engine;
    for (int f = 0; f < list->count; f++) value[f] = NAN;
    CHL_TRY(open_models(a, e, &engine));
    const chl_status status = measure_engine(engine, a, list, e, value);
    chl_models_close(engine);
    /* what is wrong comes first: most often the sounds, which all encoders share */
    return status == CHL_OK
               ? CHL_OK
               : chl_fail(status, "%s (measuring the encoder %s)", chl_error(), e->audio);
}

/* value [encoders][figures]; column [encoders] is scratch */
static json_t *describe(const figure_list *list, const chl_ablation_group *group,
                        const double *value, double *column) {
    json_t *table = json_object();
    for (int f = 0; f < list->count; f++) {
        json_t *each = json_array();
        bool any = false;
        for (int e = 0; e < group->encoders; e++) {
            column[e] = value[e * list->count + f];
            any = any || !isnan(column[e]);
            chl_json_append(each, chl_report_number(column[e]));
        }
        json_t *row = json_pack("{s:o}", "each", each);
        chl_report_set(row, "mean", chl_mean_of(group->encoders, column));
        chl_report_set(row, "interval", chl_interval_of(group->encoders, column));
        if (any)
            chl_json_set(table, list->figure[f].name, row);
        else
            json_decref(row);
    }
    return json_pack("{s:o, s:i, s:b, s:o}", "name", chl_json_string(group->name), "encoders",
                     group->encoders, "fixed_mask", group->fixed_mask != 0, "figures", table);
}

static chl_status measure_group(const ablation *a, int number, const char *row, int *done, int all,
                                json_t *groups) {
    const chl_ablation_group *group = &a->options.group[number];
    const figure_list list = list_figures(&a->judge);
    const chl_progress_watch watch = {a->trial.progress, a->trial.user};
    double *value = malloc(sizeof(double) * (size_t)(list.count + 1) * (size_t)group->encoders);
    if (!value) return chl_fail(CHL_ERR_MEMORY, "out of memory for an ablation");
    chl_status status = CHL_OK;
    for (int i = 0; i < group->encoders && status == CHL_OK; i++) {
        encoder e = encoder_of(a, number, i);
        e.row = i == 0 ? row : NULL;
        status = measure_encoder(a, &list, &e, value + i * list.count);
        if (status == CHL_OK) status = chl_report_progress(&watch, "encoders", ++*done, all);
    }
    if (status == CHL_OK)
        chl_json_append(groups,
                        describe(&list, group, value, value + list.count * group->encoders));
    free(value);
    return status;
}

/* --- sheet ------------------------------------------------------------------------------------ */
/* Appends the row in the file, which it removes. */
static chl_status append_row(const char *path, chl_raster *sheet) {
    chl_raster row = {0};
    chl_status status = chl_raster_read(path, &row);
    remove(path);
    if (status != CHL_OK) return status;
    const size_t line = 3 * (size_t)row.width, above = line * (size_t)sheet->height,
                 below = line * (size_t)row.height;
    uint8_t *pixels = realloc(sheet->rgb, above + below);
    if (pixels) {
        memcpy(pixels + above, row.rgb, below);
        *sheet =
            (chl_raster){.height = sheet->height + row.height, .width = row.width, .rgb = pixels};
    } else {
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for a sheet");
    }
    chl_raster_free(&row);
    return status;
}

/* An encoder that cannot be opened beside its CLIP is found before hours of measuring others. */
static chl_status try_opening(const ablation *a) {
    for (int g = 0; g < a->options.groups; g++)
        for (int i = 0; i < a->options.group[g].encoders; i++) {
            const encoder e = encoder_of(a, g, i);
            chl_engine *engine;
            CHL_TRY(open_models(a, &e, &engine));
            chl_models_close(engine);
        }
    return CHL_OK;
}

static chl_status measure_groups(ablation *a, int all, json_t *groups) {
    const char *sheet = a->trial.sources ? a->options.sheet : NULL;
    char row[4096];
    int done = 0;
    if (sheet && (size_t)snprintf(row, sizeof row, "%s.row.png", sheet) >= sizeof row)
        return chl_fail(CHL_ERR_ARGUMENT, "sheet must be shorter than %zu bytes", sizeof row - 8);
    for (int i = 0; i < a->options.groups; i++) {
        CHL_TRY(measure_group(a, i, sheet ? row : NULL, &done, all, groups));
        if (sheet) CHL_TRY(append_row(row, &a->sheet));
    }
    if (!sheet || !a->sheet.rgb) return CHL_OK;
    return chl_raster_write_png(sheet, a->sheet.height, a->sheet.width, a->sheet.rgb);
}

/* --- all -------------------------------------------------------------------------------------- */
static chl_status check_groups(const chl_ablation_options *options, int *encoders) {
    *encoders = 0;
    for (int i = 0; i < options->groups; i++) {
        const chl_ablation_group *group = &options->group[i];
        if (group->encoders < 1)
            return chl_fail(CHL_ERR_ARGUMENT, "group \"%s\": encoders must be >= 1, got %d",
                            group->name, group->encoders);
        CHL_TRY(chl_check_pointer(group->name, "group.name"));
        CHL_TRY(chl_check_pointer(group->audio, "group.audio"));
        CHL_TRY(chl_check_texts(__func__, "group.audio", group->encoders, group->audio));
        *encoders += group->encoders;
    }
    return CHL_OK;
}

chl_status chl_evaluate_ablation(const chl_ablation_options *theirs, char **report) {
    ablation mine;
    int encoders;
    CHL_NEEDS(report);
    *report = NULL;
    CHL_TRY(take_options(theirs, &mine));
    if (!mine.zero_shot.data && !mine.trial.sources && !mine.probe.data && !mine.retrieval.data)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "zero_shot.data, probe.data, retrieval.data or trial.sources must name a "
                        "folder, got NULL for all");
    CHL_TRY(check_groups(&mine.options, &encoders));
    CHL_TRY(try_opening(&mine));
    const uint64_t refused = chl_json_refused();
    json_t *list = json_array();
    const chl_status status = measure_groups(&mine, encoders, list);
    free(mine.sheet.rgb);
    if (status != CHL_OK) {
        json_decref(list);
        return status;
    }
    json_t *root = json_pack("{s:o}", "groups", list);
    if (mine.options.published) chl_json_set(root, "published", chl_published_encoders());
    return chl_report_finish(root, refused, report);
}
