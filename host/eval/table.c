/* Sources x kinds, judged. */
#include "eval/statistics.h"
#include "eval/trials.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of one kind, or of all. */
typedef struct tally {
    int64_t edits, right, same[CHL_TRIAL_ATTRIBUTES], all_same, both;
} tally;

static void count(const chl_bench *b, const chl_trial *t, tally *to) {
    const chl_judge_seen *source = &b->source_seen[t->source];
    const bool right = t->seen.best[CHL_JUDGE_KIND] == b->witness[t->kind];
    bool all = true;
    for (int a = 0; a < CHL_TRIAL_ATTRIBUTES; a++) {
        const bool same = chl_same_answer(source, &t->seen, chl_trial_question(a));
        to->same[a] += same;
        all = all && same;
    }
    to->edits++;
    to->right += right;
    to->all_same += all;
    to->both += right && all;
}

static json_t *describe_tally(const tally *t) {
    json_t *unchanged = json_object();
    for (int a = 0; a < CHL_TRIAL_ATTRIBUTES; a++)
        json_object_set_new(unchanged, chl_judge_question_name(chl_trial_question(a)),
                            chl_report_share(t->same[a], t->edits));
    json_object_set_new(unchanged, "all", chl_report_share(t->all_same, t->edits));
    return json_pack("{s:I, s:o, s:o, s:o}", "edits", (json_int_t)t->edits, "named_right",
                     chl_report_share(t->right, t->edits), "unchanged", unchanged, "both",
                     chl_report_share(t->both, t->edits));
}

/* --- the control: what is named k though another kind's sound made it --------------------------
 */
static json_t *describe_control(const chl_bench *b, int n, const chl_trial *trial, int kind) {
    int64_t edits = 0, named = 0;
    double worst = 0;
    int worst_kind = -1;
    for (int other = 0; other < b->kinds; other++) {
        if (other == kind) continue;
        int64_t of_other = 0, as_kind = 0;
        for (int i = 0; i < n; i++) {
            if (trial[i].kind != other) continue;
            of_other++;
            as_kind += trial[i].seen.best[CHL_JUDGE_KIND] == b->witness[kind];
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
        json_object_set_new(control, "worst_sound", json_string(b->sounds->kind_name[worst_kind]));
    return control;
}

/* Rank correlation of a sound's strength with how much more of its kind the judge sees. */
static double strength_response(const chl_bench *b, int n, const chl_trial *trial, int kind) {
    double *strength = malloc(sizeof(double) * (size_t)(n + 1));
    double *seen = malloc(sizeof(double) * (size_t)(n + 1));
    int of_kind = 0;
    for (int i = 0; i < n && strength && seen; i++) {
        if (trial[i].kind != kind) continue;
        strength[of_kind] = (double)b->sounds->sample[trial[i].sound].strength;
        seen[of_kind++] = chl_bench_strength(b, &trial[i].seen, kind) -
                          chl_bench_strength(b, &b->source_seen[trial[i].source], kind);
    }
    const double rho = strength && seen ? chl_spearman(of_kind, strength, seen) : NAN;
    free(strength);
    free(seen);
    return rho;
}

static json_t *describe_confusion(const chl_bench *b, int n, const chl_trial *trial) {
    json_t *table = json_array(), *names = json_array();
    const int classes = b->judge_config.classes[CHL_JUDGE_KIND];
    for (int c = 0; c < classes; c++)
        json_array_append_new(names, json_string(b->judge_config.kind_name[c]));
    for (int k = 0; k < b->kinds; k++) {
        json_t *row = json_array();
        for (int c = 0; c < classes; c++) {
            int64_t cases = 0;
            for (int i = 0; i < n; i++)
                cases += trial[i].kind == k && trial[i].seen.best[CHL_JUDGE_KIND] == c;
            json_array_append_new(row, json_integer(cases));
        }
        json_array_append_new(table, row);
    }
    return json_pack("{s:o, s:o}", "named", names, "rows", table);
}

static json_t *describe_trials(const chl_bench *b, int n, const chl_trial *trial) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const chl_trial *t = &trial[i];
        const chl_sample *s = &b->sounds->sample[t->sound];
        const char *file = strrchr(s->sound, '/');
        json_t *row = json_pack("{s:i, s:s, s:s, s:f, s:s}", "source", t->source, "kind",
                                b->sounds->kind_name[t->kind], "sound", file ? file + 1 : s->sound,
                                "strength", (double)s->strength, "named",
                                b->judge_config.kind_name[t->seen.best[CHL_JUDGE_KIND]]);
        for (int a = 0; a < CHL_TRIAL_ATTRIBUTES; a++) {
            const chl_judge_question q = chl_trial_question(a);
            json_object_set_new(
                row, chl_judge_question_name(q),
                json_pack("[i, i]", b->source_seen[t->source].best[q], t->seen.best[q]));
        }
        json_array_append_new(list, row);
    }
    return list;
}

