/* What one difference in training does: the same figures for groups of audio encoders, each group
 * from several seeds, as means with 95 % intervals (Student's t). */
#include "base/options.h"
#include "eval/embed.h"
#include "eval/report.h"
#include "eval/sample_statistics.h"
#include "models/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIGURES (7 + 2 * CHL_JUDGE_MAX_ATTRIBUTES)

/* A number that encoders are compared by. */
typedef struct figure {
    char name[64], path[64]; /* in this report, and in the encoder's own: keys with / between */
    bool of_edits;           /* chl_evaluate_edits' report, or chl_evaluate_zero_shot's */
} figure;

typedef struct figure_list {
    figure figure[MAX_FIGURES];
    int count;
} figure_list;

static void add(figure_list *list, bool of_edits, const char *name, const char *path) {
    figure *f = &list->figure[list->count++];
    f->of_edits = of_edits;
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(f->path, sizeof f->path, "%s", path);
}

static void add_of_attributes(figure_list *list, const chl_judge *judge, const char *name,
                              const char *path) {
    for (int a = 0; a < judge->attributes; a++) {
        char own_name[64], own_path[64];
        snprintf(own_name, sizeof own_name, name, judge->attribute[a]);
        snprintf(own_path, sizeof own_path, path, judge->attribute[a]);
        add(list, true, own_name, own_path);
    }
}

