/* Leakage: an encoder that learnt a bias of its training pairs (most rain at night) moves
 * attributes that the sound does not determine towards the usual ones of its kind. L_kl is meant to
 * prevent that. */
#include "eval/trials.h"
#include <stdlib.h>
#include <string.h>

/* Higher classes are not counted. */
#define MAX_CLASSES 256

static int most_frequent(const chl_dataset *d, const char *kind, const int *class) {
    int count[MAX_CLASSES] = {0}, best = -1;
    for (int64_t i = 0; i < d->count; i++) {
        if (strcmp(d->sample[i].kind, kind) != 0 || class[i] >= MAX_CLASSES) continue;
        count[class[i]]++;
        if (best < 0 || count[class[i]] > count[best]) best = class[i];
    }
    return best;
}

static chl_status find_favourites(const chl_trials *t, const chl_dataset *d, int *favourite) {
    const chl_judge *judge = t->options->judged_by;
    for (int a = 0; a < judge->attributes; a++) {
        const int *class;
        CHL_TRY(chl_dataset_require_classes(d, judge->attribute[a], 0, &class));
        for (int k = 0; k < t->kinds; k++)
            favourite[k * judge->attributes + a] = most_frequent(d, t->sounds->kind_name[k], class);
    }
    return CHL_OK;
}

chl_status chl_trials_favourites(const chl_trials *t, int *favourite) {
    chl_dataset *d;
    CHL_TRY(chl_dataset_open(t->options->biased, CHL_NEED_KIND, &d));
    const chl_status status = find_favourites(t, d, favourite);
    chl_dataset_free(d);
    return status;
}

typedef struct moves {
    int64_t cases, to_favourite, elsewhere;
} moves;

static void count_move(const chl_trials *t, int favourite, const chl_trial *trial, int attribute,
                       moves *m) {
    const int before = t->source_judgement[trial->source].attribute[attribute];
    const int after = trial->judgement.attribute[attribute];
    if (favourite < 0 || before == favourite) return; /* it cannot move there */
    m->cases++;
    m->to_favourite += after == favourite;
    m->elsewhere += after != favourite && after != before;
}

static json_t *describe(const moves *m) {
    return json_pack("{s:I, s:o, s:o}", "cases", (json_int_t)m->cases, "to_favourite",
                     chl_report_share(m->to_favourite, m->cases), "elsewhere",
                     chl_report_share(m->elsewhere, m->cases));
}

json_t *chl_trials_leakage(const chl_trials *t, const int *favourite, int n,
                           const chl_trial *trial) {
    const chl_judge *judge = t->options->judged_by;
    json_t *report = json_object();
    moves all = {0};
    for (int a = 0; a < judge->attributes; a++) {
        moves m = {0};
        for (int i = 0; i < n; i++)
            count_move(t, favourite[trial[i].kind * judge->attributes + a], &trial[i], a, &m);
        all.cases += m.cases;
        all.to_favourite += m.to_favourite;
        all.elsewhere += m.elsewhere;
        chl_json_set(report, judge->attribute[a], describe(&m));
    }
    chl_json_set(report, "all", describe(&all));
    return report;
}
