/* Every source edited by a sound of every kind: a table of what the judge sees. */
#include "eval/classified.h"
#include "eval/sample_statistics.h"
#include "eval/trials.h"
#include "io/picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the edits by one kind of sound, or of all. */
typedef struct tally {
    int64_t edits, right, same[CHL_JUDGE_MAX_ATTRIBUTES], all_same, both;
} tally;

static void count(const chl_trials *t, const chl_trial *trial, tally *to) {
    const chl_judgement *source = &t->source_judgement[trial->source];
    const bool right = trial->judgement.kind == t->judge_class[trial->kind];
    bool all = true;
    for (int a = 0; a < t->options->judged_by->attributes; a++) {
        const bool same = source->attribute[a] == trial->judgement.attribute[a];
        to->same[a] += same;
        all = all && same;
    }
    to->edits++;
    to->right += right;
    to->all_same += all;
    to->both += right && all;
}

static void describe_tally(const chl_judge *judge, const tally *one, json_t *into) {
    json_t *unchanged = json_object();
    for (int a = 0; a < judge->attributes; a++)
        chl_json_set(unchanged, judge->attribute[a], chl_report_share(one->same[a], one->edits));
    chl_json_set(unchanged, "all", chl_report_share(one->all_same, one->edits));
    chl_json_set(into, "edits", json_integer(one->edits));
    chl_json_set(into, "named_right", chl_report_share(one->right, one->edits));
    chl_json_set(into, "unchanged", unchanged);
    chl_json_set(into, "both", chl_report_share(one->both, one->edits));
}

/* The control: edits by sounds of other kinds that the judge names `kind`. */
static json_t *describe_control(const chl_trials *t, int n, const chl_trial *trial, int kind) {
    int64_t edits = 0, named = 0;
    double worst = 0;
    int worst_kind = -1;
    for (int other = 0; other < t->kinds; other++) {
        if (other == kind) continue;
        int64_t of_other = 0, as_kind = 0;
        for (int i = 0; i < n; i++) {
            if (trial[i].kind != other) continue;
            of_other++;
            as_kind += trial[i].judgement.kind == t->judge_class[kind];
        }
        edits += of_other;
        named += as_kind;
        const double share = (double)as_kind / (double)of_other;
        if (share > worst) {
            worst = share;
            worst_kind = other;
        }
    }
    json_t *control =
        json_pack("{s:o, s:f}", "mean", chl_report_share(named, edits), "worst", worst);
    if (worst_kind >= 0)
        chl_json_set(control, "worst_sound", json_string(t->sounds->kind_name[worst_kind]));
    return control;
}

/* Rank correlation of a sound's strength with the rise of the log odds of its kind. */
static double strength_response(const chl_trials *t, int n, const chl_trial *trial, int kind) {
    double *strength = malloc(sizeof(double) * (size_t)(n + 1));
    double *rise = malloc(sizeof(double) * (size_t)(n + 1));
    int of_kind = 0;
    for (int i = 0; i < n && strength && rise; i++) {
        if (trial[i].kind != kind) continue;
        strength[of_kind] = (double)t->sounds->sample[trial[i].sound].strength;
        rise[of_kind++] = chl_trials_log_odds(t, &trial[i].judgement, kind) -
                          chl_trials_log_odds(t, &t->source_judgement[trial[i].source], kind);
    }
    if (!strength || !rise) chl_json_refuse(); /* the report is none */
    const double rho = strength && rise ? chl_spearman(of_kind, strength, rise) : NAN;
    free(strength);
    free(rise);
    return rho;
}

static json_t *describe_confusion(const chl_trials *t, int n, const chl_trial *trial) {
    json_t *table = json_array(), *names = json_array();
    const int classes = t->judge_sizes.kinds;
    for (int c = 0; c < classes; c++) chl_json_append(names, json_string(t->judge_sizes.kind[c]));
    for (int k = 0; k < t->kinds; k++) {
        json_t *row = json_array();
        for (int c = 0; c < classes; c++) {
            int64_t cases = 0;
            for (int i = 0; i < n; i++) cases += trial[i].kind == k && trial[i].judgement.kind == c;
            chl_json_append(row, json_integer(cases));
        }
        chl_json_append(table, row);
    }
    return json_pack("{s:o, s:o}", "named", names, "rows", table);
}

static json_t *describe_trials(const chl_trials *t, int n, const chl_trial *trial) {
    const chl_judge *judge = t->options->judged_by;
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const chl_trial *one = &trial[i];
        const chl_sample *s = &t->sounds->sample[one->sound];
        const char *file = strrchr(s->sound, '/');
        json_t *row = json_pack("{s:i, s:s, s:s, s:f, s:s}", "source", one->source, "kind",
                                t->sounds->kind_name[one->kind], "sound",
                                file ? file + 1 : s->sound, "strength", (double)s->strength,
                                "named", t->judge_sizes.kind[one->judgement.kind]);
        for (int a = 0; a < judge->attributes; a++)
            chl_json_set(row, judge->attribute[a],
                         json_pack("[i, i]", t->source_judgement[one->source].attribute[a],
                                   one->judgement.attribute[a]));
        chl_json_append(list, row);
    }
    return list;
}

/* The kinds that the judge sees in the sources, before any edit. */
static json_t *describe_sources(const chl_trials *t) {
    json_t *named = json_object();
    for (int i = 0; i < t->sources; i++) {
        const char *name = t->judge_sizes.kind[t->source_judgement[i].kind];
        const json_int_t so_far = json_integer_value(json_object_get(named, name));
        chl_json_set(named, name, json_integer(so_far + 1));
    }
    return named;
}

