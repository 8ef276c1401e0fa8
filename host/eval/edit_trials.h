/* Trials of edits: sources, sounds and a judge, opened once for all parts of `chladni eval edits`
 * (trials.h), and edits of many trials in batches. Without a judge (judge NULL) judgements are
 * zeros, and parts that need one are left out. */
#ifndef CHL_EVAL_EDIT_TRIALS_H
#define CHL_EVAL_EDIT_TRIALS_H
#include "eval/embed.h"
#include "models/engine.h"
#include "train/dataset.h"
#include <chladni/eval.h>

typedef struct chl_trials {
    chl_engine *engine;
    const chl_trial_options *options;
    chl_progress_watch watch;
    chl_engine_sizes size;
    void *judge; /* opened by options->judged_by */
    chl_judge_sizes judge_sizes;
    chl_dataset *sounds;
    int kinds;        /* in `sounds` */
    int *judge_class; /* [kinds], the judge's index of each */
    int64_t *first;   /* [kinds + 1], of each kind in `order` */
    int64_t *order;   /* samples of at least least_strength, sorted by kind, then as in the file */
    int sources;
    float *source_code;              /* [sources][rows][latent] */
    float *source_pixels;            /* [sources][picture][picture][3] */
    chl_judgement *source_judgement; /* [sources] */
} chl_trials;

chl_status chl_trials_open(chl_engine *engine, const chl_trial_options *options,
                           chl_trials *trials);
void chl_trials_close(chl_trials *trials);

int64_t chl_trials_code(const chl_trials *trials);    /* numbers in a W+ code */
int64_t chl_trials_picture(const chl_trials *trials); /* in a picture */
/* The sample of `kind` whose sound edits `source`: drawn from those of at least least_strength. */
int64_t chl_trials_sound(const chl_trials *trials, int source, int kind);

/* One edit. */
typedef struct chl_trial {
    int source, kind;
    int64_t sound; /* sample of trials->sounds */
    float gain_db;
    const float *target;     /* [embedding] */
    chl_judgement judgement; /* of the edited picture */
    float cosine;            /* of the edited picture with chl_trial_run.text, if that is given */
} chl_trial;

/* How to edit. */
typedef struct chl_trial_run {
    const char *what;     /* for the progress callback */
    const float *text;    /* NULL, or [kinds][embedding] for chl_trial.cosine */
    float *code, *pixels; /* NULL, or [n][rows][latent] and [n][picture][picture][3] for results */
    float *view;          /* NULL, or [n][embedding], by CLIP */
    float *face;          /* NULL, or [n][face], by the face encoder */
    const chl_edit_options *edit; /* NULL: the trials' */
} chl_trial_run;
/* Edits, and fills in judgement and cosine. */
chl_status chl_trials_edit(chl_trials *trials, const chl_trial_run *run, int n, chl_trial *trial);

/* The embeddings of the trials' sounds (by_label: of their labels) into target [n][embedding], to
 * which trial[i].target is set. */
chl_status chl_trials_targets(chl_trials *trials, int n, chl_trial *trial, float *target);
/* What CLIP and, unless NULL, the face encoder see in a picture. */
chl_status chl_trials_see(chl_trials *trials, const float *pixels, float *view, float *face);
/* z [n][z] (rows of a dataset's latents) -> code [n][rows][latent] and, unless NULL, pixels */
chl_status chl_trials_generate(chl_trials *trials, int n, const float *z, float *code,
                               float *pixels);
chl_status chl_trials_judge(chl_trials *trials, int n, const float *pixels,
                            chl_judgement *judgement);

/* ln(P(kind) / P(any other kind)), as the judge sees it. */
double chl_trials_log_odds(const chl_trials *trials, const chl_judgement *judgement, int kind);
#endif