/* The judge on the untouched sources: what it says when nothing has happened. */
static json_t *describe_sources(const chl_bench *b) {
    json_t *named = json_object();
    for (int i = 0; i < b->sources; i++) {
        const char *name = b->judge_config.kind_name[b->source_seen[i].best[CHL_JUDGE_KIND]];
        const json_int_t so_far = json_integer_value(json_object_get(named, name));
        json_object_set_new(named, name, json_integer(so_far + 1));
    }
    return named;
}

static chl_status describe(const chl_bench *b, int n, const chl_trial *trial, json_t *report) {
    tally all = {0};
    json_t *per_kind = json_object();
    for (int k = 0; k < b->kinds; k++) {
        tally one = {0};
        for (int i = 0; i < n; i++)
            if (trial[i].kind == k) count(b, &trial[i], &one);
        json_t *row = describe_tally(&one);
        json_object_set_new(row, "wrong_sound", describe_control(b, n, trial, k));
        chl_report_set(row, "strength_spearman", strength_response(b, n, trial, k));
        json_object_set_new(per_kind, b->sounds->kind_name[k], row);
    }
    for (int i = 0; i < n; i++) count(b, &trial[i], &all);
    json_object_update_new(report, describe_tally(&all));
    double wrong = 0, worst = 0;
    const char *kind;
    json_t *row;
    json_object_foreach(per_kind, kind, row) {
        const json_t *control = json_object_get(row, "wrong_sound");
        wrong += json_number_value(json_object_get(control, "mean")) / b->kinds;
        worst = fmax(worst, json_number_value(json_object_get(control, "worst")));
    }
    json_object_set_new(report, "wrong_sound",
                        json_pack("{s:f, s:f}", "mean", wrong, "worst", worst));
    json_object_set_new(report, "per_kind", per_kind);
    json_object_set_new(report, "sources_named", describe_sources(b));
    json_object_set_new(report, "confusion", describe_confusion(b, n, trial));
    json_object_set_new(report, "trials", describe_trials(b, n, trial));
    if (!b->options->biased) return CHL_OK;
    int *favourite = calloc((size_t)b->kinds * CHL_TRIAL_ATTRIBUTES, sizeof *favourite);
    chl_status status = favourite ? chl_trials_favourites(b, favourite)
                                  : chl_fail(CHL_ERR_MEMORY, "out of memory for leakage");
    if (status == CHL_OK)
        json_object_set_new(report, "leakage", chl_trials_leakage(b, favourite, n, trial));
    free(favourite);
    return status;
}

/* A row per source: the source, then its edit by each kind. */
static chl_status write_sheet(const chl_bench *b, const float *pixels) {
    const chl_trial_options *o = b->options;
    const int columns = b->kinds + 1,
              rows = b->sources < o->sheet_rows ? b->sources : o->sheet_rows;
    const int64_t picture = chl_bench_picture(b);
    const float **cell = calloc((size_t)rows * (size_t)columns, sizeof *cell);
    if (!cell) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", o->sheet);
    for (int i = 0; i < rows; i++) {
        cell[i * columns] = b->source_pixels + i * picture;
        for (int k = 0; k < b->kinds; k++)
            cell[i * columns + 1 + k] = pixels + (i * b->kinds + k) * picture;
    }
    const chl_status status =
        chl_picture_grid(o->sheet, rows, columns, b->size.picture, b->size.picture, 2, cell);
    free(cell);
    return status;
}

chl_status chl_trials_table(chl_bench *b, json_t *report) {
    const int n = b->sources * b->kinds;
    chl_trial *trial = calloc((size_t)n, sizeof *trial);
    float *target = malloc(sizeof(float) * (size_t)n * (size_t)b->size.embedding);
    float *pixels =
        b->options->sheet ? malloc(sizeof(float) * (size_t)(n * chl_bench_picture(b))) : NULL;
    chl_status status = CHL_OK;
    if (!trial || !target || (b->options->sheet && !pixels))
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n));
    for (int i = 0; i < n; i++) {
        trial[i].source = i / b->kinds;
        trial[i].kind = i % b->kinds;
        trial[i].sound = chl_bench_sound(b, trial[i].source, trial[i].kind);
    }
    CHL_TRY_GOTO(chl_bench_listen(b, n, trial, target));
    const chl_bench_run run = {.what = "editing", .pixels = pixels};
    CHL_TRY_GOTO(chl_bench_edit(b, &run, n, trial));
    CHL_TRY_GOTO(describe(b, n, trial, report));
    if (pixels) CHL_TRY_GOTO(write_sheet(b, pixels));
done:
    free(trial);
    free(target);
    free(pixels);
    return status;
}
