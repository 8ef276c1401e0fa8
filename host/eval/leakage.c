/* Leakage: an encoder that learnt from biased pairs what the sound does not say (most rain at
 * night) moves other attributes towards its kind's usual ones. L_kl is meant to prevent it. */
#include "eval/trials.h"
#include <stdlib.h>
#include <string.h>

static int class_of(const chl_sample *s, int attribute) {
    return attribute == 0 ? s->time : attribute == 1 ? s->season : s->house;
}

static int most_frequent(const chl_dataset *d, const char *kind, int attribute) {
    int count[CHL_JUDGE_CLASSES] = {0}, best = -1;
    for (int64_t i = 0; i < d->count; i++) {
        const chl_sample *s = &d->sample[i];
        const int class = class_of(s, attribute);
        if (strcmp(s->kind, kind) != 0 || class >= CHL_JUDGE_CLASSES) continue;
        count[class]++;
        if (best < 0 || count[class] > count[best]) best = class;
    }
    return best;
}

chl_status chl_trials_favourites(const chl_bench *b, int *favourite) {
    chl_dataset *d;
    CHL_TRY(chl_dataset_open(b->options->biased, CHL_NEED_CLASSES, &d));
    for (int k = 0; k < b->kinds; k++)
        for (int a = 0; a < CHL_TRIAL_ATTRIBUTES; a++)
            favourite[k * CHL_TRIAL_ATTRIBUTES + a] = most_frequent(d, b->sounds->kind_name[k], a);
    chl_dataset_free(d);
    return CHL_OK;
}

typedef struct moves {
    int64_t cases, to_favourite, elsewhere;
} moves;

static void count_move(const chl_bench *b, int favourite, const chl_trial *t, int attribute,
                       moves *m) {
    const chl_judge_question q = chl_trial_question(attribute);
    const int before = b->source_seen[t->source].best[q], after = t->seen.best[q];
    if (favourite < 0 || before == favourite) return; /* it could not move there */
    m->cases++;
    m->to_favourite += after == favourite;
    m->elsewhere += after != favourite && after != before;
}

static json_t *describe(const moves *m) {
    return json_pack("{s:I, s:o, s:o}", "cases", (json_int_t)m->cases, "to_favourite",
                     chl_report_share(m->to_favourite, m->cases), "elsewhere",
                     chl_report_share(m->elsewhere, m->cases));
}

json_t *chl_trials_leakage(const chl_bench *b, const int *favourite, int n,
                           const chl_trial *trial) {
    json_t *report = json_object();
    moves all = {0};
    for (int a = 0; a < CHL_TRIAL_ATTRIBUTES; a++) {
        moves m = {0};
        for (int i = 0; i < n; i++)
            count_move(b, favourite[trial[i].kind * CHL_TRIAL_ATTRIBUTES + a], &trial[i], a, &m);
        all.cases += m.cases;
        all.to_favourite += m.to_favourite;
        all.elsewhere += m.elsewhere;
        json_object_set_new(report, chl_judge_question_name(chl_trial_question(a)), describe(&m));
    }
    json_object_set_new(report, "all", describe(&all));
    return report;
}