static figure_list list_figures(const chl_judge *judge) {
    figure_list list = {.count = 0};
    add(&list, false, "zero_shot", "accuracy");
    add(&list, true, "named_right", "named_right");
    add_of_attributes(&list, judge, "unchanged_%s", "unchanged/%s");
    add(&list, true, "unchanged_all", "unchanged/all");
    add(&list, true, "both", "both");
    add(&list, true, "wrong_sound", "wrong_sound/mean");
    add_of_attributes(&list, judge, "leak_%s", "leakage/%s/to_favourite");
    add(&list, true, "leak_all", "leakage/all/to_favourite");
    add(&list, true, "moved_elsewhere", "leakage/all/elsewhere");
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
static chl_status read_figures(const figure_list *list, const char *text, bool of_edits,
                               double *value) {
    json_t *report;
    CHL_TRY(chl_json_read(text, strlen(text), 0, "a report", &report, NULL));
    for (int f = 0; f < list->count; f++)
        if (list->figure[f].of_edits == of_edits) value[f] = look_up(report, list->figure[f].path);
    json_decref(report);
    return CHL_OK;
}

/* The caller's options and those they point to. */
typedef struct ablation {
    chl_ablation_options options;
    chl_engine_options models;
    chl_zero_shot_options zero_shot;
    chl_trial_options trial;
    chl_judge judge;
} ablation;

static chl_status take_options(const chl_ablation_options *theirs, ablation *mine) {
    *mine = (ablation){.options = {.size = sizeof mine->options},
                       .models = {.size = sizeof mine->models},
                       .zero_shot = {.size = sizeof mine->zero_shot},
                       .trial = chl_trial_defaults(),
                       .judge = {.size = sizeof mine->judge}};
    chl_ablation_options *o = &mine->options;
    CHL_TRY(chl_options_take(o, sizeof *o, theirs, "chl_ablation_options"));
    CHL_TRY(chl_options_take(&mine->models, sizeof mine->models, o->models, "chl_engine_options"));
    CHL_TRY(chl_options_take(&mine->zero_shot, sizeof mine->zero_shot, o->zero_shot,
                             "chl_zero_shot_options"));
    CHL_TRY(chl_options_take(&mine->trial, sizeof mine->trial, o->trial, "chl_trial_options"));
    CHL_TRY(chl_options_take(&mine->judge, sizeof mine->judge, mine->trial.judged_by, "chl_judge"));
    CHL_TRY(chl_check_int(mine->judge.attributes >= 0 &&
                              mine->judge.attributes <= CHL_JUDGE_MAX_ATTRIBUTES,
                          "chl_judge.attributes", "0 to 8", mine->judge.attributes));
    return o->groups > 0 ? chl_check_pointer(o->group, "group") : CHL_OK;
}

static chl_status measure_engine(chl_engine *engine, const ablation *a, const figure_list *list,
                                 bool fixed_mask, double *value) {
    char *text;
    if (a->zero_shot.data) {
        CHL_TRY(chl_evaluate_zero_shot(engine, &a->zero_shot, &text));
        const chl_status status = read_figures(list, text, false, value);
        free(text);
        CHL_TRY(status);
    }
    if (!a->trial.sources) return CHL_OK;
    chl_trial_options trial = a->trial;
    chl_edit_options edit = chl_edit_defaults(engine);
    CHL_TRY(chl_options_take(&edit, sizeof edit, trial.edit, "chl_edit_options"));
    if (fixed_mask) edit.adaptive_mask = 0;
    trial.edit = &edit;
    /* parts that do not depend on the audio encoder, or add no figure to this report */
    trial.gate = trial.intensity = trial.directions = 0;
    trial.sheet = NULL;
    CHL_TRY(chl_evaluate_edits(engine, &trial, &text));
    const chl_status status = read_figures(list, text, true, value);
    free(text);
    return status;
}

static chl_status measure_encoder(const ablation *a, const figure_list *list, const char *audio,
                                  bool fixed_mask, double *value) {
    chl_engine_options models = a->models;
    chl_engine *engine;
    for (int f = 0; f < list->count; f++) value[f] = NAN;
    models.audio = audio;
    CHL_TRY(chl_models_open(&models, &engine));
    const chl_status status = measure_engine(engine, a, list, fixed_mask, value);
    chl_models_close(engine);
    return status == CHL_OK ? CHL_OK : chl_fail_in(status, "%s", audio);
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

static chl_status measure_group(const ablation *a, const chl_ablation_group *group, int *done,
                                int all, json_t *groups) {
    const figure_list list = list_figures(&a->judge);
    const chl_progress_watch watch = {a->trial.progress, a->trial.user};
    double *value = malloc(sizeof(double) * (size_t)(list.count + 1) * (size_t)group->encoders);
    if (!value) return chl_fail(CHL_ERR_MEMORY, "out of memory for an ablation");
    chl_status status = CHL_OK;
    for (int e = 0; e < group->encoders && status == CHL_OK; e++) {
        status = measure_encoder(a, &list, group->audio[e], group->fixed_mask != 0,
                                 value + e * list.count);
        if (status == CHL_OK) status = chl_report_progress(&watch, "encoders", ++*done, all);
    }
    if (status == CHL_OK)
        chl_json_append(groups,
                        describe(&list, group, value, value + list.count * group->encoders));
    free(value);
    return status;
}

chl_status chl_evaluate_ablation(const chl_ablation_options *theirs, char **report) {
    ablation mine;
    CHL_NEEDS(report);
    *report = NULL;
    CHL_TRY(take_options(theirs, &mine));
    const chl_ablation_options *options = &mine.options;
    if (!mine.zero_shot.data && !mine.trial.sources)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "zero_shot.data or trial.sources must name a folder, got NULL for both");
    int done = 0, all = 0;
    for (int i = 0; i < options->groups; i++) {
        if (options->group[i].encoders < 1)
            return chl_fail(CHL_ERR_ARGUMENT, "group \"%s\": encoders must be >= 1, got %d",
                            options->group[i].name, options->group[i].encoders);
        CHL_TRY(chl_check_pointer(options->group[i].name, "group.name"));
        CHL_TRY(chl_check_pointer(options->group[i].audio, "group.audio"));
        CHL_TRY(chl_check_texts(__func__, "group.audio", options->group[i].encoders,
                                options->group[i].audio));
        all += options->group[i].encoders;
    }
    const uint64_t refused = chl_json_refused();
    json_t *list = json_array();
    chl_status status = CHL_OK;
    for (int i = 0; i < options->groups && status == CHL_OK; i++)
        status = measure_group(&mine, &options->group[i], &done, all, list);
    if (status == CHL_OK)
        return chl_report_finish(json_pack("{s:o}", "groups", list), refused, report);
    json_decref(list);
    return status;
}