/* Of all edits; those of one source are drawn together. */
static chl_status describe_intervals(const chl_trials *t, int n, const chl_trial *trial,
                                     json_t *report) {
    double *x = malloc(sizeof *x * 3 * (size_t)n);
    int *group = malloc(sizeof *group * (size_t)n);
    chl_status status =
        x && group ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n);
    for (int i = 0; i < n && status == CHL_OK; i++) {
        tally one = {0};
        count(t, &trial[i], &one);
        x[i] = (double)one.right;
        x[n + i] = (double)one.all_same;
        x[2 * n + i] = (double)one.both;
        group[i] = trial[i].source;
    }
    static const char *const keys[] = {"named_right_interval", "unchanged_interval",
                                       "both_interval"};
    for (int k = 0; k < 3 && status == CHL_OK; k++)
        status = chl_report_interval(report, keys[k], n, x + (ptrdiff_t)k * n, group);
    free(x);
    free(group);
    return status;
}

static chl_status describe(const chl_trials *t, int n, const chl_trial *trial, json_t *report) {
    tally all = {0};
    json_t *per_kind = json_object();
    for (int k = 0; k < t->kinds; k++) {
        tally one = {0};
        for (int i = 0; i < n; i++)
            if (trial[i].kind == k) count(t, &trial[i], &one);
        json_t *row = json_object();
        describe_tally(t->options->judged_by, &one, row);
        chl_json_set(row, "wrong_sound", describe_control(t, n, trial, k));
        chl_report_set(row, "strength_spearman", strength_response(t, n, trial, k));
        chl_json_set(per_kind, t->sounds->kind_name[k], row);
    }
    for (int i = 0; i < n; i++) count(t, &trial[i], &all);
    describe_tally(t->options->judged_by, &all, report);
    double wrong = 0, worst = 0;
    const char *kind;
    json_t *row;
    json_object_foreach(per_kind, kind, row) {
        const json_t *control = json_object_get(row, "wrong_sound");
        wrong += json_number_value(json_object_get(control, "mean")) / t->kinds;
        worst = fmax(worst, json_number_value(json_object_get(control, "worst")));
    }
    chl_json_set(report, "wrong_sound", json_pack("{s:f, s:f}", "mean", wrong, "worst", worst));
    chl_json_set(report, "per_kind", per_kind);
    chl_json_set(report, "sources_named", describe_sources(t));
    chl_json_set(report, "confusion", describe_confusion(t, n, trial));
    chl_json_set(report, "trials", describe_trials(t, n, trial));
    CHL_TRY(describe_intervals(t, n, trial, report));
    if (!t->options->biased) return CHL_OK;
    int *favourite =
        calloc((size_t)(t->kinds * t->options->judged_by->attributes) + 1, sizeof *favourite);
    chl_status status = favourite ? chl_trials_favourites(t, favourite)
                                  : chl_fail(CHL_ERR_MEMORY, "out of memory for leakage");
    if (status == CHL_OK)
        chl_json_set(report, "leakage", chl_trials_leakage(t, favourite, n, trial));
    free(favourite);
    return status;
}

/* A row per source: the source, then its edit by each kind. */
static chl_status write_sheet(const chl_trials *t, const float *pixels) {
    const chl_trial_options *o = t->options;
    const int columns = t->kinds + 1,
              rows = t->sources < o->sheet_rows ? t->sources : o->sheet_rows;
    const int64_t picture = chl_trials_picture(t);
    const float **cell = calloc((size_t)rows * (size_t)columns, sizeof *cell);
    if (!cell) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", o->sheet);
    for (int i = 0; i < rows; i++) {
        cell[i * columns] = t->source_pixels + i * picture;
        for (int k = 0; k < t->kinds; k++)
            cell[i * columns + 1 + k] = pixels + (i * t->kinds + k) * picture;
    }
    const chl_status status =
        chl_raster_write_grid(o->sheet, rows, columns, t->size.picture, t->size.picture, 2, cell);
    free(cell);
    return status;
}

chl_status chl_trials_table(chl_trials *t, json_t *report) {
    const int n = t->sources * t->kinds;
    chl_trial *trial = calloc((size_t)n, sizeof *trial);
    float *target = malloc(sizeof(float) * (size_t)n * (size_t)t->size.embedding);
    float *pixels =
        t->options->sheet ? malloc(sizeof(float) * (size_t)(n * chl_trials_picture(t))) : NULL;
    chl_status status = CHL_OK;
    if (!trial || !target || (t->options->sheet && !pixels))
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n));
    for (int i = 0; i < n; i++) {
        trial[i].source = i / t->kinds;
        trial[i].kind = i % t->kinds;
        trial[i].sound = chl_trials_sound(t, trial[i].source, trial[i].kind);
    }
    CHL_TRY_GOTO(chl_trials_targets(t, n, trial, target));
    const chl_trial_run run = {.what = "editing", .pixels = pixels};
    CHL_TRY_GOTO(chl_trials_edit(t, &run, n, trial));
    CHL_TRY_GOTO(describe(t, n, trial, report));
    if (pixels) CHL_TRY_GOTO(write_sheet(t, pixels));
done:
    free(trial);
    free(target);
    free(pixels);
    return status;
}
