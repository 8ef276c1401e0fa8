#include "eval/classified.h"
#include "eval/report.h"
#include "eval/sample_statistics.h"
#include "plot/matrix.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

chl_classified chl_classified_in(chl_corpus *c, int *named) {
    int64_t at = 0;
    for (int64_t i = 0; i < c->count; i++) {
        if (named[i] < 0) continue;
        named[at] = named[i];
        c->truth[at] = c->truth[i];
        c->fold[at] = c->fold[i];
        c->group[at++] = c->group[i];
    }
    return (chl_classified){.count = at,
                            .truth = c->truth,
                            .named = named,
                            .fold = c->fold,
                            .group = c->group,
                            .labels = c->labels,
                            .label = (const char *const *)c->label};
}

/* --- counts ----------------------------------------------------------------------------------- */
static int64_t *count_confusion(const chl_classified *d) {
    int64_t *confusion = calloc((size_t)d->labels * (size_t)d->labels, sizeof *confusion);
    for (int64_t i = 0; confusion && i < d->count; i++)
        confusion[(int64_t)d->truth[i] * d->labels + d->named[i]]++;
    return confusion;
}

static chl_status no_memory(const chl_classified *d) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for a report on %lld sounds",
                    (long long)d->count);
}

static chl_status describe_labels(const chl_classified *d, json_t *report) {
    int64_t *confusion = count_confusion(d), hits = 0;
    if (!confusion) return no_memory(d);
    json_t *per_label = json_object(), *table = json_array(), *names = json_array();
    double total = 0;
    int present = 0;
    for (int t = 0; t < d->labels; t++) {
        json_t *row = json_array();
        const int64_t right = confusion[(int64_t)t * d->labels + t];
        int64_t sounds = 0;
        for (int k = 0; k < d->labels; k++) {
            const int64_t count = confusion[(int64_t)t * d->labels + k];
            sounds += count;
            chl_json_append(row, json_integer(count));
        }
        hits += right;
        present += sounds > 0;
        if (sounds > 0) total += (double)right / (double)sounds;
        chl_json_append(table, row);
        chl_json_append(names, chl_json_string(d->label[t]));
        chl_json_set(per_label, d->label[t],
                     json_pack("{s:I, s:o}", "sounds", (json_int_t)sounds, "accuracy",
                               chl_report_share(right, sounds)));
    }
    free(confusion);
    chl_json_set(report, "sounds", json_integer(d->count));
    chl_json_set(report, "accuracy", chl_report_share(hits, d->count));
    chl_report_set(report, "balanced", present ? total / present : NAN);
    chl_json_set(report, "per_label", per_label);
    chl_json_set(report, "labels", names);
    chl_json_set(report, "confusion", table);
    return CHL_OK;
}

/* --- folds ------------------------------------------------------------------------------------ */
static chl_status describe_folds(const chl_classified *d, json_t *report) {
    int folds = 0, used = 0;
    for (int64_t i = 0; d->fold && i < d->count; i++)
        if (d->fold[i] > folds) folds = d->fold[i];
    if (folds == 0) return CHL_OK;
    double *accuracy = calloc((size_t)folds, sizeof *accuracy);
    if (!accuracy) return no_memory(d);
    json_t *list = json_array();
    for (int fold = 1; fold <= folds; fold++) {
        int64_t sounds = 0, hits = 0;
        for (int64_t i = 0; i < d->count; i++) {
            sounds += d->fold[i] == fold;
            hits += d->fold[i] == fold && d->named[i] == d->truth[i];
        }
        if (sounds == 0) continue;
        accuracy[used++] = (double)hits / (double)sounds;
        chl_json_append(list,
                        json_pack("{s:i, s:I, s:o}", "fold", fold, "sounds", (json_int_t)sounds,
                                  "accuracy", chl_report_share(hits, sounds)));
    }
    chl_json_set(report, "folds", list);
    chl_report_set(report, "fold_mean", chl_mean_of(used, accuracy));
    chl_report_set(report, "fold_interval", chl_interval_of(used, accuracy));
    free(accuracy);
    return CHL_OK;
}

static chl_status describe_interval(const chl_classified *d, json_t *report) {
    double low = NAN, high = NAN;
    int *hit = malloc(sizeof *hit * (size_t)d->count + 1);
    if (!hit) return no_memory(d);
    for (int64_t i = 0; i < d->count; i++) hit[i] = d->named[i] == d->truth[i];
    const chl_status status = chl_bootstrap_share(d->count, hit, d->group, &low, &high);
    free(hit);
    json_t *interval = json_array();
    chl_json_append(interval, chl_report_number(low));
    chl_json_append(interval, chl_report_number(high));
    chl_json_set(report, "interval", interval);
    return status;
}

chl_status chl_classified_report(const chl_classified *done, json_t *report) {
    CHL_TRY(describe_labels(done, report));
    CHL_TRY(describe_interval(done, report));
    return describe_folds(done, report);
}

static chl_status draw_confusion(const chl_classified *done, const char *who, const char *layout,
                                 const char *path) {
    int64_t hits = 0;
    char title[160];
    if (!path) return CHL_OK;
    for (int64_t i = 0; i < done->count; i++) hits += done->named[i] == done->truth[i];
    snprintf(title, sizeof title, "%s, %s: %lld sounds, %.1f %% named right", who, layout,
             (long long)done->count, 100 * (double)hits / (double)done->count);
    int64_t *confusion = count_confusion(done);
    if (!confusion) return no_memory(done);
    const chl_matrix matrix = {
        .title = title, .labels = done->labels, .label = done->label, .count = confusion};
    const chl_status status = chl_matrix_write(&matrix, path);
    free(confusion);
    return status;
}

chl_status chl_classified_tell(const chl_classified *done, const char *who, const char *layout,
                               const char *path, json_t *report) {
    CHL_TRY(draw_confusion(done, who, layout, path));
    return chl_classified_report(done, report);
}
