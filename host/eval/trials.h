/* The parts of `chladni eval edits`, a file each. Each adds what it found to the report. */
#ifndef CHL_EVAL_TRIALS_H
#define CHL_EVAL_TRIALS_H
#include "eval/edit_trials.h"
#include "eval/report.h"

/* Every source edited by a sound of every kind: what the judge makes of it, attribute by attribute;
 * the contact sheet. table.c */
chl_status chl_trials_table(chl_bench *bench, json_t *report);
/* The judge on what the generator makes of known scenes, before it may judge edits. gate.c */
chl_status chl_trials_gate(chl_bench *bench, json_t *report);
/* One sound at rising levels. intensity.c */
chl_status chl_trials_intensity(chl_bench *bench, json_t *report);
/* Table 2: codes guided by sound and by text. directions.c */
chl_status chl_trials_directions(chl_bench *bench, json_t *report);

/* Attributes no sound should change: time, season, house. */
#define CHL_TRIAL_ATTRIBUTES 3
static inline chl_judge_question chl_trial_question(int attribute) {
    return (chl_judge_question)(CHL_JUDGE_TIME + attribute);
}
/* The class of each attribute that most samples of a kind have in the folder the audio encoder
 * learnt from: favourite [kinds][CHL_TRIAL_ATTRIBUTES], -1 without samples. leakage.c */
chl_status chl_trials_favourites(const chl_bench *bench, int *favourite);
/* How often edits moved an attribute towards the favourite of their kind. */
json_t *chl_trials_leakage(const chl_bench *bench, const int *favourite, int n,
                           const chl_trial *trial);
#endif
