/* The parts of `chladni eval edits`, a file each. Each adds what it measured to the report. */
#ifndef CHL_EVAL_TRIALS_H
#define CHL_EVAL_TRIALS_H
#include "eval/edit_trials.h"
#include "eval/report.h"

#define CHL_TRIALS_LOUDER "rain,fire,wind"

/* Every source edited by a sound of every kind: what the judge sees, kind by kind and attribute by
 * attribute; the contact sheet. table.c */
chl_status chl_trials_table(chl_trials *trials, json_t *report);
/* The judge on pictures of known scenes, before it judges edits. gate.c */
chl_status chl_trials_gate(chl_trials *trials, json_t *report);
/* One sound at rising levels. intensity.c */
chl_status chl_trials_intensity(chl_trials *trials, json_t *report);
/* Before anything is edited: are the kinds of options->louder there? */
chl_status chl_trials_check_louder(const chl_trials *trials);
/* Table 2: codes guided by sound and by text. directions.c */
chl_status chl_trials_directions(chl_trials *trials, json_t *report);

/* Semantic accuracy (Fig. 17a): a linear classifier of the sounds in options->classifier, by their
 * embeddings, names edited pictures by CLIP's. semantic.c
 *
 *     chl_semantic *s;
 *     CHL_TRY(chl_semantic_open(trials, &s));                 NULL where none is asked for
 *     CHL_TRY(chl_semantic_report(s, n, trial, by_sound, by_text, report));
 *     chl_semantic_free(s); */
typedef struct chl_semantic chl_semantic;
chl_status chl_semantic_open(chl_trials *trials, chl_semantic **out);
/* by_sound, by_text [n][embedding]: what CLIP sees in the edits; target [n][embedding] of the sounds. */
chl_status chl_semantic_report(const chl_semantic *s, int n, const chl_trial *trial,
                               const float *target, const float *by_sound, const float *by_text,
                               json_t *report);
void chl_semantic_free(chl_semantic *s); /* NULL is fine */
/* Edits with and without the identity loss: how far the face changes, how near they come. identity.c */
chl_status chl_trials_identity(chl_trials *trials, json_t *report);

/* Of each kind and attribute the class that most samples have in the folder that the audio encoder
 * learnt from: favourite [kinds][attributes], -1 without samples. leakage.c */
chl_status chl_trials_favourites(const chl_trials *trials, int *favourite);
/* How often edits moved an attribute towards the favourite of their kind. */
json_t *chl_trials_leakage(const chl_trials *trials, const int *favourite, int n,
                           const chl_trial *trial);
#endif
